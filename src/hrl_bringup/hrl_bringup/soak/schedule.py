"""What goes wrong in a soak, and when: drawn from a seed, before it begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from hrl_core.tables import complete


class Trouble(str, Enum):
    """Kinds of troubles; the comment says what the target names."""

    KILL = "kill"  # a node: SIGKILL
    FREEZE = "freeze"  # a node: SIGSTOP, later SIGCONT
    OUTAGE = "outage"  # a camera, or "lidar": silent
    BROKEN = "broken"  # a topic of a sensor: broken messages among the real ones
    LOCK = "lock"  # nothing: another process holds the ledger
    CLIENT = "client"  # nothing: the client starts anew and sends its mission again
    E_STOP = "e_stop"  # nothing: pressed, later released


# s of wall time that one lasts, from and to; of an outage, of ROS time.
SECONDS = complete(
    Trouble,
    {
        Trouble.KILL: (0.0, 0.0),
        Trouble.FREEZE: (0.5, 5.0),
        Trouble.OUTAGE: (2.0, 10.0),
        Trouble.BROKEN: (3.0, 3.0),
        Trouble.LOCK: (1.0, 6.0),
        Trouble.CLIENT: (0.0, 0.0),
        Trouble.E_STOP: (1.0, 4.0),
    },
)


@dataclass(frozen=True)
class Planned:
    """A trouble at a time [s] of the missions' wall time, for some seconds."""

    at: float
    kind: Trouble
    target: str
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.kind.value} {self.target}".strip()


@dataclass(frozen=True)
class Targets:
    """What troubles may be aimed at."""

    nodes: Sequence[str]
    outages: Sequence[str]
    topics: Sequence[str]


def draw_schedule(seed: int, targets: Targets, every: float) -> Iterator[Planned]:
    """Troubles without end, in the mean every so many seconds.

    They come in rounds: in each, in random order, one kill of every node and a few of each other
    kind. So every node is killed equally often, and no kind is left out for long.
    """
    rng = np.random.default_rng(seed)
    at = 0.0
    while True:
        for kind, target in _round(rng, targets):
            at += every * (0.4 + 0.6 * rng.exponential())
            yield Planned(at, kind, target, float(rng.uniform(*SECONDS[kind])))


def _round(rng: np.random.Generator, targets: Targets) -> list[tuple[Trouble, str]]:
    troubles = [(Trouble.KILL, node) for node in targets.nodes]
    troubles += [(Trouble.FREEZE, _any(rng, targets.nodes)) for _ in range(2)]
    troubles += [(Trouble.OUTAGE, _any(rng, targets.outages)) for _ in range(2)]
    troubles += [(Trouble.BROKEN, _any(rng, targets.topics)) for _ in range(3)]
    troubles += [(Trouble.LOCK, ""), (Trouble.E_STOP, ""), (Trouble.CLIENT, "")]
    return [troubles[k] for k in rng.permutation(len(troubles))]


def _any(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]


class Agenda:
    """Planned troubles on a clock that goes on only while a mission runs."""

    def __init__(self, planned: Iterator[Planned]) -> None:
        self._planned = planned
        self._next = next(planned)
        self._now = 0.0  # s

    def advance(self, seconds: float) -> list[Planned]:
        """Let time go on; returns what has come due."""
        self._now += seconds
        due = []
        while self._next.at <= self._now:
            due.append(self._next)
            self._next = next(self._planned)
        return due
