"""The whole stack in one process, in lockstep and without ROS: plant, perception, skills, master.

It runs the very cores that the nodes run, tick for tick as they do in lockstep, so a trial here is
a trial there, only faster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hrl_core.control import TICK, Command
from hrl_core.errands import Systems
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import Robot, load_robot
from hrl_core.sensed import Sensed
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.errands import Errands
from hrl_master.guardrails import Guardrails
from hrl_master.ledger import Ledger
from hrl_master.memory.remembered import remembered
from hrl_master.mission import Mission
from hrl_master.mission_loop import Execution, MissionWorld, at_once, work_off
from hrl_master.orders import Decision, Order
from hrl_master.scene import GripperConfig, Scene, build_scene
from hrl_perception.perception import Perception
from hrl_sim_bridge.judging.judge import BELTS_LIMIT, Judgement, judge_all
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.trial import START_ERROR, Trial
from hrl_sim_bridge.worlds.world import World
from hrl_skills.library import load_class, make_skill, skill_names
from hrl_skills.robot_shield import RobotShield
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.skill import (
    ApproachGoal,
    GoalRejected,
    GraspGoal,
    PlaceGoal,
    RunGoal,
    Tick,
    WalkGoal,
    failed,
)
from hrl_skills.success_model import Estimate, estimate, load_success_model
from hrl_training.missions.row import (
    MISSION_LIMIT,
    FinishedMission,
    RowDecision,
    finished_mission,
    row_decision,
)

CAMERA_TICKS = 2  # a camera frame every second control tick: 5 Hz
START_COVARIANCE = np.diag(START_ERROR) ** 2  # m, m, rad; how well a start pose is known
SETTLING = 1.0  # s after a mission, before it is judged


@dataclass(frozen=True)
class MissionRecord:
    """How a mission went: what the master says, and what the plant knows."""

    mission_id: str
    finished: FinishedMission
    judgements: list[Judgement]  # of the orders
    truth: Truth


class Rig:
    """One robot in one trial; `tick` advances everything by a control period."""

    def __init__(self, world: World, trial: Trial, robot: Robot | None = None):
        self.world, self.trial = world, trial
        self.robot = robot or load_robot()
        self.plant = Plant(world, trial, self.robot, options=PlantOptions())
        self.perception = Perception(world.site, self.robot)
        self.on_tick: Callable[[Rig, str, Tick | None], None] | None = None
        self._runners: dict[str, SkillRunner] = {}
        self._ticks = 0
        self.steps = 0  # of the skill that ran last
        self._start_estimate: np.ndarray | None = None  # (3,) in map, to tell perception
        self.sensed = Sensed(self.plant.time)
        self.tick(Command())
        # The robot is told roughly where it was switched on; over ROS from the second tick on.
        self._start_estimate = trial.start_estimate
        self.tick(Command())

    def tick(self, command: Command) -> Sensed:
        """Advance the plant by one control period and sense."""
        self.plant.step(command)
        plant = self.plant
        sensed = plant.sensed()
        odometry, joints = sensed.odometry, sensed.joints
        assert odometry is not None and joints is not None, "they have no outages"
        scan = sensed.scan or self.sensed.scan  # the newest that came
        frames = []
        if self._ticks % CAMERA_TICKS == 0:
            frames = [plant.image(name) for name in self.robot.cameras]
        self._ticks += 1
        if self._start_estimate is not None:
            self.perception.reset(self._start_estimate, START_COVARIANCE, odometry)
            self._start_estimate = None
        localisation, detections = self.perception.update(
            odometry, [f for f in frames if f is not None], joints, scan, plant.time
        )
        self.sensed = replace(sensed, scan=scan, localisation=localisation, detections=detections)
        return self.sensed

    def runner(self, skill: str) -> SkillRunner:
        """The runner of a skill, made once."""
        if skill not in self._runners:
            made = make_skill(skill, self.world.site, self.robot)
            self._runners[skill] = SkillRunner(made, RobotShield(self.robot), Limits())
        return self._runners[skill]

    def run_skill(self, skill: str, goal) -> Outcome:
        """Run one goal of a skill to its outcome."""
        runner = self.runner(skill)
        try:
            runner.start(goal, self.sensed)
        except GoalRejected as error:
            self.steps = 0
            self.tick(Command())
            return failed(error.code, str(error))
        while True:
            tick = runner.tick(self.sensed)
            self.tick(tick.command)
            if self.on_tick is not None:
                self.on_tick(self, skill, tick)
            if tick.outcome is not None:
                self.steps = runner.steps
                return tick.outcome

    def run_decision(self, decision: Decision, order: Order) -> Outcome:
        """Run what the master decided for an order."""
        if decision.skill == "wait":
            return self._wait(decision.parameters["duration_s"])
        return self.run_skill(decision.skill, self._goal(decision, order))

    def _wait(self, duration: float) -> Outcome:
        """Stand still for a time [s]."""
        self.steps = round(duration / TICK)
        for _ in range(self.steps):
            self.tick(Command())
        sentence = f"waited for {duration:.1f} s"
        return Outcome(Code.SUCCEEDED, sentence, Verdict(True, sentence))

    def chance(self, decision: Decision, order: Order) -> Estimate:
        """What the skill says of its chances now."""
        runner, goal = self.runner(decision.skill), self._goal(decision, order)
        return estimate(runner, goal, self.sensed, _chances_of(decision.skill, self.robot.name))

    def chances(self, decisions: Sequence[Decision], order: Order) -> dict[tuple[str, str], float]:
        """The skills' answers, by skill and target; where they know nothing, none."""
        answers = {(d.skill, d.target): self.chance(d, order).probability for d in decisions}
        return {key: chance for key, chance in answers.items() if chance is not None}

    def scene(self) -> Scene:
        return build_scene(self.sensed, self.world.site, self.robot, GripperConfig())

    def run_mission(
        self,
        config: MasterConfig | None = None,
        guardrails: GuardrailConfig | None = None,
        *,
        id: str = "",
        ledger: Ledger | None = None,
        about: Mapping[str, object] | None = None,
        systems: Systems | None = None,
    ) -> MissionRecord:
        """Work off the trial's orders and judge them by the plant's truth.

        `systems`: need a ledger, and are done when they have begun.
        """
        config = config or MasterConfig()
        site, orders = self.world.site, self.trial.orders
        helpers = {what: name for name in skill_names() for what in self._provides(name)}
        guards = Guardrails(site, guardrails or GuardrailConfig())
        errands = None
        if systems is not None:
            assert ledger is not None, "systems need a ledger"
            errands = Errands(systems, ledger, site, config)
        mission = Mission(
            [Order(order.item, order.from_bin, order.to_station) for order in orders],
            make_decider(
                site, config, guards, helpers, self.robot, remembered(ledger, site, config)
            ),
            guards,
            config,
            id=id,
            ledger=ledger,
            about=about,
            errands=errands,
        )
        world = _RigWorld(self, mission, MISSION_LIMIT * len(orders))
        self.tick(Command())  # the master decides by what is sensed after the order
        at_once(work_off(mission, world))
        if not mission.finished:
            mission.cancel(Code.CANCELED, f"not done after {world.limit:.0f} s")
        if errands is not None:
            errands.finish()
        resolved = self.plant.time
        for _ in range(round(SETTLING / TICK)):
            self.tick(Command())
        truth = self.plant.truth()
        late = self.plant.time + BELTS_LIMIT
        while truth.belts_busy and self.plant.time < late:
            self.tick(Command())
            truth = self.plant.truth()
        return MissionRecord(
            mission.id,
            finished_mission(
                mission.results, world.decisions, world.began, resolved, self.plant.time
            ),
            judge_all(truth, orders, site),
            truth,
        )

    def close(self) -> None:
        self.plant.close()

    def _goal(self, decision: Decision, order: Order):
        site = self.world.site
        if decision.skill == "walk":
            assert decision.pose is not None, "a walk has a pose"
            return WalkGoal(decision.pose)
        if decision.skill == "approach":
            return ApproachGoal(decision.target, site.standoff)
        if decision.skill == "grasp":
            return GraspGoal(decision.target, decision.face or order.from_bin)
        if decision.skill == "place":
            return PlaceGoal(decision.target, order.item, decision.offset, decision.item_in_hand)
        return RunGoal(decision.target, order.item, parameters=dict(decision.parameters))

    @staticmethod
    def _provides(skill: str) -> tuple[str, ...]:
        return load_class(skill).contract.provides


class _RigWorld(MissionWorld):
    """A rig as the mission loop sees it."""

    def __init__(self, rig: Rig, mission: Mission, limit: float) -> None:
        self._rig, self._mission = rig, mission
        self.limit = limit  # s of plant time
        self.began = rig.plant.time  # s; now the order is given
        self.decisions: list[RowDecision] = []

    async def next_scene(self) -> Scene:
        return self._rig.scene()

    async def chances(self, questions: Sequence[Decision]) -> dict[tuple[str, str], float]:
        return self._rig.chances(questions, self._mission.state.order)

    async def run(self, decision: Decision) -> Outcome | None:
        if self._rig.plant.time - self.began > self.limit:
            return None
        return self._rig.run_decision(decision, self._mission.state.order)

    def ended(self, execution: Execution) -> None:
        self.decisions.append(row_decision(execution, self._rig.steps))


# Read once: a decision asks for the chances of many candidates.
_chances_of = cache(load_success_model)
