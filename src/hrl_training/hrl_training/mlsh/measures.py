"""What is measured of sub-policies: returns of each alone, and how fast a master adapts to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy import stats

from hrl_training.mlsh.rollout import Chooser, Fixed, Options, Rollout, roll_out
from hrl_training.mlsh.tasks.family import Split, TaskFamily


class Adapting(Chooser, Protocol):
    """A master that learns from episodes of an unseen task."""

    def learn(self, rollout: Rollout, rng: np.random.Generator) -> None: ...


def forced_returns(
    family: TaskFamily,
    options: Options,
    most_steps: int,
    rng: np.random.Generator,
    split: Split,
    episodes: int,
) -> np.ndarray:
    """Mean return of each option held for whole episodes, by kind of task: (s, K, kinds)."""
    picks = [rng.choice(family.tasks_of(kind, split), episodes) for kind in range(family.kinds)]
    tasks = np.tile(np.concatenate(picks), (options.seeds, 1))
    found = []
    for option in range(options.count):
        master = Fixed(torch.full(tasks.shape, option))
        returns = roll_out(family, rng, tasks, 1, master, options, most_steps).returns
        found.append(returns.reshape(options.seeds, family.kinds, episodes).mean(-1))
    return np.stack(found, 1)


def adaptation(
    family: TaskFamily,
    options: Options,
    master: Adapting,
    tasks: np.ndarray,
    episodes: int,
    per_update: int,
    most_steps: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return of every episode on tasks (s, g), the options frozen: (episodes, s, g).

    The master learns after each `per_update` episodes; what it gets in an episode is from before.
    """
    found: list[np.ndarray] = []
    while len(found) < episodes:
        rollout = roll_out(family, rng, tasks, per_update, master, options, most_steps)
        found += list(np.moveaxis(rollout.returns, -1, 0))
        master.learn(rollout, rng)
    return np.array(found[:episodes])


@dataclass(frozen=True)
class Interval:
    """Mean and half of its 95 % t interval over seeds."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: np.ndarray) -> Interval:
        values = np.asarray(values, float)
        if len(values) < 2:
            return cls(float(values.mean()), float("nan"))
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
        return cls(float(values.mean()), float(half))

    def __str__(self) -> str:
        digits = 1 if abs(self.mean) >= 2 else 2
        return f"{self.mean:.{digits}f} ± {self.half:.{digits}f}"


def paired(first: np.ndarray, second: np.ndarray) -> tuple[Interval, float]:
    """Difference over seeds that both have in common, and p of a paired t test."""
    count = min(len(first), len(second))
    first, second = np.asarray(first[:count], float), np.asarray(second[:count], float)
    return Interval.of(first - second), float(stats.ttest_rel(first, second).pvalue)


def splits_differ(first: tuple[int, int], second: tuple[int, int]) -> float:
    """p of Fisher's exact test of (split, all) seeds of two arms."""
    table = [[split, every - split] for split, every in (first, second)]
    return float(stats.fisher_exact(table).pvalue)  # type: ignore[attr-defined]
