"""Perception over ROS: camera, odometry and scan in; detections, the pose in map and tf out."""

import sys

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from pydantic import Field

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from_planar
from hrl_core.robot import load_robot
from hrl_core.ros import convert
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import RobotParameters
from hrl_core.ros.qos import interface
from hrl_core.ros.senses import Senses
from hrl_core.ros.transforms import TransformBuffer
from hrl_core.ros.transport import Transport
from hrl_core.sensed import CameraFrame
from hrl_core.site import load_site
from hrl_msgs.msg import TickDone
from hrl_perception.perception import Perception
from hrl_perception.ros.camera_input import CameraInput
from tf2_msgs.msg import TFMessage

SOURCES = ("scan", "joint_states", "odom")


class PerceptionParameters(RobotParameters):
    """Parameters of perception."""

    image_transport: Transport = Field(
        default="auto",
        description="topics of pictures and depth: raw, compressed (PNG or JPEG of "
        "image_transport), or auto: compressed where nobody publishes raw",
    )


class PerceptionNode(HrlNode):
    """Runs the perception core once per control tick."""

    parameters_model = PerceptionParameters
    parameters: PerceptionParameters

    def __init__(self):
        super().__init__("perception")
        self._figures: dict[str, object] = {}

    def load(self) -> None:
        p = self.parameters
        robot = load_robot(p.robot)
        self._perception = Perception(load_site(p.site, robot.base.turning_circle), robot)
        self._transforms = TransformBuffer()
        self._answers: list[tuple] = []  # (publisher, message)
        self._reset: PoseWithCovarianceStamped | None = None  # to start from at the next tick
        self._detections = self.publish_on(topics.DETECTIONS)
        self._pose = self.publish_on(topics.POSE)
        self._people = self.publish_on(topics.PEOPLE)
        self._tf = self.publish_on(topics.TF)
        self._tick_done = self.publish_on(topics.TICK_DONE)
        self.subscribe(topics.INITIAL_POSE, self._on_initial_pose)
        self.subscribe(topics.TF_STATIC, lambda m: self._transforms.add(m, static=True))
        self.subscribe(topics.TF, self._on_transforms)
        self._cameras = {
            name: CameraInput(self, name, 1.0 / camera.rate, p.image_transport, self._on_picture)
            for name, camera in robot.cameras.items()
        }
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
            for camera in self._cameras.values():
                camera.look()

    def status(self) -> tuple[str, dict[str, object]]:
        if not self.active:
            return "inactive", {}
        return "active", {**self._figures, topics.TICKS_MISSED: self._senses.missed}

    def faults(self) -> dict[str, str]:
        if not self.active:
            return {}
        blind = {name: fault for name, c in self._cameras.items() if (fault := c.fault())}
        return {**self._senses.faults(), **blind}

    # Input

    def _on_transforms(self, message: TFMessage) -> None:
        self._transforms.add(message)
        for transform in message.transforms:
            if transform.child_frame_id == topics.BASE:
                # Its own stamp, not the newest of all: time may have gone back.
                self._senses.note("tf", convert.seconds(transform.header.stamp))

    def _on_picture(self, name: str, stamp: float) -> None:
        self._senses.note(name, stamp)

    def _on_initial_pose(self, message: PoseWithCovarianceStamped) -> None:
        self._check(message)
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

    def _on_restart(self, stamp: float, why: str) -> None:
        """ROS time has gone back."""
        self._transforms.forget_after(stamp)
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
        people = np.empty((0, 3)) if sensed.scan is None else self._perception.people(sensed.scan)
        map_from_odom = transform_from_planar(localisation.map_from_odom)
        transform = convert.transform_msg(topics.MAP, topics.ODOM, stamp, map_from_odom)
        self._answers = [
            (self._tf, TFMessage(transforms=[transform])),
            (self._pose, convert.pose_in_map_msg(localisation, sensed.odometry)),
            (self._detections, convert.detections_msg(detections, stamp)),
            (self._people, convert.people_msg(people, stamp)),
            (
                self._tick_done,
                TickDone(stamp=convert.stamp_msg(stamp), node=self.get_name(), idle=True),
            ),
        ]
        self._answer()
        self._figures = {
            "tracks": len(detections),
            "people": len(people),
            "position_std_m": f"{np.sqrt(localisation.covariance[:2, :2].trace()):.3f}",
        }

    def _answer(self) -> None:
        """Publish what is known at the last tick; once more where the plant asks once more."""
        for publisher, message in self._answers:
            publisher.publish(message)

    def _frames(self, stamp: float) -> list[CameraFrame]:
        """The pictures since the last tick."""
        return [frame for c in self._cameras.values() for frame in c.take(stamp, self._transforms)]


def main() -> int:
    return run_node(PerceptionNode)


if __name__ == "__main__":
    sys.exit(main())
