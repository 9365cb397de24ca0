"""The master over ROS: takes missions, decides, has the skills carry out what it decided."""

# pyright: reportOptionalMemberAccess=false
# What `load` has made is there while the node runs: pyright does not see that.

import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import entry_points

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.errands import GROUP
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.site import load_site
from hrl_master.decider import make_decider
from hrl_master.errands import Errands
from hrl_master.guardrails import Guardrails
from hrl_master.guided import GUIDED
from hrl_master.ledger_file import LedgerError, LedgerFault
from hrl_master.memory.remembered import remembered
from hrl_master.mission import Mission
from hrl_master.orders import Decision, Order, check_fit, check_together
from hrl_master.records import Records
from hrl_master.recovery import Restored
from hrl_master.replay import Setting, setting_of
from hrl_master.ros.convert import order_from_msg
from hrl_master.ros.guide import Guide
from hrl_master.ros.lockstep import TickHolder
from hrl_master.ros.master_parameters import MasterParameters
from hrl_master.ros.mission_queue import MissionQueue
from hrl_master.ros.mission_run import RUN_MISSION, MissionRun, Tools
from hrl_master.ros.operator import Operator
from hrl_master.ros.resumption import Resumption
from hrl_master.ros.scene_convert import situation_msg
from hrl_master.ros.scene_taker import SceneTaker
from hrl_master.ros.skill_finder import SkillFinder
from hrl_master.ros.time_watch import TimeWatch
from hrl_master.situation import Situation
from hrl_msgs.msg import Rejection

RESULT_KEPT = 86400  # s of ROS time; rcl counts from when the mission was accepted


class MasterNode(HrlNode):
    """Runs one mission at a time; see hrl_master.mission_loop."""

    parameters_model = MasterParameters
    parameters: MasterParameters

    def __init__(self):
        super().__init__("master")
        self._run: MissionRun | None = None

    def load(self) -> None:
        p = self.parameters
        self._robot = load_robot(p.robot)
        self._site = load_site(p.site, self._robot.base.turning_circle)
        self._master_config = p.master
        self._guardrails = Guardrails(self._site, p.guardrails)
        make_decider(self._site, self._master_config, self._guardrails)  # finds a wrong name
        self._records = Records(p.ledger_path, p.ledger_patience)
        self._errands = self._find_systems()
        self._operator = Operator(self, self._records.ledger, p.evidence_pictures, p.approver_keys)
        self._skills = SkillFinder(self)
        decisions = self.publish_on(topics.DECISIONS)
        self._scene_topic = self.publish_on(topics.SCENE)
        self._rejections = self.publish_on(topics.REJECTIONS)
        self.subscribe(topics.REJECTIONS, self._on_rejection)
        self._ticks = TickHolder(self, p.perception, self._on_restart)
        self._scenes = SceneTaker(self, self._site, self._robot, self._ticks)
        self._tools = Tools(
            self,
            self._skills,
            self._operator,
            self._ticks,
            self._scenes,
            decisions,
            p,
            self._records,
            self._errands,
            Guide(self, self._ticks, p.master),
        )
        self._resumption = Resumption(
            self, p, self._records, self._skills, self._scenes, self._restored
        )
        self._queue = MissionQueue(
            self, self._records.ledger, self._orders_of, self._end_mission_of, self._add_orders
        )
        self._time = TimeWatch()
        self._server = ActionServer(
            self,
            RUN_MISSION,
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
        self._operator.destroy()
        if self._errands is not None:
            self._errands.close()
        self._queue.destroy()
        self._tools.guide.destroy()
        if self._run is not None:
            self._run.close()
        self._records.close()

    def begin(self) -> None:
        """Take up what a master that was killed has left behind."""
        if self._run is None:
            self._run = self._resumption.take_up()

    def halt(self) -> None:
        self._end_mission(Code.SHUTDOWN, "the master ends")

    def on_e_stop(self) -> None:
        self._end_mission(Code.E_STOP, "the emergency stop was pressed")

    def watch(self) -> None:
        if not self.loaded:
            return
        self._scenes.check()
        now = self._now()
        self._records.watch(self._run.mission if self._run is not None else None)
        if self._errands is not None and self.active:
            self._errands.look(held=self._run is not None and self._run.hands_over)
        self._time.look(now)
        if self._records.lost:
            self._end_mission(Code.INTERNAL_ERROR, self._records.lost)
        elif not self._resumption.waits and self._time.stands > self.parameters.time_patience:
            self._end_mission(Code.HANDED_OVER, self._time.fault)
        if self._resumption.looks:
            self.begin()
        self._operator.check(now)
        for client in self._skills.clients.values():
            client.say_alive()
        self._ticks.ring(now)
        if self._run is None or self._resumption.waits:
            self._skills.look()
        if not self.e_stop and self._resumption.comes_due():
            self.executor.create_task(self._resume)
        if self.active and not (self._run or self.e_stop or self._resumption.looks):
            self._begin_queued()
        running, silent = self._ticks.running, self._ticks.silence(now)
        if running is not None and silent > self.parameters.skill_timeout:
            detail = f"{running.skill} has given no sign for {silent:.1f} s of ROS time"
            running.stop(Code.INTERNAL_ERROR, detail)

    def status(self) -> tuple[str, dict[str, object]]:
        if not self.active:
            return "inactive", {}
        figures: dict[str, object] = {"approvers": self._operator.approvers or "anybody"}
        if self._errands is not None:
            figures["owed to systems"] = self._errands.owed
        if self._run is None:
            return "ready", {"skills": ", ".join(self._skills.clients), **figures}
        running = self._ticks.running.skill if self._ticks.running else "decides"
        figures |= {"decisions": self._run.mission.decisions, "skill": running}
        return "runs a mission", figures

    def faults(self) -> dict[str, str]:
        if not self.active:
            return {}
        faults = {f"server of {name}": f"no server for {name}" for name in self._skills.missing}
        told = {"ledger": self._records.ledger.fault, "ROS time": self._time.fault}
        if self._errands is not None:
            told["systems"] = self._errands.fault
        faults |= {name: sentence for name, sentence in told.items() if sentence}
        if not self._operator.approvers and not self.get_parameter("use_sim_time").value:
            faults["approvers"] = "anybody may approve: the parameter approvers is empty"
        return {**faults, **self._scenes.faults()}

    @property
    def busy(self) -> bool:
        return self._run is not None

    # Missions

    def _on_goal(self, request) -> GoalResponse:
        try:
            if not self.active:
                raise Refused(Code.NOT_READY, "master is not active; activate it first")
            if self._run is not None:
                raise Refused(Code.NOT_READY, "master already runs a mission; cancel it first")
            if self.e_stop:
                raise Refused(Code.E_STOP, "the emergency stop is pressed; release it first")
            try:
                self._run = self._make(
                    self._orders_of(request.orders), request.mission_id, guided=request.guided
                )
            except LedgerFault as error:
                raise Refused(Code.NOT_READY, str(error)) from error
            except (ConfigError, LedgerError) as error:
                raise Refused(Code.GOAL_INVALID, str(error)) from error
        except Refused as error:
            self.get_logger().warning(f"mission rejected ({error.code.name}): {error}")
            message = Rejection(action="run_mission", code=int(error.code), detail=str(error))
            message.header.stamp = self.get_clock().now().to_msg()
            self._rejections.publish(message)
            return GoalResponse.REJECT
        self._tools.guide.begin(self._run.mission)
        self._ticks.hold()
        self._time.restart()
        return GoalResponse.ACCEPT

    def _orders_of(self, messages: Sequence) -> list[Order]:
        """Orders that this robot can carry out here; raises ConfigError."""
        if not messages:
            raise ConfigError("orders is empty: needs one order or more")
        orders = [order_from_msg(message, self._site) for message in messages]
        self._check(orders)
        return orders

    def _check(self, orders: Sequence[Order]) -> None:
        for order in orders:
            order.check(self._site)
        check_together(orders)
        check_fit(orders, self._site, self._robot)

    def _make(
        self,
        orders: list[Order],
        mission: str,
        restored: Restored | None = None,
        guided: bool = False,
    ) -> MissionRun:
        """A mission as the ledger keeps it from now on; raises LedgerError for a known one."""
        if restored is None and mission and (past := self._records.past(mission)):
            raise LedgerError(
                f"mission {mission!r} was given before and is not run again: {past}; "
                "a new mission needs a new mission_id"
            )
        config = self._master_config
        if guided:
            # Its client chooses steps, in the sequence that it gave the orders in.
            config = config.model_copy(update={"policy": GUIDED, "sequence": "first_come"})
        setting = setting_of(self.parameters.site, config, self._guardrails.config)
        made = Mission(
            orders,
            make_decider(
                self._site,
                config,
                self._guardrails,
                self._skills.helpers,
                self._robot,
                remembered(self._records.ledger, self._site, config),
            ),
            self._guardrails,
            config,
            id=mission,
            ledger=self._records.ledger,
            approver=None,  # the operator asks
            about={"site": self._site.name, "policy": config.policy},
            restored=restored,
            errands=self._errands,
            stamp=self._now(),
            on_decision=partial(self._publish_scene, setting),
        )
        return MissionRun(made, self._tools)

    def _find_systems(self) -> Errands | None:
        """What the parameter names, by the package that is there for it."""
        p = self.parameters
        if not p.systems:
            return None
        found = [*entry_points(group=GROUP)]
        if len(found) != 1:
            raise ConfigError(
                f"systems = {p.systems!r}: needs one package with an entry point of {GROUP}, "
                f"there are {[each.value for each in found]}"
            )
        systems = found[0].load()(p.systems, p.systems_timeout)
        return Errands(systems, self._records.ledger, self._site, self._master_config)

    def _restored(self, restored: Restored) -> MissionRun:
        guided = restored.about.get("policy") == GUIDED
        return self._make(restored.orders, restored.id, restored, guided)

    def _publish_scene(
        self, setting: Setting, mission: str, decision: Decision, situation: Situation | None
    ) -> None:
        """What a decision was made on, so that it can be made again."""
        if situation is not None:
            message = situation_msg(situation, setting, mission, decision.index)
            self._scene_topic.publish(message)

    def _on_cancel(self, handle) -> CancelResponse:
        self._end_mission(Code.CANCELED, "cancelled by the client")
        return CancelResponse.ACCEPT

    def _end_mission(self, code: Code, detail: str) -> None:
        """End the mission, if one runs."""
        if self._run is not None:
            self._run.end(code, detail)

    async def _execute(self, handle):
        run = self._run
        assert run is not None, "_on_goal has made it"
        await run.carry_out(handle)
        result = run.result()
        if result.code == Code.SUCCEEDED:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        self._run = None
        self._ticks.let_go()
        return result

    def _end_mission_of(self, mission: str, why: str) -> bool:
        if self._run is None or self._run.mission.id != mission:
            return False
        self._end_mission(Code.CANCELED, why)
        return True

    def _add_orders(self, mission: str, orders: list[Order]) -> tuple[str, list[int]]:
        """Give the mission that runs more orders; its id and their numbers."""
        run = self._run
        if run is None or mission not in ("", run.mission.id):
            running = "none runs" if run is None else f"{run.mission.id} runs"
            raise ConfigError(f"no mission {mission!r} to add to; {running}")
        if run.must_end or run.mission.finished:
            raise ConfigError(f"mission {run.mission.id} ends; give these orders as another one")
        return run.mission.id, run.mission.add(orders, self._now())

    def _begin_queued(self) -> None:
        """Begin the mission whose turn it is, once the skills are there."""
        try:
            turn = None if self._skills.missing else self._queue.first()
            if turn is None:
                return
            mission, orders = turn
            try:
                self._check(orders)  # the site may be another than when it was given
                self._run = self._make(orders, mission)
            except ConfigError as error:
                self._queue.refuse(mission, str(error))
                return
        except LedgerError:  # diagnostics tell of it; at the next look
            return
        self._ticks.hold()
        self._time.restart()
        self.executor.create_task(self._carry_out_queued)

    async def _carry_out_queued(self) -> None:
        assert self._run is not None, "it was begun"
        await self._run.carry_out()
        self._run = None
        self._ticks.let_go()

    async def _resume(self) -> None:
        """Carry out the mission that was taken up; then take up the next."""
        assert self._run is not None, "it was taken up"
        self._time.restart()
        await self._resumption.carry_out(self._run)
        self._run = None
        self._ticks.let_go()
        self.begin()

    # Callbacks

    def _on_restart(self, why: str) -> None:
        self._end_mission(Code.SENSOR_LOST, why)

    def _on_rejection(self, message: Rejection) -> None:
        if message.action in self._skills.clients:
            self._skills.clients[message.action].on_rejection(message)

    def _now(self) -> float:
        """ROS time [s]."""
        return self.get_clock().now().nanoseconds / 1e9


class Refused(Exception):
    """A mission that must not start."""

    def __init__(self, code: Code, detail: str):
        super().__init__(detail)
        self.code = code


def main() -> int:
    return run_node(MasterNode)


if __name__ == "__main__":
    sys.exit(main())
