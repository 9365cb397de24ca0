"""Floor plans for walk: rows of shelves, boxes, goals, and the planner's routes to every goal."""

from functools import lru_cache

import numpy as np

from hrl_skills.planner import routes_to
from hrl_training.envs.planar_plant import AWAY_BOX

CELL = 0.2  # m, as the planner's
SIZE_MAX = (16.0, 12.0)  # m
BOXES = 22
LAYOUTS, GOALS = 48, 8
STAGING = (1.1, 1.8)  # m, of a goal in front of a face
DETOUR_MAX = 25.0  # m of cost, of the way to a goal


def cells_of(points: np.ndarray) -> np.ndarray:
    """Cells (..., 2) of points (..., 2) m, the nearest ones inside the grid."""
    return np.clip((points / CELL).astype(int), 0, np.array(grid_shape()) - 1)


def grid_shape() -> tuple[int, int]:
    return round(SIZE_MAX[0] / CELL), round(SIZE_MAX[1] / CELL)


def distance_to_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Distance (...) m of points (..., 2) from boxes (b, 4); 0 inside."""
    x, y = points[..., 0, None], points[..., 1, None]
    dx = np.maximum(np.maximum(boxes[:, 0] - x, x - boxes[:, 2]), 0)
    dy = np.maximum(np.maximum(boxes[:, 1] - y, y - boxes[:, 3]), 0)
    return np.hypot(dx, dy).min(-1)


def pose_before_face(rng: np.random.Generator, boxes: np.ndarray, distance: float) -> np.ndarray:
    """Pose (3,) that looks at a side of one of the boxes (b, 4) from a distance [m]."""
    x0, y0, x1, y1 = boxes[rng.integers(len(boxes))]
    along, side = rng.uniform(0.2, 0.8), rng.integers(4)
    x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
    poses = (
        (x0 - distance, y, 0.0),
        (x1 + distance, y, np.pi),
        (x, y0 - distance, np.pi / 2),
        (x, y1 + distance, -np.pi / 2),
    )
    return np.array(poses[side])


def _boxes(rng: np.random.Generator) -> np.ndarray:
    """A closed floor plan (BOXES, 4): walls, rows of shelves with gaps, things that stand about."""
    width, height = rng.uniform(8, SIZE_MAX[0]), rng.uniform(6, SIZE_MAX[1])
    boxes = [
        (-0.2, -0.2, 0.0, height + 0.2),
        (width, -0.2, width + 0.2, height + 0.2),
        (-0.2, -0.2, width + 0.2, 0.0),
        (-0.2, height, width + 0.2, height + 0.2),
    ]
    rows = int(rng.integers(1, max(2, int(height / 3))))
    for y in np.linspace(0, height, rows + 2)[1:-1] + rng.uniform(-0.4, 0.4, rows):
        x, half = rng.uniform(0.0, 2.6), rng.uniform(0.2, 0.35)
        while x < width - 2.6:
            length = min(rng.uniform(1.5, 4.5), width - 1.6 - x)
            boxes.append((x, y - half, x + length, y + half))
            x += length + rng.uniform(1.4, 2.6)
    for _ in range(rng.integers(2, 7)):
        x, y = rng.uniform(0.5, width - 0.5), rng.uniform(0.5, height - 0.5)
        half_x, half_y = rng.uniform(0.15, 0.35, 2)
        boxes.append((x - half_x, y - half_y, x + half_x, y + half_y))
    result = np.tile(AWAY_BOX, (BOXES, 1))
    result[: len(boxes)] = np.array(boxes)[:BOXES]
    return result


class Layouts:
    """`layouts` floor plans with `goals` each; arrays per goal have layouts * goals rows."""

    def __init__(self, layouts: int = LAYOUTS, goals: int = GOALS, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 7])
        self.goals_each = goals
        shape = grid_shape()
        centres = (np.stack(list(np.indices(shape)), -1) + 0.5) * CELL
        boxes, goal_list, routes = [], [], []
        while len(boxes) < layouts:
            plan = _boxes(rng)
            clear = distance_to_boxes(centres, plan)
            # Outside the walls nothing is free.
            clear[(centres > plan[[1, 3], [0, 1]]).any(-1)] = 0.0
            found = self._goals(rng, plan, clear, goals)
            if found is None:
                continue
            boxes.append(plan)
            for goal in found:
                cell = cells_of(goal[:2])
                goal_list.append(goal)
                routes.append(routes_to(clear, (int(cell[0]), int(cell[1])), CELL))
        self.boxes = np.stack(boxes)
        self.goals = np.stack(goal_list)
        self.distance = np.stack([route.distance for route in routes]).astype(np.float32)
        self.onward = np.stack([route.onward for route in routes]).astype(np.int32)
        self.clear = np.stack([distance_to_boxes(centres, plan) for plan in boxes])

    @staticmethod
    def _goals(
        rng: np.random.Generator, plan: np.ndarray, clear: np.ndarray, count: int
    ) -> list[np.ndarray] | None:
        """Goals with room for the robot; half of them look at a face, as staging poses do."""
        real = plan[plan[:, 0] < 50]
        goals: list[np.ndarray] = []
        for _ in range(400):
            if rng.random() < 0.5:
                goal = pose_before_face(rng, real, rng.uniform(*STAGING))
            else:
                goal = np.array([*rng.uniform(0.5, SIZE_MAX, 2), rng.uniform(-np.pi, np.pi)])
            if not ((goal[:2] > 0.5) & (goal[:2] < SIZE_MAX)).all():
                continue
            cell = cells_of(goal[:2])
            if clear[cell[0], cell[1]] > 0.8:
                goals.append(goal)
            if len(goals) == count:
                return goals
        return None

    def left(self, which: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Cost (n,) m of the way from points (n, 2) to goals `which` (n,), interpolated."""
        shape = np.array(grid_shape())
        place = np.clip(points / CELL - 0.5, 0, shape - 1.001)
        low = place.astype(int)
        a, b = (place - low).T
        corners = [
            np.minimum(self.distance[which, low[:, 0] + i, low[:, 1] + j], DETOUR_MAX + 5)
            for i in (0, 1)
            for j in (0, 1)
        ]
        return (
            (1 - a) * (1 - b) * corners[0]
            + (1 - a) * b * corners[1]
            + a * (1 - b) * corners[2]
            + a * b * corners[3]
        )

    def carrots(self, which: np.ndarray, points: np.ndarray, hops: np.ndarray) -> np.ndarray:
        """Points (n, 2) m `hops` (n,) cells further on the way to goals `which` (n,)."""
        columns = grid_shape()[1]
        cells = cells_of(points)
        flat = cells[:, 0] * columns + cells[:, 1]
        for hop in range(int(hops.max())):
            flat = np.where(hop < hops, self.onward[which, flat], flat)
        return (np.stack([flat // columns, flat % columns], -1) + 0.5) * CELL


@lru_cache(maxsize=4)
def layouts_of(seed: int) -> Layouts:
    """The layouts of a seed, made once per process."""
    return Layouts(seed=seed)
