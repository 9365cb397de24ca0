"""Rays on a floor: ranges of a scan and lines of sight."""

import numpy as np


def edge_ranges(
    origin: np.ndarray, angles: np.ndarray, edges: np.ndarray, limit: float
) -> np.ndarray:
    """Ranges (b,) m of rays from `origin` (2,) m at `angles` (b,) rad to the first of edges (n, 4).

    Edges lie anywhere, see rectangles.outline.
    """
    ray = np.stack([np.cos(angles), np.sin(angles)])[:, :, None]  # (2, b, 1)
    start, along = edges[:, :2] - origin, edges[:, 2:] - edges[:, :2]
    # origin + t * ray = start + u * along, with z components of cross products
    cross = ray[0] * along[:, 1] - ray[1] * along[:, 0]  # (b, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (start[:, 0] * along[:, 1] - start[:, 1] * along[:, 0]) / cross
        u = (start[:, 0] * ray[1] - start[:, 1] * ray[0]) / cross
        hit = (t > 0) & (u >= 0) & (u <= 1)
    return np.minimum(np.where(hit, t, np.inf).min(axis=1, initial=np.inf), limit)


def in_sight(sources: np.ndarray, targets: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Whether no edge (n, 4) m parts sources (k, 2) m from targets (k, 2) m: (k,) bool."""
    if not len(edges):
        return np.ones(len(sources), bool)
    along = edges[:, 2:] - edges[:, :2]
    ray = (targets - sources)[:, None]
    start = edges[:, :2] - sources[:, None]
    cross = ray[..., 0] * along[:, 1] - ray[..., 1] * along[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (start[..., 0] * along[:, 1] - start[..., 1] * along[:, 0]) / cross
        u = (start[..., 0] * ray[..., 1] - start[..., 1] * ray[..., 0]) / cross
        parted = (t > 0) & (t < 1) & (u >= 0) & (u <= 1)
    return np.logical_not(parted.any(axis=1))


def box_ranges(
    origin: np.ndarray,
    angles: np.ndarray,
    boxes: np.ndarray,
    circles: np.ndarray,
    range_max: float,
) -> np.ndarray:
    """Ranges (n, r) m of rays from origins (n, 2) at angles (n, r) rad, for n robots at once.

    `boxes` (n, b, 4) x0, y0, x1, y1 m are aligned with the axes; `circles` (n, c, 3) x, y, radius.
    Apart from `edge_ranges` since boxes need no cross products and single precision is enough for
    training, whose scans are the larger part of a step.
    """
    c, s = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    tiny = np.float32(1e-6)
    per_x = (1 / np.where(np.abs(c) < tiny, tiny, c))[:, :, None]
    per_y = (1 / np.where(np.abs(s) < tiny, tiny, s))[:, :, None]
    offset = np.concatenate([origin, origin], axis=1).astype(np.float32)[:, None]
    sides = (boxes - offset)[:, None]
    x0, x1 = sides[..., 0] * per_x, sides[..., 2] * per_x
    y0, y1 = sides[..., 1] * per_y, sides[..., 3] * per_y
    enters = np.maximum(np.minimum(x0, x1), np.minimum(y0, y1))
    leaves = np.minimum(np.maximum(x0, x1), np.maximum(y0, y1))
    np.maximum(enters, 0, out=enters)
    ranges = np.where(leaves >= enters, enters, range_max).min(-1)
    if circles.shape[1]:
        dx = (circles[:, :, 0] - origin[:, None, 0])[:, None].astype(np.float32)
        dy = (circles[:, :, 1] - origin[:, None, 1])[:, None].astype(np.float32)
        along = dx * c[..., None] + dy * s[..., None]
        chord = circles[:, None, :, 2] ** 2 - (dx * dx + dy * dy - along * along)
        entry = along - np.sqrt(np.maximum(chord, 0))
        hit = (chord > 0) & (along > 0)
        ranges = np.minimum(ranges, np.where(hit, np.maximum(entry, 0), range_max).min(-1))
    return np.minimum(ranges, range_max)
