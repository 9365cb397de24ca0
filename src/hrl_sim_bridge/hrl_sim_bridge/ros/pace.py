"""Keeps ROS time at a factor of wall time."""

import time

from hrl_core.control import TICK

FALL_BEHIND = 0.5  # s of wall time; a plant that is later than this does not try to catch up
SMOOTHING = 0.05  # of the measured factor, per tick: about the last two seconds


class Pace:
    """Keeps ROS time at a factor of wall time and measures what it is."""

    def __init__(self, factor: float):
        self._wanted = factor
        self._next = self._last = time.monotonic()
        self._period = TICK  # s of wall time that a tick took, lately

    @property
    def factor(self) -> float:
        """ROS time over wall time, lately."""
        return TICK / self._period

    def restart(self) -> None:
        """Do not make up for a pause."""
        self._next = self._last = time.monotonic()

    def tick(self) -> None:
        """One control tick has been made."""
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        self._period += SMOOTHING * (elapsed - self._period)
        if self._wanted > 0:
            self._next += TICK / self._wanted
            if now - self._next > FALL_BEHIND:
                self._next = now

    def spare(self) -> float:
        """Wall time [s] that is left until the next tick."""
        return self._next - time.monotonic() if self._wanted > 0 else 0.0
