"""Orders, decisions and how they went: the values that the master works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_master.reasons import Check

# Purposes of helpers.
LEAVE_FACE = "leave_face"  # drive away from the shelf or station in front
LEAVE_NARROW = "leave_narrow"  # the same, used where the map leaves no room to turn there
ALIGN = "align"  # stand precisely before a conveyor that something is put down on
OFFSET = ("offset_x_m", "offset_y_m")  # parameters of place
FINISH, HAND_OVER = "finish", "hand_over"  # decisions that end an order
MOST_PRIORITY = 255


@dataclass(frozen=True)
class Order:
    """Bring an item from a bin to a station."""

    item: str
    from_bin: str
    to_station: str
    id: str = ""
    priority: int = 0  # its weight among the others; 0: none, which weighs 1
    due: float = 0.0  # s of ROS time; 0: at no time

    @property
    def weight(self) -> int:
        """What a second of waiting for it counts."""
        return max(1, self.priority)

    def __str__(self) -> str:
        return f"{self.item} from {self.from_bin} to {self.to_station}"

    def check(self, site: Site) -> None:
        """Raise ConfigError if the item, the bin or the station is unknown, or a number is none."""
        site.item(self.item)
        site.shelf_of(self.from_bin)
        site.station(self.to_station)
        if not 0 <= self.priority <= MOST_PRIORITY:
            raise ConfigError(
                f"order of {self.item}: priority = {self.priority}: allowed are 0 to "
                f"{MOST_PRIORITY}; 0: none"
            )
        if not (np.isfinite(self.due) and self.due >= 0.0):
            raise ConfigError(
                f"order of {self.item}: due = {self.due}: allowed is a ROS time from 0 s; 0: none"
            )


def check_together(orders: Sequence[Order]) -> None:
    """Raise ConfigError where two orders of a mission cannot both be meant."""
    for k, order in enumerate(orders):
        for number, other in enumerate(orders[:k]):
            if order.id and order.id == other.id:
                raise ConfigError(
                    f"orders {number} and {k} have the same id {order.id!r}; each needs its own"
                )
            if order.item == other.item:
                raise ConfigError(
                    f"orders {number} and {k} both want {order.item!r}; an item can be brought "
                    "once in a mission"
                )


def check_fit(orders: Sequence[Order], site: Site, robot: Robot) -> None:
    """Raise ConfigError where an order wants an item that the robot cannot grasp."""
    for number, order in enumerate(orders):
        if unfit := robot.arm.refusal(order.item, site.item(order.item)):
            raise ConfigError(f"order {number}: {unfit}")


@dataclass(frozen=True)
class Decision:
    """The next skill and its target, with what else was possible and why this one."""

    skill: str  # walk, approach, grasp, place or a helper; finish or hand_over end the order
    target: str  # waypoint, bin, station or item
    reason: str
    face: str = ""  # bin or station that it is done at
    pose: np.ndarray | None = None  # (3,) base_link in map, for walk
    item_in_hand: np.ndarray | None = None  # (4, 4), for place
    purpose: str = ""  # what a helper is used for, e.g. LEAVE_FACE
    parameters: Mapping[str, float] = field(default_factory=dict)  # of a helper; place: its offset
    chance: float | None = None  # of success, as the skill gave it; None: it gave none
    candidates: tuple[str, ...] = ()  # "skill target", in the order of the two below
    probabilities: tuple[float, ...] = ()
    allowed: tuple[bool, ...] = ()
    why_not: tuple[str, ...] = ()  # of the candidates that are not allowed; else ""
    tier: int = 0  # of risk; see hrl_master.risk
    chosen_by: str = ""  # the client of a guided mission; empty: the master's policy
    index: int = -1  # its number in the mission, once it is taken down

    @property
    def offset(self) -> np.ndarray:
        """Where on its station place puts the item: (2,) m from the target point."""
        return np.array([self.parameters.get(name, 0.0) for name in OFFSET])


@dataclass(frozen=True)
class Attempt:
    """A decision that ran, how it ended, and what the master's own check says."""

    decision: Decision
    outcome: Outcome
    check: Check

    @classmethod
    def refused(cls, decision: Decision, check: Check) -> Attempt:
        """Of a decision that a guardrail stopped before it ran."""
        why = check.sentence
        return cls(decision, Outcome(Code.NOT_READY, why, Verdict(False, why)), check)

    @property
    def worked(self) -> bool:
        return self.outcome.succeeded and self.check.ok

    @property
    def reason(self) -> str:
        """Why it failed or worked: the master's own check where the skill saw no failure."""
        return self.check.sentence if self.outcome.succeeded else self.outcome.detail


@dataclass
class OrderState:
    """Everything that was tried for one order."""

    order: Order
    attempts: list[Attempt] = field(default_factory=list)
    decisions: int = 0  # that were acted on
    began: float | None = None  # s, stamp of the first scene
    restarted: bool = False  # the master has ended since the last attempt
    doubt: str = ""  # why it must not go on after a restart
    given: float = 0.0  # s of ROS time

    @property
    def item_held(self) -> bool:
        """Whether the item should be in the gripper, by what was tried."""
        for attempt in reversed(self.attempts):
            if attempt.decision.skill == "place":
                return not attempt.worked
            if attempt.decision.skill == "grasp" and attempt.worked:
                return True
        return False

    def struck_out(self, strikes: int) -> str:
        """Which skill failed so often at one place, and why; empty: none did."""
        failures: dict[tuple[str, str], list[str]] = {}
        for attempt in self.attempts:
            if not attempt.worked:
                decision = attempt.decision
                where = decision.face or decision.target
                failures.setdefault((decision.skill, where), []).append(attempt.reason)
        for (skill, where), reasons in failures.items():
            if len(reasons) >= strikes:
                told = "; ".join(dict.fromkeys(reasons[-3:]))
                return f"{skill} at {where} failed {len(reasons)} times: {told}"
        return ""


class OrderEnd(NamedTuple):
    """How an order ended."""

    order: Order
    code: Code
    detail: str
    duration: float  # s of scene stamps that it was worked on
    decisions: int  # that were acted on
    given: float = 0.0  # s of ROS time
    ended: float = 0.0  # s of ROS time

    @property
    def completion(self) -> float:
        """From when it was given until it ended [s]."""
        return self.ended - self.given

    @property
    def lateness(self) -> float | None:
        """How long after its due time it ended [s], negative: before; None: it has none."""
        return self.ended - self.order.due if self.order.due else None
