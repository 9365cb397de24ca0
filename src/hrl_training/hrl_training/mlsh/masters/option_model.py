"""Four rooms: where each option leads, and which cells may still hold the goal.

The model is the same for all tasks, since options are frozen then. In each episode a goal is drawn
from the posterior (Thompson) and the options are planned towards it; a cell that was entered
without a reward holds no goal.
"""

from __future__ import annotations

import numpy as np
import torch

from hrl_training.mlsh.rollout import Options, Rollout, Situation
from hrl_training.mlsh.tasks.four_rooms import FourRooms

REPEATS = 40  # runs of each option from each cell


class OptionModelMaster:
    """Plans over options of `most_steps` that do not hand back early."""

    def __init__(
        self,
        family: FourRooms,
        options: Options,
        tasks: int,
        most_steps: int,
        rng: np.random.Generator,
    ) -> None:
        self._family, self._rng, self._steps = family, rng, most_steps
        seeds, count, cells = options.seeds, options.count, family.observation_size
        self._enters = np.zeros((seeds, count, cells, cells), np.float32)
        self._ends = np.zeros_like(self._enters)
        for option in range(count):
            self._try(options, option)
        self._plan = self._planned()
        self._possible = np.ones((seeds, tasks, cells), bool)
        self._possible[..., family.start] = False
        self._found = np.full((seeds, tasks), -1)

    def _try(self, options: Options, option: int) -> None:
        """Which cells an option enters from each cell, and in which it ends."""
        cells, seeds = self._family.observation_size, options.seeds
        first = np.tile(np.arange(cells), seeds * REPEATS)
        n = cells * REPEATS
        held = torch.full((seeds, n), option)
        seen = self._family.begin_at(self._rng, np.full(len(first), -1), first)
        entered = np.zeros((len(first), cells), bool)
        for _ in range(self._steps):
            action, _ = options.act(torch.from_numpy(seen).view(seeds, n, -1), held)
            seen, _, _ = self._family.step(action.reshape(-1).numpy())
            entered[np.arange(len(first)), self._family.cell] = True
        self._enters[:, option] = entered.reshape(seeds, REPEATS, cells, cells).mean(1)
        self._ends[:, option] = seen.reshape(seeds, REPEATS, cells, cells).mean(1)

    def _planned(self) -> list[np.ndarray]:
        """The best option (seeds, cells, goals) at each decision, by dynamic programming."""
        horizon, plan = self._family.horizon, []
        seeds, _, cells, _ = self._enters.shape
        value = np.zeros((seeds, cells, cells), np.float32)
        for number in reversed(range(-(-horizon // self._steps))):
            left = (horizon - (number + 0.5) * self._steps) / horizon
            onward = np.matmul(self._ends, value[:, None])
            worth = self._enters * left + (1 - self._enters) * onward
            plan.insert(0, worth.argmax(1))
            value = worth.max(1)
        return plan

    def begin(self, seeds: int, copies: int) -> None:
        draw = (self._possible * self._rng.random(self._possible.shape)).argmax(-1)
        self._goal, self._number = np.where(self._found >= 0, self._found, draw), 0

    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        cell = situation.observation.argmax(-1).numpy()
        option = self._plan[self._number][np.arange(len(cell))[:, None], cell, self._goal]
        self._number += 1
        return torch.from_numpy(option), torch.zeros(option.shape)

    def learn(self, rollout: Rollout, rng: np.random.Generator) -> None:
        cell = rollout.observation.argmax(-1).numpy()  # (t, s, tasks)
        for t in range(1, len(cell)):
            seed, task = np.nonzero(rollout.alive[t].numpy())
            self._possible[seed, task, cell[t, seed, task]] = False
        # The cell in which the episode ended with a reward is seen by the robot itself.
        arrived = rollout.returns[..., 0] > 0
        here = self._family.cell.reshape(arrived.shape)
        self._found = np.where(arrived, here, self._found)
