"""Perception over ROS: camera, odometry and scan in; detections, the pose in map and tf out."""

import sys
from collections import deque
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from_planar
from hrl_core.robot import load_robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import RobotParameters
from hrl_core.ros.qos import interface
from hrl_core.ros.senses import Senses
from hrl_core.ros.transforms import LookupFailed, TransformBuffer
from hrl_core.sensed import CameraFrame
from hrl_core.site import load_site
from hrl_msgs.msg import TickDone
from hrl_perception.perception import Perception
from tf2_msgs.msg import TFMessage

SOURCES = ("scan", "joint_states", "odom")
QUEUE = 4  # pictures per camera that wait for their depth, calibration or transform


class PerceptionNode(HrlNode):
    """Runs the perception core once per control tick."""

    parameters_model = RobotParameters
    parameters: RobotParameters

    def __init__(self):
        super().__init__("perception")
        self._figures: dict[str, object] = {}

    def load(self) -> None:
        p = self.parameters
        robot = load_robot(p.robot)
        self._perception = Perception(load_site(p.site), robot)
        self._transforms = TransformBuffer()
        self._answers: list[tuple] = []  # (publisher, message)
        self._reset: PoseWithCovarianceStamped | None = None  # to start from at the next tick
        self._detections = self.publish_on(topics.DETECTIONS)
        self._pose = self.publish_on(topics.POSE)
        self._tf = self.publish_on(topics.TF)
        self._tick_done = self.publish_on(topics.TICK_DONE)
        self.subscribe(topics.INITIAL_POSE, self._on_initial_pose)
        self.subscribe(topics.TF_STATIC, lambda m: self._transforms.add(m, static=True))
        self.subscribe(topics.TF, self._on_transforms)
        self._cameras = {name: CameraInput(self, name, self._on_picture) for name in robot.cameras}
        periods = {name: 1.0 / camera.rate for name, camera in robot.cameras.items()}
        self._senses = Senses(
            self,
            robot,
            self._on_tick,
            self._on_restart,
            self._answer,
            SOURCES,
            more_periods={"tf": 0.0, **periods},
        )
        name, kind = topics.RESET_LOCALISATION
        self._reset_service = self.create_service(interface(kind), name, self._on_reset)

    def unload(self) -> None:
        self.destroy_service(self._reset_service)

    def watch(self) -> None:
        if self.active:
            self._senses.check()

    def status(self) -> tuple[bool, str, dict[str, object]]:
        if not self.active:
            return True, "inactive", {}
        absent = self._senses.gate.absent
        message = f"nothing comes from {absent}" if absent else "active"
        return not absent, message, self._figures

    # Input

    def _on_transforms(self, message: TFMessage) -> None:
        self._transforms.add(message)
        if any(transform.child_frame_id == topics.BASE for transform in message.transforms):
            self._senses.note("tf", self._transforms.newest(topics.BASE))

    def _on_picture(self, name: str, stamp: float) -> None:
        self._senses.note(name, stamp)

    def _on_initial_pose(self, message: PoseWithCovarianceStamped) -> None:
        try:
            self._check(message)
        except ConfigError as error:
            self.get_logger().error(f"{topics.INITIAL_POSE.name} refused: {error}")
            return
        self._reset = message

    def _on_reset(self, request, response):
        try:
            self._check(request.pose)
        except ConfigError as error:
            response.detail = str(error)
            return response
        self._reset = request.pose
        response.ok, response.detail = True, "from the next control tick on"
        return response

    def _check(self, message: PoseWithCovarianceStamped) -> None:
        frame = message.header.frame_id
        if frame != topics.MAP:
            raise ConfigError(f"header.frame_id = {frame!r}: allowed is {topics.MAP!r}")
        _, covariance = convert.planar_pose_from_msg(message.pose)
        if np.any(np.linalg.eigvalsh(covariance) < -1e-9):
            raise ConfigError(f"covariance = {covariance.tolist()}: has a negative direction")

    def _on_restart(self, stamp: float) -> None:
        """ROS time has gone back."""
        for camera in self._cameras.values():
            camera.forget_after(stamp)

    # Ticks

    def _on_tick(self, stamp: float) -> None:
        sensed = self._senses.sensed()
        if not self.active or sensed.odometry is None:
            return
        if self._reset is not None:
            pose, covariance = convert.planar_pose_from_msg(self._reset.pose)
            self._perception.reset(pose, covariance, sensed.odometry)
            self._reset = None
        localisation, detections = self._perception.update(
            sensed.odometry, self._frames(stamp), sensed.joints, sensed.scan, stamp
        )
        map_from_odom = transform_from_planar(localisation.map_from_odom)
        transform = convert.transform_msg(topics.MAP, topics.ODOM, stamp, map_from_odom)
        self._answers = [
            (self._tf, TFMessage(transforms=[transform])),
            (self._pose, convert.pose_in_map_msg(localisation, sensed.odometry)),
            (self._detections, convert.detections_msg(detections, stamp)),
            (
                self._tick_done,
                TickDone(stamp=convert.stamp_msg(stamp), node=self.get_name(), idle=True),
            ),
        ]
        self._answer()
        self._figures = {
            "tracks": len(detections),
            "position_std_m": f"{np.sqrt(localisation.covariance[:2, :2].trace()):.3f}",
        }

    def _answer(self) -> None:
        """Publish what is known at the last tick; once more where the plant asks once more."""
        for publisher, message in self._answers:
            publisher.publish(message)

    def _frames(self, stamp: float) -> list[CameraFrame]:
        """The pictures since the last tick."""
        frames = []
        for camera in self._cameras.values():
            try:
                frames += camera.take(stamp, self._transforms)
            except (ConfigError, LookupFailed) as error:
                self.get_logger().error(f"{camera.name}: {error}", throttle_duration_sec=5.0)
        return frames


class CameraInput:
    """Brings colour, depth and calibration of one stamp together."""

    def __init__(self, node: HrlNode, name: str, on_complete):
        self.name = name
        self._on_complete = on_complete
        self._parts: dict[float, dict[str, Any]] = {}
        self._complete: deque[float] = deque(maxlen=QUEUE)
        for kind in (topics.image, topics.depth, topics.camera_info):
            node.subscribe(kind(name), lambda message, kind=kind.__name__: self._add(kind, message))

    def forget_after(self, stamp: float) -> None:
        """Drop pictures of a time that has not come yet [s]."""
        for late in [other for other in self._parts if other > stamp + EPSILON]:
            self._drop(late)

    def take(self, now: float, transforms: TransformBuffer) -> list[CameraFrame]:
        """Complete frames up to `now` [s], each with the camera's place at its stamp."""
        frames = []
        while self._complete and self._complete[0] <= now + EPSILON:
            stamp = self._complete[0]
            frame_id = self._parts[stamp]["image"].header.frame_id
            if np.isfinite(newest := transforms.newest(frame_id)) and newest < stamp - EPSILON:
                break  # its transform is still on the way
            self._complete.popleft()
            parts = self._parts.pop(stamp)
            base_from_optical = transforms.lookup(topics.BASE, frame_id, stamp)
            frames.append(
                sensor_convert.frame_from_msgs(
                    self.name,
                    parts["image"],
                    parts["depth"],
                    parts["camera_info"],
                    base_from_optical,
                )
            )
        return frames

    def _add(self, kind: str, message) -> None:
        stamp = convert.seconds(message.header.stamp)
        parts = self._parts.setdefault(stamp, {})
        if kind in parts:
            return
        parts[kind] = message
        while len(self._parts) > QUEUE:
            self._drop(next(iter(self._parts)))
        if len(parts) == 3:
            self._complete.append(stamp)
            self._on_complete(self.name, stamp)

    def _drop(self, stamp: float) -> None:
        del self._parts[stamp]
        if stamp in self._complete:
            self._complete.remove(stamp)


def main() -> int:
    return run_node(PerceptionNode)


if __name__ == "__main__":
    sys.exit(main())
