"""How the robot comes to rest in the plant: one run per way of stopping, velocity and stride."""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from hrl_core.control import TICK, Command
from hrl_core.geometry import compose, invert, planar_from_transform, wrap_angle
from hrl_core.robot import Robot
from hrl_core.sensed import Scan, Sensed
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_skills.robot_shield import RobotShield

WORLD = "open_bay"
MIDDLE = np.array([2.3, 1.9, 0.0])  # m, m, rad in map; free for 1.7 m all round
RUN_UP = 15  # ticks at the velocity before the event, and some more for the phase of the stride
AFTER = 40  # ticks that are watched from the event on
RESTS = 0.02  # m, rad, from where it stands at last: it sways and steps on the spot
WALL = np.linspace(-0.6, 0.6, 121)  # m, points of what appears, across the way


class Event(Enum):
    """What makes the robot stop."""

    ZERO = "a command of zero"
    SILENCE = "cmd_vel falls silent"
    E_STOP = "the emergency stop"


@dataclass(frozen=True)
class Stop:
    """How one run ended; for turns in rad and rad/s."""

    speed: float  # m/s, when the event came
    seconds: float  # from the event until it stayed within RESTS of where it stood at last
    distance: float  # m, that it was away at most from where the event came
    fell: bool


class StoppingRig:
    """A plant with nothing in the way, set back for every run."""

    def __init__(self, robot: Robot) -> None:
        world = load_world(WORLD)
        self._robot = robot
        self._trial = replace(draw_trial(world, 0, "none"), obstacles=(), people=())
        self._plant = Plant(world, self._trial, robot, options=PlantOptions(skin=False))

    def close(self) -> None:
        """Free the plant."""
        self._plant.close()

    def stop(self, twist: np.ndarray, event: Event, phase: int) -> Stop:
        """Go at a twist (3,), let the event come in a phase [ticks] of the stride, and watch."""
        self._plant.reset(self._through_the_middle(twist))
        for _ in range(RUN_UP + phase):
            self._plant.step(Command(twist=twist))
        # Pressed or killed just as a tick has begun: both count from the next one on.
        late = 0 if event is Event.ZERO else 1
        rest = Command() if event is Event.SILENCE else Command(twist=np.zeros(3))
        axis, gone = int(np.argmax(np.abs(twist))), []
        begun, speed = self._pose(), abs(self._plant.truth().twist[axis])
        for tick in range(AFTER):
            self._plant.step(Command(twist=twist) if tick < late else rest)
            way = compose(invert(begun), self._pose())
            gone.append(abs(wrap_angle(way[2])) if axis == 2 else np.hypot(*way[:2]))
        moves = np.flatnonzero(np.abs(np.array(gone) - gone[-1]) > RESTS)
        seconds = TICK * (1 + moves[-1]) if len(moves) else 0.0
        return Stop(float(speed), float(seconds), float(max(gone)), self._plant.truth().fallen)

    def meet(self, twist: np.ndarray, gap: float, phase: int) -> float:
        """Least distance [m] from the footprint to a wall that appears `gap` [m] ahead of it.

        The scan shows the wall, the skill goes on at the twist (3,), the shield alone stops it.
        """
        self._plant.reset(self._through_the_middle(twist))
        shield, wall, least = RobotShield(self._robot), np.zeros((0, 2)), np.inf
        for tick in range(RUN_UP + phase + AFTER):
            if tick == RUN_UP + phase:
                wall = self._wall_ahead(twist, gap, shield)
            if len(wall):
                now = shield.geometry.clearance(_in_frame(wall, self._pose()))
                least = min(least, float(now.min()))
            shield.look(self._sensed(wall))
            self._plant.step(Command(twist=shield.protect(twist)))
        return least

    def _through_the_middle(self, twist: np.ndarray) -> Trial:
        """The trial that starts where the event will find the robot in the middle."""
        start = MIDDLE.copy()
        start[:2] -= 0.8 * RUN_UP * TICK * twist[:2]
        return replace(self._trial, start=start)

    def _pose(self) -> np.ndarray:
        """Planar pose (3,) of base_link in map."""
        return planar_from_transform(self._plant.truth().map_from_base)

    def _wall_ahead(self, twist: np.ndarray, gap: float, shield: RobotShield) -> np.ndarray:
        """Points (n, 2) m in map of a wall across the way, `gap` from the footprint."""
        ahead = twist[:2] / np.hypot(*twist[:2])
        rays = np.arange(0.0, 2.0, 0.005)[:, None] * ahead
        edge = rays[np.argmax(shield.geometry.clearance(rays) > gap)]
        across = WALL[:, None] * np.array([-ahead[1], ahead[0]])
        return _from_frame(edge + across, self._pose())

    def _sensed(self, wall: np.ndarray) -> Sensed:
        """What is sensed now, the wall (n, 2) m in map among it."""
        sensed = self._plant.sensed()
        assert sensed.scan is not None, "the trial has no outage"
        if not len(wall):
            return sensed
        scan = self._with_points(sensed.scan, _in_frame(wall, self._pose()))
        return replace(sensed, scan=scan)

    def _with_points(self, scan: Scan, points: np.ndarray) -> Scan:
        """The scan with points (n, 2) m in base_link that hide what is behind them."""
        mount = self._robot.lidar.mount
        x, y = _in_frame(points, np.array([*mount.position[:2], mount.rpy[2]])).T
        beams = np.round((np.arctan2(y, x) - scan.angle_min) / scan.angle_increment).astype(int)
        ranges = scan.ranges.copy()
        np.fmin.at(ranges, beams % len(ranges), np.hypot(x, y))
        return replace(scan, ranges=ranges)


def _in_frame(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Points (n, 2) m in the planar frame whose pose (3,) is given."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    return (points - pose[:2]) @ np.array([[c, -s], [s, c]])


def _from_frame(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """The inverse of `_in_frame`."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    return points @ np.array([[c, s], [-s, c]]) + pose[:2]
