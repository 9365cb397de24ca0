"""One arm as grasp and place use it at runtime: measured state, commands, safe motions."""

from typing import Protocol, runtime_checkable

import numpy as np

from hrl_core.control import TICK, Command, per_tick
from hrl_core.geometry import transform_from
from hrl_core.known import known
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_skills.arm import ArmKinematics
from hrl_skills.manipulation import GripSensor, Hand, apply_action, upright_hand

ARRIVED = 0.02  # rad, m


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
        self._use, self._gripper_shape = robot.arm.hand, robot.arm.gripper
        self.kinematics = ArmKinematics(robot.arm)
        self._grip = GripSensor(1, robot.arm.gripper)
        self.last_action = np.zeros((1, 6))
        self.hand: Hand
        self.held = np.zeros(1, bool)
        self.odom_from_tool = np.eye(4)

    def pose(self, name: str) -> np.ndarray:
        """Joints (6,) rad of a pose of the robot file."""
        return np.array(self._robot.arm.poses[name])

    def ready_joints(self, top: np.ndarray) -> np.ndarray:
        """Joints (6,) rad with the hand before and above a point (3,) m in base_link, to see it."""
        use, (x, y, z) = self._use, top
        x = min(x - use.ready_back, use.ready_furthest)
        hand = np.array([[x, y, z + use.ready_up, use.ready_pitch, use.ready_roll]])
        return self.kinematics.inverse(hand)[0]

    def hand_with_item_at(
        self, point: np.ndarray, tool_from_item: np.ndarray, lean: float
    ) -> np.ndarray:
        """Hand pose (5,) with a held item's centre at a point (3,) m in base_link.

        The item stands upright, the hand `lean` [rad] further back.
        """
        pitch, roll = upright_hand(self._use, tool_from_item[:3, 2])
        hand = np.array([*point, pitch - lean, roll])
        for _ in range(3):  # the arm's yaw follows from where the hand is
            _, rotation = self.kinematics.forward(self.kinematics.inverse(hand[None]))
            hand[:3] = point - rotation[0] @ tool_from_item[:3, 3]
        return hand

    def start(self, sensed: Sensed) -> None:
        """Take over the arm as it is."""
        joints, gripper = self._measured(sensed)
        self._joints, self._gripper = joints.copy(), float(gripper)
        shape = self._gripper_shape
        if gripper > -shape.closed:  # closed and empty: commands continue from there
            self._gripper = 0.0
        effort = known(sensed.joints).effort[self._robot.gripper_index]
        holding = bool(gripper < -shape.held and effort > shape.carried_effort)
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
        shape, hand = self._gripper_shape, self.hand
        return bool(hand.gripper[0] < -shape.kept and hand.effort[0] > shape.kept_effort)

    @property
    def lets_go(self) -> bool:
        """Whether the gripper is told to squeeze no more, or has nothing to squeeze."""
        return bool(self._gripper < self.hand.gripper[0] + self._gripper_shape.squeeze)

    @property
    def _pace(self) -> float:
        return self._use.gentle if self.keeps else 1.0

    def sense(self, sensed: Sensed) -> None:
        """Update the measured state."""
        joints, gripper = self._measured(sensed)
        effort = np.array([known(sensed.joints).effort[self._robot.gripper_index]])
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
        self.odom_from_tool = known(sensed.odometry).odom_from_base @ base_from_tool

    def begin_policy(self, policy: ManipulationPolicy | None = None) -> None:
        """Before the first action of a policy; one that keeps phases begins anew."""
        if isinstance(policy, Resets):
            policy.reset()
        self.last_action = np.zeros((1, 6))
        self.last_action[0, 5] = 1.0 if self._gripper > -0.3 else -1.0
        self._ramp = 0.0

    def act(self, action: np.ndarray) -> None:
        """Apply a policy's action (1, 6)."""
        command, gripper = apply_action(self._robot.arm, self.hand, action, self._level)
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
        self._joints = self._joints + step * self._share(size, self._use.joint_speed)
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
        self._target = now + step * self._share(size, self._use.line_speed)
        self._joints = self.kinematics.inverse(known(self._target)[None])[0]
        return self._arrived(size < ARRIVED)

    def withdraw(self, gripper: float | None = None) -> bool:
        """One tick back from over a shelf at the height that the hand has; True once clear."""
        now = self._target
        if now is None:
            now = self.kinematics.hand_pose(self._joints[None])[0]
        clear_x = self._use.clear_x
        if now[0] <= clear_x + ARRIVED:
            self._set_gripper(gripper)
            return True
        goal = now.copy()
        goal[:2] = clear_x, now[1] * clear_x / now[0]
        return self.go_to_hand(goal, gripper)

    def _share(self, left: float, speed: float) -> float:
        """Share of the way that is left to go in this tick: speeding up, then slowing down.

        `speed`: rad/s or m/s, `left`: rad or m.
        """
        most = per_tick(speed)
        self._ramp = min(self._ramp + self._use.ramp, 1.0)
        step = min(most * self._pace * self._ramp, max(self._use.braking * left, 0.1 * most))
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
        goal = -self._robot.arm.half_open * (1.0 - wanted)
        slew = per_tick(self._gripper_shape.speed)
        self._gripper = float(np.clip(goal, self._gripper - slew, self._gripper + slew))

    def _measured(self, sensed: Sensed) -> tuple[np.ndarray, float]:
        assert sensed.joints is not None  # the runner refuses to start without
        position = sensed.joints.position
        return position[self._robot.arm_slice], position[self._robot.gripper_index]


class ArmTuck:
    """Brings the arm in from where a skill left it, with what it holds, before the base moves."""

    def __init__(self, robot: Robot, sensed: Sensed) -> None:
        self._arm = Manipulator(robot)
        self._arm.start(sensed)
        self._clear = False
        self.done = False
        self.ticks = 0

    def tick(self, sensed: Sensed) -> Command:
        """One tick back from over a shelf, then to the pose for carrying or for nothing held."""
        self.ticks += 1
        self._arm.sense(sensed)
        if not self._clear:
            self._clear = self._arm.withdraw()
        elif not self.done:
            self.done = self._arm.go_to_joints(self._arm.pose(self._pose()))
        return self._arm.command()

    def _pose(self) -> str:
        return "carry" if self._arm.keeps else "stow"
