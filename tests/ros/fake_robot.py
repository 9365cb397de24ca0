"""A robot without physics for the action contract: it does at once what it is told."""

import threading
from contextlib import contextmanager

import numpy as np

from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.geometry import (
    compose,
    planar_from_transform,
    transform_from,
    transform_from_planar,
)
from hrl_core.robot import load_robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.qos import interface, publisher_qos
from hrl_core.sensed import Detection, Imu, Joints, Localisation, Odometry, Scan
from hrl_core.site import load_site

PERIOD = 0.04  # s of wall time per tick

SENSORS = (
    topics.SCAN,
    topics.IMU,
    topics.JOINT_STATES,
    topics.ODOMETRY,
    topics.POSE,
    topics.DETECTIONS,
)


class FakeRobot:
    """Stands at a pose in map, with odom = map; publishes until it is stopped."""

    def __init__(self, node, site="small_warehouse", period=PERIOD):
        self.site, self.robot = load_site(site), load_robot()
        self._period = period  # s of wall time per tick
        self.silent: set[str] = set()  # topics that are not published
        self.up = np.array([0.0, 0.0, 1.0])
        self.pace = 1.0  # share of the velocity it is told that it moves
        self.twist_in_odom = False  # as a driver does that takes no notice of child_frame_id
        self.time = 10.0
        self._lock = threading.Lock()
        self._publishers = {
            t.name: node.create_publisher(interface(t.type), t.name, publisher_qos(t))
            for t in SENSORS
        }
        self._node = node
        self._subscriptions = [
            node.create_subscription(
                interface(topic.type), topic.name, callback, publisher_qos(topic)
            )
            for topic, callback in (
                (topics.CMD_VEL, self._on_twist),
                (topics.ARM, self._on_arm),
                (topics.GRIPPER, self._on_gripper),
            )
        ]
        self.stand_at(np.array([4.5, 5.0, 0.0]))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def listeners(self) -> int:
        """How many nodes hear all of its sensors."""
        return min(p.get_subscription_count() for p in self._publishers.values())

    def stand_at(self, pose: np.ndarray) -> None:
        """Stand at a planar pose (3,) in map, arm stowed, nothing held, everything sensed."""
        with self._lock:
            self.pose = np.array(pose, float)
            self.twist = np.zeros(3)
            arm = self.robot.arm
            self.position = np.array(
                [*self.robot.legs.nominal, *arm.poses["stow"], arm.gripper_closed]
            )
            self.effort = np.zeros(len(self.position))
            self.jaws_stop = arm.gripper_closed  # rad, where the gripper cannot close further
            self.detections: dict[str, Detection] = {}
            self.silent.clear()
            self.up = np.array([0.0, 0.0, 1.0])

    def hold_something(self) -> None:
        """Arm tucked in, the gripper kept open by what it presses on."""
        self.position[self.robot.arm_slice] = self.robot.arm.poses["carry"]
        self.jaws_stop = -0.5
        self._close(self.robot.arm.gripper_closed)

    def let_go(self) -> None:
        """The gripper opens, and closes upon nothing."""
        self.jaws_stop = self.robot.arm.gripper_closed
        self._close(self.jaws_stop)

    def see(self, kind: str, name: str, map_from_object: np.ndarray) -> None:
        """Detect something from now on."""
        marker = next(m.id for m in self.site.markers.values() if m.name == name)
        self.detections[name] = Detection(
            self.time, kind, name, marker, map_from_object, np.eye(6) * 1e-6, 1.0
        )

    def see_place(self, name: str) -> None:
        kind = "bin" if name in self.site.bins else "station"
        self.see(kind, name, self.site.face(name))

    def see_item(self, item: str, bin_name: str) -> None:
        """The item in the middle of a bin, 10 cm behind the front edge."""
        board = self.site.shelf_of(bin_name).board_height
        height = board + self.site.item(item).size[2] / 2 - self.site.face(bin_name)[2, 3]
        self.see("item", item, self.site.face(bin_name) @ transform_from((-0.10, 0.0, height)))

    @contextmanager
    def standing_time(self):
        """No ROS time passes meanwhile, however long it takes."""
        with self._lock:
            yield

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _run(self) -> None:
        while not self._stop.wait(self._period):
            with self._lock:
                self.time = round(self.time + TICK, 6)
                self.pose = compose(self.pose, self.twist * TICK)
                messages = self.messages()
            for name, message in messages.items():
                if name not in self.silent:
                    self._publishers[name].publish(message)

    def messages(self) -> dict:
        now, zero = self.time, np.zeros(len(self.position))
        twist = self.twist.copy()
        if self.twist_in_odom:
            twist[:2] = transform_from_planar(self.pose)[:2, :2] @ twist[:2]
        odometry = Odometry(now, transform_from_planar(self.pose, 0.47), twist)
        assert np.allclose(planar_from_transform(odometry.odom_from_base), self.pose)
        localisation = Localisation(now, np.zeros(3), np.eye(3) * 1e-4)
        seen = {
            name: Detection(now, d.kind, d.name, d.marker_id, d.odom_from_object, d.covariance, 1.0)
            for name, d in self.detections.items()
        }
        scan = Scan(now, np.full(360, np.inf), -np.pi, np.pi / 180, 12.0)
        joints = Joints(now, self.position, zero, self.effort)
        return {
            topics.SCAN.name: sensor_convert.scan_msg(scan),
            topics.IMU.name: sensor_convert.imu_msg(Imu(now, np.zeros(3), self.up)),
            topics.JOINT_STATES.name: sensor_convert.joints_msg(joints, self.robot),
            topics.ODOMETRY.name: sensor_convert.odometry_msg(odometry),
            topics.POSE.name: convert.pose_in_map_msg(localisation, odometry),
            topics.DETECTIONS.name: convert.detections_msg(seen, now),
        }

    def _on_twist(self, message) -> None:
        t = message.twist
        self.twist = self.pace * np.array([t.linear.x, t.linear.y, t.angular.z])

    def _on_arm(self, message) -> None:
        self.position[self.robot.arm_slice] = message.points[-1].positions

    def _on_gripper(self, message) -> None:
        self._close(message.points[-1].positions[0])

    def _close(self, target: float) -> None:
        """Move the gripper to a target [rad], or as far as what it holds lets it."""
        k = self.robot.gripper_index
        self.position[k] = min(target, self.jaws_stop)
        self.effort[k] = 4.5 if target > self.jaws_stop else 0.0
