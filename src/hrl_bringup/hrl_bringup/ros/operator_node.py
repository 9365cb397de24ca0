"""The operator's side of a mission: resets the plant, gives the order, hears how it goes."""

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.action.client import ActionClient
from rclpy.action.graph import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import NodeNameNonExistentError
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from hrl_bringup.fault_lines import FaultLines
from hrl_bringup.mission_log import DecisionEntry, MissionLog, SkillState, mission_id
from hrl_bringup.nodes import enclave_of
from hrl_core import topics
from hrl_core.geometry import planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.ros import convert
from hrl_core.ros.qos import interface, publisher_qos
from hrl_core.topics import Topic
from hrl_msgs.action import RunMission
from hrl_msgs.msg import MasterDecision, Order, PlantTruth
from hrl_sim_bridge.judging.judge import BELTS_LIMIT
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.ros.convert import truth_from_msg

ANSWER = 60.0  # s of wall time for a service or an action server to answer
SETTLING = 1.0  # s of ROS time after the mission, before it is judged
SPIN = 0.05  # s of wall time between two looks at the processes and the view


class MissionStopped(RuntimeError):
    """A mission that cannot go on: nobody answers, or it takes too long."""


class Operator:
    """A ROS node in this process.

    `watch` is called often, while it waits; it may raise. `say` gets a line when a fault of a node
    begins or ends during a mission.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        watch: Callable[[], None],
        say: Callable[[str], None],
    ):
        os.environ.update(environment)  # the domain and how nodes find each other
        self._watch, self._say = watch, say
        self._faults = FaultLines()
        self._context = Context()
        rclpy.init(
            args=["--ros-args", "--enclave", enclave_of("operator")],
            context=self._context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node("operator", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._log: MissionLog | None = None
        self.truth: Truth | None = None
        self._mission = ActionClient(self._node, RunMission, "run_mission")
        self._services = {
            name: self._node.create_client(interface(kind), name)
            for name, kind in (topics.RESET_PLANT, topics.PAUSE_PLANT, topics.STEP_PLANT)
        }
        self._subscribe(topics.DECISIONS, self._on_decision)
        self._subscribe(topics.POSE, self._on_pose)
        self._subscribe(topics.PLANT_TRUTH, self._on_truth)
        self._subscribe(topics.DIAGNOSTICS, self._on_diagnostics)

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def __enter__(self) -> "Operator":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def wait_for_nodes(self, nodes: tuple[str, ...], skills: tuple[str, ...]) -> None:
        """Wait until all nodes are there and their services and actions answer."""

        def missing() -> list[str]:
            present = self._node.get_node_names()
            absent = [name for name in nodes if name not in present]
            absent += [
                f"service {name}" for name, c in self._services.items() if not c.service_is_ready()
            ]
            if not self._mission.server_is_ready():
                absent.append("action run_mission")
            absent = absent or [name for name in skills if not self._serves(name)]
            if absent:
                return absent
            known = self._known_to_the_master()
            return [f"{name}, known to the master" for name in skills if name not in known]

        self._wait(lambda: not missing(), 60.0, lambda: f"waiting for {missing()}")

    def reset(self, world: str, seed: int, disturb: str = "file") -> None:
        """Set the plant to the start of a trial, paused; it tells perception where the robot is.

        Afterwards all nodes have taken in the new trial's first tick: time went back for them,
        and a mission that was given earlier would end by that.
        """
        kind = interface(topics.RESET_PLANT[1])
        request = kind.Request(world=world, seed=seed, disturb=disturb, paused=True)
        self._checked(topics.RESET_PLANT[0], request)
        # A step is answered when it is done, and it begins when the nodes have done the first.
        stepped = self._checked(
            topics.STEP_PLANT[0], interface(topics.STEP_PLANT[1]).Request(ticks=1)
        )
        time_now = convert.seconds(stepped.stamp)
        self._wait(
            lambda: self.truth is not None and abs(self.truth.time - time_now) < 1e-3,
            ANSWER,
            lambda: f"no truth of {time_now:.1f} s came from the plant",
        )

    def run(self, log: MissionLog, limit: float, again: int = 0) -> None:
        """Give the log's order, let time run, and follow the mission to its end into the log.

        `limit` [s]: ROS time after which the mission is cancelled. `again`: see mission_id.
        """
        self._log = log
        if self.truth is not None:
            log.started = log.now = self.truth.time
        goal = RunMission.Goal(mission_id=mission_id(log.world, log.seed, again))
        goal.orders = [Order(id="1", **log.order)]
        sent = self._mission.send_goal_async(goal, feedback_callback=self._on_feedback)
        handle = self._result_of(sent, "the master does not answer")
        if not handle.accepted:
            raise MissionStopped("the master rejected the order; its log says why")
        result = handle.get_result_async()
        self._pause(False)
        self._last_news = time.monotonic()
        while not result.done():
            self._spin_once()
            silence = time.monotonic() - self._last_news
            if log.duration > limit or silence > ANSWER:
                handle.cancel_goal_async()
                reason = (
                    f"not done after {log.duration:.0f} s, limit {limit:.0f} s"
                    if log.duration > limit
                    else f"nothing was heard for {silence:.0f} s of wall time"
                )
                self._result_of(result, reason)
        message = self._result_of(result, "").result
        log.outcome, log.detail = Code(message.code).name, message.detail
        if message.results:
            log.detail = message.results[0].detail or log.detail
            log.handed_over = message.results[0].code == Code.HANDED_OVER
        self._settle(log)
        self._pause(True)
        log.wall_duration = time.monotonic() - log.wall_started
        self._log = None

    def stay(self) -> None:
        """Let time run until Ctrl-C."""
        self._pause(False)
        while True:
            self._spin_once()

    def _settle(self, log: MissionLog) -> None:
        """Let what was put down come to rest before it is judged."""
        end = log.now + SETTLING

        def settled() -> bool:
            busy = self.truth is not None and self.truth.belts_busy
            return log.now >= (end + BELTS_LIMIT if busy else end)

        self._wait(settled, ANSWER + BELTS_LIMIT, lambda: "the plant has stopped")

    # Callbacks

    def _on_decision(self, message: MasterDecision) -> None:
        log, stamp = self._log, convert.seconds(message.header.stamp)
        if log is None:
            return
        log.at(stamp)
        if not message.finished:
            log.decided(
                DecisionEntry(
                    index=message.index,
                    skill=message.skill,
                    target=message.target,
                    reason=message.reason,
                    candidates=list(message.candidates),
                    why_not=list(message.why_not),
                    face=message.face,
                    chosen_by=message.chosen_by,
                    probabilities=[round(float(p), 4) for p in message.probabilities],
                    allowed=list(message.allowed),
                    started=stamp,
                    chance=round(float(message.chance), 4) if message.chance >= 0 else None,
                )
            )
            return
        result = message.last_result
        log.ended(
            message.index,
            ended=stamp,
            outcome=Code(result.code).name,
            detail=result.detail,
            steps=result.steps,
            confirmed=result.verdict.confirmed,
            verdict=result.verdict.sentence,
            evidence={pair.key: pair.value for pair in result.verdict.evidence},
        )

    def _on_feedback(self, message) -> None:
        if self._log is None:
            return
        progress = message.feedback.progress
        self._log.skill = SkillState(
            step=progress.step,
            max_steps=progress.max_steps,
            phase=progress.phase,
            progress=progress.progress,
            error=progress.error,
        )

    def _on_pose(self, message) -> None:
        if self._log is None:
            return
        stamp = convert.seconds(message.header.stamp)
        pose, covariance = convert.planar_pose_from_msg(message.pose)
        self._log.moved(self._log.estimated, stamp, pose)
        self._log.deviation = (
            math.sqrt(max(covariance[0, 0], covariance[1, 1])),
            math.sqrt(covariance[2, 2]),
        )

    def _on_truth(self, message: PlantTruth) -> None:
        self.truth = truth_from_msg(message)
        self._last_news = time.monotonic()
        log = self._log
        if log is None:
            return
        log.at(self.truth.time)
        log.moved(log.true, self.truth.time, planar_from_transform(self.truth.map_from_base))
        log.realtime_factor = message.realtime_factor
        log.lockstep_misses = message.lockstep_misses

    def _on_diagnostics(self, message) -> None:
        if self._log is None:
            return
        for status in message.status:
            faults = {
                value.key.removeprefix(topics.FAULT): value.value
                for value in status.values
                if value.key.startswith(topics.FAULT)
            }
            if not faults and status.level != DiagnosticStatus.OK:  # of another package
                faults = {"status": status.message}
            for line in self._faults.take(status.name, faults):
                self._say(line)

    # Waiting

    def _subscribe(self, topic: Topic, callback) -> None:
        self._node.create_subscription(
            interface(topic.type), topic.name, callback, publisher_qos(topic)
        )

    def _serves(self, skill: str) -> bool:
        try:
            actions = get_action_server_names_and_types_by_node(self._node, skill, "/")
        except NodeNameNonExistentError:
            return False
        return any(name == f"/{skill}" for name, _ in actions)

    def _known_to_the_master(self) -> set[str]:
        """Skills that the master, which is there, can give goals to."""
        actions = get_action_client_names_and_types_by_node(self._node, "master", "/")
        return {name.rpartition("/")[2] for name, _ in actions}

    def _pause(self, paused: bool) -> None:
        self._call(topics.PAUSE_PLANT[0], interface(topics.PAUSE_PLANT[1]).Request(data=paused))

    def _call(self, service: str, request):
        return self._result_of(
            self._services[service].call_async(request), f"no answer from {service}"
        )

    def _checked(self, service: str, request):
        """Call a service that answers with `ok`; raises MissionStopped with its detail."""
        response = self._call(service, request)
        if not response.ok:
            raise MissionStopped(f"{service}: {response.detail}")
        return response

    def _result_of(self, future: Future, complaint: str) -> Any:
        """Wait for a future's result; raises MissionStopped with the complaint."""
        self._wait(future.done, ANSWER, lambda: f"{complaint} (waited {ANSWER:.0f} s)")
        return future.result()

    def _wait(self, done: Callable[[], bool], patience: float, say: Callable[[], str]) -> None:
        deadline = time.monotonic() + patience
        while not done():
            if time.monotonic() > deadline:
                raise MissionStopped(say())
            self._spin_once()

    def _spin_once(self) -> None:
        self._executor.spin_once(timeout_sec=SPIN)
        self._watch()
