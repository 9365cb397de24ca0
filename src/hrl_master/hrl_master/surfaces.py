"""What things stand on: the boards of bins, the tops of stations, and which of them are in view."""

import numpy as np

from hrl_core.robot import Robot
from hrl_core.site import MARKER_DROP, Site

FLOOR = "floor"  # face of an item that lies on the floor
FLOOR_HEIGHT = 0.18  # m; boards are at least 0.2 m high
LOOK_RANGE = 1.75  # m from a face; from the staging pose the markers of items are read
LOOK_ANGLE = np.deg2rad(50.0)  # off the face's normal
LOOK_VIEW = np.deg2rad(35.0)  # of the face off the robot's x axis


class Surfaces:
    """All bins and stations of a site, as arrays."""

    def __init__(self, site: Site, robot: Robot):
        camera = robot.cameras["camera"]
        self._highest = robot.legs.standing_height + camera.highest  # m above the floor
        self._eye, self._view = np.array(camera.mount.position[:2]), camera.clear_view
        bins = [(name, shelf) for shelf in site.shelves for name in shelf.bins]
        places = [*bins, *((station.name, station) for station in site.stations)]
        self.names = [name for name, _ in places]
        self.frames = np.array([site.faces[name] for name in self.names])  # (n, 4, 4) map_from_face
        half = [0.5 * shelf.width / len(shelf.bins) for _, shelf in bins]
        self.half = np.array([*half, *(0.5 * station.width for station in site.stations)])  # (n,) m
        self.depth = np.array([place.depth for _, place in places])  # (n,) m

    def face_at(self, position: np.ndarray) -> str:
        """What something at a position (3,) m in map stands on: a bin, a station, FLOOR, or ""."""
        if position[2] < FLOOR_HEIGHT:
            return FLOOR
        away = position - self.frames[:, :3, 3]
        x, y, z = np.einsum("nij,ni->jn", self.frames[:, :3, :3], away)
        inside = (x < 0.1) & (x > -self.depth - 0.1) & (np.abs(y) <= self.half + 0.05)
        inside &= (z > MARKER_DROP - 0.05) & (z < MARKER_DROP + 0.5)
        found = np.flatnonzero(inside)
        return self.names[found[np.argmin(np.abs(y[found]))]] if len(found) else ""

    def expected_in_view(self, base: np.ndarray) -> list[str]:
        """Faces that the camera should see from base_link (3,), were nothing in between."""
        inside = self.in_clear_view(base, self.frames[:, :3, 3])
        return [name for name in self.in_view(base) if inside[self.names.index(name)]]

    def in_clear_view(self, base: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Whether points (..., 3) m in map are ahead of the camera, past the folded arm."""
        c, s = np.cos(base[2]), np.sin(base[2])
        away = points[..., :2] - base[:2] - self._eye @ np.array([[c, s], [-s, c]])
        bearing = np.arctan2(away @ np.array([-s, c]), away @ np.array([c, s]))
        return (bearing > self._view[0]) & (bearing < self._view[1])

    def shows(self, base: np.ndarray, point: np.ndarray) -> bool:
        """Whether something at a point (3,) m in map, before the robot, is in the picture."""
        return bool(point[2] < self._highest and self.in_clear_view(base, point))

    def in_view(self, base: np.ndarray) -> list[str]:
        """Faces in front of base_link (3,), so near that what stands there is read."""
        away = base[:2] - self.frames[:, :2, 3]
        distance = np.hypot(away[:, 0], away[:, 1])
        normal = np.einsum("ni,ni->n", away, self.frames[:, :2, 0])
        ahead = -(away @ np.array([np.cos(base[2]), np.sin(base[2])]))
        near = distance < LOOK_RANGE
        near &= normal > distance * np.cos(LOOK_ANGLE)
        near &= ahead > distance * np.cos(LOOK_VIEW)
        return [self.names[k] for k in np.flatnonzero(near)]
