"""State of the plant -> what the robot's sensors say of it.

Every reading draws its noise from a generator of its own, seeded by the trial, the sensor and the
tick: a reading does not depend on which others were taken.
"""

import math
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np

from hrl_core.control import TICK
from hrl_core.geometry import (
    planar_from_transform,
    rotation_from_rpy,
    transform_from,
    transform_from_planar,
)
from hrl_core.robot import Lidar, Robot
from hrl_core.sensed import Imu, Joints, Odometry, Scan, Sensed
from hrl_sim_bridge.plant.robot_model import SCENE, TOOL, WALLS, body_of_link
from hrl_sim_bridge.worlds.faults import FaultKind
from hrl_sim_bridge.worlds.world import ImuNoise, JointNoise, Noise, OdometryNoise, ScanNoise

SELF_FILTER = 0.15  # m round the tool: what the hand holds is no obstacle
STREAMS = ("scan", "joints", "odometry", "imu", "gait", "drift", "camera", "hand_camera")


def generator(seed: int, stream: str, tick: int = 0) -> np.random.Generator:
    """Random numbers of one sensor at one tick of a trial."""
    return np.random.default_rng([seed, STREAMS.index(stream), tick])


def as_slice(indices: list[int]) -> slice | list[int]:
    """A slice where the indices run on: views are cheaper than copies."""
    if indices == list(range(indices[0], indices[0] + len(indices))):
        return slice(indices[0], indices[0] + len(indices))
    return indices


class Body:
    """Where the quantities of the robot lie in MuJoCo's arrays."""

    def __init__(self, robot: Robot, model: mujoco.MjModel) -> None:
        self.id = model.body(body_of_link(robot, "base_link")).id
        joints = [model.joint(name) for name in robot.joints]
        legs = len(robot.legs.joints)
        positions = [int(joint.qposadr[0]) for joint in joints]
        velocities = [int(joint.dofadr[0]) for joint in joints]
        self.position, self.leg_position = as_slice(positions), as_slice(positions[:legs])
        self.velocity, self.leg_velocity = as_slice(velocities), as_slice(velocities[:legs])
        self.actuator = as_slice([model.actuator(name).id for name in robot.joints])
        root = int(model.jnt_qposadr[model.body_jntadr[self.id]])
        self.root_position = slice(root, root + 7)
        self.root_quaternion = slice(root + 3, root + 7)
        dof = int(model.jnt_dofadr[model.body_jntadr[self.id]])
        self.root_linear, self.root_angular = slice(dof, dof + 3), slice(dof + 3, dof + 6)

    def planar(self, data: mujoco.MjData) -> tuple[float, float, float]:
        """Planar pose x, y m, yaw rad of base_link in map."""
        x, y, _, w, i, j, k = data.qpos[self.root_position].tolist()
        return x, y, math.atan2(2 * (i * j + w * k), 1 - 2 * (j * j + k * k))

    def rotation(self, data: mujoco.MjData) -> np.ndarray:
        """map_from_base rotation (3, 3), of this instant: xmat is one physics step behind."""
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, data.qpos[self.root_quaternion])
        return matrix.reshape(3, 3)

    def map_from_base(self, data: mujoco.MjData) -> np.ndarray:
        """Pose (4, 4) of base_link."""
        return transform_from(data.qpos[self.root_position][:3], self.rotation(data))

    def twist(self, data: mujoco.MjData) -> np.ndarray:
        """Velocity (3,) vx, vy m/s, wz rad/s in base_link."""
        velocity = self.rotation(data).T @ data.qvel[self.root_linear]
        return np.array([velocity[0], velocity[1], data.qvel[self.root_angular][2]])


def joints(
    body: Body, data: mujoco.MjData, noise: JointNoise, rng: np.random.Generator, stamp: float
) -> Joints:
    """Encoders and motor currents."""
    position = data.qpos[body.position]
    n = len(position)
    return Joints(
        stamp=stamp,
        position=position + noise.position * rng.standard_normal(n),
        velocity=data.qvel[body.velocity] + noise.velocity * rng.standard_normal(n),
        effort=data.actuator_force[body.actuator] + noise.effort * rng.standard_normal(n),
    )


def imu(
    body: Body, data: mujoco.MjData, noise: ImuNoise, rng: np.random.Generator, stamp: float
) -> Imu:
    """Angular velocity and the direction of up, in base_link."""
    up = body.rotation(data)[2] + noise.up * rng.standard_normal(3)
    return Imu(
        stamp=stamp,
        angular_velocity=data.qvel[body.root_angular]
        + noise.angular_velocity * rng.standard_normal(3),
        up=up / np.linalg.norm(up),
    )


class OdometryDrift:
    """Visual odometry: distances scaled wrongly, heading on a random walk over the way."""

    def __init__(self, noise: OdometryNoise, seed: int, map_from_base: np.ndarray) -> None:
        self._noise = noise
        self._rng = generator(seed, "drift")
        self._scale = 1 + noise.scale * self._rng.standard_normal()
        self._last = tuple(planar_from_transform(map_from_base))
        self._odom_from_base = (0.0, 0.0, 0.0)  # odom lies where the robot starts

    def advance(self, x: float, y: float, yaw: float) -> None:
        """Take up the way since the last tick to the true pose [m, m, rad] in map.

        Plain floats: arrays this small cost ten times as much.
        """
        dx, dy, last_yaw = x - self._last[0], y - self._last[1], self._last[2]
        self._last = (x, y, yaw)
        c, s = math.cos(last_yaw), math.sin(last_yaw)
        forward = self._scale * (c * dx + s * dy)
        left = self._scale * (c * dy - s * dx)
        drift = self._noise.yaw * math.sqrt(math.hypot(dx, dy)) * self._rng.standard_normal()
        turn = math.remainder(yaw - last_yaw, math.tau) + drift
        x, y, yaw = self._odom_from_base
        c, s = math.cos(yaw), math.sin(yaw)
        self._odom_from_base = (x + c * forward - s * left, y + s * forward + c * left, yaw + turn)

    def read(
        self, map_from_base: np.ndarray, twist: np.ndarray, rng: np.random.Generator, stamp: float
    ) -> Odometry:
        """Height, roll and pitch are felt by legs and IMU and do not drift."""
        noise = self._noise
        planar = np.array(self._odom_from_base) + rng.standard_normal(3) * [
            noise.position_white,
            noise.position_white,
            noise.angle_white,
        ]
        yaw_true = transform_from_planar(planar_from_transform(map_from_base))
        level_from_base = yaw_true[:3, :3].T @ map_from_base[:3, :3]
        roll, pitch = noise.angle_white * rng.standard_normal(2)
        tilt = rotation_from_rpy(roll, pitch, 0.0)
        height = map_from_base[2, 3] + noise.position_white * rng.standard_normal()
        odom_from_level = transform_from_planar(planar, height)
        odom_from_base = odom_from_level @ transform_from((0, 0, 0), tilt @ level_from_base)
        return Odometry(
            stamp, odom_from_base, twist + noise.velocity_white * rng.standard_normal(3)
        )


class LidarSensor:
    """Rings of beams flattened to a planar scan: per azimuth the nearest return in a height band.

    Returns are expressed as horizontal distance in lidar_link. Returns near the floor, above the
    band and round the tool are filtered out, as the driver of a real scanner does.
    """

    def __init__(self, robot: Robot, model: mujoco.MjModel) -> None:
        self._lidar: Lidar = robot.lidar
        self._mount = robot.lidar.mount.parent_from_sensor()
        self._tool = model.site(TOOL).id
        self.angle_increment = 2 * np.pi / robot.lidar.beams
        azimuths = -np.pi + self.angle_increment * np.arange(robot.lidar.beams)
        elevations = np.array(robot.lidar.elevations)[:, None]
        self._flat = np.cos(elevations)  # (rings, 1): slant -> horizontal range
        self._rays = np.stack(
            [
                self._flat * np.cos(azimuths),
                self._flat * np.sin(azimuths),
                np.broadcast_to(np.sin(elevations), (len(elevations), len(azimuths))),
            ],
            axis=-1,
        )  # (rings, beams, 3) in lidar_link
        self._groups = np.zeros(6, np.uint8)
        self._groups[[SCENE, WALLS]] = 1
        n = self._rays.shape[0] * self._rays.shape[1]
        self._geoms, self._distances = np.empty(n, np.int32), np.empty(n)

    def ranges(
        self, model: mujoco.MjModel, data: mujoco.MjData, map_from_base: np.ndarray
    ) -> np.ndarray:
        """Ranges without noise (beams,) m; inf: nothing within reach."""
        lidar = self._lidar
        slant, points = self._returns(model, data, map_from_base)
        hit = np.isfinite(slant)
        low, high = lidar.height_band
        hit &= (points[..., 2] >= low) & (points[..., 2] <= high)
        hit &= ((points - data.site_xpos[self._tool]) ** 2).sum(axis=-1) > SELF_FILTER**2
        flat = np.where(hit, slant * self._flat, np.inf)
        hit &= (flat >= lidar.range_min) & (flat <= lidar.range_max)
        return np.where(hit, flat, np.inf).min(axis=0)

    def cloud(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        map_from_base: np.ndarray,
        noise: ScanNoise,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """All returns (n, 3) m in lidar_link, floor and all, with noise and dropout."""
        slant, _ = self._returns(model, data, map_from_base)
        slant = slant + noise.sd * rng.standard_normal(slant.shape)
        hit = np.isfinite(slant) & (slant > 0) & (rng.random(slant.shape) >= noise.dropout)
        return slant[hit, None] * self._rays[hit]

    def _returns(
        self, model: mujoco.MjModel, data: mujoco.MjData, map_from_base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distances (rings, beams) m, inf: none, and where they end (rings, beams, 3) m in map."""
        map_from_lidar = map_from_base @ self._mount
        origin = map_from_lidar[:3, 3]
        rays = self._rays @ map_from_lidar[:3, :3].T
        mujoco.mj_multiRay(
            model,
            data,
            origin,
            rays.ravel(),
            self._groups,
            True,
            -1,
            self._geoms,
            self._distances,
            None,
            len(self._distances),
            self._lidar.range_max / self._flat.min(),
        )
        slant = np.where(self._geoms >= 0, self._distances, np.inf).reshape(rays.shape[:2])
        return slant, origin + np.where(np.isfinite(slant), slant, 0)[..., None] * rays

    def read(
        self, ranges: np.ndarray, noise: ScanNoise, rng: np.random.Generator, stamp: float
    ) -> Scan:
        """Add noise and dropout to ranges (beams,) m."""
        noisy = np.maximum(ranges + noise.sd * rng.standard_normal(len(ranges)), 0.0)
        noisy[rng.random(len(ranges)) < noise.dropout] = np.nan
        return Scan(stamp, noisy, -np.pi, self.angle_increment, self._lidar.range_max)


class Sensors:
    """All sensors of a robot but its cameras, in one trial; they say what `readings` names."""

    def __init__(
        self,
        robot: Robot,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        noise: Noise,
        seed: int,
        refresh: Callable[[], None],
        fault_on: Callable[[FaultKind], bool],
    ) -> None:
        """`refresh` brings the poses of `data` up to this instant."""
        self._model, self._data, self._noise, self._seed = model, data, noise, seed
        self._refresh, self._fault_on = refresh, fault_on
        self._body = Body(robot, model)
        self._lidar = LidarSensor(robot, model)
        self._drift: OdometryDrift | None = None

    @property
    def readings(self) -> dict[str, Callable[[int], Any]]:
        """By the fields of Sensed: a reading of a tick, None in an outage.

        Not kept: bound methods in a field would hold the model until Python looks for circles.
        """
        return {
            "imu": self.imu,
            "joints": self.joints,
            "odometry": self.odometry,
            "scan": self.scan,
        }

    def start(self) -> None:
        """Time 0 of the trial: odometry begins here."""
        start = self._body.map_from_base(self._data)
        self._drift = OdometryDrift(self._noise.odometry, self._seed, start)

    def advance(self) -> None:
        """A tick has passed."""
        if self._drift is not None:
            self._drift.advance(*self._body.planar(self._data))

    def sensed(self, tick: int) -> Sensed:
        """What all of them say at a tick."""
        readings = {name: read(tick) for name, read in self.readings.items()}
        return Sensed(time_of(tick), **readings)

    def imu(self, tick: int) -> Imu:
        """Of the body, in base_link."""
        return imu(self._body, self._data, self._noise.imu, self._rng("imu", tick), time_of(tick))

    def joints(self, tick: int) -> Joints:
        """Of all joints, in the robot file's order."""
        rng = self._rng("joints", tick)
        return joints(self._body, self._data, self._noise.joints, rng, time_of(tick))

    def odometry(self, tick: int) -> Odometry:
        """Since the trial's start, drifting."""
        assert self._drift is not None, "the trial has started"
        body, data = self._body, self._data
        rng = self._rng("odometry", tick)
        return self._drift.read(body.map_from_base(data), body.twist(data), rng, time_of(tick))

    def scan(self, tick: int) -> Scan | None:
        """Of the LiDAR."""
        if self._fault_on(FaultKind.LIDAR_OUTAGE):
            return None
        self._refresh()
        pose = self._body.map_from_base(self._data)
        ranges = self._lidar.ranges(self._model, self._data, pose)
        return self._lidar.read(ranges, self._noise.scan, self._rng("scan", tick), time_of(tick))

    def cloud(self, tick: int) -> np.ndarray | None:
        """Of the LiDAR, before anything is made of it."""
        if self._fault_on(FaultKind.LIDAR_OUTAGE):
            return None
        self._refresh()
        pose = self._body.map_from_base(self._data)
        rng = self._rng("scan", tick)
        return self._lidar.cloud(self._model, self._data, pose, self._noise.scan, rng)

    def _rng(self, stream: str, tick: int) -> np.random.Generator:
        return generator(self._seed, stream, tick)


def time_of(tick: int) -> float:
    """Plant time [s] of a tick."""
    return round(tick * TICK, 6)
