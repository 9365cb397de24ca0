"""Skill servers that do nothing: each goal of a replayed mission ends as it did when recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from hrl_core import topics
from hrl_core.geometry import planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.ros.convert import stamp_msg, transform_from_pose
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.qos import interface, publisher_qos
from hrl_master.orders import Decision
from hrl_msgs.msg import Rejection, SkillResult, TickDone

SKILLS = ("walk", "approach", "grasp", "place")


@dataclass(frozen=True)
class SkillRun:
    """A decision of the recording whose skill was run."""

    skill: str
    ended: float  # s, the tick at which the skill had its outcome
    result: SkillResult
    questions: Mapping[tuple[str, str], tuple[Decision, float]]  # asked before, with the chance


class RecordedSkills:
    """Servers of the skills of a recording: `load` a mission's runs, `tick` at each tick."""

    def __init__(self, node: Node, helpers: Mapping[str, str]):
        """`helpers`: skills beside the four, by what they provide."""
        self._node, self._helpers = node, dict(helpers)
        self._runs: list[SkillRun] = []  # still to come
        self._running: tuple[SkillRun, Future] | None = None
        self._stamp = float("-inf")
        group = ReentrantCallbackGroup()
        self._tick_done = self._publisher(topics.TICK_DONE)
        self._rejections = self._publisher(topics.REJECTIONS)
        self._servers = []
        for skill in {*SKILLS, *self._helpers.values()}:
            kind = topics.ACTIONS.get(skill, topics.RUN_SKILL)
            server = ActionServer(
                node,
                interface(kind),
                skill,
                execute_callback=partial(self._execute, skill, kind),
                goal_callback=partial(self._on_goal, skill),
                cancel_callback=self._on_cancel,
                callback_group=group,
            )
            self._servers.append(server)
            for (name, service), callback in (
                (topics.ESTIMATE_SUCCESS, partial(self._on_question, skill)),
                (topics.DESCRIBE_SKILL, partial(self._describe, skill, kind)),
            ):
                node.create_service(interface(service), name.format(skill=skill), callback)

    def close(self) -> None:
        for server in self._servers:
            server.destroy()

    def load(self, runs: list[SkillRun]) -> None:
        """The runs of a mission that is about to begin."""
        self._runs = list(runs)

    def tick(self, stamp: float) -> None:
        """The sensors of a tick were published [s]."""
        self._stamp = stamp
        if self._running is None:
            return
        run, done = self._running
        over = stamp >= run.ended - EPSILON
        self._tick_done.publish(TickDone(stamp=stamp_msg(stamp), node=run.skill, idle=over))
        if over and not done.done():
            done.set_result(None)

    def _on_goal(self, skill: str, goal) -> GoalResponse:
        if self._running is None and self._runs and self._runs[0].skill == skill:
            return GoalResponse.ACCEPT
        known = self._runs[0].skill if self._runs else "nothing more"
        message = Rejection(action=skill, code=int(Code.NOT_READY))
        message.detail = f"the recording has another course: {known} comes next in it"
        self._rejections.publish(message)
        return GoalResponse.REJECT

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self._running is not None and not self._running[1].done():
            self._running[1].set_result(None)
        return CancelResponse.ACCEPT

    async def _execute(self, skill: str, kind: str, handle: ServerGoalHandle):
        run, done = self._runs.pop(0), Future()
        self._running = run, done
        self.tick(self._stamp)  # the one at which it begins
        await done
        self._running = None
        if handle.is_cancel_requested:
            handle.canceled()
        elif run.result.code == Code.SUCCEEDED:
            handle.succeed()
        else:
            handle.abort()
        return interface(kind).Result(result=run.result)

    def _on_question(self, skill: str, request, response):
        """The chance that was given at this decision; a walk is known by where it leads."""
        asked = self._runs[0].questions if self._runs else {}
        of_skill = [(d, chance) for (name, _), (d, chance) in asked.items() if name == skill]
        if skill == "walk":
            goal = planar_from_transform(transform_from_pose(request.pose.pose))
            near = [(d, c) for d, c in of_skill if d.pose is not None and _near(d.pose, goal)]
        else:
            names = {request.target, request.item}
            near = [(d, c) for d, c in of_skill if d.target in names]
        if near:
            response.ok, response.probability = True, float(near[0][1])
        response.detail = "as recorded" if near else "the recording has no answer to this"
        return response

    def _describe(self, skill: str, kind: str, request, response):
        response.name, response.action_type = skill, kind
        response.provides = [what for what, name in self._helpers.items() if name == skill]
        return response

    def _publisher(self, topic: topics.Topic) -> Any:
        return self._node.create_publisher(interface(topic.type), topic.name, publisher_qos(topic))


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.hypot(*(a[:2] - b[:2])) < 0.05)
