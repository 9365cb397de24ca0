"""A driver that differs in all: joints in parts, two scanners, actions, compressed pictures."""

import threading
from array import array

import cv2
import numpy as np
import pytest
import yaml

from hrl_core import topics
from hrl_core.geometry import quaternion_from_rotation, rotation_from_rpy, transform_from
from hrl_core.robot import load_robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.compressed import rgb_of
from hrl_core.ros.qos import interface
from tests.ros.helpers import wait_for

NODE = "hrl_driver.ros.driver_node"
PATIENCE = 60.0  # s of wall time for what takes a second on a quiet computer
DRIVER = {
    "name": "other",
    "namespace": "base",
    "frames": {"base_link": "body"},
    "sensors": {
        "joint_states": {
            "sources": [{"topic": "legs"}, {"topic": "arm"}],
            "joints": {"arm_f1x": {"name": "finger", "scale": -20.0}},
        },
        "odometry": {"topic": "odom", "frame": "odom"},
        "imu": {"topic": "imu", "frame": "imu"},
        "scans": [
            {"topic": "front", "frame": "front"},
            {"topic": "back", "frame": "back"},
        ],
        "cameras": {
            "camera": {
                "image": "rgb",
                "depth": "depth",
                "camera_info": "info",
                "frame": "eye",
                "depth_encoding": "16UC1",
                "compressed": True,
            },
            "hand_camera": {
                "image": "hand/rgb",
                "depth": "hand/depth",
                "camera_info": "hand/info",
                "frame": "hand",
                "image_encoding": "uyvy",
            },
        },
    },
    "commands": {
        "base": {"topic": "cmd", "type": "TwistStamped", "lives": 0.25},
        "arm": {"topic": "follow", "type": "FollowJointTrajectory"},
        "gripper": {
            "topic": "grip",
            "type": "GripperCommand",
            "scale": -20.0,
            "max_effort": 30.0,
        },
    },
}
FOOTPRINT = transform_from((0.0, 0.0, 0.3))  # base_link above the frame of odometry


class OtherDriver:
    """What the driver publishes, once for each call of `say`, and what it was told."""

    def __init__(self, node):
        from rclpy.action.server import ActionServer
        from rclpy.callback_groups import ReentrantCallbackGroup

        self._node, self._publishers = node, {}
        self.twists, self.arm, self.gripper = [], [], []
        self._subscription = node.create_subscription(
            interface(topics.CMD_VEL.type), "base/cmd", self.twists.append, 10
        )
        group = ReentrantCallbackGroup()

        def serve(kind: str, name: str, goals: list):
            action = interface(f"control_msgs/action/{kind}")

            def execute(handle):
                goals.append(handle.request)
                handle.succeed()
                return action.Result()

            return ActionServer(node, action, name, execute, callback_group=group)

        self._servers = [
            serve("FollowJointTrajectory", "base/follow", self.arm),
            serve("GripperCommand", "base/grip", self.gripper),
        ]

    def close(self) -> None:
        for server in self._servers:
            server.destroy()
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._node.destroy_subscription(self._subscription)

    def publish(self, name: str, message) -> None:
        if name not in self._publishers:
            self._publishers[name] = self._node.create_publisher(type(message), name, 10)
        self._publishers[name].publish(message)

    def stamped(self, kind: str, frame: str, stamp, **fields):
        message = interface(kind)(**fields)
        message.header.frame_id, message.header.stamp = frame, stamp
        return message

    def say(self, stamp) -> None:
        """Everything once, with one stamp."""
        robot, now = load_robot(), convert.seconds(stamp)
        turn = {  # of the sensors in body
            "body": ("footprint", FOOTPRINT),
            "front": ("body", transform_from((0.4, 0.0, 0.0))),
            "back": ("body", transform_from((-0.4, 0, 0), rotation_from_rpy(0, 0, np.pi))),
            "imu": ("body", transform_from((0, 0, 0), rotation_from_rpy(0, 0, np.pi / 2))),
            "eye": ("body", transform_from((0.3, 0, 0.5))),
        }
        links = [convert.transform_msg(p, name, now, t) for name, (p, t) in turn.items()]
        self.publish("base/tf", interface(topics.TF.type)(transforms=links))
        for name, joints in (("legs", robot.joints[:12]), ("arm", robot.joints[12:])):
            names = ["finger" if joint == "arm_f1x" else joint for joint in joints]
            values = [0.04 if joint == "finger" else 0.1 for joint in names]
            kind = topics.JOINT_STATES.type
            message = self.stamped(kind, "", stamp, name=names, position=values)
            self.publish(f"base/{name}", message)
        odometry = self.stamped(topics.ODOMETRY.type, "odom", stamp, child_frame_id="footprint")
        odometry.pose.pose = convert.pose_msg(transform_from((1.0, 2.0, 0.0)))
        odometry.twist.twist.linear.x = 0.3
        self.publish("base/odom", odometry)
        imu = self.stamped(topics.IMU.type, "imu", stamp)
        # Leaning to the right about body's x axis, which is the IMU's -y.
        x, y, z, w = quaternion_from_rotation(rotation_from_rpy(0.0, -0.2, 0.0)).tolist()
        imu.orientation = interface("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)
        self.publish("base/imu", imu)
        for name, distance in (("front", 2.0), ("back", 3.0)):
            scan = self.stamped(topics.SCAN.type, name, stamp, ranges=[distance] * 181)
            scan.angle_min, scan.angle_max = -np.pi / 2, np.pi / 2
            scan.angle_increment, scan.range_min, scan.range_max = np.pi / 180, 0.05, 10.0
            self.publish(f"base/{name}", scan)
        red = np.zeros((8, 8, 3), np.uint8)
        red[..., 2] = 200  # OpenCV has blue, green, red
        picture = self.stamped("sensor_msgs/msg/CompressedImage", "eye", stamp, format="png")
        picture.data = cv2.imencode(".png", red)[1].tobytes()
        self.publish("base/rgb/compressed", picture)
        hand = self.stamped(
            "sensor_msgs/msg/Image", "hand", stamp, height=8, width=8, step=16, encoding="uyvy"
        )
        rows = cv2.cvtColor(red, cv2.COLOR_BGR2YUV_UYVY)
        hand.data = array("B", rows.tobytes())
        self.publish("base/hand/rgb", hand)


@pytest.fixture
def driver(probe, start_node, tmp_path):
    """The driver, which says everything again and again until the test ends, and our node."""
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump(DRIVER))
    other, ended = OtherDriver(probe), threading.Event()

    def run() -> None:
        while not ended.wait(0.1):
            other.say(probe.get_clock().now().to_msg())

    thread = threading.Thread(target=run)
    thread.start()
    node = start_node(NODE, "driver", driver=file)
    wait_for(lambda: "the robot is up" in node.output, "the node", PATIENCE)
    yield other
    ended.set()
    thread.join()
    other.close()


def test_another_driver_says_the_same_in_our_words(driver, listen):
    robot, kept = load_robot(), {}
    pictures = topics.compressed(topics.image("camera")), topics.image("hand_camera")
    for topic in (*topics.SENSORS, *pictures):
        kept[topic.name] = listen(topic)
    arm = kept["joint_states"].wait(lambda m: "arm_f1x" in m.name, PATIENCE)
    legs = kept["joint_states"].wait(lambda m: "fl_hx" in m.name, PATIENCE)
    joints = sensor_convert.joints_from_msgs([arm, legs], robot)
    assert joints.position[robot.gripper_index] == pytest.approx(-0.8)
    odometry = sensor_convert.odometry_from_msg(kept["odom"].wait(timeout=PATIENCE))
    assert odometry.odom_from_base[:3, 3] == pytest.approx([1.0, 2.0, 0.3])
    assert odometry.twist == pytest.approx([0.3, 0.0, 0.0])
    imu = sensor_convert.imu_from_msg(kept["imu"].wait(timeout=PATIENCE))
    assert imu.up == pytest.approx([0.0, np.sin(0.2), np.cos(0.2)], abs=1e-6)
    scan = sensor_convert.scan_from_msg(
        kept["scan"].wait(lambda m: np.isfinite(m.ranges[0]), PATIENCE)  # both were heard
    )
    ahead = len(scan.ranges) // 2
    lidar = robot.lidar.mount.position[0]
    assert scan.ranges[ahead] == pytest.approx(2.4 - lidar, abs=0.01)
    assert scan.ranges[0] == pytest.approx(3.4 + lidar, abs=0.01)
    picture = kept["camera/image_raw/compressed"].wait(timeout=PATIENCE)
    assert rgb_of(picture)[4, 4].tolist() == [200, 0, 0] and picture.header.frame_id == "eye"
    hand = kept["hand_camera/image_raw"].wait(timeout=PATIENCE)
    assert hand.encoding == "rgb8"
    assert np.abs(sensor_convert.rgb_from_msg(hand)[4, 4].astype(int) - [200, 0, 0]).max() <= 6


def test_another_driver_is_told_by_actions_and_stamped_twists(driver, publish, probe):
    robot = load_robot()

    def tell(topic, names, value: float) -> None:
        point = interface("trajectory_msgs/msg/JointTrajectoryPoint")(
            positions=[value] * len(names)
        )
        message = interface(topic.type)(joint_names=list(names), points=[point])
        message.header.stamp = probe.get_clock().now().to_msg()
        publish(topic, message)

    def told() -> bool:
        tell(topics.ARM, robot.arm.joints, 0.5)
        tell(topics.GRIPPER, [robot.arm.gripper_joint], -0.8)
        return bool(driver.arm and driver.gripper)

    wait_for(told, "the actions to be called", PATIENCE)
    trajectory = driver.arm[0].trajectory
    assert list(trajectory.joint_names) == list(robot.arm.joints)
    assert list(trajectory.points[0].positions) == [0.5] * 6
    command = driver.gripper[0].command
    assert (command.position, command.max_effort) == pytest.approx((0.04, 30.0))
    assert len(driver.gripper) == 1  # it has not changed since
    twist = interface(topics.CMD_VEL.type)()
    twist.twist.linear.x = 0.2
    publish(topics.CMD_VEL, twist)
    wait_for(lambda: driver.twists, "a velocity", PATIENCE)
    assert driver.twists[0].header.frame_id == "body" and driver.twists[0].twist.linear.x == 0.2
    # Repeated while it is young, then one stop, then silence.
    wait_for(lambda: driver.twists[-1].twist.linear.x == 0.0, "the stop", PATIENCE)
    assert len(driver.twists) > 2
