"""Which bin to look into next, and whether to look at all: greedy roll-outs over a site's looks.

All of it is in seconds of the robot's time. A look costs the walk to where the bin is seen. What is
found costs its way to the station; what is left unfound when the search ends costs the price of a
person's time. From each first look the roll-out goes on with the look that shows the most per
second, and may stop after any of them; the best first look is the plan, unless to stop at once is
better. Searching where a constant reward is spread over places with costs of visiting them: Stone
1975, Theory of Optimal Search; greedy roll-outs: Bertsekas 2020, Rollout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import Field

from hrl_core.config import Config, load_yaml

FIRSTS = 12  # first looks that are rolled out, at most
FARTHEST = 200.0  # m, where there is no way
SHIPPED_TIMES = Path(__file__).with_name("search_times.json")


class SearchTimes(Config):
    """How long the steps of an order last, fitted to missions: `./hrl train site_prior`."""

    walk: float = Field(gt=0, le=60, description="s of a walk beside its length")
    pace: float = Field(gt=0, le=10, description="s per m of the way by the graph")
    approach: float = Field(ge=0, le=60, description="s of an approach from where a bin is seen")
    grasp: float = Field(gt=0, le=60, description="s")
    place: float = Field(gt=0, le=60, description="s, with its approach")
    hand_look: float = Field(gt=0, le=60, description="s of a grasp that finds nothing")

    def walking(self, way: np.ndarray) -> np.ndarray:
        """Time [s] of walks of these lengths [m]."""
        return self.walk + self.pace * np.minimum(way, FARTHEST)

    def bringing(self, way: np.ndarray) -> np.ndarray:
        """Time [s] from the sight of an item to its delivery; ways [m] to its station."""
        return self.approach + self.grasp + self.walking(way) + self.place


@cache
def load_times(path: Path = SHIPPED_TIMES) -> SearchTimes:
    """The times of a file; raises ConfigError with file, line and value."""
    return load_yaml(path, SearchTimes)  # JSON is YAML


@dataclass(frozen=True, eq=False)
class Search:
    """One order's item, not seen yet. Arrays are over the n bins of the site."""

    weights: np.ndarray  # (n,) that it stands there and was not seen; with `nowhere` up to 1
    nowhere: float
    left: np.ndarray  # (n,) bool, bins that were not looked into
    firsts: np.ndarray  # (k,) indices of bins that can be gone to now
    here: np.ndarray  # (n,) m to where they are seen
    ways: np.ndarray  # (n, n) m between where they are seen
    views: np.ndarray  # (n, n) bool; [v, b]: bin b is seen from where v is looked into
    to_station: np.ndarray  # (n,) m
    home: int  # walked right up to: an approach less

    @property
    def mass(self) -> float:
        """What the weights sum to, nowhere included."""
        return max(float(self.weights.sum()) + self.nowhere, 1e-12)


@dataclass(frozen=True)
class Plan:
    """What to do next; seconds are expected ones, by how the roll-outs go."""

    bin: int  # to look into; -1: none, the search ends
    seconds: float  # of going on, with the price of what stays unfound
    stopping: float  # s of ending the search now


def plan_search(search: Search, times: SearchTimes, price: float, seen: float) -> Plan:
    """The best next look. `price`: s of a person's time; `seen`: chance that a look shows it."""
    w, left = search.weights, search.left
    stopping = price * float(w.sum()) / search.mass
    from_here = times.walking(search.here)
    first = search.firsts[left[search.firsts]]
    if not len(first):
        return Plan(-1, stopping, stopping)
    shown = (search.views[first] & left).astype(float) @ w
    keep = np.argsort(-shown / from_here[first], kind="stable")[:FIRSTS]
    more = [int(np.argmax(w[first])), *np.flatnonzero(first == search.home)]
    first = first[[*dict.fromkeys([*keep.tolist(), *more])]]
    value = _rollouts(search, times, price, seen, first, from_here)
    best = int(np.argmin(value))
    going = float(value[best]) / search.mass
    return Plan(int(first[best]) if going < stopping else -1, going, stopping)


def _rollouts(
    search: Search,
    times: SearchTimes,
    price: float,
    seen: float,
    first: np.ndarray,
    from_here: np.ndarray,
) -> np.ndarray:
    """Expected seconds (k,), times the mass that is left, of searches that begin with each look."""
    w, nowhere, views = search.weights, search.nowhere, search.views
    between, views_of = times.walking(search.ways), views.T.astype(float)
    bringing = times.bringing(search.to_station)
    k = np.arange(len(first))
    left = np.repeat(search.left[None], len(first), axis=0)
    remaining = np.full(len(first), float(w.sum()))
    at, cost, going = first, from_here[first], np.ones(len(first), bool)
    steps: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while going.any():
        now = views[at] & left & going[:, None]
        mass = seen * (now * w)
        paid = np.where(going, cost * (remaining + nowhere), 0.0) + mass @ bringing
        paid -= times.approach * np.where((at == search.home) & now[k, at], mass[k, at], 0.0)
        remaining = remaining - mass.sum(axis=1)
        steps.append((paid, remaining, going))
        left &= ~now
        rate = np.where(left, (left * w) @ views_of, 0.0) / between[at]
        following = rate.argmax(axis=1)
        going = going & (rate[k, following] > 0)
        cost, at = between[at, following], following
    value = price * remaining
    for paid, remaining, _ in reversed(steps):
        value = paid + np.minimum(value, price * remaining)
    return value
