"""Floor plans for walk, as the trials draw them: sites, things that stand about, goals, routes."""

from functools import lru_cache

import numpy as np

from hrl_core.floor.clearance import distance_to_boxes
from hrl_core.floor.grid import Grid
from hrl_core.floor.rectangles import wall_boxes
from hrl_core.robot import load_robot
from hrl_core.site import Site
from hrl_skills.planner import Clearances, routes_to
from hrl_training.tasks.navigation.planar_plant import AWAY_BOX
from hrl_training.tasks.navigation.sites import aisle_site
from hrl_training.tasks.ranges import WalkTasks
from hrl_training.trials.ranges import Draw

CELL = 0.15  # m
SIZE_MAX = (18.0, 12.0)  # m
GRID = Grid((round(SIZE_MAX[0] / CELL), round(SIZE_MAX[1] / CELL)), CELL)
WALL = 0.2  # m, thickness
BOXES = 24
LAYOUTS, GOALS = 60, 6
OBSTACLES = 2.0  # times the obstacles of a trial, since a trial puts them on the way
OBSTACLE_TRIES = 8  # for each
OBSTACLE_ROOM = 0.02  # m, between what stands about and what is built
STAGING_SHARE = 0.6  # of the goals; the others are anywhere
GOAL_CENTRE = 0.38  # m, free round a goal
DETOUR_MAX = 40.0  # m of cost, of the way to a goal


def _rows(site: Site) -> list[np.ndarray]:
    """Racks and stations as boxes x0, y0, x1, y1 m; racks that touch become one box."""
    boxes: list[np.ndarray] = []
    for place in site.furniture:
        x, y, yaw = place.pose
        out = np.round([np.cos(yaw), np.sin(yaw)])
        corners = np.array([x, y]) + np.array(
            [a * np.array([-out[1], out[0]]) for a in (-0.5 * place.width, 0.5 * place.width)]
            + [-place.depth * out]
        )
        low, high = corners.min(0), corners.max(0)
        for k, box in enumerate(boxes):
            beside = abs(box[1] - low[1]) < 0.1 and abs(box[3] - high[1]) < 0.1
            if beside and low[0] < box[2] + 0.05 and high[0] > box[0] - 0.05:
                boxes[k] = np.array([min(box[0], low[0]), low[1], max(box[2], high[0]), high[1]])
                break
        else:
            boxes.append(np.array([*low, *high]))
    return boxes


def _plan(site: Site, tasks: WalkTasks, rng: np.random.Generator) -> np.ndarray:
    """A closed floor plan (BOXES, 4): walls, racks, stations, things that stand about."""
    boxes = [*wall_boxes(site.size, WALL), *_rows(site)]
    wanted = rng.integers(tasks.obstacles[0], int(OBSTACLES * tasks.obstacles[1]) + 1)
    for _ in range(OBSTACLE_TRIES * wanted):
        half = 0.5 * rng.uniform(*tasks.obstacle_width, 2)
        centre = rng.uniform((0, 0), site.size)
        box = np.array([*(centre - half), *(centre + half)])
        corners = np.array([box[[0, 1]], box[[0, 3]], box[[2, 1]], box[[2, 3]], centre])
        if distance_to_boxes(corners, np.array(boxes)).min() < OBSTACLE_ROOM or not wanted:
            continue
        boxes.append(box)
        wanted -= 1
    result = np.tile(AWAY_BOX, (BOXES, 1))
    result[: len(boxes)] = np.array(boxes)[:BOXES]
    return result


class Layouts:
    """`layouts` floor plans with `goals` each; arrays per goal have layouts * goals rows.

    `faces`: for every layout the poses (k, 3) before its bins and stations where a skill ends.
    """

    def __init__(
        self,
        tasks: WalkTasks,
        layouts: int = LAYOUTS,
        goals: int = GOALS,
        seed: int = 0,
        kept: Clearances | None = None,
    ) -> None:
        """`kept`: of the robot; None: of the default one."""
        self.goals_each = goals
        kept = kept or Clearances.of(load_robot().base)
        boxes, goal_list, routes, clears = [], [], [], []
        self.faces: list[np.ndarray] = []
        draws = 0
        while len(boxes) < layouts:
            draw = Draw(seed, 1000 + draws)
            draws += 1
            site = aisle_site(tasks, draw)
            plan = _plan(site, tasks, draw.rng)
            clear = distance_to_boxes(GRID.centres, plan)
            # Outside the walls nothing is free.
            clear[(GRID.centres > plan[[1, 3], [0, 1]]).any(-1)] = 0.0
            found = self._goals(draw.rng, site, clear, goals)
            if found is None:
                continue
            poses = [site.pose_in_front(name, site.standoff) for name in site.targets]
            self.faces.append(np.array(poses))
            boxes.append(plan)
            clears.append(clear)
            for goal in found:
                goal_list.append(goal)
                routes.append(routes_to(clear, GRID.cell_of(goal[:2]), CELL, kept))
        self.boxes = np.stack(boxes)
        self.goals = np.stack(goal_list)
        self.distance = np.stack([route.distance for route in routes]).astype(np.float32)
        self.onward = np.stack([route.onward for route in routes]).astype(np.int32)
        self.clear = np.stack(clears).astype(np.float32)

    @staticmethod
    def _goals(
        rng: np.random.Generator, site: Site, clear: np.ndarray, count: int
    ) -> list[np.ndarray] | None:
        """Goals with room for the robot; most of them look at a face, as staging poses do."""
        goals: list[np.ndarray] = []
        for _ in range(400):
            if rng.random() < STAGING_SHARE:
                goal = site.pose_in_front(str(rng.choice(site.targets)), site.staging)
            else:
                yaw = rng.choice([0.0, np.pi, rng.uniform(-np.pi, np.pi)])
                goal = np.array([*rng.uniform((0, 0), site.size), yaw])
            heading = np.array([np.cos(goal[2]), np.sin(goal[2])])
            cells = GRID.cells(goal[:2] + np.array([[-0.38], [0.0], [0.38]]) * heading)
            if clear[cells[:, 0], cells[:, 1]].min() > GOAL_CENTRE:
                goals.append(goal)
            if len(goals) == count:
                return goals
        return None

    def left(self, which: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Cost (n,) m of the way from points (n, 2) to goals `which` (n,), interpolated."""
        shape = np.array(GRID.shape)
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
        flat = GRID.flat(GRID.cells(points))
        for hop in range(int(hops.max())):
            flat = np.where(hop < hops, self.onward[which, flat], flat)
        return GRID.centres_of(GRID.unflat(flat))


def layouts_of(tasks: WalkTasks, seed: int, kept: Clearances | None = None) -> Layouts:
    """The layouts of a task file and a seed, made once per process; `kept`: of the robot."""
    return _layouts_of(tasks.model_dump_json(), seed, kept)


@lru_cache(maxsize=4)
def _layouts_of(tasks: str, seed: int, kept: Clearances | None) -> Layouts:
    return Layouts(WalkTasks.model_validate_json(tasks), seed=seed, kept=kept)
