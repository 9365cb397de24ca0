"""What keeps sub-policies from becoming one: three guards, and the test that tells a collapse.

Stratified tasks are the family's `draw`. Task information: a master earns more where its choices
tell tasks apart. Distinction: a sub-policy earns more where its actions tell it apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

LEAST_USAGE = 0.02  # a share below counts as this: its logarithm stays bounded


def usage(option: torch.Tensor, made: torch.Tensor, tasks: int, count: int) -> torch.Tensor:
    """Shares (s, tasks, count) of decisions (m, s, n) that went to each option."""
    m, s, _ = option.shape
    chosen = (option[..., None] == torch.arange(count)) & made[..., None]
    shares = chosen.view(m, s, tasks, -1, count).float().sum((0, 3))
    return shares / shares.sum(-1, keepdim=True).clamp(min=1)


def task_information(shares: torch.Tensor) -> torch.Tensor:
    """log p(k | task) - log p(k) from shares (s, tasks, K): (s, tasks, K)."""
    bounded = shares.clamp(min=LEAST_USAGE)
    of_task = bounded / bounded.sum(-1, keepdim=True)
    return of_task.log() - of_task.mean(1, keepdim=True).log()


def distinction(log_prob: torch.Tensor, every: torch.Tensor) -> torch.Tensor:
    """log pi_k(a|s) - log mean_j pi_j(a|s): (s, n) of (s, n) and of all K, (s, K, n).

    Its mean is I(k; a | s) where options are equally likely; log K at most.
    """
    return log_prob - every.logsumexp(1) + math.log(every.shape[1])


@dataclass(frozen=True)
class Verdict:
    """Whether the sub-policies of a seed have become one."""

    worst: float  # return of the best option on the kind that is served worst
    alone: float  # mean return of the one option that serves all kinds best
    neglected: int  # the kind that is served worst
    redundant: int  # the option that would be missed least

    @property
    def collapsed(self) -> bool:
        return self.worst <= self.alone


def judge(forced: np.ndarray) -> Verdict:
    """From forced returns (K, kinds), each option held for whole episodes.

    Collapsed: even with the best option for each, the worst kind gets no more than one policy
    gives all kinds on average. Entropy of usage does not tell this: 0.95 in collapsed runs.
    """
    best = forced.max(0)
    without = [np.delete(forced, k, 0).max(0, initial=-np.inf).mean() for k in range(len(forced))]
    return Verdict(
        worst=float(best.min()),
        alone=float(forced.mean(1).max()),
        neglected=int(best.argmin()),
        redundant=int(np.argmax(without)),
    )
