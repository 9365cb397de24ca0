"""Risk tiers, approvals in process, strikes, and what a person gets with an order."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import load_robot
from hrl_core.sensed import Sensed
from hrl_core.site import load_site
from hrl_master.approvals import Answer
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.handover import Picture, make_package, recommend, write_package
from hrl_master.ledger import Ledger
from hrl_master.mission import Mission
from hrl_master.orders import Attempt, Decision, Order, OrderState
from hrl_master.reasons import Check
from hrl_master.risk import RiskConfig, tier_of
from hrl_master.scene import SECTORS, GripperConfig, Seen, build_scene

SITE = load_site("small_warehouse")
ORDER = Order("can", "A2", "packing", "7")
SCENE = replace(
    build_scene(Sensed(5.0), SITE, load_robot(), GripperConfig()),
    map_from_base=np.array([1.2, 1.6, 0.0]),
    position_std=0.02,
    sectors=np.full(SECTORS, 5.0),
    scan_age=0.05,
)
BLOCKED = Outcome(Code.WALK_BLOCKED, "0.2 m to an obstacle", Verdict(False, "it stands"))


def make_mission(ledger=None, approver=None, **config) -> Mission:
    master, guardrails = MasterConfig(**config), Guardrails(SITE, GuardrailConfig())
    more = {} if approver is None else {"approver": approver}
    return Mission(
        [ORDER], make_decider(SITE, master, guardrails), guardrails, master, ledger=ledger, **more
    )


def failed(skill: str, target: str, code: Code, face: str = "") -> Attempt:
    outcome = Outcome(code, "how it was", Verdict(False, "seen"))
    return Attempt(Decision(skill, target, "why", face=face), outcome, Check(False, "no"))


@pytest.mark.parametrize(
    ("skill", "target", "tier"),
    [
        ("walk", "A2", 1),
        ("walk", "dock_3", 3),
        ("place", "packing", 2),
        ("paint", "A2", 2),
        ("wait", "3 s", 0),
    ],
)
def test_the_highest_tier_that_fits_counts(skill, target, tier):
    entries = ("walk=1", "walk:dock*=3", "*:dock_3=2", "place=2", "wait=0")
    assert tier_of(RiskConfig(risk_tiers=entries), skill, target) == tier


@pytest.mark.parametrize("entry", ["walk", "walk=4", "=1", "walk=high", ":A2=1"])
def test_a_tier_that_cannot_be_read_is_refused_with_what_is_allowed(entry):
    with pytest.raises(ValidationError, match="allowed is 'skill=tier' or 'skill:target=tier'"):
        RiskConfig(risk_tiers=(entry,))


def test_where_nobody_can_be_asked_a_risky_decision_is_refused_and_written_down(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        mission = make_mission(ledger, risk_tiers=("walk=3",), approval_timeout=7.0)
        for _ in range(40):
            if mission.next_decision(SCENE) is None:
                break
        assert mission.results[0].code is Code.HANDED_OVER and mission.results[0].decisions == 0
        assert "no answer within 7 s" in mission.results[0].detail
        assert "Say whether walk" in mission.handovers[0].recommendation
        asked = ledger.rows("SELECT * FROM approvals")
        answers = ledger.rows("SELECT verdict, counted FROM answers")
    assert len(asked) == 3 and asked[0]["expires"] - asked[0]["asked"] == 7.0
    assert [tuple(row) for row in answers] == [("expired", 1)] * 3


def test_a_yes_lets_a_risky_decision_run():
    asked = []

    def ask(request):
        asked.append(request)
        return Answer("approved", "Ada")

    mission = make_mission(approver=ask, risk_tiers=("walk=3",))
    decision = mission.next_decision(SCENE)
    assert decision is not None and (decision.skill, decision.tier) == ("walk", 3)
    assert asked[0].what == f"walk {decision.target}" and decision.reason in asked[0].why


def test_three_strikes_at_one_target_end_an_order_whatever_the_policy_wants():
    mission = make_mission(max_failures=20)
    while (decision := mission.next_decision(SCENE)) is not None:
        mission.report(decision, BLOCKED, SCENE, SCENE)
    tries: dict[str, int] = {}
    for attempt in mission.handovers[0].tries:
        tries[attempt["what"]] = tries.get(attempt["what"], 0) + 1
    assert max(tries.values()) <= 3
    assert mission.results[0].code is Code.HANDED_OVER


@pytest.mark.parametrize(
    ("attempt", "part"),
    [
        (failed("walk", "west", Code.WALK_BLOCKED), "Clear the way to west"),
        (failed("grasp", "can", Code.ITEM_NOT_FOUND), "it was not found at A2"),
        (failed("grasp", "can", Code.NOT_HELD, "B1"), "how can lies in its bin"),
        (failed("approach", "A2", Code.TARGET_NOT_SEEN), "marker of A2 is covered"),
        (failed("walk", "A2", Code.STEP_LIMIT), "See what stops walk A2: how it was."),
    ],
)
def test_the_next_step_follows_from_how_the_last_attempt_failed(attempt, part):
    assert part in recommend(ORDER, [attempt], "because", holding=False)


def test_a_robot_that_holds_something_says_so_first():
    text = recommend(ORDER, [failed("place", "packing", Code.SURFACE_NOT_FOUND)], "why", True)
    assert text.startswith("Take what the gripper holds out of it")


def test_a_package_has_a_page_its_data_and_its_pictures(tmp_path):
    state = OrderState(ORDER, [failed("walk", "A2", Code.WALK_BLOCKED)])
    scene = replace(SCENE, seen={"can": Seen("item", np.eye(4), 2.5, 1.0)})
    package = make_package("hall/3", 0, state, "walk A2 failed 3 times", 5.0, scene)
    folder = write_package(tmp_path, package, {"camera": Picture(4.9, b"\xff\xd8\xff")})
    assert folder.name == "hall_3_order0"
    data = json.loads((folder / "package.json").read_text())
    assert data["order"]["item"] == "can" and data["tries"][0]["code"] == "WALK_BLOCKED"
    page = (folder / "README.md").read_text()
    assert "Recommended next step:** Clear the way to A2" in page
    assert "item can at (0.00, 0.00, 0.00) m, 2.5 s ago" in page
    assert "stands still at x 1.20 m" in page and "![camera](camera.jpg)" in page
    assert (folder / "camera.jpg").read_bytes() == b"\xff\xd8\xff"
