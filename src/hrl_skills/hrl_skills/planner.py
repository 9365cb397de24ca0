"""The way to a far goal: a grid of what the scans have seen, and a carrot on the shortest path.

The carrot is a point some 1.5 m ahead on the path; the learned policy steers, avoids and brakes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from hrl_core.sensed import Scan

CELL = 0.1  # m
LETHAL = 0.32  # m, between the robot's centre line and an obstacle: radius 0.27 and a margin
COMFORT = 0.80  # m; nearer to an obstacle a metre counts up to three times
ENTRY = 0.60  # m; from inside the inflation the robot may leave to the nearest free cell
CARROT_HOPS = 14  # cells along the path: 1.4 to 2 m


def travel_cost(clearance: np.ndarray) -> np.ndarray:
    """Cost per metre of cells, from their distance to the nearest obstacle [m]; inf: closed."""
    near = np.clip((COMFORT - clearance) / (COMFORT - LETHAL), 0.0, 1.0)
    return np.where(clearance < LETHAL, np.inf, 1.0 + 2.0 * near)


def _nearest(cells: np.ndarray, cell_size: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance (rows, columns) m to the nearest of the marked cells, and its indices (2, ...)."""
    result: Any = distance_transform_edt(~cells, sampling=cell_size, return_indices=True)
    return result


@lru_cache(maxsize=8)
def _edges(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The 8-connected grid as CSR: sources and targets of edges, steps in cells, row pointers."""
    cells = np.arange(rows * columns)
    i, j = cells // columns, cells % columns
    sources, targets, steps = [], [], []
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            inside = (0 <= i + di) & (i + di < rows) & (0 <= j + dj) & (j + dj < columns)
            if di or dj:
                sources.append(cells[inside])
                targets.append(cells[inside] + di * columns + dj)
                steps.append(np.full(inside.sum(), np.hypot(di, dj)))
    source, target, step = (np.concatenate(part) for part in (sources, targets, steps))
    order = np.lexsort((target, source))
    pointers = np.searchsorted(source[order], np.arange(rows * columns + 1))
    return source[order], target[order], step[order], pointers


@dataclass(frozen=True)
class Routes:
    """Shortest ways to one goal from every cell: `distance` (rows, columns) m of cost, inf: none.

    `onward` (rows * columns,): the next cell on the way, as a flat index; the goal's is itself.
    """

    distance: np.ndarray
    onward: np.ndarray

    def ahead(self, cell: np.ndarray, hops: int = CARROT_HOPS) -> np.ndarray:
        """The cells (...) that lie `hops` further along the way, as flat indices."""
        for _ in range(hops):
            cell = self.onward[cell]
        return cell


def routes_to(clearance: np.ndarray, goal: tuple[int, int], cell_size: float) -> Routes:
    """Routes to a goal cell over a grid of clearances (rows, columns) m."""
    rows, columns = clearance.shape
    cost = travel_cost(clearance)
    free = np.isfinite(cost)
    onward = np.arange(rows * columns)
    if not free.any():
        return Routes(np.full(clearance.shape, np.inf), onward)
    # From a closed cell the way begins at the nearest free one; so does the way to a closed goal.
    gap, nearest = _nearest(free, cell_size)
    entry = nearest[0] * columns + nearest[1]
    source, target, step, pointers = _edges(rows, columns)
    flat = cost.ravel()
    weight = 0.5 * cell_size * step * (flat[source] + flat[target])
    graph = csr_matrix((weight, target, pointers), shape=(rows * columns,) * 2)
    start = int(entry[goal]) if gap[goal] <= ENTRY else int(np.ravel_multi_index(goal, entry.shape))
    distance, parent = dijkstra(graph, indices=start, return_predecessors=True)
    onward = np.where(parent >= 0, parent, onward)
    closed = ~free.ravel() & (gap.ravel() <= ENTRY)
    onward[closed] = entry.ravel()[closed]
    distance = np.where(
        closed,
        distance[entry.ravel()] + 3.0 * gap.ravel(),
        np.where(free.ravel(), distance, np.inf),
    )
    return Routes(distance.reshape(clearance.shape), onward)


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """How scans become a map that forgets what has moved."""

    cell: float = CELL  # m
    edge: float = 0.3  # m, of the grid beyond the site's walls
    snap: float = 0.15  # m; a return this near to a wall or shelf of the map is that wall or shelf
    free: float = 5.0  # m, clearance where nothing is known
    hit: float = 1.0  # evidence of one return; a cell is occupied above `occupied`
    occupied: float = 0.5
    ceiling: float = 2.0  # bound of the evidence for an obstacle
    floor: float = -0.5  # bound of the evidence against one
    prior: float = 1.5  # evidence of a wall or shelf of the site's map
    # A beam that passes over a cell does not prove that it is free: the rings of the scanner look
    # over a low box except in a few bands of distance. Only there does one beam count much.
    lowest: float = 0.35  # m, height of the lowest obstacle that must not be forgotten
    seen_free: float = 0.5  # evidence taken by a beam that would have hit the lowest obstacle
    passed_over: float = 0.1  # evidence taken by any other beam
    clear_range: float = 5.0  # m, from the scanner; beyond it nothing is forgotten
    clear_margin: float = 0.2  # m, by which a beam must pass a cell


class ObstacleGrid:
    """Occupancy evidence in map over the floor of a site."""

    def __init__(
        self,
        size: tuple[float, float],
        outline: np.ndarray,
        lidar_height: float,
        elevations: tuple[float, ...],
        height_band: tuple[float, float],
        config: GridConfig | None = None,
    ) -> None:
        """`size` (2,) m of the floor; `outline` (m, 2) m in map: its walls, shelves and stations.

        The rest describes the scanner, see the robot file.
        """
        self.config = config = config or GridConfig()
        self.origin = np.full(2, -config.edge)
        shape = np.ceil((np.array(size) + 2 * config.edge) / config.cell).astype(int)
        self.evidence = np.zeros(tuple(shape), np.float32)
        self.add_points(outline, config.prior)
        self._shut = np.zeros(tuple(shape), bool)  # closed for good, whatever the scans say
        self._to_known, self._known = _nearest(self.evidence > 0, config.cell)
        self._bands = [
            (
                (lidar_height - config.lowest) / -np.tan(e),
                (lidar_height - height_band[0]) / -np.tan(e),
            )
            for e in elevations
            if e < 0
        ]

    def add_points(self, points: np.ndarray, evidence: float | None = None) -> None:
        """Mark points (m, 2) m in map as occupied."""
        self._add_cells(self._cells(points), evidence)

    def _cells(self, points: np.ndarray) -> np.ndarray:
        """Cells (k, 2) of those points (m, 2) m in map that lie on the grid."""
        cells = np.floor((points - self.origin) / self.config.cell).astype(int)
        return cells[((cells >= 0) & (cells < self.evidence.shape)).all(1)]

    def _add_cells(self, cells: np.ndarray, evidence: float | None = None) -> None:
        config = self.config
        i, j = np.unique(cells, axis=0).T
        added = self.evidence[i, j] + (config.hit if evidence is None else evidence)
        self.evidence[i, j] = np.minimum(np.maximum(added, config.hit), config.ceiling)

    def add_scan(self, scan: Scan, map_from_lidar: np.ndarray) -> None:
        """Take in a scan; `map_from_lidar` (3,) is the planar pose of the scanner.

        What the map explains confirms the map: noise must not make the walls thicker. What is too
        far to be forgotten is not marked: people would leave a wall behind them.
        """
        self._clear(scan, map_from_lidar)
        c, s = np.cos(map_from_lidar[2]), np.sin(map_from_lidar[2])
        points = scan.points()
        points = points[np.hypot(*points.T) < self.config.clear_range]
        cells = self._cells(points @ np.array([[c, s], [-s, c]]) + map_from_lidar[:2])
        i, j = cells.T
        known = self._to_known[i, j] < self.config.snap
        self._add_cells(np.where(known[:, None], self._known[:, i, j].T, cells))

    def _clear(self, scan: Scan, map_from_lidar: np.ndarray) -> None:
        config = self.config
        centre = np.floor((map_from_lidar[:2] - self.origin) / config.cell).astype(int)
        half = int(config.clear_range / config.cell)
        low = np.clip(centre - half, 0, self.evidence.shape)
        high = np.clip(centre + half + 1, 0, self.evidence.shape)
        window = self.evidence[low[0] : high[0], low[1] : high[1]]
        i, j = np.nonzero(window > 0)
        if not len(i):
            return
        x = self.origin[0] + (i + low[0] + 0.5) * config.cell - map_from_lidar[0]
        y = self.origin[1] + (j + low[1] + 0.5) * config.cell - map_from_lidar[1]
        distance = np.hypot(x, y)
        azimuth = np.arctan2(y, x) - map_from_lidar[2] - scan.angle_min
        beam = np.round(azimuth / scan.angle_increment).astype(int) % len(scan.ranges)
        # The nearest of three beams, since a cell is wider than a beam; nan proves nothing.
        ranges = np.where(np.isnan(scan.ranges), 0.0, scan.ranges)
        ranges = np.minimum(ranges, np.minimum(np.roll(ranges, 1), np.roll(ranges, -1)))
        passed = (distance + config.clear_margin < ranges[beam]) & (distance < config.clear_range)
        sure = np.zeros_like(passed)
        for near, far in self._bands:
            sure |= (near < distance) & (distance < far)
        taken = np.where(sure, config.seen_free, config.passed_over) * passed
        window[i, j] = np.maximum(window[i, j] - taken, config.floor)

    def routes(self, goal: np.ndarray) -> Routes:
        """Routes to a goal (2,) m in map; takes 5 to 20 ms."""
        return routes_to(self.clearance(), self.cell_of(goal), self.config.cell)

    def shut(self, point: np.ndarray) -> None:
        """Close the floor around a point (2,) m in map for good."""
        i, j = self.cell_of(point)
        reach = round(LETHAL / self.config.cell)
        self._shut[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1] = True

    def shut_narrow(self, routes: Routes, position: np.ndarray) -> None:
        """Close for good the first place of an earlier way that is too narrow now."""
        clearance = self.clearance()
        columns = clearance.shape[1]
        i, j = self.cell_of(position)
        cell = i * columns + j
        while (onward := int(routes.onward[cell])) != cell:
            cell = onward
            index = np.array(divmod(cell, columns))
            if clearance[tuple(index)] < LETHAL:
                self.shut(self.origin + (index + 0.5) * self.config.cell)
                return

    def way(self, position: np.ndarray, goal: np.ndarray) -> tuple[float, float] | None:
        """Length [m] and narrowest clearance [m] of the way between two points (2,) m in map.

        None: there is no way.
        """
        routes, clearance = self.routes(goal), self.clearance()
        first = self.cell_of(position)
        if not np.isfinite(routes.distance[first]):
            return None
        columns = clearance.shape[1]
        cells = [first[0] * columns + first[1]]
        while (onward := int(routes.onward[cells[-1]])) != cells[-1]:
            cells.append(onward)
        row, column = np.divmod(np.array(cells), columns)
        steps = np.hypot(np.diff(row), np.diff(column))
        length = self.config.cell * float(steps.sum())
        return length, float(clearance[row, column].min())

    def clearance(self) -> np.ndarray:
        """Distance (rows, columns) m of every cell to the nearest obstacle."""
        occupied = (self.evidence > self.config.occupied) | self._shut
        if not occupied.any():
            return np.full(occupied.shape, self.config.free)
        return _nearest(occupied, self.config.cell)[0]

    def cell_of(self, point: np.ndarray) -> tuple[int, int]:
        """Cell of a point (2,) m in map, the nearest one inside the grid."""
        cell = np.floor((point - self.origin) / self.config.cell).astype(int)
        row, column = np.clip(cell, 0, np.array(self.evidence.shape) - 1)
        return int(row), int(column)

    def carrot(self, routes: Routes, position: np.ndarray) -> tuple[np.ndarray, float] | None:
        """The carrot (2,) m in map and the cost [m] that is left; None if there is no way."""
        cell = self.cell_of(position)
        left = float(routes.distance[cell])
        if not np.isfinite(left):
            return None
        columns = routes.distance.shape[1]
        ahead = routes.ahead(np.array(cell[0] * columns + cell[1]))
        index = np.array([ahead // columns, ahead % columns])
        return self.origin + (index + 0.5) * self.config.cell, left
