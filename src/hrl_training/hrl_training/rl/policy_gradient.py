"""What both PPOs are made of: that of the skills (rl/ppo.py) and that of the master.

They differ in the rest: one learns from equally many steps of environments that all take an action
at a time, the other from sets of candidates and decisions that take their time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

Series = Sequence[Any] | torch.Tensor  # one number or tensor per step


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
    """PPO's objective, the mean over (b,) choices, and how far the policy has moved (KL).

    Source: Schulman et al. 2017 (arXiv:1707.06347), equation 7; KL: its estimate k3 of
    http://joschu.net/blog/kl-approx.html.
    """
    change = log_prob - old_log_prob
    ratio = change.exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    surrogate = torch.minimum(ratio * advantage, clipped * advantage).mean()
    return surrogate, float((ratio - 1 - change).detach().mean())


def mean_square(error: torch.Tensor) -> torch.Tensor:
    return error.square().mean()


def descend(
    optimiser: torch.optim.Optimizer, model: nn.Module, loss: torch.Tensor, gradient_norm: float
) -> None:
    """One step of the optimiser, its gradient no longer than `gradient_norm`."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), gradient_norm)
    optimiser.step()


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def between(first: float, last: float, share: float) -> float:
    """`first` at a share of 0, `last` at 1, linearly."""
    return first + share * (last - first)
