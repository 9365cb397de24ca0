"""Trials of back_out in full physics, for `./hrl evaluate back_out`."""

from dataclasses import replace
from typing import Literal

import numpy as np

from hrl_back_out.back_out import (
    FOLDER,
    HEADING_TOLERANCE,
    TOLERANCE,
    BackOut,
    learned_or_script,
    script,
)
from hrl_core.geometry import compose, invert, planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_sim_bridge.world import load_world
from hrl_skills.chances import load_chances
from hrl_skills.skill import RunGoal
from hrl_training.evaluation.bench import STILL, Bench, Run
from hrl_training.evaluation.circumstances import draw_circumstances
from hrl_training.evaluation.tasks import Draw, Range, StandRanges, Tasks
from hrl_training.evaluation.trial import Options, Row, Watch

SLACK = 0.02  # m, by which the truth may be worse than what the skill asks of its senses


class BackOutTasks(Tasks):
    """What a task file of back_out holds."""

    skill: Literal["back_out"] = "back_out"
    world: str = "small_warehouse"
    distance: Range = (0.3, 0.9)  # m
    stand: StandRanges = StandRanges()


class BackOutTrials:
    """The robot stands in front of a bin or station and leaves it; same seed, same row."""

    tasks_model = BackOutTasks

    def __init__(self, tasks: BackOutTasks, options: Options) -> None:
        self._tasks, self._options = tasks, options
        self._world, self._robot = load_world(tasks.world), load_robot()
        folder, learned = options.folder or FOLDER, options.policy == "learned"
        self._policy = learned_or_script(folder) if learned else script
        self._chances = load_chances("back_out", folder) if learned else None

    def run(self, seed: int, watch: Watch | None = None) -> Row:
        draw, tasks, site = Draw(seed), self._tasks, self._world.site
        faces = (*site.bins, *(station.name for station in site.stations))
        target = draw.choice("target", faces)
        distance = draw.uniform("distance", tasks.distance)
        stand = [tasks.stand.position, tasks.stand.position, tasks.stand.yaw]
        off = [draw.uniform(f"stand.{n}", r) for n, r in zip("xyz", stand, strict=True)]
        start = compose(site.pose_in_front(target, site.standoff), np.array(off))
        circumstances = draw_circumstances(draw, tasks.plant, seed)
        trial = replace(
            self._world.sample(seed), start=start, start_estimate=start, obstacles=(), people=()
        )
        bench = Bench(
            *circumstances.onto(self._world, trial),
            self._robot,
            vision=self._options.vision,
            latency=circumstances.latency,
            cameras=("camera",),
            watch=watch,
        )
        try:
            bench.hold(STILL, 10)
            before = planar_from_transform(bench.plant.truth().map_from_base)
            skill = BackOut(site, self._robot, self._policy)
            goal = RunGoal(target, parameters={"distance_m": distance})
            run = bench.run(skill, goal, self._chances)
            return _row(seed, draw, bench, run, before, distance)
        finally:
            bench.close()


def _row(seed: int, draw: Draw, bench: Bench, run: Run, before: np.ndarray, distance: float) -> Row:
    truth = bench.plant.truth()
    moved = compose(invert(before), planar_from_transform(truth.map_from_base))
    error, heading = float(abs(distance + moved[0])), float(abs(moved[2]))
    achieved = error < TOLERANCE + SLACK and heading < HEADING_TOLERANCE
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
        label = "timed out" if run.outcome.code is Code.STEP_LIMIT else "not reached"
    else:
        label = "ok"
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
        measures={
            "position_error": error,
            "aside": float(abs(moved[1])),
            "yaw_error": heading,
        },
        touched=tuple(truth.touches),
        conditions=run.conditions,
        chance=run.chance,
    )
