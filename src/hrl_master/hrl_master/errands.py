"""What a master has systems do: stock looked up, bookings, tickets. Owed until it is done.

The ledger is the queue: what is to be done is taken down with what it follows from, and is sent
from there, one after the other, until its end is taken down as well. So a master that was killed,
or a system that was down, changes only when it is done; the key of each makes sure that it is done
once.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from hrl_core.config import Config, shorten, shown
from hrl_core.errands import (
    BOOK_OUT,
    GOALS,
    LONGEST_TEXT,
    LOOK_UP_STOCK,
    NOTIFY,
    OPEN_TICKET,
    REFUSED,
    UNREACHABLE,
    Errand,
    ErrandEnd,
    Stock,
    Systems,
    key_of,
)
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.site import Site
from hrl_master.handover import HandOver
from hrl_master.ledger import Ledger
from hrl_master.ledger_errands import TakenErrand
from hrl_master.ledger_file import LedgerError
from hrl_master.orders import OrderState
from hrl_master.risk import RiskConfig, tier_of

RETRY = 30.0  # s of wall time until what a system could not do is tried again
REMEMBERED = 100  # look-ups; a mission has nine at most
LOOK = 1.0  # s of wall time between looks into the ledger while nothing is owed


class Errands:
    """`fault`: why the system cannot be used now; empty: it can. `owed`: how many are not done."""

    def __init__(
        self,
        systems: Systems,
        ledger: Ledger,
        site: Site,
        config: RiskConfig,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._systems, self._ledger, self._site, self._config = systems, ledger, site, config
        self._clock = clock
        self.fault, self.owed = "", 0
        self._next = -float("inf")  # when the ledger is looked at again, or the system tried
        self._later: dict[str, float] = {}  # when one is tried again that failed by itself, by key
        self._flying = ""  # key of the one that was sent
        self._awaited: set[str] = set()  # look-ups that a decision may wait for
        self._stock: dict[str, tuple[str, ...]] = {}  # bins, by the key of the look-up
        self._missions: dict[str, str] = {}  # by the key of what was begun
        self._ends: list[ErrandEnd] = []  # not taken down yet
        self._events: list[tuple[str, str, str]] = []  # likewise

    def close(self) -> None:
        self._systems.close()

    # What follows from orders

    def look_up(self, mission: str, number: int, state: OrderState) -> list[TakenErrand]:
        """Begin to ask where an order's item is."""
        taken = self._made(mission, number, LOOK_UP_STOCK, state.order.item, item=state.order.item)
        for errand, tier, _ in taken:
            if tier < self._config.approval_from:
                self._begin(errand, mission)
                self._awaited.add(errand.key)
        return taken

    def at_end(
        self, mission: str, number: int, state: OrderState, code: Code, package: HandOver | None
    ) -> list[TakenErrand]:
        """What is to be done when an order ends: its item has left the bin, or `package`."""
        order, from_bin = state.order, state.order.from_bin
        if package is not None:
            return self.ticket(package)
        if code is not Code.SUCCEEDED:
            return []
        for attempt in state.attempts:
            if attempt.decision.skill == "grasp" and attempt.worked:
                from_bin = attempt.decision.face or from_bin
        station, item = order.to_station, order.item
        return [
            *self._made(
                mission, number, BOOK_OUT, item,
                item=item, from_bin=from_bin, to_station=station,
            ),
            *self._made(
                mission, number, NOTIFY, station,
                to=station, subject=f"{item} delivered",
                text=f"{item} from {from_bin} stands at {station}, as the robot has seen.",
            ),
        ]  # fmt: skip

    def ticket(self, package: HandOver) -> list[TakenErrand]:
        """What is to be done when an order is handed over; its pictures come when it is sent."""
        item = package.order["item"]
        return self._made(
            package.mission, package.order_number, OPEN_TICKET, item,
            title=f"Handed over: {item} for {package.order['to_station']}",
            summary=package.summary[:LONGEST_TEXT],
            recommendation=package.recommendation[:LONGEST_TEXT],
            evidence=_as_json(package.as_dict()),
        )  # fmt: skip

    def stock(self, mission: str, number: int) -> tuple[str, ...] | None:
        """Bins where an order's item is in stock; None: not known."""
        self._collect()
        return self._stock.get(key_of(mission, number, LOOK_UP_STOCK))

    # Their work

    @property
    def awaits(self) -> bool:
        """Whether an answer is under way that a decision should wait for.

        A system with a fault is waited for no more until it has answered again.
        """
        self._collect()
        return bool(self._awaited) and not self.fault

    def wait_no_more(self) -> None:
        """The answers have taken too long; those that come later are used all the same."""
        self._awaited.clear()

    def look(self, held: bool = False) -> bool:
        """Take down what has ended and send what is owed; whether something was sent.

        Call it often; it never waits for a system. `held`: nothing may be sent now.
        """
        self._collect()
        with contextlib.suppress(LedgerError):  # then at the next look
            self._settle()
            if not (held or self._flying or self._clock() < self._next):
                return self._send()
        return False

    def finish(self) -> None:
        """Do all that is owed, with systems that are done when they have begun."""
        self._next = -float("inf")
        while self.look():
            pass

    # The parts

    def _made(
        self, mission: str, number: int, skill: str, target: str, **goal: Any
    ) -> list[TakenErrand]:
        """The errand, if its goal can be told to a system."""
        try:
            made = Errand(key_of(mission, number, skill), skill, GOALS[skill](**goal))
        except ValidationError as error:
            why = f"{skill} {shown(target)} is left to a person: {_first(error)}"
            self._events.append((mission, "error", why))
            return []
        tier = tier_of(self._config, skill, target)
        return [TakenErrand(made, tier, self._systems.chance(skill))]

    def _begin(self, errand: Errand, mission: str) -> None:
        self._missions[errand.key] = mission
        self._systems.begin(errand)

    def _collect(self) -> None:
        for end in self._systems.ended():
            code, skill = end.outcome.code, end.errand.skill
            mission = self._missions.pop(end.errand.key, "")
            if code in (Code.SUCCEEDED, REFUSED):
                self.fault = ""
            elif not self.fault:
                self.fault = end.outcome.detail
                self._events.append((mission, "error", f"system: {end.outcome.detail}"))
            if skill == LOOK_UP_STOCK:
                self._awaited.discard(end.errand.key)
                self._take_stock(end, mission)
                self._ends.append(end)
                continue
            self._flying = ""
            self._next = -float("inf")
            if end.final:
                self._end(end, mission)
            elif code is UNREACHABLE:
                self._next = self._clock() + RETRY
            else:
                self._later[end.errand.key] = self._clock() + RETRY

    def _end(self, end: ErrandEnd, mission: str) -> None:
        """It is owed no more; where it was not done, a person has to know."""
        if not end.outcome.succeeded:
            self._events.append((mission, "error", f"a person has to see to {end.outcome.detail}"))
        self._ends.append(end)

    def _take_stock(self, end: ErrandEnd, mission: str) -> None:
        """Keep the bins that the site knows: what a system says is data."""
        if not isinstance(end.answer, Stock):
            return
        full = [place.bin for place in end.answer.places if place.quantity]
        odd = [name for name in full if name not in self._site.bins]
        if odd:
            why = f"the stock of {end.answer.item} names bins that the site does not have: "
            self._events.append((mission, "note", why + shown(", ".join(odd))))
        if odd and len(odd) == len(full):
            return  # as good as no answer
        if len(self._stock) >= REMEMBERED:
            self._stock.pop(next(iter(self._stock)))
        self._stock[end.errand.key] = tuple(name for name in full if name not in odd)

    def _settle(self) -> None:
        while self._events:
            self._ledger.event(*self._events[0])
            self._events.pop(0)
        for end in list(self._ends):
            if self._ledger.end_errand(end):
                self._ends.remove(end)

    def _send(self) -> bool:
        """Send the oldest of what is owed, but nothing before what its order has to do first."""
        waiting = {end.errand.key for end in self._ends}
        owed = [row for row in self._ledger.owed_errands() if row["key"] not in waiting]
        self.owed = len(owed)
        held: set[tuple[str, int]] = set()
        for row in owed:
            order = (row["mission"], row["order_number"])
            if order not in held and self._later.get(row["key"], self._next) <= self._clock():
                return self._send_one(row)
            held.add(order)
        self._next = self._clock() + LOOK
        return False

    def _send_one(self, row: sqlite3.Row) -> bool:
        self._later.pop(row["key"], None)
        if row["tier"] >= self._config.approval_from:
            why = f"{row['skill']}: risk tier {row['tier']}, which a person has to approve"
            return self._give_up(row, Code.NOT_READY, why)
        try:
            errand = Errand(row["key"], row["skill"], self._goal(row))
        except (ValidationError, KeyError) as error:
            why = _first(error) if isinstance(error, ValidationError) else f"unknown {error}"
            return self._give_up(row, Code.GOAL_INVALID, f"{row['skill']}: {why}")
        self._flying = errand.key
        self._begin(errand, row["mission"])
        return True

    def _goal(self, row: sqlite3.Row) -> Config:
        goal = GOALS[row["skill"]].model_validate_json(row["goal"])
        if row["skill"] != OPEN_TICKET:
            return goal
        kept = self._ledger.pictures(row["mission"], row["order_number"])
        pictures = {camera: base64.b64encode(jpeg).decode() for camera, jpeg in kept.items()}
        return goal.model_copy(update={"pictures": pictures})

    def _give_up(self, row: sqlite3.Row, code: Code, why: str) -> bool:
        errand = Errand(row["key"], row["skill"], Config())
        self._end(ErrandEnd(errand, Outcome(code, why, Verdict(False, why))), row["mission"])
        self._settle()
        return True


def _as_json(content: Any) -> Any:
    """As every reader of JSON has it: no tuples, and None for what is no number."""
    return json.loads(json.dumps(content, default=float), parse_constant=lambda _: None)


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, found['loc']))} = {shown(found['input'])}: {shorten(found['msg'])}"
