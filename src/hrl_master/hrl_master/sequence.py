"""Which order of a mission is next: `sequence` in config/master.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from hrl_core.config import ConfigError
from hrl_master.graph import WalkGraph
from hrl_master.orders import Order, OrderState
from hrl_master.search_plan import load_times

Start = np.ndarray | str  # a point (2,) m in map, or the station that the robot stands at
Waiting = Mapping[int, OrderState]  # by their numbers

WIDTH = 100  # sequences that a plan keeps
DEPTH = 10  # orders that a plan looks ahead; those behind them only wait
LATE = 300.0  # s of waiting that an order that comes late counts beside its time


class Durations(Protocol):
    """What is expected of orders before they begin."""

    def seconds(self, order: Order, start: Start) -> float:
        """From where the robot is until the order has ended [s]."""
        ...


class GraphDurations:
    """By the ways of the map, as if every item stood in its bin."""

    def __init__(self, graph: WalkGraph) -> None:
        self._graph = graph

    def seconds(self, order: Order, start: Start) -> float:
        times, graph = load_times(), self._graph
        between, bin_ = graph.distances(), graph.index[order.from_bin]
        at_station = isinstance(start, str)
        fetch = between[graph.index[start], bin_] if at_station else graph.to_nodes(start)[bin_]
        bring = between[bin_, graph.index[order.to_station]]
        # It is walked right up to the bin, so an approach less than from the sight of an item.
        return float(times.walking(fetch) + times.bringing(bring)) - times.approach


class OrderSequence:
    """Chooses the next order by the name of a rule in SEQUENCES."""

    def __init__(self, name: str, durations: Durations) -> None:
        """Raises ConfigError for an unknown name."""
        if name not in SEQUENCES:
            raise ConfigError(f"sequence = {name!r}: allowed are {[*SEQUENCES]}")
        self._rule, self._durations = SEQUENCES[name], durations

    def next(self, waiting: Waiting, here: np.ndarray | None, now: float) -> int:
        """Number of the next order. here (2,) m in map; None: not known, then the first that came.

        now: s of ROS time.
        """
        return min(waiting) if here is None else self._rule(waiting, here, now, self._durations)


def _first_come(waiting: Waiting, here: np.ndarray, now: float, durations: Durations) -> int:
    return min(waiting)


def _nearest(waiting: Waiting, here: np.ndarray, now: float, durations: Durations) -> int:
    return min(waiting, key=lambda k: (durations.seconds(waiting[k].order, here), k))


def _priority(waiting: Waiting, here: np.ndarray, now: float, durations: Durations) -> int:
    most = max(state.order.weight for state in waiting.values())
    first = {k: state for k, state in waiting.items() if state.order.weight == most}
    return _nearest(first, here, now, durations)


def _due(waiting: Waiting, here: np.ndarray, now: float, durations: Durations) -> int:
    dues = {k: state.order.due or np.inf for k, state in waiting.items()}
    first = {k: waiting[k] for k, due in dues.items() if due == min(dues.values())}
    return _nearest(first, here, now, durations)


def _planned(waiting: Waiting, here: np.ndarray, now: float, durations: Durations) -> int:
    """First of the sequence with the least weighted completion and lateness, by a beam search.

    A step costs its seconds for every order that still waits, so that sequences compare.
    """
    numbers = sorted(waiting)
    orders = [waiting[k].order for k in numbers]
    stations = sorted({order.to_station for order in orders})
    starts: list[Start] = [here, *stations]
    seconds = np.array([[durations.seconds(order, start) for order in orders] for start in starts])
    ends = [1 + stations.index(order.to_station) for order in orders]
    # Cost, time, start, what is left, the first order.
    beam = [(0.0, now, 0, frozenset(range(len(orders))), -1)]
    for _ in range(min(len(orders), DEPTH)):
        best: dict[tuple[int, frozenset[int]], tuple[float, float, int, frozenset[int], int]] = {}
        for cost, time, start, left, first in beam:
            weight = sum(orders[k].weight for k in left)
            for k in left:
                spent, order = float(seconds[start, k]), orders[k]
                then = time + spent
                late = bool(order.due) and then > order.due
                total = cost + weight * spent + LATE * order.weight * late
                key = ends[k], left - {k}
                found = total, then, ends[k], left - {k}, k if first < 0 else first
                if key not in best or found[:2] < best[key][:2]:
                    best[key] = found
        beam = sorted(best.values(), key=lambda each: each[:2])[:WIDTH]
    return numbers[beam[0][4]]


SEQUENCES: dict[str, Callable[[Waiting, np.ndarray, float, Durations], int]] = {
    "first_come": _first_come,
    "nearest": _nearest,
    "priority": _priority,
    "due": _due,
    "planned": _planned,
}
