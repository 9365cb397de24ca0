"""What nodes make of their inputs, and what their diagnostics say of it."""

import random
import time

import cv2
import numpy as np
import pytest

from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.robot import load_robot
from hrl_core.ros.qos import interface, publisher_qos

SECONDS = 4.0  # of joint states at each rate


class Driver:
    """Publishes what a robot's driver would, from the thread of the test."""

    def __init__(self, node):
        self.node, self.robot = node, load_robot()
        self._publishers = {}

    def publish(self, topic, message) -> None:
        if topic.name not in self._publishers:
            self._publishers[topic.name] = self.node.create_publisher(
                interface(topic.type), topic.name, publisher_qos(topic)
            )
        self._publishers[topic.name].publish(message)

    def close(self) -> None:
        for publisher in self._publishers.values():
            self.node.destroy_publisher(publisher)

    def now(self):
        return self.node.get_clock().now().to_msg()

    def joints(self, names=None):
        names = list(names or self.robot.joints)
        message = interface(topics.JOINT_STATES.type)(name=names, position=[0.0] * len(names))
        message.header.stamp = self.now()
        return message


@pytest.fixture
def driver(probe):
    made = Driver(probe)
    yield made
    made.close()


@pytest.fixture
def sensing(ros_domain):
    """A node in this process that hears joint states alone and keeps its ticks."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from hrl_core.ros.node import HrlNode
    from hrl_core.ros.senses import Senses

    class Sensing(HrlNode):
        def load(self) -> None:
            self.ticks: list[float] = []
            self.senses = Senses(self, load_robot(), self.keep, sources=("joint_states",))

        def keep(self, stamp: float) -> None:
            self.senses.sensed()
            self.ticks.append(stamp)

        def faults(self) -> dict[str, str]:
            return self.senses.faults()

    rclpy.init(args=[], domain_id=ros_domain[0])
    node = Sensing("sensing")
    node.start_up()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    yield node, lambda: executor.spin_once(timeout_sec=0.002)
    executor.shutdown()
    node.clean_up()
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.mark.parametrize("rate", [7, 10, 50, 333])
def test_steps_are_tenths_of_a_second_whatever_the_rate_of_joint_states(rate, sensing, driver):
    node, spin = sensing
    draw = random.Random(rate)
    due = end = time.monotonic() + 1.0  # discovery
    end += SECONDS + 1.0
    driver.publish(topics.JOINT_STATES, driver.joints())

    def fault() -> str:
        return node.faults().get("joint_states", "")

    def running(now: float) -> bool:  # until it is said, where it has to be
        return now < end or (rate < 8 and not fault() and now < end + 20.0)

    while running(time.monotonic()):
        if time.monotonic() >= due:
            driver.publish(topics.JOINT_STATES, driver.joints())
            due += draw.uniform(0.7, 1.3) / rate
        spin()
    ticks = [stamp for stamp in node.ticks if stamp > node.ticks[-1] - SECONDS]
    assert (len(ticks) - 1) / (ticks[-1] - ticks[0]) == pytest.approx(1 / TICK, rel=0.05)
    assert min(np.diff(ticks)) > 0.45 * TICK
    said = fault()
    assert ("joint_states come at" in said and "10 Hz are needed" in said) == (rate < 8), said


def test_control_periods_that_a_node_sleeps_through_are_counted(sensing, driver):
    node, spin = sensing

    def run(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            driver.publish(topics.JOINT_STATES, driver.joints())
            until = time.monotonic() + TICK
            while time.monotonic() < until:
                spin()

    run(3.0)
    before, slept = node.senses.missed, 10 * TICK
    time.sleep(slept)
    run(0.5)
    assert slept / TICK - 2 <= node.senses.missed - before <= slept / TICK + 3


def test_joints_of_two_publishers_with_one_stamp_are_merged(sensing, driver):
    node, spin = sensing
    names = list(driver.robot.joints)
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        legs, arm = driver.joints(names[:12]), driver.joints(names[12:])
        arm.header.stamp = legs.header.stamp
        for part in (legs, arm):
            driver.publish(topics.JOINT_STATES, part)
        until = time.monotonic() + TICK
        while time.monotonic() < until:
            spin()
    sensed = node.senses.sensed()
    assert sensed.joints is not None and len(sensed.joints.position) == len(names)
    assert not node.faults()


def transport(robot, kind: str):
    """Messages of a camera: a wall 2 m ahead, raw or compressed."""
    camera = next(iter(robot.cameras))
    form = robot.cameras[camera]
    rgb = np.full((form.height, form.width, 3), 128, np.uint8)
    millimetres = np.full((form.height, form.width), 2000, np.uint16)
    packed = interface("sensor_msgs/msg/CompressedImage")
    picture = packed(format="jpeg", data=cv2.imencode(".jpg", rgb)[1].tobytes())
    png = bytes(12) + cv2.imencode(".png", millimetres)[1].tobytes()
    depth = packed(format="16UC1; compressedDepth png", data=png)
    info = interface("sensor_msgs/msg/CameraInfo")(height=form.height, width=form.width)
    focal = 0.0 if kind == "uncalibrated" else 400.0
    info.k = [focal, 0.0, form.width / 2, 0.0, focal, form.height / 2, 0.0, 0.0, 1.0]
    sent = {topics.compressed(topics.image(camera)): picture, topics.camera_info(camera): info}
    if kind != "no depth":
        sent[topics.compressed_depth(topics.depth(camera))] = depth
    return camera, sent


@pytest.mark.parametrize(
    "kind, parameters, reason",
    [
        ("whole", {}, ""),
        ("whole", {"image_transport": "raw"}, "nobody publishes {0}/image_raw; there is "),
        ("no depth", {}, "nobody publishes {0}/depth/image_raw"),
        ("uncalibrated", {}, "refused from {0}/camera_info: k = "),
    ],
)
def test_compressed_pictures_are_used_or_it_is_said_why_not(
    kind, parameters, reason, start_node, driver, listen
):
    start_node("hrl_perception.ros.perception_node", "perception", **parameters)
    camera, sent = transport(driver.robot, kind)
    reports = listen(topics.DIAGNOSTICS)
    mount = static_mount(camera, driver.now())
    odometry = interface(topics.ODOMETRY.type)(child_frame_id=topics.BASE)
    odometry.header.frame_id = topics.ODOM
    odometry.pose.pose.orientation.w = 1.0

    def done() -> bool:
        for message in reports.messages:
            values = {v.key: v.value for v in message.status[0].values}
            fault = values.get(topics.FAULT + camera, "")
            if reason and reason.format(camera) in fault:
                return True
            heard = values.get(f"input {camera}/image_raw/compressed", "0.0 Hz")
            if not reason and not fault and heard > "2" and len(reports.messages) > 8:
                return True
        return False

    end = time.monotonic() + 40.0
    while time.monotonic() < end and not done():
        driver.publish(topics.TF_STATIC, mount)
        stamp = driver.now()
        odometry.header.stamp = stamp
        driver.publish(topics.ODOMETRY, odometry)
        driver.publish(topics.JOINT_STATES, driver.joints())
        for topic, message in sent.items():
            message.header.stamp, message.header.frame_id = stamp, f"{camera}_optical_frame"
            driver.publish(topic, message)
        time.sleep(0.1)
    assert done(), reports.messages[-1].status[0]


def static_mount(camera: str, stamp):
    from geometry_msgs.msg import TransformStamped

    from tf2_msgs.msg import TFMessage

    mount = TransformStamped(child_frame_id=f"{camera}_optical_frame")
    mount.header.frame_id, mount.header.stamp = topics.BASE, stamp
    mount.transform.rotation.w = 1.0
    return TFMessage(transforms=[mount])
