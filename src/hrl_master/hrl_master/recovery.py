"""Missions of the ledger whose master was killed: brought back, to go on with or to close."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_master.approvals import Answer
from hrl_master.ledger import Ledger
from hrl_master.orders import FINISH, HAND_OVER, Attempt, Decision, Order, OrderEnd, OrderState
from hrl_master.reasons import Check, Reason

# What can be done again after it was cut short: the scene shows how far it came.
REPEATABLE = ("walk", "approach", "grasp", "wait", "look_around")


@dataclass(frozen=True)
class Restored:
    """Where a mission stood when its master was killed."""

    id: str
    states: list[OrderState]
    ends: dict[int, OrderEnd]  # by the numbers of those that have ended
    next_index: int
    stamp: float  # s of ROS time, the last that the ledger knows
    orders: list[Order]
    about: Mapping[str, object]  # as the mission began


def restore(ledger: Ledger, mission: str) -> Restored:
    """Read a mission that this process has claimed, and close the decision that was cut short.

    Whether that one was acted on is not known. What cannot be repeated without harm is left in
    doubt, so that a person looks: nothing is delivered twice.
    """
    states: list[OrderState] = []
    ends: dict[int, OrderEnd] = {}
    stamp = 0.0
    rows = ledger.rows(
        "SELECT o.*, (SELECT why FROM reopened r WHERE r.mission = o.mission "
        "AND r.order_number = o.number AND r.by = 'master') AS fallen "
        "FROM orders o WHERE o.mission = ? ORDER BY number",
        mission,
    )
    for row in rows:
        state = OrderState(_order(row), began=row["began"], given=row["given"] or 0.0)
        if row["code"] is not None:
            duration = row["ended"] - (row["ended"] if state.began is None else state.began)
            code, detail = Code(row["code"]), row["detail"]
            if row["fallen"] is not None:
                code, detail = Code.HANDED_OVER, row["fallen"]
            ends[len(states)] = OrderEnd(
                state.order, code, detail, duration, row["decisions"], state.given, row["ended"]
            )
        states.append(state)
        stamp = max(stamp, state.given, row["began"] or 0.0, row["ended"] or 0.0)
    next_index = 0
    rows = ledger.rows(
        "SELECT d.*, o.ran, o.code, o.detail, o.confirmed, o.verdict, o.evidence, o.check_ok, "
        "o.check_sentence, o.check_reason, o.pose AS reached, o.ended "
        "FROM decisions d LEFT JOIN outcomes o "
        "ON o.mission = d.mission AND o.decision = d.number WHERE d.mission = ? ORDER BY d.number",
        mission,
    )
    for row in rows:
        next_index = row["number"] + 1
        stamp = max(stamp, row["made"], row["ended"] or 0.0)
        if row["skill"] in (FINISH, HAND_OVER):
            continue  # it is decided again where the order has not ended
        state, decision = states[row["order_number"]], _decision(row)
        if row["code"] is None:
            attempt, ran = _cut_short(ledger, mission, decision, stamp), True
            ran = attempt.outcome.code is not Code.NOT_READY
            if ran and not (decision.purpose or decision.skill in REPEATABLE):
                state.doubt = (
                    f"the master was killed while {decision.skill} {decision.target} ran: whether "
                    f"{state.order.item} was delivered is not known"
                )
        else:
            attempt, ran = Attempt(decision, _outcome(row), _check(row)), bool(row["ran"])
        state.attempts.append(attempt)
        state.decisions += ran
    for number, state in enumerate(states):
        state.restarted = number not in ends
    row = ledger.rows("SELECT about FROM missions WHERE id = ?", mission)[0]
    orders, about = [state.order for state in states], json.loads(row["about"])
    return Restored(mission, states, ends, next_index, stamp, orders, about)


def _cut_short(ledger: Ledger, mission: str, decision: Decision, stamp: float) -> Attempt:
    """Close a decision without an outcome."""
    asked = ledger.rows(
        "SELECT p.id, a.verdict FROM approvals p LEFT JOIN answers a ON a.approval = p.id "
        "AND a.counted WHERE p.mission = ? AND p.decision = ?",
        mission,
        decision.index,
    )
    code, sentence = Code.SHUTDOWN, "the master was killed while it ran: its outcome is not known"
    if asked and asked[0]["verdict"] is None:
        answer = Answer("withdrawn", "master", "the master was killed while it waited")
        ledger.answer(asked[0]["id"], answer, counted=True, stamp=stamp)
    if asked and asked[0]["verdict"] != "approved":
        code, sentence = Code.NOT_READY, "not approved before the master was killed"
    verdict, check = Verdict(False, sentence), Check(False, sentence, Reason.CUT_SHORT)
    attempt = Attempt(decision, Outcome(code, sentence, verdict), check)
    ledger.outcome(mission, decision.index, attempt, stamp, ran=code is Code.SHUTDOWN)
    return attempt


def _order(row) -> Order:
    return Order(
        row["item"],
        row["from_bin"],
        row["to_station"],
        row["id"],
        priority=row["priority"] or 0,
        due=row["due"] or 0.0,
    )


def _decision(row) -> Decision:
    return Decision(
        row["skill"],
        row["target"],
        row["reason"],
        face=row["face"],
        pose=_array(row["pose"]),
        item_in_hand=_array(row["item_in_hand"]),
        purpose=row["purpose"],
        parameters=json.loads(row["parameters"]),
        chance=row["chance"],
        candidates=tuple(json.loads(row["candidates"])),
        probabilities=tuple(json.loads(row["probabilities"])),
        allowed=tuple(json.loads(row["allowed"])),
        why_not=tuple(json.loads(row["why_not"])),
        tier=row["tier"],
        chosen_by=row["chosen_by"] or "",
        index=row["number"],
    )


def _outcome(row) -> Outcome:
    verdict = Verdict(bool(row["confirmed"]), row["verdict"], json.loads(row["evidence"]))
    return Outcome(Code(row["code"]), row["detail"], verdict, _array(row["reached"]))


def _check(row) -> Check:
    return Check(bool(row["check_ok"]), row["check_sentence"], Reason(row["check_reason"]))


def _array(text: str | None) -> np.ndarray | None:
    return None if text is None else np.array(json.loads(text), float)
