"""Memory and descriptors of processes over time, and whether they grow."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WARM_UP = 60.0  # s of a process's life that do not count: it imports, loads, meets the others
LEAST_LIFE = 120.0  # s after that; a shorter life says nothing of growth
HOUR = 3600.0  # s
MB = 1e6


@dataclass(frozen=True)
class Sample:
    """One process at one moment. `at` [s] of wall time since the soak began."""

    at: float
    node: str
    pid: int
    memory_mb: float  # resident
    descriptors: int


@dataclass(frozen=True)
class Course:
    """One measure of a node: after the warm-up of each process, and its growth per hour.

    None: no process of it lived long enough.
    """

    first: float
    last: float
    largest: float
    per_hour: float | None


def sample(at: float, node: str, pid: int) -> Sample | None:
    """Look at a process; None: it has ended."""
    folder = Path("/proc", str(pid))
    try:
        pages = int((folder / "statm").read_text().split()[1])
        descriptors = len(os.listdir(folder / "fd"))
    except (OSError, IndexError):
        return None
    return Sample(at, node, pid, pages * os.sysconf("SC_PAGE_SIZE") / MB, descriptors)


def courses(samples: Iterable[Sample]) -> dict[str, dict[str, Course]]:
    """Of every node: `memory_mb` and `descriptors`. Growth is that within processes' lives."""
    by_node: dict[str, dict[int, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for each in samples:
        by_node[each.node][each.pid].append(each)
    return {
        node: {
            measure: _course([_grown(life, measure) for life in lives.values()])
            for measure in ("memory_mb", "descriptors")
        }
        for node, lives in by_node.items()
    }


def _grown(life: Sequence[Sample], measure: str) -> np.ndarray:
    """(n, 2) of a life: s, measure; after the warm-up, or its last where it did not live on."""
    grown = [each for each in life if each.at - life[0].at >= WARM_UP] or life[-1:]
    return np.array([(each.at, getattr(each, measure)) for each in grown], float)


def _course(lives: Sequence[np.ndarray]) -> Course:
    values = np.concatenate([life[:, 1] for life in lives])
    # One slope within all lives: their levels may differ, their growth is of one program.
    spans = [life - life.mean(axis=0) for life in lives if np.ptp(life[:, 0]) >= LEAST_LIFE]
    slope = None
    if spans:
        together = np.concatenate(spans)
        slope = HOUR * float(together[:, 0] @ together[:, 1] / (together[:, 0] @ together[:, 0]))
    return Course(float(values[0]), float(values[-1]), float(values.max()), slope)
