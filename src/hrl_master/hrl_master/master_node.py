"""The master over ROS: takes missions, decides, has the skills carry out what it decided."""

# pyright: basic
import sys

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_core.ros.convert import seconds, stamp_msg
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import RobotParameters
from hrl_core.ros.qos import interface
from hrl_core.ros.senses import Senses
from hrl_core.site import load_site
from pydantic import Field
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.task import Future

from hrl_core import topics
from hrl_master.convert import decision_msg, goal_msg, order_from_msg, order_result_msg
from hrl_master.guardrails import GuardrailConfig, Guardrails
from hrl_master.mission import Decision, MasterConfig, Mission
from hrl_master.policy import make_policy
from hrl_master.scene import GripperConfig, Scene, build_scene
from hrl_master.skill_client import SkillClient, failure, within
from hrl_msgs.msg import MasterDecision, Rejection, SkillResult, TickDone

SKILLS = ("walk", "approach", "grasp", "place")
RESULT_KEPT = 86400  # s of ROS time; rcl counts from when the mission was accepted


class MasterParameters(RobotParameters, MasterConfig, GuardrailConfig):
    """Parameters of the master."""

    server_timeout: float = Field(
        default=15.0, gt=0, le=600, description="s of wall time for a skill's server to appear"
    )
    skill_timeout: float = Field(
        default=5.0, gt=0, le=600, description="s of ROS time without a sign of the running skill"
    )


class MasterNode(HrlNode):
    """Runs one mission at a time; see hrl_master.mission.

    In lockstep it holds the plant at the tick after a skill has ended until the next one has begun.
    """

    parameters_model = MasterParameters
    parameters: MasterParameters

    def __init__(self):
        super().__init__("master")
        self._mission: Mission | None = None
        self._reset_tick()

    def _reset_tick(self) -> None:
        self._hold: float | None = None  # newest tick that may be acknowledged; None: every
        self._acknowledged = float("-inf")
        self._running: SkillClient | None = None
        self._skill_tick = float("-inf")  # newest tick that the running skill has finished
        self._decided = float("-inf")  # tick of the last decision
        self._scene: Future | None = None  # who waits for the next scene
        self._ending: tuple[Code, str] | None = None  # why the mission has to end

    def load(self) -> None:
        p = self.parameters
        self._site, self._robot = load_site(p.site), load_robot(p.robot)
        self._master_config = MasterConfig(**_part(p, MasterConfig))
        self._guardrails = Guardrails(self._site, GuardrailConfig(**_part(p, GuardrailConfig)))
        make_policy(self._site, self._master_config)  # a wrong name is found here
        self._skills = {name: SkillClient(self, name) for name in SKILLS}
        self._decisions = self.publish_on(topics.DECISIONS)
        self._rejections = self.publish_on(topics.REJECTIONS)
        self._tick_done = self.publish_on(topics.TICK_DONE)
        self.subscribe(topics.REJECTIONS, self._on_rejection)
        self.subscribe(topics.TICK_DONE, self._on_tick_done)
        self._senses = Senses(
            self, self._robot, self._on_tick, self._on_restart, self._repeat_acknowledgement
        )
        self._server = ActionServer(
            self,
            interface(topics.ACTIONS["run_mission"]),
            "run_mission",
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            cancel_callback=self._on_cancel,
            result_timeout=RESULT_KEPT,
        )

    def unload(self) -> None:
        self._server.destroy()
        for client in self._skills.values():
            client.destroy()

    def halt(self) -> None:
        self._end_mission(Code.SHUTDOWN, "the master ends")

    def on_e_stop(self) -> None:
        self._end_mission(Code.E_STOP, "the emergency stop was pressed")

    def watch(self) -> None:
        if not self.loaded:
            return
        self._senses.check()
        silent = self._senses.stamp - max(self._skill_tick, self._decided)
        if self._running is not None and silent > self.parameters.skill_timeout:
            name = self._running.skill
            self._running.stop(
                Code.INTERNAL_ERROR, f"{name} has given no sign for {silent:.1f} s of ROS time"
            )

    def status(self) -> tuple[bool, str, dict[str, object]]:
        if not self.active:
            return True, "inactive", {}
        missing = [name for name, client in self._skills.items() if not client.ready]
        if missing:
            return False, f"no server for {missing}", {}
        if self._mission is None:
            return True, "ready", {}
        running = self._running.skill if self._running else "decides"
        return True, "runs a mission", {"decisions": self._mission.decisions, "skill": running}

    @property
    def busy(self) -> bool:
        return self._mission is not None

    # Missions

    def _on_goal(self, request) -> GoalResponse:
        try:
            if not self.active:
                raise Refused(Code.NOT_READY, "master is not active; activate it first")
            if self._mission is not None:
                raise Refused(Code.NOT_READY, "master already runs a mission; cancel it first")
            if self.e_stop:
                raise Refused(Code.E_STOP, "the emergency stop is pressed; release it first")
            if self._senses.stamp < 0:
                raise Refused(Code.NOT_READY, "no sensor was heard yet")
            if not request.orders:
                raise Refused(Code.GOAL_INVALID, "orders is empty: needs one order or more")
            try:
                orders = [order_from_msg(message, self._site) for message in request.orders]
            except ConfigError as error:
                raise Refused(Code.GOAL_INVALID, str(error)) from error
        except Refused as error:
            self.get_logger().warning(f"mission rejected ({error.code.name}): {error}")
            message = Rejection(action="run_mission", code=int(error.code), detail=str(error))
            message.header.stamp = self.get_clock().now().to_msg()
            self._rejections.publish(message)
            return GoalResponse.REJECT
        policy = make_policy(self._site, self._master_config)
        limit = self._master_config.max_decisions
        self._mission = Mission(orders, policy, self._guardrails, limit)
        self._ending = None
        self._hold = self._senses.stamp
        return GoalResponse.ACCEPT

    def _on_cancel(self, handle) -> CancelResponse:
        self._end_mission(Code.CANCELED, "cancelled by the client")
        return CancelResponse.ACCEPT

    def _on_restart(self, stamp: float) -> None:
        self._end_mission(Code.SENSOR_LOST, "ROS time went back: the plant was reset")
        self._acknowledged = float("-inf")
        self._hold = None

    def _end_mission(self, code: Code, detail: str) -> None:
        """End the mission, if one runs: the running skill is cancelled first."""
        if self._mission is None or self._ending is not None:
            return
        self._ending = (code, detail)
        for client in self._skills.values():
            client.stop(code, detail)
        if self._scene is not None and not self._scene.done():
            self._scene.set_result(None)

    async def _execute(self, handle):
        mission, name = self._mission, handle.request.mission_id
        log = MissionLog(self._senses.stamp)
        last = SkillResult()
        scene = await self._next_scene()
        while scene is not None and self._ending is None:
            decision = mission.next_decision(scene)
            log.note(mission, self._senses.stamp)
            if decision is None:
                break
            order = mission.state.order
            log.decisions += 1

            def announce(finished, result, index=log.index, order=order, decision=decision):
                message = decision_msg(
                    name, index, order, decision, result, finished, self._senses.stamp
                )
                self._decisions.publish(message)
                return message

            announced = announce(False, last)
            self.get_logger().info(f"{decision.skill} {decision.target}: {decision.reason}")
            outcome, last = await self._run(decision, order, handle, announced)
            after = await self._next_scene()
            if after is not None:
                check = mission.report(decision, outcome, scene, after)
                self.get_logger().info(
                    f"{decision.skill} {decision.target}: {outcome.code.name}: {outcome.detail}; "
                    f"check: {check.sentence}"
                )
                last.verdict.confirmed = bool(last.verdict.confirmed and check.ok)
                last.verdict.sentence += f"; the master: {check.sentence}"
            announce(True, last)
            log.index += 1
            scene = after
        if self._ending is not None:
            mission.cancel(*self._ending)
            log.note(mission, self._senses.stamp)
        result = self._result(mission, log)
        if result.code == Code.SUCCEEDED:
            handle.succeed()
        elif result.code == Code.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        self._mission = None
        self._hold = None
        self._acknowledge()
        return result

    async def _run(self, decision: Decision, order, handle, announced: MasterDecision):
        """Have a skill carry out a decision, with its progress as our feedback."""
        client = self._skills[decision.skill]
        if not client.ready:
            await self._wait_for_server(client)

        def on_accepted():
            if self._running is not None:  # else it has ended already
                self._hold = None
                self._acknowledge()

        def on_feedback(message):
            feedback = self._server.action_type.Feedback(decision=announced)
            feedback.progress = message.feedback.progress
            handle.publish_feedback(feedback)

        if self._ending is not None:
            return failure(*self._ending)
        self._decided = self._senses.stamp
        goal = goal_msg(decision, order, self._decided)
        self._running, self._skill_tick = client, float("-inf")
        outcome = await client.run(goal, on_accepted, on_feedback)
        if self._running is not None:  # no tick has told of the end: rejected, or lost
            self._running, self._hold = None, self._senses.stamp
            self._acknowledge()
        return outcome

    async def _wait_for_server(self, client: SkillClient) -> None:
        """Let time go on until a server appears, within bounds."""
        self.get_logger().warning(f"waiting for the server of {client.skill}")
        self._hold = None
        self._acknowledge()
        waited = 0.0
        while not client.ready and waited < self.parameters.server_timeout and not self._ending:
            await within(self, Future(), 0.2)
            waited += 0.2
        self._hold = self._senses.stamp

    def _result(self, mission: Mission, log: "MissionLog"):
        result = self._server.action_type.Result()
        result.results = [
            order_result_msg(order, code, detail, duration, decisions)
            for (order, code, detail), (duration, decisions) in zip(
                mission.results, log.orders, strict=True
            )
        ]
        codes = [code for _, code, _ in mission.results]
        done = sum(code is Code.SUCCEEDED for code in codes)
        result.detail = f"{done} of {len(codes)} orders delivered"
        if self._ending is not None:
            result.code, reason = int(self._ending[0]), self._ending[1]
            result.detail += f"; {reason}"
        else:
            result.code = int(Code.SUCCEEDED if done == len(codes) else Code.MISSION_FAILED)
        return result

    # Ticks

    async def _next_scene(self) -> Scene | None:
        """What is sensed at the first tick after the last event; None: the mission has to end."""
        if self._ending is not None:
            return None
        if self._hold is None:
            self._hold = self._senses.stamp
        if self._senses.stamp > self._hold:
            return self._build_scene()
        self._scene = Future()
        await self._scene
        scene, self._scene = self._scene.result(), None
        return scene

    def _build_scene(self) -> Scene:
        return build_scene(self._senses.sensed(), self._site, self._robot, GripperConfig())

    def _on_tick(self, stamp: float) -> None:
        if self._scene is not None and not self._scene.done() and stamp > self._hold:
            self._scene.set_result(self._build_scene())
        self._acknowledge()

    def _on_tick_done(self, message: TickDone) -> None:
        if self._running is None or message.node != self._running.skill:
            return
        stamp = seconds(message.stamp)
        if stamp < self._decided - EPSILON:
            return  # of an earlier goal
        self._skill_tick = stamp
        self._hold = None  # it has begun
        if message.idle:
            self._running, self._hold = None, stamp
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Tell the plant that the work of the last tick is done, if it is."""
        stamp = self._senses.stamp
        if not self.parameters.lockstep or stamp <= self._acknowledged:
            return
        if self._hold is not None and stamp > self._hold:
            return  # a decision is due
        if self._running is not None and self._skill_tick < stamp - EPSILON:
            return  # the skill's command is due
        self._acknowledged = stamp
        self._repeat_acknowledgement()

    def _repeat_acknowledgement(self) -> None:
        if self._acknowledged >= self._senses.stamp:
            self._tick_done.publish(
                TickDone(stamp=stamp_msg(self._acknowledged), node=self.get_name())
            )

    def _on_rejection(self, message: Rejection) -> None:
        if message.action in self._skills:
            self._skills[message.action].on_rejection(message)


class Refused(Exception):
    """A mission that must not start."""

    def __init__(self, code: Code, detail: str):
        super().__init__(detail)
        self.code = code


class MissionLog:
    """Times and numbers of decisions, per order."""

    def __init__(self, stamp: float):
        self.index = 0
        self.decisions = 0  # of the present order
        self.orders: list[tuple[float, int]] = []  # duration s, decisions of those that ended
        self._began = stamp

    def note(self, mission: Mission, stamp: float) -> None:
        """Take down the orders that have ended."""
        while len(self.orders) < len(mission.results):
            self.orders.append((stamp - self._began, self.decisions))
            self._began, self.decisions = stamp, 0


def _part(parameters: MasterParameters, model: type) -> dict:
    return {name: getattr(parameters, name) for name in model.model_fields}


def main() -> int:
    return run_node(MasterNode)


if __name__ == "__main__":
    sys.exit(main())
