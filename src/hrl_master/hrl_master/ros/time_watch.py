"""Notices that ROS time stands still: the plant is paused, or who publishes /clock has died."""

import time

STANDS = 5.0  # s of wall time; a slow plant takes less for a tick


class TimeWatch:
    """How long ROS time stands still, by the wall clock."""

    def __init__(self):
        self._stamp = float("nan")  # s of ROS time, at the last look
        self.restart()

    def restart(self) -> None:
        """Count from now on: before a mission time may stand as long as it likes."""
        self._moved = time.monotonic()

    def look(self, stamp: float) -> None:
        """Take in what time it is, in s of ROS time; call it often."""
        if stamp != self._stamp:
            self._stamp, self._moved = stamp, time.monotonic()

    @property
    def stands(self) -> float:
        """For how long ROS time has stood still, in s of wall time."""
        return time.monotonic() - self._moved

    @property
    def fault(self) -> str:
        """That it stands, in a sentence; empty: it moves."""
        if self.stands < STANDS:
            return ""
        return (
            f"ROS time stands still at {self._stamp:.2f} s since {self.stands:.0f} s of wall time"
        )
