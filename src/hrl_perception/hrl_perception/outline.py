"""The outline of a site as line segments: what a planar scan sees of walls, shelves, stations."""

import numpy as np

from hrl_core.floor.rectangles import front_corners
from hrl_core.site import Site


class Outline:
    """Segments (m) in map; each has its free side to the right of its direction."""

    def __init__(self, site: Site):
        width, height = site.size
        # Seen from inside, so the other way round than a box that is seen from outside.
        loops = [np.array([[0, 0], [width, 0], [width, height], [0, height]])[::-1]]
        loops += [front_corners(place) for place in site.furniture]
        self.start = np.concatenate(loops)
        step = np.concatenate([np.roll(loop, -1, axis=0) - loop for loop in loops])
        self.length = np.linalg.norm(step, axis=1)
        self.direction = step / self.length[:, None]
        self.normal = np.stack([self.direction[:, 1], -self.direction[:, 0]], axis=1)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Of points (n, 2) m from the nearest segment, on either side: (n,) m."""
        offset = points[:, None] - self.start
        along = np.clip(np.einsum("nmk,mk->nm", offset, self.direction), 0.0, self.length)
        return np.linalg.norm(offset - along[..., None] * self.direction, axis=2).min(axis=1)

    def match(
        self, points: np.ndarray, viewpoint: np.ndarray, gate: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nearest segment within `gate` [m] of each point (n, 2), seen from `viewpoint` (2,).

        Returns, of those k that have one: indices (k,), distances in front of the segment (k,) m
        and the segments' normals (k, 2).
        """
        offset = points[:, None] - self.start
        distance = np.einsum("nmk,mk->nm", offset, self.normal)
        along = np.einsum("nmk,mk->nm", offset, self.direction)
        seen = np.einsum("mk,mk->m", viewpoint - self.start, self.normal) > 0
        possible = seen & (np.abs(distance) < gate) & (along > 0) & (along < self.length)
        nearest = np.argmin(np.where(possible, np.abs(distance), np.inf), axis=1)
        matched = np.flatnonzero(possible[np.arange(len(points)), nearest])
        return matched, distance[matched, nearest[matched]], self.normal[nearest[matched]]
