"""One who looks at a console, as the page does; a process of `./hrl bench console`."""

import contextlib
import json
import sys
import time

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from hrl_console.server import COOKIE


def view(url: str, token: str) -> None:
    """Look at a console until it, or this process, ends; then say what came."""
    cookie, states, pictures = f"{COOKIE}={token}", 0, 0
    seen: dict[str, int] = {}
    begun = time.monotonic()
    with (
        contextlib.suppress(ConnectionClosed, httpx.HTTPError, KeyboardInterrupt),
        connect(
            url.replace("http", "ws", 1) + "/live",
            additional_headers={"Cookie": cookie},
            origin=Origin(url),
            max_size=None,
        ) as socket,
        httpx.Client(base_url=url, headers={"Cookie": cookie}, verify=False) as client,
    ):
        for message in socket:
            states += 1
            for camera, number in json.loads(message).get("cameras", {}).items():
                if seen.get(camera) != number:
                    seen[camera] = number
                    pictures += 1
                    client.get("/api/picture", params={"camera": camera})
    lasted = time.monotonic() - begun
    print(json.dumps({"states": states / lasted, "pictures": pictures / lasted}))


if __name__ == "__main__":
    view(*sys.argv[1:])
