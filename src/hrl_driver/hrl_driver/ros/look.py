"""A look at a live graph with the eyes of a driver file."""

import time
from functools import partial
from typing import Any

import rclpy
from rclpy.action.graph import get_action_names_and_types
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from hrl_core import topics
from hrl_core.ros.convert import seconds
from hrl_core.ros.qos import interface
from hrl_core.ros.transforms import LookupFailed, TransformBuffer
from hrl_driver.checks import Expected, Graph, Heard, expected_topics
from hrl_driver.names import Frames
from hrl_driver.profile import Driver
from hrl_driver.watch import pressed_in

ENOUGH = 8  # messages of a topic that tell its rate
DISCOVERY = 1.0  # s of wall time before anything is looked at


def look_at(driver: Driver, patience: float) -> Graph:
    """Listen to what is there until all of it was heard, at most for some seconds of wall time."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("driver_doctor", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        look = _Look(node, driver)
        begin = time.monotonic()
        while time.monotonic() - begin < patience and not (
            time.monotonic() - begin > DISCOVERY and look.is_complete()
        ):
            executor.spin_once(timeout_sec=0.1)
        return look.graph()
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


class _Look:
    """The subscriptions of one look, and what came."""

    def __init__(self, node: Node, driver: Driver):
        self._node, self._driver = node, driver
        self._frames, self._buffer = Frames(driver), TransformBuffer()
        self._expected = {each.name: each for each in expected_topics(driver)}
        self._graph = Graph(heard={name: Heard() for name in self._expected})
        self._stamps: dict[str, list[float]] = {name: [] for name in self._expected}
        sensors = driver.sensors
        self._static = driver.resolved(sensors.tf_static)
        self._tf = (driver.resolved(sensors.tf), self._static)
        self._states = {driver.resolved(source.topic) for source in sensors.joint_states.sources}
        self._clocked = False
        for each in self._expected.values():
            latched = each.quality == "latched" and not each.stamped or each.name == self._static
            qos = QoSProfile(
                depth=20,
                reliability=ReliabilityPolicy.RELIABLE
                if latched
                else ReliabilityPolicy.BEST_EFFORT,
                durability=DurabilityPolicy.TRANSIENT_LOCAL
                if latched
                else DurabilityPolicy.VOLATILE,
            )
            node.create_subscription(
                interface(each.type), each.name, partial(self._take, each), qos
            )

    def is_complete(self) -> bool:
        """Whether everything was heard often enough."""
        if not self._clocked and self._node.count_publishers(topics.CLOCK.name):
            self._clocked = True  # simulated time
            self._node.set_parameters([Parameter("use_sim_time", value=True)])
        return all(
            self._graph.heard[name].count >= (ENOUGH if each.rate else 1)
            for name, each in self._expected.items()
        )

    def graph(self) -> Graph:
        """What was found."""
        node, graph = self._node, self._graph
        for name, heard in graph.heard.items():
            for info in node.get_publishers_info_by_topic(name):
                heard.types.add(info.topic_type)
                heard.qualities.add(_quality(info.qos_profile))
            stamps = self._stamps[name]
            span = max(stamps) - min(stamps) if stamps else 0.0
            heard.rate = (len(stamps) - 1) / span if span > 0 else 0.0
        relative = self._relative
        graph.all_topics = {
            relative(name): kinds[0]
            for name, kinds in node.get_topic_names_and_types()
            if node.count_publishers(name)  # and not only this look listens
        }
        for name in self._driver.command_topics():
            found = node.get_subscriptions_info_by_topic(name)
            graph.listeners[name] = {info.topic_type for info in found}
        there = node.get_service_names_and_types()
        graph.services = {relative(name): kinds[0] for name, kinds in there}
        graph.actions = {relative(n): kinds[0] for n, kinds in get_action_names_and_types(node)}
        graph.why_no_transform = self._why_no_transform
        return graph

    def _relative(self, name: str) -> str:
        """As the driver file has it: without the slash, unless it is absolute there, too."""
        known = {*self._expected, *self._driver.services(), *self._driver.actions()}
        return name if name in known else name.lstrip("/")

    def _take(self, expected: Expected, message: Any) -> None:
        heard = self._graph.heard[expected.name]
        heard.count += 1
        if expected.name in self._tf:
            self._take_transforms(expected.name == self._static, message)
            return
        if expected.stamped:
            stamp = seconds(message.header.stamp)
            self._stamps[expected.name].append(stamp)
            heard.age = self._node.get_clock().now().nanoseconds / 1e9 - stamp
            heard.frames.add(message.header.frame_id)
        if hasattr(message, "encoding"):
            self._graph.encodings[expected.name] = message.encoding
        elif hasattr(message, "k"):
            self._graph.focal[expected.name] = message.k[0]
        elif hasattr(message, "child_frame_id"):
            self._graph.children.add(self._frames.ours(message.child_frame_id))
        elif expected.name in self._states:
            self._graph.joints.update(message.name)
        elif not expected.stamped:
            self._take_stop(message)

    def _take_stop(self, message: Any) -> None:
        stop = self._driver.sensors.e_stop
        assert stop is not None, "it was subscribed to"
        try:
            pressed_in(message, stop.field, stop.pressed)
        except AttributeError as error:
            self._graph.wrong_field = str(error)

    def _take_transforms(self, static: bool, message: Any) -> None:
        """All are kept as ones that do not move: only whether they hang together is asked."""
        mine = [t for t in message.transforms if self._frames.is_theirs(t.child_frame_id)]
        for transform in mine:
            transform.header.frame_id = self._frames.ours(transform.header.frame_id)
            transform.child_frame_id = self._frames.ours(transform.child_frame_id)
        mine = [t for t in mine if t.header.frame_id != t.child_frame_id]
        self._buffer.add(type(message)(transforms=mine), static=True)

    def _why_no_transform(self, target: str, source: str) -> str:
        try:
            self._buffer.lookup(target, source, 0.0)
        except LookupFailed as error:
            return str(error)
        return ""


def _quality(profile: QoSProfile) -> str:
    if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        return "latched"
    return "reliable" if profile.reliability == ReliabilityPolicy.RELIABLE else "best_effort"
