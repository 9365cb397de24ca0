"""Scripted steering policies on the same observations, to compare the learned ones with.

A proportional controller with repulsion for approach. For walk a dynamic window: of the twists that
keep the footprint clear for a second, the one that brings the robot nearest to the carrot. Fox,
Burgard, Thrun, The dynamic window approach to collision avoidance (1997).
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from hrl_core.geometry import wrap_angle
from hrl_core.policy.policy import Field
from hrl_core.robot import Robot
from hrl_perception.sectors import sector_angles
from hrl_skills import approach_observation, back_out, walk_observation
from hrl_skills.base_controller import SteeringPolicy
from hrl_skills.steering import Steering

REPULSION_RANGE = 0.9  # m
REPULSION = 0.06  # m/s per sector and metre inside the range
SPEED = 0.5  # m/s, of the proportional controllers
BACK_CREEP = 0.1  # m/s; a slower command is hardly walked
DOCK = 0.5  # m, from the goal, where the proportional controller takes over
# Twists to choose from, and the times at which the footprint is compared with the scan.
WINDOW = np.array(
    [
        (vx, vy, wz)
        for vx in (-0.25, 0.0, 0.2, 0.4, 0.6, 0.8)
        for vy in (-0.3, 0.0, 0.3)
        for wz in (-0.8, -0.4, -0.15, 0.0, 0.15, 0.4, 0.8)
        if not (vy and vx > 0.4)
    ]
)
HORIZON = (0.4, 0.8, 1.2)  # s
CLOSED, TIGHT = 0.08, 0.25  # m, clearance that a twist must keep, and that it had better keep
TIGHT_COST, TURN_COST, AWAY_COST, SIDE_COST = 3.0, 0.5, 0.2, 0.1


def script_policy(skill: str, robot: Robot) -> SteeringPolicy:
    """The script of a skill, with the interface of a learned policy."""
    if skill in ("approach", "align"):
        return _as_actions(
            _approach, approach_observation.OBSERVATION, robot, approach_observation.FORWARD_MAX
        )
    if skill == "back_out":
        return _as_actions(_back_out, back_out.OBSERVATION, robot, None)
    return _as_actions(partial(_walk, robot), walk_observation.OBSERVATION, robot, None)


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


def _back_out(parts: dict[str, np.ndarray]) -> np.ndarray:
    left, aside, heading = parts["left"], parts["aside"] / 5, parts["heading"] / 5
    speed = np.clip(0.8 * left, BACK_CREEP, 0.32)
    return np.concatenate([-speed, -0.7 * aside, -1.3 * heading], axis=1)


def _walk(robot: Robot, parts: dict[str, np.ndarray]) -> np.ndarray:
    dock = _proportional(parts["goal"], 0.5 * _repulsion(parts["sectors"]))
    follow = np.stack([_window(robot, *row) for row in zip(*_targets(parts), strict=True)])
    return np.where((_to_goal(parts["goal"])[1] < DOCK)[:, None], dock, follow)


def _targets(parts: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carrots (n, 2) m, the yaw (n,) rad that is wanted there, points of the scan (n, k, 2) m."""
    reach = parts["carrot"][:, 2:]
    ranges = -np.log(np.maximum(parts["sectors"], 1e-6))
    angles = sector_angles(ranges.shape[1])
    points = ranges[..., None] * np.stack([np.cos(angles), np.sin(angles)], -1)
    return parts["carrot"][:, :2] * reach, _to_goal(parts["goal"])[2], points


def _window(robot: Robot, carrot: np.ndarray, yaw: float, points: np.ndarray) -> np.ndarray:
    """The best twist (3,) towards a carrot (2,) among scan points (k, 2) round the scanner."""
    points = points + np.array(robot.lidar.mount.position[:2])
    circles, radius = np.array(robot.base.footprint_x), robot.base.footprint_radius
    room = np.full(len(WINDOW), np.inf)
    vx, vy, wz = WINDOW.T
    time, x, y = 0.0, np.zeros(len(WINDOW)), np.zeros(len(WINDOW))
    for time in HORIZON:
        turn = 0.5 * time * wz
        x = time * (np.cos(turn) * vx - np.sin(turn) * vy)
        y = time * (np.sin(turn) * vx + np.cos(turn) * vy)
        c, s = np.cos(time * wz), np.sin(time * wz)
        dx, dy = points[:, 0] - x[:, None], points[:, 1] - y[:, None]
        ahead = c[:, None] * dx + s[:, None] * dy
        aside = c[:, None] * dy - s[:, None] * dx
        nearest = np.abs(ahead[..., None] - circles).min(-1)
        room = np.minimum(room, np.sqrt(nearest**2 + aside**2).min(1) - radius)
    left = carrot - np.column_stack([x, y])
    distance = np.hypot(*left.T)
    bearing = np.abs(wrap_angle(np.arctan2(left[:, 1], left[:, 0]) - time * wz))
    facing = np.abs(wrap_angle(yaw - time * wz))
    far = np.clip(np.hypot(*carrot) - DOCK, 0.0, 1.0)
    cost = distance + TURN_COST * (far * bearing + (1 - far) * facing)
    cost += TIGHT_COST * np.clip(TIGHT - room, 0.0, None)
    cost += AWAY_COST * np.maximum(-vx, 0.0) + SIDE_COST * np.abs(vy)
    if not (room > CLOSED).any():
        return WINDOW[np.argmax(room)]  # out of the squeeze
    return WINDOW[np.argmin(np.where(room > CLOSED, cost, np.inf))]
