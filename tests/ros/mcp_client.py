"""A client of `./hrl mcp` as another program would be one, and a small planner that uses it."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

TOKEN = "of the tests"


def over_stdio(arguments: list[str], log: Path, **options) -> Client:
    """A client that starts the server itself; `options`: of Client."""
    command = ["-m", "hrl_mcp.ros.command", *arguments]
    server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    return Client(stdio_client(server, log.open("w")), **options)


@contextlib.contextmanager
def http_server(arguments: list[str], log: Path):
    """A server over HTTP; yields its address and ends it, which has to go well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "hrl_mcp.ros.command",
        "--http",
        "--port",
        str(port),
        *arguments,
    ]
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        end = time.monotonic() + 240
        while time.monotonic() < end and server.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        status = server.wait(15)
        assert status in (0, -15) and "Traceback" not in log.read_text(), log.read_text()


@contextlib.asynccontextmanager
async def over_http(url: str, token: str, **options):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), **options) as client:
            yield client


async def call(client: Client, tool: str, **arguments) -> dict[str, Any]:
    """The structured result of a call."""
    answer = await client.call_tool(tool, arguments)
    assert answer.structured_content is not None, answer
    return answer.structured_content


async def deliver(client: Client, item: str, from_bin: str, to_station: str) -> list[str]:
    """Work off an order by single steps: what leads to a refused step is what the answer names."""
    begun = await call(
        client, "run_order", item=item, from_bin=from_bin, to_station=to_station, guided=True
    )
    assert begun["code"] == "done" and begun["alternatives"], begun
    done = []
    for skill, target in (("grasp", item), ("place", to_station)):
        for _ in range(9):
            answer = await call(client, "run_skill", skill=skill, target=target, why="the plan")
            if answer["code"] == "done":
                done.append(skill)
                break
            assert answer["alternatives"], answer
            step = answer["alternatives"][0]
            answer = await call(client, step["tool"], **step["arguments"])
            done.append(step["arguments"]["skill"])
    return done
