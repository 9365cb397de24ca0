"""The mission loop in worlds made by hand: at once, with a wait, and where it has to stop."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import load_robot
from hrl_core.sensed import Sensed
from hrl_core.site import load_site
from hrl_master.approvals import Answer, nobody
from hrl_master.decider import make_decider
from hrl_master.guardrails import GuardrailConfig, Guardrails
from hrl_master.mission import MasterConfig, Mission, Order
from hrl_master.mission_loop import MissionWorld, at_once, work_off
from hrl_master.scene import SECTORS, GripperConfig, build_scene

SITE = load_site("small_warehouse")
BLANK = replace(
    build_scene(Sensed(0.0), SITE, load_robot(), GripperConfig()),
    map_from_base=np.array([1.2, 1.6, 0.0]),
    position_std=0.02,
    sectors=np.full(SECTORS, 12.0),
    scan_age=0.0,
)
STUCK = Outcome(Code.WALK_BLOCKED, "it does not move", Verdict(False, "it does not move"))


class StuckWorld(MissionWorld):
    """Whatever is tried, nothing moves. Every scene is a second later; `log`: what was asked."""

    def __init__(self, stops_at: int | None = None, senses: int = 1000):
        """It refuses to begin run number `stops_at`; `senses`: how many scenes there are."""
        self.log: list[str] = []
        self.executions, self.packages = [], []
        self._stops_at, self._senses = stops_at, senses
        self._stamps: Iterator[int] = itertools.count(1)

    async def next_scene(self):
        stamp = next(self._stamps)
        return replace(BLANK, stamp=float(stamp)) if stamp <= self._senses else None

    async def chances(self, questions):
        self.log.append("chances")
        return {(questions[0].skill, questions[0].target): 0.5} if questions else {}

    async def run(self, decision):
        if len(self.executions) == self._stops_at:
            return None
        self.log.append("run")
        return STUCK

    def ended(self, execution):
        self.executions.append(execution)

    async def hand_over(self, package):
        self.log.append("hand over")
        self.packages.append(package)


def make_mission(orders: int = 1, asks: bool = False, **config) -> Mission:
    master, guardrails = MasterConfig(**config), Guardrails(SITE, GuardrailConfig())
    given = [Order("can", "A2", "packing", str(k)) for k in range(orders)]
    decider, approver = make_decider(SITE, master, guardrails), None if asks else nobody
    return Mission(given, decider, guardrails, master, approver=approver)


def test_it_tries_hands_over_and_takes_up_the_next_order():
    mission, world = make_mission(orders=2), StuckWorld()
    at_once(work_off(mission, world))
    assert [end.code for end in mission.results] == [Code.HANDED_OVER] * 2
    assert [package.order_number for package in world.packages] == [0, 1]
    assert mission.handovers == []  # all were given on
    first = world.executions[0]
    assert (first.began, first.ended, first.confirmed) == (1.0, 2.0, False)
    # After a hand-over it looks again: the next order begins a second later.
    gaps = [b.began - a.ended for a, b in itertools.pairwise(world.executions)]
    assert sum(gaps) == 1.0 and max(gaps) == 1.0
    assert world.log[:2] == ["chances", "run"]


def test_a_world_may_refuse_to_begin_a_decision_and_the_caller_cancels():
    mission, world = make_mission(), StuckWorld(stops_at=1)
    at_once(work_off(mission, world))
    assert len(world.executions) == 1 and not mission.finished
    mission.cancel(Code.CANCELED, "late")
    assert mission.results[0].code is Code.CANCELED


def test_where_nothing_is_sensed_afterwards_a_decision_is_not_checked():
    mission, world = make_mission(), StuckWorld(senses=1)
    at_once(work_off(mission, world))
    (execution,) = world.executions
    assert execution.check is None and execution.ended is None and not execution.confirmed
    assert mission.state.attempts == [] and not mission.finished


def test_a_world_that_must_end_is_asked_nothing_more():
    class Ending(StuckWorld):
        @property
        def must_end(self):
            return len(self.executions) == 2

    mission, world = make_mission(), Ending()
    at_once(work_off(mission, world))
    assert world.log == ["chances", "run"] * 2 and not mission.finished


@pytest.mark.parametrize("granted", [True, False])
def test_a_risky_decision_waits_for_its_answer(granted):
    class Asking(StuckWorld):
        async def ask(self, mission):
            self.log.append("ask")
            await asyncio.sleep(0)  # as a person takes their time
            mission.answer(Answer("approved" if granted else "denied", "anna"), 1.5)

    mission, world = make_mission(asks=True, approval_from=0), Asking()
    asyncio.run(work_off(mission, world))
    assert mission.finished and "ask" in world.log
    assert ("run" in world.log) == granted


def test_a_world_that_waits_cannot_run_at_once():
    class Slow(StuckWorld):
        async def run(self, decision):
            await asyncio.sleep(0)
            return STUCK

    with pytest.raises(RuntimeError, match="this world waits"):
        at_once(work_off(make_mission(), Slow()))
