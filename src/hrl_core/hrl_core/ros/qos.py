"""Quality of service by purpose, and message types by name, from hrl_core.topics."""

from functools import cache
from importlib import import_module

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from hrl_core.topics import Topic


def subscriber_qos(topic: Topic, reliable_sensors: bool, newest_only: bool = False) -> QoSProfile:
    """Sensors: best effort, which every driver matches, and only the newest is of use.

    `newest_only`: nothing but the newest is kept of the other topics either.
    """
    if topic.purpose == "sensor":
        reliable = ReliabilityPolicy.RELIABLE
        wanted = reliable if reliable_sensors else ReliabilityPolicy.BEST_EFFORT
        return _profile(1, wanted)
    offered = publisher_qos(topic)
    if newest_only:
        return _profile(1, offered.reliability, offered.durability)
    return offered


def publisher_qos(topic: Topic) -> QoSProfile:
    """Publishers offer reliable delivery; it suits subscribers of both kinds."""
    if topic.purpose == "latched":
        return _profile(10, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
    depth = {"sensor": 2, "clock": 1, "command": 10, "event": 20}[topic.purpose]
    return _profile(depth, ReliabilityPolicy.RELIABLE)


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
