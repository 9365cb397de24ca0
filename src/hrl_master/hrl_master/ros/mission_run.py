"""One mission over ROS: its skills are actions, its person is at the other end of a topic."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from rclpy.publisher import Publisher
from rclpy.task import Future

from hrl_core import topics
from hrl_core.fault import fault_sentence
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.ros.convert import result_msg
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_core.ros.senses import TICK
from hrl_master.errands import Errands
from hrl_master.handover import HandOver
from hrl_master.ledger_file import LedgerError, LedgerFault
from hrl_master.mission import Mission
from hrl_master.mission_loop import Execution, MissionWorld, take_handovers, work_off
from hrl_master.orders import Decision
from hrl_master.records import Records
from hrl_master.ros.convert import decision_msg, goal_msg, order_result_msg
from hrl_master.ros.guide import Guide
from hrl_master.ros.lockstep import TickHolder
from hrl_master.ros.master_parameters import MasterParameters
from hrl_master.ros.operator import Operator
from hrl_master.ros.scene_taker import SceneTaker
from hrl_master.ros.skill_client import SkillClient, failure
from hrl_master.ros.skill_finder import SKILLS, SkillFinder
from hrl_master.scene import Scene
from hrl_msgs.msg import MasterDecision, SkillResult

WAIT = "wait"  # a decision that needs no skill
POLL = 0.02  # s of wall time between two looks whether a system has answered
RETRY = 0.5  # s of wall time between two tries to write something down
RUN_MISSION = interface(topics.ACTIONS["run_mission"])


@dataclass(frozen=True)
class Tools:
    """What all missions of a master share."""

    node: HrlNode
    skills: SkillFinder
    operator: Operator
    ticks: TickHolder
    scenes: SceneTaker
    decisions: Publisher
    parameters: MasterParameters
    records: Records
    errands: Errands | None  # None: there are no systems
    guide: Guide


class MissionRun(MissionWorld):
    """Carries out one mission. `ending`: why it has to end, once it has to."""

    def __init__(self, mission: Mission, tools: Tools):
        self.mission = mission
        self.ending: tuple[Code, str] | None = None
        self._tools, self._log = tools, tools.node.get_logger()
        self._handle = None  # of the goal of its client
        self._last = SkillResult()
        self._hands_over = False

    async def carry_out(self, handle=None) -> None:
        """Run it to its end, whatever happens. `handle`: of its client's goal, if it has one."""
        self._handle = handle
        self._tools.guide.begin(self.mission)
        try:
            await work_off(self.mission, self)
        except Exception as error:  # a fault here must not leave the skills without a master
            self._log.error(traceback.format_exc())
            self.end(Code.INTERNAL_ERROR, fault_sentence("the mission", error))
        if self.ending is not None:
            self._cancel(*self.ending)
        while not self._kept():
            await self._tools.node.within(Future(), RETRY)
        for package in take_handovers(self.mission):
            await self._tools.operator.hand_over(self.mission, package, look=False)
        self._tools.guide.end()

    def close(self) -> None:
        """End it at once, without its skill, because the node ends."""
        self._cancel(*(self.ending or (Code.SHUTDOWN, "the master ends")))
        self._kept()

    def _cancel(self, code: Code, detail: str) -> None:
        try:
            self.mission.cancel(code, detail)
        except LedgerError as error:  # no other try will help: the ledger is damaged
            self._log.error(str(error))

    def _kept(self) -> bool:
        """Whether its end is kept. A client is told of no end that a restart would not know."""
        try:
            if not self._tools.records.keep(self.mission):
                self._log.error(f"the end of mission {self.mission.id} is owed to the ledger")
            return True
        except OSError as error:
            told = f"how mission {self.mission.id} ended cannot be kept, nor told: {error}"
            self._log.error(told, throttle_duration_sec=30.0)
            return False

    @property
    def hands_over(self) -> bool:
        """Whether a package is not complete yet: its pictures are being taken."""
        return self._hands_over or bool(self.mission.handovers)

    def end(self, code: Code, detail: str) -> None:
        """Let it end: the running skill is cancelled first."""
        if self.ending is not None:
            return
        self.ending = (code, detail)
        for client in self._tools.skills.clients.values():
            client.stop(code, detail)
        self._tools.operator.withdraw()
        self._tools.guide.wake()
        self._tools.ticks.wake()
        self._tools.scenes.miss()

    def result(self):
        """What its client is told at the end."""
        result = RUN_MISSION.Result()
        result.results = [order_result_msg(end) for end in self.mission.results]
        codes = [end.code for end in self.mission.results]
        done = sum(code is Code.SUCCEEDED for code in codes)
        result.detail = f"{done} of {len(codes)} orders delivered"
        if self.ending is not None:
            code, reason = self.ending
            result.code = int(Code.MISSION_FAILED if code is Code.HANDED_OVER else code)
            result.detail += f"; {reason}"
        else:
            result.code = int(Code.SUCCEEDED if done == len(codes) else Code.MISSION_FAILED)
        return result

    # What the loop asks for

    @property
    def must_end(self) -> bool:
        return self.ending is not None

    async def next_scene(self) -> Scene | None:
        if self.must_end:
            return None
        limit = self._tools.parameters.time_patience
        scene = await self._tools.scenes.next_within(limit)
        if scene is None:
            self.end(Code.HANDED_OVER, f"nothing was sensed for {limit:.0f} s of wall time")
        return scene

    async def guide(self, mission: Mission, scene: Scene) -> Scene | None:
        if mission.guided is None:
            return scene
        return await self._tools.guide.next_step(mission, scene, self.next_scene, self.chances)

    async def settle(self, mission: Mission) -> bool:
        waited = False
        while mission.owes and not self.must_end:
            try:
                mission.settle()
            except LedgerFault:
                if mission.finished:
                    break  # its end can be kept elsewhere, too
                self._tools.ticks.let_go()
                await self._tools.node.within(Future(), RETRY)
                waited = True
        return waited

    async def answered(self) -> bool:
        errands, limit = self._tools.errands, self._tools.parameters.systems_timeout
        if errands is None or not errands.awaits:
            return False
        self._tools.ticks.let_go()
        deadline = time.monotonic() + limit
        while errands.awaits and time.monotonic() < deadline and not self.must_end:
            await self._tools.node.within(Future(), POLL)
        errands.wait_no_more()
        return True

    async def chances(self, questions: Sequence[Decision]) -> dict[tuple[str, str], float]:
        """What the skills say of their chances, while the plant is held at this tick."""
        chances = {}
        for question in questions:
            client = self._tools.skills.clients.get(question.skill)
            if client is None or self.must_end:
                continue
            goal = goal_msg(question, self.mission.state.order, self._tools.scenes.stamp)
            chance = await client.chance(goal)
            if chance is not None:
                chances[question.skill, question.target] = chance
        return chances

    async def ask(self, mission: Mission) -> None:
        self._tools.ticks.let_go()
        await self._tools.operator.ask(mission)

    async def hand_over(self, package: HandOver) -> None:
        self._tools.ticks.let_go()
        self._hands_over = True
        try:
            await self._tools.operator.hand_over(self.mission, package)
        finally:
            self._hands_over = False

    async def run(self, decision: Decision) -> Outcome:
        announced = self._announce(decision, finished=False)
        outcome, self._last = await self._run(decision, announced)
        return outcome

    def ended(self, execution: Execution) -> None:
        if execution.check is not None:
            self._last.verdict.confirmed = execution.confirmed
            self._last.verdict.sentence += f"; the master: {execution.check.sentence}"
        self._announce(execution.decision, finished=True)

    # The parts

    def _announce(self, decision: Decision, finished: bool) -> MasterDecision:
        """Publish a decision, when it is made and when its skill has ended."""
        mission, last = self.mission, self._last
        message = decision_msg(
            mission.id,
            decision.index,
            mission.state.order,
            decision,
            last,
            finished,
            self._now(),
        )
        self._tools.decisions.publish(message)
        what = f"{decision.skill} {decision.target}"
        if finished:
            self._log.info(f"{what}: {Code(last.code).name}: {last.verdict.sentence}")
        else:
            chance = "" if decision.chance is None else f"; chance {decision.chance:.2f}"
            self._log.info(f"{what}: {decision.reason}{chance}")
        return message

    async def _run(
        self, decision: Decision, announced: MasterDecision
    ) -> tuple[Outcome, SkillResult]:
        """Have a skill carry out a decision, with its progress as our feedback."""
        if decision.skill == WAIT:
            return await self._wait(decision.parameters["duration_s"])
        tools = self._tools
        client = tools.skills.clients[decision.skill]

        def on_feedback(message):
            feedback = RUN_MISSION.Feedback(decision=announced)
            feedback.progress = message.feedback.progress
            if self._handle is not None:
                self._handle.publish_feedback(feedback)

        limit = tools.parameters.server_timeout
        deadline = time.monotonic() + limit
        while self.ending is None:
            if client.ready:
                goal = goal_msg(decision, self.mission.state.order, tools.scenes.stamp)
                tools.ticks.skill_starts(client, tools.scenes.stamp)
                result = await client.run(goal, tools.ticks.skill_accepted, on_feedback)
                tools.ticks.skill_answered()
                if result is not None:
                    return result
            if time.monotonic() > deadline:
                detail = f"no server for {client.skill} within {limit:.0f} s"
                if client.skill in SKILLS:  # another try would find none either
                    self.mission.give_up_order(detail)
                return failure(Code.NOT_READY, detail)
            await self._wait_for_server(client, deadline)
            await self.next_scene()  # the goal starts from what is sensed then
        return failure(*self.ending)

    async def _wait_for_server(self, client: SkillClient, deadline: float) -> None:
        """Let time go on until a server is there, or until a time of the steady clock."""
        self._log.warning(f"waiting for the server of {client.skill}")
        self._tools.ticks.let_go()
        while not client.ready and time.monotonic() < deadline and not self.must_end:
            await self._tools.node.within(Future(), 0.2)

    async def _wait(self, seconds: float) -> tuple[Outcome, SkillResult]:
        """Stand still for a while [s]."""
        # The scene comes at the tick after, as it does after a skill.
        await self._tools.ticks.wait_until(self._tools.scenes.stamp + seconds - TICK)
        if self.ending is not None:
            return failure(*self.ending)
        sentence = f"waited {seconds:.1f} s"
        outcome = Outcome(Code.SUCCEEDED, sentence, Verdict(True, sentence))
        return outcome, result_msg(outcome, round(seconds / TICK), seconds, self._now())

    def _now(self) -> float:
        """ROS time [s]."""
        return self._tools.node.get_clock().now().nanoseconds / 1e9
