"""The rig of all trials: a plant with eyes, on which one goal after the other can be run."""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from hrl_core.control import TICK, Command
from hrl_core.geometry import inverse, planar_from_transform
from hrl_core.outcomes import Code, Outcome
from hrl_core.robot import Robot
from hrl_core.sensed import CameraFrame, Detection, Joints, Localisation, Odometry, Scan, Sensed
from hrl_core.site import Site
from hrl_perception.perception import Perception
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import FaultKind
from hrl_sim_bridge.worlds.world import World
from hrl_skills.robot_shield import RobotShield
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.skill import GoalRejected, Skill, failed
from hrl_skills.success_model import SuccessModel
from hrl_training.trials.row import Watch

CAMERA_TICKS = 2  # a picture every second tick
START_SD = np.array([0.03, 0.03, 0.02])  # m, m, rad: what perception is told of the start
TRUE_BIAS, TRUE_NOISE = 0.003, 0.0015  # m, sd of true poses as given: in a trial, at each look
TRUE_RANGE, TRUE_HALF_FIELD = 4.0, 0.9  # m, rad: what true eyes see
STILL = Command(twist=np.zeros(3))


@dataclass(frozen=True)
class Run:
    """How one goal went, and what the robot thought of it before."""

    outcome: Outcome
    steps: int
    conditions: dict[str, float] = field(default_factory=dict)
    chance: float | None = None

    @property
    def duration(self) -> float:
        """Time [s]."""
        return self.steps * TICK


class Eyes(Protocol):
    """What is seen, and where the robot is."""

    def look(
        self, odometry: Odometry, joints: Joints, scan: Scan | None
    ) -> tuple[Localisation, dict[str, Detection]]: ...


class TrueEyes:
    """True poses with a small error, to tell control from perception: `--no-vision`.

    What is out of the field of view or covered stays where it was seen last.
    """

    def __init__(self, plant: Plant, site: Site) -> None:
        self._plant, self._site = plant, site
        self._rng = np.random.default_rng([plant.trial.seed, 7])
        self._bias: dict[str, np.ndarray] = {}
        self._detections: dict[str, Detection] = {}

    def look(
        self, odometry: Odometry, joints: Joints, scan: Scan | None
    ) -> tuple[Localisation, dict[str, Detection]]:
        plant, site = self._plant, self._site
        truth = plant.truth()
        odom_from_map = odometry.odom_from_base @ inverse(truth.map_from_base)
        faces = [*site.bins, *(station.name for station in site.stations)]
        base_from_map = inverse(truth.map_from_base)
        for name, pose in ({name: site.face(name) for name in faces} | truth.items).items():
            is_item = name in truth.items
            base_from_thing = base_from_map @ pose
            noise = self._rng.normal(0, TRUE_NOISE, 3)
            bias = self._bias.setdefault(name, self._rng.normal(0, TRUE_BIAS, 3))
            if not _in_view(base_from_thing, is_item) or self._covered(name):
                continue
            noisy = odom_from_map @ pose
            noisy[:3, 3] += bias + noise
            kind = "item" if is_item else "bin" if name in site.bins else "station"
            marker = site.items[name].marker if is_item else 0
            self._detections[name] = Detection(
                odometry.stamp, kind, name, marker, noisy, np.eye(6) * 1e-5, confidence=1.0
            )
        map_from_odom = planar_from_transform(inverse(odom_from_map))
        return Localisation(odometry.stamp, map_from_odom, np.eye(3) * 1e-4), dict(self._detections)

    def _covered(self, name: str) -> bool:
        return any(
            fault.kind is FaultKind.MARKER_OCCLUDED
            and fault.target == name
            and fault.active(self._plant.time)
            for fault in self._plant.trial.faults
        )


class CameraEyes:
    """The project's own perception on pictures, which come `latency` [s] late on average."""

    def __init__(
        self, plant: Plant, site: Site, robot: Robot, cameras: tuple[str, ...], latency: float
    ) -> None:
        self._plant, self._cameras, self._latency = plant, cameras, latency
        self._ticks = 0
        self._rng = np.random.default_rng([plant.trial.seed, 5])
        self._coming: deque[tuple[int, CameraFrame]] = deque()  # tick of arrival, picture
        self._perception = Perception(site, robot)
        pose = planar_from_transform(plant.truth().map_from_base)
        start = pose + START_SD * self._rng.standard_normal(3)
        self._perception.reset(start, np.diag(START_SD**2), plant.odometry())

    def look(
        self, odometry: Odometry, joints: Joints, scan: Scan | None
    ) -> tuple[Localisation, dict[str, Detection]]:
        if self._ticks % CAMERA_TICKS == 0:
            # Between two ticks it comes at one of them, so that the mean is right.
            late = int(self._latency / TICK + self._rng.random())
            frames = [self._plant.image(name) for name in self._cameras]
            self._coming.extend((self._ticks + late, frame) for frame in frames if frame)
        here = []
        while self._coming and self._coming[0][0] <= self._ticks:
            here.append(self._coming.popleft()[1])
        self._ticks += 1
        return self._perception.update(odometry, here, joints, scan, odometry.stamp)


class Rig:
    """One robot in one trial. `sensed` is what it knows now; `watch` is called after each tick.

    vision: False gives it true poses. cameras: those it looks through; None: all.
    """

    def __init__(
        self,
        world: World,
        trial: Trial,
        robot: Robot,
        *,
        vision: bool = True,
        latency: float = 0.0,
        cameras: tuple[str, ...] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.world, self.robot = world, robot
        self._latency, self._watch = latency, watch
        self._camera_names = tuple(robot.cameras) if cameras is None else cameras
        self.plant = Plant(world, trial, robot, options=PlantOptions(skin=watch is not None))
        self.open_eyes(vision)

    def open_eyes(self, vision: bool) -> None:
        """Forget what was seen, and look once: through the cameras, or at true poses."""
        plant, site = self.plant, self.world.site
        self._eyes: Eyes = TrueEyes(plant, site)
        if vision:
            self._eyes = CameraEyes(plant, site, self.robot, self._camera_names, self._latency)
        self.tick(STILL)

    def tick(self, command: Command) -> Sensed:
        """Advance by a tick and sense."""
        plant = self.plant
        plant.step(command)
        sensed = plant.sensed()
        odometry, joints = sensed.odometry, sensed.joints
        assert odometry is not None and joints is not None, "they have no outages"
        localisation, detections = self._eyes.look(odometry, joints, sensed.scan)
        self.sensed = replace(sensed, localisation=localisation, detections=detections)
        if self._watch is not None:
            self._watch(plant)
        return self.sensed

    def hold(self, command: Command, ticks: int) -> None:
        """The same command for some ticks."""
        for _ in range(ticks):
            self.tick(command)

    def hold_blindly(self, command: Command, ticks: int) -> None:
        """The same after the last goal, when nothing has to be sensed any more."""
        for _ in range(ticks):
            self.plant.step(command)
            if self._watch is not None:
                self._watch(self.plant)

    def run(self, skill: Skill, goal: Any, success_model: SuccessModel | None = None) -> Run:
        """Run a goal to its outcome behind the shield, as the skill server does.

        `success_model`: the model that says before the start how likely it is to succeed.
        """
        runner = SkillRunner(skill, RobotShield(self.robot), Limits())
        try:
            runner.start(goal, self.sensed)
        except GoalRejected as error:
            return Run(failed(error.code, str(error)), 0)
        conditions = skill.conditions(goal, self.sensed)
        chance = None if success_model is None else success_model.probability(conditions)
        while True:
            tick = runner.tick(self.sensed)
            self.tick(tick.command)
            outcome = tick.outcome
            if outcome is None and self.plant.truth().fallen:
                outcome = failed(Code.FELL, "the robot fell")
            if outcome is not None:
                return Run(outcome, runner.steps, conditions, chance)

    def close(self) -> None:
        self.plant.close()


def _in_view(base_from_thing: np.ndarray, is_item: bool) -> bool:
    """Whether the robot, looking ahead, would see a thing; a face only from its front."""
    x, y = base_from_thing[:2, 3]
    in_front = is_item or float(base_from_thing[:2, 0] @ [-x, -y]) > 0.3
    return in_front and np.hypot(x, y) < TRUE_RANGE and abs(np.arctan2(y, x)) < TRUE_HALF_FIELD
