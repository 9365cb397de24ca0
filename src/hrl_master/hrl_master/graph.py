"""The ways of a site: waypoints and the places in front of faces, joined where the map is clear."""

from collections.abc import Iterable
from functools import cached_property, lru_cache

import numpy as np
from scipy.sparse import csgraph

from hrl_core.config import ConfigError
from hrl_core.floor.clearance import signed_clearance
from hrl_core.floor.grid import Grid
from hrl_core.robot import Robot, load_robot
from hrl_core.site import Site
from hrl_master.surfaces import Surfaces

CELL = 0.05  # m, grid of the room beside what the map shows
SPACING = 0.2  # m, between points that are checked along a way
FACE_WAYS = 3  # waypoints that a place in front of a face is joined to, at most

Edge = tuple[str, str]  # in the order of their names


class WalkGraph:
    """Nodes: waypoints, and for each bin and station the staging pose in front of it."""

    def __init__(self, site: Site, robot: Robot | None = None):
        """`robot`: who walks, and whose camera looks at the faces; None: the default one."""
        robot = robot or load_robot()
        self.site, self.robot, self.base = site, robot, robot.base
        self._needed = 0.5 * robot.base.way + 0.5 * CELL  # m to either side of a way
        faces = site.targets
        if clash := sorted(set(faces) & set(site.waypoints)):
            raise ConfigError(
                f"{site.name}: waypoints {clash} are named as bins or stations; "
                "every place that one can walk to needs a name of its own"
            )
        self.names = (*site.waypoints, *faces)
        self.index = {name: k for k, name in enumerate(self.names)}
        stagings = [site.pose_in_front(name, site.staging)[:2] for name in faces]
        waypoints = [np.array(waypoint.pose[:2]) for waypoint in site.waypoints.values()]
        self.points = np.array([*waypoints, *stagings])  # (n, 2) m in map
        # Room in every cell of the floor, with a rim of cells outside the site.
        rows, columns = Grid.over(site.size, CELL).shape
        self._grid = Grid((rows + 2, columns + 2), CELL, (-CELL, -CELL))
        self._field = np.full(self._grid.shape, -1.0)
        self._field[1:-1, 1:-1] = signed_clearance(site, self._grid.centres[1:-1, 1:-1])
        self.edges: tuple[Edge, ...] = tuple(sorted(self._find_edges(faces)))
        ends = np.array([[self.index[a], self.index[b]] for a, b in self.edges]).reshape(-1, 2)
        self.ends = ends  # (E, 2) indices of nodes
        self.lengths = np.linalg.norm(self.points[ends[:, 0]] - self.points[ends[:, 1]], axis=1)
        self._shortest = lru_cache(maxsize=64)(self._all_ways)

    @cached_property
    def surfaces(self) -> Surfaces:
        """Where things stand."""
        return Surfaces(self.site, self.robot)

    def room(self, points: np.ndarray) -> np.ndarray:
        """Room (...) m to the nearest wall, shelf or station of the map: points (..., 2) m.

        Negative outside the site.
        """
        cells = self._grid.cells(points)
        return self._field[cells[..., 0], cells[..., 1]]

    def distances(self, blocked: frozenset[Edge] = frozenset()) -> np.ndarray:
        """Lengths (n, n) m of the shortest ways between nodes; inf: there is none."""
        return self._shortest(blocked)[0]

    def to_nodes(
        self,
        point: np.ndarray,
        blocked: frozenset[Edge] = frozenset(),
        in_sight: np.ndarray | None = None,
    ) -> np.ndarray:
        """Lengths (n,) m of the shortest ways from a point (2,) m to every node.

        in_sight (n,): the nodes that a scan shows a free straight way to; None: not known.
        """
        straight = np.linalg.norm(self.points - point, axis=1)
        entries = self._entries(point, straight)
        if in_sight is not None and in_sight[entries].any():
            entries = entries[in_sight[entries]]
        ways = self.distances(blocked)
        return np.min(straight[entries, None] + ways[entries], axis=0)

    def path(self, start: str, goal: str, blocked: frozenset[Edge] = frozenset()) -> list[str]:
        """Nodes of the shortest way, both ends included; empty: there is none."""
        ways, before = self._shortest(blocked)
        i, j = self.index[start], self.index[goal]
        if not np.isfinite(ways[i, j]):
            return []
        found = [j]
        while found[-1] != i:
            found.append(before[i, found[-1]])
        return [self.names[k] for k in reversed(found)]

    def here(self, point: np.ndarray) -> str:
        """The node that a point (2,) m belongs to: the nearest that no wall parts from it."""
        straight = np.linalg.norm(self.points - point, axis=1)
        entries = self._entries(point, straight)
        return self.names[entries[np.argmin(straight[entries])]]

    def around(self, point: np.ndarray) -> list[str]:
        """The nodes that a straight way by the map leads to from a point (2,) m, nearest first."""
        straight = np.linalg.norm(self.points - point, axis=1)
        return [self.names[k] for k in self._entries(point, straight)]

    def neighbours(self, name: str) -> tuple[str, ...]:
        """The nodes at the other ends of a node's edges."""
        return tuple(a if b == name else b for a, b in self.edges if name in (a, b))

    def edges_on(self, nodes: Iterable[str]) -> list[Edge]:
        """The edges between consecutive nodes of a way."""
        nodes = list(nodes)
        return [_edge(a, b) for a, b in zip(nodes, nodes[1:], strict=False)]

    def _entries(self, point: np.ndarray, straight: np.ndarray) -> np.ndarray:
        """Indices of the nodes that a straight way leads to, nearest first, five at most."""
        order = np.argsort(straight)[:12]
        share = np.linspace(0.0, 1.0, 24)[:, None, None]
        line = point + share * (self.points[order] - point)
        room = self.room(line)
        # The robot may itself stand close to a shelf: what counts is that nothing lies between.
        clear = (room[4:] > self._needed - 0.1).all(axis=0) & (room > 0.0).all(axis=0)
        return order[clear][:5] if clear.any() else order[:1]

    def _all_ways(self, blocked: frozenset[Edge]) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.full((len(self.names),) * 2, np.inf)
        for (i, j), edge, length in zip(self.ends, self.edges, self.lengths, strict=True):
            if edge not in blocked:
                # A length of zero would mean "no edge".
                matrix[i, j] = matrix[j, i] = max(length, 1e-6)
        ways, before = csgraph.dijkstra(
            csgraph.csgraph_from_dense(matrix, null_value=np.inf),
            directed=False,
            return_predecessors=True,
        )
        return ways, before

    def _find_edges(self, faces: tuple[str, ...]) -> set[Edge]:
        site = self.site
        edges = {
            _edge(name, other)
            for name, waypoint in site.waypoints.items()
            for other in waypoint.neighbours
            if other != name
        }
        count = len(site.waypoints)
        for face in faces:
            point = self.points[self.index[face]]
            away = np.linalg.norm(self.points[:count] - point, axis=1)
            order = [int(k) for k in np.argsort(away)]
            clear = [k for k in order if self._clear(point, self.points[k])]
            edges |= {_edge(face, self.names[k]) for k in (clear or order[:1])[:FACE_WAYS]}
        for shelf in site.shelves:  # from bin to bin along a shelf
            edges |= {
                _edge(a, b)
                for a, b in zip(shelf.bins, list(shelf.bins)[1:], strict=False)
                if self._clear(self.points[self.index[a]], self.points[self.index[b]])
            }
        return edges

    def _clear(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether the straight way between two points (2,) m keeps clear of the map."""
        steps = max(2, int(np.linalg.norm(b - a) / SPACING) + 1)
        room = self.room(a + np.linspace(0, 1, steps)[:, None] * (b - a))
        return bool((room >= self._needed).all())


def _edge(a: str, b: str) -> Edge:
    return (a, b) if a < b else (b, a)
