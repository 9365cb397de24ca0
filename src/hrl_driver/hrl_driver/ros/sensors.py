"""What the driver publishes, turned into our topics."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sensor_msgs.msg import Image, JointState

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.ros.clouds import points_of
from hrl_core.ros.convert import seconds
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.node import HrlNode
from hrl_core.ros.sensor_convert import (
    COLOURS,
    image_msg,
    imu_from_msg,
    imu_msg,
    odometry_from_msg,
    odometry_msg,
    rows_of,
    scan_from_msg,
    scan_msg,
)
from hrl_core.sensed import Imu, Odometry
from hrl_core.topics import Topic
from hrl_driver.colours import ENCODINGS, rgb_of_rows
from hrl_driver.names import Frames, Joints
from hrl_driver.profile import CameraSource, Driver, Source
from hrl_driver.ros.tf import DriverTransforms
from hrl_driver.scans import Flattener, Looked

Heard = Callable[[str, float], None]  # a topic of ours, and the stamp [s] of what was made of it
WAITING = 4  # clouds that wait for where the robot was
OTHER_AGE = 0.3  # s; a scan of another LiDAR that is older is not merged


def heard_on(driver: Driver, source: Source, kind: str) -> Topic:
    """A sensor of the driver's; it is taken best effort, which suits every publisher."""
    return Topic(driver.resolved(source.topic), kind, source.frame, "sensor")


class JointsIn:
    """Joint states by our names; the parts of several publishers stay parts."""

    def __init__(self, node: HrlNode, driver: Driver, heard: Heard):
        self._joints, self._heard = Joints(driver.sensors.joint_states), heard
        self._out = node.publish_on(topics.JOINT_STATES)
        self._inputs = node.inputs
        for source in driver.sensors.joint_states.sources:
            topic = heard_on(driver, source, topics.JOINT_STATES.type)
            node.subscribe(topic, partial(self._on_states, topic.name))

    def _on_states(self, name: str, message: JointState) -> None:
        message.name, message.position, message.velocity = self._joints.states_to_ours(
            [*message.name], [*message.position], [*message.velocity]
        )
        self._out.publish(message)
        self._inputs.used(name)
        self._heard(topics.JOINT_STATES.name, seconds(message.header.stamp))


class OdometryIn:
    """Odometry of base_link with its twist in base_link, and the transform that says the same."""

    def __init__(
        self,
        node: HrlNode,
        driver: Driver,
        frames: Frames,
        transforms: DriverTransforms,
        heard: Heard,
    ):
        self._frames, self._transforms, self._heard = frames, transforms, heard
        self._twist_in = driver.sensors.odometry.twist_in
        self._out = node.publish_on(topics.ODOMETRY)
        topic = heard_on(driver, driver.sensors.odometry, topics.ODOMETRY.type)
        self._used = partial(node.inputs.used, topic.name)
        node.subscribe(topic, self._on_odometry)

    def _on_odometry(self, message) -> None:
        stated = self._frames.ours(message.child_frame_id)
        odom = {"odom": True, "base": False, "stated": stated == topics.ODOM}[self._twist_in]
        message.header.frame_id = self._frames.ours(message.header.frame_id)
        message.child_frame_id = topics.ODOM if odom else topics.BASE
        said = odometry_from_msg(message)
        pose, twist = said.odom_from_base, said.twist
        if stated not in (topics.ODOM, topics.BASE):
            # Of another frame of the body, such as its footprint.
            offset = self._transforms.lookup(stated, topics.BASE, said.stamp)
            pose = pose @ offset
            twist = np.append((offset[:3, :3].T @ [twist[0], twist[1], 0.0])[:2], twist[2])
        self._transforms.tell_base(said.stamp, pose)
        self._out.publish(odometry_msg(Odometry(said.stamp, pose, twist)))
        self._used()
        self._heard(topics.ODOMETRY.name, said.stamp)


class ImuIn:
    """An IMU anywhere on the body, as one in base_link."""

    def __init__(
        self,
        node: HrlNode,
        driver: Driver,
        source: Source,
        frames: Frames,
        transforms: DriverTransforms,
    ):
        self._frames, self._transforms = frames, transforms
        # Not made where the driver has none: our nodes would wait for it.
        self._out = node.publish_on(topics.IMU)
        topic = heard_on(driver, source, topics.IMU.type)
        self._used = partial(node.inputs.used, topic.name)
        node.subscribe(topic, self._on_imu)

    def _on_imu(self, message) -> None:
        frame = self._frames.ours(message.header.frame_id)
        message.header.frame_id = topics.BASE
        said = imu_from_msg(message)
        turn = self._transforms.lookup(topics.BASE, frame, said.stamp)[:3, :3]
        self._out.publish(imu_msg(Imu(said.stamp, turn @ said.angular_velocity, turn @ said.up)))
        self._used()


class ScansIn:
    """One planar scan in lidar_link of all LiDARs, with the stamps of the first."""

    def __init__(
        self,
        node: HrlNode,
        driver: Driver,
        robot: Robot,
        frames: Frames,
        transforms: DriverTransforms,
    ):
        self._robot, self._frames = robot, frames
        self._transforms = transforms
        self._flattener = Flattener(robot)
        self._out = node.publish_on(topics.SCAN)
        self._waiting: deque[tuple[int, Any]] = deque(maxlen=WAITING)
        self._newest: dict[int, tuple[float, Looked]] = {}
        self._sources = driver.sensors.scans
        alone = self._sources[0] if len(self._sources) == 1 else None
        in_place = alone is not None and frames.ours(alone.frame) == topics.LIDAR
        self._inputs, self._names = node.inputs, []
        for k, source in enumerate(self._sources):
            topic = heard_on(driver, source, f"sensor_msgs/msg/{source.type}")
            self._names.append(topic.name)
            whole = in_place and source.type == "LaserScan"
            node.subscribe(topic, self._pass_on if whole else partial(self._look, k))

    def try_again(self) -> None:
        """Transforms have come."""
        for _ in range(len(self._waiting)):
            k, message = self._waiting.popleft()
            self._look(k, message)

    def _pass_on(self, message) -> None:
        message.header.frame_id = self._frames.ours(message.header.frame_id)
        self._out.publish(message)
        self._inputs.used(self._names[0])

    def _look(self, k: int, message) -> None:
        stamp = seconds(message.header.stamp)
        source = self._sources[k]
        if self._transforms.buffer.newest(topics.BASE) < stamp - EPSILON:
            self._waiting.append((k, message))  # where the robot was is still on the way
            return
        frame = self._frames.ours(source.data_frame or message.header.frame_id)
        base_from_sensor = self._transforms.lookup(topics.BASE, frame, stamp)
        if source.type == "LaserScan":
            message.header.frame_id = topics.LIDAR
            looked = self._flattener.from_scan(scan_from_msg(message), base_from_sensor)
        else:
            points = points_of(message) @ base_from_sensor[:3, :3].T + base_from_sensor[:3, 3]
            odom_from_base = self._transforms.lookup(topics.ODOM, topics.BASE, stamp)
            looked = self._flattener.from_cloud(
                points, odom_from_base, source.view, self._tool(stamp)
            )
        self._newest[k] = stamp, looked
        self._inputs.used(self._names[k])
        if k == 0:
            parts = [part for when, part in self._newest.values() if abs(stamp - when) <= OTHER_AGE]
            self._out.publish(scan_msg(self._flattener.merge(stamp, parts)))

    def _tool(self, stamp: float) -> np.ndarray | None:
        """Where the hand is (3,) m in base_link; None: tf does not say."""
        arm = self._robot.arm
        try:
            base_from_hand = self._transforms.lookup(topics.BASE, arm.hand_link, stamp)
        except ConfigError:
            return None
        return base_from_hand[:3, :3] @ np.array(arm.tool) + base_from_hand[:3, 3]


class CameraIn:
    """Pictures, depth and calibration of one camera under our names."""

    def __init__(
        self, node: HrlNode, driver: Driver, frames: Frames, name: str, source: CameraSource
    ):
        self._frames = frames
        image, depth, info = topics.image(name), topics.depth(name), topics.camera_info(name)
        ours = [image, depth, info]
        ways = [self._colour, self._as_it_is, self._as_it_is]
        if source.compressed:
            ours[:2] = topics.compressed(image), topics.compressed_depth(depth)
            ways[0] = self._as_it_is
        for theirs, topic, way in zip(source.topics(), ours, ways, strict=True):
            heard = Topic(driver.resolved(theirs), topic.type, source.frame, "sensor")
            node.subscribe(heard, self._passer(node.publish_on(topic), way))

    def _passer(self, publisher, way: Callable[[Any], Any]) -> Callable[[Any], None]:
        def take(message) -> None:
            message.header.frame_id = self._frames.ours(message.header.frame_id)
            publisher.publish(way(message))

        return take

    @staticmethod
    def _as_it_is(message):
        return message

    @staticmethod
    def _colour(message: Image) -> Image:
        """Our nodes take the usual encodings; what only drivers have becomes rgb8."""
        if message.encoding in COLOURS or message.encoding not in ENCODINGS:
            return message  # an unknown one is refused by who reads it, with the topic's name
        pixels = rgb_of_rows(rows_of(message), message.width, message.encoding)
        return image_msg(message.header, pixels, "rgb8")
