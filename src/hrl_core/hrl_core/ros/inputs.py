"""What a node makes of its inputs: rates, what was refused and why, why nothing comes."""

import time
from collections import deque
from dataclasses import dataclass, field

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from hrl_core.topics import Topic

LOOKS = 6  # times that rates are taken over, one a second
REFUSAL_SHOWN = 5.0  # s of wall time that diagnostics tell of something that was refused
UNUSED = 3.0  # s of ROS time without anything usable, and diagnostics say so
SLOW = 0.8  # of the rate that is needed; less is said
NEVER = float("-inf")  # s
BESIDE = ("compressed", "compressedDepth", "theora", "ffmpeg", "zstd")  # of image_transport


def refusal(name: str, why: str) -> str:
    return f"refused from {name}: {why}"


@dataclass
class Input:
    """Counts of one topic; times are of ROS [s], where nothing else is said."""

    topic: Topic | None = None  # None: a service, or something else that can be refused
    qos: QoSProfile | None = None
    came: int = 0
    refused: int = 0
    last: str = ""  # why the last one that was refused was refused
    refused_at: float = NEVER  # wall time [s]
    unusable: bool = False  # the newest was refused
    used: float = NEVER  # when something was made of it last
    listening: bool = True
    since: float = NEVER  # it is listened to
    looks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=LOOKS))

    @property
    def seconds(self) -> float:
        """How long its rate was looked at."""
        return self.looks[-1][0] - self.looks[0][0] if self.looks else 0.0

    @property
    def came_before(self) -> int:
        """How many had come at the last look."""
        return self.looks[-1][1] if self.looks else 0

    @property
    def rate(self) -> float:
        """Hz of ROS time at the last looks."""
        if self.seconds <= 0.0:
            return 0.0
        return (self.came_before - self.looks[0][1]) / self.seconds


class Inputs:
    """Everything that a node subscribes to, by topic."""

    def __init__(self, node: Node):
        self._node = node
        self._inputs: dict[str, Input] = {}

    def add(self, topic: Topic, qos: QoSProfile) -> None:
        kept = self._inputs.setdefault(topic.name, Input())
        kept.topic, kept.qos, kept.since, kept.listening = topic, qos, self._now(), True

    def came(self, name: str) -> None:
        self._inputs.setdefault(name, Input()).came += 1

    def used(self, name: str) -> None:
        """Something was made of the newest."""
        kept = self._inputs[name]
        kept.used, kept.unusable = self._now(), False

    def refuse(self, name: str, sentence: str) -> None:
        kept = self._inputs.setdefault(name, Input())
        kept.refused += 1
        kept.last, kept.unusable, kept.refused_at = sentence, True, time.monotonic()

    def listen(self, name: str, listening: bool) -> None:
        """Whether messages are taken in now."""
        kept = self._inputs.setdefault(name, Input())
        if listening and not kept.listening:
            kept.since = self._now()
            kept.looks.clear()
        kept.listening = listening

    def look(self) -> None:
        """Take the rates; call it once a second."""
        now = self._now()
        for kept in self._inputs.values():
            if kept.looks and now < kept.looks[-1][0]:  # time went back
                kept.looks.clear()
                kept.used, kept.since = NEVER, now
            silent = len(kept.looks) > 1 and kept.rate == 0.0
            if (silent or not kept.came_before) and kept.came > kept.came_before:  # it begins
                kept.looks.clear()
            kept.looks.append((now, kept.came))

    def refused_lately(self) -> dict[str, str]:
        """Why, by topic or service."""
        now = time.monotonic()
        return {
            name: kept.last
            for name, kept in self._inputs.items()
            if now - kept.refused_at < REFUSAL_SHOWN
        }

    def figures(self) -> dict[str, str]:
        """What is heard of each input, and what was refused."""
        return {f"input {name}": self._said(kept) for name, kept in self._inputs.items()}

    def is_silent(self, name: str) -> bool:
        """Whether nothing came at the last looks."""
        return self._inputs[name].rate == 0.0

    def is_unusable(self, name: str) -> bool:
        """Whether the newest was refused."""
        return self._inputs[name].unusable

    def silence(self, name: str) -> float:
        """How long it has been listened to in vain [s]."""
        kept = self._inputs[name]
        return self._now() - max(kept.used, kept.since) if kept.listening else 0.0

    def lack(self, name: str, rate: float) -> str:
        """What is wrong with an input that is needed at a rate [Hz]; "": nothing."""
        silent = self.silence(name)
        if silent > UNUSED:
            return f"no usable {name} for {silent:.0f} s: {self.why(name)}"
        return self.slowness(name, rate)

    def slowness(self, name: str, rate: float) -> str:
        """What is wrong where something comes less often than is needed [Hz]; "": nothing."""
        kept = self._inputs.setdefault(name, Input())
        slow = kept.listening and kept.seconds > UNUSED and 0.0 < kept.rate < SLOW * rate
        return f"{name} come at {kept.rate:.1f} Hz: {rate:.0f} Hz are needed" if slow else ""

    def why(self, name: str) -> str:
        """Why nothing is made of an input."""
        kept = self._inputs[name]
        if kept.unusable:
            return refusal(name, kept.last)
        publishers = self.publishers(name)
        if not publishers:
            beside = [each for end in BESIDE if self.publishers(each := f"{name}/{end}")]
            return f"nobody publishes {name}" + (f"; there is {', '.join(beside)}" * bool(beside))
        topic, qos = kept.topic, kept.qos
        assert topic is not None and qos is not None, "it is a topic"
        who = ", ".join(
            sorted({f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in publishers})
        )
        types = sorted({p.topic_type for p in publishers})
        if topic.type not in types:
            return f"{name} is published by {who} as {', '.join(types)}: needs {topic.type}"
        for word, offered, wanted in (
            ("reliable", [p.qos_profile.reliability for p in publishers], qos.reliability),
            ("latched", [p.qos_profile.durability for p in publishers], qos.durability),
        ):
            needs = wanted in (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
            if needs and wanted not in offered:
                return f"{name} of {who} is not {word}, and this node asks for it"
        if kept.rate:
            return f"{name} of {who} comes at {kept.rate:.1f} Hz, and nothing is made of it"
        return f"{name} of {who} is silent"

    def publishers(self, name: str) -> list:
        return self._node.get_publishers_info_by_topic(name)

    def _said(self, kept: Input) -> str:
        words = []
        if kept.topic is not None or kept.came:
            words.append(f"{kept.rate:.1f} Hz" if kept.listening else "not listened to now")
        if kept.refused:
            words.append(f"{kept.refused} refused, last: {kept.last}")
        return "; ".join(words)

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds / 1e9
