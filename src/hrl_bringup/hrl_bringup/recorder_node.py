"""Node that records a mission: small topics as they come, camera pictures as JPEG now and then."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
from pydantic import Field
from rclpy.callback_groups import CallbackGroup
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from hrl_bringup.recording import Recording, stamp_of
from hrl_core import topics
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import NodeParameters
from hrl_core.ros.qos import interface
from hrl_core.topics import Topic

DRAIN_PERIOD = 0.05  # s of wall time
QUEUE = 200  # messages per topic between two drains
SMALL_TOPICS = (
    topics.SCAN,
    topics.IMU,
    topics.JOINT_STATES,
    topics.ODOMETRY,
    topics.TF,
    topics.TF_STATIC,
    topics.CMD_VEL,
    topics.ARM,
    topics.GRIPPER,
    topics.DETECTIONS,
    topics.POSE,
    topics.E_STOP,
    topics.DIAGNOSTICS,
    topics.DECISIONS,
    topics.SCENE,
    topics.REJECTIONS,
    topics.PLANT_TRUTH,
    topics.OVERVIEW,
)
JPEG = "sensor_msgs/msg/CompressedImage"


class RecorderParameters(NodeParameters):
    """See config/recorder.yaml."""

    path: str = Field(default="recording.mcap", description="file to write; replaced if it exists")
    camera_rate: float = Field(
        default=2.0, gt=0, le=30, description="Hz of ROS time; pictures kept of each camera"
    )
    jpeg_quality: int = Field(default=80, ge=10, le=100, description="of the kept pictures")


class _Drained(CallbackGroup):
    """For subscriptions that are emptied by a timer: the executor never wakes for a message.

    Several hundred messages a second come in; a wake-up for each would cost more than the rest.
    """

    def can_execute(self, entity) -> bool:
        return False

    def beginning_execution(self, entity) -> bool:
        return False

    def ending_execution(self, entity) -> None:
        pass


class RecorderNode(HrlNode):
    """Writes what it hears to an MCAP file until it ends."""

    parameters_model = RecorderParameters
    parameters: RecorderParameters

    def __init__(self):
        super().__init__("recorder")
        self._recording: Recording | None = None
        self._taken: list = []  # (subscription, what to do with its messages)
        self._pictured: dict[str, int] = {}  # topic -> ns, the last kept picture
        self._bytes = 0

    def load(self) -> None:
        path = Path(self.parameters.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        found = os.environ.get("AMENT_PREFIX_PATH", sys.prefix).split(os.pathsep)
        prefixes = [Path(prefix) for prefix in found]
        self._recording = recording = Recording(path, prefixes)
        for topic in SMALL_TOPICS:
            self._record(recording, topic)
        for camera in topics.CAMERAS:
            self._record_pictures(recording, topics.image(camera))
            self._record(recording, topics.camera_info(camera))

    def begin(self) -> None:
        self.create_timer(DRAIN_PERIOD, self._drain, clock=self.steady_clock)

    def halt(self) -> None:
        if self._recording is not None:
            self._drain()
            self._recording.close()
            self._recording = None

    def status(self) -> tuple[bool, str, dict[str, object]]:
        return True, f"recording to {self.parameters.path}", {"bytes": self._bytes}

    def _record(self, recording: Recording, topic: Topic) -> None:
        name = self.resolve_topic_name(topic.name)
        latched = topic.purpose == "latched"
        durability = "transient_local" if latched else "volatile"
        # The plant makes the time and so knows none: its diagnostics carry that of the computer.
        stamped = topic is not topics.DIAGNOSTICS
        recording.add_topic(name, topic.type, "reliable", durability, stamped)

        def write(cdr: bytes) -> None:
            recording.write(name, cdr)
            self._bytes += len(cdr)

        self._subscribe_raw(topic, QUEUE, write)

    def _record_pictures(self, recording: Recording, topic: Topic) -> None:
        source = self.resolve_topic_name(topic.name)
        name = f"{source}/compressed"
        recording.add_topic(name, JPEG)

        def write(cdr: bytes) -> None:
            time = stamp_of(cdr, 4)  # an Image begins with its header
            period = 1e9 / self.parameters.camera_rate
            if time is None or time - self._pictured.get(name, -period) < period - 1e6:
                return
            self._pictured[name] = time
            picture = serialize_message(self._compress(deserialize_message(cdr, Image)))
            recording.write(name, picture)
            self._bytes += len(picture)

        self._subscribe_raw(topic, 1, write)

    def _compress(self, image: Image) -> CompressedImage:
        if image.encoding not in ("rgb8", "bgr8"):
            raise ValueError(f"{image.encoding} pictures: known encodings are rgb8 and bgr8")
        pixels = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)
        if image.encoding == "rgb8":
            pixels = pixels[..., ::-1]
        quality = [cv2.IMWRITE_JPEG_QUALITY, self.parameters.jpeg_quality]
        _, jpeg = cv2.imencode(".jpg", pixels, quality)
        return CompressedImage(header=image.header, format="jpeg", data=jpeg.tobytes())

    def _subscribe_raw(self, topic: Topic, depth: int, write) -> None:
        latched = topic.purpose == "latched"
        reliable = topic.purpose != "sensor" or self.parameters.reliable_sensors
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=depth,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        subscription = self.create_subscription(
            interface(topic.type), topic.name, write, qos, callback_group=_Drained(), raw=True
        )
        self._taken.append((subscription, write))

    def _drain(self) -> None:
        """Write everything that has come since the last time."""
        if self._recording is None:
            return
        for subscription, write in self._taken:
            with subscription.handle:
                while taken := subscription.handle.take_message(subscription.msg_type, True):
                    write(taken[0])


def main(args: list[str] | None = None) -> int:
    return run_node(RecorderNode, args)


if __name__ == "__main__":
    sys.exit(main())
