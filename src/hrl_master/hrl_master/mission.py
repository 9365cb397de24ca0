"""A mission: orders worked off one after the other by decisions, each checked before and after.

Every decision is in the ledger before it is acted on, its outcome before the next decision. What
the ledger cannot take when it happens is owed to it: it comes later, and says the same. One long
class on purpose: what is written in which order, and what may be done before it, is read in one go.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_master.approvals import Answer, Approver, Request, nobody, request_for
from hrl_master.config import MasterConfig
from hrl_master.decider import Decider
from hrl_master.errands import Errands
from hrl_master.guardrails import Guardrails
from hrl_master.guided import Choices, Guided
from hrl_master.handover import HandOver, make_package
from hrl_master.ledger import Ledger
from hrl_master.ledger_debt import Owing
from hrl_master.ledger_errands import TakenErrand
from hrl_master.order_book import OrderBook
from hrl_master.orders import (
    FINISH,
    HAND_OVER,
    Attempt,
    Decision,
    Order,
    OrderEnd,
    OrderState,
    check_together,
)
from hrl_master.person import needs_a_person
from hrl_master.reasons import Check, Reason
from hrl_master.recovery import Restored
from hrl_master.risk import tier_of
from hrl_master.scene import Scene
from hrl_master.situation import Situation


class Mission(Owing):
    """Works off orders: `next_decision`, run it, `report` it, until `finished`.

    The caller runs the decision (as a ROS action or in process) and reports its outcome with the
    scene before and after it. Where a decision needs a person's approval, `approver` answers at
    once; without one (None) the caller sees `pending`, calls `answer` when it comes and then
    `go_ahead` before it runs the decision. While the mission `owes` the ledger something nothing
    may be run: the caller calls `settle` until that succeeds, then `go_ahead`.
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
        errands: Errands | None = None,
        stamp: float = 0.0,
        on_decision: Callable[[str, Decision, Situation | None], None] | None = None,
    ):
        """`id`: empty: a new one is made; one that the ledger knows raises LedgerError.

        `about`: kept with the mission in the ledger. `restored`: a mission of the ledger to go on
        with; `orders` are then its own. `errands`: has systems do what follows from the orders;
        None: there are no systems. `stamp`: s of ROS time when the orders are given.
        `on_decision`: told of the mission's id and each decision, with those
        that end an order, and the situation that a policy decided in.
        """
        self.id = id or f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{uuid.uuid4().hex[:6]}"
        self._policy = policy
        self._begun: OrderState | None = None  # the order that the policy works on
        self._guardrails = guardrails
        self._config = config
        super().__init__(ledger)
        self._approver = approver
        self._on_decision = on_decision
        self._errands = errands
        self._stamp = stamp  # of the last scene, or of orders that came after it
        self._index = 0  # of the next decision
        self.handovers: list[HandOver] = []  # of this process
        self.last: Attempt | None = None  # of this process
        self._open: Decision | None = None  # taken down, and its outcome is not
        self._acted = False  # on it
        self.pending: Request | None = None  # an approval that is waited for
        self._answer: Answer | None = None
        if restored is not None:
            self._book = OrderBook(restored.states, restored.ends)
            self._index, self._stamp = restored.next_index, restored.stamp
        else:
            self._book = OrderBook([OrderState(order, given=stamp) for order in orders])
            if ledger is not None:
                site = policy.options.site.name
                about = {"site": site, **(about or {})}
                ledger.begin_mission(self.id, orders, about, stamp)
        self._look_up(self._book.left)

    def add(self, orders: Sequence[Order], stamp: float) -> list[int]:
        """Take more orders, given at a stamp [s of ROS time]; their numbers.

        Raises ConfigError where one cannot be meant together with the others, LedgerError where it
        cannot be taken down; then none was taken.
        """
        states = self._book.states
        first = len(states)
        check_together([*(state.order for state in states), *orders])
        self.settle()
        if self._ledger is not None:
            self._ledger.add_orders(self.id, first, orders, stamp)
        states += [OrderState(order, given=stamp) for order in orders]
        self._stamp = max(self._stamp, stamp)
        added = [*range(first, len(states))]
        self._look_up(added)
        return added

    def _look_up(self, numbers: Sequence[int]) -> None:
        if self._errands is not None:
            for number in numbers:
                state = self._book.states[number]
                self._owe_errands(number, self._errands.look_up(self.id, number, state))

    @property
    def results(self) -> list[OrderEnd]:
        """How orders ended, in the order of the orders; all of them once it is finished."""
        return self._book.results

    @property
    def finished(self) -> bool:
        return not self._book.left

    @property
    def state(self) -> OrderState:
        """Of the order that is being worked on, or was until the next is chosen."""
        return self._book.state

    @property
    def next_index(self) -> int:
        """The number that the next decision gets."""
        return self._index

    @property
    def decisions(self) -> int:
        """How many were acted on."""
        return sum(state.decisions for state in self._book.states)

    def next_decision(
        self, scene: Scene, chances: Mapping[tuple[str, str], float] | None = None
    ) -> Decision | None:
        """The next decision to run, or None when the last order has ended.

        `chances`: of success by (skill, target), as the skills gave them for `scene`.
        """
        self._stamp = scene.stamp
        self._take_back(self._policy.delivered.faults(scene), scene)
        decision = self._next(scene, chances or {})
        self._settle_if_possible()
        return decision

    def _next(self, scene: Scene, chances: Mapping[tuple[str, str], float]) -> Decision | None:
        while not self.finished:
            self._turn(scene)
            self._begin_order(scene)
            decision, situation = self._decide(scene, chances)
            if decision.skill in (FINISH, HAND_OVER):
                self._take_down(decision, situation)
                code = Code.SUCCEEDED if decision.skill == FINISH else Code.HANDED_OVER
                if decision.skill == FINISH:
                    order, number = self.state.order, self._book.number
                    # What stands on a conveyor is carried away: nobody will see it there.
                    if not self._policy.options.site.station(order.to_station).belt:
                        self._policy.delivered.add(number, order.item, order.to_station, scene)
                self._end(code, decision.reason, scene)
                continue
            decision = self._take_down(decision, situation)
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
            self._act()
            return decision
        return None

    @property
    def guided(self) -> Guided | None:
        """The policy that its client guides; None: the mission has another one."""
        policy = self._policy.policy
        return policy if isinstance(policy, Guided) else None

    def choices(self, scene: Scene) -> Choices:
        """What a client may choose among now; nothing: the order ends without a choice."""
        if self.finished:
            return Choices()
        self._turn(scene)
        if self._needs_a_person(scene):
            return Choices()
        return self._policy.choices(self._observe(scene))

    def questions(self, scene: Scene) -> list[Decision]:
        """What the skills should be asked the chances of, for the next decision."""
        if self.finished:
            return []
        self._turn(scene)
        return self._policy.questions(self._observe(scene))

    def answer(self, answer: Answer, stamp: float) -> None:
        """Take down the answer to the pending request; `stamp`: s of ROS time.

        Raises LedgerFault where that is not possible now; then nothing was answered.
        """
        assert self.pending is not None and self._answer is None, "one answer to one request"
        self.settle()
        if self._ledger is not None:
            self._ledger.answer(self.pending.id, answer, counted=True, stamp=stamp)
        self._answer = answer

    def go_ahead(self, decision: Decision, scene: Scene) -> bool:
        """Whether a decision that waited, for approval or for the ledger, may run now.

        No answer means no. The world may have changed meanwhile: `scene` is checked anew.
        """
        self._stamp = scene.stamp
        check = self._approved()
        if check.ok:
            check = self._guardrails.before(decision, scene, self.state.order)
        if not check.ok:
            self._refuse(decision, check, scene)
        else:
            self._act()
        self._settle_if_possible()
        return check.ok

    def _approved(self) -> Check:
        """Whether the pending request was granted; it is pending no more."""
        request, answer = self.pending, self._answer
        self.pending = self._answer = None
        if request is None:
            return Check(True, "nothing was asked")
        answer = answer or nobody(request)
        return Check(
            answer.granted,
            f"approval of {request.what} {answer}",
            Reason.NONE if answer.granted else Reason.NOT_APPROVED,
        )

    def report(self, decision: Decision, outcome: Outcome, before: Scene, after: Scene) -> Check:
        """Check an outcome against the master's own sensors and remember the attempt."""
        assert self.pending is None, f"{decision.skill} waits for an approval"
        check = self._guardrails.after(decision, outcome, before, after, self.state.order)
        self._remember(Attempt(decision, outcome, check), after, ran=True)
        if decision.skill == "place":
            faults = self._policy.delivered.faults(after, decision.target)
            self._take_back(faults, after)
        self._settle_if_possible()
        return check

    @property
    def stamp(self) -> float:
        """ROS time [s] of the last scene that it has seen."""
        return self._stamp

    def give_up(self, reason: str) -> None:
        """Hand over all the orders that are left, at the next decision."""
        for number in self._book.left:
            state = self._book.states[number]
            state.doubt = state.doubt or reason

    def give_up_order(self, reason: str) -> None:
        """Hand over the present order, at the next decision."""
        self.state.doubt = self.state.doubt or reason

    def cancel(self, code: Code, detail: str) -> None:
        """End all the orders that are left."""
        self.end_as([(code, detail)] * len(self._book.states))

    def end_as(self, ends: Sequence[tuple[Code, str]]) -> None:
        """End each order that is left with its code and sentence; `ends`: of all orders."""
        code, detail = ends[min(self._book.number, len(ends) - 1)]
        request, stamp = self.pending, self._stamp
        if request is not None and self._answer is None:
            answer = Answer("withdrawn", "master", detail)
            self.owe(lambda to: to.answer(request.id, answer, counted=True, stamp=stamp))
        self.pending = self._answer = None
        if self._open is not None:
            outcome = Outcome(code, detail, Verdict(False, detail))
            cut_short = Attempt(self._open, outcome, Check(False, detail, Reason.CUT_SHORT))
            self._owe_outcome(cut_short, self._acted)
        for number in self._book.left:
            self._end(*ends[min(number, len(ends) - 1)], None, number)
        self._settle_if_possible()

    # The parts

    def _decide(
        self, scene: Scene, chances: Mapping[tuple[str, str], float]
    ) -> tuple[Decision, Situation | None]:
        """What the policy chooses, unless a guardrail wants a person."""
        if reason := self._needs_a_person(scene):
            return Decision(HAND_OVER, self.state.order.item, reason), None
        situation = replace(self._observe(scene), chances=dict(chances))
        if hopeless := self._policy.hopeless(situation):
            return Decision(HAND_OVER, self.state.order.item, hopeless.sentence), situation
        return self._policy.decide(situation), situation

    def _needs_a_person(self, scene: Scene) -> str:
        bins = len(self._policy.options.site.bins)
        return needs_a_person(self.state, scene, self._config, bins)

    def _turn(self, scene: Scene) -> None:
        """See that an order is worked on."""
        self._book.turn(lambda waiting: self._policy.next_order(waiting, scene))

    def _observe(self, scene: Scene) -> Situation:
        """The situation of the present order; the policy is told where a new one begins."""
        if self._begun is not self.state:
            self._begun = self.state
            self._policy.begin(self.state.order, self.state.attempts)
            self._policy.delivered.forget(self.state.order.item)
        stock = self._errands and self._errands.stock(self.id, self._book.number)
        return replace(self._policy.observe(scene), stock=stock)

    def _begin_order(self, scene: Scene) -> None:
        if self.state.began is None:
            self.state.began = scene.stamp
            number = self._book.number
            self.owe(lambda to: to.begin_order(self.id, number, scene.stamp))

    def _act(self) -> None:
        self.state.decisions += not self._acted
        self._acted = True

    def _take_down(self, decision: Decision, situation: Situation | None) -> Decision:
        """Give a decision its number and risk tier and write it to the ledger."""
        decision = replace(
            decision,
            index=self._index,
            tier=tier_of(self._config, decision.skill, decision.face or decision.target),
        )
        self._index += 1
        self.state.restarted = False
        taken, number, stamp = decision, self._book.number, self._stamp
        self.owe(lambda to: to.decide(self.id, number, taken, stamp))
        self._open = None if decision.skill in (FINISH, HAND_OVER) else decision
        self._acted = False
        if self._on_decision is not None:
            self._on_decision(self.id, decision, situation)
        return decision

    def _ask(self, decision: Decision) -> None:
        request = request_for(decision, self.id, self._stamp, self._config)
        self.owe(lambda to: to.request(request))
        self.pending = request

    def _refuse(self, decision: Decision, check: Check, scene: Scene) -> None:
        """A decision that must not run counts as a failed attempt, so retries stay bounded."""
        self.state.decisions -= self._acted
        self._remember(Attempt.refused(decision, check), scene, ran=False)

    def _remember(self, attempt: Attempt, after: Scene, ran: bool) -> None:
        self._stamp = after.stamp
        self._owe_outcome(attempt, ran)
        if self._begun is self.state:
            self._policy.record(attempt, after)
        self.state.attempts.append(attempt)
        self.last = attempt

    def _owe_outcome(self, attempt: Attempt, ran: bool) -> None:
        index, stamp = attempt.decision.index, self._stamp
        self.owe(lambda to: to.outcome(self.id, index, attempt, stamp, ran))
        self._open = None

    def _take_back(self, faults: Mapping[int, str], scene: Scene) -> None:
        """Hand over orders that ended as delivered and whose items do not stand there any more."""
        for number, why in faults.items():
            end = self._book.ends[number]
            self._book.ends[number] = end._replace(code=Code.HANDED_OVER, detail=why)
            state = self._book.states[number]
            package = make_package(self.id, number, state, why, scene.stamp, scene)
            self.handovers.append(package)
            self.owe(lambda to, why=why: to.event(self.id, "error", why))
            self.owe(lambda to, k=number, why=why: to.reopen(self.id, k, "master", why))
            self._owe_errands(number, self._errands.ticket(package) if self._errands else [])

    def _owe_errands(self, number: int, taken: Sequence[TakenErrand]) -> None:
        stamp = self._stamp
        for each in taken:
            self.owe(lambda to, each=each: to.take_errand(each, self.id, number, stamp))

    def _end(self, code: Code, detail: str, scene: Scene | None, number: int | None = None) -> None:
        """Close an order, None: the present one, with a package if it is handed over."""
        number = self._book.number if number is None else number
        state = self._book.states[number]
        duration = 0.0 if state.began is None else max(0.0, self._stamp - state.began)
        package = None
        if code is Code.HANDED_OVER:
            package = make_package(self.id, number, state, detail, self._stamp, scene)
            self.handovers.append(package)
        end = OrderEnd(
            state.order, code, detail, duration, state.decisions, state.given, self._stamp
        )
        self._book.ends[number] = end
        written, stamp = None if package is None else package.as_dict(), self._stamp
        errands = self._errands
        taken = errands.at_end(self.id, number, state, code, package) if errands else []
        shown = self._policy.shown() if self._begun is state else None
        self.owe(
            lambda to: to.end_order(
                self.id, number, int(code), detail, stamp, end.decisions, written, taken, shown
            )
        )
        if self._config.book_together and self.finished:
            missing = any(end.code is not Code.SUCCEEDED for end in self.results)
            for k in range(len(self.results) if missing else 0):
                self.owe(lambda to, k=k: to.take_back(self.id, k))
