"""Who moves about: people in the planar scan, beside what the map explains.

The scan has no faces: whatever is as wide as a body and has moved counts, a cart as well, and
somebody who has stood still ever since he came into view does not.
"""

from dataclasses import dataclass

import numpy as np

from hrl_core.floor.clearance import footprint_circles
from hrl_core.geometry import transform_from_planar
from hrl_core.robot import Robot
from hrl_core.sensed import Scan
from hrl_core.site import Site
from hrl_perception.outline import Outline

SETTLE, FOLLOW = 0.6, 0.2  # shares of a deviation that correct position and velocity
SLOW = 0.15  # m/s; who is slower stands


@dataclass(frozen=True, kw_only=True)
class PeopleOptions:
    """What counts as a body, and as the same one."""

    range_max: float = 8.0  # m; further off a body is two or three points
    # m from walls, shelves and stations, and more per metre of range: an error of the heading
    beside_map: float = 0.2
    beside_map_far: float = 0.02
    beside_robot: float = 0.15  # m from the footprint: its own arm and what it carries
    gap: float = 0.3  # m between neighbouring points of one body
    width: float = 0.8  # m
    least: int = 3  # points
    depth: float = 0.15  # m from the middle of what is seen of a body to its own
    gate: float = 0.6  # m from where it was expected
    # m from where it was first seen: more than the middle of a box seems to move while the robot
    # sees more of it
    moved: float = 0.6
    kept: float = 1.0  # s without being seen


@dataclass
class _Track:
    position: np.ndarray  # (2,) m in map
    first: np.ndarray  # (2,) m
    seen: float  # s
    velocity: np.ndarray  # (2,) m/s
    heading: float = 0.0  # rad
    has_moved: bool = False


class People:
    """Follows bodies from scan to scan. Deterministic."""

    def __init__(self, site: Site, robot: Robot, options: PeopleOptions | None = None):
        self._options = options or PeopleOptions()
        self._outline, self._size = Outline(site), np.array(site.size)
        self._robot = robot
        self._tracks: list[_Track] = []
        self._stamp = -np.inf

    def see(self, scan: Scan, map_from_base: np.ndarray) -> np.ndarray:
        """Take in a scan from a planar pose (3,) in map; who is there: (n, 3) x, y m, heading rad.

        The heading is that in which they went last. An older scan than the last begins anew.
        """
        if scan.stamp < self._stamp:
            self._tracks = []
        if scan.stamp != self._stamp:
            self._stamp = scan.stamp
            self._follow(self._bodies(scan, map_from_base))
        found = [[*track.position, track.heading] for track in self._tracks if track.has_moved]
        return np.reshape(found, (-1, 3))

    def _bodies(self, scan: Scan, map_from_base: np.ndarray) -> list[np.ndarray]:
        """Middles (2,) m in map of what is as wide as a body."""
        options, base = self._options, self._robot.base
        transform = transform_from_planar(map_from_base)
        turn, shift = transform[:2, :2], transform[:2, 3]
        lidar = turn @ np.array(self._robot.lidar.mount.position[:2]) + shift
        rays = self._robot.lidar.level(scan).points() @ turn.T
        ranges = np.linalg.norm(rays, axis=1)
        points = rays + lidar
        circles = footprint_circles(map_from_base, np.array(base.footprint_x))
        to_robot = np.linalg.norm(points[:, None] - circles, axis=2).min(axis=1)
        kept = (
            (ranges < options.range_max)
            & np.all((points > 0) & (points < self._size), axis=1)
            & (to_robot > base.footprint_radius + options.beside_robot)
            & (
                self._outline.distance(points)
                > options.beside_map + options.beside_map_far * ranges
            )
        )
        points = points[kept]
        if not len(points):
            return []
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        groups = np.split(points, np.flatnonzero(steps > options.gap) + 1)
        if len(groups) > 1 and np.linalg.norm(points[0] - points[-1]) < options.gap:
            groups[0] = np.concatenate([groups.pop(), groups[0]])  # the scan is a circle
        bodies = []
        for group in groups:
            width = np.linalg.norm(group.max(axis=0) - group.min(axis=0))
            if len(group) >= options.least and width < options.width:
                middle = group.mean(axis=0)
                away = (middle - lidar) / np.linalg.norm(middle - lidar)
                bodies.append(middle + options.depth * away)
        return bodies

    def _follow(self, bodies: list[np.ndarray]) -> None:
        """Give each body to the track that expected it nearest; begin and end tracks."""
        expected = [t.position + (self._stamp - t.seen) * t.velocity for t in self._tracks]
        pairs = sorted(
            (float(np.linalg.norm(body - at)), k, n)
            for k, at in enumerate(expected)
            for n, body in enumerate(bodies)
        )
        taken: dict[int, int] = {}
        for distance, k, n in pairs:
            if distance < self._options.gate and k not in taken and n not in taken.values():
                taken[k] = n
        for k, n in taken.items():
            track, late = self._tracks[k], bodies[n] - expected[k]
            track.velocity = track.velocity + FOLLOW * late / (self._stamp - track.seen)
            track.position, track.seen = expected[k] + SETTLE * late, self._stamp
            if np.hypot(*track.velocity) > SLOW:
                track.heading = float(np.arctan2(track.velocity[1], track.velocity[0]))
            come = float(np.linalg.norm(track.position - track.first))
            track.has_moved = track.has_moved or come > self._options.moved
        self._tracks = [t for t in self._tracks if self._stamp - t.seen <= self._options.kept]
        self._tracks += [
            _Track(body, body, self._stamp, np.zeros(2))
            for n, body in enumerate(bodies)
            if n not in taken.values()
        ]
