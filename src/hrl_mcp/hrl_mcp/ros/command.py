"""`./hrl mcp`: tools for language models, over stdio or HTTP, beside the nodes of a robot."""

import argparse
import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from hrl_core.config import ConfigError
from hrl_core.number_options import integer
from hrl_mcp.calls import Calls
from hrl_mcp.config import digest_of, load_config
from hrl_mcp.ros.robot_client import RobotClient
from hrl_mcp.server import PATH, client_of_token, make_server, serve_http, serve_stdio

STDIO_CLIENT = "local"
LAST_DOMAIN = 232  # of ROS_DOMAIN_ID


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./hrl mcp", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: config/mcp.yaml")
    parser.add_argument("--domain", type=integer(0, LAST_DOMAIN), help="ROS_DOMAIN_ID of the nodes")
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE", help="default: what the master's parameter says"
    )
    parser.add_argument(
        "--client", default=STDIO_CLIENT, metavar="NAME", help="who it is over stdio"
    )
    parser.add_argument("--http", action="store_true", help="over streamable HTTP, with tokens")
    parser.add_argument("--host", default="127.0.0.1", help="address for --http")
    parser.add_argument("--port", type=integer(1, 65535), default=8770, help="port for --http")
    parser.add_argument(
        "--new-token", action="store_true", help="make a token and the line for the file, and end"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.new_token:
        token = secrets.token_urlsafe(32)
        print(f"token, for the client alone: {token}")
        print(f"token_sha256: {digest_of(token)}")
        return 0
    # Standard output belongs to the protocol.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    config = load_config(options.config)
    if options.http and not any(each.token_sha256 for each in config.clients.values()):
        raise ConfigError(
            "no client has a token_sha256, so that nobody could come over HTTP: "
            "./hrl mcp --new-token makes one"
        )
    if not options.http and options.client not in config.clients:
        raise ConfigError(f"--client {options.client}: known are {', '.join(config.clients)}")
    for name, client in config.clients.items():
        if client.approver_key and not Path(client.approver_key).is_file():
            raise ConfigError(f"clients.{name}.approver_key: {client.approver_key}: no such file")
    if options.domain is not None:
        os.environ["ROS_DOMAIN_ID"] = str(options.domain)
    with RobotClient(options.ledger) as robot, contextlib.suppress(KeyboardInterrupt):
        anyio.run(_serve, options, config, robot)
    return 0


async def _serve(options: argparse.Namespace, config, robot: RobotClient) -> None:
    calls = Calls(robot, config)
    try:
        if options.http:
            url = f"http://{options.host}:{options.port}{PATH}"
            print(f"tools for language models: {url}", file=sys.stderr, flush=True)
            server = make_server(calls, config, client_of_token)
            await serve_http(server, config, options.host, options.port)
        else:
            await serve_stdio(make_server(calls, config, lambda: options.client))
    finally:
        with anyio.CancelScope(shield=True):
            await calls.close()


if __name__ == "__main__":
    sys.exit(main())
