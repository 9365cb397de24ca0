"""Masters that search without a network: Thompson sampling, and Q-learning over decisions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from hrl_training.mlsh.rollout import Rollout, Situation

SMDP_DISCOUNT = 0.95  # of decisions
SWEEPS = 3  # backward through an episode

Cells = Callable[[torch.Tensor], torch.Tensor]  # observations (s, n, d) -> cells (s, n)


class Thompson:
    """One option for a whole episode, drawn by the posterior of its return, Gaussian.

    Source: Thompson 1933. `scale`: of the returns; prior N(scale / 2, scale^2 / 4).
    """

    def __init__(
        self, seeds: int, tasks: int, options: int, scale: float, rng: np.random.Generator
    ) -> None:
        self._rng = rng
        self._prior, self._noise = 0.5 * scale, 0.2 * scale
        self._count = np.zeros((seeds, tasks, options))
        self._sum = np.zeros((seeds, tasks, options))

    def _posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and precision (s, t, K)."""
        precision = 1 / self._prior**2 + self._count / self._noise**2
        return (1 / self._prior + self._sum / self._noise**2) / precision, precision

    @property
    def best(self) -> torch.Tensor:
        """The option (s, t) that is held for the best."""
        return torch.from_numpy(self._posterior()[0].argmax(-1))

    def begin(self, seeds: int, copies: int) -> None:
        mean, precision = self._posterior()
        draw = mean + self._rng.normal(size=mean.shape) / np.sqrt(precision)
        self._option = torch.from_numpy(draw.argmax(-1))

    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        return self._option, torch.zeros(self._option.shape)

    def learn(self, rollout: Rollout, rng: np.random.Generator) -> None:
        place = self._option.numpy()[..., None]
        self._count += np.eye(self._count.shape[-1])[place[..., 0]]
        before = np.take_along_axis(self._sum, place, -1)
        np.put_along_axis(self._sum, place, before + rollout.returns, -1)


class SmdpQ:
    """Q-learning over options with optimism. Source: Bradtke and Duff 1994; Sutton et al. 1999.

    `cells`: what it tells states apart by; `first`: the value that every option begins with.
    """

    def __init__(
        self,
        seeds: int,
        tasks: int,
        options: int,
        *,
        cells: Cells,
        cell_count: int,
        first: float,
        rate: float = 0.5,
        generator: torch.Generator,
    ) -> None:
        self._cells, self._rate, self._generator = cells, rate, generator
        self._value = torch.full((seeds * tasks, cell_count, options), first)
        self._tries = torch.zeros_like(self._value)

    def begin(self, seeds: int, copies: int) -> None:
        pass

    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        cell = self._cells(situation.observation)
        value = self._value[torch.arange(cell.numel()), cell.reshape(-1)]
        tie = 1e-4 * torch.rand(value.shape, generator=self._generator)
        return (value + tie).argmax(-1).view(cell.shape), torch.zeros(cell.shape)

    def learn(self, rollout: Rollout, rng: np.random.Generator) -> None:
        made = rollout.decisions
        m = len(made.reward)
        cell = torch.stack([self._cells(each) for each in made.observation]).view(m, -1)
        option, reward = made.option.view(m, -1), made.reward.view(m, -1)
        real = made.made.view(m, -1).float()
        row = torch.arange(cell.shape[1])
        for t in range(m):
            self._tries[row, cell[t], option[t]] += real[t]
        for _ in range(SWEEPS):
            for t in reversed(range(m)):
                target = reward[t]
                if t + 1 < m:
                    ahead = self._value[row, cell[t + 1]].max(-1).values
                    target = target + SMDP_DISCOUNT * real[t + 1] * ahead
                tries = self._tries[row, cell[t], option[t]].clamp(min=1)
                step = (1 / tries).clamp(min=self._rate) * real[t]
                old = self._value[row, cell[t], option[t]]
                self._value[row, cell[t], option[t]] = old + step * (target - old)
