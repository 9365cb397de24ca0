"""Action server of one skill: goals in, commands out, bounded and safe.

Parameter `skill` says which. It adds to hrl_skills.runner what only ROS has: cancelling, a second
goal, the ends of processes.
"""

# pyright: reportOptionalMemberAccess=false
# What `load` has made is there while the node runs: pyright does not see that.

import sys
import traceback
from types import coroutine

from pydantic import Field
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future

from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.fault import fault_sentence
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_core.ros.convert import progress_msg, result_msg, set_result_pose, stamp_msg
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import RobotParameters
from hrl_core.ros.qos import interface
from hrl_core.ros.senses import Senses
from hrl_core.site import load_site
from hrl_msgs.msg import NamedValue, Rejection, TickDone
from hrl_skills.library import make_skill
from hrl_skills.robot_shield import RobotShield
from hrl_skills.ros.client_watch import CLIENT_SILENCE, ClientWatch
from hrl_skills.ros.convert import (
    arm_msg,
    goal_from_question,
    goal_from_request,
    gripper_msg,
    result_frame,
    twist_msg,
)
from hrl_skills.ros.description import describe
from hrl_skills.ros.listeners import listeners
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.skill import GoalRejected, Tick
from hrl_skills.success_model import Estimate, estimate, load_success_model, rejected

FIRST_TICK = 3.0  # s of wall time for the first sensor data of a goal
RESULT_KEPT = 900  # s of ROS time; rcl counts from when the goal was accepted


class SkillParameters(RobotParameters, Limits):
    """Parameters of a skill server."""

    skill: str = Field(default="walk", description="which skill, see ./hrl skills")
    silence: float = Field(
        default=5.0, gt=0, le=600, description="s of wall time without any sensor: all are lost"
    )


class SkillServer(ActionServer):
    """Action server whose callback for goals knows their ids and may take its time.

    A cancel that comes while a goal is being decided on waits for the decision.
    """

    goal_id = None
    _deciding = 0

    async def execute(self, taken_data):
        rest = dict(taken_data)
        if "goal" in rest:
            self.goal_id = rest["goal"][1].goal_id
            self._deciding += 1
            try:
                await super().execute({"goal": rest.pop("goal")})
            finally:
                self._deciding -= 1
        while "cancel" in rest and self._deciding:
            await _other_callbacks()
        await super().execute(rest)


class SkillNode(HrlNode):
    """One skill as an action server."""

    parameters_model = SkillParameters
    parameters: SkillParameters

    def __init__(self):
        super().__init__("skill")
        self._runner: SkillRunner | None = None
        self._coming: Future | None = None  # done when sensor data are here that were asked for
        self._looked = float("-inf")  # s, tick whose data an estimate has taken; -inf: none
        self._handle = None  # of the goal that runs
        self._ended: Future | None = None  # its last Tick
        self._request = None  # that was accepted
        self._last: Tick | None = None
        self._stamp = 0.0  # s, ROS time of the last tick
        self._result = ""

    def load(self) -> None:
        p = self.parameters
        self._robot = load_robot(p.robot)
        self._site = load_site(p.site, self._robot.base.turning_circle)
        limits = Limits(**{name: getattr(p, name) for name in Limits.model_fields})
        skill = make_skill(p.skill, self._site, self._robot)
        self._runner = SkillRunner(skill, RobotShield(self._robot), limits)
        self._success_model = load_success_model(p.skill, self._robot.name)
        self._twist = self.publish_on(topics.CMD_VEL)
        self._arm = self.publish_on(topics.ARM)
        self._gripper = self.publish_on(topics.GRIPPER)
        self._tick_done = self.publish_on(topics.TICK_DONE)
        self._rejections = self.publish_on(topics.REJECTIONS)
        self._senses = Senses(self, self._robot, self._on_tick, self._on_restart)
        self._senses.pause()
        self._client_watch = ClientWatch(self)
        # Not in the node's own group: it would bar timers while a goal waits for sensor data.
        group = ReentrantCallbackGroup()
        self._offered = [
            self.create_service(
                interface(kind), name.format(skill=p.skill), answer, callback_group=group
            )
            for (name, kind), answer in (
                (topics.DESCRIBE_SKILL, self._on_describe),
                (topics.ESTIMATE_SUCCESS, self._on_question),
            )
        ]
        self._server = SkillServer(
            self,
            interface(skill.contract.action),
            p.skill,
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            cancel_callback=self._on_cancel,
            callback_group=group,
            result_timeout=RESULT_KEPT,
        )

    def unload(self) -> None:
        self._server.destroy()
        for service in self._offered:
            self.destroy_service(service)
        self._runner = None

    def begin(self) -> None:
        self.get_logger().info(f"{self.parameters.skill} accepts goals")

    def halt(self) -> None:
        self._end(Code.SHUTDOWN, f"the {self.parameters.skill} server ends")

    def on_e_stop(self) -> None:
        self._end(Code.E_STOP, "the emergency stop was pressed")

    def watch(self) -> None:
        if not self.busy:
            return
        self._senses.check()
        if self._senses.silence > self.parameters.silence:
            self._end(Code.SENSOR_LOST, self._silence())
        if self._handle is not None:
            silence = self._client_watch.silence(self._handle.goal_id)
            if silence > CLIENT_SILENCE:
                detail = (
                    f"whoever gave the goal gives no sign on {topics.GOAL_ALIVE.name} any more: "
                    f"for {silence:.1f} s, limit {CLIENT_SILENCE} s"
                )
                self._end(Code.CLIENT_LOST, detail)

    def status(self) -> tuple[str, dict[str, object]]:
        if self._runner is None or not self.active:
            return "inactive", {}
        figures = {
            "step": self._runner.steps,
            "last_result": self._result,
            topics.TICKS_MISSED: self._senses.missed,
            "cmd_vel": listeners(self, topics.CMD_VEL),
        }
        return "runs a goal" if self.busy else "ready", figures

    def faults(self) -> dict[str, str]:
        return self._senses.faults() if self.active else {}

    @property
    def busy(self) -> bool:
        return self._request is not None

    # Goals

    async def _on_goal(self, request) -> GoalResponse:
        goal_id = self._server.goal_id
        try:
            await self._start(request)
        except GoalRejected as error:
            self._reject(goal_id, error.code, str(error))
            return GoalResponse.REJECT
        except Exception as error:  # a fault in one skill must not end the process
            self.get_logger().error(traceback.format_exc())
            detail = fault_sentence(f"{self.parameters.skill}, start", error)
            self._reject(goal_id, Code.INTERNAL_ERROR, detail)
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    async def _start(self, request) -> None:
        """Begin a goal with fresh sensor data; raises GoalRejected."""
        self._check_free()
        if self.busy:
            name = self.parameters.skill
            raise GoalRejected(Code.NOT_READY, f"{name} already runs a goal; cancel it first")
        goal = goal_from_request(self._runner.skill, request, self._site)
        self._request = request
        try:
            await self._look()
            self._check_free()
            self._runner.start(goal, self._senses.sensed(), request.max_steps)
            self._looked = float("-inf")
        except Exception:
            self._request = None
            self._senses.pause()
            raise

    async def _look(self) -> None:
        """Wait for the sensor data of a tick and go on taking them in; raises GoalRejected.

        In lockstep those of a tick come once: after an estimate they are here already.
        """
        age = self.get_clock().now().nanoseconds / 1e9 - self._looked
        if self.parameters.lockstep and abs(age) < TICK - EPSILON:
            self._senses.reopen()
            return
        if self._coming is None:
            self._coming = self._senses.resume()
        try:
            if not await self.within(self._coming, FIRST_TICK):
                raise GoalRejected(Code.NOT_READY, f"no sensor was heard for {FIRST_TICK} s")
        finally:
            self._coming = None

    def _check_free(self) -> None:
        if not self.active:
            name = self.parameters.skill
            raise GoalRejected(Code.NOT_READY, f"{name} is not active; activate it first")
        if self.e_stop:
            raise GoalRejected(Code.E_STOP, "the emergency stop is pressed; release it first")

    def _reject(self, goal_id, code: Code, detail: str) -> None:
        self.get_logger().warning(f"goal rejected ({code.name}): {detail}")
        message = Rejection(
            action=self.parameters.skill, goal_id=goal_id, code=int(code), detail=detail
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._rejections.publish(message)

    async def _execute(self, handle):
        self._handle, self._ended = handle, Future()
        if not self._runner.running:  # cancelled or shut down before it began
            self._ended.set_result(self._last)
        else:
            self._on_tick(self._senses.stamp)
        tick = await self._ended
        outcome, stamp = tick.outcome, self._stamp
        duration = max(0.0, self._runner.duration(stamp))
        result = self._server.action_type.Result()
        result.result = result_msg(outcome, self._runner.steps, duration, stamp)
        set_result_pose(
            result.result, outcome.pose, result_frame(self._runner.skill, self._request)
        )
        self._result = f"{outcome.code.name}: {outcome.detail}"
        self.get_logger().info(
            f"ended after {self._runner.steps} steps ({duration:.1f} s): {self._result}"
        )
        if outcome.code is Code.CANCELED:
            handle.canceled()
        elif outcome.succeeded:
            handle.succeed()
        else:
            handle.abort()
        self._handle = self._request = None
        self._senses.pause()
        return result

    def _on_cancel(self, handle) -> CancelResponse:
        if not self._runner.running:
            return CancelResponse.REJECT  # its result is on the way
        self._end(Code.CANCELED, "cancelled by the client")
        return CancelResponse.ACCEPT

    def _on_restart(self, stamp: float, detail: str) -> None:
        self._stamp = stamp
        self._end(Code.SENSOR_LOST, detail)

    # Ticks

    def _on_tick(self, stamp: float) -> None:
        self._stamp = stamp
        if self._handle is None or not self._runner.running:
            return
        try:
            tick = self._runner.tick(self._senses.sensed())
        except Exception as error:  # whatever is wrong, the robot has to stop
            self.get_logger().error(traceback.format_exc())
            detail = fault_sentence(f"{self.parameters.skill}, control step", error)
            tick = self._runner.end(Code.INTERNAL_ERROR, detail)
        if tick.outcome is not None and tick.outcome.code is Code.BASE_NOT_FOLLOWING:
            detail = f"{tick.outcome.detail}; {listeners(self, topics.CMD_VEL)}"
            tick = self._runner.end(Code.BASE_NOT_FOLLOWING, detail)
        self._send(tick, stamp)

    def _end(self, code: Code, detail: str) -> None:
        """End the goal from outside, if one runs: stop first, then the result."""
        if self._runner is not None and self._runner.running:
            self._send(self._runner.end(code, detail), self._stamp)

    def _send(self, tick: Tick, stamp: float) -> None:
        """Command, feedback and the end of the tick, in this order."""
        for publisher, message in (
            (self._arm, arm_msg(tick.command, self._robot, stamp)),
            (self._gripper, gripper_msg(tick.command, self._robot, stamp)),
            (self._twist, twist_msg(tick.command, stamp)),
        ):
            if message is not None:
                publisher.publish(message)
        runner, ended = self._runner, tick.outcome is not None
        if self._handle is not None:
            feedback = self._server.action_type.Feedback()
            feedback.progress = progress_msg(
                stamp, runner.steps, runner.max_steps, tick.phase, tick.progress, tick.error
            )
            self._handle.publish_feedback(feedback)
        self._tick_done.publish(
            TickDone(stamp=stamp_msg(stamp), node=self.parameters.skill, idle=ended)
        )
        if ended:
            self._last = tick
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(tick)

    def _silence(self) -> str:
        return (
            f"no sensor was heard for {self._senses.silence:.1f} s of wall time, "
            f"limit {self.parameters.silence} s"
        )

    # Questions

    async def _on_question(self, request, response):
        """How likely it is that a goal would succeed if it began now."""
        try:
            self._check_free()
            assert self._runner is not None, "an active server has one"
            goal = goal_from_question(self._runner.skill, request, self._site)
            if not self.busy:
                try:
                    await self._look()
                finally:
                    if not self.busy:
                        self._senses.pause()
                        self._looked = self._senses.stamp
            answer = estimate(self._runner, goal, self._senses.sensed(), self._success_model)
        except GoalRejected as error:
            wrong = error.code is Code.GOAL_INVALID
            answer = rejected(error) if wrong else Estimate(None, str(error))
        except Exception as error:  # a fault in one skill must not end the process
            self.get_logger().error(traceback.format_exc())
            answer = Estimate(None, fault_sentence(f"{self.parameters.skill}, chance", error))
        response.ok = answer.probability is not None
        response.probability = answer.probability or 0.0
        response.detail = answer.detail
        response.conditions = [NamedValue(name=k, value=v) for k, v in answer.conditions.items()]
        if self._success_model is not None:
            response.trials = self._success_model.trials
            response.calibration_error = self._success_model.calibration_error
        return response

    def _on_describe(self, request, response):
        return describe(self._runner.skill, self._robot.name, response)


@coroutine
def _other_callbacks():
    """Wait until the executor has run what else is ready now."""
    yield


def main() -> int:
    return run_node(SkillNode)


if __name__ == "__main__":
    sys.exit(main())
