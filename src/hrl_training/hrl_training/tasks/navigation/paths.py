"""Shortest ways on the true floor plan of a site, round everything that stands still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from hrl_core.floor.clearance import clearance
from hrl_core.floor.grid import Grid
from hrl_core.floor.rectangles import Rectangle
from hrl_core.floor.routes import follow, next_cells
from hrl_core.site import Site

CELL = 0.1  # m
ENTRY = 4  # cells; from a tight place the way begins at the nearest free cell so far away
CHECK = 0.05  # m, between the points at which a straight line is checked


@dataclass(frozen=True)
class ClearanceMap:
    """Clearances (rows, columns) m of a floor on a grid; frame map."""

    grid: Grid
    clearance: np.ndarray

    @classmethod
    def of(cls, site: Site, boxes: Sequence[Rectangle] = ()) -> ClearanceMap:
        """That of a site with `boxes` on it."""
        grid = Grid.over(site.size, CELL)
        return cls(grid, clearance(site, boxes, grid.centres))

    def with_boxes(self, boxes: Sequence[Rectangle]) -> ClearanceMap:
        """The same floor with more boxes on it."""
        distances = [box.distance(self.grid.centres) for box in boxes]
        return ClearanceMap(self.grid, np.min([self.clearance, *distances], axis=0))

    def with_discs(self, places: np.ndarray, radius: float) -> ClearanceMap:
        """The same floor with discs at `places` (n, 2) m on it."""
        gap = np.linalg.norm(self.grid.centres[..., None, :] - places, axis=-1).min(-1) - radius
        return ClearanceMap(self.grid, np.minimum(self.clearance, gap))

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
        cells = follow(next_cells(free, last, CELL), first)
        if cells[-1] != last:
            return None
        points = self.grid.centres_of(self.grid.unflat(cells))
        return self._tight(np.vstack([start, points, goal]), 0.5 * width)

    def _nearest(self, free: np.ndarray, point: np.ndarray) -> int | None:
        """Flat index of the free cell nearest to a point (2,), at most ENTRY cells away."""
        centre = self.grid.cells(point)
        low = np.maximum(centre - ENTRY, 0)
        window = free[low[0] : centre[0] + ENTRY + 1, low[1] : centre[1] + ENTRY + 1]
        found = np.argwhere(window) + low
        if not len(found):
            return None
        return int(self.grid.flat(found[np.argmin(np.linalg.norm(found - centre, axis=1))]))

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
