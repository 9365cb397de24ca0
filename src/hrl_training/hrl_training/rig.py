"""The whole stack in one process, in lockstep and without ROS: plant, perception, skills, master.

It runs the very cores that the nodes run, so a trial here is a trial there, only faster.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hrl_core.outcomes import Outcome
from hrl_core.robot import Robot, load_robot
from hrl_core.sensed import Sensed
from hrl_master.guardrails import GuardrailConfig, Guardrails
from hrl_master.mission import Attempt, Decision, MasterConfig, Mission
from hrl_master.mission import Order as MissionOrder
from hrl_master.policy import make_policy
from hrl_master.scene import GripperConfig, Scene, build_scene
from hrl_perception.perception import Perception
from hrl_sim_bridge.judge import Judgement, judge
from hrl_sim_bridge.plant import Plant, PlantOptions
from hrl_sim_bridge.world import Trial, World
from hrl_skills.chances import Estimate, estimate, load_chances
from hrl_skills.library import load_class, make_skill, skill_names
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.shield import Shield
from hrl_skills.skill import (
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

CAMERA_TICKS = 2  # a camera frame every second control tick: 5 Hz
START_COVARIANCE = np.diag([0.05, 0.05, 0.03]) ** 2  # m, m, rad; how well a start pose is known


@dataclass(frozen=True)
class MissionRecord:
    """How a mission went: what the master said, what the plant knows, every attempt."""

    results: list
    judgement: Judgement
    attempts: list[Attempt]
    duration: float  # s of plant time


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
        self.sensed = Sensed(self.plant.time)
        # A robot knows roughly where it was switched on; the world file says how roughly.
        self.perception.reset(trial.start_estimate, START_COVARIANCE, self.plant.odometry())
        self.tick(Command())

    def tick(self, command: Command) -> Sensed:
        """Advance the plant by one control period and sense."""
        self.plant.step(command)
        plant = self.plant
        odometry, joints, scan = plant.odometry(), plant.joints(), plant.scan()
        frames = []
        if self._ticks % CAMERA_TICKS == 0:
            frames = [plant.image(name) for name in self.robot.cameras]
        self._ticks += 1
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
            self.tick(Command())
            return failed(error.code, str(error))
        while True:
            tick = runner.tick(self.sensed)
            self.tick(tick.command)
            if self.on_tick is not None:
                self.on_tick(self, skill, tick)
            if tick.outcome is not None:
                return tick.outcome

    def run_decision(self, decision: Decision) -> Outcome:
        """Run what the master decided."""
        return self.run_skill(decision.skill, self._goal(decision))

    def chance(self, decision: Decision) -> Estimate:
        """What the skill says of its chances now."""
        chances = load_chances(decision.skill)
        return estimate(self.runner(decision.skill), self._goal(decision), self.sensed, chances)

    def scene(self) -> Scene:
        return build_scene(self.sensed, self.world.site, self.robot, GripperConfig())

    def run_mission(self, config: MasterConfig | None = None) -> MissionRecord:
        """Work off the trial's order and judge it by the plant's truth."""
        config = config or MasterConfig()
        site, order = self.world.site, self.trial.order
        helpers = {what: name for name in skill_names() for what in self._provides(name)}
        mission = Mission(
            [MissionOrder(order.item, order.from_bin, order.to_station)],
            make_policy(site, config, helpers),
            Guardrails(site, GuardrailConfig()),
            config,
        )
        state, start = mission.state, self.plant.time
        while (decision := mission.next_decision(scene := self.scene())) is not None:
            decision = replace(decision, chance=self.chance(decision).probability)
            mission.report(decision, self.run_decision(decision), scene, self.scene())
        return MissionRecord(
            mission.results,
            judge(self.plant.truth(), order, site),
            state.attempts,
            self.plant.time - start,
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
            return GraspGoal(decision.target, order.from_bin)
        if decision.skill == "place":
            return PlaceGoal(decision.target, order.item, np.zeros(2), decision.item_in_hand)
        return RunGoal(decision.target, order.item, parameters=dict(decision.parameters))

    @staticmethod
    def _provides(skill: str) -> tuple[str, ...]:
        return load_class(skill).contract.provides
