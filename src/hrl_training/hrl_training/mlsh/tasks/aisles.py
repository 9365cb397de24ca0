"""Aisles: a robot in a drawn hall, and a goal in a quarter of it that no sensor shows."""

from __future__ import annotations

import numpy as np

from hrl_core.floor.clearance import footprint_clearance
from hrl_core.floor.rays import box_ranges
from hrl_core.geometry import compose
from hrl_core.robot import load_robot
from hrl_perception.sectors import scan_sectors, sector_angles
from hrl_skills.base_controller import SECTOR_RANGE
from hrl_skills.steering import Steering
from hrl_training.mlsh.tasks.family import Split, TaskFamily
from hrl_training.mlsh.tasks.halls import GRID, QUARTERS, halls
from hrl_training.tasks.navigation.gait_response import load_gait_response
from hrl_training.tasks.navigation.planar_env import NEAREST_OF, RAY_DROPOUT, VELOCITY_NOISE
from hrl_training.tasks.navigation.planar_plant import PlanarPlant

TICKS = 3  # of 0.1 s in a step: one action each
SECTORS = 36
FIELD = 6.0  # m, which a displacement is shown over
SCAN_SD = 0.02  # m
ODOMETRY_SCALE, ODOMETRY_YAW = 0.015, 0.02  # sd; rad after 1 m: middle of the ranges of trials
ARRIVED = 0.8  # m
JITTER = np.array([0.2, 0.2, 0.3])  # m, m, rad; of the start
HALLS: dict[Split, tuple[int, int]] = {  # seeds of the generator: from 100000 on for evaluation
    "train": (0, 16),
    "tune": (500, 8),
    "test": (100_000, 8),
}


class Aisles(TaskFamily):
    """Observation: scan sectors, heading, way since the start by drifting odometry, velocity.

    Action: vx, vy, wz in [-1, 1], shares of the limits, slewed and followed as by the identified
    gait. Reward: what is done of the way over its whole length, and on arrival 1 + the share of
    the time that is left; without `dense` only the latter. Start: by the waypoint nearest to the
    hall's middle, facing east, the map's axes known, as localisation gives them. A contact stops
    the robot. End: at the goal. A task is a hall and a quarter; kinds are the quarters.
    """

    name = "aisles"
    actions, continuous = 3, True
    observation_size = SECTORS + 2 + 2 + 3
    horizon, feature_size, kinds = 120, 2, QUARTERS

    def __init__(self, dense: bool = True) -> None:
        self._dense = dense
        self._robot = load_robot()
        self._response = load_gait_response(self._robot.name)
        self._footprint_x = np.array(self._robot.base.footprint_x)
        self._lidar = np.array([*self._robot.lidar.mount.position[:2], 0.0])
        self._angles = sector_angles(SECTORS)
        self.halls = [hall for first, count in HALLS.values() for hall in halls(first, count)]
        self._boxes = np.array([hall.boxes for hall in self.halls], np.float32)
        self._goals = np.array([hall.goals for hall in self.halls])
        self._starts = np.array([hall.start for hall in self.halls])
        self._left = np.array([hall.left for hall in self.halls], np.float32)

    def tasks_of(self, kind: int, split: Split) -> np.ndarray:
        counts = [count for _, count in HALLS.values()]
        place = [*HALLS].index(split)
        first = sum(counts[:place])
        return np.arange(first, first + counts[place]) * QUARTERS + kind

    def kind(self, tasks: np.ndarray) -> np.ndarray:
        return tasks % QUARTERS

    def features(self, tasks: np.ndarray) -> np.ndarray:
        hall, quarter = np.divmod(tasks, QUARTERS)
        return ((self._goals[hall, quarter] - self._starts[hall]) / FIELD).astype(np.float32)

    def reset(self, rng: np.random.Generator, tasks: np.ndarray) -> np.ndarray:
        n = len(tasks)
        self._rng, self._age = rng, 0
        self._hall, self._quarter = np.divmod(tasks, QUARTERS)
        self._plant = PlanarPlant(n, self._response, rng)
        self._steering = Steering(n, self._robot.base)
        start = np.concatenate([self._starts[self._hall], np.zeros((n, 1))], axis=1)
        start += rng.uniform(-1, 1, (n, 3)) * JITTER
        self._plant.reset(np.arange(n), start)
        self._odometry = np.concatenate([np.zeros((n, 2)), start[:, 2:]], axis=1)
        self._scale = 1 + rng.normal(0, ODOMETRY_SCALE, (n, 1))
        self._yaw_drift = rng.normal(0, ODOMETRY_YAW, n)  # rad/m
        self._goal = self._goals[self._hall, self._quarter]
        self._alive = np.ones(n, bool)
        self._whole = self._potential = self._way_left()
        self._whole = np.maximum(self._whole, 1.0)
        return self._observe()

    @property
    def pose(self) -> np.ndarray:
        """True poses (n, 3) in map, for pictures."""
        return self._plant.pose.copy()

    def _way_left(self) -> np.ndarray:
        cell = GRID.cells(self._plant.pose[:, :2])
        return self._left[self._hall, self._quarter, cell[:, 0], cell[:, 1]]

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        for _ in range(TICKS):
            self._tick(action)
        self._age += 1
        before, self._potential = self._potential, self._way_left()
        away = np.hypot(*(self._plant.pose[:, :2] - self._goal).T)
        arrived = self._alive & (away < ARRIVED)
        late = 1 + (self.horizon - self._age) / self.horizon
        reward = np.where(arrived, late, 0.0)
        if self._dense:
            reward += np.where(self._alive, (before - self._potential) / self._whole, 0.0)
        self._alive = self._alive & ~arrived
        return self._observe(), reward.astype(np.float32), self._alive

    def _tick(self, action: np.ndarray) -> None:
        plant, before = self._plant, self._plant.pose.copy()
        twist = self._steering.twist(np.asarray(action, float))
        self._steering.commit(twist)
        plant.step(twist)
        boxes, nobody = self._boxes[self._hall], np.zeros((len(before), 0, 3))
        radius = self._robot.base.footprint_radius
        room, _ = footprint_clearance(plant.pose, boxes, nobody, self._footprint_x, radius)
        still = (room < 0) | ~self._alive
        plant.pose[still] = before[still]
        plant.mean_velocity[still] = 0.0
        moved = plant.pose[:, :2] - before[:, :2]
        turned = np.angle(np.exp(1j * (plant.pose[:, 2] - before[:, 2])))
        length = np.hypot(*moved.T)
        error = self._odometry[:, 2] - before[:, 2]
        c, s = np.cos(error), np.sin(error)
        self._odometry[:, 0] += self._scale[:, 0] * (c * moved[:, 0] - s * moved[:, 1])
        self._odometry[:, 1] += self._scale[:, 0] * (s * moved[:, 0] + c * moved[:, 1])
        self._odometry[:, 2] += turned + self._yaw_drift * length

    def _observe(self) -> np.ndarray:
        pose, rng = self._plant.pose, self._rng
        lidar = compose(pose, np.broadcast_to(self._lidar, pose.shape))
        nobody = np.zeros((len(pose), 0, 3), np.float32)
        ranges = box_ranges(
            lidar[:, :2],
            pose[:, 2, None] + self._angles,
            self._boxes[self._hall],
            nobody,
            SECTOR_RANGE,
        ).astype(float)
        ranges += rng.normal(*NEAREST_OF, ranges.shape) * SCAN_SD * (ranges < SECTOR_RANGE)
        ranges[rng.random(ranges.shape) < RAY_DROPOUT] = np.nan
        width = 2 * np.pi / SECTORS
        sectors = scan_sectors(ranges, self._angles[0], width, SECTORS, SECTOR_RANGE)
        velocity = self._plant.velocity + rng.normal(0, VELOCITY_NOISE, pose.shape)
        yaw = self._odometry[:, 2]
        heading = np.stack([np.sin(yaw), np.cos(yaw)], axis=1)
        seen = [sectors / SECTOR_RANGE, heading, self._odometry[:, :2] / FIELD, velocity]
        return np.concatenate(seen, axis=1).astype(np.float32)
