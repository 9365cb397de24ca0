"""Ways over a grid of cells: which places hang together, and the shortest or cheapest way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array, csr_matrix
from scipy.sparse.csgraph import dijkstra

from hrl_core.floor.clearance import clearance
from hrl_core.floor.grid import Grid
from hrl_core.floor.rectangles import Floor, Rectangle

PASSAGE_CELL = 0.1  # m, grid for checking passages
WAY_CELL = 0.2  # m, grid for finding ways
FROM_CLOSED = 3.0  # cost per metre from a closed cell to the nearest free one


def passable(
    site: Floor, others: Iterable[Rectangle], places: np.ndarray, width: float
) -> np.ndarray:
    """Which places (n, 2) m a disc `width` [m] across can reach from the first: (n,) bool."""
    found = regions(site, others, places, width)
    return (found == found[0]) & (found > 0)


def regions(
    site: Floor, others: Iterable[Rectangle], places: np.ndarray, width: float
) -> np.ndarray:
    """Number of the region that a disc `width` [m] across can move in from places (n, 2) m: (n,).

    Places of one number can be reached from each other; 0: there is no room for it.
    """
    grid = Grid.over(site.size, PASSAGE_CELL)
    free = clearance(site, others, grid.centres) >= 0.5 * width
    labels = np.asarray(ndimage.label(free)[0])  # type: ignore[index]  # it returns a pair
    cells = grid.cells(places)
    return labels[cells[:, 0], cells[:, 1]]


def shortest_ways(
    site: Floor, others: Iterable[Rectangle], hub: np.ndarray, places: np.ndarray, width: float
) -> list[np.ndarray]:
    """Shortest ways of a disc `width` [m] across from each place (n, 2) m to a hub (2,) m in map.

    Each is (m, 2) m, about WAY_CELL apart; empty where there is none.
    """
    # Only whole cells: nobody walks along the walls.
    grid = Grid((int(site.size[0] / WAY_CELL), int(site.size[1] / WAY_CELL)), WAY_CELL)
    free = clearance(site, others, grid.centres) >= 0.5 * width
    goal = int(grid.flat(grid.cells(hub)))
    onward = next_cells(free, goal, grid.cell)
    ways = []
    for place in places:
        cells = follow(onward, int(grid.flat(grid.cells(place))))
        reached = cells[-1] == goal
        ways.append(grid.centres_of(grid.unflat(cells)) if reached else np.zeros((0, 2)))
    return ways


def next_cells(free: np.ndarray, goal: int, cell_size: float) -> np.ndarray:
    """The next cell (rows * columns,) on the shortest way from every cell to a goal, by Dijkstra.

    free (rows, columns) bool; cells are flat indices; negative: there is no way on. A way leads
    straight or aslant from cell to cell.
    """
    number = np.arange(free.size).reshape(free.shape)
    rows, columns = free.shape
    starts, ends, lengths = [], [], []
    for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
        here = (slice(0, rows - dx), slice(max(0, -dy), columns - max(0, dy)))
        there = (slice(dx, rows), slice(max(0, dy), columns - max(0, -dy)))
        both = free[here] & free[there]
        starts.append(number[here][both])
        ends.append(number[there][both])
        lengths.append(np.full(len(starts[-1]), cell_size * np.hypot(dx, dy)))
    edges = (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends)))
    graph = csr_array(edges, shape=(free.size, free.size))
    return dijkstra(graph, directed=False, indices=goal, return_predecessors=True)[1]


def follow(onward: np.ndarray, cell: int) -> np.ndarray:
    """Flat indices (m,) of the cells on the way from a cell on, itself first.

    A way ends where the next cell is negative or the cell itself.
    """
    cells = [cell]
    while (following := int(onward[cells[-1]])) >= 0 and following != cells[-1]:
        cells.append(following)
    return np.array(cells)


@dataclass(frozen=True)
class Routes:
    """Cheapest ways to one goal from every cell: `distance` (rows, columns) m of cost, inf: none.

    `onward` (rows * columns,): the next cell on the way, as a flat index; the goal's is itself.
    """

    distance: np.ndarray
    onward: np.ndarray

    def ahead(self, cell: np.ndarray, hops: int) -> np.ndarray:
        """The cells (...) that lie `hops` further along the way, as flat indices."""
        for _ in range(hops):
            cell = self.onward[cell]
        return cell

    def cells_from(self, cell: tuple[int, int]) -> np.ndarray:
        """Flat indices (m,) of the cells on the way from a cell to the goal, both included."""
        return follow(self.onward, cell[0] * self.distance.shape[1] + cell[1])


def cheapest_routes(
    cost: np.ndarray, goal: tuple[int, int], cell_size: float, entry: float
) -> Routes:
    """Routes to a goal cell over costs (rows, columns) per metre, inf: closed; by Dijkstra.

    From a closed cell the way begins at the nearest free one, `entry` [m] away at most; so does
    the way to a closed goal.
    """
    rows, columns = cost.shape
    free = np.isfinite(cost)
    onward = np.arange(rows * columns)
    if not free.any():
        return Routes(np.full(cost.shape, np.inf), onward)
    gap, nearest = nearest_cells(free, cell_size)
    nearest = nearest[0] * columns + nearest[1]
    source, target, step, pointers = _edges(rows, columns)
    flat = cost.ravel()
    weight = 0.5 * cell_size * step * (flat[source] + flat[target])
    graph = csr_matrix((weight, target, pointers), shape=(rows * columns,) * 2)
    start = int(nearest[goal] if gap[goal] <= entry else np.ravel_multi_index(goal, cost.shape))
    distance, parent = dijkstra(graph, indices=start, return_predecessors=True)
    onward = np.where(parent >= 0, parent, onward)
    closed = ~free.ravel() & (gap.ravel() <= entry)
    onward[closed] = nearest.ravel()[closed]
    distance = np.where(
        closed,
        distance[nearest.ravel()] + FROM_CLOSED * gap.ravel(),
        np.where(free.ravel(), distance, np.inf),
    )
    return Routes(distance.reshape(cost.shape), onward)


def nearest_cells(cells: np.ndarray, cell_size: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance (rows, columns) m to the nearest of the marked cells, and its indices (2, ...)."""
    result: Any = ndimage.distance_transform_edt(~cells, sampling=cell_size, return_indices=True)
    return result


@lru_cache(maxsize=8)
def _edges(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The 8-connected grid as CSR: sources and targets of edges, steps in cells, row pointers.

    Made once for all costs: a skill plans again and again on one grid.
    """
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
