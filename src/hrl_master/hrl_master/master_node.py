"""The master over ROS: takes missions, decides, has the skills carry out what it decided."""

import sys
import time
import traceback

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import load_robot
from hrl_core.ros.convert import result_msg, seconds, stamp_msg
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.qos import interface
from hrl_core.ros.senses import TICK, Senses
from hrl_core.site import load_site
from hrl_master.convert import decision_msg, goal_msg, order_from_msg, order_result_msg
from hrl_master.decider import make_decider
from hrl_master.desk import Desk
from hrl_master.guardrails import Guardrails
from hrl_master.ledger import Ledger, LedgerError
from hrl_master.master_parameters import MasterParameters
from hrl_master.mission import Decision, Mission, Order
from hrl_master.recovery import Restored, restore
from hrl_master.replay import setting_of
from hrl_master.scene import GripperConfig, Scene, build_scene
from hrl_master.scene_convert import situation_msg
from hrl_master.skill_client import SkillClient, failure
from hrl_master.skill_finder import SkillFinder
from hrl_msgs.msg import MasterDecision, Rejection, SkillResult, TickDone

WAIT = "wait"  # a decision that needs no skill
RESULT_KEPT = 86400  # s of ROS time; rcl counts from when the mission was accepted


class MasterNode(HrlNode):
    """Runs one mission at a time; see hrl_master.mission.

    In lockstep it holds the plant at the tick after a skill has ended until the next one has begun.
    Sensor data are taken in only when a decision is due.
    """

    parameters_model = MasterParameters
    parameters: MasterParameters

    def __init__(self):
        super().__init__("master")
        self._mission: Mission | None = None
        self._reset_tick()

    def _reset_tick(self) -> None:
        self._tick = float("-inf")  # that perception has finished
        self._hold: float | None = None  # newest tick that may be acknowledged; None: every
        self._acknowledged = float("-inf")
        self._running: SkillClient | None = None
        self._skill_tick = float("-inf")  # newest tick that the running skill has finished
        self._decided = float("-inf")  # tick of the last decision
        self._scene: Future | None = None  # who waits for the next scene
        self._ending: tuple[Code, str] | None = None  # why the mission has to end
        self._alarm: tuple[float, Future] | None = None  # s of ROS time that is waited for
        self._restored_at: float | None = None  # s of the steady clock; None: nothing to take up

    def load(self) -> None:
        p = self.parameters
        self._site, self._robot = load_site(p.site), load_robot(p.robot)
        self._master_config = p.master
        self._guardrails = Guardrails(self._site, p.guardrails)
        make_decider(self._site, self._master_config, self._guardrails)  # finds a wrong name
        self._setting = setting_of(p.site, self._master_config, self._guardrails.config)
        self._ledger = Ledger(p.ledger_path)
        self._desk = Desk(self, self._ledger, p.evidence_pictures)
        self._skills = SkillFinder(self)
        self._decisions = self.publish_on(topics.DECISIONS)
        self._scenes = self.publish_on(topics.SCENE)
        self._rejections = self.publish_on(topics.REJECTIONS)
        self._tick_done = self.publish_on(topics.TICK_DONE)
        self.subscribe(topics.REJECTIONS, self._on_rejection)
        self.subscribe(topics.TICK_DONE, self._on_tick_done)
        self._senses = Senses(self, self._robot, self._on_tick)
        self._senses.pause()
        self._server = ActionServer(
            self,
            interface(topics.ACTIONS["run_mission"]),
            "run_mission",
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            cancel_callback=self._on_cancel,
            callback_group=ReentrantCallbackGroup(),
            result_timeout=RESULT_KEPT,
        )

    def unload(self) -> None:
        self._server.destroy()
        self._skills.destroy()
        self._desk.destroy()
        self._ledger.close()

    def begin(self) -> None:
        """Take up what a master that was killed has left behind."""
        for mission in self._ledger.unfinished():
            if self._mission is None and self._ledger.claim(mission):
                self._mission = self._restored(mission)
                self._restored_at = time.monotonic()

    def halt(self) -> None:
        self._end_mission(Code.SHUTDOWN, "the master ends")

    def on_e_stop(self) -> None:
        self._end_mission(Code.E_STOP, "the emergency stop was pressed")

    def watch(self) -> None:
        if not self.loaded:
            return
        self._senses.check()
        now = self._now()
        self._desk.check(now)
        self._ring(now)
        if self._mission is None or self._restored_at is not None:
            self._skills.look()
        if self._restored_at is not None:
            late = time.monotonic() - self._restored_at > self.parameters.resume_patience
            if (late or not self._skills.missing) and not self.e_stop:
                self._restored_at = None
                self.executor.create_task(self._resume)
        if self._running is None:
            return
        silent = self._now() - max(self._skill_tick, self._decided)
        if silent > self.parameters.skill_timeout:
            name = self._running.skill
            self._running.stop(
                Code.INTERNAL_ERROR, f"{name} has given no sign for {silent:.1f} s of ROS time"
            )

    def status(self) -> tuple[bool, str, dict[str, object]]:
        if not self.active:
            return True, "inactive", {}
        if missing := self._skills.missing:
            return False, f"no server for {missing}", {}
        if self._mission is None:
            return True, "ready", {"skills": ", ".join(self._skills.clients)}
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
            if not request.orders:
                raise Refused(Code.GOAL_INVALID, "orders is empty: needs one order or more")
            try:
                orders = [order_from_msg(message, self._site) for message in request.orders]
                self._mission = self._make(orders, request.mission_id)
            except (ConfigError, LedgerError) as error:
                raise Refused(Code.GOAL_INVALID, str(error)) from error
        except Refused as error:
            self.get_logger().warning(f"mission rejected ({error.code.name}): {error}")
            message = Rejection(action="run_mission", code=int(error.code), detail=str(error))
            message.header.stamp = self.get_clock().now().to_msg()
            self._rejections.publish(message)
            return GoalResponse.REJECT
        self._ending = None
        self._hold = self._tick
        return GoalResponse.ACCEPT

    def _make(self, orders: list[Order], mission: str, restored: Restored | None = None) -> Mission:
        """A mission as the ledger keeps it from now on; raises LedgerError for a known one."""
        if restored is None and mission and self._ledger.knows(mission):
            raise LedgerError(
                f"mission {mission!r} was given before and is not run again: "
                f"{self._ledger.summary(mission)}; a new mission needs a new mission_id"
            )
        return Mission(
            orders,
            make_decider(self._site, self._master_config, self._guardrails, self._skills.helpers),
            self._guardrails,
            self._master_config,
            id=mission,
            ledger=self._ledger,
            approver=None,  # the desk asks
            about={"site": self._site.name, "policy": self._master_config.policy},
            restored=restored,
            on_decision=self._publish_scene,
        )

    def _publish_scene(self, mission: str, decision: Decision) -> None:
        """What a decision was made on, so that it can be made again."""
        if decision.situation is not None:
            message = situation_msg(decision.situation, self._setting, mission, decision.index)
            self._scenes.publish(message)

    def _on_cancel(self, handle) -> CancelResponse:
        self._end_mission(Code.CANCELED, "cancelled by the client")
        return CancelResponse.ACCEPT

    def _end_mission(self, code: Code, detail: str) -> None:
        """End the mission, if one runs: the running skill is cancelled first."""
        if self._mission is None or self._ending is not None:
            return
        self._ending = (code, detail)
        for client in self._skills.clients.values():
            client.stop(code, detail)
        self._desk.withdraw()
        if self._alarm is not None and not self._alarm[1].done():
            self._alarm[1].set_result(None)
        self._miss_scene()

    async def _execute(self, handle):
        mission = self._mission
        assert mission is not None, "_on_goal has made it"
        await self._work_off(mission, handle)
        result = self._result(mission)
        if result.code == Code.SUCCEEDED:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        self._mission = None
        self._let_go()
        return result

    async def _work_off(self, mission: Mission, handle) -> None:
        """Run a mission to its end, whatever happens. `handle`: of its client, if it has one."""
        try:
            await self._carry_out(mission, handle)
        except Exception as error:  # a fault here must not leave the skills without a master
            self.get_logger().error(traceback.format_exc())
            self._end_mission(Code.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        if self._ending is not None:
            try:
                mission.cancel(*self._ending)
                await self._hand_over(mission, look=False)
            except LedgerError as error:  # the mission stays open there and is closed later
                self.get_logger().error(str(error))

    async def _carry_out(self, mission: Mission, handle) -> None:
        """Decide and run until the mission has ended or has to end."""
        last = SkillResult()
        scene = await self._next_scene()
        while scene is not None and self._ending is None:
            decision = mission.next_decision(scene, await self._chances(mission, scene))
            if await self._hand_over(mission) and decision is not None:
                scene = await self._next_scene() or scene  # time went on meanwhile
            if decision is None:
                return
            if mission.pending is not None:
                self._let_go()
                await self._desk.ask(mission)
                scene = await self._next_scene()
                if scene is None:
                    return
                if not mission.go_ahead(decision, scene):
                    continue
            order = mission.state.order
            announced = self._announce(mission, decision, last, finished=False)
            outcome, last = await self._run(decision, order, handle, announced)
            after = await self._next_scene()
            if after is not None:
                check = mission.report(decision, outcome, scene, after)
                last.verdict.confirmed = bool(last.verdict.confirmed and check.ok)
                last.verdict.sentence += f"; the master: {check.sentence}"
            self._announce(mission, decision, last, finished=True)
            scene = after

    async def _hand_over(self, mission: Mission, look: bool = True) -> bool:
        """Give a person what was handed over since the last time; whether there was anything."""
        packages, mission.handovers[:] = list(mission.handovers), []
        for package in packages:
            if look:
                self._let_go()
            await self._desk.hand_over(package, look)
        return bool(packages)

    # Missions of a master that was killed

    def _restored(self, mission: str) -> Mission:
        restored = restore(self._ledger, mission)
        detail = f"the master was started again in the middle of mission {mission}"
        self.get_logger().warning(detail)
        self._ledger.event(mission, "restart", detail)
        return self._make(restored.orders, mission, restored)

    async def _resume(self) -> None:
        """Go on with the mission of a master that was killed, or close it; then with the next."""
        mission, p = self._mission, self.parameters
        assert mission is not None, "begin has restored it"
        self._ending = None
        for client in self._skills.clients.values():
            await client.clear()  # they still do what the other master wanted
        scene, reason = None, f"no server for {self._skills.missing}"
        if not self._skills.missing:
            scene, reason = await self._scene_within(p.resume_patience), "nothing was sensed"
        if scene is None and self._ending is None:
            detail = f"the master was killed, and {reason} within {p.resume_patience:.0f} s"
            self._ending = Code.HANDED_OVER, detail
        elif not p.resume:
            mission.give_up("the master was killed; missions are not resumed here")
        elif scene is not None and not 0.0 <= scene.stamp - mission.stamp <= p.resume_within:
            mission.give_up(
                f"the master was killed {scene.stamp - mission.stamp:.0f} s ago, allowed are 0 to "
                f"{p.resume_within:.0f} s: the world may be another"
            )
        await self._work_off(mission, None)
        ends = "; ".join(f"{end.code.name}: {end.detail}" for end in mission.results)
        self.get_logger().warning(f"mission {mission.id} has ended: {ends}")
        self._mission = None
        self._let_go()
        self.begin()

    def _announce(
        self, mission: Mission, decision: Decision, last: SkillResult, finished: bool
    ) -> MasterDecision:
        """Publish a decision, when it is made and when its skill has ended."""
        order = mission.state.order if not mission.finished else mission.results[-1].order
        message = decision_msg(
            mission.id, decision.index, order, decision, last, finished, self._now()
        )
        self._decisions.publish(message)
        what = f"{decision.skill} {decision.target}"
        if finished:
            self.get_logger().info(f"{what}: {Code(last.code).name}: {last.verdict.sentence}")
        else:
            chance = "" if decision.chance is None else f"; chance {decision.chance:.2f}"
            self.get_logger().info(f"{what}: {decision.reason}{chance}")
        return message

    async def _chances(self, mission: Mission, scene: Scene) -> dict[tuple[str, str], float]:
        """What the skills say of their chances, while the plant is held at this tick."""
        chances = {}
        for question in mission.questions(scene):
            client = self._skills.clients.get(question.skill)
            if client is None or self._ending is not None:
                continue
            goal = goal_msg(question, mission.state.order, self._senses.stamp)
            chance = await client.chance(goal)
            if chance is not None:
                chances[question.skill, question.target] = chance
        return chances

    async def _run(self, decision: Decision, order, handle, announced: MasterDecision):
        """Have a skill carry out a decision, with its progress as our feedback."""
        if decision.skill == WAIT:
            return await self._wait(decision)
        client = self._skills.clients[decision.skill]
        if not client.ready and not await self._wait_for_server(client):
            limit = self.parameters.server_timeout
            return failure(Code.NOT_READY, f"no server for {client.skill} within {limit} s")

        def on_accepted():
            if self._running is not None:  # else it has ended already
                self._hold = None
                self._acknowledge()

        def on_feedback(message):
            feedback = self._server.action_type.Feedback(decision=announced)
            feedback.progress = message.feedback.progress
            if handle is not None:
                handle.publish_feedback(feedback)

        if self._ending is not None:
            return failure(*self._ending)
        self._decided = self._senses.stamp
        goal = goal_msg(decision, order, self._decided)
        self._running, self._skill_tick = client, float("-inf")
        outcome = await client.run(goal, on_accepted, on_feedback)
        if self._running is not None:  # no tick has told of the end: rejected, or lost
            self._running, self._hold = None, self._tick
            self._acknowledge()
        return outcome

    async def _wait_for_server(self, client: SkillClient) -> bool:
        """Let time go on until a server appears, within bounds."""
        self.get_logger().warning(f"waiting for the server of {client.skill}")
        self._hold = None
        self._acknowledge()
        waited = 0.0
        while not client.ready and waited < self.parameters.server_timeout and not self._ending:
            await self.within(Future(), 0.2)
            waited += 0.2
        self._hold = self._tick
        return client.ready

    async def _wait(self, decision: Decision):
        """Stand still for a while."""
        seconds = decision.parameters["duration_s"]
        begun = self._decided = self._senses.stamp
        # The scene comes at the tick after, as it does after a skill.
        self._alarm = (begun + seconds - TICK, Future())
        self._hold = None
        self._acknowledge()
        await self._alarm[1]
        self._alarm = None
        if self._ending is not None:
            return failure(*self._ending)
        sentence = f"waited {seconds:.1f} s"
        outcome = Outcome(Code.SUCCEEDED, sentence, Verdict(True, sentence))
        return outcome, result_msg(outcome, round(seconds / TICK), seconds, self._now())

    def _ring(self, stamp: float) -> None:
        """End a wait that is over at a ROS time [s]."""
        if self._alarm is not None and stamp >= self._alarm[0] - EPSILON:
            if not self._alarm[1].done():
                self._hold = stamp if self.parameters.lockstep else None
                self._alarm[1].set_result(None)

    def _let_go(self) -> None:
        """Let ROS time go on."""
        self._hold = None
        self._acknowledge()

    def _result(self, mission: Mission):
        result = self._server.action_type.Result()
        result.results = [order_result_msg(end) for end in mission.results]
        codes = [end.code for end in mission.results]
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
            self._hold = self._tick
        self._scene = Future()
        self._senses.resume()
        await self._scene
        self._senses.pause()
        scene, self._scene = self._scene.result(), None
        return scene

    async def _scene_within(self, seconds: float) -> Scene | None:
        """The next scene; None where it does not come within some seconds of wall time."""
        late = self.create_timer(seconds, self._miss_scene, clock=self.steady_clock)
        try:
            return await self._next_scene()
        finally:
            self.destroy_timer(late)

    def _miss_scene(self) -> None:
        if self._scene is not None and not self._scene.done():
            self._scene.set_result(None)

    def _on_tick(self, stamp: float) -> None:
        """Sensor data of a tick are complete; while nobody waits for them, none are taken in."""
        if self._scene is None or self._scene.done():
            return
        if self._hold is None or stamp > self._hold + EPSILON:
            sensed = self._senses.sensed()
            self._scene.set_result(build_scene(sensed, self._site, self._robot, GripperConfig()))

    def _on_tick_done(self, message: TickDone) -> None:
        stamp = seconds(message.stamp)
        if message.node == self.parameters.perception:
            if stamp < self._tick - EPSILON:
                self._end_mission(Code.SENSOR_LOST, "ROS time went back: the plant was reset")
                self._hold, self._acknowledged = None, float("-inf")
            self._tick = stamp
            self._ring(stamp)
            if stamp == self._acknowledged:
                self._publish_acknowledgement()  # the plant asks again: it has missed it
        elif self._running is not None and message.node == self._running.skill:
            if stamp < self._decided - EPSILON:
                return  # of an earlier goal
            self._skill_tick = stamp
            self._hold = None  # it has begun
            if message.idle:
                self._running, self._hold = None, stamp
        else:
            return
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Tell the plant that the work of the present tick is done, if it is."""
        stamp = self._tick
        if not self.parameters.lockstep or stamp <= self._acknowledged:
            return
        if self._hold is not None and stamp > self._hold + EPSILON:
            return  # a decision is due
        if self._running is not None and self._skill_tick < stamp - EPSILON:
            return  # the skill's command is due
        self._acknowledged = stamp
        self._publish_acknowledgement()

    def _publish_acknowledgement(self) -> None:
        self._tick_done.publish(
            TickDone(stamp=stamp_msg(self._acknowledged), node=self.get_name(), idle=True)
        )

    def _now(self) -> float:
        """ROS time [s]."""
        return self.get_clock().now().nanoseconds / 1e9

    def _on_rejection(self, message: Rejection) -> None:
        if message.action in self._skills.clients:
            self._skills.clients[message.action].on_rejection(message)


class Refused(Exception):
    """A mission that must not start."""

    def __init__(self, code: Code, detail: str):
        super().__init__(detail)
        self.code = code


def main() -> int:
    return run_node(MasterNode)


if __name__ == "__main__":
    sys.exit(main())
