"""Trials of walk, approach and align in full physics: a drawn site, one run, the truth.

People stop for the robot as `hrl_sim_bridge.plant.people` says: who would come nearer than 0.6 m to
its footprint within the next 0.3 m of their way waits, and turns round after 3 s. So a contact with
a person is one that the robot walked or turned into, and counts as any other contact does.
"""

import numpy as np

from hrl_core.control import Command
from hrl_core.floor.paths import path_length
from hrl_core.geometry import compose, invert, planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.sensed import Sensed
from hrl_sim_bridge.plant.people import gap
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.trial import Order, Trial
from hrl_sim_bridge.worlds.world import StartRange, TrialRanges, World
from hrl_skills import align, approach, walk
from hrl_skills.align import Align
from hrl_skills.approach import Approach
from hrl_skills.library import load_policy_of
from hrl_skills.success_model import load_success_model
from hrl_skills.walk import Walk
from hrl_training.tasks.navigation.draws import NavigationTask, draw_approach, draw_walk
from hrl_training.tasks.navigation.script import script_policy
from hrl_training.tasks.ranges import AlignTasks, ApproachTasks, WalkTasks
from hrl_training.trials.plant_ranges import draw_plant
from hrl_training.trials.ranges import Draw
from hrl_training.trials.rig import STILL, Rig, Run
from hrl_training.trials.row import Options, Row, Watch

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
# Tolerances (m, rad) of the goal, and the skill, by its name.
KINDS: dict[str, tuple[tuple[float, float], type[Walk | Approach | Align]]] = {
    "walk": ((walk.POSITION_TOLERANCE, walk.YAW_TOLERANCE), Walk),
    "align": (align.PRECISION.tolerance, Align),
    "approach": (approach.PRECISION.tolerance, Approach),
}


def label_of(truth: Truth, run: Run, achieved: bool) -> str:
    """Why a trial failed, or "ok": what happened counts before what the skill says of it."""
    claimed = run.outcome.succeeded
    if truth.fallen:
        return "fell"
    if truth.touches:
        return "collided"
    if claimed != achieved:
        return "false success" if claimed else "false failure"
    return "ok" if claimed else CODES.get(run.outcome.code, "not reached")


class NavigationTrials:
    """Trials of walk, approach or align; the same seed gives the same row."""

    def __init__(self, tasks: WalkTasks | ApproachTasks | AlignTasks, options: Options) -> None:
        skill = tasks.skill
        self._tasks, self._options = tasks, options
        self._robot = options.robot
        self._policy = (
            script_policy(skill, self._robot)
            if options.policy == "script"
            else load_policy_of(skill, self._robot.name, options.folder)
        )
        learned = options.policy == "learned"
        self._success_model = (
            load_success_model(skill, self._robot.name, options.folder) if learned else None
        )
        self._tolerances, self._make = KINDS[skill]

    def run(self, seed: int, watch: Watch | None = None) -> Row:
        """Draw the task of a seed, run it and compare its end with the truth."""
        draw = Draw(seed, TASK_STREAM)
        if isinstance(self._tasks, WalkTasks):
            task = draw_walk(self._tasks, draw, self._robot)
        else:
            task = draw_approach(self._tasks, draw, self._robot)
        plant_draw = Draw(seed, PLANT_STREAM)
        conditions = draw_plant(plant_draw, self._tasks.plant, seed)
        draw.factors |= plant_draw.factors
        world, trial = conditions.onto(*_world(task, seed), _hidden(task))
        rig = _Recorder(
            world,
            trial,
            self._robot,
            vision=self._options.vision,
            latency=conditions.latency,
            cameras=("camera",),
            watch=watch,
        )
        try:
            skill = self._make(task.site, self._robot, self._policy)
            run = rig.run(skill, task.goal, self._success_model)
            return self._row(seed, draw, task, rig, run)
        finally:
            rig.close()

    def _row(self, seed: int, draw: Draw, task: NavigationTask, rig: "_Recorder", run: Run) -> Row:
        truth = rig.plant.truth()
        error = compose(invert(planar_from_transform(truth.map_from_base)), task.map_from_goal)
        position, yaw = float(np.hypot(*error[:2])), float(abs(error[2]))
        achieved = bool(position < self._tolerances[0] and yaw < self._tolerances[1])
        end_speed = float(np.hypot(*truth.twist[:2]))
        walked, shortest = rig.walked, path_length(task.way)
        rig.hold(STILL, STILL_TICKS)
        truth = rig.plant.truth()
        claimed = run.outcome.succeeded
        label = label_of(truth, run, achieved)
        if label == "ok" and end_speed >= END_SPEED:
            label = "not reached"
        measures = {
            "position_error": position,
            "yaw_error": yaw,
            "end_speed": end_speed,
            "path_ratio": max(walked, shortest) / shortest,
        }
        if task.people:
            measures["min_person_distance"] = rig.nearest_person
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


class _Recorder(Rig):
    """A rig that notes how far the robot walked and how near it came to people."""

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
    faces = task.site.targets
    away = [np.linalg.norm(task.site.face(name)[:2, 3] - task.map_from_goal[:2]) for name in faces]
    near = [faces[k] for k in np.argsort(away)[:TARGETS]]
    return list(dict.fromkeys([task.target, *near] if task.target else near))
