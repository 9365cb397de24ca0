"""Shortest ways on the true floor plan of a site, round everything that stands still."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from hrl_core.site import Site
from hrl_sim_bridge.floorplan import Rectangle, clearance

CELL = 0.1  # m
ENTRY = 4  # cells; from a tight place the way begins at the nearest free cell so far away
CHECK = 0.05  # m, between the points at which a straight line is checked


class Floor:
    """Clearances of a site with `boxes` on a grid; frame map."""

    def __init__(self, site: Site, boxes: Sequence[Rectangle] = ()) -> None:
        self.shape = tuple(int(np.ceil(length / CELL)) for length in site.size)
        self.centres = (np.moveaxis(np.indices(self.shape), 0, -1) + 0.5) * CELL
        self.clearance = clearance(site, boxes, self.centres)

    def with_boxes(self, boxes: Sequence[Rectangle]) -> "Floor":
        """The same floor with more boxes on it."""
        distances = [box.distance(self.centres) for box in boxes]
        return self._copy(np.min([self.clearance, *distances], axis=0))

    def with_discs(self, places: np.ndarray, radius: float) -> "Floor":
        """The same floor with discs at `places` (n, 2) m on it."""
        gap = np.linalg.norm(self.centres[..., None, :] - places, axis=-1).min(-1) - radius
        return self._copy(np.minimum(self.clearance, gap))

    def _copy(self, clear: np.ndarray) -> "Floor":
        result = object.__new__(Floor)
        result.shape, result.centres, result.clearance = self.shape, self.centres, clear
        return result

    def at(self, points: np.ndarray) -> np.ndarray:
        """Clearance (n,) m at points (n, 2) m, interpolated."""
        return map_coordinates(self.clearance, points.T / CELL - 0.5, order=1, mode="nearest")

    def path(self, start: np.ndarray, goal: np.ndarray, width: float) -> np.ndarray | None:
        """The shortest line (k, 2) m for a disc `width` [m] across; None where there is none.

        Dijkstra on the grid, then pulled tight, so that the grid's corners add no length.
        """
        free = self.clearance >= 0.5 * width
        first, last = self._nearest(free, start), self._nearest(free, goal)
        if first is None or last is None:
            return None
        parent = self._parents(free, last)
        cells = [first]
        while cells[-1] != last:
            if parent[cells[-1]] < 0:
                return None
            cells.append(int(parent[cells[-1]]))
        columns = self.shape[1]
        flat = np.array(cells)
        points = (np.column_stack([flat // columns, flat % columns]) + 0.5) * CELL
        return self._tight(np.vstack([start, points, goal]), 0.5 * width)

    def _nearest(self, free: np.ndarray, point: np.ndarray) -> int | None:
        """Flat index of the free cell nearest to a point (2,), at most ENTRY cells away."""
        centre = np.clip((point / CELL).astype(int), 0, np.array(self.shape) - 1)
        low = np.maximum(centre - ENTRY, 0)
        window = free[low[0] : centre[0] + ENTRY + 1, low[1] : centre[1] + ENTRY + 1]
        found = np.argwhere(window) + low
        if not len(found):
            return None
        i, j = found[np.argmin(np.linalg.norm(found - centre, axis=1))]
        return int(i * self.shape[1] + j)

    def _parents(self, free: np.ndarray, goal: int) -> np.ndarray:
        """Next cell (cells,) on the way to the goal from every cell; negative: none."""
        rows, columns = self.shape
        index = np.arange(rows * columns).reshape(rows, columns)
        sources, targets, lengths = [], [], []
        for di, dj in ((0, 1), (1, 0), (1, 1), (1, -1)):
            a = index[: rows - di, max(0, -dj) : columns - max(0, dj)]
            b = index[di:, max(0, dj) : columns - max(0, -dj)]
            both = free.flat[a] & free.flat[b]
            sources.append(a[both])
            targets.append(b[both])
            lengths.append(np.full(both.sum(), CELL * np.hypot(di, dj)))
        graph = csr_matrix(
            (np.concatenate(lengths), (np.concatenate(sources), np.concatenate(targets))),
            shape=(rows * columns,) * 2,
        )
        return dijkstra(graph, directed=False, indices=goal, return_predecessors=True)[1]

    def _tight(self, points: np.ndarray, radius: float) -> np.ndarray:
        """Leave out the points of a line that straight pieces with room `radius` can skip."""
        kept, k = [points[0]], 0
        while k < len(points) - 1:
            # A tight start has less room than the way; from there any line as free as it will do.
            nearest = k + 1
            for j in range(len(points) - 1, k + 1, -1):
                if self._straight(points[k], points[j], radius):
                    nearest = j
                    break
            kept.append(points[nearest])
            k = nearest
        return np.array(kept)

    def _straight(self, a: np.ndarray, b: np.ndarray, radius: float) -> bool:
        n = max(2, int(np.linalg.norm(b - a) / CHECK))
        line = a + np.linspace(0, 1, n)[:, None] * (b - a)
        room = np.minimum(radius, self.at(np.stack([a, b])).min()) - 0.02
        return bool((self.at(line) >= room).all())


def path_length(path: np.ndarray) -> float:
    """Length [m] of a line (k, 2) m."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def along(path: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Point (2,) m at a share of a line's length, and the line's direction (2,) there."""
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    ends = np.cumsum(lengths)
    k = min(int(np.searchsorted(ends, share * ends[-1])), len(lengths) - 1)
    direction = (path[k + 1] - path[k]) / max(lengths[k], 1e-9)
    return path[k] + (share * ends[-1] - ends[k] + lengths[k]) * direction, direction
