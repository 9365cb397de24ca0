"""Rates: how many calls there may be within a minute."""

from collections import deque

WINDOW = 60.0  # s


class Rate:
    """Counts what happened within the last minute."""

    def __init__(self, most: int):
        self._most = most
        self._times: deque[float] = deque()

    def wait(self, now: float) -> float:
        """How long [s] the next has to wait; 0: it may happen. `now`: s of a steady clock."""
        while self._times and now - self._times[0] >= WINDOW:
            self._times.popleft()
        return 0.0 if len(self._times) < self._most else self._times[0] + WINDOW - now

    def count(self, now: float) -> None:
        self._times.append(now)
