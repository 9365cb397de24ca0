"""Trials of walk and approach in full physics: a start, a goal, one run of the skill, the truth."""

from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

import numpy as np

from hrl_core.geometry import (
    compose,
    inverse,
    invert,
    planar_from_transform,
    transform_from_planar,
    wrap_angle,
)
from hrl_core.outcomes import Code
from hrl_core.robot import Robot
from hrl_core.sensed import Detection, Localisation, Odometry, Sensed
from hrl_core.site import Site
from hrl_perception.perception import Perception
from hrl_sim_bridge.floorplan import Rectangle, clearance, distance_to_path
from hrl_sim_bridge.plant import Plant, PlantOptions
from hrl_sim_bridge.trial import Trial
from hrl_sim_bridge.world import World
from hrl_skills import approach, walk
from hrl_skills.approach import Approach
from hrl_skills.pilot import SteeringPolicy
from hrl_skills.skill import TICK, ApproachGoal, Command, Skill, WalkGoal
from hrl_skills.walk import Walk
from hrl_training.scripts import script_policy

SkillName = Literal["walk", "approach"]
START_AT_FACE = 0.4  # share of walks that begin where a grasp or place ended
ROOM = 0.06  # m, free round the footprint at the start
ROOM_AT_FACE = 0.03  # m, the same where the robot stands at a shelf
PERSON_TO_START = 1.3  # m, between the start and the routes of people
STILL_TICKS = 10  # ticks after the end, before the truth is read
CAMERA = "camera"
CAMERA_TICKS = 2  # a picture every second tick
CAMERA_RANGE, CAMERA_HALF_FIELD = 4.0, 0.6  # m, rad: what perfect eyes see of markers
START_SD = np.array([0.05, 0.05, 0.02])  # m, m, rad: what perception is told of the start


@dataclass(frozen=True)
class Row:
    """One trial: what happened and what was true."""

    seed: int
    success: bool
    label: str  # "ok" or why not
    code: str
    detail: str
    duration: float  # s
    position_error: float  # m, true
    yaw_error: float  # deg, true
    distance: float  # m, from start to goal
    path: float  # m walked
    touched: tuple[str, ...]

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Task:
    """One draw: a trial of the world with its own start, the skill's goal, the true goal pose."""

    trial: Trial
    goal: WalkGoal | ApproachGoal
    map_from_goal: np.ndarray  # (3,)


class Eyes(Protocol):
    """Where the robot is and what it sees of targets."""

    def look(self, odometry: Odometry) -> tuple[Localisation, dict[str, Detection]]: ...


class TrueEyes:
    """Perfect perception, to tell control from perception: `--no-vision`."""

    def __init__(self, plant: Plant, site: Site) -> None:
        self._plant, self._site = plant, site
        self._detections: dict[str, Detection] = {}

    def look(self, odometry: Odometry) -> tuple[Localisation, dict[str, Detection]]:
        map_from_base = planar_from_transform(self._plant.truth().map_from_base)
        odom_from_base = planar_from_transform(odometry.odom_from_base)
        map_from_odom = compose(map_from_base, invert(odom_from_base))
        odom_from_map = inverse(transform_from_planar(map_from_odom))
        for name in targets(self._site):
            face = self._site.face(name)
            offset = face[:2, 3] - map_from_base[:2]
            bearing = wrap_angle(np.arctan2(offset[1], offset[0]) - map_from_base[2])
            in_front = float(face[:2, 0] @ -offset) > 0.3
            near = np.hypot(*offset) < CAMERA_RANGE
            if near and in_front and abs(bearing) < CAMERA_HALF_FIELD:
                self._detections[name] = Detection(
                    stamp=odometry.stamp,
                    kind="bin" if name in self._site.bins else "station",
                    name=name,
                    marker_id=0,
                    odom_from_object=odom_from_map @ face,
                    covariance=np.eye(6) * 1e-6,
                    confidence=1.0,
                )
        covariance = np.diag([1e-4, 1e-4, 1e-4])
        return Localisation(odometry.stamp, map_from_odom, covariance), dict(self._detections)


class CameraEyes:
    """The project's own perception on rendered pictures and the scan."""

    def __init__(self, plant: Plant, site: Site, robot: Robot, seed: int) -> None:
        self._plant, self._ticks = plant, 0
        self._perception = Perception(site, robot)
        start = plant.trial.start + np.random.default_rng([seed, 5]).normal(size=3) * START_SD
        self._perception.reset(start, np.diag(START_SD**2), plant.odometry())

    def look(self, odometry: Odometry) -> tuple[Localisation, dict[str, Detection]]:
        frames = []
        if self._ticks % CAMERA_TICKS == 0:
            frame = self._plant.image(CAMERA)
            frames = [] if frame is None else [frame]
        self._ticks += 1
        return self._perception.update(
            odometry, frames, self._plant.joints(), self._plant.scan(), odometry.stamp
        )


def targets(site: Site) -> list[str]:
    """Everything that can be approached."""
    return [*site.bins, *(station.name for station in site.stations)]


def draw_task(world: World, robot: Robot, skill: SkillName, seed: int) -> Task:
    """The task of a seed: the world's own trial with a start and a goal for this skill."""
    rng = np.random.default_rng([seed, 11])
    trial, site = world.sample(seed), world.site
    boxes = [Rectangle(f"{k}", box.pose, box.size[:2]) for k, box in enumerate(trial.obstacles)]
    for _ in range(2000):
        target = str(rng.choice(targets(site)))
        if skill == "approach":
            map_from_goal = site.pose_in_front(target, site.standoff)
            distance, bearing = rng.uniform(0.5, 3.0), rng.uniform(-1.4, 1.4)
            away = [
                -distance * np.cos(bearing),
                distance * np.sin(bearing),
                rng.uniform(-0.5 * np.pi, 0.5 * np.pi),
            ]
            start, room = compose(map_from_goal, np.array(away)), ROOM
            goal = ApproachGoal(target, site.standoff)
        else:
            map_from_goal = _walk_goal(site, target, rng)
            if rng.random() < START_AT_FACE:
                start = site.pose_in_front(str(rng.choice(targets(site))), site.standoff)
                room = ROOM_AT_FACE
            else:
                start = np.array([*rng.uniform(0, site.size), rng.uniform(-np.pi, np.pi)])
                room = ROOM
            goal = WalkGoal(map_from_goal)
            if np.hypot(*(start - map_from_goal)[:2]) < 0.8:
                continue
        if _footprint_room(site, boxes, robot, map_from_goal) < ROOM_AT_FACE:
            continue
        if _footprint_room(site, boxes, robot, start) < room:
            continue
        if any(distance_to_path(p.route, start[:2]) < PERSON_TO_START for p in trial.people):
            continue
        return Task(replace(trial, start=start), goal, map_from_goal)
    raise ValueError(f"no free start and goal for {skill} with seed {seed} in {site.name}")


def _walk_goal(site: Site, target: str, rng: np.random.Generator) -> np.ndarray:
    """Most walks of a mission end at a staging pose, some at a waypoint."""
    if site.waypoints and rng.random() < 0.25:
        return np.array(site.waypoints[str(rng.choice(list(site.waypoints)))].pose)
    return site.pose_in_front(target, site.staging)


def _footprint_room(site: Site, boxes: list[Rectangle], robot: Robot, pose: np.ndarray) -> float:
    heading = np.array([np.cos(pose[2]), np.sin(pose[2])])
    centres = pose[:2] + np.array(robot.base.footprint_x)[:, None] * heading
    return float(clearance(site, boxes, centres).min()) - robot.base.footprint_radius


def make_skill(
    skill: SkillName, site: Site, robot: Robot, policy: SteeringPolicy | None = None
) -> Skill:
    """The skill with its trained policy, or with the one given."""
    return (Walk if skill == "walk" else Approach)(site, robot, policy)


def run_trial(
    world: World,
    robot: Robot,
    skill_name: SkillName,
    seed: int,
    *,
    vision: bool = True,
    scripted: bool = False,
) -> Row:
    """Run one trial and compare its end with the truth."""
    task = draw_task(world, robot, skill_name, seed)
    site = world.site
    policy = script_policy(skill_name, robot) if scripted else None
    skill = make_skill(skill_name, site, robot, policy)
    plant = Plant(world, task.trial, robot, options=PlantOptions(skin=False))
    try:
        eyes = CameraEyes(plant, site, robot, seed) if vision else TrueEyes(plant, site)
        return _run(plant, eyes, skill, skill_name, task)
    finally:
        plant.close()


def _run(plant: Plant, eyes: Eyes, skill: Skill, skill_name: SkillName, task: Task) -> Row:
    skill.start(task.goal, _sense(plant, eyes))
    outcome, last = None, planar_from_transform(plant.truth().map_from_base)
    start, path, steps = last, 0.0, 0
    while outcome is None and steps < skill.max_steps and not plant.truth().fallen:
        tick = skill.tick(_sense(plant, eyes))
        plant.step(tick.command)
        outcome, steps = tick.outcome, steps + 1
        now = planar_from_transform(plant.truth().map_from_base)
        path, last = path + float(np.hypot(*(now - last)[:2])), now
    for _ in range(STILL_TICKS):
        plant.step(Command(twist=np.zeros(3)))
    truth = plant.truth()
    error = compose(invert(planar_from_transform(truth.map_from_base)), task.map_from_goal)
    position, yaw = float(np.hypot(*error[:2])), float(abs(error[2]))
    limits = walk if skill_name == "walk" else approach
    in_tolerance = position < limits.POSITION_TOLERANCE and yaw < limits.YAW_TOLERANCE
    code = Code.STEP_LIMIT if outcome is None else outcome.code
    if truth.fallen:
        label = "fell"
    elif truth.touches:
        label = "collided"
    elif code is Code.STEP_LIMIT:
        label = "timed out"
    elif code is not Code.SUCCEEDED:
        label = "failed: " + code.name.lower().replace("_", " ")
    else:
        label = "ok" if in_tolerance else "false success"
    return Row(
        seed=task.trial.seed,
        success=label == "ok",
        label=label,
        code=code.name,
        detail="" if outcome is None else outcome.detail,
        duration=steps * TICK,
        position_error=position,
        yaw_error=float(np.rad2deg(yaw)),
        distance=float(np.hypot(*(task.map_from_goal - start)[:2])),
        path=path,
        touched=tuple(f"{name} ({touch.force:.0f} N)" for name, touch in truth.touches.items()),
    )


def _sense(plant: Plant, eyes: Eyes) -> Sensed:
    odometry = plant.odometry()
    localisation, detections = eyes.look(odometry)
    return Sensed(
        stamp=plant.time,
        scan=plant.scan(),
        joints=plant.joints(),
        odometry=odometry,
        imu=plant.imu(),
        localisation=localisation,
        detections=detections,
    )
