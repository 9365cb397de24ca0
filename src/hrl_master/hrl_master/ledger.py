"""The ledger: every mission, decision, outcome and approval in one SQLite file.

A decision is committed before it is acted on, its outcome before the next decision. So a master
that is killed at any point leaves at most one decision without an outcome: the one that may have
been acted on. The tables are explained in docs/ledger.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from hrl_core.config import ConfigError
from hrl_master.approvals import Answer, Request
from hrl_master.ledger_chain import Write
from hrl_master.ledger_errands import TakenErrand
from hrl_master.ledger_file import LedgerError, text_of
from hrl_master.ledger_site import SiteLedger
from hrl_master.memory.shown import Shown
from hrl_master.orders import Attempt, Decision, Order
from hrl_master.processes import is_alive, process_name

Deed = Literal["order", "cancel", "stop", "release"]


class Ledger(SiteLedger):
    """One connection to a ledger; several processes may write to one file at a time.

    Every method that writes raises LedgerFault where it cannot. Times named *_at are s since 1970
    by the computer's clock, the others s of ROS time.
    """

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # Missions and orders

    def begin_mission(
        self,
        mission: str,
        orders: Sequence[Order],
        about: Mapping[str, object],
        stamp: float | None = None,
    ) -> None:
        """Take down a mission before anything is done for it; raises LedgerError if it is known.

        `stamp`: s of ROS time when its orders are given; None: not known.
        """
        with self._writing() as write:
            if self.knows(mission):
                raise LedgerError(f"mission {mission!r} is in the ledger already: {self.path}")
            write.insert(
                "missions",
                id=mission,
                about=text_of(about),
                began_at=time.time(),
                process=process_name(),
            )
            _orders(write, mission, 0, orders, stamp)

    def add_orders(self, mission: str, first: int, orders: Sequence[Order], stamp: float) -> None:
        """Take down orders that come while a mission runs, from the number `first` on."""
        with self._writing() as write:
            _orders(write, mission, first, orders, stamp)
            write.update("missions", {"ended_at": None}, "id = ? AND ended_at NOT NULL", mission)

    def begin_order(self, mission: str, order: int, stamp: float) -> None:
        with self._writing() as write:
            which = "mission = ? AND number = ? AND began IS NULL"
            write.update("orders", {"began": stamp}, which, mission, order)

    def end_order(
        self, mission: str, order: int, code: int, detail: str, stamp: float, decisions: int,
        package: Mapping[str, object] | None = None,
        errands: Sequence[TakenErrand] = (), shown: tuple[str, Shown] | None = None,
    ) -> None:  # fmt: skip
        """Close an order, with the package of its hand-over if it has one, what systems are to do
        then, and what it has shown of its site; the mission, too, if it was the last."""
        now = time.time()
        end = {"code": code, "detail": detail, "ended": stamp, "ended_at": now}
        with self._writing() as write:
            which = "mission = ? AND number = ? AND code IS NULL"
            values = {**end, "decisions": decisions}
            if write.update("orders", values, which, mission, order) != 1:
                raise LedgerError(f"order {order} of mission {mission!r} has ended already")
            if package is not None:
                write.insert(
                    "handovers",
                    mission=mission,
                    order_number=order,
                    at=now,
                    package=text_of(package),
                )
            for taken in errands:
                self._take_errand(write, taken, mission, order, stamp)
            if shown is not None:
                self._take_shown(write, *shown, mission, order, stamp)
            last = "id = ? AND NOT EXISTS (SELECT 1 FROM orders WHERE mission = ? AND code IS NULL)"
            write.update("missions", {"ended_at": now}, last, mission, mission)

    def knows(self, mission: str) -> bool:
        return bool(self.rows("SELECT 1 FROM missions WHERE id = ?", mission))

    def summary(self, mission: str) -> str:
        """How a mission that is known stands, in a sentence."""
        ends = self.rows("SELECT code, detail FROM orders WHERE mission = ? ORDER BY number",
                         mission)  # fmt: skip
        if any(row["code"] is None for row in ends):
            return "it has not ended"
        return "it ended: " + "; ".join(row["detail"] for row in ends)

    # Decisions

    def decide(self, mission: str, order: int, decision: Decision, stamp: float) -> None:
        """Take down a decision; only then may it be acted on."""
        d = decision
        with self._writing() as write:
            write.insert(
                "decisions",
                mission=mission,
                order_number=order,
                number=d.index,
                made=stamp,
                made_at=time.time(),
                skill=d.skill,
                target=d.target,
                face=d.face,
                purpose=d.purpose,
                reason=d.reason,
                tier=d.tier,
                chance=d.chance,
                pose=_numbers(d.pose),
                item_in_hand=_numbers(d.item_in_hand),
                parameters=text_of(dict(d.parameters)),
                candidates=text_of(list(d.candidates)),
                probabilities=text_of([round(float(p), 6) for p in d.probabilities]),
                allowed=text_of([bool(a) for a in d.allowed]),
                why_not=text_of(list(d.why_not)),
                chosen_by=d.chosen_by or None,
            )

    def outcome(
        self, mission: str, index: int, attempt: Attempt, stamp: float, ran: bool = True
    ) -> None:
        """Take down how a decision ended; `ran`: False where it was stopped before it began."""
        outcome, check = attempt.outcome, attempt.check
        with self._writing() as write:
            write.insert(
                "outcomes",
                mission=mission,
                decision=index,
                ended=stamp,
                ended_at=time.time(),
                ran=ran,
                code=int(outcome.code),
                detail=outcome.detail,
                confirmed=outcome.verdict.confirmed,
                verdict=outcome.verdict.sentence,
                evidence=text_of(outcome.verdict.evidence),
                check_ok=check.ok,
                check_sentence=check.sentence,
                check_reason=check.reason.value,
                pose=_numbers(outcome.pose),
            )

    # Approvals

    def request(self, request: Request) -> None:
        """Take down an approval that is asked for."""
        with self._writing() as write:
            write.insert("approvals", **vars(request), asked_at=time.time())

    def answer(
        self, approval: str, answer: Answer, counted: bool, stamp: float | None = None
    ) -> None:
        """Take down an answer; `counted`: False for one that came too late or twice."""
        with self._writing() as write:
            write.insert(
                "answers",
                approval=approval,
                **vars(answer),
                counted=counted,
                stamp=stamp,
                at=time.time(),
            )

    def answers(self, approval: str) -> str | None:
        """The answer that counted; empty: none has; None: the approval is unknown."""
        if not self.rows("SELECT 1 FROM approvals WHERE id = ?", approval):
            return None
        rows = self.rows("SELECT verdict, by FROM answers WHERE approval = ? AND counted", approval)
        return f"{rows[0]['verdict']} by {rows[0]['by']}" if rows else ""

    # People, and the missions that they give

    def person_did(self, by: str, did: Deed, mission: str | None = None, detail: str = "") -> None:
        """Take down what a person does, beside answers to approvals."""
        with self._writing() as write:
            _person(write, by, did, mission, detail)

    def queue_mission(self, mission: str, orders: Sequence[Order], by: str) -> None:
        """Keep a mission that waits for its turn; raises LedgerError if it is known."""
        with self._writing() as write:
            queued = self.rows("SELECT 1 FROM queue WHERE mission = ?", mission)
            if queued or self.knows(mission):
                raise LedgerError(
                    f"mission {mission!r} was given before; a new one needs a new mission_id"
                )
            values = [vars(order) for order in orders]
            write.insert("queue", mission=mission, orders=text_of(values), by=by, at=time.time())
            _person(write, by, "order", mission, "; ".join(str(order) for order in orders))

    def waiting(self) -> list[tuple[str, list[Order]]]:
        """Missions that wait for their turn, the oldest first."""
        rows = self.rows(
            "SELECT mission, orders FROM queue WHERE cancelled_at IS NULL "
            "AND mission NOT IN (SELECT id FROM missions) ORDER BY at, rowid"
        )
        return [(row["mission"], [Order(**o) for o in json.loads(row["orders"])]) for row in rows]

    def stopped(self) -> bool:
        """Whether a person has pressed the stop, by what is taken down, and none released it."""
        rows = self.rows(
            "SELECT did FROM people WHERE did IN ('stop', 'release') ORDER BY rowid DESC LIMIT 1"
        )
        return bool(rows) and rows[0]["did"] == "stop"

    def cancel_queued(self, mission: str, by: str, why: str) -> None:
        """Take a mission that waits out of the queue."""
        with self._writing() as write:
            values = {"cancelled_at": time.time(), "why": why}
            write.update("queue", values, "mission = ? AND cancelled_at IS NULL", mission)
            _person(write, by, "cancel", mission, why)

    # What else is told

    def picture(
        self, mission: str, camera: str, stamp: float, jpeg: bytes,
        approval: str | None = None, order: int | None = None,
    ) -> None:  # fmt: skip
        """Keep a picture as evidence of an approval or of an order's hand-over."""
        with self._writing() as write:
            write.insert(
                "pictures",
                mission=mission,
                approval=approval,
                order_number=order,
                camera=camera,
                stamp=stamp,
                jpeg=jpeg,
            )

    def event(self, mission: str | None, kind: str, detail: str) -> None:
        """Take down an event: "error", "violation", "restart" or "note"."""
        with self._writing() as write:
            write.insert("events", mission=mission, kind=kind, detail=detail, at=time.time())

    def judge(
        self, mission: str, order: int, *, delivered: bool, solvable: bool | None = None,
        wrong_item: bool = False, contacts_with_people: int = 0, cause: str = "",
    ) -> None:  # fmt: skip
        """What a simulated plant's truth says of an order that has ended. The master never reads
        it."""
        with self._writing() as write:
            write.insert(
                "judgements",
                mission=mission,
                order_number=order,
                delivered=delivered,
                solvable=solvable,
                wrong_item=wrong_item,
                contacts_with_people=contacts_with_people,
                cause=cause,
            )

    def reopen(self, mission: str, order: int, by: str, why: str) -> None:
        """An order which counted as delivered was not done: so a person or the master found."""
        known = self.rows("SELECT code, detail FROM orders WHERE mission = ? AND number = ?",
                          mission, order)  # fmt: skip
        if not known:
            raise ConfigError(f"ledger {self.path} has no order {order} of mission {mission!r}")
        if known[0]["code"] != DELIVERED:
            raise ConfigError(
                f"order {order} of mission {mission!r} did not end as delivered: "
                f"{known[0]['detail'] or 'it has not ended'}"
            )
        with self._writing() as write:
            write.insert(
                "reopened", mission=mission, order_number=order, by=by, why=why, at=time.time()
            )
            self._take_back(write, mission, order)

    def pictures(self, mission: str, order: int) -> dict[str, bytes]:
        """The JPEG of each camera that was kept of an order's hand-over."""
        rows = self.rows(
            "SELECT camera, jpeg FROM pictures WHERE mission = ? AND order_number = ?",
            mission,
            order,
        )
        return {row["camera"]: row["jpeg"] for row in rows}

    # After a restart

    def unfinished(self) -> list[str]:
        """Missions that have not ended and whose process lives no more, the oldest first."""
        rows = self.rows(
            "SELECT id, process FROM missions WHERE ended_at IS NULL ORDER BY began_at"
        )
        return [row["id"] for row in rows if not is_alive(row["process"])]

    def claim(self, mission: str) -> bool:
        """Make a mission this process's own; False where another process was faster."""
        row = self.rows("SELECT * FROM missions WHERE id = ?", mission)[0]
        if row["ended_at"] is not None or is_alive(row["process"]):
            return False
        with self._writing() as write:
            values = {"process": process_name(), "restarts": row["restarts"] + 1}
            which = "id = ? AND process = ?"
            return write.update("missions", values, which, mission, row["process"]) == 1


def _orders(
    write: Write, mission: str, first: int, orders: Sequence[Order], stamp: float | None
) -> None:
    for number, order in enumerate(orders, first):
        write.insert(
            "orders",
            mission=mission,
            number=number,
            id=order.id,
            item=order.item,
            from_bin=order.from_bin,
            to_station=order.to_station,
            priority=order.priority or None,
            due=order.due or None,
            given=stamp,
        )


def _person(write: Write, by: str, did: Deed, mission: str | None, detail: str) -> None:
    write.insert("people", by=by, did=did, mission=mission, detail=detail, at=time.time())


DELIVERED = 1  # hrl_core.outcomes.Code.SUCCEEDED, as a number in the file


def _numbers(array: np.ndarray | None) -> str | None:
    return None if array is None else text_of(np.asarray(array, float).tolist())
