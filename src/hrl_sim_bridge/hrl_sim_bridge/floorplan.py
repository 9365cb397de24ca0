"""What stands on a site's floor, as rectangles: clearances, and whether a robot can still pass."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from hrl_core.site import Site

CELL = 0.1  # m, grid for checking passages
STEP = 0.2  # m, grid for finding ways


@dataclass(frozen=True)
class Rectangle:
    """A solid on the floor; `pose` (3,) of its centre in map, `size` (2,) m, full extents."""

    name: str
    pose: np.ndarray
    size: np.ndarray

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distance from points in map to the rectangle: (..., 2) m -> (...) m, zero inside."""
        away = points - self.pose[:2]
        c, s = np.cos(self.pose[2]), np.sin(self.pose[2])
        local = np.stack([c * away[..., 0] + s * away[..., 1], c * away[..., 1] - s * away[..., 0]])
        outside = np.maximum(np.abs(local) - 0.5 * self.size.reshape(2, *[1] * (local.ndim - 1)), 0)
        return np.hypot(*outside)


def solids(site: Site) -> list[Rectangle]:
    """Shelves and stations of a site; their poses are those of their front faces."""
    result = []
    for place in (*site.shelves, *site.stations):
        x, y, yaw = place.pose
        centre = [x - 0.5 * place.depth * np.cos(yaw), y - 0.5 * place.depth * np.sin(yaw), yaw]
        size = np.array([place.depth, place.width])
        result.append(Rectangle(place.name, np.array(centre), size))
    return result


def wall_distance(site: Site, points: np.ndarray) -> np.ndarray:
    """Distance to the nearest wall: (..., 2) m -> (...) m, negative outside the site."""
    x, y = points[..., 0], points[..., 1]
    return np.min([x, y, site.size[0] - x, site.size[1] - y], axis=0)


def clearance(site: Site, others: Iterable[Rectangle], points: np.ndarray) -> np.ndarray:
    """Distance to the nearest wall, shelf, station or other solid: (..., 2) m -> (...) m."""
    distances = [rectangle.distance(points) for rectangle in (*solids(site), *others)]
    return np.min([wall_distance(site, points), *distances], axis=0)


def passable(
    site: Site, others: Iterable[Rectangle], places: np.ndarray, width: float
) -> np.ndarray:
    """Which places (n, 2) m a disc `width` [m] across can reach from the first: (n,) bool."""
    shape = tuple(int(np.ceil(length / CELL)) for length in site.size)
    centres = (np.moveaxis(np.indices(shape), 0, -1) + 0.5) * CELL
    free = clearance(site, others, centres) >= 0.5 * width
    regions = np.asarray(ndimage.label(free)[0])  # type: ignore[index]  # it returns a pair
    cells = np.clip((places / CELL).astype(int), 0, np.array(shape) - 1)
    found = regions[cells[:, 0], cells[:, 1]]
    return (found == found[0]) & (found > 0)


def shortest_ways(
    site: Site, others: Iterable[Rectangle], hub: np.ndarray, places: np.ndarray, width: float
) -> list[np.ndarray]:
    """Shortest ways of a disc `width` [m] across from each place (n, 2) m to a hub (2,) m in map.

    Each is (m, 2) m, about STEP apart; empty where there is none (Dijkstra on a grid).
    """
    shape = tuple(int(length / STEP) for length in site.size)
    centres = (np.moveaxis(np.indices(shape), 0, -1) + 0.5) * STEP
    free = clearance(site, others, centres) >= 0.5 * width
    number = np.arange(free.size).reshape(shape)
    starts, ends, lengths = [], [], []
    for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
        here = (slice(0, shape[0] - dx), slice(max(0, -dy), shape[1] - max(0, dy)))
        there = (slice(dx, shape[0]), slice(max(0, dy), shape[1] - max(0, -dy)))
        both = free[here] & free[there]
        starts.append(number[here][both])
        ends.append(number[there][both])
        lengths.append(np.full(len(starts[-1]), STEP * np.hypot(dx, dy)))
    edges = (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends)))
    graph = csr_array(edges, shape=(free.size, free.size))

    def cell(point: np.ndarray) -> int:
        x, y = np.clip((point / STEP).astype(int), 0, np.array(shape) - 1)
        return int(number[x, y])

    before = dijkstra(graph, directed=False, indices=cell(hub), return_predecessors=True)[1]
    ways = []
    for place in places:
        cells = [cell(place)]
        while before[cells[-1]] >= 0:
            cells.append(int(before[cells[-1]]))
        reached = cells[-1] == cell(hub)
        ways.append(centres.reshape(-1, 2)[cells] if reached else np.zeros((0, 2)))
    return ways


def neighbours(site: Site, name: str) -> list[str]:
    """Waypoints that an edge joins with this one."""
    ahead = site.waypoints[name].neighbours
    behind = [other for other, waypoint in site.waypoints.items() if name in waypoint.neighbours]
    return sorted({*ahead, *behind} - {name})


def distance_to_path(path: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance from points (..., 2) m to a line through `path` (n, 2) m: (...) m."""
    starts, ends = path[:-1], path[1:]
    along = ends - starts
    length2 = np.maximum((along**2).sum(axis=1), 1e-12)
    offset = points[..., None, :] - starts
    share = np.clip((offset * along).sum(axis=-1) / length2, 0, 1)
    return np.linalg.norm(offset - share[..., None] * along, axis=-1).min(axis=-1)
