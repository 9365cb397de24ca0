"""The server in a thread of its own: on this computer, or over TLS."""

import asyncio
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from hrl_bringup.security.tokens import Tokens
from hrl_console.gateway import Gateway, Section
from hrl_console.server import Access, make_app
from hrl_core.config import ConfigError

LOCAL = ("localhost", "127.0.0.1", "::1")
PATIENCE = 5.0  # s to start, and to end


def is_local(host: str) -> bool:
    return host in LOCAL


def access_of(host: str, names: tuple[str, ...], certificate: str, key: str) -> Access:
    """Where the page may be used, for a host to listen on; `names`: more names of this computer.

    Raises ConfigError for a host that other computers reach, without certificate and key.
    """
    if bool(certificate) != bool(key):
        raise ConfigError("certificate and key belong together: give both")
    if not is_local(host) and not certificate:
        raise ConfigError(
            f"host {host!r} is reached from other computers, so that tokens and pictures would "
            "cross the network for everybody to read: give certificate and key (PEM files), such "
            "as openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "
            f"365 -subj /CN={socket.gethostname()} -keyout key.pem -out certificate.pem"
        )
    hosts = LOCAL if is_local(host) else (*LOCAL, socket.gethostname(), socket.getfqdn())
    if not _is_any(host):
        hosts = (*hosts, host)
    scheme = "https" if certificate else "http"
    return Access(tuple(dict.fromkeys([*hosts, *names])), scheme)


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


class Served:
    """A console that is served. `url`: of its page; `publish` may be called from any thread."""

    def __init__(
        self,
        gateway: Gateway,
        tokens: Tokens,
        host: str = LOCAL[1],
        port: int = 0,
        certificate: str = "",
        key: str = "",
        names: tuple[str, ...] = (),
    ):
        """`port` 0: a free one. Raises ConfigError where the host, the port or a file is wrong."""
        access = access_of(host, names, certificate, key)
        if certificate:
            _check(certificate, key)
        app = make_app(gateway, tokens, access)
        self._hub = app.state.hub
        self._socket = _listen(host, port)
        shown = host if not _is_any(host) else socket.gethostname()
        number = self._socket.getsockname()[1]
        self.url = f"{access.scheme}://{f'[{shown}]' if ':' in shown else shown}:{number}"
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            log_level=logging.WARNING,
            ws="websockets-sansio",
            ws_per_message_deflate=False,  # costs each viewer more than the bytes on this computer
            ws_max_size=1024,  # the page says nothing
            timeout_graceful_shutdown=1,
            lifespan="off",
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()
        self._ready.wait(PATIENCE)

    @property
    def viewers(self) -> int:
        """How many look at the page now."""
        return self._hub.viewers

    def publish(self, sections: Mapping[str, Section]) -> None:
        """Give the state to all viewers."""
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._hub.publish(sections), self._loop)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(2 * PATIENCE)
        self._socket.close()

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._ready.set()
            await self._server.serve([self._socket])

        asyncio.run(serve())


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(64)
    except OSError as error:
        raise ConfigError(f"host {host!r}, port {port}: {error.strerror or error}") from error
    return made


def _check(certificate: str, key: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(Path(certificate), Path(key))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"certificate {certificate}, key {key}: {error}") from error
