"""Makes the troubles of a soak happen, and ends them."""

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from hrl_bringup.ros.soak_client import SoakClient
from hrl_bringup.runner import Runner
from hrl_bringup.soak.schedule import Planned, Trouble
from hrl_core.tables import complete

MESSAGES = 120  # broken ones of one trouble


class Troubles:
    """Those that are under way. `restart_client`: sends the running mission once more."""

    def __init__(
        self,
        runner: Runner,
        client: SoakClient,
        ledger: Path,
        restart_client: Callable[[], None],
        seed: int,
    ) -> None:
        self._runner, self._client, self._ledger = runner, client, ledger
        self._rng = random.Random(seed)
        self._ends: list[tuple[float, Callable[[], None]]] = []  # wall time [s], and what then
        self._broken: list[tuple[str, float, float, int]] = []  # topic, from, to, sent
        self._make = complete(
            Trouble,
            {
                Trouble.KILL: self._kill,
                Trouble.FREEZE: self._freeze,
                Trouble.OUTAGE: self._outage,
                Trouble.BROKEN: self._send_broken,
                Trouble.LOCK: self._lock,
                Trouble.CLIENT: lambda planned: restart_client(),
                Trouble.E_STOP: self._press,
            },
        )

    @property
    def calm(self) -> bool:
        """Whether none is under way."""
        return not self._ends and not self._broken

    def begin(self, planned: Planned) -> None:
        """Let one begin now."""
        self._make[planned.kind](planned)

    def step(self) -> None:
        """Go on with those that last, and end those whose time has come."""
        now = time.monotonic()
        due = [end for at, end in self._ends if at <= now]
        self._ends = [(at, end) for at, end in self._ends if at > now]
        for end in due:
            end()
        going_on = []
        for topic, start, until, sent in self._broken:
            share = min(1.0, (now - start) / (until - start))
            while sent < round(share * MESSAGES):
                self._client.send_broken(topic, self._rng)
                sent += 1
            if sent < MESSAGES:
                going_on.append((topic, start, until, sent))
        self._broken = going_on

    def end_all(self) -> None:
        """Leave nothing frozen, locked or pressed."""
        ends, self._ends, self._broken = self._ends, [], []
        for _, end in ends:
            end()

    def _for(self, seconds: float, end: Callable[[], None]) -> None:
        self._ends.append((time.monotonic() + seconds, end))

    def _kill(self, planned: Planned) -> None:
        if planned.target in self._runner.alive():
            self._runner.kill(planned.target)

    def _freeze(self, planned: Planned) -> None:
        pid = self._runner.alive().get(planned.target)
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            self._for(planned.seconds, lambda: _go_on(pid))

    def _outage(self, planned: Planned) -> None:
        self._client.silence(planned.target, planned.seconds)

    def _send_broken(self, planned: Planned) -> None:
        now = time.monotonic()
        self._broken.append((planned.target, now, now + planned.seconds, 0))

    def _lock(self, planned: Planned) -> None:
        connection = sqlite3.connect(self._ledger, timeout=0.0, isolation_level=None)
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError:  # the master writes at this moment
                time.sleep(0.001)
        self._for(planned.seconds, connection.close)  # which gives the lock back

    def _press(self, planned: Planned) -> None:
        self._client.press_e_stop(True)
        self._for(planned.seconds, lambda: self._client.press_e_stop(False))


def _go_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
