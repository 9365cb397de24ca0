"""Skill servers without physics: they set the fake robot down where the real skills would."""

import time
from functools import partial

from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future

from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.geometry import planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.ros.convert import transform_from_pose
from hrl_core.ros.qos import interface
from hrl_msgs.msg import SkillResult
from tests.ros.fake_robot import FakeRobot


class FakeSkills:
    """Some of the four skills. Goals of a skill in `held` run until they are cancelled."""

    def __init__(self, node, robot: FakeRobot, item: str, skills: tuple[str, ...]):
        self.robot, self._item = robot, item
        self.begun: list[str] = []  # every goal that was accepted, "skill target"
        self.done: list[str] = []
        self.held: set[str] = set()
        self._cancelled: dict[str, Future] = {}  # of a held goal; True: it goes on instead
        self._servers = [
            ActionServer(
                node,
                interface(topics.ACTIONS[skill]),
                skill,
                execute_callback=partial(self._execute, skill),  # a lambda would hide the coroutine
                cancel_callback=partial(self._cancel, skill),
                callback_group=ReentrantCallbackGroup(),
            )
            for skill in skills
        ]

    def close(self) -> None:
        for server in self._servers:
            server.destroy()

    def let_go(self, skill: str) -> None:
        """A skill that was held goes on to its end."""
        self.held.remove(skill)
        self._cancelled[skill].set_result(True)

    def _cancel(self, skill: str, handle) -> CancelResponse:
        if not self._cancelled[skill].done():
            self._cancelled[skill].set_result(False)
        return CancelResponse.ACCEPT

    async def _execute(self, skill: str, handle):
        self._cancelled[skill] = Future()
        self.begun.append(skill)
        message = interface(topics.ACTIONS[skill]).Result()
        if skill in self.held:
            if not await self._cancelled[skill]:
                handle.canceled()
                message.result = SkillResult(code=int(Code.CANCELED), detail="cancelled")
                return message
        self._do(skill, handle.request)
        until = self.robot.time + 2 * TICK
        while self.robot.time < until:  # what is sensed now is sensed by everybody
            time.sleep(0.005)
        self.done.append(skill)
        handle.succeed()
        message.result = SkillResult(code=int(Code.SUCCEEDED), detail="done")
        message.result.verdict.confirmed = True
        return message

    def _do(self, skill: str, goal) -> None:
        robot, site = self.robot, self.robot.site
        if skill == "walk":
            robot.pose = planar_from_transform(transform_from_pose(goal.pose.pose))
        elif skill == "approach":
            robot.pose = site.pose_in_front(goal.target, site.standoff)
        elif skill == "grasp":
            robot.hold_something()
            robot.detections.pop(self._item, None)
        else:
            robot.let_go()
            at = site.face(goal.station).copy()
            at[:3, 3] = site.target_point(goal.station)
            robot.see("item", self._item, at)
