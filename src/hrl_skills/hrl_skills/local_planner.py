"""A way in x, y and yaw through a tight place: to back out, turn where there is room, come again.

The planner of the far way takes the robot for a disc. Near the goal, and where the robot is held,
poses of this way become the goals of the learned policy, one after the other; it goes on steering.
Where there is room for the straight motion to the goal, the goal itself is the next pose.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from hrl_core.floor.clearance import footprint_room
from hrl_core.floor.grid import Grid
from hrl_core.geometry import wrap_angle
from hrl_core.robot import Base
from hrl_skills.planner import CELL, ObstacleGrid

CELLS, BINS = 41, 24  # of x and y around the middle of start and goal, of yaw
TURN = 2 * np.pi / BINS  # rad
LEVER = 0.4  # m per rad: a turn compared with a distance
# m, beyond the footprint's radius: between a circle's centre and an occupied cell's. The shield's
# margin less the grid's rounding; nearer than COMFORT a metre counts up to TIGHT times.
LETHAL, COMFORT = 0.03, 0.15
TIGHT = 9.0
BACKWARD, SIDEWAYS = 1.2, 1.4  # of the cost of a metre forward
ENTRY = 0.25  # m, LEVER for turns included; so far from the robot the way may begin
AHEAD = 0.35  # m, LEVER for turns included, from the robot to the nearest pose to steer to
SAMPLES = 10  # of a straight motion
REACH = 2.4  # m, between start and goal


@lru_cache(maxsize=1)
def _edges() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Search edges from a pose to those before it, by source: (e,) and row pointers.

    Source and target as flat index [x, y, yaw bin]; direction of the drive from target to source
    as bins of yaw in map, -1 for a turn; length [m].
    """
    index = np.arange(CELLS * CELLS * BINS)
    i, j, k = np.unravel_index(index, (CELLS, CELLS, BINS))
    sources, targets, headings, lengths = [], [], [], []
    for di, dj in ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)):
        inside = (0 <= i - di) & (i - di < CELLS) & (0 <= j - dj) & (j - dj < CELLS)
        sources.append(index[inside])
        targets.append(index[inside] - (di * CELLS + dj) * BINS)
        headings.append(np.full(inside.sum(), np.arctan2(dj, di)))
        lengths.append(np.full(inside.sum(), CELL * np.hypot(di, dj)))
    for turn in (-1, 1):
        sources.append(index)
        targets.append(index - k + (k + turn) % BINS)
        headings.append(np.full(len(index), np.nan))
        lengths.append(np.full(len(index), LEVER * TURN))
    source, target, heading, length = (
        np.concatenate(part) for part in (sources, targets, headings, lengths)
    )
    order = np.argsort(source, kind="stable")
    pointers = np.searchsorted(source[order], np.arange(len(index) + 1))
    yaw = (source[order] % BINS) * TURN
    return target[order], heading[order] - yaw, length[order], pointers


@dataclass(frozen=True)
class LocalPlan:
    """`poses` (k, 3) in map, and the distances (rows, columns) m that they were planned by."""

    poses: np.ndarray
    base: Base
    clearance: np.ndarray
    grid: Grid

    def next_pose(self, pose: np.ndarray) -> np.ndarray:
        """The pose (3,) to steer to from a pose (3,): the furthest one straight ahead with room.

        Never less than AHEAD of the nearest pose.
        """
        nearest = int(np.argmin(_metric(self.poses - pose)))
        onward = self.poses[nearest:]
        length = np.cumsum(_metric(np.diff(onward, axis=0, prepend=onward[:1])))
        least = int(np.argmax(length >= AHEAD)) if length[-1] >= AHEAD else len(onward) - 1
        step = onward - pose
        step[:, 2] = wrap_angle(step[:, 2])
        share = np.linspace(0.0, 1.0, SAMPLES)[1:, None, None]
        poses = pose + share * step
        room = footprint_room(self.clearance, self.grid, self.base.footprint_x, poses)
        free = np.flatnonzero((room >= from_centres(self.base, COMFORT)).all(0))
        return onward[max(least, free.max(initial=0))]


def plan_locally(
    grid: ObstacleGrid, base: Base, start: np.ndarray, goal: np.ndarray
) -> LocalPlan | None:
    """A way from near `start` (3,) to `goal` (3,) in map, at most REACH apart; takes some 30 ms.

    None: there is none within the window.
    """
    if np.hypot(*(start - goal)[:2]) > REACH:
        return None
    middle = np.round(0.5 * (start - goal)[:2] / CELL).astype(int)
    low = middle - CELLS // 2  # of the window, in cells from the goal
    cells = low[:, None] + np.arange(CELLS)
    x, y = goal[0] + CELL * cells[0], goal[1] + CELL * cells[1]
    yaw = goal[2] + TURN * np.arange(BINS)
    clearance = grid.clearance()
    poses = np.stack(np.meshgrid(x, y, yaw, indexing="ij"), -1)
    room = footprint_room(clearance, grid.grid, base.footprint_x, poses)
    lethal, comfort = from_centres(base, LETHAL), from_centres(base, COMFORT)
    near = np.clip((comfort - room) / (comfort - lethal), 0.0, 1.0)
    cost = np.where(room < lethal, np.inf, 1.0 + (TIGHT - 1.0) * near).ravel()

    target, heading, length, pointers = _edges()
    source = np.repeat(np.arange(len(cost)), np.diff(pointers))
    weight = 0.5 * (cost[source] + cost[target]) * length * _effort(heading - goal[2])
    graph = csr_matrix((weight, target, pointers), shape=(len(cost),) * 2)
    last = int(np.ravel_multi_index((-low[0], -low[1], 0), room.shape))
    distance, onward = dijkstra(graph, indices=last, return_predecessors=True)

    away = _metric(poses.reshape(-1, 3) - start)
    entry = np.where(away < ENTRY, distance + TIGHT * away, np.inf)
    states = [int(np.argmin(entry))]
    if not np.isfinite(entry[states[0]]):
        return None
    while states[-1] != last:
        states.append(int(onward[states[-1]]))
    i, j, k = np.unravel_index(states, room.shape)
    way = np.column_stack([x[i], y[j], wrap_angle(yaw[k])])
    return LocalPlan(way, base, clearance, grid.grid)


def from_centres(base: Base, margin: float) -> float:
    """A margin [m] round the footprint as a distance from the centres of its circles."""
    return round(base.footprint_radius + margin, 6)


def _metric(step: np.ndarray) -> np.ndarray:
    """Lengths (...) m of planar motions (..., 3), turns counted by LEVER."""
    return np.hypot(step[..., 0], step[..., 1]) + LEVER * np.abs(wrap_angle(step[..., 2]))


def _effort(heading: np.ndarray) -> np.ndarray:
    """Cost per metre of driving in a direction [rad] in base_link; 1 for turns, which have none."""
    aside, back = np.abs(np.sin(heading)), np.clip(-np.cos(heading), 0.0, 1.0)
    effort = 1.0 + (SIDEWAYS - 1.0) * aside + (BACKWARD - 1.0) * back
    return np.where(np.isnan(heading), 1.0, effort)
