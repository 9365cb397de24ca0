"""The one loop that works off a mission, wherever it takes place: over ROS or in one process.

It is a coroutine: where a skill takes its time, a node lets its other callbacks run meanwhile. A
world that answers at once never waits; `at_once` runs its mission like a function.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hrl_core.outcomes import Outcome
from hrl_master.handover import HandOver
from hrl_master.mission import Mission
from hrl_master.orders import Decision
from hrl_master.reasons import Check
from hrl_master.scene import Scene

Result = TypeVar("Result")


@dataclass(frozen=True)
class Execution:
    """A decision that was carried out: how it ended, and when, in s of the scenes' stamps."""

    decision: Decision
    outcome: Outcome
    check: Check | None  # the master's own; None: nothing was sensed afterwards
    began: float
    ended: float | None  # None: likewise

    @property
    def confirmed(self) -> bool:
        """Whether both the skill's and the master's own check say that it worked."""
        return bool(self.outcome.verdict.confirmed and self.check is not None and self.check.ok)


class MissionWorld(Protocol):
    """What the loop asks of the place where a mission is carried out."""

    @property
    def must_end(self) -> bool:
        """Whether the loop has to stop now; its caller then cancels the mission."""
        return False

    @abstractmethod
    async def next_scene(self) -> Scene | None:
        """What is sensed now; None: nothing will be any more, the loop has to stop."""

    async def answered(self) -> bool:
        """Wait for what systems were asked, within bounds; whether time went on meanwhile."""
        return False

    async def guide(self, mission: Mission, scene: Scene) -> Scene | None:
        """Let the client of a guided mission choose; what is sensed then. None: as above."""
        return scene

    async def chances(self, questions: Sequence[Decision]) -> Mapping[tuple[str, str], float]:
        """Chances of success by (skill, target), of those skills that know theirs."""
        return {}

    @abstractmethod
    async def run(self, decision: Decision) -> Outcome | None:
        """Carry out a decision; None: it was not begun, the loop has to stop."""

    @abstractmethod
    def ended(self, execution: Execution) -> None:
        """A decision was carried out and checked."""

    async def settle(self, mission: Mission) -> bool:
        """Have the ledger take what the mission owes it; whether time went on meanwhile."""
        mission.settle()
        return False

    async def ask(self, mission: Mission) -> None:
        """Wait until the mission's pending request is answered; no answer means no."""

    async def hand_over(self, package: HandOver) -> None:
        """Give a person what was handed over."""


async def work_off(mission: Mission, world: MissionWorld) -> None:
    """Decide and run until the mission has ended or the world wants it to."""
    scene = await world.next_scene()
    while scene is not None and not world.must_end:
        if await world.answered():
            scene = await world.next_scene()
            continue
        scene = await world.guide(mission, scene)
        if scene is None:
            return
        chances = await world.chances(mission.questions(scene))
        decision = mission.next_decision(scene, chances)
        waited = await world.settle(mission)
        packages = take_handovers(mission)
        for package in packages:
            await world.hand_over(package)
        if decision is None:
            return
        if mission.pending is not None:
            await world.ask(mission)
            waited = True
        if waited or packages:
            scene = await world.next_scene()
            if scene is None:
                return
            if not mission.go_ahead(decision, scene):
                continue
        outcome = await world.run(decision)
        if outcome is None:
            return
        after = await world.next_scene()
        check = None if after is None else mission.report(decision, outcome, scene, after)
        ended = None if after is None else after.stamp
        world.ended(Execution(decision, outcome, check, scene.stamp, ended))
        scene = after if not await world.settle(mission) else await world.next_scene()


def take_handovers(mission: Mission) -> list[HandOver]:
    """What was handed over since the last time that this was asked."""
    packages, mission.handovers[:] = list(mission.handovers), []
    return packages


def at_once(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("this world waits: an executor has to drive its mission")
