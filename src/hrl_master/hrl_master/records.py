"""A ledger that its master does not stand still for, and what clients were told without it."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from hrl_master.ledger import Ledger
from hrl_master.ledger_file import LedgerError
from hrl_master.mission import Mission
from hrl_master.told import Told

STANDSTILL = 0.2  # s of wall time that one write may stand still for another process
FULL = 5.0  # s of wall time for a fault that seldom passes: a full disk, a file that is gone


class Records:
    """`ledger`, and what it is owed by missions that have ended."""

    def __init__(self, path: Path, patience: float, clock: Callable[[], float] = time.monotonic):
        """`patience`: s of wall time for another process that holds the ledger. Raises ConfigError
        where the file cannot be opened.
        """
        self.ledger = Ledger(path, patience=STANDSTILL)
        self.told = Told(self.ledger.path)
        self._patience, self._clock = patience, clock
        self._well = clock()  # when the ledger could be used last
        self._owing: list[Mission] = []  # their clients were told of the end

    def close(self) -> None:
        self.ledger.close()

    def past(self, mission: str) -> str:
        """How a mission that is known stands, in a sentence; empty: it is not known."""
        if ends := self.told.ends(mission):
            return "it ended: " + "; ".join(detail for _, detail in ends)
        return self.ledger.summary(mission) if self.ledger.knows(mission) else ""

    def watch(self, running: Mission | None) -> None:
        """See whether the ledger can be used, and settle what is owed; call it often.

        `running`: a mission that settles what it owes itself.
        """
        self.ledger.look()
        for mission in list(self._owing):
            with contextlib.suppress(LedgerError):
                mission.settle()
            if not mission.owes:
                self._owing.remove(mission)
                self.told.forget(mission.id)
        if self.ledger.fault and not self._owing and not (running and running.owes):
            self.ledger.probe()  # else a write that is owed tells more
        if not self.ledger.fault:
            self._well = self._clock()

    @property
    def lost(self) -> str:
        """Why a mission cannot go on: a fault of the ledger that has not passed; empty: it can."""
        limit = self._patience if self.ledger.locked else FULL
        return self.ledger.fault if self._clock() - self._well > limit else ""

    def keep(self, mission: Mission) -> bool:
        """Keep how a mission has ended, so that its client can be told; raises OSError.

        Returns whether the ledger has it; else it is told all the same after a restart.
        """
        with contextlib.suppress(LedgerError):
            mission.settle()
        if mission.owes:
            self.told.keep(mission.id, mission.results)
            self._owing.append(mission)
        return not mission.owes
