"""The tools as a server of the Model Context Protocol, over stdio or streamable HTTP."""

import base64
import logging
import math
from collections.abc import Callable
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import AnyHttpUrl

from hrl_core.text import clean
from hrl_mcp.calls import Answered, Asked, Calls, Verdict
from hrl_mcp.config import McpConfig
from hrl_mcp.results import NOTE, Result, quoted
from hrl_mcp.robot import Question
from hrl_mcp.tools import TOOLS

INSTRUCTIONS = (
    "Tools of a mobile robot. Its master decides what is allowed, checks each step by its own "
    "sensors and keeps all in its ledger; a refusal names what is allowed instead. " + NOTE
)
FORM = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Let the robot do this"}},
    "required": ["approve"],
}
PATH = "/mcp"
log = logging.getLogger(__name__)


def make_server(calls: Calls, config: McpConfig, who: Callable[[], str]) -> Server:
    """`who`: names the client of the request that is being answered."""

    async def list_tools(context, params) -> types.ListToolsResult:
        rights = config.clients.get(who())
        allowed = [tool for tool in TOOLS.values() if rights and rights.may_call(tool.name)]
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.help,
                    input_schema=tool.arguments.model_json_schema(),
                    output_schema=Result.model_json_schema(),
                    annotations=types.ToolAnnotations(read_only_hint=not tool.acts),
                )
                for tool in allowed
            ]
        )

    async def call_tool(context, params) -> types.CallToolResult | types.InputRequiredResult:
        client, modern = who(), context.protocol_version in MODERN_PROTOCOL_VERSIONS
        may_ask = _can_ask(context)
        if params.request_state is not None:
            request_id, _, question = params.request_state.partition(" ")
            verdict = _verdict((params.input_responses or {}).get("approval"))
            outcome = await calls.answer(client, request_id, question, verdict, None)
        else:
            outcome = await calls.call(client, params.name, params.arguments or {}, may_ask)
        while isinstance(outcome, Asked):
            question = outcome.question
            if modern:
                form = types.ElicitRequestFormParams(
                    message=_message(question), requested_schema=FORM
                )
                return types.InputRequiredResult(
                    input_requests={"approval": types.ElicitRequest(params=form)},
                    request_state=f"{outcome.request_id} {question.id}",
                )
            verdict = await _elicited(context, question, outcome.until)
            outcome = await calls.answer(
                client, outcome.request_id, question.id, verdict, outcome.until
            )
        return _content(outcome)

    return Server(
        "hrl", instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


async def serve_stdio(server: Server) -> None:
    """Serve one client over standard input and output, until it closes them."""
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def serve_http(server: Server, config: McpConfig, host: str, port: int) -> None:
    """Serve clients with a bearer token over HTTP, until the process is told to end."""
    base = AnyHttpUrl(f"http://{'localhost' if ':' in host else host}:{port}")
    auth = AuthSettings(issuer_url=base, resource_server_url=None)
    app = server.streamable_http_app(
        streamable_http_path=PATH, host=host, auth=auth, token_verifier=_Tokens(config)
    )
    settings = uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="on")
    await uvicorn.Server(settings).serve()


def client_of_token() -> str:
    """The client of an HTTP request, by its token; empty: none."""
    token = get_access_token()
    return "" if token is None else token.client_id


class _Tokens:
    """Bearer tokens of the configuration."""

    def __init__(self, config: McpConfig):
        self._config = config

    async def verify_token(self, token: str) -> AccessToken | None:
        client = self._config.whose(token)
        if client is None:
            return None
        return AccessToken(token=token, client_id=client, scopes=[])


def _can_ask(context: Any) -> bool:
    capabilities = context.session.client_capabilities
    return capabilities is not None and capabilities.elicitation is not None


def _message(question: Question) -> str:
    return (
        f"The robot asks before it does {quoted(question.what)} (risk tier {question.tier}), "
        f"because {quoted(question.why)}. Mission {clean(question.mission, 80)}, "
        f"decision {question.decision}."
    )


def _verdict(answer: Any) -> Verdict:
    """What a person at the client said; "none": nothing that counts."""
    action = getattr(answer, "action", None)
    if action == "accept":
        return "approved" if (answer.content or {}).get("approve") is True else "denied"
    return "denied" if action == "decline" else "none"


async def _elicited(context: Any, question: Question, until: float) -> Verdict:
    """Ask during the call, as clients of older versions of the protocol want it."""
    left = until - anyio.current_time()  # both are the steady clock
    with anyio.move_on_after(left if math.isfinite(left) else 0.0):
        try:
            answer = await context.session.elicit_form(
                _message(question), FORM, related_request_id=context.request_id
            )
            return _verdict(answer)
        except MCPError as error:
            log.warning("the client did not ask its person: %s", clean(str(error)))
    return "none"


def _content(answered: Answered) -> types.CallToolResult:
    content: list[Any] = [
        types.TextContent(type="text", text=answered.result.model_dump_json(exclude_defaults=False))
    ]
    for picture in answered.pictures:
        data = base64.b64encode(picture).decode()
        content.append(types.ImageContent(type="image", data=data, mime_type="image/jpeg"))
    return types.CallToolResult(
        content=content,
        structured_content=answered.result.model_dump(mode="json"),
        is_error=not answered.result.ok,
    )
