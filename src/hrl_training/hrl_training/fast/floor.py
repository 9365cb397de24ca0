"""What stands on a site's floor over time, and the ways around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hrl_core.floor.clearance import clearance
from hrl_core.floor.grid import Grid
from hrl_core.floor.paths import lengths_along
from hrl_core.floor.rectangles import Rectangle, hall, outline, solids
from hrl_core.floor.routes import Routes
from hrl_core.robot import Robot, load_robot
from hrl_core.site import Site
from hrl_skills.planner import Clearances, routes_to

CELL = 0.2  # m; the skill plans on half of that
KEPT = 500  # routes to goals
AROUND = 0.45  # m, room that a planned way keeps from things that the map lacks


@dataclass(frozen=True)
class Way:
    """Points (n, 2) m in map from where the robot stands to its goal, and how wide it is."""

    points: np.ndarray
    narrowest: float  # m, clearance of its tightest point

    @property
    def lengths(self) -> np.ndarray:
        """Length of the way up to each point (n,) m."""
        return lengths_along(self.points)

    @property
    def length(self) -> float:
        return float(self.lengths[-1])

    def until(self, distance: float) -> Way:
        """The first `distance` [m] of it."""
        lengths = self.lengths
        if distance >= lengths[-1]:
            return self
        last = [np.interp(distance, lengths, self.points[:, k]) for k in range(2)]
        kept = self.points[lengths < distance]
        return Way(np.concatenate([kept, [last]]), self.narrowest)


class Floor:
    """What stands on a floor and the ways around it; `others`: what the map does not show."""

    def __init__(
        self, site: Site, others: Sequence[Rectangle] = (), robot: Robot | None = None
    ) -> None:
        self.site = site
        self._kept = Clearances.of((robot or load_robot()).base)
        self._grid = Grid.over(site.size, CELL)
        self._known = clearance(site, (), self._grid.centres)  # what the map shows
        self._known_edges = outline([hall(site), *solids(site)])
        self._routes: dict[tuple, Routes] = {}  # by goal and by what stands around
        self.put(others)

    def put(self, others: Sequence[Rectangle]) -> None:
        """From now on these things stand there besides those of the map."""
        self._others = tuple(others)
        self.edges = np.concatenate([self._known_edges, outline(self._others)])

    def way(self, start: np.ndarray, goal: np.ndarray, around: Sequence[Rectangle]) -> Way | None:
        """The shortest way between points (2,) m in map, around what the robot knows of."""
        free = self._routes_to(goal, ())
        way = self._follow(free, start, goal)
        if way is None or not around:
            return way
        room = min(float(other.distance(way.points).min()) for other in around)
        if room >= AROUND:
            return Way(way.points, min(way.narrowest, room))
        return self._follow(self._routes_to(goal, around), start, goal, around)

    def meets(self, way: Way, others: Sequence[Rectangle]) -> float | None:
        """How far along a way [m] the first thing closes it; None: nothing does."""
        found = None
        for other in others:
            near = np.flatnonzero(other.distance(way.points) < self._kept.lethal)
            if len(near) and (found is None or near[0] < found):
                found = int(near[0])
        return None if found is None else float(way.lengths[found])

    def _routes_to(self, goal: np.ndarray, around: Sequence[Rectangle]) -> Routes:
        cell = self._grid.cell_of(goal)
        key = cell, *((*other.pose.tolist(), *other.size.tolist()) for other in around)
        if key not in self._routes:
            if len(self._routes) >= KEPT:
                self._routes.clear()
            room = self._room(around)
            self._routes[key] = routes_to(room, cell, CELL, self._kept)
        return self._routes[key]

    def _room(self, around: Sequence[Rectangle]) -> np.ndarray:
        distances = [other.distance(self._grid.centres) for other in around]
        return np.min([self._known, *distances], axis=0)

    def _follow(
        self,
        routes: Routes,
        start: np.ndarray,
        goal: np.ndarray,
        around: Sequence[Rectangle] = (),
    ) -> Way | None:
        first = self._grid.cell_of(start[:2])
        if not np.isfinite(routes.distance[first]):
            return None
        cells = self._grid.unflat(routes.cells_from(first))
        inner = self._grid.centres_of(cells)
        if np.linalg.norm(inner[-1] - goal) > self._kept.entry + CELL:
            return None
        points = smoothed(np.concatenate([[start[:2]], inner[1:-1], [goal[:2]]]))
        return Way(points, float(self._room(around)[cells[:, 0], cells[:, 1]].min()))


def smoothed(points: np.ndarray) -> np.ndarray:
    """A way over cells (n, 2) m without the corners that only the grid makes."""
    result = points.copy()
    for _ in range(3):
        result[1:-1] = (result[:-2] + 2 * result[1:-1] + result[2:]) / 4
    return result
