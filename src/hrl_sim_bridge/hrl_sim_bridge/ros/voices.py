"""How the plant says what it senses: in our topics, or as a robot's driver does."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from rclpy.publisher import Publisher
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.ros import sensor_convert
from hrl_core.ros.clouds import cloud_msg
from hrl_core.ros.compressed import compressed_depth, compressed_picture
from hrl_core.ros.convert import stamp_msg, transform_msg
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_core.sensed import CameraFrame, Odometry, Sensed
from hrl_core.topics import Topic
from hrl_driver.names import Joints
from hrl_driver.profile import Driver, EStopSource, ScanSource
from hrl_sim_bridge.plant.plant import Plant
from hrl_sim_bridge.ros.convert import moving_transforms, static_transforms

Sending = tuple[Publisher, Any]  # with the message
CAMERA_TOPICS = (topics.image, topics.depth, topics.camera_info)
JPEG_QUALITY = 95  # of a driver that compresses


class Voice(Protocol):
    """What all sensors say at a tick, in the order to send."""

    def messages(
        self, plant: Plant, sensed: Sensed, frames: Sequence[CameraFrame]
    ) -> list[Sending]: ...
    def is_heard(self, camera: str) -> bool: ...


class OwnVoice:
    """In our topics."""

    def __init__(self, node: HrlNode, robot: Robot):
        self._robot = robot
        self._sensors = [
            (sensor, node.publish_on(sensor.topic)) for sensor in sensor_convert.sensors_of(robot)
        ]
        self._tf = node.publish_on(topics.TF)
        self._pictures = {
            name: [node.publish_on(topic(name)) for topic in CAMERA_TOPICS]
            for name in robot.cameras
        }
        node.publish_on(topics.TF_STATIC).publish(static_transforms(robot))

    def is_heard(self, camera: str) -> bool:
        return any(p.get_subscription_count() for p in self._pictures[camera])

    def messages(
        self, plant: Plant, sensed: Sensed, frames: Sequence[CameraFrame]
    ) -> list[Sending]:
        assert sensed.odometry is not None, "it has no outages"
        transforms = moving_transforms(self._robot, sensed.odometry, frames)
        messages: list[Sending] = [(self._tf, interface(topics.TF.type)(transforms=transforms))]
        for frame in frames:
            messages += zip(
                self._pictures[frame.name], sensor_convert.frame_msgs(frame), strict=True
            )
        for sensor, publisher in self._sensors:
            if (reading := getattr(sensed, sensor.field)) is not None:
                messages.append((publisher, sensor.to_msg(reading)))
        return messages


class DriverVoice:
    """As the driver of a driver file."""

    def __init__(self, node: HrlNode, robot: Robot, driver: Driver):
        self._robot, self._driver = robot, driver
        sensors = driver.sensors
        self._joints = Joints(sensors.joint_states)
        self._tf = self._publisher(node, sensors.tf, topics.TF.type, "reliable")
        self._states = [
            self._publisher(node, source.topic, topics.JOINT_STATES.type, source.quality)
            for source in sensors.joint_states.sources
        ]
        odometry, imu = sensors.odometry, sensors.imu
        self._odometry = self._publisher(
            node, odometry.topic, topics.ODOMETRY.type, odometry.quality
        )
        self._imu = imu and self._publisher(node, imu.topic, topics.IMU.type, imu.quality)
        self._scans = [
            (
                source,
                self._publisher(
                    node, source.topic, f"sensor_msgs/msg/{source.type}", source.quality
                ),
            )
            for source in sensors.scans
        ]
        self._pictures = {
            name: self._camera(node, name) for name in robot.cameras if name in sensors.cameras
        }
        static = self._publisher(node, sensors.tf_static, topics.TF_STATIC.type, "latched")
        static.publish(self._renamed(static_transforms(robot)))
        if sensors.e_stop is not None:
            stop = sensors.e_stop
            publisher = self._publisher(node, stop.topic, stop.type, "latched")
            publisher.publish(released(stop))

    def is_heard(self, camera: str) -> bool:
        return any(p.get_subscription_count() for p in self._pictures.get(camera, ()))

    def messages(
        self, plant: Plant, sensed: Sensed, frames: Sequence[CameraFrame]
    ) -> list[Sending]:
        odometry, robot = sensed.odometry, self._robot
        assert odometry is not None and sensed.joints is not None, "they have no outages"
        transforms = moving_transforms(robot, odometry, frames)
        hand, base_from_hand = robot.arm.hand_link, plant.base_from_link(robot.arm.hand_link)
        transforms.append(transform_msg(topics.BASE, hand, odometry.stamp, base_from_hand))
        message = interface(topics.TF.type)(transforms=transforms)
        messages: list[Sending] = [(self._tf, self._renamed(message))]
        for frame in frames:
            if frame.name in self._pictures:
                messages += self._picture(frame)
        imu = self._driver.sensors.imu
        if self._imu is not None and imu is not None and sensed.imu is not None:
            message = self._framed(sensor_convert.imu_msg(sensed.imu), imu.frame)
            messages.append((self._imu, message))
        messages += self._joint_states(sensed)
        messages.append((self._odometry, self._odometry_msg(odometry)))
        for source, publisher in self._scans:
            if (scan := self._scan(source, plant, sensed, odometry)) is not None:
                messages.append((publisher, scan))
        return messages

    # Parts

    def _joint_states(self, sensed: Sensed) -> list[Sending]:
        """Each publisher has its share of the joints."""
        joints, names = sensed.joints, self._robot.joints
        assert joints is not None, "they have no outages"
        header = sensor_convert.joints_msg(joints, self._robot).header
        sent: list[Sending] = []
        parts = np.array_split(np.arange(len(names)), len(self._states))
        for publisher, part in zip(self._states, parts, strict=True):
            ours = [names[k] for k in part]
            units = [self._joints.units(name) for name in ours]
            message = JointState(
                header=header,
                name=[self._joints.theirs(name) for name in ours],
                position=[
                    u.to_theirs(x) for u, x in zip(units, joints.position[part], strict=True)
                ],
                velocity=[x / u.scale for u, x in zip(units, joints.velocity[part], strict=True)],
                effort=joints.effort[part].tolist(),
            )
            sent.append((publisher, message))
        return sent

    def _odometry_msg(self, odometry: Odometry):
        message = sensor_convert.odometry_msg(odometry)
        if self._driver.sensors.odometry.twist_in == "odom":
            twist = message.twist.twist
            velocity = odometry.odom_from_base[:3, :3] @ [twist.linear.x, twist.linear.y, 0.0]
            twist.linear.x, twist.linear.y, twist.linear.z = velocity.tolist()
        message.header.frame_id = self._driver.frame(topics.ODOM)
        message.child_frame_id = self._driver.frame(topics.BASE)
        return message

    def _scan(self, source: ScanSource, plant: Plant, sensed: Sensed, odometry: Odometry):
        if source.type == "LaserScan":
            return sensed.scan and self._framed(sensor_convert.scan_msg(sensed.scan), source.frame)
        points = plant.cloud()
        if points is None:
            return None
        if source.data_frame == topics.ODOM:
            pose = odometry.odom_from_base @ self._robot.lidar.mount.parent_from_sensor()
            points = points @ pose[:3, :3].T + pose[:3, 3]
        return self._framed(
            cloud_msg(Header(stamp=stamp_msg(odometry.stamp)), points), source.frame
        )

    def _picture(self, frame: CameraFrame) -> list[Sending]:
        source = self._driver.sensors.cameras[frame.name]
        colour, depth, info = sensor_convert.frame_msgs(
            frame, source.image_encoding, source.depth_encoding
        )
        for message in (colour, depth, info):
            self._framed(message, source.frame)
        if source.compressed:
            colour, depth = compressed_picture(colour, JPEG_QUALITY), compressed_depth(depth)
        return list(zip(self._pictures[frame.name], (colour, depth, info), strict=True))

    # Names

    def _framed(self, message, frame: str):
        """The message in a frame of the driver's file."""
        message.header.frame_id = self._driver.frame(frame)
        return message

    def _renamed(self, message):
        """A message of tf by the driver's names."""
        cameras = self._driver.sensors.cameras
        optical = {topics.image(name).frame: camera.frame for name, camera in cameras.items()}
        for transform in message.transforms:
            child: str = transform.child_frame_id
            transform.child_frame_id = self._driver.frame(optical.get(child, child))
            transform.header.frame_id = self._driver.frame(transform.header.frame_id)
        return message

    def _camera(self, node: HrlNode, name: str) -> list[Publisher]:
        source = self._driver.sensors.cameras[name]
        kinds = [topic(name).type for topic in CAMERA_TOPICS]
        if source.compressed:
            kinds[:2] = ["sensor_msgs/msg/CompressedImage"] * 2
        return [
            self._publisher(node, topic, kind, source.quality)
            for topic, kind in zip(source.topics(), kinds, strict=True)
        ]

    def _publisher(self, node: HrlNode, name: str, kind: str, quality: str) -> Publisher:
        """As the driver file says; a best-effort one is reliable here: lockstep needs that."""
        purpose = "latched" if quality == "latched" else "event"
        return node.publish_on(Topic(self._driver.resolved(name), kind, "", purpose))


def released(stop: EStopSource):
    """A message which says that no emergency stop is pressed; raises ConfigError."""
    message = interface(stop.type)()
    where, rest = message, stop.field
    while "." in rest:
        name, _, rest = rest.partition(".")
        kind = type(where).get_fields_and_field_types()[name.removesuffix("[]")]
        inner = interface("/msg/".join(kind.removeprefix("sequence<").rstrip(">").split("/")))()
        setattr(where, name.removesuffix("[]"), [inner] if name.endswith("[]") else inner)
        where = inner
    free = [value for value in (False, 0, 1, 2) if value not in stop.pressed]
    kind = type(getattr(where, rest))
    value = next((each for each in reversed(free) if type(each) is kind), None)
    if value is None:
        raise ConfigError(f"e_stop.pressed = {stop.pressed}: nothing is left for a released one")
    setattr(where, rest, value)
    return message
