"""Sensed data -> the scene that the master decides on. No ground truth comes in here."""

from dataclasses import dataclass

import numpy as np

from hrl_core.geometry import (
    compose,
    invert,
    planar_from_transform,
    transform_from_planar,
    wrap_angle,
)
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import Site
from hrl_perception.sectors import scan_sectors, sector_angles

SECTORS = 72
SEEN_LATELY = 3.0  # s; odometry carries an older sight too far off
STALE_SCAN = 1.0  # s; an older scan tells nothing of what is around


@dataclass(frozen=True)
class Seen:
    """Something that perception tracks: where it is in map (4, 4), since when it was not seen."""

    kind: str
    map_from_object: np.ndarray
    age: float  # s
    confidence: float  # 0 to 1


@dataclass(frozen=True)
class Scene:
    """What the master knows at one moment; every field comes from sensors and the site's map."""

    stamp: float
    map_from_base: np.ndarray | None  # (3,) m, m, rad
    position_std: float  # m
    sectors: (
        np.ndarray
    )  # (72,) m, nearest return per sector around the LiDAR, see scan_sectors; or nan
    seen: dict[str, Seen]
    gripper_position: float  # rad
    gripper_effort: float  # N m
    holding: bool
    tilt: float  # rad, between the robot's and the world's vertical
    base_from_lidar: np.ndarray  # (3,) planar pose of lidar_link in base_link
    scan_age: float  # s since the newest scan was taken; inf: never

    def seen_lately(self, target: str) -> np.ndarray | None:
        """Where (4, 4) in map a face is by its detection; None: the map knows better."""
        seen = self.seen.get(target)
        return seen.map_from_object if seen is not None and seen.age < SEEN_LATELY else None

    def in_front(self, target: str, distance: float, mapped: np.ndarray) -> np.ndarray:
        """Pose (3,) in map `distance` [m] in front of a face, as it was seen lately.

        mapped (3,): the same by the map, where it was not.
        """
        face = self.seen_lately(target)
        if face is None:
            return mapped
        yaw = np.arctan2(-face[1, 0], -face[0, 0])
        return np.array([*(face[:2, 3] + distance * face[:2, 0]), yaw])

    def offset_from(self, site: Site, target: str, distance: float) -> np.ndarray | None:
        """Pose (3,) of base_link relative to the pose `distance` [m] in front of a face.

        The face is taken from its detection where it was seen lately, else from the map.
        """
        if self.map_from_base is None:
            return None
        goal = self.in_front(target, distance, site.pose_in_front(target, distance))
        return compose(invert(goal), self.map_from_base)

    def position_at(self, site: Site, target: str) -> np.ndarray | None:
        """Place (2,) [m] of base_link in a face's frame by the map: x out of it, y to its left."""
        if self.map_from_base is None:
            return None
        face = planar_from_transform(site.face(target))
        return compose(invert(face), self.map_from_base)[:2]


@dataclass(frozen=True)
class GripperConfig:
    """When the gripper counts as holding something."""

    min_opening: float = 0.12  # rad from closed; an empty gripper closes to within 0.03
    min_effort: float = 0.8  # N m towards closed


def build_scene(sensed: Sensed, site: Site, robot: Robot, gripper: GripperConfig) -> Scene:
    """Condense what is sensed now; missing sensors leave their fields empty, never invented."""
    map_from_base, std, seen = None, np.inf, {}
    if sensed.odometry is not None and sensed.localisation is not None:
        map_from_odom = sensed.localisation.map_from_odom
        odom_from_base = planar_from_transform(sensed.odometry.odom_from_base)
        map_from_base = compose(map_from_odom, odom_from_base)
        std = float(np.sqrt(np.max(np.diag(sensed.localisation.covariance)[:2])))
        lifted = transform_from_planar(map_from_odom)
        seen = {
            name: Seen(d.kind, lifted @ d.odom_from_object, sensed.stamp - d.stamp, d.confidence)
            for name, d in sensed.detections.items()
        }
    position, effort = np.nan, np.nan
    if sensed.joints is not None:
        position = float(sensed.joints.position[robot.gripper_index])
        effort = float(sensed.joints.effort[robot.gripper_index])
    sectors, scan_age = np.full(SECTORS, np.nan), np.inf
    if sensed.scan is not None:
        scan_age = max(0.0, sensed.stamp - sensed.scan.stamp)
    if sensed.scan is not None and scan_age <= STALE_SCAN:
        scan = robot.lidar.level(sensed.scan)
        sectors = scan_sectors(
            scan.ranges, scan.angle_min, scan.angle_increment, SECTORS, scan.range_max
        )
        sectors[~scan.sees(sector_angles(SECTORS))] = np.nan
    tilt = 0.0
    if sensed.imu is not None:
        tilt = float(np.arccos(np.clip(sensed.imu.up[2], -1, 1)))
    return Scene(
        stamp=sensed.stamp,
        map_from_base=map_from_base,
        position_std=std,
        sectors=sectors,
        seen=seen,
        gripper_position=position,
        gripper_effort=effort,
        holding=is_holding(position, effort, robot, gripper),
        tilt=tilt,
        base_from_lidar=np.array([*robot.lidar.mount.position[:2], 0.0]),
        scan_age=scan_age,
    )


def is_holding(position: float, effort: float, robot: Robot, config: GripperConfig) -> bool:
    """Whether the gripper [rad, N m] is kept open by something that it presses on."""
    direction = np.sign(robot.arm.gripper_closed - robot.arm.gripper_open)
    opening = direction * (robot.arm.gripper_closed - position)
    return bool(opening > config.min_opening and direction * effort > config.min_effort)


def yaw_error(offset: np.ndarray) -> float:
    """Absolute yaw [rad] of an offset (3,)."""
    return float(abs(wrap_angle(offset[2])))


def distance(offset: np.ndarray) -> float:
    """Length [m] of an offset (3,)."""
    return float(np.hypot(offset[0], offset[1]))
