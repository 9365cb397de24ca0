"""Walk: to a pose up to 15 m away through a warehouse with people, arriving at rest."""

import numpy as np

from hrl_core.control import TICK
from hrl_core.floor.clearance import footprint_circles, footprint_clearance
from hrl_core.geometry import compose, invert, wrap_angle
from hrl_core.robot import Robot
from hrl_skills import planner, walk, walk_observation
from hrl_skills.planner import Clearances
from hrl_training.tasks.navigation.planar_env import PlanarEnv
from hrl_training.tasks.navigation.planar_plant import AWAY
from hrl_training.tasks.navigation.walk_layouts import BOXES, CELL, DETOUR_MAX, GRID, layouts_of
from hrl_training.tasks.ranges import WalkTasks

PEOPLE = 4
PERSON_RADIUS = 0.25  # m
HALT_GAP = (0.2, 0.6)  # m, at which a person who walks towards the robot halts
CARROT_HOPS = round(planner.CARROT_HOPS * planner.CELL / CELL)
AT_FACE_SD = np.array([0.03, 0.03, 0.05])  # m, m, rad
LOCALISATION_BIAS = np.array([0.03, 0.03, 0.015])  # m, m, rad
LOCALISATION_STEP = np.array([0.004, 0.004, 0.002])  # m, m, rad per tick
TRIES = 40

WEIGHTS = {  # besides those of planar_env
    "time": -0.012,
    "near": 0.02,
    "at_goal": 0.02,
    "calm": -0.03,  # speed near the goal
    "aside": -0.02,  # far from the goal: walking sideways
    "backwards": -0.06,  # and backwards
    "distance": -0.06,  # to what stands
    "people": -0.16,  # nearness to people
}


class WalkEnv(PlanarEnv):
    """Each environment takes one of the layouts and one of its goals."""

    max_steps = walk.MAX_STEPS
    sectors_count = walk_observation.SECTORS
    forward_max = None
    position_tolerance = walk.POSITION_TOLERANCE
    yaw_tolerance = float(walk.YAW_TOLERANCE)
    boxes_max = BOXES
    circles_max = PEOPLE
    observation_size = walk_observation.OBSERVATION_SIZE
    mirror = walk_observation.MIRROR

    def __init__(
        self,
        num_envs: int = 256,
        seed: int = 0,
        tasks: WalkTasks | None = None,
        *,
        layout_seed: int = 0,
        robot: Robot | None = None,
    ) -> None:
        self.tasks = tasks = tasks or WalkTasks()
        kept = None if robot is None else Clearances.of(robot.base)
        self.layouts = layouts_of(tasks, layout_seed, kept)
        super().__init__(num_envs, seed, tasks.plant, robot)
        self._which = np.zeros(num_envs, int)  # goal, and by it the layout
        self._bias = np.zeros((num_envs, 3))
        self._wander = np.zeros((num_envs, 3))
        self._heading = np.zeros((num_envs, PEOPLE))
        self._speed = np.zeros((num_envs, PEOPLE))
        self._gap = np.zeros((num_envs, PEOPLE))
        self._halted = np.zeros((num_envs, PEOPLE))  # s
        self._hops = np.full(num_envs, CARROT_HOPS)

    def _place(self, rows: np.ndarray) -> np.ndarray:
        start = np.stack([self._draw_start(row) for row in rows])
        self.goal[rows] = self.layouts.goals[self._which[rows]]
        m = len(rows)
        self._bias[rows] = self.rng.normal(size=(m, 3)) * LOCALISATION_BIAS
        self._wander[rows] = 0.0
        self.goal_error[rows] = self._bias[rows]
        self._halted[rows] = 0.0
        self._hops[rows] = self.rng.integers(CARROT_HOPS - 1, CARROT_HOPS + 2, m)
        self._draw_people(rows, start)
        return start

    def _draw_start(self, row: int) -> np.ndarray:
        rng, layouts, longest = self.rng, self.layouts, self.tasks.distance[1]
        nobody = np.full((1, 0, 3), AWAY)
        while True:
            which = int(rng.integers(len(layouts.goals)))
            boxes = layouts.boxes[which // layouts.goals_each]
            goal = layouts.goals[which]
            for _ in range(TRIES):
                at_face = rng.random() < self.tasks.start_at_face
                if at_face:
                    faces = layouts.faces[which // layouts.goals_each]
                    pose = faces[rng.integers(len(faces))] + rng.normal(size=3) * AT_FACE_SD
                else:
                    away, bearing = rng.uniform(0.5, longest), rng.uniform(-np.pi, np.pi)
                    pose = np.array(
                        [
                            goal[0] + away * np.cos(bearing),
                            goal[1] + away * np.sin(bearing),
                            rng.uniform(-np.pi, np.pi),
                        ]
                    )
                if not (0 < pose[:2]).all() or np.hypot(*(pose - goal)[:2]) > longest:
                    continue
                cell = GRID.cells(pose[:2])
                if not 0.3 < layouts.distance[which, cell[0], cell[1]] < DETOUR_MAX:
                    continue
                clear = footprint_clearance(
                    pose[None], boxes[None], nobody, self.footprint_x, self.radius
                )[0][0]
                if clear > (0.03 if at_face else 0.07):
                    self._which[row], self.boxes[row] = which, boxes
                    return pose

    def _draw_people(self, rows: np.ndarray, start: np.ndarray) -> None:
        rng, m = self.rng, len(rows)
        self.circles[rows] = AWAY
        self.circles[rows, :, 2] = PERSON_RADIUS
        # One more than in a trial, where they are put on the way.
        most = min(PEOPLE, self.tasks.people[1] + 1) if self.tasks.people[1] else 0
        present = np.arange(PEOPLE) < rng.integers(0, most + 1, m)[:, None]
        layout = self._which[rows] // self.layouts.goals_each
        # Around the way, where they matter.
        share = rng.uniform(0.2, 0.9, (m, PEOPLE, 1))
        place = start[:, None, :2] + share * (self.goal[rows][:, None, :2] - start[:, None, :2])
        place = place + rng.normal(0.0, 1.5, (m, PEOPLE, 2))
        cell = GRID.cells(place)
        free = self.layouts.clear[layout[:, None], cell[..., 0], cell[..., 1]] > 0.45
        far = np.hypot(*np.moveaxis(place - start[:, None, :2], -1, 0)) > 1.8
        inside = (place > 0.4).all(-1)
        used = present & free & far & inside
        self.circles[rows, :, :2] = np.where(used[..., None], place, AWAY)
        self._speed[rows] = rng.uniform(*self.tasks.person_speed, (m, PEOPLE))
        self._heading[rows] = rng.uniform(-np.pi, np.pi, (m, PEOPLE))
        self._gap[rows] = rng.uniform(*HALT_GAP, (m, PEOPLE))

    def _drift(self) -> None:
        n = self.num_envs
        self._wander += self.rng.normal(size=(n, 3)) * LOCALISATION_STEP
        self._wander *= 0.98
        self.goal_error = self._bias + self._wander
        self._people_walk()

    def _people_walk(self) -> None:
        """They keep to free floor, halt before the robot, and turn away when they waited long."""
        rng = self.rng
        place = self.circles[..., :2]
        present = place[..., 0] < 0.5 * AWAY
        direction = np.stack([np.cos(self._heading), np.sin(self._heading)], -1)
        ahead = place + TICK * self._speed[..., None] * direction
        cell = GRID.cells(ahead)
        layout = self._which // self.layouts.goals_each
        wall = self.layouts.clear[layout[:, None], cell[..., 0], cell[..., 1]] < 0.35
        pose = self.plant.pose
        centres = footprint_circles(pose, self.footprint_x)
        offset = centres[:, None] - place[:, :, None]
        gap = np.hypot(offset[..., 0], offset[..., 1]) - self.radius - PERSON_RADIUS
        towards = (offset * direction[:, :, None]).sum(-1) > 0
        halt = ((gap < self._gap[..., None]) & towards).any(-1)
        self._halted = np.where(halt, self._halted + 0.1, 0.0)
        turn = wall | (rng.random(wall.shape) < 0.01)
        turn |= (self._halted > 1.5) & (rng.random(wall.shape) < 0.2)
        fresh = rng.uniform(-np.pi, np.pi, wall.shape)
        swayed = self._heading + rng.normal(0.0, 0.05, wall.shape)
        self._heading = np.where(turn, fresh, swayed)
        moves = present & ~wall & ~halt
        self.circles[..., :2] = np.where(moves[..., None], ahead, place)

    def _observe(self) -> np.ndarray:
        # The planner works in the same odometry as the robot, so the carrot has the goal's error.
        carrot = self.layouts.carrots(self._which, self.plant.pose[:, :2], self._hops)
        error = self.goal_error[:, :2]
        estimated = np.concatenate([carrot + 0.5 * error, np.zeros((self.num_envs, 1))], axis=1)
        goal = self.goal_in_base()
        carrot_in_base = compose(invert(self.plant.pose), estimated)[:, :2]
        return walk_observation.observe(
            goal,
            carrot_in_base,
            self.layouts.left(self._which, self.plant.pose[:, :2]),
            self.measured_velocity,
            self.steering.command,
            self.steering.previous,
            self.sectors,
            self.sectors_before,
        )

    def _near_goal(self) -> np.ndarray:
        return walk.near_goal(self.goal_in_base(), self.measured_velocity)

    def _errors(self) -> tuple[np.ndarray, np.ndarray]:
        left = self.goal - self.plant.pose
        return np.hypot(left[:, 0], left[:, 1]), np.abs(wrap_angle(left[:, 2]))

    def _remaining(self) -> np.ndarray:
        distance, yaw = self._errors()
        way = self.layouts.left(self._which, self.plant.pose[:, :2])
        # The grid is too coarse for the last metre; there the straight line counts.
        blend = np.clip(distance - 0.5, 0.0, 1.0)
        way = blend * way + (1 - blend) * distance
        return way + 0.5 * yaw * np.exp(-((distance / 1.0) ** 2))

    def _rewards(self, clearance: np.ndarray, near_people: np.ndarray) -> dict[str, np.ndarray]:
        distance, yaw = self._errors()
        command = self.steering.command
        near = np.exp(-((distance / 0.25) ** 2) - (yaw / 0.25) ** 2)
        at_goal = np.exp(-((distance / 0.1) ** 2) - (yaw / 0.1) ** 2)
        speed = np.sqrt((command**2 * [1.0, 1.0, 0.3]).sum(1))
        far = np.clip(distance - 1.0, 0.0, 1.0)
        w = WEIGHTS
        aside, backwards = np.abs(command[:, 1]), np.maximum(-command[:, 0], 0)
        return {
            "time": np.full(self.num_envs, w["time"]),
            "near": w["near"] * near + w["at_goal"] * at_goal,
            "calm": w["calm"] * near * speed,
            "sideways": far * (w["aside"] * aside + w["backwards"] * backwards),
            "distance": w["distance"] * np.clip(1 - clearance / 0.2, 0, 1),
            "people": w["people"] * np.clip(1 - near_people / 0.6, 0, 1),
        }
