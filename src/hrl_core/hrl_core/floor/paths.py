"""Lines on a floor: points (n, 2) m in map, one after the other."""

import numpy as np


def lengths_along(path: np.ndarray) -> np.ndarray:
    """Length of a path (n, 2) m up to each of its points: (n,) m."""
    return np.concatenate([[0.0], np.cumsum(_steps(path))])


def path_length(path: np.ndarray) -> float:
    """Length [m] of a path (n, 2) m."""
    return float(_steps(path).sum())


def point_on(path: np.ndarray, distance: float) -> np.ndarray:
    """Point (2,) m at a distance [m] along a path (n, 2) m; beyond its ends: the ends."""
    lengths = lengths_along(path)
    return np.array([np.interp(distance, lengths, path[:, k]) for k in range(2)])


def point_and_direction(path: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Point (2,) m at a share of a path's length, and the path's direction (2,) there."""
    lengths = _steps(path)
    ends = np.cumsum(lengths)
    k = min(int(np.searchsorted(ends, share * ends[-1])), len(lengths) - 1)
    direction = (path[k + 1] - path[k]) / max(lengths[k], 1e-9)
    return path[k] + (share * ends[-1] - ends[k] + lengths[k]) * direction, direction


def distance_to_path(path: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance from points (..., 2) m to a path (n, 2) m: (...) m."""
    starts, ends = path[:-1], path[1:]
    along = ends - starts
    length2 = np.maximum((along**2).sum(axis=1), 1e-12)
    offset = points[..., None, :] - starts
    share = np.clip((offset * along).sum(axis=-1) / length2, 0, 1)
    return np.linalg.norm(offset - share[..., None] * along, axis=-1).min(axis=-1)


def _steps(path: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(path, axis=0), axis=1)
