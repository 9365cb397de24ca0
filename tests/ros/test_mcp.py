"""`./hrl mcp` beside a master over skills without physics: both transports, approvals, a kill."""

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("mcp")

from mcp_types import ElicitResult

from hrl_core.outcomes import Code
from hrl_mcp.config import digest_of
from tests.ros.helpers import wait_for
from tests.ros.master_site import BIN, ITEM, STATION, MasterSite
from tests.ros.mcp_client import TOKEN, call, deliver, http_server, over_http, over_stdio

ORDER = {"item": ITEM, "from_bin": BIN, "to_station": STATION}


@pytest.fixture(scope="module")
def site(probe, start_node_for_module, tmp_path_factory):
    site = MasterSite(probe, start_node_for_module, tmp_path_factory.mktemp("mcp"))
    site.master = site.start_master(risk_tiers="['place=3']", approval_timeout=12.0)
    yield site
    site.close()


@pytest.fixture
def options(site, tmp_path):
    """Arguments of the server, on a quiet robot."""
    site.begin()
    site.skills.begun.clear()
    client = {"tools": ["*"], "approves": True, "patience": 240.0}
    file = {"clients": {"local": client, "web": {**client, "token_sha256": digest_of(TOKEN)}}}
    (tmp_path / "mcp.yaml").write_text(json.dumps(file))
    return ["--config", str(tmp_path / "mcp.yaml"), "--ledger", str(site.ledger)]


def answering(action: Any, asked: list[str]):
    """A person at the client."""

    async def answer(context, params):
        asked.append(params.message)
        return ElicitResult(
            action=action, content={"approve": True} if action == "accept" else None
        )

    return answer


def test_a_planner_delivers_over_stdio_and_a_person_at_the_client_approves(site, options, tmp_path):
    asked: list[str] = []

    async def plan():
        client = over_stdio(
            options, tmp_path / "log", elicitation_callback=answering("accept", asked)
        )
        async with client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert tools >= {"run_skill", "run_order", "ask_chance", "look", "read_ledger",
                             "explain_decision", "stop"}  # fmt: skip
            would = await call(client, "run_skill", skill="walk", target=BIN, dry_run=True)
            assert would["code"] == "refused" and would["evidence"]["reason"] == "no_mission"
            done = await deliver(client, **ORDER)
            look = await client.call_tool("look", {"camera": "camera"})
            ledger = await call(client, "read_ledger", most=1)
            mission = ledger["evidence"]["orders"][0]["mission_id"]
            why = await call(client, "explain_decision", mission_id=mission, decision=0)
            return done, look, mission, why

    done, look, mission, why = asyncio.run(plan())
    assert done[-1] == "place" and "grasp" in done, done
    assert len(asked) == 1 and "«place packing» (risk tier 3)" in asked[0]
    assert site.ended(mission) == (Code.SUCCEEDED, "delivered and checked")
    rows = site.rows(f"SELECT skill, chosen_by FROM decisions WHERE mission = '{mission}'")
    assert {row["chosen_by"] for row in rows if row["skill"] != "finish"} == {"local"}
    by = site.rows("SELECT verdict, by FROM answers")[-1]
    assert tuple(by) == ("approved", "mcp:local")
    assert why["evidence"]["chosen_by"] == "local" and why["evidence"]["candidates"]
    assert [part.type for part in look.content] == ["text", "image"]


@pytest.mark.parametrize("mode, action", [("auto", "decline"), ("legacy", "cancel")])
def test_over_http_a_no_and_no_answer_mean_no(site, options, tmp_path, mode, action):
    asked: list[str] = []

    async def plan(url: str):
        person = answering(action, asked)
        with pytest.raises(BaseException):  # noqa: B017  # a group of what the client makes of it
            async with over_http(url, "wrong"):
                pass
        async with over_http(url, TOKEN, mode=mode, elicitation_callback=person) as client:
            begun = await call(client, "run_order", **ORDER, guided=True)
            steps = [("walk", f"{BIN} standoff"), ("grasp", ITEM), ("walk", f"{STATION} standoff")]
            for skill, target in steps:
                answer = await call(client, "run_skill", skill=skill, target=target)
                assert answer["code"] == "done", answer
            denied = await call(client, "run_skill", skill="place", target=STATION)
            assert denied["code"] == "refused", denied
            assert denied["evidence"]["reason"] == "not_approved" and denied["alternatives"]
            await call(client, "stop")
            return begun["evidence"]["mission_id"]

    with http_server(options, tmp_path / "log") as url:
        mission = asyncio.run(plan(url))
    assert len(asked) == 1 and "place" not in site.skills.begun
    code, _ = site.ended(mission)
    assert code == Code.CANCELED


def test_a_master_that_is_killed_in_the_middle_of_a_call_is_told_of(site, options, tmp_path):
    site.skills.held.add("walk")

    async def plan():
        async with over_stdio(options, tmp_path / "log") as client:
            begun = await call(client, "run_order", **ORDER, guided=True)
            walking = asyncio.ensure_future(call(client, "run_skill", skill="walk", target=BIN))
            await asyncio.to_thread(wait_for, lambda: site.skills.begun == ["walk"], "the walk")
            busy = await call(client, "run_skill", skill="walk", target=BIN)
            site.master.kill()
            site.master.process.returncode = 0
            return begun["evidence"]["mission_id"], busy, await walking

    mission, busy, told = asyncio.run(plan())
    site.skills.held.clear()
    assert (busy["code"], busy["evidence"]["reason"]) == ("refused", "busy") and busy[
        "alternatives"
    ]
    assert told["code"] == "unavailable" and "the master went away" in told["sentence"]
    site.master = site.start_master(choice_timeout=0.5)
    code, detail = site.ended(mission)
    assert code == Code.HANDED_OVER and "no step was chosen within" in detail
    assert site.skills.begun == ["walk"]
