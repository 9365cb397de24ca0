"""Action client of one skill that always comes back with an outcome."""

# pyright: reportOptionalMemberAccess=false
# What `load` has made is there while the node runs: pyright does not see that.

import uuid
from collections.abc import Callable

from action_msgs.srv import CancelGoal
from rclpy.action import ActionClient
from rclpy.publisher import Publisher
from rclpy.task import Future
from unique_identifier_msgs.msg import UUID

from hrl_core import topics
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.ros.convert import outcome_from_msg, result_msg
from hrl_core.ros.node import HrlNode, either
from hrl_core.ros.qos import interface
from hrl_master.ros.convert import question_msg
from hrl_msgs.msg import Rejection, SkillResult

ANSWER = 5.0  # s of wall time for a server to accept or to reject, and to obey a cancel
CHANCE = 1.0  # s of wall time for an estimate; the plant may wait for it
ENDING = 1.0  # s of wall time for a cancelled goal to end
TRIES = 3  # to cancel goals of somebody else
REASON = 1.0  # s of wall time for the reason of a rejection


class SkillClient:
    """Sends one goal at a time. `run` never raises: whatever goes wrong becomes an outcome."""

    def __init__(self, node: HrlNode, skill: str, action: str, alive: Publisher):
        """`action`: the type of the action that the skill serves; `alive`: of GOAL_ALIVE."""
        self.skill = skill
        self._alive = alive
        self._goal_id: UUID | None = None  # while a goal runs
        self._node = node
        self._client = ActionClient(node, interface(action), skill)
        name, kind = topics.ESTIMATE_SUCCESS
        self._question = node.create_client(interface(kind), name.format(skill=skill))
        self._cancel = node.create_client(CancelGoal, f"{skill}/_action/cancel_goal")
        self._handle = None
        self._stop = Future()  # done: end the goal
        self._rejected = Future()  # with the message that says why
        self._mute = False  # it left a question without an answer, and has taken no goal since

    @property
    def ready(self) -> bool:
        return self._client.server_is_ready()

    async def chance(self, goal) -> float | None:
        """How likely the skill thinks that a goal would succeed now; None: it does not say."""
        if not self._question.service_is_ready():
            self._mute = False
        if self._mute or not self._question.service_is_ready():
            return None
        asked = self._question.call_async(question_msg(goal))
        if not await self._node.within(asked, CHANCE):
            self._question.remove_pending_request(asked)
            self._mute = True  # ROS keeps a dead server in its graph for about 20 s
            return None
        answer = asked.result()
        return answer.probability if answer.ok else None

    async def run(
        self, goal, on_accepted: Callable[[], None], on_feedback: Callable
    ) -> tuple[Outcome, SkillResult] | None:
        """Run a goal to its outcome; None: nobody has answered it, the server is not there."""
        self._stop, self._rejected = Future(), Future()
        try:
            return await self._run(goal, on_accepted, on_feedback)
        finally:
            self._handle = self._goal_id = None

    def say_alive(self) -> None:
        """Tell the skill that its goal is still wanted; call it every WAKE_PERIOD."""
        if self._goal_id is not None:
            self._alive.publish(self._goal_id)

    def stop(self, code: Code, detail: str) -> None:
        """Cancel the goal, now or as soon as it is accepted; without a goal, do nothing."""
        if not self._stop.done():
            self._stop.set_result((code, detail))
            if self._handle is not None:
                self._handle.cancel_goal_async()

    async def clear(self) -> None:
        """Cancel all goals of the skill, whoever gave them, and let them end."""
        for _ in range(TRIES):
            if not self._cancel.service_is_ready():
                return
            asked = self._cancel.call_async(CancelGoal.Request())  # no id, no time: all of them
            if not await self._node.within(asked, ANSWER):
                self._cancel.remove_pending_request(asked)
                return
            if not asked.result().goals_canceling:
                return
            await self._node.within(Future(), ENDING)

    def on_rejection(self, message: Rejection) -> None:
        """The servers' reasons; those of goals that are not ours are harmless."""
        if not self._rejected.done():
            self._rejected.set_result(message)

    def destroy(self) -> None:
        self._client.destroy()
        self._node.destroy_client(self._question)
        self._node.destroy_client(self._cancel)

    async def _run(self, goal, on_accepted, on_feedback):
        self._goal_id = UUID(uuid=list(uuid.uuid4().bytes))
        self.say_alive()  # before the goal: a master that is killed right after it is missed, too
        sent = self._client.send_goal_async(
            goal, feedback_callback=on_feedback, goal_uuid=self._goal_id
        )
        if not await self._node.within(sent, ANSWER):
            sent.add_done_callback(_cancel)  # it may still come
            return None
        handle = sent.result()
        if not handle.accepted:
            if await self._node.within(self._rejected, REASON):
                reason = self._rejected.result()
                return failure(Code(reason.code), reason.detail)
            return failure(Code.GOAL_INVALID, f"{self.skill} rejected the goal and said no reason")
        self._handle, self._mute = handle, False
        if self._stop.done():
            handle.cancel_goal_async()
        on_accepted()
        result = handle.get_result_async()
        await either(result, self._stop)
        if not result.done() and not await self._node.within(result, ANSWER):
            code, detail = self._stop.result()  # pyright: ignore[reportGeneralTypeIssues]
            return failure(code, f"{detail}; {self.skill} did not answer in {ANSWER} s")
        message = result.result().result.result
        return outcome_from_msg(message), message


def _cancel(sent: Future) -> None:
    handle = sent.result()
    if handle is not None and handle.accepted:
        handle.cancel_goal_async()


def failure(code: Code, detail: str) -> tuple[Outcome, SkillResult]:
    outcome = Outcome(code, detail, Verdict(False, detail))
    return outcome, result_msg(outcome, 0, 0.0, 0.0)
