"""The contract of every skill: start, tick, stop; bounded; its outcome confirmed by sensors."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from hrl_core import topics
from hrl_core.control import Command
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.sensed import Sensed


class GoalRejected(ValueError):
    """A goal that must not start: code, and a sentence with place, value and what is allowed."""

    def __init__(self, code: Code, detail: str):
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Tick:
    """One control step: the command, how far the skill is, and the outcome once it has ended."""

    command: Command
    phase: str
    progress: float  # 0 to 1
    error: float  # m, distance that is left
    outcome: Outcome | None = None


@dataclass(frozen=True)
class WalkGoal:
    """Walk to a planar pose (3,) of base_link in map."""

    map_from_goal: np.ndarray


@dataclass(frozen=True)
class ApproachGoal:
    """Stand in front of a bin or station, facing it, base_link `standoff` [m] from its face."""

    target: str
    standoff: float


@dataclass(frozen=True)
class GraspGoal:
    """Pick up the named item from the named bin and tuck it in."""

    item: str
    bin: str


@dataclass(frozen=True)
class PlaceGoal:
    """Put the held item down on a station: offset (2,) [m] from the middle of the target area.

    The offset is in the station's frame (x out of the face). `item_in_hand` (4, 4): the item in
    the tool frame, as the grasp measured it; None: unknown.
    """

    station: str
    item: str
    offset: np.ndarray
    item_in_hand: np.ndarray | None = None


@dataclass(frozen=True)
class RunGoal:
    """Goal of a skill that has no action of its own: what a RunSkill goal holds, as it was given.

    `map_from_goal` (3,) m, m, rad; None: no pose was given.
    """

    target: str = ""
    item: str = ""
    map_from_goal: np.ndarray | None = None
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Contract:
    """What others have to know of a skill; its server tells it on `<skill>/describe`.

    `provides`: what a master may use it for, such as "leave_face"; `parameters` of a RunSkill goal:
    name -> meaning, unit and default; `needs`: topics, besides those that every skill needs.
    """

    action: str = topics.RUN_SKILL
    codes: tuple[Code, ...] = ()  # outcomes of its own, besides those of every skill
    needs: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)

    def check(self, goal: RunGoal) -> None:
        """Raise GoalRejected for a parameter that the skill does not have."""
        if unknown := sorted(set(goal.parameters) - set(self.parameters)):
            raise GoalRejected(
                Code.GOAL_INVALID, f"parameters {unknown}; allowed are {sorted(self.parameters)}"
            )


class Skill(Protocol):
    """A bounded skill.

    The caller counts the steps, watches the sensors' age and ends it at `max_steps`.
    """

    name: str
    max_steps: int
    contract: Contract

    def start(self, goal: Any, sensed: Sensed) -> None:
        """Begin; raises GoalRejected when the goal is wrong or a precondition is not met."""
        ...

    def tick(self, sensed: Sensed) -> Tick:
        """One control period, TICK; never blocks. After an outcome it is not called again."""
        ...

    def stop(self) -> Command:
        """The command that brings the robot to a safe state; may be called at any time."""
        ...

    def conditions(self, goal: Any, sensed: Sensed) -> dict[str, float]:
        """What can be known before `start` of how hard a goal is: always the same finite numbers.

        For a goal that `start` accepts; changes nothing. See conditions.py and success_model.py.
        """
        ...


def failed(code: Code, detail: str, **evidence: float) -> Outcome:
    """Outcome of a skill that did not reach its goal, with the measurements behind it."""
    return Outcome(code, detail, Verdict(False, detail, evidence))
