"""One arm as grasp and place use it at runtime: measured state, commands, safe motions."""

from typing import Protocol, runtime_checkable

import numpy as np

from hrl_core.geometry import transform_from
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_skills.arm import ArmKinematics
from hrl_skills.manipulation import GRIPPER_SLEW, GripSensor, Hand, apply_action
from hrl_skills.skill import TICK, Command

SWING = 0.14  # rad per tick, joints between fixed poses
LINE = 0.03  # m per tick, straight lines of the hand
GENTLE = 0.5  # share of both speeds while something is held
RAMP = 0.2  # share of the speed gained per tick; a jerk shakes wide items out of the jaws
BRAKING = 0.4  # share of the way left that a tick may cover
CLEAR_X = 0.58  # m in base_link; a hand behind it is clear of the shelf in front
ARRIVED = 0.02  # rad, m
SQUEEZE = 0.1  # rad, that a gripper is told to close further than what it holds lets it
KEPT_OPENING, KEPT_EFFORT = 0.06, 0.8  # rad, N m; with less, what was held is gone


class ManipulationPolicy(Protocol):
    """Observation (n, d) -> action (n, 6)."""

    def __call__(self, observation: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Resets(Protocol):
    """A policy that remembers what it did."""

    def reset(self) -> None: ...


class Manipulator:
    """Arm and gripper of one robot. Each tick: `sense`, one motion, `command`.

    level: whether a policy's actions keep the jaws level, see `apply_action`.
    """

    def __init__(self, robot: Robot, level: bool = False):
        self._robot, self._level = robot, level
        self.kinematics = ArmKinematics(robot.arm)
        self._grip = GripSensor(1)
        self.last_action = np.zeros((1, 6))
        self.hand: Hand
        self.held = np.zeros(1, bool)
        self.odom_from_tool = np.eye(4)

    def pose(self, name: str) -> np.ndarray:
        """Joints (6,) rad of a pose of the robot file."""
        return np.array(self._robot.arm.poses[name])

    def start(self, sensed: Sensed) -> None:
        """Take over the arm as it is."""
        joints, gripper = self._measured(sensed)
        self._joints, self._gripper = joints.copy(), float(gripper)
        if gripper > -0.1:  # closed and empty: commands continue from there
            self._gripper = 0.0
        effort = sensed.joints.effort[self._robot.gripper_index]
        holding = bool(gripper < -0.12 and effort > 1.0)
        if holding:
            self._gripper = 0.0  # keep on squeezing
        self._grip.reset(np.array([0]), np.array([gripper]), holding)
        self._target: np.ndarray | None = None
        self._ramp = 0.0
        self.sense(sensed)
        self.begin_policy()

    @property
    def holding(self) -> bool:
        return bool(self.held[0])

    @property
    def keeps(self) -> bool:
        """Whether what was held is held still: less strict than `held`, which wants it at rest."""
        return bool(self.hand.gripper[0] < -KEPT_OPENING and self.hand.effort[0] > KEPT_EFFORT)

    @property
    def lets_go(self) -> bool:
        """Whether the gripper is told to squeeze no more, or has nothing to squeeze."""
        return bool(self._gripper < self.hand.gripper[0] + SQUEEZE)

    @property
    def _pace(self) -> float:
        return GENTLE if self.keeps else 1.0

    def sense(self, sensed: Sensed) -> None:
        """Update the measured state."""
        joints, gripper = self._measured(sensed)
        effort = np.array([sensed.joints.effort[self._robot.gripper_index]])
        gripper = np.array([gripper])
        position, rotation = self.kinematics.forward(joints[None])
        self.held = self._grip.update(gripper, effort)
        command = self._target
        if command is None:
            command = self.kinematics.hand_pose(self._joints[None])[0]
        self.hand = Hand(
            joints[None],
            gripper,
            effort,
            command[None],
            np.array([self._gripper]),
            position,
            rotation,
        )
        base_from_tool = transform_from(position[0], rotation[0])
        self.odom_from_tool = sensed.odometry.odom_from_base @ base_from_tool

    def begin_policy(self, policy: ManipulationPolicy | None = None) -> None:
        """Before the first action of a policy; one that keeps phases begins anew."""
        if isinstance(policy, Resets):
            policy.reset()
        self.last_action = np.zeros((1, 6))
        self.last_action[0, 5] = 1.0 if self._gripper > -0.3 else -1.0
        self._ramp = 0.0

    def act(self, action: np.ndarray) -> None:
        """Apply a policy's action (1, 6)."""
        command, gripper = apply_action(self.hand, action, self._level)
        self._target, self._gripper = command[0], float(gripper[0])
        # Close to the shoulder a small way of the hand is a long one of a joint.
        most = self._robot.arm.velocity_limit * TICK
        self._joints += np.clip(self.kinematics.inverse(command)[0] - self._joints, -most, most)
        self.last_action = np.clip(action, -1, 1)

    def go_to_joints(self, goal: np.ndarray, gripper: float | None = None) -> bool:
        """One tick towards joints (6,) rad; True once there. gripper: -1 open, 1 closed."""
        self._set_gripper(gripper)
        step = np.asarray(goal) - self._joints
        size = float(np.abs(step).max())
        self._joints = self._joints + step * self._share(size, SWING)
        self._target = None
        return self._arrived(size < ARRIVED)

    def go_to_hand(self, goal: np.ndarray, gripper: float | None = None) -> bool:
        """One tick on a straight line towards a hand pose (5,); True once there."""
        self._set_gripper(gripper)
        now = self._target
        if now is None:
            now = self.kinematics.hand_pose(self._joints[None])[0]
        step = goal - now
        # A radian counts as much as 0.25 m.
        size = max(float(np.linalg.norm(step[:3])), 0.25 * float(np.abs(step[3:]).max()))
        self._target = now + step * self._share(size, LINE)
        self._joints = self.kinematics.inverse(self._target[None])[0]
        return self._arrived(size < ARRIVED)

    def withdraw(self, gripper: float | None = None) -> bool:
        """One tick back from over a shelf at the height that the hand has; True once clear."""
        now = self._target
        if now is None:
            now = self.kinematics.hand_pose(self._joints[None])[0]
        if now[0] <= CLEAR_X + ARRIVED:
            self._set_gripper(gripper)
            return True
        goal = now.copy()
        goal[:2] = CLEAR_X, now[1] * CLEAR_X / now[0]
        return self.go_to_hand(goal, gripper)

    def _share(self, left: float, speed: float) -> float:
        """Share of the way that is left to go in this tick: speeding up, then slowing down."""
        self._ramp = min(self._ramp + RAMP, 1.0)
        step = min(speed * self._pace * self._ramp, max(BRAKING * left, 0.1 * speed))
        return min(step / max(left, 1e-9), 1.0)

    def _arrived(self, there: bool) -> bool:
        if there:
            self._ramp = 0.0
        return there

    def hold(self, gripper: float | None = None) -> None:
        """Stay."""
        self._set_gripper(gripper)

    def command(self) -> Command:
        """The command of this tick; the base stands."""
        return Command(np.zeros(3), self._joints.copy(), self._gripper)

    def halt(self) -> Command:
        """Stop the base and hold the arm and the grip where they are told to be now."""
        return self.command() if hasattr(self, "_joints") else Command(np.zeros(3))

    def _set_gripper(self, wanted: float | None) -> None:
        if wanted is None:
            return
        goal = -0.785 * (1.0 - wanted)
        self._gripper = float(
            np.clip(goal, self._gripper - GRIPPER_SLEW, self._gripper + GRIPPER_SLEW)
        )

    def _measured(self, sensed: Sensed) -> tuple[np.ndarray, float]:
        assert sensed.joints is not None  # the runner refuses to start without
        position = sensed.joints.position
        return position[self._robot.arm_slice], position[self._robot.gripper_index]
