"""Approach: the last metres to a standoff pose in front of a shelf or station, among obstacles."""

import numpy as np

from hrl_core.geometry import compose, wrap_angle
from hrl_skills import approach
from hrl_training.envs.planar_env import PlanarEnv
from hrl_training.envs.planar_plant import AWAY, AWAY_BOX, footprint_clearance

CAMERA_HALF_FIELD = 0.63  # rad, horizontally; the target's marker is seen within it
CAMERA_RANGE = 5.0  # m
OCCLUDED = 0.1  # share of ticks without a detection although the marker is in the field
PRIOR_ERROR = np.array([0.08, 0.08, 0.05])  # m, m, rad; of map and localisation, before a look
BIAS = np.array([0.005, 0.005, 0.010])  # m, m, rad; of detections, constant over an episode
DRIFT = np.array([0.003, 0.003, 0.003])  # m, m, rad per tick, of odometry
TRIES = 24  # start poses drawn per scene, of which the first free one is taken


class ApproachEnv(PlanarEnv):
    """The face is the line x = 0, the robot comes from x < 0; the goal faces it at the standoff."""

    max_steps = approach.MAX_STEPS
    sectors_count = approach.SECTORS
    forward_max = approach.FORWARD_MAX
    position_tolerance = approach.POSITION_TOLERANCE
    yaw_tolerance = float(approach.YAW_TOLERANCE)
    boxes_max = 10
    circles_max = 3
    observation_size = approach.OBSERVATION_SIZE
    mirror = approach.MIRROR

    def __init__(self, num_envs: int = 256, seed: int = 0, **options) -> None:
        super().__init__(num_envs, seed, **options)
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
        self.boxes[rows], self.circles[rows] = boxes, circles
        self._bias[rows] = rng.normal(size=(m, 3)) * BIAS
        self._random_error[rows] = rng.normal(size=(m, 3)) * PRIOR_ERROR
        self._seen[rows] = False
        self._combine()
        return start

    def _free_start(self, goal: np.ndarray, boxes: np.ndarray, circles: np.ndarray) -> np.ndarray:
        """Start poses (m, 3), 0.3 to 3 m from the goals, any bearing in front, yaw +-100 deg."""
        rng, m = self.rng, len(goal)
        start = np.zeros((m, 3))
        missing = np.arange(m)
        for _ in range(TRIES):
            k = len(missing)
            distance, bearing = rng.uniform(0.3, 3.0, k), rng.uniform(-1.5, 1.5, k)
            pose = np.stack(
                [
                    goal[missing, 0] - distance * np.cos(bearing),
                    distance * np.sin(bearing),
                    rng.uniform(-1.75, 1.75, k),
                ],
                axis=1,
            )
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
        wanted = rng.integers(0, 5, m)
        for k in range(4):
            centre = np.stack(
                [goal[:, 0] - rng.uniform(0, 3.2, m), rng.uniform(-2.5, 2.5, m)], axis=1
            )
            half = rng.uniform(0.1, 0.3, (m, 2))
            gap = np.full(m, np.inf)
            for pose in (goal, start):
                for x in self.footprint_x:
                    circle = compose(pose, np.broadcast_to([x, 0.0, 0.0], pose.shape))
                    gap = np.minimum(gap, np.hypot(*(circle[:, :2] - centre).T) - self.radius)
            placed = (wanted > k) & (gap > 0.42 + 0.15)
            box = np.concatenate([centre - half, centre + half], axis=1)
            if k < 3:
                as_circle = placed & (rng.random(m) < 0.5)
                circles[as_circle, k] = np.column_stack([centre, half[:, 0]])[as_circle]
                placed &= ~as_circle
            boxes[placed, 6 + k] = box[placed]

    def _drift(self) -> None:
        pose = self.plant.pose
        bearing = wrap_angle(np.arctan2(-pose[:, 1], -pose[:, 0]) - pose[:, 2])
        distance = np.hypot(pose[:, 0], pose[:, 1])
        in_field = (np.abs(bearing) < CAMERA_HALF_FIELD) & (distance < CAMERA_RANGE)
        self._seen = in_field & (self.rng.random(self.num_envs) > OCCLUDED)
        sd = np.stack([0.003 + 0.012 * distance] * 2 + [0.008 + 0.02 * distance], 1)
        measured = self.rng.normal(size=(self.num_envs, 3)) * sd
        drifted = self._random_error + self.rng.normal(size=(self.num_envs, 3)) * DRIFT
        filtered = self._random_error + 0.35 * (measured - self._random_error)
        self._random_error = np.where(self._seen[:, None], filtered, drifted)
        self._combine()

    def _combine(self) -> None:
        self.goal_error = self._random_error + self._bias

    def _observe(self) -> np.ndarray:
        return approach.observe(
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
        return approach.near_goal(self.goal_in_base(), self.measured_velocity)

    def _rewards(self, clearance: np.ndarray, near_people: np.ndarray) -> dict[str, np.ndarray]:
        distance, yaw = self._errors()
        near = np.exp(-((distance / 0.15) ** 2) - (yaw / 0.2) ** 2)
        at_goal = np.exp(-((distance / 0.06) ** 2) - (yaw / 0.08) ** 2)
        speed = np.sqrt((self.steering.command**2 * [1.0, 1.0, 0.3]).sum(1))
        close = np.clip(1 - np.minimum(clearance, near_people) / 0.12, 0, 1)
        return {
            "time": np.full(self.num_envs, -0.012),
            "near": 0.02 * near + 0.04 * at_goal,
            "calm": -0.03 * near * speed,
            "distance": -0.05 * close,
        }
