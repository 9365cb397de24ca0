"""Waypoints for a floor plan: places all over the free floor, and the ways that join them."""

from itertools import combinations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, shortest_path

from hrl_core.floor.clearance import free_distance
from hrl_core.floor.grid import Grid
from hrl_sim_bridge.worlds.layout_plan import Plan

CELL = 0.05  # m, of the map of clearances
GRID = 5  # cells between places for waypoints
WAYPOINT_ROOM = 0.75  # m from a waypoint to what stands nearest
WIDE = 1.3  # m; a place with more room than this is no better
EDGE_ROOM = 0.55  # m from an edge to what stands nearest
EDGE_LONGEST = 6.0  # m
SHORTCUT_LONGEST = 4.0  # m, of either half of a shortcut
DETOUR = 2.0  # times as long as a shortcut has to be the way that it replaces
MOST_SHORTCUTS = 6
SHORTCUT_EVERY = 4  # one place in four is tried: they are many


class WaypointGraph:
    """Places (n, 2) m in map and the pairs of them that straight free ways join."""

    def __init__(self, plan: Plan, spacing: float, rng: np.random.Generator) -> None:
        """Place waypoints `spacing` [m] or more apart, and closer where ways would be missing."""
        width, depth = plan.size
        self._grid = Grid((round(width / CELL), round(depth / CELL)), CELL)
        things = [thing.box().rectangle() for thing in plan.furniture]
        self._field = free_distance(plan.size, things, self._grid.centres)
        places = self._grid.centres[GRID // 2 :: GRID, GRID // 2 :: GRID].reshape(-1, 2)
        places = np.round(places, 2)
        room = self.clearance(places)
        places, room = places[room >= WAYPOINT_ROOM], room[room >= WAYPOINT_ROOM]
        # Ties are broken by chance.
        order = np.argsort(-np.minimum(room, WIDE) - 0.05 * rng.random(len(room)))
        places = places[order]
        chosen: list[np.ndarray] = []
        apart = np.ones(len(places), bool)  # from those chosen so far
        for k, place in enumerate(places):
            if apart[k]:
                chosen.append(place)
                apart &= np.linalg.norm(places - place, axis=1) >= spacing
        self.points = np.array(chosen).reshape(-1, 2)
        self.edges = self._gabriel()
        for _ in range(MOST_SHORTCUTS):
            place = self._shortcut(places[::SHORTCUT_EVERY])
            if place is None:
                break
            self.points = np.vstack([self.points, place])
            self.edges = self._gabriel()

    @property
    def connected(self) -> bool:
        """Whether every waypoint can be reached from every other."""
        if not self.edges:
            return False
        return bool(connected_components(self._lengths(), directed=False)[0] == 1)

    def clearance(self, points: np.ndarray) -> np.ndarray:
        """Distance to the nearest wall or thing, by the map: (..., 2) m -> (...) m."""
        cells = self._grid.cells(points)
        return self._field[cells[..., 0], cells[..., 1]]

    def line_clearance(self, start: np.ndarray, end: np.ndarray) -> float:
        """Least clearance [m] on the straight way between two points (2,) m."""
        count = 2 + int(np.linalg.norm(end - start) / 0.1)
        return float(self.clearance(np.linspace(start, end, count)).min())

    def direction(self, point: np.ndarray) -> float:
        """Yaw [rad] of the way through a point (2,) m: a barrier across it is the shorter one."""
        reach = np.arange(0.0, 3.0, 0.1)[:, None]

        def free(direction: tuple[int, int]) -> int:
            hit = self.clearance(point + reach * np.array(direction)) <= CELL
            return int(hit.argmax()) if hit.any() else len(hit)

        along_x, along_y = free((1, 0)) + free((-1, 0)), free((0, 1)) + free((0, -1))
        return 0.0 if along_x >= along_y else 1.5708

    def _sees(self, a: np.ndarray, b: np.ndarray, longest: float) -> bool:
        return bool(np.linalg.norm(a - b) <= longest and self.line_clearance(a, b) >= EDGE_ROOM)

    def _gabriel(self) -> list[tuple[int, int]]:
        """The straight free ways; of three places that see each other not the longest one.

        It is the Gabriel graph, but that a place counts as between two others only if both see it.
        """
        points, count = self.points, len(self.points)
        sees = np.zeros((count, count), bool)
        for i, j in combinations(range(count), 2):
            sees[i, j] = sees[j, i] = self._sees(points[i], points[j], EDGE_LONGEST)
        pairs = []
        for i, j in zip(*np.nonzero(np.triu(sees)), strict=True):
            middle, length = 0.5 * (points[i] + points[j]), np.linalg.norm(points[i] - points[j])
            between = np.linalg.norm(points - middle, axis=1) < 0.5 * length - 1e-6
            if not (between & sees[i] & sees[j]).any():
                pairs.append((int(i), int(j)))
        return pairs

    def _lengths(self) -> csr_array:
        i, j = np.array(self.edges).reshape(-1, 2).T
        lengths = np.linalg.norm(self.points[i] - self.points[j], axis=1)
        return csr_array((lengths, (i, j)), shape=(len(self.points),) * 2)

    def _shortcut(self, places: np.ndarray) -> np.ndarray | None:
        """The place (2,) m, of those given, that saves the longest detour; None: none does."""
        if not self.edges:
            return None
        ways = shortest_path(self._lengths(), directed=False)
        ways = np.minimum(ways, 1e3)
        apart = np.linalg.norm(places[:, None] - self.points[None], axis=-1)
        best, found = 0.0, None
        for place, distance in zip(places, apart, strict=True):
            near = np.flatnonzero(distance <= SHORTCUT_LONGEST)
            # Whether the way is free costs more than whether it would pay: that comes second.
            through = distance[near][:, None] + distance[near][None]
            saved = np.where(
                ways[np.ix_(near, near)] > DETOUR * through, ways[np.ix_(near, near)] - through, 0
            )
            if saved.max(initial=0.0) <= best:
                continue
            sees = np.array([self._sees(place, self.points[k], SHORTCUT_LONGEST) for k in near])
            saved = np.where(sees[:, None] & sees[None], saved, 0)
            if saved.max(initial=0.0) > best:
                best, found = float(saved.max()), place
        return found
