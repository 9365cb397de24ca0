"""Trials of grasp and place in full physics: the robot on its feet, one run, then the truth.

The robot walks the last bit to where it is to stand with open eyes, as after an approach. A trial
of place begins with a real grasp from an empty shelf; then the robot carries the item in a circle
and is put, as it stands and with what it holds, before the station.
"""

from dataclasses import replace

import mujoco
import numpy as np

from hrl_core.control import TICK, Command
from hrl_core.geometry import (
    compose,
    inverse,
    invert,
    planar_from_transform,
    quaternion_from_rotation,
    transform_from,
    transform_from_planar,
)
from hrl_core.outcomes import Code, Outcome
from hrl_sim_bridge.judging.judge import UPRIGHT_LIMIT, misplacement
from hrl_sim_bridge.plant.robot_model import TOOL, plant_model
from hrl_sim_bridge.plant.truth import Truth
from hrl_skills.grasp import Grasp
from hrl_skills.library import load_policy_of
from hrl_skills.place import Place
from hrl_skills.skill import GraspGoal, PlaceGoal
from hrl_skills.success_model import load_success_model
from hrl_training.tasks.manipulation.draws import (
    ITEM,
    SIZE,
    STATION,
    ManipulationTask,
    draw_grasp,
    draw_place,
    draw_stand,
)
from hrl_training.tasks.manipulation.script import script_policy
from hrl_training.tasks.ranges import GraspTasks, PlaceTasks
from hrl_training.trials.plant_ranges import PlantConditions, draw_plant
from hrl_training.trials.ranges import Draw
from hrl_training.trials.rig import STILL, Rig, Run
from hrl_training.trials.row import Options, Row, Watch

BEFORE = np.array([-0.4, 0.0, 0.0])  # m: from here the robot walks to where it is to stand
WAY_TICKS = 50  # it takes about 15
WAY_SPEED = np.array([0.4, 0.2, 0.5])  # m/s, m/s, rad/s
STILL_TICKS = 5  # before the skill and after its end
WALK = (np.array([-0.3, 0.0, 0.0]), np.array([0.2, 0.0, 0.6]))  # m/s, m/s, rad/s, after a grasp
WALK_TICKS = 15  # of each of them
FORCE_LIMIT = 60.0  # N, on shelf, station and walls
SHIFT_LIMIT = 0.03  # m, that a neighbour may be moved
NEAR_TOOL = 0.1  # m, from the point between the jaws to the centre of an item that they hold
FALL = 0.1  # m; an item that ends lower by more fell off its board
GRASPS = 5  # tries to get the item that a trial of place is to put down
CIRCLE = np.array([0.6, 0.0, 0.9])  # m/s, m/s, rad/s, while the item is carried
PLANT_STREAM, TASK_STREAM, GRASP_STREAM = 14, 100, 200  # of random numbers
MISSED = ("not found", "not reached", "not grasped", "timed out")  # unless the item fell over
CODES = {
    Code.ITEM_NOT_FOUND: "not found",
    Code.SURFACE_NOT_FOUND: "not found",
    Code.NOT_HELD: "not grasped",
    Code.DROPPED: "dropped",
    Code.LOST_WHILE_PLACING: "dropped",
    Code.STEP_LIMIT: "timed out",
    Code.FELL: "fell",
    Code.GOAL_INVALID: "refused",
    Code.NOT_READY: "refused",
    Code.NOTHING_HELD: "refused",
}


class ManipulationTrials:
    """Trials of grasp or place; the same seed gives the same row."""

    def __init__(self, tasks: GraspTasks | PlaceTasks, options: Options) -> None:
        skill = tasks.skill
        self._tasks, self._options = tasks, options
        robot = self._robot = options.robot
        learned = options.policy == "learned"
        self._success_model = (
            load_success_model(skill, robot.name, options.folder) if learned else None
        )
        self._policy = (
            script_policy(skill, robot)
            if options.policy == "script"
            else load_policy_of(skill, robot.name, options.folder)
        )
        # A trial of place begins with the shipped grasp, whatever is measured.
        self._grasp_policy = self._policy
        if skill == "place":
            self._grasp_policy = load_policy_of("grasp", robot.name)

    def run(self, seed: int, watch: Watch | None = None) -> Row:
        """Draw the task of a seed, run it and compare its end with the truth."""
        draw = Draw(seed, PLANT_STREAM)
        conditions = draw_plant(draw, self._tasks.plant, seed)
        if isinstance(self._tasks, GraspTasks):
            row = self._run_grasp(self._tasks, seed, conditions, watch)
        else:
            row = self._run_place(self._tasks, seed, conditions, watch)
        return replace(row, factors=row.factors | draw.factors)

    def _run_grasp(
        self, tasks: GraspTasks, seed: int, conditions: PlantConditions, watch: Watch | None
    ) -> Row:
        draw = Draw(seed, TASK_STREAM)
        task = draw_grasp(tasks, draw, seed)
        task = replace(task, trial=replace(task.trial, start=compose(task.stand, BEFORE)))
        rig = self._rig(task, conditions, self._options.vision, watch)
        try:
            walk_in(rig, task.stand)
            begin = rig.plant.truth()
            run = rig.run(
                Grasp(task.site, self._robot, self._policy), task.goal, self._success_model
            )
            achieved = holds_item(rig)
            stood = task.trial.item(ITEM).map_from_item
            measures = _measures(rig, float(stood[2, 3]))
            if achieved and run.outcome.pose is not None:
                measures["item_in_hand_error"] = _hand_error(rig, run.outcome.pose)
            if run.outcome.succeeded:
                for twist in WALK:
                    rig.hold_blindly(Command(twist=twist), WALK_TICKS)
            kept = holds_item(rig)
            return self._row(rig, task, draw, run, begin, achieved, kept, measures)
        finally:
            rig.close()

    def _run_place(
        self, tasks: PlaceTasks, seed: int, conditions: PlantConditions, watch: Watch | None
    ) -> Row:
        """The item is grasped, each time from another stand, until it has come to the station.

        The task stays as drawn: of an item that never comes, place is refused, and the trial fails.
        """
        draw = Draw(seed, TASK_STREAM)
        task = draw_place(tasks, draw, seed)
        grasps = 0
        while True:
            error = draw_stand(Draw(seed, GRASP_STREAM + grasps), tasks.stand)
            trial = replace(task.trial, start=compose(task.trial.start, error))
            grasps += 1
            draw.factors["grasps"] = grasps
            rig = self._rig(replace(task, trial=trial), conditions, False, watch)
            try:
                in_hand = self._take(rig, task)
                if in_hand is not None or grasps == GRASPS:
                    return self._place(rig, task, draw, in_hand)
            finally:
                rig.close()

    def _take(self, rig: Rig, task: ManipulationTask) -> np.ndarray | None:
        """Grasp the item and carry it to the station: the item in the tool frame (4, 4)."""
        grasp = Grasp(task.site, self._robot, self._grasp_policy)
        outcome = rig.run(grasp, GraspGoal(ITEM, task.trial.order.from_bin)).outcome
        if not outcome.succeeded or not holds_item(rig):
            return None
        walk_in_a_circle(rig, task.carried)
        carry_to(rig, compose(task.stand, BEFORE))
        rig.hold_blindly(STILL, 1)  # odometry takes the leap in before anybody looks
        rig.open_eyes(self._options.vision)
        walk_in(rig, task.stand)
        return outcome.pose if holds_item(rig) else None

    def _place(
        self, rig: Rig, task: ManipulationTask, draw: Draw, in_hand: np.ndarray | None
    ) -> Row:
        assert isinstance(task.goal, PlaceGoal)
        site, goal = task.site, replace(task.goal, item_in_hand=in_hand)
        begin = rig.plant.truth()
        run = rig.run(Place(site, self._robot, self._policy), goal, self._success_model)
        rig.hold_blindly(STILL, STILL_TICKS)
        truth, face = rig.plant.truth(), site.face(STATION)
        target = site.target_point(STATION) + face[:3, :2] @ goal.offset
        height = site.item(ITEM).size[2]
        wrong = misplacement(truth, ITEM, height, target)
        error = float(np.linalg.norm((truth.items[ITEM][:3, 3] - target)[:2]))
        measures = _measures(rig, target[2] + 0.5 * height) | {"error": error}
        return self._row(rig, task, draw, run, begin, not wrong, not wrong, measures)

    def _rig(
        self,
        task: ManipulationTask,
        conditions: PlantConditions,
        vision: bool,
        watch: Watch | None,
    ) -> Rig:
        hidden = (ITEM, task.goal.bin if isinstance(task.goal, GraspGoal) else STATION)
        world, trial = conditions.onto(task.world, task.trial, hidden)
        latency = conditions.latency
        return Rig(world, trial, self._robot, vision=vision, latency=latency, watch=watch)

    def _row(
        self,
        rig: Rig,
        task: ManipulationTask,
        draw: Draw,
        run: Run,
        begin: Truth,
        achieved: bool,
        kept: bool,
        measures: dict[str, float],
    ) -> Row:
        """Judge a trial; begin: as the skill began; kept: still held after a walk, or placed."""
        truth = rig.plant.truth()
        # What was touched by the grasp before a place does not count.
        elsewhere = "- shelf/" if isinstance(task.goal, PlaceGoal) else "- station/"
        touches = {n: touch.force for n, touch in truth.touches.items() if elsewhere not in n}
        shifts = [truth.items[n][:3, 3] - begin.items[n][:3, 3] for n in task.others]
        upright = min((float(truth.items[n][2, 2]) for n in task.others), default=1.0)
        measures |= {
            "force": max(touches.values(), default=0.0),
            "neighbour_shift": max((float(np.linalg.norm(step)) for step in shifts), default=0.0),
        }
        label = label_of(run.outcome, truth.fallen, achieved, kept, upright, measures)
        return Row(
            seed=rig.plant.trial.seed,
            success=label == "ok",
            label=label,
            code=run.outcome.code.name,
            detail=run.outcome.detail,
            claimed=run.outcome.succeeded,
            achieved=achieved,
            duration=run.duration,
            factors=draw.factors,
            measures={name: value for name, value in measures.items() if name != "below"},
            touched=tuple(f"{name} ({newtons:.0f} N)" for name, newtons in touches.items()),
            conditions=run.conditions,
            chance=run.chance,
        )


def label_of(
    outcome: Outcome,
    fallen: bool,
    achieved: bool,
    kept: bool,
    others_upright: float,
    measures: dict[str, float],
) -> str:
    """The label of a trial. others_upright: the smallest cosine of the neighbours' tilts.

    measures: `upright` (that of the item), how far it is `below` its board m, `force` N,
    `neighbour_shift` m.
    """
    if fallen:
        return "fell"
    if outcome.succeeded != achieved:
        return "false failure" if achieved else "false success"
    if not achieved:
        label = CODES.get(outcome.code, "not reached")
        if label in MISSED and measures["below"] > FALL:
            return "dropped"
        return "tipped" if label in MISSED and measures["upright"] < UPRIGHT_LIMIT else label
    if not kept:
        return "dropped"
    if others_upright < UPRIGHT_LIMIT:
        return "tipped"
    if measures["neighbour_shift"] > SHIFT_LIMIT or measures["force"] > FORCE_LIMIT:
        return "collided"
    return "ok"


def walk_in(rig: Rig, stand: np.ndarray) -> None:
    """Walk to a planar pose (3,) in map by the truth, with open eyes, and stand still."""
    for _ in range(WAY_TICKS):
        pose = planar_from_transform(rig.plant.truth().map_from_base)
        error = compose(invert(pose), stand)
        if np.hypot(error[0], error[1]) < 0.01 and abs(error[2]) < 0.015:
            break
        rig.tick(Command(twist=np.clip(1.5 * error, -WAY_SPEED, WAY_SPEED)))
    rig.hold(STILL, STILL_TICKS)


def walk_in_a_circle(rig: Rig, time: float) -> None:
    """Walk to the left round the middle of the bay for a time [s], and stop."""
    radius = CIRCLE[0] / CIRCLE[2]
    carry_to(rig, np.array([0.5 * SIZE[0], 0.5 * SIZE[1] - radius, 0.0]))
    rig.hold_blindly(Command(twist=CIRCLE), round(time / TICK))
    rig.hold_blindly(STILL, STILL_TICKS)


def carry_to(rig: Rig, map_from_base: np.ndarray) -> None:
    """Put the robot and the item that it holds at a planar pose (3,) in map."""
    plant = rig.plant
    data, model = plant.data, plant.model
    base = model.joint(int(model.body(plant_model(rig.robot).base).jntadr[0]))
    old = planar_from_transform(plant.truth().map_from_base)
    new_from_old = transform_from_planar(map_from_base) @ inverse(transform_from_planar(old))
    for joint in (base, model.joint(f"item/{ITEM}")):
        at, vel = int(joint.qposadr[0]), int(joint.dofadr[0])
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, data.qpos[at + 3 : at + 7])
        pose = new_from_old @ transform_from(data.qpos[at : at + 3], rotation.reshape(3, 3))
        data.qpos[at : at + 3] = pose[:3, 3]
        data.qpos[at + 3 : at + 7] = quaternion_from_rotation(pose[:3, :3])[[3, 0, 1, 2]]
        # Free joints move along map's axes and turn about their own.
        data.qvel[vel : vel + 3] = new_from_old[:3, :3] @ data.qvel[vel : vel + 3]
    mujoco.mj_forward(model, data)


def holds_item(rig: Rig) -> bool:
    """Whether the robot has the item between its jaws.

    While the robot moves, one of the jaws may lose contact for a physics step.
    """
    truth = rig.plant.truth()
    away = truth.items[ITEM][:3, 3] - rig.plant.data.site(TOOL).xpos
    touched = ITEM in truth.touched_items and float(np.linalg.norm(away)) < NEAR_TOOL
    return truth.held == ITEM or touched


def _measures(rig: Rig, height: float) -> dict[str, float]:
    """How the item is at the end; `height` [m]: of its centre where it stood or belongs."""
    pose = rig.plant.truth().items[ITEM]
    below = 0.0 if holds_item(rig) else height - float(pose[2, 3])
    return {"upright": float(pose[2, 2]), "below": below}


def _hand_error(rig: Rig, tool_from_item: np.ndarray) -> float:
    """Distance [m] between an item in the hand as the skill reports it and as it is."""
    site = rig.plant.data.site(TOOL)
    map_from_tool = transform_from(site.xpos, site.xmat.reshape(3, 3))
    truth = inverse(map_from_tool) @ rig.plant.truth().items[ITEM]
    return float(np.linalg.norm(truth[:3, 3] - tool_from_item[:3, 3]))
