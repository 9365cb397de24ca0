"""What stands on a site's floor, as rectangles: clearances, and whether a robot can still pass."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hrl_core.site import Site

CELL = 0.1  # m, grid for checking passages


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


def distance_to_path(path: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance from points (..., 2) m to a line through `path` (n, 2) m: (...) m."""
    starts, ends = path[:-1], path[1:]
    along = ends - starts
    length2 = np.maximum((along**2).sum(axis=1), 1e-12)
    offset = points[..., None, :] - starts
    share = np.clip((offset * along).sum(axis=-1) / length2, 0, 1)
    return np.linalg.norm(offset - share[..., None] * along, axis=-1).min(axis=-1)
