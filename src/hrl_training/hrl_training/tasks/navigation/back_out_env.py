"""What back_out trains in: robots on free ground that answer commands as the gait does.

Description: n robots that answer velocity commands as the gait does, on free ground.
Action and observation: those of the skill.
Reward: progress along the line, straightness, calm, a stop on the spot.
Episode end: terminated at the aim, truncated after MAX_STEPS.
"""

import numpy as np

from hrl_core.robot import Robot, load_robot
from hrl_skills.back_out import ACTION, AIM, MAX_STEPS, OBSERVATION, observe
from hrl_skills.steering import Steering
from hrl_training.rl.ppo import Step
from hrl_training.tasks.navigation.gait_response import load_gait_response
from hrl_training.tasks.navigation.planar_plant import PlanarPlant
from hrl_training.tasks.ranges import BackOutTasks

COAST = 0.5  # s of its speed that a robot goes on after its last command: slew, delay, answer
NOISE = np.array([0.03, 0.03, 0.03])  # m/s, m/s, rad/s, of measured velocities


class BackOutEnv:
    """n robots as one; a `VectorEnv` of hrl_training.rl.ppo. All start at the origin, facing x."""

    observation_size = critic_size = sum(part.size for part in OBSERVATION)
    action_size = len(ACTION)
    mirror = None

    def __init__(
        self,
        num_envs: int = 128,
        seed: int = 0,
        tasks: BackOutTasks | None = None,
        robot: Robot | None = None,
    ) -> None:
        robot = robot or load_robot()
        self.num_envs, self._tasks = num_envs, tasks or BackOutTasks()
        self._rng = np.random.default_rng(seed)
        self._plant = PlanarPlant(num_envs, load_gait_response(robot.name), self._rng)
        self._steering = Steering(num_envs, robot.base)
        self._distance = np.zeros(num_envs)  # m
        self._age = np.zeros(num_envs, int)  # ticks

    def reset(self) -> tuple[np.ndarray, np.ndarray]:
        self._restart(np.arange(self.num_envs))
        observation = self._observe()
        return observation, observation

    def step(self, action: np.ndarray) -> Step:
        before = np.abs(self._way()[:, 0])
        command = self._steering.twist(action)
        self._steering.commit(command)
        self._plant.step(command)
        self._age += 1
        way = self._way()
        left = np.abs(way[:, 0])
        terms = {
            "progress": 10.0 * (before - left),
            "straight": -1.0 * np.abs(way[:, 1]) - 0.5 * np.abs(way[:, 2]),
            "calm": -0.02 * (np.clip(action, -1, 1)[:, 1:] ** 2).sum(1),
            "time": np.full(self.num_envs, -0.05),
        }
        terminated = way[:, 0] < AIM  # from here on the skill only brakes
        speed = np.abs(self._plant.mean_velocity[:, 0])
        terms["coast"] = -30.0 * terminated * np.abs(way[:, 0] - COAST * speed)
        truncated = ~terminated & (self._age >= MAX_STEPS)
        final = self._observe()
        self._restart(np.flatnonzero(terminated | truncated))
        observation = self._observe()
        return Step(
            observation,
            observation,
            np.sum(list(terms.values()), axis=0).astype(np.float32),
            terminated,
            truncated,
            final,
            {name: float(term.mean()) for name, term in terms.items()},
        )

    def _restart(self, rows: np.ndarray) -> None:
        self._plant.reset(rows, np.zeros((len(rows), 3)))
        self._steering.reset(rows)
        self._distance[rows] = self._rng.uniform(*self._tasks.distance, len(rows))
        self._age[rows] = 0

    def _way(self) -> np.ndarray:
        """As the skill's: (n, 3) m left, m aside, rad."""
        x, y, yaw = self._plant.pose.T
        return np.stack([self._distance + x, y, yaw], axis=1)

    def _observe(self) -> np.ndarray:
        velocity = self._plant.velocity + NOISE * self._rng.normal(size=(self.num_envs, 3))
        return observe(self._way(), velocity, self._steering.command)
