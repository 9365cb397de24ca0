"""Halls of the project's generator as planar scenes, with one hidden goal in each quarter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.floor.clearance import clearance
from hrl_core.floor.grid import Grid
from hrl_core.floor.rectangles import bounding_box, solids, wall_boxes
from hrl_core.robot import Robot, load_robot
from hrl_sim_bridge.worlds.layouts import generate
from hrl_skills.planner import Clearances, routes_to
from hrl_training.tasks.navigation.planar_plant import AWAY_BOX

FAMILY = "aisles"
CELL = 0.2  # m
SIZE = (16.0, 12.0)  # m, the largest halls of the family
BOXES = 16
WALL = 0.2  # m
QUARTERS = 4
GOAL_ROOM = 0.6  # m round a goal
START_ROOM = 1.0  # m round the start
FURTHEST = 40.0  # m of cost, where there is no way


@dataclass(frozen=True)
class Hall:
    """One layout; frame map, m."""

    seed: int
    boxes: np.ndarray  # (BOXES, 4) x0, y0, x1, y1
    start: np.ndarray  # (2,)
    goals: np.ndarray  # (4, 2), by quarter
    left: np.ndarray  # (4, rows, columns) cost of the way to each goal
    size: tuple[float, float]


GRID = Grid.over(SIZE, CELL)


@cache
def halls(first: int, count: int) -> tuple[Hall, ...]:
    """Halls of the seeds from `first` on, without those whose quarters do not hang together."""
    robot, found, seed = load_robot(), [], first
    while len(found) < count:
        hall = _hall(seed, robot)
        if hall is not None:
            found.append(hall)
        seed += 1
    return tuple(found)


def _hall(seed: int, robot: Robot) -> Hall | None:
    try:
        site = generate(FAMILY, seed).site
    except ConfigError:
        return None  # a seed without a layout
    furniture = [bounding_box(solid.corners()) for solid in solids(site)]
    boxes = np.array([*wall_boxes(site.size, WALL), *furniture])
    room = clearance(site, (), GRID.centres)
    room = np.where((GRID.centres < site.size).all(-1), room, 0.0)
    middle = 0.5 * np.array(site.size)
    points = np.array([way.pose[:2] for way in site.waypoints.values()])
    cells = GRID.cells(points)
    points = points[room[cells[:, 0], cells[:, 1]] >= START_ROOM]
    if not len(points) or len(boxes) > BOXES:
        return None
    start = points[np.hypot(*(points - middle).T).argmin()]
    kept = Clearances.of(robot.base)
    from_start = routes_to(room, GRID.cell_of(start), CELL, kept).distance
    open_ = np.where((room >= GOAL_ROOM) & np.isfinite(from_start), from_start, -1.0)
    goals, left = [], []
    for quarter in range(QUARTERS):
        east, north = quarter % 2 == 1, quarter >= 2
        inside = (GRID.centres[..., 0] > middle[0]) == east
        inside &= (GRID.centres[..., 1] > middle[1]) == north
        deepest = np.where(inside, open_, -1.0)
        cell = np.unravel_index(int(deepest.argmax()), deepest.shape)
        if deepest[cell] < 2.0:
            return None
        goals.append(GRID.centres_of(np.array(cell)))
        way = routes_to(room, (int(cell[0]), int(cell[1])), CELL, kept).distance
        left.append(np.minimum(way, FURTHEST))
    padded = np.tile(AWAY_BOX, (BOXES, 1))
    padded[: len(boxes)] = boxes
    return Hall(seed, padded, start, np.array(goals), np.array(left), site.size)
