"""The whole stack in one process, in lockstep and without ROS: plant, perception, skills, master.

It runs the very cores that the nodes run, tick for tick as they do in lockstep, so a trial here is
a trial there, only faster.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import Robot, load_robot
from hrl_core.sensed import Sensed
from hrl_master.decider import make_decider
from hrl_master.guardrails import Check, GuardrailConfig, Guardrails
from hrl_master.ledger import Ledger
from hrl_master.mission import Attempt, Decision, MasterConfig, Mission, OrderEnd
from hrl_master.mission import Order as MissionOrder
from hrl_master.scene import GripperConfig, Scene, build_scene
from hrl_perception.perception import Perception
from hrl_sim_bridge.judge import Judgement, judge
from hrl_sim_bridge.plant import Plant, PlantOptions
from hrl_sim_bridge.trial import START_ERROR
from hrl_sim_bridge.truth import Truth
from hrl_sim_bridge.world import Trial, World
from hrl_skills.chances import Estimate, estimate, load_chances
from hrl_skills.library import load_class, make_skill, skill_names
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.shield import Shield
from hrl_skills.skill import (
    TICK,
    ApproachGoal,
    Command,
    GoalRejected,
    GraspGoal,
    PlaceGoal,
    RunGoal,
    Tick,
    WalkGoal,
    failed,
)
from hrl_training.mission_rows import MISSION_LIMIT

CAMERA_TICKS = 2  # a camera frame every second control tick: 5 Hz
START_COVARIANCE = np.diag(START_ERROR) ** 2  # m, m, rad; how well a start pose is known
SETTLING = 1.0  # s after a mission, before it is judged


@dataclass(frozen=True)
class Deed:
    """A decision that was acted on: how it went, and when, in s of plant time."""

    decision: Decision
    outcome: Outcome
    check: Check
    steps: int
    began: float
    ended: float


@dataclass(frozen=True)
class MissionRecord:
    """How a mission went: what the master said, what the plant knows, every attempt and deed."""

    mission_id: str
    results: list[OrderEnd]
    judgement: Judgement
    truth: Truth
    attempts: list[Attempt]
    deeds: list[Deed]
    began: float  # s of plant time, when the order was given
    resolved: float  # s, when the last skill had ended
    ended: float  # s, when it was judged


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
        odometry, joints = plant.odometry(), plant.joints()
        scan = plant.scan() or self.sensed.scan  # the newest that came
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
        self.sensed = Sensed(
            plant.time, scan, joints, odometry, plant.imu(), localisation, detections
        )
        return self.sensed

    def runner(self, skill: str) -> SkillRunner:
        """The runner of a skill, made once."""
        if skill not in self._runners:
            made = make_skill(skill, self.world.site, self.robot)
            self._runners[skill] = SkillRunner(made, Shield(self.robot), Limits())
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

    def run_decision(self, decision: Decision) -> Outcome:
        """Run what the master decided."""
        if decision.skill == "wait":
            return self._wait(decision.parameters["duration_s"])
        return self.run_skill(decision.skill, self._goal(decision))

    def _wait(self, duration: float) -> Outcome:
        """Stand still for a time [s]."""
        self.steps = round(duration / TICK)
        for _ in range(self.steps):
            self.tick(Command())
        sentence = f"waited for {duration:.1f} s"
        return Outcome(Code.SUCCEEDED, sentence, Verdict(True, sentence))

    def chance(self, decision: Decision) -> Estimate:
        """What the skill says of its chances now."""
        runner, goal = self.runner(decision.skill), self._goal(decision)
        return estimate(runner, goal, self.sensed, _chances_of(decision.skill))

    def _chances(self, decisions: list[Decision]) -> dict[tuple[str, str], float]:
        """The skills' answers, by skill and target; where they know nothing, none."""
        answers = {(d.skill, d.target): self.chance(d).probability for d in decisions}
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
    ) -> MissionRecord:
        """Work off the trial's order and judge it by the plant's truth."""
        config = config or MasterConfig()
        site, order = self.world.site, self.trial.order
        helpers = {what: name for name in skill_names() for what in self._provides(name)}
        guards = Guardrails(site, guardrails or GuardrailConfig())
        mission = Mission(
            [MissionOrder(order.item, order.from_bin, order.to_station)],
            make_decider(site, config, guards, helpers),
            guards,
            config,
            id=id,
            ledger=ledger,
            about=about,
        )
        state, began, deeds = mission.state, self.plant.time, []
        self.tick(Command())  # the master decides by what is sensed after the order
        while True:
            scene = self.scene()
            decision = mission.next_decision(scene, self._chances(mission.questions(scene)))
            if decision is None:
                break
            if self.plant.time - began > MISSION_LIMIT:
                mission.cancel(Code.CANCELED, f"not done after {MISSION_LIMIT:.0f} s")
                break
            start = self.plant.time
            outcome = self.run_decision(decision)
            check = mission.report(decision, outcome, scene, self.scene())
            deeds.append(Deed(decision, outcome, check, self.steps, start, self.plant.time))
        resolved = self.plant.time
        for _ in range(round(SETTLING / TICK)):
            self.tick(Command())
        truth = self.plant.truth()
        return MissionRecord(
            mission.id,
            mission.results,
            judge(truth, order, site),
            truth,
            state.attempts,
            deeds,
            began,
            resolved,
            self.plant.time,
        )

    def close(self) -> None:
        self.plant.close()

    def _goal(self, decision: Decision):
        order, site = self.trial.order, self.world.site
        if decision.skill == "walk":
            assert decision.pose is not None, "a walk has a pose"
            return WalkGoal(decision.pose)
        if decision.skill == "approach":
            return ApproachGoal(decision.target, site.standoff)
        if decision.skill == "grasp":
            return GraspGoal(decision.target, decision.face or order.from_bin)
        if decision.skill == "place":
            return PlaceGoal(decision.target, order.item, np.zeros(2), decision.item_in_hand)
        return RunGoal(decision.target, order.item, parameters=dict(decision.parameters))

    @staticmethod
    def _provides(skill: str) -> tuple[str, ...]:
        return load_class(skill).contract.provides


# Read once: a decision asks for the chances of many candidates.
_chances_of = cache(load_chances)
