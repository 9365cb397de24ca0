"""Rectangles on a site's floor: what stands there, and its outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hrl_core.geometry import compose, invert, transform_from_planar, wrap_angle

CORNERS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])  # counter-clockwise, in half sizes


class Place(Protocol):
    """What stands on the floor: the middle of its front edge is at `pose`, x out of it."""

    @property
    def name(self) -> str: ...
    @property
    def pose(self) -> tuple[float, float, float]: ...  # m, m, rad in map
    @property
    def width(self) -> float: ...  # m, along its front
    @property
    def depth(self) -> float: ...  # m


class Floor(Protocol):
    """A floor from the origin of map to `size`, with walls around; a site is one."""

    @property
    def size(self) -> tuple[float, float]: ...  # m
    @property
    def furniture(self) -> Sequence[Place]: ...


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

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """The same, but negative inside, by the distance to the nearest edge: (..., 2) -> (...) m.

        Not `distance` with a sign: its roundings differ, and plans are compared bit for bit.
        """
        x, y, yaw = self.pose
        rectangle_from_map = invert(np.array([x, y, wrap_angle(yaw)]))
        planar = np.concatenate([points, np.zeros((*points.shape[:-1], 1))], axis=-1)
        local = np.abs(compose(rectangle_from_map, planar)[..., :2])
        beyond = local - 0.5 * self.size
        outside = np.hypot(*np.moveaxis(np.maximum(beyond, 0), -1, 0))
        return outside + np.minimum(beyond.max(-1), 0)

    def overlap(self, other: Rectangle) -> float:
        """How far [m] one would have to move for the two to be apart; 0: they are."""
        a, b = self.corners(), other.corners()
        turns = np.array([self.pose[2], other.pose[2]])
        axes = np.array([[np.cos(turns), -np.sin(turns)], [np.sin(turns), np.cos(turns)]])
        a, b = (corners @ axes.reshape(2, -1) for corners in (a, b))
        shared = np.minimum(a.max(0), b.max(0)) - np.maximum(a.min(0), b.min(0))
        return max(0.0, float(shared.min()))

    def corners(self) -> np.ndarray:
        """Corners (4, 2) m in map, counter-clockwise."""
        return _turned(0.5 * self.size * CORNERS, self.pose[2]) + self.pose[:2]


def hall(site: Floor) -> Rectangle:
    """The floor itself; its edges are the walls."""
    width, depth = site.size
    return Rectangle("walls", np.array([0.5 * width, 0.5 * depth, 0.0]), np.array([width, depth]))


def solids(site: Floor) -> list[Rectangle]:
    """Shelves and stations of a site; their poses are those of their front faces."""
    result = []
    for place in site.furniture:
        x, y, yaw = place.pose
        centre = [x - 0.5 * place.depth * np.cos(yaw), y - 0.5 * place.depth * np.sin(yaw), yaw]
        size = np.array([place.depth, place.width])
        result.append(Rectangle(place.name, np.array(centre), size))
    return result


def outline(rectangles: Sequence[Rectangle]) -> np.ndarray:
    """Edges (n, 4) m of rectangles in map: x and y of the start, x and y of the end."""
    edges = []
    for rectangle in rectangles:
        corners = rectangle.corners()
        edges.append(np.concatenate([corners, np.roll(corners, -1, axis=0)], axis=1))
    return np.concatenate(edges) if edges else np.zeros((0, 4))


def site_outline(site: Floor, spacing: float) -> np.ndarray:
    """Points (m, 2) m in map along walls, shelves and stations, `spacing` [m] apart or less."""
    points = []
    for rectangle in (hall(site), *solids(site)):
        corners = 0.5 * rectangle.size * CORNERS
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            share = np.linspace(0, 1, max(2, int(np.hypot(*(b - a)) / spacing)))[:, None]
            local = a + share * (b - a)
            points.append(_turned(local, float(wrap_angle(rectangle.pose[2]))) + rectangle.pose[:2])
    return np.concatenate(points)


def front_corners(place: Place) -> np.ndarray:
    """Corners (4, 2) m of a shelf or station in map: its front edge, then its back, clockwise.

    Straight from the pose of the face, which is what was measured, not by way of the middle.
    """
    half = place.width / 2
    corners = np.array([[0, -half], [0, half], [-place.depth, half], [-place.depth, -half]])
    map_from_place = transform_from_planar(np.array(place.pose))
    return corners @ map_from_place[:2, :2].T + map_from_place[:2, 3]


def wall_boxes(size: tuple[float, float], thickness: float) -> np.ndarray:
    """Walls around a floor of a size [m] as boxes (4, 4): x0, y0, x1, y1 m."""
    (x, y), t = size, thickness
    west, east = [-t, -t, 0.0, y + t], [x, -t, x + t, y + t]
    south, north = [-t, -t, x + t, 0.0], [-t, y, x + t, y + t]
    return np.array([west, east, south, north])


def bounding_box(corners: np.ndarray) -> np.ndarray:
    """Box (4,) x0, y0, x1, y1 m around corners (n, 2) m, square to the axes."""
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _turned(points: np.ndarray, yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return points @ np.array([[c, s], [-s, c]])
