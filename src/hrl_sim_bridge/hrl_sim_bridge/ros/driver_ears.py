"""What the plant is told as a robot's driver: commands by the driver file, power, stand and sit."""

from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.control import TICK
from hrl_core.robot import Robot
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_core.topics import Topic
from hrl_driver.names import Joints
from hrl_driver.profile import Driver
from hrl_sim_bridge.plant.seat import SittingGait
from hrl_sim_bridge.plant.trajectory import Follower, Trajectory

SERVICES = ("claim", "release", "power_on", "power_off", "stand", "sit", "stop")


class DriverEars:
    """Takes commands in the driver's topics; none is obeyed before the robot was brought up."""

    def __init__(
        self,
        node: HrlNode,
        robot: Robot,
        driver: Driver,
        gait: SittingGait,
        arm: Follower,
        gripper: Follower,
        take_twist: Callable[[np.ndarray], None],
        take_trajectory: Callable[[Topic, Follower, dict[str, str], object], None],
        now: Callable[[], float],
    ):
        """`take_twist`: a velocity (3,) m/s, m/s, rad/s. `now`: plant time [s]."""
        self._node, self._robot, self._driver, self._gait = node, robot, driver, gait
        self._arm, self._gripper, self._take_twist, self._now = arm, gripper, take_twist, now
        self._joints = Joints(driver.sensors.joint_states)
        self._lease = self._powered = not driver.power.start
        self._up = not driver.power.start  # it was told to stand
        self._subscribe(node, take_trajectory)
        self._services = self._serve(node)

    def close(self) -> None:
        """Give back the services."""
        for service in self._services:
            self._node.destroy_service(service)

    @property
    def obeys(self) -> bool:
        """Whether it stands and may be driven."""
        return self._up and self._gait.stands

    def _subscribe(self, node: HrlNode, take_trajectory) -> None:
        commands, resolved = self._driver.commands, self._driver.resolved
        base = Topic(
            resolved(commands.base.topic), f"geometry_msgs/msg/{commands.base.type}", "", "command"
        )
        node.subscribe(base, self._on_twist)
        arm = {self._joints.theirs(name): name for name in self._robot.arm.joints}
        finger = self._robot.arm.gripper_joint
        if commands.arm.type == "JointState":
            states = Topic(resolved(commands.arm.topic), topics.JOINT_STATES.type, "", "command")
            node.subscribe(states, self._guarded(self._on_arm_states))
        elif commands.arm.type == "JointTrajectory":
            topic = Topic(resolved(commands.arm.topic), topics.ARM.type, "", "command")
            node.subscribe(
                topic, self._guarded(lambda m: take_trajectory(topic, self._arm, arm, m))
            )
        else:
            raise ConfigError(f"commands.arm.type = {commands.arm.type!r}: the plant has no action")
        if commands.gripper.type == "GripperCommand":
            raise ConfigError("commands.gripper.type = 'GripperCommand': the plant has no action")
        if commands.gripper.type == "JointTrajectory":
            topic_ = Topic(resolved(commands.gripper.topic), topics.GRIPPER.type, "", "command")
            joints = {self._joints.theirs(commands.gripper.joints[0]): finger}
            node.subscribe(
                topic_, self._guarded(lambda m: take_trajectory(topic_, self._gripper, joints, m))
            )

    def _serve(self, node: Node) -> list:
        gripper, power = self._driver.commands.gripper, self._driver.power
        made = []
        if gripper.type == "service":
            made.append(
                node.create_service(
                    interface(gripper.service),
                    self._driver.resolved(gripper.topic),
                    self._on_gripper,
                )
            )
        used = {*power.start, *power.fault, *power.end}
        if unknown := sorted(used - set(SERVICES)):
            raise ConfigError(f"power: the plant has no {unknown}; it has {list(SERVICES)}")
        for name in SERVICES if used else ():
            made.append(
                node.create_service(
                    Trigger,
                    self._driver.resolved(name),
                    lambda request, response, name=name: self._on_service(name, response),
                )
            )
        return made

    # Commands

    def _guarded(self, take: Callable) -> Callable:
        def obey(message) -> None:
            if not self.obeys:
                raise ConfigError(
                    "it is not obeyed: the robot was not claimed, powered or stood up"
                )
            take(message)

        return obey

    def _on_twist(self, message) -> None:
        twist = getattr(message, "twist", message)
        values = np.array([twist.linear.x, twist.linear.y, twist.angular.z])
        if not np.isfinite(values).all():
            raise ConfigError(f"twist = {values.tolist()}: needs finite numbers")
        self._take_twist(values if self.obeys else np.zeros(3))

    def _on_arm_states(self, message: JointState) -> None:
        ours = dict(
            zip((self._joints.ours(n) for n in message.name), message.position, strict=True)
        )
        wanted = self._robot.arm.joints
        if sorted(ours) != sorted(wanted):
            names = [self._joints.theirs(name) for name in wanted]
            raise ConfigError(f"name = {list(message.name)}: allowed are exactly {names}")
        target = [self._joints.units(name).to_ours(ours[name]) for name in wanted]
        self._follow(self._arm, target)

    def _on_gripper(self, request, response):
        spec = self._driver.commands.gripper
        if not self.obeys:
            response.message = "the robot does not stand"
            return response
        self._follow(self._gripper, [spec.to_ours(getattr(request, spec.field))])
        response.success = True
        return response

    def _follow(self, follower: Follower, target: list[float]) -> None:
        follower.follow(Trajectory(self._now(), np.array([TICK]), np.array([target])))

    # Power

    def _on_service(self, name: str, response: Trigger.Response) -> Trigger.Response:
        response.message = self._refusal(name)
        response.success = not response.message
        if not response.success:
            return response
        if name in ("claim", "release"):
            self._lease = name == "claim"
        elif name in ("power_on", "power_off"):
            self._powered = name == "power_on"
        if name in ("sit", "power_off", "release"):  # motors are never cut while it stands
            self._up, self._gait.sits = False, True
        elif name == "stand":
            self._up, self._gait.sits = True, False
        self._take_twist(np.zeros(3))
        return response

    def _refusal(self, name: str) -> str:
        if name not in ("claim", "release") and not self._lease:
            return "the lease was not claimed"
        if name in ("stand", "sit") and not self._powered:
            return "the motors are off"
        return ""
