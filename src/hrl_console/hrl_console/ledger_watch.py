"""What the console knows from the ledger, read again when the ledger has changed."""

import threading
import time
from pathlib import Path

from hrl_bringup.reports.ledger_facts import Rates
from hrl_console import views
from hrl_console.gateway import DECISION, FIGURES, MISSIONS, PEOPLE, Section
from hrl_core.config import ConfigError
from hrl_master.ledger import Deed, Ledger
from hrl_master.ledger_damage import read_from
from hrl_master.ledger_file import LedgerError

PERIOD = 0.5  # s of wall time between two looks
FIGURES_PERIOD = 10.0  # likewise; they are computed from all that the ledger has
EMPTY: dict[str, Section] = {
    DECISION: None,
    MISSIONS: {"doing": "No mission runs.", "list": []},
    PEOPLE: [],
    FIGURES: [],
}


class LedgerWatch:
    """Reads in a thread of its own. `sections`: the newest; `fault`: why they are old, or empty."""

    def __init__(self, path: Path, rates: Rates):
        self.path, self._rates = path, rates
        self.sections, self.fault = EMPTY, ""
        self._end, self._look = threading.Event(), threading.Event()
        self._version, self._figured, self._unfigured = -1, -FIGURES_PERIOD, True
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Something has happened that the ledger knows."""
        self._look.set()

    def close(self) -> None:
        self._end.set()
        self._look.set()
        self._thread.join(3.0)  # it only reads

    def write_down(self, by: str, did: Deed, detail: str = "") -> None:
        """What a person does that no master writes down; raises LedgerError or ConfigError."""
        with Ledger(self.path, patience=2.0) as ledger:
            ledger.person_did(by, did, detail=detail)
        self.look()

    def stopped_here(self) -> bool:
        """Whether a person at the console pressed the stop and none released it."""
        if not self.path.is_file():
            return False
        with Ledger(self.path, must_exist=True) as ledger:
            return ledger.stopped()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._read_while_it_lasts()
            except (ConfigError, LedgerError) as error:
                self.fault = str(error)
            self._pause()

    def _read_while_it_lasts(self) -> None:
        if not self.path.is_file():
            self.fault = f"there is no ledger {self.path} yet: no master has begun one"
            return
        with Ledger(self.path, must_exist=True) as ledger:
            self._version = -1
            while not self._end.is_set():
                ledger.look()
                if ledger.fault:  # another file is there now, or none
                    raise LedgerError(ledger.fault)
                with read_from(ledger):
                    self._read(ledger)
                self.fault = ""
                self._pause()

    def _read(self, ledger: Ledger) -> None:
        version = ledger.rows("PRAGMA data_version")[0][0]  # another one's writes change it
        if version != self._version:
            self._version, self._unfigured = version, True
            self.sections = {
                **self.sections,
                DECISION: views.decision_view(ledger),
                MISSIONS: views.missions_view(ledger),
                PEOPLE: views.people_view(ledger),
            }
        if self._unfigured and time.monotonic() - self._figured > FIGURES_PERIOD:
            self._figured, self._unfigured = time.monotonic(), False
            self.sections = {**self.sections, FIGURES: views.figures_view(ledger, self._rates)}

    def _pause(self) -> None:
        self._look.wait(PERIOD)
        self._look.clear()
