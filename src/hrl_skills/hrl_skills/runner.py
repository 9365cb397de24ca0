"""Everything around a skill that keeps it bounded and safe, the same over ROS and in process."""

from typing import Any

import numpy as np
from pydantic import Field

from hrl_core.config import Config
from hrl_core.outcomes import Code
from hrl_core.sensed import Sensed
from hrl_skills.shield import FAR, Shield
from hrl_skills.skill import TICK, Command, GoalRejected, Skill, Tick, failed
from hrl_skills.steering import PENDING


class Limits(Config):
    """When a running skill is ended from outside; see config/skills.yaml."""

    scan_age: float = Field(default=0.5, gt=0, le=5, description="s; older is a lost LiDAR")
    joints_age: float = Field(default=0.3, gt=0, le=5, description="s; older is a lost robot")
    odometry_age: float = Field(default=0.3, gt=0, le=5, description="s; older is lost")
    imu_age: float = Field(default=0.3, gt=0, le=5, description="s; older is a lost IMU")
    localisation_age: float = Field(
        default=1.0, gt=0, le=600, description="s; older is a lost perception"
    )
    max_tilt: float = Field(default=0.8, gt=0, le=1.5, description="rad; more is a fall")


# Topics without which nothing runs.
REQUIRED = ("joint_states", "odom", "imu", "scan")


class SkillRunner:
    """Runs one goal at a time: `start`, `tick` until an outcome, or `end` from outside.

    Every command of the skill goes through the shield; nothing can switch it off.
    """

    def __init__(self, skill: Skill, shield: Shield, limits: Limits):
        self.skill = skill
        self.steps = 0
        self.max_steps = skill.max_steps
        self.running = False
        self._shield = shield
        self._limits = limits
        self._started = 0.0
        self._sent = np.zeros((1, PENDING, 3))  # the last twists, newest first

    def start(self, goal: Any, sensed: Sensed, max_steps: int = 0) -> None:
        """Begin a goal; 0 steps: the skill's own bound. Raises GoalRejected with the reason."""
        self.check(goal, sensed, max_steps)
        self.steps, self.max_steps = 0, max_steps or self.skill.max_steps
        self._started, self.running = sensed.stamp, True
        self._sent[:] = 0.0

    def check(self, goal: Any, sensed: Sensed, max_steps: int = 0) -> None:
        """Raise GoalRejected where `start` would; the skill is prepared, the robot not moved."""
        if self.running:
            raise GoalRejected(
                Code.NOT_READY, f"{self.skill.name} already runs a goal; cancel it first"
            )
        if not 0 <= max_steps <= self.skill.max_steps:
            most = self.skill.max_steps
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"max_steps = {max_steps}: allowed are 0 (the skill's own) to {most}",
            )
        lost = self._lost_sensor(sensed)
        if lost is not None:
            raise GoalRejected(Code.NOT_READY, lost)
        self.skill.start(goal, sensed)

    def duration(self, stamp: float) -> float:
        """Time [s] since the goal began."""
        return stamp - self._started

    def tick(self, sensed: Sensed) -> Tick:
        """One control period; the returned command is safe to send as it is."""
        lost = self._lost_sensor(sensed)
        if lost is not None:
            return self.end(Code.SENSOR_LOST, lost)
        assert sensed.imu is not None  # checked by _lost_sensor
        tilt = float(np.arccos(np.clip(sensed.imu.up[2], -1, 1)))
        if tilt > self._limits.max_tilt:
            detail = f"the robot leans {tilt:.2f} rad, limit {self._limits.max_tilt}"
            return self.end(Code.FELL, detail)
        try:
            tick = self.skill.tick(sensed)
        except Exception as error:  # a fault in one skill must stop the robot, not the process
            return self.end(
                Code.INTERNAL_ERROR, f"{self.skill.name}: {type(error).__name__}: {error}"
            )
        self.steps += 1
        if not _finite(tick.command):
            return self.end(Code.INTERNAL_ERROR, f"{self.skill.name} asked for {tick.command}")
        if tick.outcome is not None:
            self.running = False
            return Tick(self.skill.stop(), tick.phase, tick.progress, tick.error, tick.outcome)
        if self.steps >= self.max_steps:
            seconds = self.max_steps * TICK
            detail = (
                f"not done after {self.max_steps} steps ({seconds:.1f} s), {tick.error:.3f} m left"
            )
            return self.end(Code.STEP_LIMIT, detail)
        return Tick(self._shielded(tick.command, sensed), tick.phase, tick.progress, tick.error)

    def end(self, code: Code, detail: str) -> Tick:
        """End the goal from outside: the stop command and the outcome."""
        self.running = False
        return Tick(self.skill.stop(), "ended", 0.0, 0.0, failed(code, detail))

    def _shielded(self, command: Command, sensed: Sensed) -> Command:
        """The command with a twist that keeps clear of the latest scan."""
        wanted = np.zeros(3) if command.twist is None else np.asarray(command.twist, float)
        twist = np.zeros((1, 3))
        if self._shield.usable(sensed.scan, sensed.stamp):
            assert sensed.scan is not None and sensed.odometry is not None  # _lost_sensor
            points = self._shield.points_in_base(sensed.scan)
            points = points if len(points) else np.full((1, 2), FAR)
            velocity = sensed.odometry.twist[None]
            twist = self._shield.protect(wanted[None], self._sent, velocity, points[None])
        self._sent = np.concatenate([twist[:, None], self._sent[:, :-1]], axis=1)
        return Command(None if command.twist is None else twist[0], command.arm, command.gripper)

    def _lost_sensor(self, sensed: Sensed) -> str | None:
        """Which sensor is missing or too old, with its age and limit; None when all are fresh."""
        limits = self._limits
        for name, data, limit in (
            ("joint_states", sensed.joints, limits.joints_age),
            ("odom", sensed.odometry, limits.odometry_age),
            ("imu", sensed.imu, limits.imu_age),
            ("scan", sensed.scan, limits.scan_age),
            ("pose", sensed.localisation, limits.localisation_age),
        ):
            if data is None and name == "pose":
                continue  # a skill that needs it says so itself
            if data is None:
                return f"no {name} was received"
            if sensed.stamp - data.stamp > limit:
                return f"{name} is {sensed.stamp - data.stamp:.2f} s old, limit {limit} s"
        return None


def _finite(command: Command) -> bool:
    values = [v for v in (command.twist, command.arm, command.gripper) if v is not None]
    return all(np.isfinite(v).all() for v in values)
