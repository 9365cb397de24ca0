"""What the robot senses, free of ROS. Times are ROS time in seconds; frames follow REP-105."""

from dataclasses import dataclass, field

import numpy as np

from hrl_core.geometry import wrap_angle

SEEN_BESIDE = 0.1  # rad from a beam, within which a thing that one walks into is seen


@dataclass(frozen=True)
class Scan:
    """Planar scan: ranges (n,) m; inf: nothing within range; nan: no measurement.

    From sensors in lidar_link; in base_link's directions, from where the LiDAR is, after
    `Lidar.level` of hrl_core.robot.
    """

    stamp: float
    ranges: np.ndarray
    angle_min: float  # rad, of the first beam
    angle_increment: float  # rad
    range_max: float  # m

    @property
    def angles(self) -> np.ndarray:
        """Beam angles (n,) rad, counter-clockwise from its x axis."""
        return self.angle_min + self.angle_increment * np.arange(len(self.ranges))

    def points(self) -> np.ndarray:
        """Hits (m, 2) m from the LiDAR; beams without a hit are left out."""
        hit = np.isfinite(self.ranges)
        r, a = self.ranges[hit], self.angles[hit]
        return np.stack([r * np.cos(a), r * np.sin(a)], axis=-1)

    def sees(self, bearings: np.ndarray) -> np.ndarray:
        """Whether beams near bearings (k,) rad from the LiDAR measured anything: (k,) bool."""
        measured = self.angles[~np.isnan(self.ranges)]
        if not len(measured):
            return np.zeros(len(bearings), bool)
        off = np.abs(wrap_angle(bearings[:, None] - measured)).min(axis=1)
        return off < max(SEEN_BESIDE, self.angle_increment)


@dataclass(frozen=True)
class Joints:
    """Joint states (n,) in the robot file's order: legs, arm, gripper; rad, rad/s, N m."""

    stamp: float
    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray


@dataclass(frozen=True)
class Odometry:
    """Drifting pose (4, 4) of base_link in odom; twist (3,) m/s, m/s, rad/s in base_link."""

    stamp: float
    odom_from_base: np.ndarray
    twist: np.ndarray


@dataclass(frozen=True)
class Imu:
    """IMU in base_link: angular velocity (3,) rad/s and the world's up direction (3,)."""

    stamp: float
    angular_velocity: np.ndarray
    up: np.ndarray


@dataclass(frozen=True)
class CameraFrame:
    """One RGB-D picture: rgb (h, w, 3) uint8; depth (h, w) float32 m along the axis, 0: none.

    `matrix` (3, 3) pixels; `base_from_optical` (4, 4): optical frame (z forward, x right, y down)
    in base_link at the stamp.
    """

    stamp: float
    name: str
    rgb: np.ndarray
    depth: np.ndarray
    matrix: np.ndarray
    base_from_optical: np.ndarray


@dataclass(frozen=True)
class Detection:
    """A bin, station or item that perception tracks: its frame in odom (4, 4).

    Frames of bins and stations: origin at the marker's centre, x out of the face, z up.
    Frame of an item: origin at its centre, x out of its labelled front, z up.
    """

    stamp: float  # when it was last seen
    kind: str  # "bin", "station", "item"
    name: str
    marker_id: int
    odom_from_object: np.ndarray
    covariance: np.ndarray  # (6, 6) x, y, z m, roll, pitch, yaw rad, in odom
    confidence: float  # 0 to 1


@dataclass(frozen=True)
class Localisation:
    """map -> odom as a planar pose (3,) [m, m, rad].

    `covariance` (3, 3) m, m, rad: of base_link's planar pose in map at the stamp.
    """

    stamp: float
    map_from_odom: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class Sensed:
    """The latest of everything at one control tick; None or an empty dict: nothing usable."""

    stamp: float
    scan: Scan | None = None
    joints: Joints | None = None
    odometry: Odometry | None = None
    imu: Imu | None = None
    localisation: Localisation | None = None
    detections: dict[str, Detection] = field(default_factory=dict)  # by name
    refused: dict[str, str] = field(default_factory=dict)  # why the newest of a topic is unusable
