"""Scripted steering policies on the same observations, to compare the learned ones with.

A proportional controller with repulsion for approach, a carrot follower for walk.
"""

from collections.abc import Callable

import numpy as np

from hrl_core.robot import Robot
from hrl_perception.sectors import sector_angles
from hrl_skills import approach, walk
from hrl_skills.pilot import SteeringPolicy
from hrl_skills.policy import Field
from hrl_skills.steering import Steering

REPULSION_RANGE = 0.9  # m
REPULSION = 0.06  # m/s per sector and metre inside the range
SPEED = 0.5  # m/s, of the proportional controllers
CRUISE = 0.7  # m/s, of the carrot follower


def script_policy(skill: str, robot: Robot) -> SteeringPolicy:
    """The script of a skill, with the interface of a learned policy."""
    if skill == "approach":
        return _as_actions(_approach, approach.OBSERVATION, robot, approach.FORWARD_MAX)
    return _as_actions(_walk, walk.OBSERVATION, robot, None)


def _as_actions(
    velocities: Callable[[dict[str, np.ndarray]], np.ndarray],
    fields: tuple[Field, ...],
    robot: Robot,
    forward_max: float | None,
) -> SteeringPolicy:
    steering = Steering(1, robot.base, forward_max)
    ends = np.cumsum([part.size for part in fields])[:-1]
    names = [part.name for part in fields]

    def policy(observation: np.ndarray) -> np.ndarray:
        parts = dict(zip(names, np.split(observation, ends, axis=1), strict=True))
        velocity = velocities(parts)
        action = np.where(velocity >= 0, velocity / steering.high, -velocity / steering.low)
        return np.clip(action, -1.0, 1.0)

    return policy


def _repulsion(nearness: np.ndarray) -> np.ndarray:
    """Velocity (n, 2) m/s away from what the sectors see, from exp(-range) (n, sectors)."""
    ranges = -np.log(np.maximum(nearness, 1e-6))
    push = REPULSION * np.clip(REPULSION_RANGE - ranges, 0.0, None)
    angles = sector_angles(nearness.shape[1])
    return -np.stack([push @ np.cos(angles), push @ np.sin(angles)], axis=1)


def _to_goal(goal: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position (n, 2) m, distance (n,) m up to 3 m and yaw (n,) rad from goal features (n, 8)."""
    distance = 1.5 * goal[:, 2]
    return goal[:, :2] * distance[:, None], distance, np.arctan2(goal[:, 5], goal[:, 6])


def _proportional(goal: np.ndarray, push: np.ndarray) -> np.ndarray:
    position, distance, yaw = _to_goal(goal)
    velocity = 0.9 * position + push * np.clip(distance - 0.3, 0.0, 1.0)[:, None]
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    velocity /= np.maximum(1.0, speed / SPEED)[:, None]
    turn = yaw * np.where(distance < 1.2, 1.2, 0.5)
    return np.column_stack([velocity, turn])


def _approach(parts: dict[str, np.ndarray]) -> np.ndarray:
    return _proportional(parts["goal"], _repulsion(parts["sectors"]))


def _walk(parts: dict[str, np.ndarray]) -> np.ndarray:
    push = 0.5 * _repulsion(parts["sectors"])  # twice the sectors of approach
    distance = 8.0 * parts["goal_distance"][:, 0]
    bearing = np.arctan2(parts["carrot"][:, 1], parts["carrot"][:, 0])
    angles = sector_angles(parts["sectors"].shape[1])
    ahead = -np.log(np.maximum(parts["sectors"][:, np.abs(angles) < 0.5].max(1), 1e-6))
    forward = CRUISE * np.clip(np.cos(bearing), 0, 1) * np.clip((ahead - 0.75) / 0.6, 0, 1)
    follow = np.column_stack([forward + 0.3 * push[:, 0], push[:, 1], 1.5 * bearing])
    dock = _proportional(parts["goal"], push)
    return np.where((distance < 0.8)[:, None], dock, follow)
