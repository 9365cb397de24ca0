"""Distances on a floor: of points and of the robot's footprint, from walls and what stands there.

Rectangles may be turned. Boxes are rows x0, y0, x1, y1 [m] square to the axes: they serve
thousands of robots at once.
"""

from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
from scipy.ndimage import map_coordinates

from hrl_core.floor.grid import Grid
from hrl_core.floor.rectangles import Floor, Rectangle, solids

NOBODY = 90.0  # m, the distance from circles where there are none


def wall_distance(size: tuple[float, float], points: np.ndarray) -> np.ndarray:
    """Distance to the nearest wall of a floor of a size [m]: (..., 2) m -> (...) m, < 0 outside."""
    x, y = points[..., 0], points[..., 1]
    return np.min([x, y, size[0] - x, size[1] - y], axis=0)


def free_distance(
    size: tuple[float, float], rectangles: Iterable[Rectangle], points: np.ndarray
) -> np.ndarray:
    """Distance to the nearest wall or rectangle: (..., 2) m -> (...) m, 0 inside a rectangle."""
    distances = (rectangle.distance(points) for rectangle in rectangles)
    return reduce(np.minimum, distances, wall_distance(size, points))  # one by one: halls are wide


def clearance(site: Floor, others: Iterable[Rectangle], points: np.ndarray) -> np.ndarray:
    """Distance to the nearest wall, shelf, station or other solid: (..., 2) m -> (...) m."""
    return free_distance(site.size, (*solids(site), *others), points)


def signed_clearance(site: Floor, points: np.ndarray) -> np.ndarray:
    """Distance to the nearest wall, shelf or station of the map: (..., 2) m -> (...) m.

    Negative outside the walls and inside shelves and stations.
    """
    distances = [solid.signed_distance(points) for solid in solids(site)]
    return np.min([wall_distance(site.size, points), *distances], axis=0)


def distance_to_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Distance (...) m of points (..., 2) m from the nearest of boxes (..., b, 4); 0 inside."""
    return np.hypot(*_beyond(points[..., 0], points[..., 1], boxes)).min(-1)


def footprint_circles(pose: np.ndarray, footprint_x: np.ndarray) -> np.ndarray:
    """Middles (..., k, 2) m of the footprint's circles at planar poses (..., 3).

    footprint_x (k,) m: where they lie along x of base_link.
    """
    x = pose[..., 0, None] + np.cos(pose[..., 2, None]) * footprint_x
    y = pose[..., 1, None] + np.sin(pose[..., 2, None]) * footprint_x
    return np.stack([x, y], axis=-1)


def footprint_clearance(
    pose: np.ndarray, boxes: np.ndarray, circles: np.ndarray, footprint_x: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n,), (n,) m of footprints at poses (n, 3) from boxes and circles; < 0: contact.

    `boxes` (n, b, 4) m; `circles` (n, c, 3) x, y, radius m; `footprint_x`, `radius` m: the robot's.
    """
    middles = footprint_circles(pose, footprint_x)
    x, y = middles[..., 0], middles[..., 1]
    dx, dy = _beyond(x, y, boxes[:, None])
    # Not hypot: this is asked at every step of training, and hypot takes several times as long.
    to_boxes = np.sqrt(dx * dx + dy * dy).min((1, 2)) - radius
    if not circles.shape[1]:
        return to_boxes, np.full(len(pose), NOBODY)
    gap = np.hypot(x[..., None] - circles[:, None, :, 0], y[..., None] - circles[:, None, :, 1])
    return to_boxes, (gap - circles[:, None, :, 2]).min((1, 2)) - radius


def footprint_room(
    clearance: np.ndarray, grid: Grid, footprint_x: Sequence[float], poses: np.ndarray
) -> np.ndarray:
    """Room (...) m of the footprint's circles' middles at poses (..., 3), by a map of distances.

    clearance (rows, columns) m: of the grid's cells from what is occupied; interpolated, 0 outside.
    """
    origin = np.array(grid.origin).reshape(2, *[1] * (poses.ndim - 1))
    room = np.full(poses.shape[:-1], np.inf)
    for offset in footprint_x:  # one after the other: all at once needs k times the memory
        middles = footprint_circles(poses, np.array([offset]))[..., 0, :]
        places = (np.moveaxis(middles, -1, 0) - origin) / grid.cell - 0.5
        room = np.minimum(room, map_coordinates(clearance, places, order=1, cval=0.0))
    return room


def _beyond(x: np.ndarray, y: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far (..., b) m points x, y (...) lie beyond boxes (..., b, 4) along x and y; 0: not."""
    x, y = x[..., None], y[..., None]
    dx = np.maximum(np.maximum(boxes[..., 0] - x, x - boxes[..., 2]), 0)
    dy = np.maximum(np.maximum(boxes[..., 1] - y, y - boxes[..., 3]), 0)
    return dx, dy
