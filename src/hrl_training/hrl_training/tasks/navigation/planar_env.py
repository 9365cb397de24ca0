"""What walk and approach train in: planar robots with scans, the shield in the loop, and a goal.

Description: n robots on floor plans of boxes and people; a plant identified from the gait.
Action: vx, vy, wz in [-1, 1], shares of the velocity limits, as on the robot.
Observation: the skill's own `observe`, from noisy estimates; the critic knows the errors besides.
Rewards: `WEIGHTS` here and in the file of each skill; a term is a weight and its value per tick.
Episode end: terminated at the goal or by a contact, truncated after the skill's max_steps.
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import gymnasium
import numpy as np

from hrl_core.floor.clearance import footprint_clearance
from hrl_core.floor.rays import box_ranges
from hrl_core.geometry import compose, invert
from hrl_core.robot import Robot, load_robot
from hrl_perception.sectors import scan_sectors, sector_angles
from hrl_skills.base_controller import LOOK_BACK, SECTOR_RANGE
from hrl_skills.shield import FAR, Shield
from hrl_skills.steering import Steering
from hrl_training.rl.ppo import Mirror, Step
from hrl_training.tasks.navigation.gait_response import load_gait_response
from hrl_training.tasks.navigation.planar_plant import AWAY, AWAY_BOX, PlanarPlant
from hrl_training.trials.plant_ranges import PlantRanges

RAYS = 72
RAY_DROPOUT = 0.01  # share of sectors that measure nothing
NEAREST_OF = (-1.16, 0.67)  # mean and sd of the least of five normal numbers: beams of a sector
VELOCITY_NOISE = 0.03  # m/s, rad/s
COAST = 0.3  # s of the present velocity that a robot coasts after its last command
SHARE_EPISODES = 1000  # over so many episodes the logged shares are averaged
SETTLE_NOISE = np.array([0.012, 0.012, 0.025])  # m, m, rad; what coming to rest adds

WEIGHTS = {
    "progress": 1.0,  # per metre that is done
    "smooth": -0.003,
    "unshielded": -0.02,  # what the shield has to change
    "arrived": 0.5,
    "good": 3.0,  # arrived, and will stand within the tolerances
    "contact": -5.0,
}


class PlanarEnv(ABC):
    """n robots that step as one; a `VectorEnv` of hrl_training.rl.ppo."""

    max_steps: int
    sectors_count: int
    forward_max: float | None
    position_tolerance: float  # m
    yaw_tolerance: float  # rad
    boxes_max: int
    circles_max: int
    observation_size: int
    mirror: Mirror | None
    action_size = 3

    def __init__(
        self,
        num_envs: int = 256,
        seed: int = 0,
        ranges: PlantRanges | None = None,
        robot: Robot | None = None,
    ) -> None:
        """`ranges`: of a task file; those that matter here are drawn per episode."""
        self.num_envs = n = num_envs
        self.plant_ranges = ranges or PlantRanges()
        self._scan_sd = np.zeros(n)  # m
        self.critic_size = self.observation_size + 5
        self.rng = np.random.default_rng(seed)
        robot = robot or load_robot()
        self.plant = PlanarPlant(n, load_gait_response(robot.name), self.rng)
        self.steering = Steering(n, robot.base, self.forward_max)
        self.shield = Shield(robot)
        self.shielded = True  # a comparison may switch it off
        self.footprint_x = np.array(robot.base.footprint_x)
        self.radius = robot.base.footprint_radius
        self._lidar = np.array([*robot.lidar.mount.position[:2], 0.0])
        self._angles = sector_angles(RAYS)
        self.boxes = np.tile(AWAY_BOX, (n, self.boxes_max, 1))
        self.circles = np.full((n, self.circles_max, 3), AWAY, np.float32)
        self.goal = np.zeros((n, 3))  # true planar goal in map
        self.goal_error = np.zeros((n, 3))  # of its estimate
        self.age = np.zeros(n, int)  # ticks
        self.potential = np.zeros(n)
        self.ranges = np.zeros((n, RAYS))
        self.sectors = np.zeros((n, self.sectors_count))
        self._past: deque[np.ndarray] = deque(maxlen=1 + LOOK_BACK)
        self.measured_velocity = np.zeros((n, 3))
        self.ended: dict[str, np.ndarray] = {}  # (n,) bool, how the last tick ended, if it did
        self.shares = dict.fromkeys(("good", "arrived", "contact", "late"), 0.0)

    @abstractmethod
    def _place(self, rows: np.ndarray) -> np.ndarray:
        """Draw scenes and goals for rows of environments; returns start poses (len(rows), 3)."""

    @abstractmethod
    def _observe(self) -> np.ndarray:
        """The policy's input (n, observation_size) from estimates."""

    @abstractmethod
    def _remaining(self) -> np.ndarray:
        """What is left to do (n,) m; its decrease is rewarded."""

    @abstractmethod
    def _rewards(self, clearance: np.ndarray, near_people: np.ndarray) -> dict[str, np.ndarray]:
        """Weighted reward terms (n,) of a tick, besides progress, goal and contact."""

    @abstractmethod
    def _near_goal(self) -> np.ndarray:
        """Where (n,) the skill would stop steering, by its estimates."""

    @abstractmethod
    def _drift(self) -> None:
        """Let the error of the goal's estimate change, and people walk."""

    def reset(self) -> tuple[np.ndarray, np.ndarray]:
        self._past.clear()
        self._restart(np.arange(self.num_envs))
        observation = self._observe()
        return observation, self._critic(observation)

    def _restart(self, rows: np.ndarray) -> None:
        self.age[rows] = 0
        self._scan_sd[rows] = self.rng.uniform(*self.plant_ranges.scan_sd, len(rows))
        self.steering.reset(rows)
        self.plant.reset(rows, self._place(rows))
        self.measured_velocity[rows] = 0.0
        self._scan(rows)
        for past in self._past:
            past[rows] = self.sectors[rows]
        if not self._past:
            self._past.append(self.sectors.copy())
        self.potential[rows] = self._remaining()[rows]

    def _scan(self, rows: np.ndarray | slice = slice(None)) -> None:
        pose = self.plant.pose[rows]
        lidar = compose(pose, np.broadcast_to(self._lidar, pose.shape))
        angles = pose[:, 2, None] + self._angles
        ranges = box_ranges(
            lidar[:, :2], angles, self.boxes[rows], self.circles[rows], SECTOR_RANGE
        ).astype(float)
        noise = self.rng.normal(*NEAREST_OF, ranges.shape) * self._scan_sd[rows][:, None]
        ranges += noise * (ranges < SECTOR_RANGE)
        ranges[ranges >= SECTOR_RANGE] = np.inf
        ranges[self.rng.random(ranges.shape) < RAY_DROPOUT] = np.nan
        self.ranges[rows] = ranges
        self.sectors[rows] = scan_sectors(
            ranges, self._angles[0], 2 * np.pi / RAYS, self.sectors_count, SECTOR_RANGE
        )

    def _points(self) -> np.ndarray:
        """Scan points (n, RAYS, 2) m in base_link."""
        ranges = self.ranges[..., None]
        direction = np.stack([np.cos(self._angles), np.sin(self._angles)], -1)
        return np.where(np.isfinite(ranges), ranges * direction + self._lidar[:2], FAR)

    @property
    def sectors_before(self) -> np.ndarray:
        return self._past[0]

    def goal_in_base(self, estimated: bool = True) -> np.ndarray:
        """Planar goals (n, 3) in base_link, as the robot believes or as they are."""
        goal = self.goal + self.goal_error if estimated else self.goal
        return compose(invert(self.plant.pose), goal)

    def _critic(self, observation: np.ndarray) -> np.ndarray:
        known = [
            self.goal_error / 0.05,
            (self.potential / 5.0)[:, None],
            (self.age / self.max_steps)[:, None],
        ]
        return np.concatenate([observation, *known], axis=1).astype(np.float32)

    def _good_after_rest(self) -> np.ndarray:
        """Whether (n,) robots would stand within the tolerances after coming to rest."""
        rest = self.plant.mean_velocity * COAST
        rest += self.rng.normal(size=rest.shape) * SETTLE_NOISE
        left = compose(invert(rest), self.goal_in_base(estimated=False))
        near = np.hypot(left[:, 0], left[:, 1]) < self.position_tolerance
        return near & (np.abs(left[:, 2]) < self.yaw_tolerance)

    def step(self, action: np.ndarray) -> Step:
        """One control tick of every robot; those that end are reset."""
        last = self.steering.command.copy()
        wanted = self.steering.twist(action)
        twist = wanted
        if self.shielded:
            pending = self.steering.pending
            twist = self.shield.protect(wanted, pending, self.measured_velocity, self._points())
        self.steering.commit(twist)
        self.plant.step(twist)
        self.age += 1
        self._drift()
        noise = self.rng.normal(0.0, VELOCITY_NOISE, twist.shape)
        self.measured_velocity = self.plant.velocity + noise
        self._scan()
        self._past.append(self.sectors.copy())

        to_boxes, to_people = footprint_clearance(
            self.plant.pose, self.boxes, self.circles, self.footprint_x, self.radius
        )
        contact = np.minimum(to_boxes, to_people) < 0
        arrived = self._near_goal() & ~contact
        good = arrived & self._good_after_rest()
        before, self.potential = self.potential, self._remaining()
        change = (twist - last) / self.steering.slew
        w = WEIGHTS
        terms = {
            "progress": w["progress"] * (before - self.potential),
            "smooth": w["smooth"] * (change**2).sum(1),
            "unshielded": w["unshielded"] * np.abs((wanted - twist) / self.steering.slew).sum(1),
            "arrived": w["arrived"] * arrived + w["good"] * good,
            "contact": w["contact"] * contact,
            **self._rewards(to_boxes, to_people),
        }
        reward = np.sum(list(terms.values()), axis=0)
        terminated = contact | arrived
        truncated = ~terminated & (self.age >= self.max_steps)
        self.ended = {"contact": contact, "good": good, "arrived": arrived, "late": truncated}
        observation = self._observe()
        final_critic = self._critic(observation)
        self.final_observation = observation
        done = np.flatnonzero(terminated | truncated)
        if len(done):
            self._restart(done)
            observation = self._observe()
            weight = min(1.0, len(done) / SHARE_EPISODES)
            for name, share in self.shares.items():
                self.shares[name] += weight * (float(self.ended[name][done].mean()) - share)
        figures = {f"reward_{name}": float(value.mean()) for name, value in terms.items()}
        return Step(
            observation,
            self._critic(observation),
            reward.astype(np.float32),
            terminated,
            truncated,
            final_critic,
            {**self.shares, **figures},
        )


class PlanarGym(gymnasium.Env):
    """One robot of a PlanarEnv with the interface of gymnasium."""

    def __init__(self, make: type[PlanarEnv]) -> None:
        self._make = make
        size = make.observation_size
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
        self._env: PlanarEnv | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if self._env is None or seed is not None:
            self._env = self._make(1, int(self.np_random.integers(2**31)))
        observation, _ = self._env.reset()
        return observation[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self._env is not None, "reset() comes before step()"
        step = self._env.step(np.asarray(action, float)[None])
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        ended = {name: bool(value[0]) for name, value in self._env.ended.items()}
        return self._env.final_observation[0], float(step.reward[0]), terminated, truncated, ended
