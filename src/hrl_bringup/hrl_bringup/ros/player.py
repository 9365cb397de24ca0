"""Plays a recording into freshly started perception and master, in the place of the robot."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.action.client import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage

from hrl_bringup.recorded import Recorded, read_recording
from hrl_bringup.replay import Perceived
from hrl_bringup.ros.recorded_messages import read_from
from hrl_bringup.ros.recorded_run import RecordedMission, RecordedRun, hear
from hrl_bringup.ros.recorded_skills import RecordedSkills
from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.compressed import depth_of, picture_of
from hrl_core.ros.convert import seconds, stamp_msg
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.qos import interface, publisher_qos
from hrl_core.topics import Topic
from hrl_master.guided import Step
from hrl_msgs.action import RunMission
from hrl_sim_bridge.ros.lockstep import Lockstep
from tf2_msgs.msg import TFMessage

STARTUP = 60.0  # s of wall time for the nodes to appear
ANSWER = 20.0  # s of wall time for the master to answer
RESEND = 0.5  # s of wall time; a node that has just been found has missed the first tick
PATIENCE = 5.0  # s of wall time that a node may take for a tick
SETTLING = 0.3  # s of wall time for an initial pose to be there before the first tick
ENOUGH = 0.3  # s of a robot's recording that hold all sensors
SLICE = 0.02  # s of a robot's recording that is sent at once
LASTING = (topics.TF_STATIC, topics.ROBOT_DESCRIPTION)  # published before everything else
SENSORS = (*topics.SENSORS, topics.TF, topics.INITIAL_POSE, topics.E_STOP)
PERCEPTION = (topics.POSE, topics.DETECTIONS, topics.TICK_DONE)  # played where it does not run


class NotPlayed(RuntimeError):
    """The nodes do not appear, or do not answer."""


class Player:
    """A ROS node in this process. Use it as a context."""

    def __init__(
        self,
        path: Path,
        run: RecordedRun,
        nodes: tuple[str, ...],
        environment: Mapping[str, str],
        world: str,
        watch: Callable[[], None],
    ):
        """`nodes`: of perception and master, those that run. `watch` is called often."""
        os.environ.update(environment)
        self._path, self._run, self._nodes, self._world = path, run, nodes, world
        self._watch = watch
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("player", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._lockstep = Lockstep((), PATIENCE)
        self._publishers = {t.name: self._publisher(t) for t in (topics.CLOCK, *LASTING, *SENSORS)}
        self._pictures: dict[str, tuple[Any, Callable[[CompressedImage], Any]]] = {}
        for camera in topics.CAMERAS:
            image, depth = topics.image(camera), topics.depth(camera)
            for topic in (image, depth, topics.camera_info(camera)):
                self._publishers[topic.name] = self._publisher(topic)
            self._pictures[topics.compressed(image).name] = (image.name, picture_of)
            self._pictures[topics.compressed_depth(depth).name] = (depth.name, depth_of)
        self.perceived = Perceived()
        self.decided: dict[tuple[str, int], Any] = {}  # messages by mission and index
        self.remarks: list[str] = []
        self._stepped = False  # the nodes have done the first tick
        self._goal: Any = None  # handle of the mission that runs
        self._steps: list[tuple[float, Step]] = []  # of its client, still to come
        if "perception" in nodes:
            for topic in (topics.POSE, topics.DETECTIONS):
                self._subscribe(topic, lambda m, topic=topic: hear(self.perceived, topic, m))
        else:
            self._publishers |= {t.name: self._publisher(t) for t in PERCEPTION}
        self._subscribe(topics.TICK_DONE, self._on_tick_done)
        self._skills: RecordedSkills | None = None
        if "master" in nodes:
            self._skills = RecordedSkills(self._node, run.helpers)
            self._missions = ActionClient(self._node, RunMission, "run_mission")
            name, kind = topics.CHOOSE_STEP
            self._choosing = self._node.create_client(interface(kind), name)
            self._subscribe(topics.DECISIONS, self._on_decision)

    def close(self) -> None:
        self._executor.shutdown()
        if self._skills is not None:
            self._skills.close()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def wait_for_nodes(self) -> None:
        """Wait until they hear the sensors and answer; raises NotPlayed."""

        def missing() -> list[str]:
            absent = [n for n in self._nodes if n not in self._node.get_node_names()]
            heard = (topics.SCAN, topics.ODOMETRY, topics.JOINT_STATES)
            absent += [
                f"subscriber of {topic.name}"
                for topic in heard
                if self._publishers[topic.name].get_subscription_count() < len(self._nodes)
            ]
            if self._skills is not None and not self._missions.server_is_ready():
                absent.append("action run_mission")
            return absent

        self._wait(lambda: not missing(), STARTUP, lambda: f"waiting for {missing()}")
        self._spin(1.0)  # what they publish and ask has to be discovered, too

    def play(self, begin: float, rate: float, show: Callable[[float], None]) -> None:
        """Play from a time [s] on. `rate`: recorded over wall time; 0: as fast as the nodes can.

        With rate 0 the nodes are waited for at every tick of the recording's /clock. `show` is
        told the time.
        """
        steps = bool(self._run.ticks) and not rate
        if steps:
            self._lockstep = Lockstep(self._nodes, PATIENCE)
        missions = [m for m in self._run.missions if m.begins >= begin]
        if late := len(self._run.missions) - len(missions):
            self.remarks.append(f"{late} missions began before {begin:.1f} s and are not decided")
        self._publish_lasting()
        started: tuple[float, float] | None = None  # of the recording and of the wall [s]
        for stamp, messages in self._slices(begin, steps):
            if started is None:
                started = stamp, time.monotonic()
                self._tell_where(stamp, messages)
            while missions and missions[0].begins <= stamp + EPSILON:
                self._begin(missions.pop(0))
            self._choose(stamp)
            self._publish(stamp, messages)
            if steps:
                self._wait_for_tick(stamp, messages)
            else:
                due = started[1] + (stamp - started[0]) / (rate or 1.0)
                self._spin(max(0.0, due - time.monotonic()))
                if not self._stepped and stamp > started[0] + ENOUGH:
                    self._wait_for_perception(stamp)
                    started = stamp, time.monotonic()
            show(stamp)
        self._cancel()
        self._spin(SETTLING)

    # Playing

    def _slices(self, begin: float, steps: bool) -> Iterator[tuple[float, list[Recorded]]]:
        """What is sent at once, with its time [s]: all of a tick, or of some milliseconds."""
        ticks = self._run.ticks

        def slice_of(moment: float) -> float:
            if not steps:
                return SLICE * (int(moment / SLICE + 1 - 1e-6))
            k = bisect_left(ticks, moment - EPSILON)
            return ticks[k] if k < len(ticks) else moment

        now, together = None, []
        names = [f"/{name.lstrip('/')}" for name in (*self._publishers, *self._pictures)]
        for recorded in read_recording(self._path, names):
            if recorded.time < begin:
                continue
            at = slice_of(recorded.time)
            if now is not None and at > now + EPSILON:
                yield now, together
                together = []
            now = at
            together.append(recorded)
        if now is not None:
            yield now, together

    def _publish(self, stamp: float, messages: Iterable[Recorded]) -> None:
        clock = Clock(clock=stamp_msg(stamp))
        self._publishers[topics.CLOCK.name].publish(clock)
        self._lockstep.begin(stamp)
        for recorded in messages:
            name = recorded.topic.removeprefix("/")
            if name in self._pictures:
                self._publish_picture(name, recorded.cdr)
            elif name == topics.TF.name:
                self._publish_transforms(recorded.cdr)
            elif name in self._publishers and name not in [t.name for t in LASTING]:
                self._publishers[name].publish(recorded.cdr)
        if self._skills is not None:
            self._skills.tick(stamp)

    def _publish_picture(self, name: str, cdr: bytes) -> None:
        target, convert = self._pictures[name]
        try:
            self._publishers[target].publish(convert(deserialize_message(cdr, CompressedImage)))
        except ConfigError as error:
            self.remarks.append(f"{name}: {error}")

    def _publish_transforms(self, cdr: bytes) -> None:
        """Those of the robot; where the map lies is for the perception that runs now to say."""
        message = deserialize_message(cdr, TFMessage)
        if "perception" in self._nodes:
            message.transforms = [t for t in message.transforms if t.header.frame_id != topics.MAP]
        if message.transforms:
            self._publishers[topics.TF.name].publish(serialize_message(message))

    def _publish_lasting(self) -> None:
        for recorded in read_recording(self._path, [f"/{topic.name}" for topic in LASTING]):
            self._publishers[recorded.topic.removeprefix("/")].publish(recorded.cdr)

    def _tell_where(self, stamp: float, messages: list[Recorded]) -> None:
        """Tell perception where the robot is, as it was told or found out itself."""
        name = f"/{topics.INITIAL_POSE.name}"
        told = [recorded.cdr for recorded in messages if recorded.topic == name]
        later = [p for p in self._run.poses if seconds(p.header.stamp) >= stamp - EPSILON]
        if told:
            where = deserialize_message(told[-1], PoseWithCovarianceStamped)
        elif later:
            where = later[0]
        else:
            return
        self._publishers[topics.INITIAL_POSE.name].publish(where)
        self._spin(SETTLING)

    def _wait_for_perception(self, stamp: float) -> None:
        """Let its first tick be done before time goes on, so that it begins where it was told."""
        self._stepped = True
        begun = time.monotonic()
        while "perception" in self._nodes and not self.perceived.poses:
            self._spin_once()
            if time.monotonic() > begun + PATIENCE:
                self.remarks.append(f"perception says nothing of the sensors up to {stamp:.1f} s")
                return

    def _wait_for_tick(self, stamp: float, messages: list[Recorded]) -> None:
        """Whoever misses a message of the first tick, before all have found each other, needs it
        again; the nodes then say again that they have done it."""
        began = sent = time.monotonic()
        while self._lockstep.missing():
            self._spin_once()
            now = time.monotonic()
            if not self._stepped and now < began + STARTUP and now > sent + RESEND:
                self._publish(stamp, messages)
                sent = now
            if late := self._lockstep.give_up():
                self.remarks.append(f"{late} did not finish the tick of {stamp:.1f} s")
        self._stepped = True

    # The mission

    def _begin(self, mission: RecordedMission) -> None:
        """Give the master its orders again."""
        if self._skills is None:
            return
        self._cancel()
        with read_from(f"{self._path}: mission {mission.id}"):
            self._skills.load(mission.skill_runs(self._run.idle, self._world))
        goal = RunMission.Goal(mission_id=mission.id, orders=mission.orders, guided=mission.guided)
        sent = self._missions.send_goal_async(goal)
        self._wait(sent.done, ANSWER, lambda: f"the master does not answer to mission {mission.id}")
        self._goal = sent.result()
        if not self._goal.accepted:
            self._goal = None
            self.remarks.append(f"the master refused mission {mission.id}; its log says why")
        else:
            self._steps = mission.steps()

    def _choose(self, stamp: float) -> None:
        """Choose the steps of a guided mission when its client did."""
        while self._steps and self._steps[0][0] <= stamp + EPSILON:
            _, step = self._steps.pop(0)
            self._choosing.call_async(
                interface(topics.CHOOSE_STEP[1]).Request(
                    skill=step.skill, target=step.target, by=step.by, why=step.why
                )
            )
            self._spin(SETTLING)  # it has to be there before the tick is

    def _cancel(self) -> None:
        """End the mission that runs, as the recording has no more of it."""
        if self._goal is not None:
            self._goal.cancel_goal_async()
            self._goal, self._steps = None, []

    def _on_decision(self, message) -> None:
        if message.finished or (message.mission_id, message.index) in self.decided:
            return
        self.decided[message.mission_id, message.index] = message
        made = next((m.made for m in self._run.missions if m.id == message.mission_id), {})
        was = made.get(message.index)
        if was is None or (was.skill, was.target) != (message.skill, message.target):
            self._cancel()  # what would have come of it, nobody knows

    def _on_tick_done(self, message) -> None:
        if message.node in self._nodes:
            self._lockstep.done(message.node, seconds(message.stamp), message.idle)

    # Waiting

    def _publisher(self, topic: Topic):
        return self._node.create_publisher(interface(topic.type), topic.name, publisher_qos(topic))

    def _subscribe(self, topic: Topic, callback) -> None:
        qos = publisher_qos(topic)
        self._node.create_subscription(interface(topic.type), topic.name, callback, qos)

    def _wait(self, done: Callable[[], bool], patience: float, say: Callable[[], str]) -> None:
        deadline = time.monotonic() + patience
        while not done():
            if time.monotonic() > deadline:
                raise NotPlayed(say())
            self._spin_once()

    def _spin(self, duration: float) -> None:
        """Run callbacks for some seconds of wall time."""
        deadline = time.monotonic() + duration
        while (left := deadline - time.monotonic()) > 0:
            self._spin_once(left)

    def _spin_once(self, patience: float = 0.05) -> None:
        self._executor.spin_once(timeout_sec=min(patience, 0.05))
        self._watch()
