"""Quality of service by purpose, and message types by name, from hrl_core.topics."""

from functools import cache
from importlib import import_module

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from hrl_core.topics import Topic


def subscriber_qos(topic: Topic, reliable_sensors: bool, depth: int | None = None) -> QoSProfile:
    """Sensors: best effort, which every driver matches, and only the newest is of use.

    `depth`: how many messages wait; None: as many as suit the topic.
    """
    if topic.purpose == "sensor":
        reliable = ReliabilityPolicy.RELIABLE
        wanted = reliable if reliable_sensors else ReliabilityPolicy.BEST_EFFORT
        return _profile(depth or 1, wanted)
    offered = publisher_qos(topic)
    return _profile(depth or offered.depth, offered.reliability, offered.durability)


def publisher_qos(topic: Topic) -> QoSProfile:
    """Publishers offer reliable delivery; it suits subscribers of both kinds."""
    depths = {"sensor": 2, "clock": 1, "command": 10, "event": 20, "latched": 10, "state": 1}
    durability = DurabilityPolicy.TRANSIENT_LOCAL if topic.kept else DurabilityPolicy.VOLATILE
    return _profile(depths[topic.purpose], ReliabilityPolicy.RELIABLE, durability)


@cache
def interface(name: str) -> type:
    """The class of an interface by its name, e.g. sensor_msgs/msg/LaserScan."""
    package, kind, cls = name.split("/")
    return getattr(import_module(f"{package}.{kind}"), cls)


def _profile(depth, reliability, durability=DurabilityPolicy.VOLATILE) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )
