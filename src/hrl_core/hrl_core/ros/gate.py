"""Tells when everything that belongs to one control tick has come. Free of ROS."""

import time
from collections.abc import Callable, Mapping

EPSILON = 1e-4  # s; stamps of one tick agree far better


class TickGate:
    """Opens once per control tick, in order of the stamps.

    `periods`: source -> s between its messages; 0: one at every tick. A source that fails to come
    within `patience` [s, wall time] is left out until it is heard again, so that a lost sensor
    costs one wait and not one at every tick.
    """

    def __init__(
        self,
        periods: Mapping[str, float],
        patience: float = 1.0,
        wall: Callable[[], float] = time.monotonic,
    ):
        self._periods = dict(periods)
        self._patience = patience
        self._wall = wall
        self._stamps: dict[str, float] = {}
        self._absent: set[str] = set()
        self._since = 0.0  # wall time when the first message of the tick that is waited for came
        self.tick = float("-inf")  # s, stamp of the newest message of all
        self.opened = float("-inf")  # s, the last tick that was complete

    def note(self, source: str, stamp: float) -> None:
        """A message of a source came."""
        self._stamps[source] = max(stamp, self._stamps.get(source, stamp))
        self._absent.discard(source)
        if stamp > self.tick + EPSILON:
            self.tick, self._since = stamp, self._wall()

    def newest(self, source: str) -> float:
        """Stamp [s] of a source's newest message; -inf: none."""
        return self._stamps.get(source, float("-inf"))

    def missing(self) -> list[str]:
        """Sources that are still to come for the present tick."""
        return [name for name in self._periods if name not in self._absent and self._lacks(name)]

    def opens(self) -> bool:
        """Whether the present tick has become complete; true once per tick."""
        if self.tick <= self.opened + EPSILON:
            return False
        missing = self.missing()
        if missing and self._wall() - self._since < self._patience:
            return False
        self._absent.update(missing)
        self.opened = self.tick
        return True

    def leave_out(self, source: str) -> None:
        """Do not wait for a source that nobody sends, until it is heard all the same."""
        if source not in self._stamps:
            self._absent.add(source)

    @property
    def absent(self) -> list[str]:
        """Sources that are no longer waited for."""
        return sorted(self._absent)

    def restart(self) -> None:
        """Forget everything: time has gone back."""
        self._stamps.clear()
        self._absent.clear()
        self.tick = self.opened = float("-inf")

    def _lacks(self, name: str) -> bool:
        if name not in self._stamps:
            return True
        age = self.tick - self._stamps[name]
        return age > max(self._periods[name] - 0.05, EPSILON)  # 0.05: half a control tick
