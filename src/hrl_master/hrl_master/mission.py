"""A mission: orders worked off one after the other by decisions, each checked before and after.

Every decision is in the ledger before it is returned, its outcome before the next decision.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.site import Site
from hrl_master.approvals import Answer, Approver, Request, nobody
from hrl_master.guardrails import Check, Guardrails
from hrl_master.handover import NOT_APPROVED, HandOver, make_package
from hrl_master.ledger import Ledger
from hrl_master.risk import RiskConfig, tier_of
from hrl_master.scene import Scene

if TYPE_CHECKING:
    from hrl_master.decider import Decider
    from hrl_master.recovery import Restored
    from hrl_master.situation import Situation

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
    face: str = ""  # bin or station that it is done at
    pose: np.ndarray | None = None  # (3,) base_link in map, for walk
    item_in_hand: np.ndarray | None = None  # (4, 4), for place
    purpose: str = ""  # what a helper is used for, e.g. LEAVE_FACE
    parameters: Mapping[str, float] = field(default_factory=dict)  # of a helper
    chance: float | None = None  # of success, as the skill gave it; None: it gave none
    candidates: tuple[str, ...] = ()  # "skill target", in the order of the two below
    probabilities: tuple[float, ...] = ()
    allowed: tuple[bool, ...] = ()
    why_not: tuple[str, ...] = ()  # of the candidates that are not allowed; else ""
    tier: int = 0  # of risk; see hrl_master.risk
    index: int = -1  # its number in the mission, once it is taken down
    situation: Situation | None = field(default=None, repr=False, compare=False)  # it was made in


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
    decisions: int = 0  # that were acted on
    began: float | None = None  # s, stamp of the first scene
    restarted: bool = False  # the master has ended since the last attempt
    doubt: str = ""  # why it must not go on after a restart

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


class OrderEnd(NamedTuple):
    """How an order ended."""

    order: Order
    code: Code
    detail: str
    duration: float  # s of scene stamps
    decisions: int  # that were acted on


class MasterConfig(RiskConfig):
    """Limits of the master; see config/master.yaml."""

    strikes: int = Field(
        default=3,
        ge=1,
        le=20,
        description="failures of one skill at one target before a person is asked, "
        "whatever the policy says",
    )
    max_failures: int = Field(
        default=3, ge=1, le=20, description="failures of one skill before the tree asks a person"
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
    policy_folder: str = Field(
        default="", description="weights and card of the learned policy; empty: the shipped one"
    )


class Mission:
    """Works off orders: `next_decision`, run it, `report` it, until `finished`.

    The caller runs the decision (as a ROS action or in process) and reports its outcome with the
    scene before and after it. Where a decision needs a person's approval, `approver` answers at
    once; without one (None) the caller sees `pending`, calls `answer` when it comes and then
    `go_ahead` before it runs the decision.
    """

    def __init__(
        self,
        orders: Sequence[Order],
        policy: Decider,
        guardrails: Guardrails,
        config: MasterConfig,
        *,
        id: str = "",
        ledger: Ledger | None = None,
        approver: Approver | None = nobody,
        about: Mapping[str, object] | None = None,
        restored: Restored | None = None,
        on_decision: Callable[[str, Decision], None] | None = None,
    ):
        """`id`: empty: a new one is made; one that the ledger knows raises LedgerError.

        `about`: kept with the mission in the ledger. `restored`: a mission of the ledger to go on
        with; `orders` are then its own. `on_decision`: told of the mission's id and each decision,
        with those that end an order.
        """
        self.id = id or f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{uuid.uuid4().hex[:6]}"
        self._policy = policy
        self._begun: OrderState | None = None  # the order that the policy works on
        self._guardrails = guardrails
        self._config = config
        self._ledger = ledger
        self._approver = approver
        self._on_decision = on_decision
        self._stamp = 0.0  # of the last scene
        self._index = 0  # of the next decision
        self.results: list[OrderEnd] = []
        self.handovers: list[HandOver] = []  # of this process
        self._open: Decision | None = None  # taken down, and its outcome is not
        self.pending: Request | None = None  # an approval that is waited for
        self._answer: Answer | None = None
        if restored is not None:
            self._states, self.results = restored.states, restored.results
            self._index, self._stamp = restored.next_index, restored.stamp
            return
        self._states = [OrderState(order) for order in orders]
        if ledger is not None:
            ledger.begin_mission(self.id, [state.order for state in self._states], about or {})

    @property
    def finished(self) -> bool:
        return len(self.results) == len(self._states)

    @property
    def state(self) -> OrderState:
        """Of the order that is being worked on."""
        return self._states[len(self.results)]

    @property
    def decisions(self) -> int:
        """How many were acted on."""
        return sum(state.decisions for state in self._states)

    def next_decision(
        self, scene: Scene, chances: Mapping[tuple[str, str], float] | None = None
    ) -> Decision | None:
        """The next decision to run, or None when the last order has ended.

        `chances`: of success by (skill, target), as the skills gave them for `scene`.
        """
        self._stamp = scene.stamp
        while not self.finished:
            self._begin_order(scene)
            decision = self._decide(scene, chances or {})
            if decision.skill in (FINISH, HAND_OVER):
                self._take_down(decision)
                code = Code.SUCCEEDED if decision.skill == FINISH else Code.HANDED_OVER
                self._end(code, decision.reason, scene)
                continue
            decision = self._take_down(decision)
            check = self._guardrails.before(decision, scene, self.state.order)
            if not check.ok:
                self._refuse(decision, check, scene)
                continue
            if decision.tier >= self._config.approval_from:
                self._ask(decision)
                if self._approver is None:
                    return decision
                assert self.pending is not None, "it was just asked"
                self.answer(self._approver(self.pending), scene.stamp)
                if not self.go_ahead(decision, scene):
                    continue
            self.state.decisions += 1
            return decision
        return None

    def questions(self, scene: Scene) -> list[Decision]:
        """What the skills should be asked the chances of, for the next decision."""
        if self.finished:
            return []
        return self._policy.questions(self._observe(scene))

    def answer(self, answer: Answer, stamp: float) -> None:
        """Take down the answer to the pending request; `stamp`: s of ROS time."""
        assert self.pending is not None and self._answer is None, "one answer to one request"
        if self._ledger is not None:
            self._ledger.answer(self.pending.id, answer, counted=True, stamp=stamp)
        self._answer = answer

    def go_ahead(self, decision: Decision, scene: Scene) -> bool:
        """Whether a decision that waited for approval may run now; no answer means no.

        The world may have changed meanwhile: `scene` is checked anew.
        """
        assert self.pending is not None, "nothing was asked"
        request, answer = self.pending, self._answer or nobody(self.pending)
        self.pending, self._answer, self._stamp = None, None, scene.stamp
        check = Check(answer.granted, f"{NOT_APPROVED} {request.what} {answer}")
        if check.ok:
            check = self._guardrails.before(decision, scene, self.state.order)
        if not check.ok:
            self._refuse(decision, check, scene)
        elif self._approver is None:
            self.state.decisions += 1
        return check.ok

    def report(self, decision: Decision, outcome: Outcome, before: Scene, after: Scene) -> Check:
        """Check an outcome against the master's own sensors and remember the attempt."""
        assert self.pending is None, f"{decision.skill} waits for an approval"
        check = self._guardrails.after(decision, outcome, before, after, self.state)
        self._remember(Attempt(decision, outcome, check), after, ran=True)
        return check

    @property
    def stamp(self) -> float:
        """ROS time [s] of the last scene that it has seen."""
        return self._stamp

    def give_up(self, reason: str) -> None:
        """Hand over all the orders that are left, at the next decision."""
        for state in self._states[len(self.results) :]:
            state.doubt = state.doubt or reason

    def cancel(self, code: Code, detail: str) -> None:
        """End all the orders that are left."""
        waited = self.pending is not None
        if waited and self._answer is None:
            self.answer(Answer("withdrawn", "master", detail), self._stamp)
        self.pending = self._answer = None
        if self._open is not None and self._ledger is not None:
            outcome = Outcome(code, detail, Verdict(False, detail))
            cut_short = Attempt(self._open, outcome, Check(False, detail))
            self._ledger.outcome(self.id, self._open.index, cut_short, self._stamp, not waited)
        self._open = None
        while not self.finished:
            self._end(code, detail, None)

    # The parts

    def _decide(self, scene: Scene, chances: Mapping[tuple[str, str], float]) -> Decision:
        """What the policy chooses, unless a guardrail wants a person."""
        if reason := self._needs_a_person(scene):
            return Decision(HAND_OVER, self.state.order.item, reason)
        return self._policy.decide(self._observe(scene), chances)

    def _observe(self, scene: Scene) -> Situation:
        """The situation of the present order; the policy is told where a new one begins."""
        if self._begun is not self.state:
            self._begun = self.state
            self._policy.begin(self.state.order, self.state.attempts)
        return self._policy.observe(scene)

    def _needs_a_person(self, scene: Scene) -> str:
        """Why the policy is not asked any more; empty: it is."""
        state, c = self.state, self._config
        if state.doubt:
            return state.doubt
        if len(state.attempts) >= c.max_decisions:
            return f"{len(state.attempts)} decisions, limit {c.max_decisions}"
        if not state.attempts and scene.holding:
            return "the gripper already holds something that this order did not fetch"
        if state.restarted:
            state.restarted = False
            if held(state) and not scene.holding:
                return (
                    f"the gripper held {state.order.item} before the master was started again and "
                    "is empty now: it may have been delivered"
                )
        strikes: dict[tuple[str, str], list[str]] = {}
        for a in state.attempts:
            if not a.worked:
                where = a.decision.face or a.decision.target
                strikes.setdefault((a.decision.skill, where), []).append(a.reason)
        for (skill, where), reasons in strikes.items():
            if len(reasons) >= c.strikes:
                told = "; ".join(dict.fromkeys(reasons[-3:]))
                return f"{skill} at {where} failed {len(reasons)} times: {told}"
        return ""

    def _begin_order(self, scene: Scene) -> None:
        if self.state.began is None:
            self.state.began = scene.stamp
            if self._ledger is not None:
                self._ledger.begin_order(self.id, len(self.results), scene.stamp)

    def _take_down(self, decision: Decision) -> Decision:
        """Give a decision its number and risk tier and write it to the ledger."""
        decision = replace(
            decision,
            index=self._index,
            tier=tier_of(self._config, decision.skill, decision.face or decision.target),
        )
        self._index += 1
        if self._ledger is not None:
            self._ledger.decide(self.id, len(self.results), decision, self._stamp)
        self._open = None if decision.skill in (FINISH, HAND_OVER) else decision
        if self._on_decision is not None:
            self._on_decision(self.id, decision)
        return decision

    def _ask(self, decision: Decision) -> None:
        tier, limit = decision.tier, self._config.approval_from
        self.pending = Request(
            id=uuid.uuid4().hex[:8],
            mission=self.id,
            decision=decision.index,
            what=f"{decision.skill} {decision.target}",
            why=f"{decision.reason}; risk tier {tier}, from {limit} on a person has to approve",
            tier=tier,
            asked=self._stamp,
            expires=self._stamp + self._config.approval_timeout,
        )
        if self._ledger is not None:
            self._ledger.request(self.pending)

    def _refuse(self, decision: Decision, check: Check, scene: Scene) -> None:
        """A decision that must not run counts as a failed attempt, so retries stay bounded."""
        self._remember(Attempt(decision, refused(check), check), scene, ran=False)

    def _remember(self, attempt: Attempt, after: Scene, ran: bool) -> None:
        state, decision = self.state, attempt.decision
        self._stamp = after.stamp
        self._open = None
        if self._ledger is not None:
            self._ledger.outcome(self.id, decision.index, attempt, after.stamp, ran)
        if self._begun is state:
            self._policy.record(attempt, after)
        state.attempts.append(attempt)
        if decision.skill == "grasp" and attempt.worked:
            state.item_in_hand = attempt.outcome.pose
        if decision.skill == "place" and attempt.worked:
            state.delivered = True

    def _end(self, code: Code, detail: str, scene: Scene | None) -> None:
        """Close the present order, with a package for a person if it is handed over."""
        state, number = self.state, len(self.results)
        duration = 0.0 if state.began is None else max(0.0, self._stamp - state.began)
        package = None
        if code is Code.HANDED_OVER:
            package = make_package(self.id, number, state, detail, self._stamp, scene)
            self.handovers.append(package)
        self.results.append(OrderEnd(state.order, code, detail, duration, state.decisions))
        if self._ledger is not None:
            self._ledger.end_order(
                self.id, number, int(code), detail, self._stamp, state.decisions,
                None if package is None else package.as_dict(),
            )  # fmt: skip


def held(state: OrderState) -> bool:
    """Whether the item should be in the gripper, by what was tried."""
    for attempt in reversed(state.attempts):
        if attempt.decision.skill == "place":
            return not attempt.worked
        if attempt.decision.skill == "grasp" and attempt.worked:
            return True
    return False


def refused(check: Check) -> Outcome:
    """Outcome of a decision that a guardrail stopped before it ran."""
    return Outcome(Code.NOT_READY, check.sentence, Verdict(False, check.sentence))
