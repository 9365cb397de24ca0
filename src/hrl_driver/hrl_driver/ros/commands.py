"""Our commands, turned into the driver's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from geometry_msgs.msg import TwistStamped
from rclpy.action.client import ActionClient
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.control import COMMAND_AGE
from hrl_core.robot import Robot
from hrl_core.ros.commands import check_age, twist_from_msg
from hrl_core.ros.convert import seconds
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_core.topics import Topic
from hrl_driver.names import Joints
from hrl_driver.profile import ACTIONS, Driver

Passes = Callable[[], bool]  # whether the robot may be moved now


def targets_of(message: JointTrajectory, joints: Sequence[str]) -> dict[str, float]:
    """Positions of the first point by joint; raises ConfigError unless they are exactly these."""
    if sorted(message.joint_names) != sorted(joints):
        raise ConfigError(f"joint_names = {list(message.joint_names)}: allowed are {list(joints)}")
    first = [*message.points][:1]
    if not first or len(first[0].positions) != len(joints):
        raise ConfigError(f"points: needs one with {len(joints)} positions")
    return dict(zip(message.joint_names, first[0].positions, strict=True))


class BaseOut:
    """Velocity commands, repeated while they hold; one stop when they have become too old."""

    def __init__(self, node: HrlNode, driver: Driver, passes: Passes):
        spec = driver.commands.base
        self._node, self._passes = node, passes
        self._stamped = spec.type == "TwistStamped"
        topic = Topic(driver.resolved(spec.topic), f"geometry_msgs/msg/{spec.type}", "", "command")
        self._kind = interface(topic.type)
        self._out = node.publish_on(topic)
        self._frame = driver.frame(topics.BASE)
        self._newest: TwistStamped | None = None
        self._came = 0.0  # s, ROS time
        node.subscribe(topics.CMD_VEL, self._on_twist)
        if not node.parameters.lockstep:  # there each tick has its one command
            timer = node.create_timer(1.0 / spec.rate, self._repeat)
            node.made.append(lambda: node.destroy_timer(timer))

    def stop(self) -> None:
        """Stand still now."""
        self._newest = None
        self._send(TwistStamped())

    def _on_twist(self, message: TwistStamped) -> None:
        now = self._now()
        check_age(seconds(message.header.stamp), now)
        twist_from_msg(message)  # raises for what must not be passed on
        if self._passes():
            self._newest, self._came = message, now
            self._send(message)

    def _repeat(self) -> None:
        if self._newest is None:
            return
        if not self._passes() or not 0 <= self._now() - self._came <= COMMAND_AGE:
            self.stop()
        else:
            self._send(self._newest)

    def _send(self, message: TwistStamped) -> None:
        if self._stamped:
            stamped = TwistStamped(twist=message.twist)
            stamped.header.stamp = self._node.ros_time()
            stamped.header.frame_id = self._frame
            self._out.publish(stamped)
        else:
            self._out.publish(message.twist)

    def _now(self) -> float:
        return seconds(self._node.ros_time())


class ArmOut:
    """Joint targets of the arm."""

    def __init__(self, node: HrlNode, driver: Driver, robot: Robot, passes: Passes):
        spec, self._passes = driver.commands.arm, passes
        self._wanted = robot.arm.joints
        self._joints = Joints(driver.sensors.joint_states)
        name, self._node = driver.resolved(spec.topic), node
        self._action: Newest | None = None
        if spec.type == "FollowJointTrajectory":
            self._action = Newest(node, name, ACTIONS + spec.type)
        else:
            package = "sensor_msgs" if spec.type == "JointState" else "trajectory_msgs"
            self._out = node.publish_on(Topic(name, f"{package}/msg/{spec.type}", "", "command"))
        self._as_state = spec.type == "JointState"
        node.subscribe(topics.ARM, self._on_arm)

    def _on_arm(self, message: JointTrajectory) -> None:
        targets = self._joints.targets_to_theirs(targets_of(message, self._wanted))
        if not self._passes():
            return
        if self._as_state:
            state = JointState(name=list(targets), position=list(targets.values()))
            state.header.stamp = message.header.stamp
            self._out.publish(state)
            return
        trajectory = trajectory_msg(targets, message)
        if self._action is None:
            self._out.publish(trajectory)
        else:
            self._action.send(self._action.request(trajectory=trajectory))


class GripperOut:
    """The gripper's opening; an action or a service hears of it only when it changes."""

    def __init__(self, node: HrlNode, driver: Driver, robot: Robot, passes: Passes):
        self._spec, self._passes = driver.commands.gripper, passes
        spec, self._wanted = self._spec, (robot.arm.gripper_joint,)
        self._prefix = driver.sensors.joint_states.prefix
        self._last: float | None = None  # rad, that an action or a service was told
        self._newest: Newest | None = None
        name = driver.resolved(spec.topic)
        if spec.type == "JointTrajectory":
            kind = topics.GRIPPER.type
            self._out = node.publish_on(Topic(name, kind, "", "command"))
        else:
            kind = spec.service or ACTIONS + spec.type
            self._newest = Newest(node, name, kind)
        node.subscribe(topics.GRIPPER, self._on_gripper)

    def _on_gripper(self, message: JointTrajectory) -> None:
        (target,) = targets_of(message, self._wanted).values()
        if not self._passes():
            self._last = None
            return
        spec, theirs = self._spec, self._spec.to_theirs(target)
        if self._newest is None:
            targets = {self._prefix + name: theirs for name in spec.joints}
            self._out.publish(trajectory_msg(targets, message))
            return
        if self._last is not None and abs(target - self._last) < spec.step:
            return
        self._last = target
        request = self._newest.request()
        if spec.type == "service":
            setattr(request, spec.field, theirs)
        else:
            request.command.position, request.command.max_effort = theirs, spec.max_effort
        self._newest.send(request)


class Newest:
    """Requests to an action or a service, one at a time: the newest follows when one is answered.

    A server that takes its time must not pile up what is no longer wanted.
    """

    def __init__(self, node: HrlNode, name: str, kind: str):
        self._node, self._name = node, name
        self._is_action = "/action/" in kind
        interface_ = interface(kind)
        if self._is_action:
            self._client: Any = ActionClient(node, interface_, name)
            self.request = interface_.Goal
            node.made.append(self._client.destroy)
        else:
            self._client = node.create_client(interface_, name)
            self.request = interface_.Request
            node.made.append(lambda: node.destroy_client(self._client))
        self._next: Any = None
        self._asked: Any = None  # the future of the answer that is awaited

    def send(self, request: Any) -> None:
        self._next = request
        self._go_on()

    def _go_on(self) -> None:
        if self._next is None or (self._asked is not None and not self._asked.done()):
            return
        ready = self._client.server_is_ready if self._is_action else self._client.service_is_ready
        if not ready():
            self._node.refuse(self._name, ConfigError("nobody answers to it"))
            return
        request, self._next = self._next, None
        ask = self._client.send_goal_async if self._is_action else self._client.call_async
        self._asked = ask(request)
        self._asked.add_done_callback(self._on_answer)

    def _on_answer(self, future: Any) -> None:
        answer = future.result()
        good = answer.accepted if self._is_action else getattr(answer, "success", True)
        if not good:
            said = getattr(answer, "message", "") or "no reason given"
            self._node.refuse(self._name, ConfigError(f"it refused: {said}"))
        self._go_on()


def trajectory_msg(targets: Mapping[str, float], of: JointTrajectory) -> JointTrajectory:
    """One point with the positions of joints, in the time of another message's first point."""
    first, *_ = of.points
    point = JointTrajectoryPoint(
        positions=list(targets.values()), time_from_start=first.time_from_start
    )
    return JointTrajectory(header=of.header, joint_names=list(targets), points=[point])
