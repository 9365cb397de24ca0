"""The tools through the protocol, of today and of before: listed, called, asked about."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("mcp")

from mcp import Client
from mcp_types import ElicitResult

from hrl_mcp.calls import Calls
from hrl_mcp.server import make_server

PLACE = {"skill": "place", "target": "packing"}


@pytest.fixture
def talk(robot, config):
    """talk(client, mode, action, conversation): what a conversation with a server returns."""

    def talk(client: str, mode: str, conversation, action: Any = ""):
        async def person(context, params):
            assert "«" in params.message and params.requested_schema["required"] == ["approve"]
            return ElicitResult(
                action=action, content={"approve": True} if action == "accept" else None
            )

        async def whole():
            calls = Calls(robot, config)
            server = make_server(calls, config, lambda: client)
            asks = person if action else None
            async with Client(server, mode=mode, elicitation_callback=asks) as connected:
                answer = await conversation(connected)
            await calls.close()
            return answer

        return asyncio.run(whole())

    return talk


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_sees_the_tools_that_it_may_call_and_gets_structured_results(talk, mode):
    async def conversation(client):
        tools = (await client.list_tools()).tools
        looked = await client.call_tool("look", {})
        refused = await client.call_tool("run_skill", {"skill": "walk"})
        return tools, looked, refused

    tools, looked, refused = talk("reader", mode, conversation)
    assert [tool.name for tool in tools] == ["look", "read_ledger"]
    assert "camera" in tools[0].input_schema["properties"]
    assert looked.structured_content["code"] == "done" and not looked.is_error
    assert refused.structured_content["code"] == "forbidden" and refused.is_error


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    "action, code, answers",
    [("accept", "done", [True]), ("decline", "refused", [False]), ("cancel", "refused", [])],
)
def test_a_risky_call_asks_the_person_at_the_client(talk, robot, mode, action, code, answers):
    robot.approval_expires = 0.5
    answer = talk("ada", mode, lambda client: client.call_tool("run_skill", PLACE), action)
    assert answer.structured_content["code"] == code
    assert [approve for _, approve, _ in robot.answers] == answers
    assert len(robot.steps) == (code == "done")


def test_a_client_that_cannot_ask_waits_for_the_usual_approvals(talk, robot):
    robot.approval_expires = 0.2
    answer = talk("ada", "auto", lambda client: client.call_tool("run_skill", PLACE))
    assert answer.structured_content["code"] == "refused" and robot.answers == []


def test_a_picture_goes_beside_the_result(talk):
    answer = talk("ada", "auto", lambda client: client.call_tool("look", {"camera": "camera"}))
    assert [part.type for part in answer.content] == ["text", "image"]
