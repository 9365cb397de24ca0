"""Command -> ctrl: limits, slews, interpolation, and a watchdog for a base nobody commands."""

import mujoco
import numpy as np

from hrl_core.control import COMMAND_AGE, TICK, Command
from hrl_core.robot import Robot
from hrl_sim_bridge.plant.sensors import as_slice


class CommandRefused(ValueError):
    """A command that must not reach the robot: which part, its value, what is allowed."""


class BaseDrive:
    """Velocity command of the base: clipped, slewed, and zero when commands stay away."""

    def __init__(self, robot: Robot, period: float, command_age: float) -> None:
        self._command_age = command_age
        self._low = np.array(robot.base.velocity_min)
        self._high = np.array(robot.base.velocity_max)
        self._slew = np.array(robot.base.acceleration_max) * period
        self.reset()

    def reset(self) -> None:
        self.twist = np.zeros(3)  # m/s, m/s, rad/s in base_link: what the gait is told
        self._wanted = self.twist
        self._expires = 0.0  # s

    def accept(self, twist: np.ndarray, time: float) -> None:
        """Take a velocity command (3,) m/s, m/s, rad/s given at a time [s]."""
        self._wanted = np.minimum(np.maximum(twist, self._low), self._high)
        self._expires = time + self._command_age

    def stop(self) -> None:
        """Slow down to a stand."""
        self._wanted = np.zeros(3)

    def begin_tick(self, time: float) -> None:
        """Stop a base whose last command is too old."""
        if time >= self._expires - 1e-9:
            self.stop()

    def advance(self) -> np.ndarray:
        """The slewed command (3,) of the next gait period."""
        if self.twist is not self._wanted:
            change = self._wanted - self.twist
            step = np.minimum(np.maximum(change, -self._slew), self._slew)
            reached = np.array_equal(step, change)
            self.twist = self._wanted if reached else self.twist + step
        return self.twist


class JointDrive:
    """Targets of the arm and the gripper, reached along a straight line within one tick."""

    def __init__(self, robot: Robot) -> None:
        arm = robot.arm
        self.names = (*arm.joints, arm.gripper_joint)
        closed_last = sorted((arm.gripper_open, arm.gripper_closed))
        self._low = np.array([*arm.lower, closed_last[0]])
        self._high = np.array([*arm.upper, closed_last[1]])
        self._reach = arm.velocity_limit * TICK  # rad in one tick
        self.reset(np.zeros(len(self.names)))

    def reset(self, position: np.ndarray) -> None:
        """Hold a position (n,) rad of arm and gripper."""
        self.target = np.clip(position, self._low, self._high)
        self._start = self.target
        self._goal = self.target

    def accept(self, arm: np.ndarray | None, gripper: float | None) -> None:
        """Take targets (6,) rad and rad for the end of the coming tick, within the limits."""
        if arm is None and gripper is None:
            return
        goal = self._goal.copy()
        if arm is not None:
            goal[:-1] = arm
        if gripper is not None:
            goal[-1] = gripper
        self._goal = np.clip(goal, self._low, self._high)

    def hold(self) -> None:
        """Stay at the present target."""
        self._goal = self.target

    def begin_tick(self) -> bool:
        """Start the line of this tick; whether anything will move."""
        self._start = self.target
        if self._goal is self.target:
            return False
        step = np.clip(self._goal - self._start, -self._reach, self._reach)
        if not step.any():
            self._goal = self.target
            return False
        self.target = self._start + step
        return True

    def along(self, share: float) -> np.ndarray:
        """Target (n,) rad at a share 0 to 1 of the tick."""
        if self._start is self.target:
            return self.target
        return self._start + share * (self.target - self._start)


class Actuators:
    """Everything between a `Command` and MuJoCo's ctrl, except the gait."""

    def __init__(
        self,
        robot: Robot,
        model: mujoco.MjModel,
        gait_period: float,
        command_age: float = COMMAND_AGE,
    ) -> None:
        self.base = BaseDrive(robot, gait_period, command_age)
        self.joints = JointDrive(robot)
        self.legs = as_slice([model.actuator(name).id for name in robot.legs.joints])
        self.arm = as_slice([model.actuator(name).id for name in self.joints.names])
        dofs = [model.joint(name).dofadr[0] for name in robot.arm.joints]
        self._arm_dofs = as_slice([int(dof) for dof in dofs])
        self._arm_only = as_slice([model.actuator(name).id for name in robot.arm.joints])
        stiffness = model.actuator_gainprm[self.arm, 0]
        self._compliance = 1.0 / stiffness[: len(dofs)]  # rad per N m
        self._arm_size = len(robot.arm.joints)

    def reset(self, arm: np.ndarray) -> None:
        """Stand, and hold arm and gripper (n,) rad."""
        self.base.reset()
        self.joints.reset(arm)

    def accept(self, command: Command, time: float) -> None:
        """Check and take a command; a refused one leaves the robot holding where it is.

        Raises CommandRefused for a wrong shape or a value that is not finite.
        """
        try:
            twist = _checked("twist", command.twist, (3,), "m/s, m/s, rad/s")
            arm = _checked("arm", command.arm, (self._arm_size,), "rad")
            gripper = _checked("gripper", command.gripper, (), "rad")
        except CommandRefused:
            self.base.stop()
            self.joints.hold()
            raise
        if twist is not None:
            self.base.accept(twist, time)
        self.joints.accept(arm, None if gripper is None else float(gripper))

    def write_arm(self, data: mujoco.MjData, share: float) -> None:
        """Set the arm's ctrl at a share 0 to 1 of the tick, with its weight taken off the servos.

        Without that feed-forward a stretched arm hangs 3 cm low.
        """
        data.ctrl[self.arm] = self.joints.along(share)
        data.ctrl[self._arm_only] += data.qfrc_bias[self._arm_dofs] * self._compliance


def _checked(part: str, value, shape: tuple[int, ...], unit: str) -> np.ndarray | None:
    if value is None:
        return None
    array = np.asarray(value, dtype=float)
    if array.shape != shape:
        raise CommandRefused(f"command.{part} has shape {array.shape}; allowed is {shape}")
    if not np.isfinite(array).all():
        raise CommandRefused(
            f"command.{part} = {array.tolist()}; allowed are finite values [{unit}]"
        )
    return array
