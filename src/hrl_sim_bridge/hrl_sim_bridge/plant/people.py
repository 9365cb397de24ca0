"""People: they walk to and fro on a route or step in and leave, and stop for the robot."""

import numpy as np

from hrl_core.floor.clearance import footprint_circles
from hrl_core.floor.paths import path_length, point_on
from hrl_core.robot import Base
from hrl_sim_bridge.plant.warehouse import PERSON_RADIUS
from hrl_sim_bridge.trials.trial import Person

STOP_GAP = 0.6  # m between a person and the robot's footprint
PATIENCE = 3.0  # s; then they turn round, so that nobody waits for ever
LOOK_AHEAD = 0.3  # m
VISITOR_SPEED = 0.8  # m/s


class Walker:
    """One person on a route."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._length = path_length(person.route)
        self._along, self._direction, self._waited = person.begin, 1.0, 0.0
        if self._along > self._length:
            self._along, self._direction = 2 * self._length - self._along, -1.0

    @property
    def position(self) -> np.ndarray:
        """(2,) m in map."""
        return point_on(self._person.route, self._along)

    def advance(self, dt: float, base: Base, robot_pose: np.ndarray) -> None:
        """Walk for dt [s], unless the robot at planar `robot_pose` (3,) is in the way."""
        ahead = point_on(self._person.route, self._along + LOOK_AHEAD * self._direction)
        here_gap, ahead_gap = (gap(point, base, robot_pose) for point in (self.position, ahead))
        if ahead_gap < STOP_GAP and ahead_gap < here_gap:
            self._waited += dt
            if self._waited > PATIENCE:
                self._direction, self._waited = -self._direction, 0.0
            return
        self._waited = 0.0
        self._along += self._direction * self._person.speed * dt
        if not 0 <= self._along <= self._length:
            self._along = float(np.clip(self._along, 0, self._length))
            self._direction = -self._direction


class Visitor:
    """Somebody who walks from `entry` to `place` (2,) m in map, stands there, and walks back."""

    def __init__(self, entry: np.ndarray, place: np.ndarray) -> None:
        self.entry = entry
        self.position = entry.copy()
        self._goal = place
        self.leaving = False
        self._waited = 0.0

    @property
    def arrived(self) -> bool:
        return bool(np.linalg.norm(self._goal - self.position) < 1e-6)

    @property
    def stuck(self) -> bool:
        """Whether the robot has been in the way for too long."""
        return self._waited > PATIENCE

    def leave(self, exit_: np.ndarray) -> None:
        """Walk to a point (2,) m in map from now on, to be gone there."""
        self._goal, self.leaving, self._waited = exit_, True, 0.0

    def advance(self, dt: float, base: Base, robot_pose: np.ndarray) -> None:
        """Walk for dt [s], unless the robot at planar `robot_pose` (3,) is in the way."""
        way = self._goal - self.position
        distance = float(np.linalg.norm(way))
        if distance < 1e-6:
            return
        direction = way / distance
        ahead = self.position + min(LOOK_AHEAD, distance) * direction
        here_gap, ahead_gap = (gap(point, base, robot_pose) for point in (self.position, ahead))
        if ahead_gap < STOP_GAP and ahead_gap < here_gap:
            self._waited += dt
            return
        self._waited = 0.0
        self.position = self.position + min(VISITOR_SPEED * dt, distance) * direction


def gap(point: np.ndarray, base: Base, robot_pose: np.ndarray) -> float:
    """Distance [m] from a person at `point` (2,) m to the robot's footprint."""
    centres = footprint_circles(robot_pose, np.array(base.footprint_x))
    nearest = np.linalg.norm(centres - point, axis=1).min()
    return float(nearest) - base.footprint_radius - PERSON_RADIUS
