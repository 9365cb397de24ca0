"""A mission: orders worked off one after the other by decisions, each checked before and after."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from pydantic import Field

from hrl_core.config import Config
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.site import Site
from hrl_master.guardrails import Check, Guardrails
from hrl_master.scene import Scene

LEAVE_FACE = "leave_face"  # purpose: drive away from the shelf or station in front
FINISH, HAND_OVER = "finish", "hand_over"  # decisions that end an order


@dataclass(frozen=True)
class Order:
    """Bring an item from a bin to a station."""

    item: str
    from_bin: str
    to_station: str
    id: str = ""

    def check(self, site: Site) -> None:
        """Raise ConfigError if the item, the bin or the station is unknown."""
        site.item(self.item)
        site.shelf_of(self.from_bin)
        site.station(self.to_station)


@dataclass(frozen=True)
class Decision:
    """The next skill and its target, with what else was possible and why this one."""

    skill: str  # walk, approach, grasp, place or a helper; finish or hand_over end the order
    target: str  # waypoint, bin, station or item
    reason: str
    pose: np.ndarray | None = None  # (3,) base_link in map, for walk
    item_in_hand: np.ndarray | None = None  # (4, 4), for place
    purpose: str = ""  # what a helper is used for, e.g. LEAVE_FACE
    parameters: Mapping[str, float] = field(default_factory=dict)  # of a helper
    chance: float | None = None  # of success, as the skill gave it; None: it gave none
    candidates: tuple[str, ...] = ()  # "skill target", in the order of the two below
    probabilities: tuple[float, ...] = ()
    allowed: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """A decision that ran, how it ended, and what the master's own check says."""

    decision: Decision
    outcome: Outcome
    check: Check

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
    delivered: bool = False
    item_in_hand: np.ndarray | None = None  # (4, 4), as the last grasp measured it

    @property
    def last(self) -> Attempt | None:
        """The last attempt that was not a helper's, such as leaving a face."""
        deeds = [attempt for attempt in self.attempts if not attempt.decision.purpose]
        return deeds[-1] if deeds else None

    def failures(self, skill: str, target: str | None = None) -> int:
        """How often a skill failed (at a target)."""
        return sum(
            a.decision.skill == skill and target in (None, a.decision.target) and not a.worked
            for a in self.attempts
        )


class MasterConfig(Config):
    """Limits of the master; see config/master.yaml."""

    max_failures: int = Field(
        default=3, ge=1, le=20, description="failures of one skill before a person is asked"
    )
    max_decisions: int = Field(
        default=30, ge=4, le=500, description="decisions per order before a person is asked"
    )
    near_standoff: float = Field(
        default=0.08, gt=0, le=0.5, description="m; closer counts as standing at a face"
    )
    near_standoff_yaw: float = Field(default=0.14, gt=0, le=1, description="rad; likewise")
    way_out: float = Field(
        default=0.6, gt=0, le=2, description="m to leave a face by, where a skill can do that"
    )
    approach_range: float = Field(
        default=2.6, gt=0.5, le=5, description="m from a face; an approach may start"
    )
    direct_walk: float = Field(
        default=14.0, gt=1, le=15, description="m; farther goals go by waypoints"
    )
    policy: str = Field(
        default="behaviour_tree", description="which policy decides; see hrl_master.policy.POLICIES"
    )


class Policy(Protocol):
    """Chooses the next decision; `policy` in the configuration names which one."""

    def decide(self, scene: Scene, state: OrderState) -> Decision: ...


class Mission:
    """Works off orders: `next_decision`, run it, `report` it, until `finished`.

    The caller runs the decision (as a ROS action or in process) and reports its outcome with the
    scene before and after it.
    """

    def __init__(
        self, orders: list[Order], policy: Policy, guardrails: Guardrails, max_decisions: int
    ):
        self._policy = policy
        self._guardrails = guardrails
        self._max_decisions = max_decisions
        self._states = [OrderState(order) for order in orders]
        self.results: list[tuple[Order, Code, str]] = []
        self.decisions = 0

    @property
    def finished(self) -> bool:
        return len(self.results) == len(self._states)

    @property
    def state(self) -> OrderState:
        """Of the order that is being worked on."""
        return self._states[len(self.results)]

    def next_decision(self, scene: Scene) -> Decision | None:
        """The next decision to run, or None when the last order has ended."""
        while not self.finished:
            state = self.state
            if len(state.attempts) >= self._max_decisions:
                self._end(
                    Code.HANDED_OVER,
                    f"{len(state.attempts)} decisions, limit {self._max_decisions}",
                )
                continue
            decision = self._policy.decide(scene, state)
            if decision.skill == FINISH:
                self._end(Code.SUCCEEDED, decision.reason)
            elif decision.skill == HAND_OVER:
                self._end(Code.HANDED_OVER, decision.reason)
            else:
                check = self._guardrails.before(decision, scene, state)
                if check.ok:
                    self.decisions += 1
                    return decision
                # A decision that must not run counts as a failed attempt, so retries stay bounded.
                state.attempts.append(Attempt(decision, refused(check), check))
        return None

    def report(self, decision: Decision, outcome: Outcome, before: Scene, after: Scene) -> Check:
        """Check an outcome against the master's own sensors and remember the attempt."""
        state = self.state
        check = self._guardrails.after(decision, outcome, before, after, state)
        attempt = Attempt(decision, outcome, check)
        state.attempts.append(attempt)
        if decision.skill == "grasp" and attempt.worked:
            state.item_in_hand = outcome.pose
        if decision.skill == "place" and attempt.worked:
            state.delivered = True
        return check

    def cancel(self, code: Code, detail: str) -> None:
        """End all the orders that are left."""
        while not self.finished:
            self._end(code, detail)

    def _end(self, code: Code, detail: str) -> None:
        self.results.append((self.state.order, code, detail))


def refused(check: Check) -> Outcome:
    """Outcome of a decision that a guardrail stopped before it ran."""
    return Outcome(Code.NOT_READY, check.sentence, Verdict(False, check.sentence))
