"""Trials of back_out in full physics: leaving a bin or station of a world."""

from dataclasses import replace

import numpy as np

from hrl_core.geometry import compose, invert, planar_from_transform
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_skills.back_out import HEADING_TOLERANCE, TOLERANCE, BackOut
from hrl_skills.library import load_policy_of
from hrl_skills.skill import RunGoal, Skill
from hrl_skills.success_model import load_success_model
from hrl_training.tasks.navigation.script import script_policy
from hrl_training.tasks.navigation.trials import label_of
from hrl_training.tasks.ranges import LeaveTasks
from hrl_training.trials.plant_ranges import draw_plant
from hrl_training.trials.ranges import Draw
from hrl_training.trials.rig import STILL, Rig, Run
from hrl_training.trials.row import Options, Row, Watch

SLACK = 0.02  # m, by which the truth may be worse than what the skill asks of its senses


class BackOutTrials:
    """The robot stands in front of a bin or station and leaves it; same seed, same row."""

    tolerance = TOLERANCE

    def __init__(self, tasks: LeaveTasks, options: Options) -> None:
        self._tasks, self._options = tasks, options
        self._world, self._robot = load_world(tasks.world), options.robot
        self._skill = self.make(self._world.site, self._robot)
        self._success_model = None
        if options.policy == "learned":
            name, robot = self._skill.name, self._robot.name
            self._success_model = load_success_model(name, robot, options.folder)

    def make(self, site: Site, robot: Robot) -> Skill:
        """The skill that is tried."""
        name, folder = "back_out", self._options.folder
        if self._options.policy == "script":
            return BackOut(site, robot, script_policy(name, robot))
        return BackOut(site, robot, load_policy_of(name, robot.name, folder))

    def run(self, seed: int, watch: Watch | None = None) -> Row:
        draw, tasks, site = Draw(seed), self._tasks, self._world.site
        faces = (*site.bins, *(station.name for station in site.stations))
        target = draw.choice("target", faces)
        distance = draw.uniform("distance", tasks.distance)
        stand = [tasks.stand.position, tasks.stand.position, tasks.stand.yaw]
        off = [draw.uniform(f"stand.{n}", r) for n, r in zip("xyz", stand, strict=True)]
        start = compose(site.pose_in_front(target, site.standoff), np.array(off))
        conditions = draw_plant(draw, tasks.plant, seed)
        trial = replace(
            draw_trial(self._world, seed),
            start=start,
            start_estimate=start,
            obstacles=(),
            people=(),
        )
        rig = Rig(
            *conditions.onto(self._world, trial),
            self._robot,
            vision=self._options.vision,
            latency=conditions.latency,
            cameras=("camera",),
            watch=watch,
        )
        try:
            rig.hold(STILL, 10)
            before = planar_from_transform(rig.plant.truth().map_from_base)
            goal = RunGoal(target, parameters={"distance_m": distance})
            run = rig.run(self._skill, goal, self._success_model)
            return self._row(seed, draw, rig, run, before, distance)
        finally:
            rig.close()

    def _row(
        self, seed: int, draw: Draw, rig: Rig, run: Run, before: np.ndarray, distance: float
    ) -> Row:
        truth = rig.plant.truth()
        moved = compose(invert(before), planar_from_transform(truth.map_from_base))
        error, heading = float(abs(distance + moved[0])), float(abs(moved[2]))
        achieved = error < self.tolerance + SLACK and heading < HEADING_TOLERANCE
        label = label_of(truth, run, achieved)
        return Row(
            seed=seed,
            success=label == "ok",
            label=label,
            code=run.outcome.code.name,
            detail=run.outcome.detail,
            claimed=run.outcome.succeeded,
            achieved=achieved,
            duration=run.duration,
            factors=draw.factors,
            measures={
                "position_error": error,
                "aside": float(abs(moved[1])),
                "yaw_error": heading,
            },
            touched=tuple(truth.touches),
            conditions=run.conditions,
            chance=run.chance,
        )
