"""The web server of the console: the page, the state over a WebSocket, and what people do.

Nothing here is ROS: the state comes as plain values, see hrl_console.gateway.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.websockets import WebSocketDisconnect

from hrl_bringup.security.tokens import ROLES, Person, Tokens
from hrl_console.gateway import Gateway, Reply
from hrl_console.hub import Hub
from hrl_core.config import ConfigError
from hrl_core.pages.page import FOLDER as SHARED

PAGE = Path(__file__).with_name("page")
COOKIE = "hrl_console"
MAX_VIEWERS = 20
SEND_PATIENCE = 10.0  # s for a viewer to take one message, else it is gone
MAX_BODY = 20_000  # bytes
FORBIDDEN = 4403  # close codes of the WebSocket: the page goes back to its form
FULL = 4429

# Scripts and styles are our files, pictures ours too; nothing is loaded from elsewhere.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Name = Annotated[str, Field(max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(_Body):
    token: Annotated[str, Field(max_length=200)]


class OrderBody(_Body):
    item: Name
    from_bin: Name
    to_station: Name


class OrdersBody(_Body):
    mission: Name = ""
    orders: Annotated[list[OrderBody], Field(min_length=1, max_length=20)]


class MissionBody(_Body):
    mission: Name


class AnswerBody(_Body):
    id: Name
    approve: bool
    comment: Annotated[str, Field(max_length=500)] = ""
    signature: Annotated[str, Field(max_length=256, pattern="^([0-9a-f]{2})*$")] = ""


@dataclass(frozen=True)
class Access:
    """From where the page may be used. `hosts`: names that it is reached by, without port."""

    hosts: Sequence[str]
    scheme: Literal["http", "https"] = "http"

    def objection(self, host: str, origin: str | None, needs_origin: bool) -> str:
        """Why a request is not answered, by its headers; empty: it is.

        The host keeps out names that somebody else's DNS lets point here, the origin keeps out
        other pages in the browser of one who is logged in.
        """
        name = urlsplit(f"//{host}").hostname or ""
        if name not in self.hosts:
            return f"host {name!r}: this console is {', '.join(self.hosts)}"
        if origin is None:
            return "no Origin: use the page of the console" if needs_origin else ""
        same = origin == f"{self.scheme}://{host}"
        return "" if same else f"origin {origin!r}: use the page of the console"


def make_app(gateway: Gateway, tokens: Tokens, access: Access) -> FastAPI:
    """The application; its state has the `hub` to publish to."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.hub = hub = Hub()

    @app.middleware("http")
    async def guard(request: Request, call_next) -> Response:
        changes = request.method not in ("GET", "HEAD")
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if why := access.objection(host, origin, changes):
            return JSONResponse({"detail": why}, 403, HEADERS)
        length = request.headers.get("content-length", "")
        if changes and not (length.isdecimal() and int(length) <= MAX_BODY):
            return JSONResponse({"detail": f"a body of up to {MAX_BODY} bytes"}, 413, HEADERS)
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(ConfigError)
    async def refused(request: Request, error: ConfigError) -> Response:
        return JSONResponse({"detail": str(error)}, 500)

    def known(request: Request) -> Person:
        person = tokens.person(request.cookies.get(COOKIE, ""))
        if person is None:
            raise HTTPException(401, "log in with a token of ./hrl console token")
        return person

    def one_who(role: str) -> Any:
        def check(person: Annotated[Person, Depends(known)]) -> Person:
            if not person.may(role):
                raise HTTPException(403, f"{person.name} is no {role}")
            return person

        return Depends(check)

    viewer, operator, approver = (one_who(role) for role in ROLES)

    @app.get("/")
    async def page() -> Response:
        return FileResponse(PAGE / "index.html")

    @app.get("/style.css")
    async def style() -> Response:
        return FileResponse(SHARED / "style.css")

    @app.post("/api/login")
    async def login(body: Login, response: Response) -> dict:
        person = tokens.person(body.token.strip())
        if person is None:
            raise HTTPException(401, "no token of this console")
        response.set_cookie(
            COOKIE,
            body.token.strip(),
            max_age=30 * 86400,
            httponly=True,
            samesite="strict",
            secure=access.scheme == "https",
        )
        return {"name": person.name, "roles": person.roles}

    @app.post("/api/logout")
    async def logout(response: Response) -> dict:
        response.delete_cookie(COOKIE)
        return {}

    @app.get("/api/me")
    async def me(request: Request) -> dict | None:
        person = tokens.person(request.cookies.get(COOKIE, ""))
        return person and {"name": person.name, "roles": person.roles}

    @app.get("/api/picture")
    async def picture(camera: str, person: Person = viewer) -> Response:
        return _jpeg(gateway.picture(camera))

    @app.get("/api/evidence")
    async def evidence(of: str, camera: str, person: Person = viewer) -> Response:
        return _jpeg(gateway.evidence(of, camera))

    @app.post("/api/orders")
    async def orders(body: OrdersBody, person: Person = operator) -> dict:
        wanted = [order.model_dump() for order in body.orders]
        return _told(await gateway.order(person.name, body.mission, wanted))

    @app.post("/api/cancel")
    async def cancel(body: MissionBody, person: Person = operator) -> dict:
        return _told(await gateway.cancel(person.name, body.mission))

    @app.post("/api/answer")
    async def answer(body: AnswerBody, person: Person = approver) -> dict:
        signature = bytes.fromhex(body.signature)
        if not (body.approve or body.comment.strip()):
            raise HTTPException(422, "a denial needs a reason")
        return _told(
            await gateway.answer(person.name, body.id, body.approve, body.comment, signature)
        )

    @app.post("/api/stop")
    async def stop(person: Person = viewer) -> dict:
        return _told(await gateway.stop(person.name))

    @app.post("/api/release")
    async def release(person: Person = operator) -> dict:
        return _told(await gateway.release(person.name))

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        host, origin = socket.headers.get("host", ""), socket.headers.get("origin")
        if access.objection(host, origin, needs_origin=True):
            await socket.close()  # before it is accepted: 403
            return
        await socket.accept()
        token = socket.cookies.get(COOKIE, "")
        if tokens.person(token) is None:
            await socket.close(FORBIDDEN)
        elif hub.viewers >= MAX_VIEWERS:
            await socket.close(FULL)
        else:
            await _serve(socket, hub, lambda: tokens.person(token) is not None)

    app.mount("/", StaticFiles(directory=PAGE))
    return app


async def _serve(socket: WebSocket, hub: Hub, still_known) -> None:
    """Send the state until one of the two ends is tired of it."""

    async def send() -> None:
        tick = 0
        while True:
            tick, message = await hub.after(tick)
            if not still_known():
                await socket.close(FORBIDDEN)
                return
            # As text: the page parses it at once. Whoever is slow waits here, alone.
            await asyncio.wait_for(socket.send_text(message), SEND_PATIENCE)

    async def wait_for_end() -> None:
        while True:  # the page says nothing, but goes
            await socket.receive_text()

    hub.viewers += 1
    tasks = [asyncio.ensure_future(each) for each in (send(), wait_for_end())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.viewers -= 1
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(
                asyncio.CancelledError, asyncio.TimeoutError, WebSocketDisconnect, RuntimeError
            ):
                await task


def _jpeg(data: bytes | None) -> Response:
    if data is None:
        raise HTTPException(404, "no such picture")
    return Response(data, media_type="image/jpeg")


def _told(reply: Reply) -> dict:
    """What the page shows; a refusal is an answer, too."""
    if not reply.ok:
        raise HTTPException(409, reply.detail)
    return {"detail": reply.detail}
