"""Whom the plant waits for at every control tick, and whether they have done their work."""

import time
from collections.abc import Callable, Iterable

EPSILON = 1e-4  # s


class Lockstep:
    """Keeps the tick that each node has finished.

    The named nodes are waited for at every tick; a node that says that it is not idle (a skill with
    a goal) is waited for until it says that it is. One that lets `patience` [s, wall time] pass is
    counted as a miss and left out until it is heard again.
    """

    def __init__(
        self,
        nodes: Iterable[str],
        patience: float,
        wall: Callable[[], float] = time.monotonic,
    ):
        self._nodes = frozenset(nodes)
        self._patience = patience
        self._wall = wall
        self.misses = 0
        self.restart()

    def restart(self) -> None:
        """ROS time begins anew."""
        self._done: dict[str, float] = {}
        self._busy: set[str] = set()
        self._absent: set[str] = set()
        self._commanded = float("-inf")
        self.begin(float("-inf"))

    def begin(self, stamp: float) -> None:
        """The sensors of a tick were published: from now on the nodes are waited for."""
        self._stamp = stamp
        self._since = self._wall()

    def done(self, node: str, stamp: float, idle: bool) -> None:
        """A node has finished the work of a tick."""
        if stamp > self._stamp + EPSILON:
            return  # of the trial before: it would count for every tick of this one
        self._done[node] = stamp
        self._absent.discard(node)
        if idle or node in self._nodes:
            self._busy.discard(node)
        else:
            self._busy.add(node)

    def commanded(self, stamp: float) -> None:
        """A velocity command came; a busy skill sends one at every tick."""
        self._commanded = max(self._commanded, stamp)

    @property
    def waits(self) -> float:
        """Wall time [s] since the tick began."""
        return self._wall() - self._since

    def missing(self) -> list[str]:
        """Nodes that have not finished the present tick."""
        late = [
            node
            for node in sorted(self._nodes | self._busy)
            if node not in self._absent
            and self._done.get(node, float("-inf")) < self._stamp - EPSILON
        ]
        if not late and self._busy - self._absent and self._commanded < self._stamp - EPSILON:
            return sorted(self._busy)  # its command is still on the way
        return late

    def give_up(self) -> list[str]:
        """Those that were waited for long enough: now counted and left out; else nobody."""
        if self.waits < self._patience:
            return []
        late = self.missing()
        self.misses += len(late)
        self._absent.update(late)
        self._busy.difference_update(late)
        return late
