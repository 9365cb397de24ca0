"""Four rooms: a grid with a hidden goal cell (Sutton, Precup and Singh 1999; section 6.2)."""

from __future__ import annotations

import numpy as np

from hrl_training.mlsh.tasks.family import Split, TaskFamily

MAP = """
#############
#     #     #
#     #     #
#           #
#     #     #
#     #     #
## ####     #
#     ### ###
#     #     #
#     #     #
#           #
#     #     #
#############
""".strip("\n").split("\n")
START = (7, 9)  # a doorway, as in the authors' code
DOORWAYS = ((3, 6), (6, 2), (7, 9), (10, 6))
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
SLIP = 1 / 3  # of the moves go another way
HELD_OUT = {"tune": 12, "test": 24}  # cells


class FourRooms(TaskFamily):
    """Observation: the cell, one-hot. Action: north, south, west, east. Start: a doorway.

    Reward: on arrival, the share of the time that is left; it ends the episode. Kinds: the rooms.
    """

    name = "four_rooms"
    actions, continuous = 4, False
    horizon, feature_size, kinds = 100, 2, 4

    def __init__(self, doorways: bool = False) -> None:
        """`doorways`: an option hands back control where it enters one."""
        free = np.array([[mark == " " for mark in row] for row in MAP])
        self.cells = np.argwhere(free)  # (104, 2) row, column
        self.observation_size = count = len(self.cells)
        number = np.full(free.shape, -1)
        number[tuple(self.cells.T)] = np.arange(count)
        ahead = self.cells[:, None] + np.array(MOVES)
        found = number[ahead[..., 0], ahead[..., 1]]
        self.following = np.where(found >= 0, found, np.arange(count)[:, None])  # (cells, moves)
        self.start = int(number[START])
        self._doors = np.isin(np.arange(count), [number[door] for door in DOORWAYS])
        self._hand_back = doorways
        self._seen = np.eye(count, dtype=np.float32)
        row, column = self.cells.T
        self._room = 2 * (row > np.where(column > 6, 6.5, 5.5)) + (column > 6)
        order = np.random.default_rng(0).permutation(np.delete(np.arange(count), self.start))
        test, tune = HELD_OUT["test"], HELD_OUT["test"] + HELD_OUT["tune"]
        self._split: dict[Split, np.ndarray] = {
            "test": order[:test],
            "tune": order[test:tune],
            "train": order[tune:],
        }

    def tasks_of(self, kind: int, split: Split) -> np.ndarray:
        cells = self._split[split]
        return cells[self._room[cells] == kind]

    def kind(self, tasks: np.ndarray) -> np.ndarray:
        return self._room[tasks]

    def features(self, tasks: np.ndarray) -> np.ndarray:
        return (self.cells[tasks] / 6 - 1).astype(np.float32)

    def reset(self, rng: np.random.Generator, tasks: np.ndarray) -> np.ndarray:
        return self.begin_at(rng, tasks, np.full(len(tasks), self.start))

    def begin_at(
        self, rng: np.random.Generator, tasks: np.ndarray, cells: np.ndarray
    ) -> np.ndarray:
        """As `reset`, but from cells (n,); a task of -1 has no goal."""
        self._rng, self._goal, self._age = rng, tasks, 0
        self.cell, self._alive = cells.copy(), np.ones(len(tasks), bool)
        self._moved = np.zeros(len(tasks), bool)
        return self._seen[self.cell]

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(action)
        slips = self._rng.random(n) < SLIP
        action = np.where(slips, (action + self._rng.integers(1, 4, n)) % 4, action)
        before = self.cell
        self.cell = np.where(self._alive, self.following[before, action], before)
        self._moved = self.cell != before
        self._age += 1
        arrived = self._alive & (self.cell == self._goal)
        left = (self.horizon - self._age + 1) / self.horizon
        self._alive = self._alive & ~arrived
        return self._seen[self.cell], (arrived * left).astype(np.float32), self._alive

    def hands_back(self) -> np.ndarray | None:
        return self._doors[self.cell] & self._moved if self._hand_back else None

    def best_return(self, goal: int) -> float:
        """Expected return of who knows the goal, by dynamic programming over the episode."""
        count, goals = self.observation_size, np.arange(self.observation_size) == goal
        chance = np.zeros((4, count, count))
        for move in range(4):
            for other in range(4):
                share = 1 - SLIP if other == move else SLIP / 3
                np.add.at(chance[move], (np.arange(count), self.following[:, other]), share)
        value = np.zeros(count)
        for age in range(self.horizon, 0, -1):
            gain = np.where(goals, (self.horizon - age + 1) / self.horizon, value)
            value = (chance @ gain).max(0)
        return float(value[self.start])
