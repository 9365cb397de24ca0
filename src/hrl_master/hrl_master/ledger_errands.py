"""The part of the ledger that says what other systems were to do, and how that ended."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from hrl_core.errands import (
    BOOK_OUT,
    CANCEL_BOOKING,
    LOOK_UP_STOCK,
    CancelBooking,
    Errand,
    ErrandEnd,
    key_of,
)
from hrl_master.ledger_chain import Write
from hrl_master.ledger_file import LedgerFile, text_of
from hrl_master.processes import is_alive, process_name


class TakenErrand(NamedTuple):
    """An errand with its risk tier and its chance of success."""

    errand: Errand
    tier: int
    chance: float | None


class ErrandLedger(LedgerFile):
    """What a ledger knows of errands."""

    def take_errand(self, taken: TakenErrand, mission: str, order: int, stamp: float) -> None:
        """Take down what a system is to do; only then may it be asked. Once for each key."""
        with self._writing() as write:
            self._take_errand(write, taken, mission, order, stamp)

    def take_back(self, mission: str, order: int) -> None:
        """Have an order's booking cancelled, if it has one."""
        with self._writing() as write:
            self._take_back(write, mission, order)

    def end_errand(self, end: ErrandEnd) -> bool:
        """Take down how an errand ended, once; False: the errand itself is not taken down yet."""
        key, verdict = end.errand.key, end.outcome.verdict
        with self._writing() as write:
            if not self.rows("SELECT 1 FROM errands WHERE key = ?", key):
                return False
            if not self.rows("SELECT 1 FROM errand_ends WHERE errand = ?", key):
                write.insert(
                    "errand_ends",
                    errand=key,
                    code=int(end.outcome.code),
                    detail=end.outcome.detail,
                    confirmed=verdict.confirmed,
                    verdict=verdict.sentence,
                    answer=None
                    if end.answer is None
                    else text_of(end.answer.model_dump(mode="json")),
                    ended_at=time.time(),
                )
        return True

    def owed_errands(self) -> list[sqlite3.Row]:
        """Errands that have not ended, the oldest first, but those of other living masters.

        A look-up is of its moment: it is owed to nobody.
        """
        rows = self.rows(
            "SELECT e.*, m.process FROM errands e JOIN missions m ON m.id = e.mission "
            "LEFT JOIN errand_ends d ON d.errand = e.key "
            "WHERE d.errand IS NULL AND e.skill != ? ORDER BY e.rowid",
            LOOK_UP_STOCK,
        )
        me = process_name()
        return [row for row in rows if row["process"] == me or not is_alive(row["process"])]

    def _take_errand(
        self, write: Write, taken: TakenErrand, mission: str, order: int, stamp: float
    ) -> None:
        errand = taken.errand
        if not self.rows("SELECT 1 FROM errands WHERE key = ?", errand.key):
            write.insert(
                "errands",
                key=errand.key,
                mission=mission,
                order_number=order,
                skill=errand.skill,
                goal=text_of(errand.goal.model_dump(mode="json")),
                tier=taken.tier,
                chance=taken.chance,
                made=stamp,
                made_at=time.time(),
            )

    def _take_back(self, write: Write, mission: str, order: int) -> None:
        booking = key_of(mission, order, BOOK_OUT)
        for row in self.rows("SELECT tier, made FROM errands WHERE key = ?", booking):
            key = key_of(mission, order, CANCEL_BOOKING)
            errand = Errand(key, CANCEL_BOOKING, CancelBooking(booking=booking))
            taken = TakenErrand(errand, row["tier"], None)
            self._take_errand(write, taken, mission, order, row["made"])
