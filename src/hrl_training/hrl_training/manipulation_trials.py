"""Trials of grasp and place in full physics: the robot on its feet, one run, then the truth.

A trial of place begins with a real grasp; then the robot is put, as it stands and with what it
holds, in front of the station.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

import mujoco
import numpy as np

from hrl_core.geometry import (
    compose,
    inverse,
    planar_from_transform,
    quaternion_from_rotation,
    transform_from_planar,
)
from hrl_core.outcomes import Code, Outcome
from hrl_core.robot import Robot
from hrl_core.sensed import Detection, Localisation, Odometry, Sensed
from hrl_core.site import Site
from hrl_perception.perception import Perception
from hrl_sim_bridge.judge import judge
from hrl_sim_bridge.plant import Plant, PlantOptions
from hrl_sim_bridge.robot_model import plant_model
from hrl_sim_bridge.trial import Order, Trial
from hrl_sim_bridge.truth import Truth
from hrl_sim_bridge.world import World
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.shield import Shield
from hrl_skills.skill import (
    TICK,
    Command,
    GoalRejected,
    GraspGoal,
    PlaceGoal,
    Skill,
    failed,
)

SkillName = Literal["grasp", "place"]
STANDOFF_ERROR = np.array([0.04, 0.04, 0.07])  # m, m, rad, plus or minus: what approach leaves
STILL_TICKS = 10  # before a skill, so that the robot stands and sees
WALK = (np.array([-0.3, 0.0, 0.0]), np.array([0.2, 0.0, 0.6]))  # m/s, m/s, rad/s, after a grasp
WALK_TICKS = 15  # of each of them
CAMERA_TICKS = 2  # a picture every second tick
START_SD = np.array([0.03, 0.03, 0.02])  # m, m, rad: what perception is told of the start
ITEM_BIAS, ITEM_NOISE = 0.003, 0.0015  # m, sd of `--no-vision` poses: in a trial, at each tick


@dataclass(frozen=True)
class Row:
    """One trial: what happened and what was true."""

    seed: int
    success: bool
    label: str  # "ok" or why not
    code: str
    detail: str
    item: str
    place: str  # bin or station
    duration: float  # s
    error: float  # m: place: of the item; grasp: of the item in the hand
    force: float  # N, the largest on shelf, station or floor
    touched: tuple[str, ...]

    def as_dict(self) -> dict:
        return asdict(self)


class Eyes(Protocol):
    """What is seen, and where the robot is."""

    def look(self, odometry: Odometry) -> tuple[Localisation, dict[str, Detection]]: ...


class TrueEyes:
    """True poses with a bias and noise, to tell control from perception: `--no-vision`."""

    def __init__(self, plant: Plant, site: Site, seed: int) -> None:
        self._plant, self._site = plant, site
        self._rng = np.random.default_rng([seed, 7])
        self._bias: dict[str, np.ndarray] = {}

    def look(self, odometry: Odometry) -> tuple[Localisation, dict[str, Detection]]:
        truth, site = self._plant.truth(), self._site
        odom_from_map = odometry.odom_from_base @ inverse(truth.map_from_base)
        faces = [*site.bins, *(station.name for station in site.stations)]
        seen = {name: site.face(name) for name in faces} | truth.items
        detections = {}
        for name, pose in seen.items():
            bias = self._bias.setdefault(name, self._rng.normal(0, ITEM_BIAS, 3))
            noisy = odom_from_map @ pose
            noisy[:3, 3] += bias + self._rng.normal(0, ITEM_NOISE, 3)
            kind = "bin" if name in site.bins else "item" if name in truth.items else "station"
            detections[name] = Detection(
                odometry.stamp, kind, name, 0, noisy, np.eye(6) * 1e-5, confidence=1.0
            )
        map_from_odom = planar_from_transform(inverse(odom_from_map))
        return Localisation(odometry.stamp, map_from_odom, np.eye(3) * 1e-4), detections


class CameraEyes:
    """The project's own perception on the pictures of both cameras."""

    def __init__(self, plant: Plant, site: Site, robot: Robot, seed: int) -> None:
        self._plant, self._cameras, self._ticks = plant, tuple(robot.cameras), 0
        self._perception = Perception(site, robot)
        pose = planar_from_transform(plant.truth().map_from_base)
        start = pose + np.random.default_rng([seed, 5]).normal(size=3) * START_SD
        self._perception.reset(start, np.diag(START_SD**2), plant.odometry())

    def look(self, odometry: Odometry) -> tuple[Localisation, dict[str, Detection]]:
        frames = []
        if self._ticks % CAMERA_TICKS == 0:
            frames = [self._plant.image(name) for name in self._cameras]
        self._ticks += 1
        return self._perception.update(
            odometry,
            [frame for frame in frames if frame is not None],
            self._plant.joints(),
            self._plant.scan(),
            odometry.stamp,
        )


class Bench:
    """A plant with eyes, on which one goal after the other can be run."""

    def __init__(self, world: World, trial: Trial, robot: Robot, vision: bool) -> None:
        self.world, self.robot, self.vision = world, robot, vision
        self.plant = Plant(world, trial, robot, options=PlantOptions(skin=False))
        self.fell = False
        self.open_eyes()

    def open_eyes(self) -> None:
        """Forget what was seen, and look until things are known."""
        plant, site, seed = self.plant, self.world.site, self.plant.trial.seed
        self._eyes: Eyes = TrueEyes(plant, site, seed)
        if self.vision:
            self._eyes = CameraEyes(plant, site, self.robot, seed)
        for _ in range(STILL_TICKS):
            self.tick(Command(twist=np.zeros(3)))

    def tick(self, command: Command) -> Sensed:
        """Advance by a tick and sense."""
        plant = self.plant
        plant.step(command)
        odometry = plant.odometry()
        localisation, detections = self._eyes.look(odometry)
        self.sensed = Sensed(
            plant.time,
            plant.scan(),
            plant.joints(),
            odometry,
            plant.imu(),
            localisation,
            detections,
        )
        return self.sensed

    def run(self, skill: Skill, goal: GraspGoal | PlaceGoal) -> tuple[Outcome, int]:
        """Run a goal to its outcome: that and the number of ticks."""
        runner = SkillRunner(skill, Shield(self.robot), Limits())
        try:
            runner.start(goal, self.sensed)
        except GoalRejected as error:
            return failed(error.code, str(error)), 0
        while True:
            tick = runner.tick(self.sensed)
            self.tick(tick.command)
            if tick.outcome is not None:
                return tick.outcome, runner.steps
            if self.plant.truth().fallen:
                return failed(Code.FELL, "the robot fell"), runner.steps

    def carry_to(self, map_from_base: np.ndarray, item: str) -> None:
        """Put the robot and the item that it holds at a planar pose (3,) in map."""
        plant = self.plant
        data, model = plant.data, plant.model
        base = model.joint(int(model.body(plant_model(self.robot).base).jntadr[0]))
        old = plant.truth().map_from_base
        planar = planar_from_transform(old)
        new_from_old = transform_from_planar(map_from_base) @ inverse(transform_from_planar(planar))
        for joint in (base, model.joint(f"item/{item}")):
            at, vel = int(joint.qposadr[0]), int(joint.dofadr[0])
            pose = np.eye(4)
            rotation = np.zeros(9)
            mujoco.mju_quat2Mat(rotation, data.qpos[at + 3 : at + 7])
            pose[:3, :3], pose[:3, 3] = rotation.reshape(3, 3), data.qpos[at : at + 3]
            pose = new_from_old @ pose
            data.qpos[at : at + 3] = pose[:3, 3]
            data.qpos[at + 3 : at + 7] = quaternion_from_rotation(pose[:3, :3])[[3, 0, 1, 2]]
            # Free joints move along map's axes and turn about their own.
            data.qvel[vel : vel + 3] = new_from_old[:3, :3] @ data.qvel[vel : vel + 3]
        mujoco.mj_forward(model, data)

    def close(self) -> None:
        self.plant.close()


def draw(world: World, seed: int) -> tuple[Trial, np.ndarray]:
    """The trial of a seed with the robot in front of the ordered bin, and its error (3,) there."""
    rng = np.random.default_rng([seed, 13])
    trial = world.sample(seed)
    error = rng.uniform(-1, 1, 3) * STANDOFF_ERROR
    start = compose(world.site.pose_in_front(trial.order.from_bin, world.site.standoff), error)
    trial = replace(trial, start=start, start_estimate=start, obstacles=(), people=(), faults=())
    return trial, rng.uniform(-1, 1, 3) * STANDOFF_ERROR


def run_trial(
    world: World, robot: Robot, skills: dict[str, Skill], skill: SkillName, seed: int, vision: bool
) -> Row:
    """Run one trial and compare its end with the truth."""
    trial, error_at_station = draw(world, seed)
    bench = Bench(world, trial, robot, vision)
    try:
        order = trial.order
        outcome, steps = bench.run(skills["grasp"], GraspGoal(order.item, order.from_bin))
        if skill == "grasp":
            return _grasp_row(bench, order, outcome, steps)
        if not outcome.succeeded or bench.plant.truth().held != order.item:
            return _row(bench, order.item, order.from_bin, outcome, steps, "no grasp to start from")
        station = world.site.pose_in_front(order.to_station, world.site.standoff)
        bench.carry_to(compose(station, error_at_station), order.item)
        bench.open_eyes()
        goal = PlaceGoal(order.to_station, order.item, np.zeros(2), outcome.pose)
        outcome, steps = bench.run(skills["place"], goal)
        return _place_row(bench, order, outcome, steps)
    finally:
        bench.close()


def _grasp_row(bench: Bench, order: Order, outcome: Outcome, steps: int) -> Row:
    held = bench.plant.truth().held == order.item
    error = np.inf
    if held and outcome.pose is not None:
        error = _hand_error(bench, order.item, outcome.pose)
    if outcome.succeeded:
        for twist in WALK:
            for _ in range(WALK_TICKS):
                bench.tick(Command(twist=twist))
    truth = bench.plant.truth()
    if not outcome.succeeded:
        label = "failed: " + outcome.code.name.lower().replace("_", " ")
        if held:
            label = "false failure"
    elif not held:
        label = "false success"
    else:
        label = "ok" if truth.held == order.item else "lost while walking"
    return _row(bench, order.item, order.from_bin, outcome, steps, label, error)


def _hand_error(bench: Bench, item: str, tool_from_item: np.ndarray) -> float:
    """Distance [m] between an item in the hand as the skill reports it and as it is."""
    site = bench.plant.data.site("tool")
    map_from_tool = np.eye(4)
    map_from_tool[:3, :3], map_from_tool[:3, 3] = site.xmat.reshape(3, 3), site.xpos
    truth = inverse(map_from_tool) @ bench.plant.truth().items[item]
    return float(np.linalg.norm(truth[:3, 3] - tool_from_item[:3, 3]))


def _place_row(bench: Bench, order: Order, outcome: Outcome, steps: int) -> Row:
    for _ in range(STILL_TICKS):
        bench.tick(Command())
    judgement = judge(bench.plant.truth(), order, bench.world.site)
    if outcome.succeeded:
        label = "ok" if judgement.delivered else "false success"
    else:
        label = "failed: " + outcome.code.name.lower().replace("_", " ")
        if judgement.delivered:
            label = "false failure"
    error = judgement.placement_error
    return _row(bench, order.item, order.to_station, outcome, steps, label, error)


def _row(
    bench: Bench,
    item: str,
    place: str,
    outcome: Outcome,
    steps: int,
    label: str,
    error: float = np.inf,
) -> Row:
    truth: Truth = bench.plant.truth()
    if truth.fallen:
        label = "fell"
    forces = {name: touch.force for name, touch in truth.touches.items()}
    return Row(
        seed=bench.plant.trial.seed,
        success=label == "ok",
        label=label,
        code=outcome.code.name,
        detail=outcome.detail,
        item=item,
        place=place,
        duration=steps * TICK,
        error=error if np.isfinite(error) else -1.0,
        force=max(forces.values(), default=0.0),
        touched=tuple(f"{name} ({force:.0f} N)" for name, force in forces.items()),
    )
