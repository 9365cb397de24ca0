"""Clouds and scans of one or more LiDARs -> one planar scan from lidar_link."""

from dataclasses import dataclass

import numpy as np

from hrl_core.geometry import inverse, rpy_from_rotation
from hrl_core.geometry import rotation_from_rpy as rotation
from hrl_core.robot import Robot
from hrl_core.sensed import Scan

SELF = 0.15  # m round the tool: what the hand holds is no obstacle


@dataclass(frozen=True)
class Looked:
    """What one LiDAR saw: hits (n, 3) m in base_link, and where it saw nothing.

    `free` (k,) rad: azimuths from lidar_link without a hit within reach.
    """

    hits: np.ndarray
    free: np.ndarray


class Flattener:
    """Makes the scan of the robot file: the nearest return per azimuth within its height band."""

    def __init__(self, robot: Robot):
        self._robot, self._lidar = robot, robot.lidar
        self._lidar_from_base = inverse(robot.lidar.mount.parent_from_sensor())
        self._step = 2 * np.pi / robot.lidar.beams

    def from_cloud(
        self,
        points: np.ndarray,
        odom_from_base: np.ndarray,
        view: tuple[float, float],
        tool: np.ndarray | None,
    ) -> Looked:
        """What a cloud (n, 3) m in base_link says.

        The floor is level in odom and lies the standing height below base_link. `view` rad from
        lidar_link: where the LiDAR looks. `tool` (3,) m in base_link: the hand, which is no
        obstacle, nor is the robot's own body.
        """
        points = points[np.isfinite(points).all(axis=1)]
        roll, pitch, _ = rpy_from_rotation(odom_from_base[:3, :3])
        up = rotation(roll, pitch, 0.0)[2]
        height = points @ up + self._robot.legs.standing_height
        low, high = self._lidar.height_band
        keep = (height >= low) & (height <= high)
        base = self._robot.base
        for x in base.footprint_x:
            keep &= np.hypot(points[:, 0] - x, points[:, 1]) > base.footprint_radius
        if tool is not None:
            keep &= ((points - tool) ** 2).sum(axis=1) > SELF**2
        azimuths = self._azimuths()
        return Looked(points[keep], azimuths[(azimuths >= view[0]) & (azimuths <= view[1])])

    def from_scan(self, scan: Scan, base_from_sensor: np.ndarray) -> Looked:
        """What a planar scan says whose sensor is at a pose (4, 4) in base_link."""
        angles, ranges = scan.angles, scan.ranges
        rays = np.stack([np.cos(angles), np.sin(angles), np.zeros(len(angles))], axis=-1)
        hit = np.isfinite(ranges)
        points = (ranges[hit, None] * rays[hit]) @ base_from_sensor[:3, :3].T
        far = (scan.range_max * rays[np.isposinf(ranges)]) @ base_from_sensor[:3, :3].T
        free = self._seen(far + base_from_sensor[:3, 3])[0]
        return Looked(points + base_from_sensor[:3, 3], free)

    def merge(self, stamp: float, parts: list[Looked]) -> Scan:
        """One scan in lidar_link of all that was seen; nan: nobody looked there."""
        beams, lidar = self._lidar.beams, self._lidar
        ranges = np.full(beams, np.inf)
        seen = np.zeros(beams, bool)
        for part in parts:
            azimuths, distances = self._seen(part.hits)
            near = (distances >= lidar.range_min) & (distances <= lidar.range_max)
            beam = self._beam(azimuths[near])
            np.minimum.at(ranges, beam, distances[near])
            seen[beam] = True
            seen[self._beam(part.free)] = True
        # A coarser scan leaves single beams out between those that it has.
        seen |= np.roll(seen, 1) & np.roll(seen, -1)
        ranges[~seen] = np.nan
        return Scan(stamp, ranges, -np.pi, self._step, lidar.range_max)

    def _azimuths(self) -> np.ndarray:
        return -np.pi + self._step * np.arange(self._lidar.beams)

    def _beam(self, azimuths: np.ndarray) -> np.ndarray:
        return np.round((azimuths + np.pi) / self._step).astype(int) % self._lidar.beams

    def _seen(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Azimuths (n,) rad and distances (n,) m from lidar_link of points (n, 3) in base_link."""
        local = points @ self._lidar_from_base[:3, :3].T + self._lidar_from_base[:3, 3]
        return np.arctan2(local[:, 1], local[:, 0]), np.hypot(local[:, 0], local[:, 1])
