"""Everything around a skill that keeps it bounded and safe, the same over ROS and in process."""

from typing import Any

import numpy as np
from pydantic import Field

from hrl_core.config import Config
from hrl_core.control import TICK, Command
from hrl_core.fault import fault_sentence
from hrl_core.outcomes import Code
from hrl_core.sensed import Sensed
from hrl_skills.base_controller import Drives
from hrl_skills.base_watch import BaseWatch
from hrl_skills.manipulator import ArmTuck
from hrl_skills.robot_shield import RobotShield
from hrl_skills.skill import GoalRejected, Skill, Tick, failed


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


TUCK_TICKS = 120  # ticks at most, to bring the arm in before the base moves
# Topics without which nothing runs.
REQUIRED = ("joint_states", "odom", "imu", "scan")


class SkillRunner:
    """Runs one goal at a time: `start`, `tick` until an outcome, or `end` from outside.

    Every command of the skill goes through the shield; nothing can switch it off. A skill that
    drives is handed the same object, see RobotShield.
    """

    def __init__(self, skill: Skill, shield: RobotShield, limits: Limits):
        self.skill = skill
        self.steps = 0
        self.max_steps = skill.max_steps
        self.running = False
        self._shield = shield
        self._limits = limits
        self._base = BaseWatch()
        self._started = 0.0
        self._tuck: ArmTuck | None = None  # while the arm is brought in before the base moves
        if isinstance(skill, Drives):
            skill.controller.shield = shield

    def start(self, goal: Any, sensed: Sensed, max_steps: int = 0) -> None:
        """Begin a goal; 0 steps: the skill's own bound. Raises GoalRejected with the reason."""
        self.check(goal, sensed, max_steps)
        self.steps, self.max_steps = 0, max_steps or self.skill.max_steps
        self._started, self.running = sensed.stamp, True
        if isinstance(self.skill, Drives) and self._shield.has_arm_out(sensed):
            self._tuck = ArmTuck(self._shield.robot, sensed)

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
        self._shield.reset()
        self._tuck = None
        self._base.reset()
        self.skill.start(goal, sensed)

    def duration(self, stamp: float) -> float:
        """Time [s] since the goal began."""
        return stamp - self._started

    def tick(self, sensed: Sensed) -> Tick:
        """One control period; the returned command is safe to send as it is."""
        lost = self._lost_sensor(sensed)
        if lost is not None:
            return self.end(Code.SENSOR_LOST, lost)
        assert sensed.imu is not None and sensed.odometry is not None  # checked by _lost_sensor
        tilt = float(np.arccos(np.clip(sensed.imu.up[2], -1, 1)))
        if tilt > self._limits.max_tilt:
            detail = f"the robot leans {tilt:.2f} rad, limit {self._limits.max_tilt}"
            return self.end(Code.FELL, detail)
        if (stands := self._base.look(sensed.odometry)) is not None:
            return self.end(Code.BASE_NOT_FOLLOWING, stands)
        self._shield.look(sensed)
        if self._tuck is not None:
            return self._tuck_arm(self._tuck, sensed)
        try:
            tick = self.skill.tick(sensed)
        except Exception as error:  # a fault in one skill must stop the robot, not the process
            detail = fault_sentence(f"{self.skill.name}, control step", error)
            return self.end(Code.INTERNAL_ERROR, detail)
        self.steps += 1
        if not _finite(tick.command):
            return self.end(Code.INTERNAL_ERROR, f"{self.skill.name} asked for {tick.command}")
        if tick.outcome is not None:
            self.running = False
            return Tick(self.skill.stop(), tick.phase, tick.progress, tick.error, tick.outcome)
        if self.steps >= self.max_steps:
            seconds = self.duration(sensed.stamp) + TICK  # the last command lasts a tick, too
            detail = (
                f"not done after {self.max_steps} steps ({seconds:.1f} s), {tick.error:.3f} m left"
            )
            return self.end(Code.STEP_LIMIT, detail)
        return Tick(self._shielded(tick.command), tick.phase, tick.progress, tick.error)

    def _tuck_arm(self, tuck: ArmTuck, sensed: Sensed) -> Tick:
        """One tick of bringing the arm in, the base at rest; the skill begins afterwards."""
        self.steps += 1
        command = tuck.tick(sensed)
        if not self._shield.arm_out and tuck.done:
            self._tuck = None
        elif tuck.ticks >= TUCK_TICKS or self.steps >= self.max_steps:
            detail = (
                f"the hand is still outside the footprint after {TICK * tuck.ticks:.1f} s of "
                "bringing the arm in; the base moves only with the arm tucked"
            )
            return self.end(Code.NOT_READY, detail)
        return Tick(self._shielded(command), "tuck_arm", 0.0, 0.0)

    def end(self, code: Code, detail: str) -> Tick:
        """End the goal from outside: the stop command and the outcome."""
        self.running = False
        return Tick(self.skill.stop(), "ended", 0.0, 0.0, failed(code, detail))

    def _shielded(self, command: Command) -> Command:
        """The command with a twist that keeps clear of what is and was seen."""
        wanted = np.zeros(3) if command.twist is None else np.asarray(command.twist, float)
        twist = self._shield.protect(wanted)
        self._base.tell(None if command.twist is None else twist)
        return Command(None if command.twist is None else twist, command.arm, command.gripper)

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
            if data is None and name in sensed.refused:
                return f"{name} cannot be used: {sensed.refused[name]}"
            if data is None:
                return f"no {name} was received"
            if sensed.stamp - data.stamp > limit:
                return f"{name} is {sensed.stamp - data.stamp:.2f} s old, limit {limit} s"
        return None


def _finite(command: Command) -> bool:
    values = [v for v in (command.twist, command.arm, command.gripper) if v is not None]
    return all(np.isfinite(v).all() for v in values)
