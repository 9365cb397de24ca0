"""One system over HTTP: bounded in time and size, its answers checked."""

from __future__ import annotations

import json
import ssl
import time
from functools import cache
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import ValidationError

from hrl_core.config import Config, ConfigError, shorten, shown
from hrl_core.errands import NONSENSE, REFUSED, UNREACHABLE
from hrl_core.outcomes import Code
from hrl_systems.description import KEY_HEADER, OPERATIONS

LARGEST = 1 << 20  # bytes of an answer
TOO_MANY, TOO_EARLY, TIMED_OUT = 429, 425, 408  # statuses that pass, as those from 500 on

Answer = TypeVar("Answer", bound=Config)


class SystemFault(Exception):
    """A call that brought no answer to go on with: the outcome's code, and a sentence."""

    def __init__(self, code: Code, sentence: str):
        super().__init__(sentence)
        self.code = code


def checked_url(url: str) -> str:
    """The address of a system; raises ConfigError."""
    try:
        parts = urlsplit(url)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
        _ = parts.port
    except ValueError:
        ok = False
    if not ok:
        raise ConfigError(f"systems = {shown(url)}: allowed is an address as http://host:8300")
    return url.rstrip("/")


class Client:
    """Calls operations of OPERATIONS until `timeout` s of wall time after it was made."""

    def __init__(self, url: str, timeout: float, transport: httpx.BaseTransport | None = None):
        """`transport`: what takes the place of the network, in tests and in process."""
        self._url, self._timeout = url, timeout
        self._deadline = time.monotonic() + timeout
        # The environment's proxies are for the internet, not for a system of the warehouse.
        self._http = httpx.Client(
            transport=transport, verify=_certificates(), trust_env=False, follow_redirects=False
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Break off what is under way; another thread may call it."""
        self._http.close()

    def call(
        self, name: str, answer: type[Answer], request: Config | None = None, once: str = "",
        **path: str,
    ) -> Answer:  # fmt: skip
        """The checked answer of an operation; raises SystemFault. `once`: the key by which the
        system does it once, however often it is asked.
        """
        operation = OPERATIONS[name]
        place = operation.path.format_map({k: quote(v, safe="") for k, v in path.items()})
        left = self._deadline - time.monotonic()
        try:
            if left <= 0:
                raise httpx.ReadTimeout("")
            with self._http.stream(
                operation.method,
                self._url + place,
                headers={KEY_HEADER: once} if once else {},
                json=None if request is None else request.model_dump(mode="json"),
                timeout=left,
            ) as response:
                content = self._content(response)
                status = response.status_code
        except httpx.TimeoutException as error:
            raise SystemFault(UNREACHABLE, f"no answer within {self._timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            why = shorten(ascii(str(error))[1:-1]) or type(error).__name__
            raise SystemFault(UNREACHABLE, f"cannot be reached: {why}") from error
        except RuntimeError as error:  # closed by another thread
            raise SystemFault(UNREACHABLE, "the call was broken off") from error
        said = f"{operation.method} {place} was answered with {status}"
        if status >= 500 or status in (TOO_MANY, TOO_EARLY, TIMED_OUT):
            raise SystemFault(UNREACHABLE, said)
        if status >= 400:
            raise SystemFault(REFUSED, f"{said}: {shown(content.decode(errors='replace'))}")
        if status not in (200, 201):
            raise SystemFault(NONSENSE, f"{said}; allowed are 200 and 201")
        return _checked(content, answer, said)

    def _content(self, response: httpx.Response) -> bytes:
        content = b""
        for part in response.iter_bytes():
            content += part
            if len(content) > LARGEST:
                raise SystemFault(NONSENSE, f"an answer of more than {LARGEST} bytes")
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("")
        return content


@cache
def _certificates() -> ssl.SSLContext:
    """Those that this computer trusts; reading them takes longer than a call."""
    return ssl.create_default_context()


def _checked(content: bytes, answer: type[Answer], said: str) -> Answer:
    try:
        return answer.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        why = f"{shown(place)} = {shown(first['input'])}: {shorten(first['msg'])}"
    except (ValueError, RecursionError) as error:
        why = f"no JSON: {shorten(ascii(str(error))[1:-1])}"
    raise SystemFault(NONSENSE, f"{said}, but {why}")
