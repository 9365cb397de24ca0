"""Node that records a mission: small topics as they come, pictures and depth compressed."""

import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from pydantic import Field
from rclpy.callback_groups import CallbackGroup
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from hrl_bringup.recording import Recording, stamp_of
from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.ros.compressed import compressed_depth, compressed_picture
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import NodeParameters
from hrl_core.ros.qos import interface
from hrl_core.topics import Topic

DRAIN_PERIOD = 0.05  # s of wall time
QUEUE = 200  # messages per topic between two drains
PICTURES = 8  # likewise
KEPT = 50  # messages of a latched topic, for a file that begins later
SHORT = 1.0  # s; of a run of time that was over so soon nothing is kept
SMALL_TOPICS = (
    topics.CLOCK,  # first, so that the others are filed by the newest time
    topics.ROBOT_DESCRIPTION,
    *topics.SENSORS,
    topics.TF,
    topics.TF_STATIC,
    topics.CMD_VEL,
    topics.ARM,
    topics.GRIPPER,
    topics.INITIAL_POSE,
    topics.DETECTIONS,
    topics.POSE,
    topics.PEOPLE,
    topics.E_STOP,
    topics.DIAGNOSTICS,
    topics.TICK_DONE,
    topics.DECISIONS,
    topics.SCENE,
    topics.APPROVALS,
    topics.HANDOVERS,
    topics.REJECTIONS,
    topics.PLANT_TRUTH,
    topics.OVERVIEW,
)


class RecorderParameters(NodeParameters):
    """See config/recorder.yaml."""

    path: str = Field(
        default="recording/recording.mcap",
        description="file to write, metadata.yaml beside it; both are replaced if they exist",
    )
    camera_rate: float = Field(
        default=0.0,
        ge=0,
        le=30,
        description="Hz of ROS time; pictures kept of each camera. 0: all, as a replay needs them",
    )
    depth: bool = Field(default=True, description="keep depth, too, as a replay needs it")
    jpeg_quality: int = Field(default=90, ge=10, le=100, description="of the kept pictures")


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
    """Writes what it hears to an MCAP file until it ends, or until the disk takes no more.

    Where ROS time goes back (the plant was reset), a new file begins; the one before becomes
    `<name>_<n>.mcap`.
    """

    parameters_model = RecorderParameters
    parameters: RecorderParameters

    def __init__(self):
        super().__init__("recorder")
        self._recording: Recording | None = None
        self._taken: list = []  # (subscription, name, what to do with its messages)
        self._offered: dict[str, tuple[str, bool]] = {}  # name -> type, whether it is latched
        self._kept: dict[str, deque[bytes]] = {}  # of latched topics
        self._pictured: dict[str, int] = {}  # topic -> ns, the last kept picture
        self._by_driver: set[str] = set()  # topics that come compressed
        self._newest: int | None = None  # ns; None: nobody publishes it
        self._bytes = self._files = 0
        self._over = ""  # why nothing is written any more

    def load(self) -> None:
        for topic in SMALL_TOPICS:
            self._record(topic)
        for camera in topics.CAMERAS:
            image, depth = topics.image(camera), topics.depth(camera)
            self._record(topics.camera_info(camera))
            self._record_compressed(
                image,
                topics.compressed(image),
                lambda message: compressed_picture(message, self.parameters.jpeg_quality),
            )
            if self.parameters.depth:
                self._record_compressed(depth, topics.compressed_depth(depth), compressed_depth)
        self._open()

    def begin(self) -> None:
        self.create_timer(DRAIN_PERIOD, self._drain, clock=self.steady_clock)

    def halt(self) -> None:
        self._drain()
        self._close()

    def status(self) -> tuple[str, dict[str, object]]:
        return self._over or f"recording to {self.parameters.path}", {"bytes": self._bytes}

    def faults(self) -> dict[str, str]:
        return {"recording": self._over} if self._over else {}

    # The file

    def _open(self) -> None:
        path = Path(self.parameters.path)
        found = os.environ.get("AMENT_PREFIX_PATH", sys.prefix).split(os.pathsep)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._recording = recording = Recording(path, [Path(prefix) for prefix in found])
            for name, (kind, latched) in self._offered.items():
                durability = "transient_local" if latched else "volatile"
                recording.add_topic(name, kind, "reliable", durability)
            for name, messages in self._kept.items():
                for cdr in messages:
                    recording.write(name, cdr, self._now())
        except OSError as error:
            self._end_early(error)

    def _close(self) -> None:
        """End the file properly."""
        if self._recording is None:
            return
        recording, self._recording = self._recording, None
        if failed := recording.close():
            self._over = self._over or failed
            self.get_logger().error(failed)

    def _end_early(self, error: OSError) -> None:
        self._over = (
            f"nothing more is recorded to {self.parameters.path}: {error.strerror}; "
            f"what came until {self._now() / 1e9:.1f} s is there"
        )
        self.get_logger().error(self._over)
        self._close()

    def _begin_again(self) -> None:
        """ROS time has gone back: another file."""
        path = Path(self.parameters.path)
        lasted = self._recording.duration if self._recording is not None else 0
        self._close()
        if lasted > SHORT * 1e9:
            self._files += 1
            former = path.with_name(f"{path.stem}_{self._files}{path.suffix}")
            self.get_logger().warning(f"ROS time went back: what was recorded is in {former}")
            path.rename(former)
        self._pictured.clear()
        self._open()

    # Messages

    def _now(self) -> int:
        """ROS time [ns]: that of /clock, also where this node was not told to use it."""
        return self.get_clock().now().nanoseconds if self._newest is None else self._newest

    def _write(self, name: str, cdr: bytes) -> None:
        if self._recording is None:
            return
        try:
            self._recording.write(name, cdr, self._now())
            self._bytes += len(cdr)
        except OSError as error:
            self._end_early(error)

    def _record(self, topic: Topic) -> None:
        """Messages as they come."""
        latched = topic.kept

        def write(cdr: bytes) -> None:
            if latched:
                self._kept.setdefault(name, deque(maxlen=KEPT)).append(cdr)
            if topic is topics.CLOCK:
                self._take_time(cdr)
            self._write(name, cdr)

        name = self._offer(topic)
        self._subscribe_raw(topic, QUEUE, write)

    def _take_time(self, cdr: bytes) -> None:
        time = stamp_of(cdr, 4)
        if time is None:
            return
        before, self._newest = self._newest, time
        if before is not None and time < before - TICK / 2 * 1e9 and not self._over:
            self._begin_again()

    def _record_compressed(
        self, source: Topic, topic: Topic, compress: Callable[[Image], CompressedImage]
    ) -> None:
        """Pictures compressed here, unless the driver does that."""
        name = self._offer(topic)

        def write(cdr: bytes) -> None:
            if name not in self._by_driver and self._is_due(name, cdr):
                picture = serialize_message(compress(deserialize_message(cdr, Image)))
                self._write(name, picture)

        def write_compressed(cdr: bytes) -> None:
            self._by_driver.add(name)
            if self._is_due(name, cdr):
                self._write(name, cdr)

        self._subscribe_raw(topic, PICTURES, write_compressed)
        self._subscribe_raw(source, PICTURES, write)

    def _is_due(self, name: str, cdr: bytes) -> bool:
        """Whether a picture is to be kept, by the header that it begins with."""
        time, rate = stamp_of(cdr, 4), self.parameters.camera_rate
        if time is None or self._recording is None:
            return False
        period = 1e9 / rate if rate else 0.0
        if rate and time - self._pictured.get(name, -period) < period - 1e6:
            return False
        self._pictured[name] = time
        return True

    def _offer(self, topic: Topic) -> str:
        """The full name of a topic that will be in the file."""
        name = self.resolve_topic_name(topic.name)
        self._offered[name] = (topic.type, topic.kept)
        return name

    def _subscribe_raw(self, topic: Topic, depth: int, write) -> None:
        latched = topic.kept
        reliable = topic.purpose != "sensor" or self.parameters.reliable_sensors
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=depth,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        self.inputs.add(topic, qos)
        subscription = self.create_subscription(
            interface(topic.type), topic.name, write, qos, callback_group=_Drained(), raw=True
        )
        self._taken.append((subscription, topic.name, write))

    def _drain(self) -> None:
        """Write everything that has come since the last time."""
        for subscription, name, write in self._taken:
            with subscription.handle:
                while taken := subscription.handle.take_message(subscription.msg_type, True):
                    self.inputs.came(name)
                    try:
                        write(taken[0])
                    except Exception as error:  # this message is left out, the others are kept
                        self.refuse(name, error)


def main(args: list[str] | None = None) -> int:
    return run_node(RecorderNode, args)


if __name__ == "__main__":
    sys.exit(main())
