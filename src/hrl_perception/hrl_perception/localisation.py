"""Where the robot is in the map: a planar Kalman filter over odometry and what stands still.

State: map_from_base (3,) [m, m, rad]. Odometry moves it; markers of known place correct it, and so
does the scan where it shows walls, shelves and stations. Thrun, Burgard, Fox, Probabilistic
Robotics (2005), chapter 7; Bell and Cathey, The iterated Kalman filter update (1993).
"""

from dataclasses import dataclass

import numpy as np

from hrl_core.geometry import (
    compose,
    invert,
    planar_from_transform,
    transform_from_planar,
    wrap_angle,
)
from hrl_core.sensed import Localisation
from hrl_core.site import Site
from hrl_perception.outline import Outline
from hrl_perception.sightings import Sighting

UNKNOWN = np.diag([1e2, 1e2, 10.0])  # covariance before anything of known place was seen


@dataclass(frozen=True, kw_only=True)
class OdometryNoise:
    """Random walk of the odometry, as standard deviations after one metre or one radian."""

    position: float = 0.015  # m per sqrt(m)
    yaw_by_distance: float = 0.02  # rad per sqrt(m)
    yaw_by_turn: float = 0.03  # rad per sqrt(rad)

    def covariance(self, motion: np.ndarray) -> np.ndarray:
        """Covariance (3, 3) of a planar motion (3,) in base_link."""
        distance, turn = float(np.hypot(motion[0], motion[1])), abs(float(motion[2]))
        position = self.position**2 * (distance + 0.1 * turn)
        yaw = self.yaw_by_distance**2 * distance + self.yaw_by_turn**2 * turn
        return np.diag([position, position, yaw])


@dataclass(frozen=True, kw_only=True)
class LocalisationOptions:
    """How far markers and scans are trusted."""

    gate: float = 16.3  # squared Mahalanobis distance; 99.9 % of right ones (3 degrees of freedom)
    lost_after: int = 8  # sightings refused in a row: the robot is not where it thinks; start anew
    scan_noise: float = 0.03  # m, of one beam; lidar and what the map leaves out
    scan_beams: float = 20.0  # beams whose errors are independent; more do not count for more
    scan_least: int = 15  # beams that must match the map
    scan_gate: float = 0.3  # m, largest distance of a beam's end from the map
    # Errors that do not average out: the pose never counts as better known than this.
    position_floor: float = 0.01  # m
    yaw_floor: float = 0.006  # rad


class Localiser:
    """Planar Kalman filter. Call `move` with every odometry, `see` with every sighting."""

    def __init__(
        self,
        site: Site,
        noise: OdometryNoise | None = None,
        options: LocalisationOptions | None = None,
    ):
        self._outline = Outline(site)
        self._faces = {name: planar_from_transform(face) for name, face in site.faces.items()}
        self._noise = noise or OdometryNoise()
        self._options = options or LocalisationOptions()
        self._floor = np.diag(
            [
                self._options.position_floor**2,
                self._options.position_floor**2,
                self._options.yaw_floor**2,
            ]
        )
        self._map_from_base: np.ndarray | None = None
        self._covariance = UNKNOWN.copy()
        self._odom_from_base: np.ndarray | None = None
        self._refused = 0

    @property
    def known(self) -> bool:
        """Whether the pose is known at all."""
        return self._map_from_base is not None

    def reset(
        self, map_from_base: np.ndarray, covariance: np.ndarray, odom_from_base: np.ndarray
    ) -> None:
        """Start from a planar pose (3,) in map with covariance (3, 3), at a planar pose in odom."""
        map_from_base = np.array(map_from_base, float)
        covariance = np.array(covariance, float)
        if map_from_base.shape != (3,) or not np.all(np.isfinite(map_from_base)):
            raise ValueError(f"map_from_base = {map_from_base}: needs x, y, yaw, all finite")
        if covariance.shape != (3, 3) or not np.all(np.isfinite(covariance)):
            raise ValueError(f"covariance = {covariance}: needs (3, 3), all finite")
        if np.any(np.linalg.eigvalsh((covariance + covariance.T) / 2) < -1e-9):
            raise ValueError(f"covariance = {covariance}: must not be negative in any direction")
        self._map_from_base = map_from_base
        self._covariance = covariance + self._floor
        self._odom_from_base = np.array(odom_from_base, float)
        self._refused = 0

    def forget(self) -> None:
        """Know nothing again."""
        self._map_from_base, self._odom_from_base = None, None
        self._covariance = UNKNOWN.copy()
        self._refused = 0

    def move(self, odom_from_base: np.ndarray) -> None:
        """Follow the odometry to a planar pose (3,) in odom."""
        previous, self._odom_from_base = self._odom_from_base, np.array(odom_from_base, float)
        if previous is None or self._map_from_base is None:
            return
        motion = compose(invert(previous), self._odom_from_base)
        before = self._map_from_base
        self._map_from_base = compose(before, motion)
        jacobian = np.eye(3)
        jacobian[0, 2] = before[1] - self._map_from_base[1]
        jacobian[1, 2] = self._map_from_base[0] - before[0]
        turn = transform_from_planar(np.array([0, 0, before[2]]))[:3, :3]
        self._covariance = jacobian @ self._covariance @ jacobian.T
        self._covariance += turn @ self._noise.covariance(motion) @ turn.T

    def see(self, sighting: Sighting) -> bool:
        """Correct by a thing of known place, sighted in the level frame of base_link at present.

        Returns whether the sighting was believed.
        """
        map_from_face = self._faces.get(sighting.marker.name)
        if map_from_face is None or self._odom_from_base is None:
            return False
        base_from_face = planar_from_transform(sighting.frame_from_object)
        planar = np.ix_([0, 1, 5], [0, 1, 5])
        noise = sighting.covariance[planar]
        if self._map_from_base is None or self._refused >= self._options.lost_after:
            self._start_at(compose(map_from_face, invert(base_from_face)), base_from_face, noise)
            return True
        x, y, yaw = self._map_from_base
        c, s = np.cos(yaw), np.sin(yaw)
        dx, dy = map_from_face[0] - x, map_from_face[1] - y
        expected = compose(invert(self._map_from_base), map_from_face)
        jacobian = np.array([[-c, -s, -s * dx + c * dy], [s, -c, -c * dx - s * dy], [0, 0, -1.0]])
        innovation = base_from_face - expected
        innovation[2] = wrap_angle(innovation[2])
        believed = self._correct(innovation, jacobian, noise)
        self._refused = 0 if believed else self._refused + 1
        return believed

    def match(self, points: np.ndarray, viewpoint: np.ndarray) -> bool:
        """Correct by ends of beams (n, 2) m from `viewpoint` (2,) m, all in base_link at present.

        Returns whether enough of them match the map.
        """
        options = self._options
        if self._map_from_base is None:
            return False
        position_spread = np.sqrt(np.max(np.diag(self._covariance)[:2]))
        if position_spread > options.scan_gate:
            return False
        gate = min(options.scan_gate, 3 * (position_spread + options.scan_noise))
        prior, pose = self._map_from_base, self._map_from_base
        prior_information = np.linalg.inv(self._covariance)
        information = prior_information
        for _ in range(2):
            map_from_base = transform_from_planar(pose)
            turned = points @ map_from_base[:2, :2].T
            seen_from = map_from_base[:2, :2] @ viewpoint + pose[:2]
            matched, distance, normal = self._outline.match(turned + pose[:2], seen_from, gate)
            if len(matched) < options.scan_least:
                return False
            x, y = turned[matched].T
            jacobian = np.column_stack([normal, normal[:, 1] * x - normal[:, 0] * y])
            weight = min(1.0, options.scan_beams / len(matched)) / options.scan_noise**2
            information = prior_information + weight * jacobian.T @ jacobian
            step = prior - pose
            step[2] = wrap_angle(step[2])
            gradient = prior_information @ step - weight * jacobian.T @ distance
            pose = pose + np.linalg.solve(information, gradient)
        self._map_from_base = np.array([pose[0], pose[1], wrap_angle(pose[2])])
        self._covariance = at_least(np.linalg.inv(information), self._floor)
        return True

    def localisation(self, stamp: float) -> Localisation:
        """map -> odom, and how well base_link is known in map."""
        if self._map_from_base is None or self._odom_from_base is None:
            return Localisation(stamp, np.zeros(3), UNKNOWN.copy())
        map_from_odom = compose(self._map_from_base, invert(self._odom_from_base))
        return Localisation(stamp, map_from_odom, self._covariance.copy())

    def _start_at(
        self, map_from_base: np.ndarray, base_from_face: np.ndarray, noise: np.ndarray
    ) -> None:
        lever = float(np.hypot(base_from_face[0], base_from_face[1]))
        yaw = noise[2, 2] + self._options.yaw_floor**2
        position = np.max(np.diag(noise)[:2]) + yaw * lever**2
        self._map_from_base = map_from_base
        self._covariance = np.diag([position, position, yaw]) + self._floor
        self._refused = 0

    def _correct(self, innovation: np.ndarray, jacobian: np.ndarray, noise: np.ndarray) -> bool:
        spread = jacobian @ self._covariance @ jacobian.T + noise
        if innovation @ np.linalg.solve(spread, innovation) > self._options.gate:
            return False
        gain = np.linalg.solve(spread, jacobian @ self._covariance).T
        assert self._map_from_base is not None  # `see` checks
        pose = self._map_from_base + gain @ innovation
        self._map_from_base = np.array([pose[0], pose[1], wrap_angle(pose[2])])
        rest = np.eye(3) - gain @ jacobian
        # Joseph's form keeps the covariance symmetric and positive.
        self._covariance = rest @ self._covariance @ rest.T + gain @ noise @ gain.T
        self._covariance = at_least(self._covariance, self._floor)
        return True


def at_least(covariance: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Raise the variances (the diagonal) of a covariance to those of a floor."""
    return covariance + np.diag(np.maximum(0.0, np.diag(floor) - np.diag(covariance)))
