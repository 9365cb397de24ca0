"""A site's floor in two dimensions: ranges of a scan, lines of sight, and ways around solids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hrl_core.site import Site
from hrl_sim_bridge.floorplan import Rectangle, clearance, solids
from hrl_skills.planner import ENTRY, LETHAL, Routes, routes_to

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
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

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


def outline(rectangles: Sequence[Rectangle]) -> np.ndarray:
    """Edges (n, 4) m of rectangles in map: x and y of the start, x and y of the end."""
    edges = []
    for rectangle in rectangles:
        c, s = np.cos(rectangle.pose[2]), np.sin(rectangle.pose[2])
        half = 0.5 * rectangle.size * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        corners = half @ np.array([[c, s], [-s, c]]) + rectangle.pose[:2]
        edges.append(np.concatenate([corners, np.roll(corners, -1, axis=0)], axis=1))
    return np.concatenate(edges) if edges else np.zeros((0, 4))


def ranges(origin: np.ndarray, angles: np.ndarray, edges: np.ndarray, limit: float) -> np.ndarray:
    """Distance to the first edge along rays from `origin` (2,) m at `angles` (b,): (b,) m."""
    ray = np.stack([np.cos(angles), np.sin(angles)])[:, :, None]  # (2, b, 1)
    start, along = edges[:, :2] - origin, edges[:, 2:] - edges[:, :2]
    # origin + t * ray = start + u * along, with z components of cross products
    cross = ray[0] * along[:, 1] - ray[1] * along[:, 0]  # (b, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (start[:, 0] * along[:, 1] - start[:, 1] * along[:, 0]) / cross
        u = (start[:, 0] * ray[1] - start[:, 1] * ray[0]) / cross
        hit = (t > 0) & (u >= 0) & (u <= 1)
    return np.minimum(np.where(hit, t, np.inf).min(axis=1, initial=np.inf), limit)


def in_sight(sources: np.ndarray, targets: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Whether no edge (n, 4) m parts sources (k, 2) m from targets (k, 2) m: (k,) bool."""
    if not len(edges):
        return np.ones(len(sources), bool)
    along = edges[:, 2:] - edges[:, :2]
    ray = (targets - sources)[:, None]
    start = edges[:, :2] - sources[:, None]
    cross = ray[..., 0] * along[:, 1] - ray[..., 1] * along[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (start[..., 0] * along[:, 1] - start[..., 1] * along[:, 0]) / cross
        u = (start[..., 0] * ray[..., 1] - start[..., 1] * ray[..., 0]) / cross
        parted = (t > 0) & (t < 1) & (u >= 0) & (u <= 1)
    return np.logical_not(parted.any(axis=1))


class Floor:
    """What stands on a floor and the ways around it; `others`: what the map does not show."""

    def __init__(self, site: Site, others: Sequence[Rectangle] = ()) -> None:
        self.site = site
        self.shape = tuple(int(np.ceil(length / CELL)) for length in site.size)
        self._centres = (np.moveaxis(np.indices(self.shape), 0, -1) + 0.5) * CELL
        self._known = clearance(site, (), self._centres)  # what the map shows
        width, depth = site.size
        walls = Rectangle("walls", np.array([0.5 * width, 0.5 * depth, 0.0]), np.array(site.size))
        self._known_edges = outline([walls, *solids(site)])
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
            near = np.flatnonzero(other.distance(way.points) < LETHAL)
            if len(near) and (found is None or near[0] < found):
                found = int(near[0])
        return None if found is None else float(way.lengths[found])

    def _cell(self, point: np.ndarray) -> tuple[int, int]:
        cell = np.clip((point / CELL).astype(int), 0, np.array(self.shape) - 1)
        return int(cell[0]), int(cell[1])

    def _routes_to(self, goal: np.ndarray, around: Sequence[Rectangle]) -> Routes:
        cell = self._cell(goal)
        key = cell, *((*other.pose.tolist(), *other.size.tolist()) for other in around)
        if key not in self._routes:
            if len(self._routes) >= KEPT:
                self._routes.clear()
            room = self._room(around)
            self._routes[key] = routes_to(room, cell, CELL)
        return self._routes[key]

    def _room(self, around: Sequence[Rectangle]) -> np.ndarray:
        return np.min([self._known, *(other.distance(self._centres) for other in around)], axis=0)

    def _follow(
        self,
        routes: Routes,
        start: np.ndarray,
        goal: np.ndarray,
        around: Sequence[Rectangle] = (),
    ) -> Way | None:
        first = self._cell(start)
        if not np.isfinite(routes.distance[first]):
            return None
        columns = self.shape[1]
        cells = [first[0] * columns + first[1]]
        while (onward := int(routes.onward[cells[-1]])) != cells[-1]:
            cells.append(onward)
        row, column = np.divmod(np.array(cells), columns)
        inner = (np.stack([row, column], axis=-1) + 0.5) * CELL
        if np.linalg.norm(inner[-1] - goal) > ENTRY + CELL:
            return None
        points = smoothed(np.concatenate([[start[:2]], inner[1:-1], [goal[:2]]]))
        return Way(points, float(self._room(around)[row, column].min()))


def smoothed(points: np.ndarray) -> np.ndarray:
    """A way over cells (n, 2) m without the corners that only the grid makes."""
    result = points.copy()
    for _ in range(3):
        result[1:-1] = (result[:-2] + 2 * result[1:-1] + result[2:]) / 4
    return result
