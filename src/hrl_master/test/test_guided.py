"""Guided missions: a step is done only if it is allowed; what is refused names what leads to it."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.site import load_site
from hrl_core.text import clean
from hrl_master.approvals import Answer
from hrl_master.candidate import Candidate
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.guided import GUIDED, Choices, Guided, Step, chosen, nearest
from hrl_master.ledger import Ledger
from hrl_master.mission import Mission
from hrl_master.mission_loop import MissionWorld, at_once, work_off
from hrl_master.orders import Order
from hrl_master.reasons import Reason, Refusal
from hrl_master.scene import Scene

SITE, ORDER = load_site("small_warehouse"), Order("can", "A2", "packing")
DONE = Outcome(Code.SUCCEEDED, "done", Verdict(True, "done"))


@pytest.fixture
def guided(story):
    """A story whose steps are chosen by hand."""
    story = story(policy=GUIDED)
    story.candidates = lambda: story.decider.options.candidates(story.decider.observe(story.scene))
    return story


def test_what_is_not_allowed_is_refused_with_the_masters_reason(guided):
    candidates = guided.candidates()
    refusals = (
        (Step("grasp", "can"), Reason.OUT_OF_REACH),
        (Step("approach", "A2"), Reason.TOO_FAR),
        (Step("dance"), Reason.NO_CANDIDATE),
        (Step("grasp", "the moon"), Reason.NO_CANDIDATE),
        (Step("walk"), Reason.NO_CANDIDATE),  # which of several?
    )
    for step, reason in refusals:
        found = chosen(step, candidates)
        assert isinstance(found, Refusal) and found.reason is reason, (step, found)
    k = chosen(Step("walk", "A2"), candidates)
    assert isinstance(k, int) and candidates[k].label == "walk A2"
    wait = Step("wait", parameters={"duration_s": 3.0})
    assert isinstance(chosen(wait, candidates), int)
    found = chosen(replace(wait, parameters={"duration_s": 9.0}), candidates)
    assert isinstance(found, Refusal) and "duration_s = 3" in found.sentence


def test_following_the_nearest_options_brings_the_item(guided):
    policy = guided.decider.policy
    assert isinstance(policy, Guided)
    done = []
    for wanted in (Step("grasp", "can", by="Ada"), Step("place", "packing", by="Ada")):
        for _ in range(6):
            candidates = guided.candidates()
            step = wanted
            if not isinstance(chosen(step, candidates), int):
                first = nearest(step, Choices(candidates, "A2"))[0]
                step = Step(first.skill, first.target, by="Ada", why="it leads there")
            policy.step = step
            decision = guided.go(**({"holding": False} if step.skill == "place" else {}))
            assert decision.chosen_by == "Ada" and decision.skill == step.skill
            done.append(decision.skill)
            if step is wanted:
                break
    assert done[-1] == "place" and "grasp" in done and len(done) <= 8, done


def test_options_leave_out_what_is_masked_and_put_waiting_last(guided):
    options = nearest(Step("grasp", "can"), Choices(guided.candidates(), "A2"))
    assert all(isinstance(each, Candidate) and each.allowed for each in options)
    assert options[0].face == "A2" and [each.skill for each in options[-2:]] == [
        "wait",
        "hand_over",
    ]


def make_mission(ledger=None, **config) -> Mission:
    master = MasterConfig(policy=GUIDED, **config)
    guardrails = Guardrails(SITE, GuardrailConfig())
    decider = make_decider(SITE, master, guardrails)
    return Mission([ORDER], decider, guardrails, master, ledger=ledger, approver=None)


class Guiding(MissionWorld):
    """Walks where it is told; `steps`: None: the client has gone."""

    def __init__(self, scene: Scene, *steps: Step | None):
        self.steps, self.ran, self._scene = list(steps), [], scene
        self._stamps = itertools.count(1.0)

    async def next_scene(self):
        return replace(self._scene, stamp=next(self._stamps))

    async def guide(self, mission, scene):
        assert mission.choices(scene).candidates and mission.guided is not None
        mission.guided.step = self.steps.pop(0)
        return scene

    async def ask(self, mission):
        mission.answer(Answer("denied", "Ada"), mission.stamp)

    async def run(self, decision):
        self.ran.append(f"{decision.skill} {decision.target}")
        return DONE

    def ended(self, execution):
        pass


def test_the_loop_does_what_was_chosen_and_hands_over_when_nobody_chooses(story, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        mission = make_mission(ledger)
        steps = Step("walk", "A2", by="Ada", why="near"), Step("wait", by="Bob"), None
        world = Guiding(story().scene, *steps)
        at_once(work_off(mission, world))
        rows = ledger.rows("SELECT skill, chosen_by, reason FROM decisions ORDER BY number")
    assert world.ran == ["walk A2", "wait 3 s"]
    assert [tuple(row) for row in rows] == [
        ("walk", "Ada", "chosen by Ada: near"),
        ("wait", "Bob", "chosen by Bob"),
        ("hand_over", None, "nothing was chosen"),
    ]
    assert mission.results[0].code is Code.HANDED_OVER


def test_a_denied_step_goes_back_to_the_client(story):
    mission = make_mission(approval_from=0)
    world = Guiding(story().scene, Step("walk", "A2", by="Ada"), None)
    asyncio.run(work_off(mission, world))
    assert world.ran == [] and mission.last is not None
    assert mission.last.check.reason is Reason.NOT_APPROVED


def test_no_choice_is_asked_for_where_the_order_ends_anyway(story):
    mission, scene = make_mission(), story().scene
    assert mission.choices(scene).candidates
    assert not mission.choices(replace(scene, holding=True)).candidates


def test_text_from_outside_becomes_one_short_line_that_can_be_seen():
    hostile = "a\x1b[2J\nb\u202e\u200b\U000e0041c\x00 \u2028d\u3000e"
    assert clean(hostile) == "a[2J bc d e"
    assert clean("x" * 1000, 10) == "x" * 9 + "…" and clean("") == ""
