"""What every PPO here is made of: that of the skills, that of the master, that of MLSH.

They differ in the rest: one learns from equally many steps of environments that all take an action
at a time, one from sets of candidates and decisions that take their time, one for many small
networks at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

Series = Sequence[Any] | torch.Tensor  # one number or tensor per step


class Taken(NamedTuple):
    """What was chosen, and what it brought: (m, ...) each, a row per choice."""

    log_prob: torch.Tensor  # under the policy that chose
    advantage: torch.Tensor
    returns: torch.Tensor


class Judged(NamedTuple):
    """What the policy and the value function now say of some rows of it."""

    log_prob: torch.Tensor  # (b, ...)
    value: torch.Tensor  # (b, ...)
    entropy: torch.Tensor  # (), or what stands for it


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How an update weighs and bounds."""

    clip: float
    value_weight: float
    entropy_weight: float
    gradient_norm: float = math.inf
    target_kl: float = math.inf  # an update ends where the policy has moved so far
    policy_learns: bool = True  # else only the value function does


class Moved(NamedTuple):
    """Means over the steps of an update."""

    kl: float
    entropy: float


def generalised_advantages(
    rewards: Series, values: Series, fade: Series, decay: Series
) -> list[Any]:
    """Advantages of h steps from their rewards (h) and the values (h + 1) of their states.

    fade (h): by how much the value of the next state counts; 0 where there is none. decay (h): by
    how much its advantage counts, fade times lambda. Each element may be a number or a tensor.
    Source: Schulman et al. 2015 (arXiv:1506.02438), equation 16.
    """
    found: list[Any] = []
    running: Any = 0.0
    for t in reversed(range(len(rewards))):
        # TD error: r_t + gamma V(s_{t+1}) - V(s_t)
        error = rewards[t] + fade[t] * values[t + 1] - values[t]
        running = error + decay[t] * running
        found.append(running)
    return found[::-1]


def clipped_surrogate(
    log_prob: torch.Tensor, old_log_prob: torch.Tensor, advantage: torch.Tensor, clip: float
) -> tuple[torch.Tensor, float]:
    """PPO's objective, the mean over (b, ...) choices, and how far the policy has moved (KL).

    Source: Schulman et al. 2017 (arXiv:1707.06347), equation 7; KL: its estimate k3 of
    http://joschu.net/blog/kl-approx.html.
    """
    change = log_prob - old_log_prob
    ratio = change.exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    surrogate = torch.minimum(ratio * advantage, clipped * advantage).mean()
    return surrogate, float((ratio - 1 - change).detach().mean())


def improve(
    optimiser: torch.optim.Optimizer,
    model: nn.Module,
    judge: Callable[[torch.Tensor], Judged],
    taken: Taken,
    epochs: Iterable[Iterable[torch.Tensor]],
    rules: Rules,
    after_step: Callable[[], object] = lambda: None,
) -> Moved:
    """One update by PPO, minibatch by minibatch.

    `epochs`: for each epoch its minibatches, the rows (b,) of `taken` in each; an epoch is asked
    for when the one before is done.
    """
    distances, entropies = [], []
    for minibatches in epochs:
        for rows in minibatches:
            found = judge(rows)
            surrogate, distance = clipped_surrogate(
                found.log_prob, taken.log_prob[rows], taken.advantage[rows], rules.clip
            )
            loss = rules.value_weight * mean_square(found.value - taken.returns[rows])
            if rules.policy_learns:
                loss = loss - surrogate - rules.entropy_weight * found.entropy
            descend(optimiser, model, loss, rules.gradient_norm)
            after_step()
            distances.append(distance)
            entropies.append(float(found.entropy.detach()))
        if distances[-1] > rules.target_kl:
            break
    count = len(distances)
    return Moved(math.fsum(distances) / count, math.fsum(entropies) / count)


def mean_square(error: torch.Tensor) -> torch.Tensor:
    return error.square().mean()


def descend(
    optimiser: torch.optim.Optimizer, model: nn.Module, loss: torch.Tensor, gradient_norm: float
) -> None:
    """One step of the optimiser, its gradient no longer than `gradient_norm`."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if math.isfinite(gradient_norm):
        nn.utils.clip_grad_norm_(model.parameters(), gradient_norm)
    optimiser.step()


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def between(first: float, last: float, share: float) -> float:
    """`first` at a share of 0, `last` at 1, linearly."""
    return first + share * (last - first)
