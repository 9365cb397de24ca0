"""Approach: the last metres to a standoff pose in front of a shelf or station, among obstacles."""

import numpy as np

from hrl_core.control import TICK
from hrl_core.floor.clearance import distance_to_boxes, footprint_circles, footprint_clearance
from hrl_core.geometry import wrap_angle
from hrl_core.robot import Robot
from hrl_skills import approach, approach_observation
from hrl_training.tasks.navigation.planar_env import PlanarEnv
from hrl_training.tasks.navigation.planar_plant import AWAY, AWAY_BOX
from hrl_training.tasks.ranges import ApproachTasks, FaceTasks

CAMERA_HALF_FIELD = 0.63  # rad, horizontally; the target's marker is seen within it
CAMERA_RANGE = 5.0  # m
HIDDEN_TICKS = 11  # mean length of a spell in which the marker is covered
ARM_HIDES = 0.4  # share of faces whose marker the arm hides from nearby
ARM_HIDES_WITHIN = (0.8, 1.4)  # m, from base_link to such a face
TRIES = 24  # start poses drawn per scene, of which the first free one is taken
PERSON = 2  # the circle that walks
PERSON_RADIUS = 0.25  # m
PERSON_BEAT = (0.8, 2.5)  # m, half the length of a person's way to and fro
HALT_GAP = (0.3, 0.6)  # m, at which a person who walks towards the robot halts
PATIENCE = (1.0, 3.5)  # s, that a person waits before turning round

WEIGHTS = {  # besides those of planar_env
    "time": -0.012,
    "near": 0.02,
    "at_goal": 0.04,
    "calm": -0.03,  # speed near the goal
    "distance": -0.05,  # to whatever stands about
}


class ApproachEnv(PlanarEnv):
    """The face is the line x = 0, the robot comes from x < 0; the goal faces it at the standoff."""

    tasks_model: type[FaceTasks] = ApproachTasks
    max_steps = approach.MAX_STEPS
    sectors_count = approach_observation.SECTORS
    forward_max = approach_observation.FORWARD_MAX
    precision = approach.PRECISION
    position_tolerance, yaw_tolerance = precision.tolerance
    boxes_max = 10
    circles_max = 3
    observation_size = approach_observation.OBSERVATION_SIZE
    mirror = approach_observation.MIRROR
    # Errors of the goal's estimate.
    prior_error = np.array([0.08, 0.08, 0.05])  # m, m, rad; of map and localisation, before a look
    bias = np.array([0.005, 0.005, 0.010])  # m, m, rad; of detections, constant over an episode
    drift = np.array([0.003, 0.003, 0.003])  # m, m, rad per tick, of odometry
    look_sd = (0.003, 0.012, 0.008, 0.02)  # of a look: m, m per m, rad, rad per m
    at_goal = (0.06, 0.08)  # m, rad; so near it is rewarded for being at the goal

    def __init__(
        self,
        num_envs: int = 256,
        seed: int = 0,
        tasks: FaceTasks | None = None,
        robot: Robot | None = None,
    ) -> None:
        self.tasks = tasks = tasks or self.tasks_model()
        super().__init__(num_envs, seed, tasks.plant, robot)
        self._occlusion = np.zeros(num_envs)  # share of the time
        self._covered = np.zeros(num_envs, bool)
        self._hidden_within = np.zeros(num_envs)  # m from the face
        self._walking = np.zeros(num_envs, bool)
        self._velocity = np.zeros((num_envs, 2))  # m/s, of the person
        self._beat = np.zeros((num_envs, 2))  # m, length of the person's way and place on it
        self._gap = np.zeros(num_envs)
        self._waited, self._patience = np.zeros(num_envs), np.zeros(num_envs)  # s
        self._bias = np.zeros((num_envs, 3))
        self._random_error = np.zeros((num_envs, 3))
        self._seen = np.zeros(num_envs, bool)

    def _place(self, rows: np.ndarray) -> np.ndarray:
        rng, m = self.rng, len(rows)
        self.goal[rows] = np.stack([-rng.uniform(0.72, 1.1, m), np.zeros(m), np.zeros(m)], 1)
        half, shift = rng.uniform(0.4, 1.2, m), rng.uniform(-0.7, 0.7, m)
        low, high = -half - shift * half, half - shift * half  # the middle need not be the target
        boxes = np.tile(AWAY_BOX, (m, self.boxes_max, 1))
        boxes[:, 0] = np.stack([0 * low, low, 0 * low + 0.5, high], 1)
        gap = rng.uniform(0.0, 0.4, (2, m))
        side = rng.uniform(1.2, 2.2, (2, m))
        zero = np.zeros(m)
        extras = (  # neighbours of the shelf, walls across, a shelf behind
            (0.5, [zero, high + gap[0], zero + 0.5, high + gap[0] + 3]),
            (0.5, [zero, low - gap[1] - 3, zero + 0.5, low - gap[1]]),
            (0.3, [zero - 6, side[0], zero, side[0] + 2]),
            (0.3, [zero - 6, -side[1] - 2, zero, -side[1]]),
            (0.4, [zero - rng.uniform(3.0, 4.5, m) - 0.5, zero - 3, zero - 2.9, zero + 3]),
        )
        for k, (share, corners) in enumerate(extras, start=1):
            used = rng.random(m) < share
            boxes[used, k] = np.stack(corners, 1)[used]
        circles = np.full((m, self.circles_max, 3), AWAY, np.float32)
        start = self._free_start(self.goal[rows], boxes, circles)
        self._add_obstacles(self.goal[rows], start, boxes, circles)
        self._add_person(rows, self.goal[rows], start, boxes, circles)
        self.boxes[rows], self.circles[rows] = boxes, circles
        self._occlusion[rows] = rng.uniform(*self.plant_ranges.occlusion, m)
        self._covered[rows] = rng.random(m) < self._occlusion[rows]
        near = rng.uniform(*ARM_HIDES_WITHIN, m)
        self._hidden_within[rows] = np.where(rng.random(m) < ARM_HIDES, near, 0.0)
        self._bias[rows] = rng.normal(size=(m, 3)) * self.bias
        self._random_error[rows] = rng.normal(size=(m, 3)) * self.prior_error
        self._seen[rows] = False
        self._combine()
        return start

    def _free_start(self, goal: np.ndarray, boxes: np.ndarray, circles: np.ndarray) -> np.ndarray:
        """Start poses (m, 3) by the ranges of the task file, a bit wider; the first that is free.

        A start is turned by up to `turn` from looking at the face, as in a trial.
        """
        rng, m = self.rng, len(goal)
        wider = 0.2  # rad
        start = np.zeros((m, 3))
        missing = np.arange(m)
        for _ in range(TRIES):
            k = len(missing)
            distance = rng.uniform(0.6 * self.tasks.distance[0], self.tasks.distance[1], k)
            bearing = rng.uniform(self.tasks.bearing[0] - wider, self.tasks.bearing[1] + wider, k)
            x, y = goal[missing, 0] - distance * np.cos(bearing), distance * np.sin(bearing)
            turn = rng.uniform(self.tasks.turn[0] - wider, self.tasks.turn[1] + wider, k)
            pose = np.stack([x, y, np.arctan2(-y, -x) + turn], axis=1)
            start[missing] = pose
            free = footprint_clearance(
                pose, boxes[missing], circles[missing], self.footprint_x, self.radius
            )[0]
            missing = missing[free < 0.08]
            if not len(missing):
                break
        # Where nothing is free the walk's own end, staging, always is.
        start[missing] = goal[missing] - np.array([0.75, 0.0, 0.0])
        return start

    def _add_obstacles(
        self, goal: np.ndarray, start: np.ndarray, boxes: np.ndarray, circles: np.ndarray
    ) -> None:
        """Up to four things that stand about, clear of the goal's and the start's footprint."""
        rng, m = self.rng, len(goal)
        # Two more than in a trial, where they are put beside the way.
        wanted = rng.integers(0, min(4, self.tasks.obstacles[1] + 2) + 1, m)
        low, high = self.tasks.obstacle_width
        for k in range(4):
            centre = np.stack(
                [goal[:, 0] - rng.uniform(0, 3.2, m), rng.uniform(-2.5, 2.5, m)], axis=1
            )
            half = 0.5 * rng.uniform(low, high, (m, 2))
            gap = np.full(m, np.inf)
            for pose in (goal, start):
                away = footprint_circles(pose, self.footprint_x) - centre[:, None]
                nearest = np.hypot(away[..., 0], away[..., 1]).min(1)
                gap = np.minimum(gap, nearest - self.radius)
            placed = (wanted > k) & (gap > 0.42 + 0.15)
            box = np.concatenate([centre - half, centre + half], axis=1)
            if k < PERSON:
                as_circle = placed & (rng.random(m) < 0.5)
                circles[as_circle, k] = np.column_stack([centre, half[:, 0]])[as_circle]
                placed &= ~as_circle
            boxes[placed, 6 + k] = box[placed]

    def _add_person(
        self,
        rows: np.ndarray,
        goal: np.ndarray,
        start: np.ndarray,
        boxes: np.ndarray,
        circles: np.ndarray,
    ) -> None:
        """Somebody who walks to and fro across the way, not near the robot at first."""
        rng, m = self.rng, len(rows)
        share = rng.uniform(0.0, 1.0, (m, 1))
        middle = start[:, :2] + share * (goal[:, :2] - start[:, :2]) + rng.normal(0, 0.5, (m, 2))
        heading, length = rng.uniform(-np.pi, np.pi, m), 2 * rng.uniform(*PERSON_BEAT, m)
        direction = np.column_stack([np.cos(heading), np.sin(heading)])
        along = rng.uniform(0, 1, m) * length
        place = middle + (along - 0.5 * length)[:, None] * direction
        away = np.hypot(*(place - start[:, :2]).T)
        walks = (rng.random(m) < 0.5) & (self.tasks.people[1] > 0) & (away > 1.5)
        walks &= distance_to_boxes(place, boxes) > PERSON_RADIUS
        circles[walks, PERSON] = np.column_stack([place, np.full(m, PERSON_RADIUS)])[walks]
        self._walking[rows] = walks
        self._velocity[rows] = direction * rng.uniform(*self.tasks.person_speed, (m, 1))
        self._beat[rows] = np.column_stack([length, along])
        self._gap[rows], self._patience[rows] = rng.uniform(*HALT_GAP, m), rng.uniform(*PATIENCE, m)
        self._waited[rows] = 0.0

    def _people_walk(self) -> None:
        """To and fro; who would come too near to the robot or to a box waits or turns round."""
        place, pose = self.circles[:, PERSON, :2].astype(float), self.plant.pose
        step = TICK * self._velocity
        offset = footprint_circles(pose, self.footprint_x) - place[:, None]
        gap = np.hypot(offset[..., 0], offset[..., 1]).min(1) - self.radius - PERSON_RADIUS
        towards = (offset * step[:, None]).sum(-1).max(1) > 0
        halt = towards & (gap < self._gap)
        self._waited = np.where(halt, self._waited + TICK, 0.0)
        speed = np.hypot(*step.T)
        along = self._beat[:, 1] + speed
        turn = (along > self._beat[:, 0]) | (self._waited > self._patience)
        turn |= distance_to_boxes(place + step, self.boxes) < PERSON_RADIUS
        moves = self._walking & ~halt & ~turn
        self.circles[moves, PERSON, :2] = (place + step)[moves]
        self._beat[:, 1] = np.where(moves, along, self._beat[:, 1])
        self._beat[turn, 1] = (self._beat[:, 0] - self._beat[:, 1])[turn]
        self._velocity[turn] *= -1
        self._waited[turn] = 0.0

    def _drift(self) -> None:
        self._people_walk()
        pose = self.plant.pose
        bearing = wrap_angle(np.arctan2(-pose[:, 1], -pose[:, 0]) - pose[:, 2])
        distance = np.hypot(pose[:, 0], pose[:, 1])
        in_field = (np.abs(bearing) < CAMERA_HALF_FIELD) & (distance < CAMERA_RANGE)
        # Spells with this mean length cover the marker for the drawn share of the time.
        share = self._occlusion / np.maximum(1 - self._occlusion, 0.05)
        begins = self.rng.random(self.num_envs) < share / HIDDEN_TICKS
        ends = self.rng.random(self.num_envs) < 1 / HIDDEN_TICKS
        self._covered = np.where(self._covered, ~ends, begins)
        arm_hides = -pose[:, 0] < self._hidden_within
        self._seen = in_field & ~self._covered & ~arm_hides
        near, per_metre, yaw, yaw_per_metre = self.look_sd
        sd = np.stack([near + per_metre * distance] * 2 + [yaw + yaw_per_metre * distance], 1)
        measured = self.rng.normal(size=(self.num_envs, 3)) * sd
        drifted = self._random_error + self.rng.normal(size=(self.num_envs, 3)) * self.drift
        filtered = self._random_error + 0.35 * (measured - self._random_error)
        self._random_error = np.where(self._seen[:, None], filtered, drifted)
        self._combine()

    def _combine(self) -> None:
        self.goal_error = self._random_error + self._bias

    def _observe(self) -> np.ndarray:
        return approach_observation.observe(
            self.goal_in_base(),
            self._seen.astype(float),
            self.measured_velocity,
            self.steering.command,
            self.steering.previous,
            self.sectors,
        )

    def _errors(self) -> tuple[np.ndarray, np.ndarray]:
        left = self.goal_in_base(estimated=False)
        return np.hypot(left[:, 0], left[:, 1]), np.abs(left[:, 2])

    def _remaining(self) -> np.ndarray:
        distance, yaw = self._errors()
        return 2.0 * (distance + 0.35 * yaw)

    def _near_goal(self) -> np.ndarray:
        return self.precision.near(self.goal_in_base(), self.measured_velocity)

    def _rewards(self, clearance: np.ndarray, near_people: np.ndarray) -> dict[str, np.ndarray]:
        distance, yaw = self._errors()
        near = np.exp(-((distance / 0.15) ** 2) - (yaw / 0.2) ** 2)
        at, facing = self.at_goal
        at_goal = np.exp(-((distance / at) ** 2) - (yaw / facing) ** 2)
        speed = np.sqrt((self.steering.command**2 * [1.0, 1.0, 0.3]).sum(1))
        close = np.clip(1 - np.minimum(clearance, near_people) / 0.12, 0, 1)
        w = WEIGHTS
        return {
            "time": np.full(self.num_envs, w["time"]),
            "near": w["near"] * near + w["at_goal"] * at_goal,
            "calm": w["calm"] * near * speed,
            "distance": w["distance"] * close,
        }
