"""Trials of walk and approach in full physics: a drawn site, one run of the skill, the truth.

People stop for the robot as `hrl_sim_bridge.people` says: who would come nearer than 0.6 m to its
footprint within the next 0.3 m of their way waits, and turns round after 3 s. So a contact with a
person is one that the robot walked or turned into, and counts as any other contact does.
"""

from typing import Literal

import numpy as np

from hrl_core.geometry import compose, invert, planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_core.sensed import Sensed
from hrl_core.site import Site
from hrl_sim_bridge.people import gap
from hrl_sim_bridge.trial import Order, Trial
from hrl_sim_bridge.world import StartRange, TrialRanges, World
from hrl_skills import approach, walk
from hrl_skills.approach import Approach
from hrl_skills.chances import load_chances
from hrl_skills.library import load_policy_of
from hrl_skills.skill import Command, Skill
from hrl_skills.walk import Walk
from hrl_training.evaluation.bench import STILL, Bench, Run
from hrl_training.evaluation.circumstances import draw_circumstances
from hrl_training.evaluation.tasks import ApproachTasks, Draw, WalkTasks
from hrl_training.evaluation.trial import Options, Row, Watch
from hrl_training.floor_paths import path_length
from hrl_training.navigation_tasks import NavigationTask, draw_approach, draw_walk
from hrl_training.scripts import script_policy

STILL_TICKS = 10  # ticks after the end in which nothing may happen any more
END_SPEED = 0.1  # m/s; slower counts as at rest
TARGETS = 3  # faces near the goal whose markers get covered, besides the goal's own
TASK_STREAM, PLANT_STREAM = 11, 12  # of random numbers
CODES = {
    Code.TARGET_NOT_SEEN: "not found",
    Code.STEP_LIMIT: "timed out",
    Code.FELL: "fell",
    Code.GOAL_INVALID: "refused",
    Code.NOT_READY: "refused",
}


class NavigationTrials:
    """Trials of walk or approach; the same seed gives the same row."""

    def __init__(
        self,
        skill: Literal["walk", "approach"],
        tasks: WalkTasks | ApproachTasks,
        options: Options,
    ) -> None:
        self._skill, self._tasks, self._options = skill, tasks, options
        self._robot = load_robot()
        self._policy = (
            script_policy(skill, self._robot)
            if options.policy == "script"
            else load_policy_of(skill, options.folder)
        )
        learned = options.policy == "learned"
        self._chances = load_chances(skill, options.folder) if learned else None
        limits = walk if skill == "walk" else approach
        self._tolerances = limits.POSITION_TOLERANCE, limits.YAW_TOLERANCE

    def run(self, seed: int, watch: Watch | None = None) -> Row:
        """Draw the task of a seed, run it and compare its end with the truth."""
        draw = Draw(seed, TASK_STREAM)
        if isinstance(self._tasks, WalkTasks):
            task = draw_walk(self._tasks, draw, self._robot)
        else:
            task = draw_approach(self._tasks, draw, self._robot)
        plant_draw = Draw(seed, PLANT_STREAM)
        circumstances = draw_circumstances(plant_draw, self._tasks.plant, seed)
        draw.factors |= plant_draw.factors
        world, trial = circumstances.onto(*_world(task, seed), _hidden(task))
        bench = _Recorder(
            world,
            trial,
            self._robot,
            vision=self._options.vision,
            latency=circumstances.latency,
            cameras=("camera",),
            watch=watch,
        )
        try:
            run = bench.run(self._make_skill(task.site), task.goal, self._chances)
            return self._row(seed, draw, task, bench, run)
        finally:
            bench.close()

    def _make_skill(self, site: Site) -> Skill:
        make = Walk if self._skill == "walk" else Approach
        return make(site, self._robot, self._policy)

    def _row(
        self, seed: int, draw: Draw, task: NavigationTask, bench: "_Recorder", run: Run
    ) -> Row:
        truth = bench.plant.truth()
        error = compose(invert(planar_from_transform(truth.map_from_base)), task.map_from_goal)
        position, yaw = float(np.hypot(*error[:2])), float(abs(error[2]))
        achieved = bool(position < self._tolerances[0] and yaw < self._tolerances[1])
        end_speed = float(np.hypot(*truth.twist[:2]))
        walked, shortest = bench.walked, path_length(task.way)
        bench.hold(STILL, STILL_TICKS)
        truth = bench.plant.truth()
        claimed = run.outcome.succeeded
        if truth.fallen:
            label = "fell"
        elif truth.touches:
            label = "collided"
        elif claimed and not achieved:
            label = "false success"
        elif achieved and not claimed:
            label = "false failure"
        elif not claimed:
            label = CODES.get(run.outcome.code, "not reached")
        else:
            label = "ok" if end_speed < END_SPEED else "not reached"
        measures = {
            "position_error": position,
            "yaw_error": yaw,
            "end_speed": end_speed,
            "path_ratio": max(walked, shortest) / shortest,
        }
        if task.people:
            measures["min_person_distance"] = bench.nearest_person
        return Row(
            seed=seed,
            success=label == "ok",
            label=label,
            code=run.outcome.code.name,
            detail=run.outcome.detail,
            claimed=claimed,
            achieved=achieved,
            duration=run.duration,
            factors=draw.factors,
            measures=measures,
            touched=tuple(f"{name} ({touch.force:.0f} N)" for name, touch in truth.touches.items()),
            conditions=run.conditions,
            chance=run.chance,
        )


class _Recorder(Bench):
    """A bench that notes how far the robot walked and how near it came to people."""

    def __init__(self, *args, **options) -> None:
        self.walked, self.nearest_person = 0.0, np.inf  # m
        self._last: np.ndarray | None = None
        super().__init__(*args, **options)

    def tick(self, command: Command) -> Sensed:
        sensed = super().tick(command)
        plant = self.plant
        now = planar_from_transform(plant.truth().map_from_base)
        if self._last is not None:
            self.walked += float(np.hypot(*(now - self._last)[:2]))
        self._last = now
        for k in range(len(plant.trial.people)):
            place = plant.data.body(f"person/{k}").xpos[:2]
            self.nearest_person = min(self.nearest_person, gap(place, self.robot.base, now))
        return sensed


def _world(task: NavigationTask, seed: int) -> tuple[World, Trial]:
    """The task as a world and a trial of it; there are no items and no orders."""
    trial = Trial(
        seed=seed,
        start=task.start,
        start_estimate=task.start,
        stock=(),
        obstacles=task.obstacles,
        people=task.people,
        floor_friction=1.0,
        order=Order("", "", ""),
        faults=(),
    )
    # Not validated: a world file needs waypoints and stock, which these trials have no use for.
    ranges = TrialRanges(start=StartRange(waypoint=""))
    return World.model_construct(site=task.site, trial=ranges, faults=()), trial


def _hidden(task: NavigationTask) -> list[str]:
    """Faces whose markers get covered: the target, and those nearest to the goal."""
    faces = [*task.site.bins, *(station.name for station in task.site.stations)]
    away = [np.linalg.norm(task.site.face(name)[:2, 3] - task.map_from_goal[:2]) for name in faces]
    near = [faces[k] for k in np.argsort(away)[:TARGETS]]
    return list(dict.fromkeys([task.target, *near] if task.target else near))
