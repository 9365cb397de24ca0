"""What is kept of one mission, whether it ran in process, over ROS or in the fast world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code
from hrl_master.mission import OrderEnd
from hrl_master.mission_loop import Execution
from hrl_sim_bridge.judging.judge import Judgement
from hrl_sim_bridge.judging.solvable import Solvability
from hrl_sim_bridge.trials.trial import Order, Trial
from hrl_sim_bridge.worlds.habits import SERIES
from hrl_training.trials.rows_file import checked

MISSION_LIMIT = 900.0  # s of plant time for each order; most missions take less than a minute


def mission_seed(seed: int, index: int) -> int:
    """Seed of the trial of a mission."""
    return SERIES * seed + index


@dataclass(frozen=True)
class DecisionRow:
    """A decision that was acted on. Times in s since the order."""

    skill: str
    target: str
    outcome: str | None
    detail: str
    steps: int | None
    confirmed: bool
    began_s: float
    ended_s: float | None
    chance: float | None


@dataclass(frozen=True)
class MissionRow:
    """What is kept of one mission. Times in s of plant time since the order, except wall time."""

    seed: int
    world: str
    policy: str
    order: dict[str, str]  # the first: item, from_bin, to_station
    orders: tuple[dict[str, Any], ...]  # all, each with its end as OrderRow has it
    disturbances: tuple[str, ...]  # kinds
    # By the plant's truth, see hrl_sim_bridge.judging.solvable; of several orders: whether any of
    # those that were not delivered could have been.
    solvable: bool
    why: str  # it is or is not
    delivered: bool  # every order
    handed_over: bool  # every order that was not delivered, of one at least
    wrong_item_delivered: bool
    contacts: tuple[str, ...]
    contacts_with_people: int
    placement_error_m: float | None
    cause: str  # of a failure, in few words, for counting
    sentence: str  # of the judge, on an order that was not delivered, if there is one
    mission_outcome: str  # as the master says
    mission_detail: str
    resolved_after_s: float  # until the last skill had ended
    simulated_duration_s: float  # until it was judged
    wall_duration_s: float
    lockstep_misses: int
    decisions: tuple[dict[str, Any], ...]  # each as DecisionRow has it

    @property
    def success(self) -> bool:
        return is_success(self.delivered, self.handed_over, self.solvable)

    @property
    def false_delivered(self) -> int:
        """Orders that the master calls delivered and the plant's truth does not."""
        return sum(o["outcome"] == SUCCEEDED and not o["delivered"] for o in self.orders)

    @property
    def end(self) -> str:
        """How it ended, for counting: one of ENDS."""
        if self.delivered:
            return "delivered"
        if self.handed_over:
            return "handed over needlessly" if self.solvable else "handed over rightly"
        return "failed"

    def as_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {**asdict(self), "success": self.success}


@dataclass(frozen=True)
class OrderRow:
    """How one order of a mission ended."""

    item: str
    from_bin: str
    to_station: str
    outcome: str  # name of its code, as the master says; empty: it did not come to say it
    delivered: bool  # by the plant's truth
    solvable: bool  # likewise
    sentence: str  # of the judge


SUCCEEDED, HANDED_OVER = Code.SUCCEEDED.name, Code.HANDED_OVER.name
ENDS = ("delivered", "handed over rightly", "handed over needlessly", "failed")


@dataclass(frozen=True)
class RowDecision:
    """A decision that was acted on. Times in s of the place where the mission ran."""

    skill: str
    target: str
    outcome: str | None  # name of the code; None: its skill has not ended
    detail: str
    steps: int | None  # None: nobody counted
    confirmed: bool  # by the skill's and by the master's own check
    began: float
    ended: float | None
    chance: float | None  # of success, as the skill gave it before


_ROW = TypeAdapter(MissionRow)
_ORDERS = TypeAdapter(tuple[OrderRow, ...])
_DECISIONS = TypeAdapter(tuple[DecisionRow, ...])


@dataclass(frozen=True, kw_only=True)
class FinishedMission:
    """How a mission went, as the master says. Times in s of the place where it ran."""

    outcome: str  # name of the mission's code; empty: the master did not come to say it
    detail: str
    order_outcomes: Sequence[str]  # names of the orders' codes, as far as the master said them
    decisions: Sequence[RowDecision]
    began: float  # when the order was given
    resolved: float  # when the last skill had ended
    ended: float  # when it was judged
    lockstep_misses: int = 0
    broken: str = ""  # what ended it from outside, in few words; empty: nothing


def finished_mission(
    ends: Sequence[OrderEnd],
    decisions: Sequence[RowDecision],
    began: float,
    resolved: float,
    ended: float,
) -> FinishedMission:
    """Of a mission that ran in this process."""
    done = all(end.code is Code.SUCCEEDED for end in ends)
    return FinishedMission(
        outcome=(Code.SUCCEEDED if done else Code.MISSION_FAILED).name,
        detail="; ".join(end.detail for end in ends),
        order_outcomes=[end.code.name for end in ends],
        decisions=decisions,
        began=began,
        resolved=resolved,
        ended=ended,
    )


def row_decision(execution: Execution, steps: int | None = None) -> RowDecision:
    """Of a decision that was carried out in this process."""
    decision, outcome = execution.decision, execution.outcome
    return RowDecision(
        skill=decision.skill,
        target=decision.target,
        outcome=Code(outcome.code).name,
        detail=outcome.detail,
        steps=steps,
        confirmed=execution.confirmed,
        began=execution.began,
        ended=execution.ended,
        chance=decision.chance,
    )


def make_row(
    finished: FinishedMission,
    judgements: Sequence[Judgement],
    can_be: Sequence[Solvability],
    trial: Trial,
    *,
    world: str,
    policy: str,
    wall_duration: float,
) -> MissionRow:
    """The row of a mission that has ended, wherever it ran. `policy`: as it is called in rows.

    judgements, can_be: of its orders.
    """
    decisions = tuple(_decision(decision, finished.began) for decision in finished.decisions)
    outcomes = [*finished.order_outcomes, *[""] * len(judgements)]
    orders = tuple(
        OrderRow(
            **order_of(order),
            outcome=outcome,
            delivered=judged.delivered,
            solvable=can.ok,
            sentence=judged.sentence,
        )
        for order, outcome, judged, can in zip(
            trial.orders, outcomes, judgements, can_be, strict=False
        )
    )
    failed = [k for k, order in enumerate(orders) if not order.delivered]
    first = min(failed or range(len(orders)), key=lambda k: not can_be[k].ok)
    told, handed_over = judgements[first], [orders[k].outcome == HANDED_OVER for k in failed]
    row = MissionRow(
        seed=trial.seed,
        world=world,
        policy=policy,
        order=order_of(trial.order),
        orders=tuple(asdict(order) for order in orders),
        disturbances=trial.disturbances,
        solvable=can_be[first].ok,
        why=can_be[first].why,
        delivered=not failed,
        handed_over=bool(failed) and all(handed_over),
        wrong_item_delivered=told.wrong_item_delivered,
        contacts=tuple(sorted(told.contacts)),
        contacts_with_people=told.contacts_with_people,
        placement_error_m=told.placement_error,
        cause="",
        sentence=told.sentence,
        mission_outcome=finished.outcome,
        mission_detail=finished.detail,
        resolved_after_s=round(finished.resolved - finished.began, 3),
        simulated_duration_s=round(finished.ended - finished.began, 3),
        wall_duration_s=round(wall_duration, 4),
        lockstep_misses=finished.lockstep_misses,
        decisions=decisions,
    )
    if row.success:
        return row
    found = "fell" if told.fell else failure_cause(decisions, finished.outcome)
    return replace(row, cause=finished.broken or found)


def _decision(decision: RowDecision, began: float) -> dict[str, Any]:
    """Times since the order."""
    row = DecisionRow(
        skill=decision.skill,
        target=decision.target,
        outcome=decision.outcome,
        detail=decision.detail,
        steps=decision.steps,
        confirmed=decision.confirmed,
        began_s=round(decision.began - began, 3),
        ended_s=None if decision.ended is None else round(decision.ended - began, 3),
        chance=decision.chance,
    )
    return asdict(row)


def is_success(delivered: bool, handed_over: bool, solvable: bool) -> bool:
    """Delivered, or handed over where nothing else could be done."""
    return delivered or (handed_over and not solvable)


def order_of(order: Order) -> dict[str, str]:
    """As rows and logs keep it."""
    return {"item": order.item, "from_bin": order.from_bin, "to_station": order.to_station}


def row_from_dict(content: dict[str, Any], place: str = "row") -> MissionRow:
    """The inverse of MissionRow.as_dict through JSON; raises ConfigError with `place`."""
    content = {name: value for name, value in content.items() if name != "success"}
    checked(_ORDERS, content.get("orders"), f"{place}: orders")
    checked(_DECISIONS, content.get("decisions"), f"{place}: decisions")
    return checked(_ROW, content, place)


def mission_rows(content: Mapping[str, Any], place: str) -> list[MissionRow]:
    """The missions in a file of `./hrl trials --json`; raises ConfigError with its place."""
    rows = content.get("missions")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{place}: no list `missions`; give a file of ./hrl trials --json")
    return [row_from_dict(row, f"{place}: missions.{k}") for k, row in enumerate(rows)]


def failure_cause(decisions: Sequence[Mapping[str, Any]], outcome: str) -> str:
    """The last decision that failed and its code; or that nobody noticed the failure.

    decisions: with `skill`, `outcome` (a code's name, or None: it has not ended), `confirmed`.
    """
    for decided in reversed(decisions):
        skill = decided["skill"]
        if decided["outcome"] is None:
            return f"{skill} did not end"
        if decided["outcome"] != "SUCCEEDED":
            return f"{skill} {decided['outcome']}"
        if not decided["confirmed"]:
            return f"{skill} not confirmed"
    return "unnoticed" if outcome == "SUCCEEDED" else (outcome or "no decision")
