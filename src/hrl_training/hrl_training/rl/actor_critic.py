"""The networks that PPO trains: a Gaussian policy and a value function, both normalised."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from hrl_core.policy.network import CLIP

# Orders and signs of the mirror image of an observation and of an action.
Mirror = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class RunningNorm(nn.Module):
    """Mean and variance of what has been seen; normalises and clips."""

    mean: torch.Tensor
    variance: torch.Tensor
    std: torch.Tensor
    count: torch.Tensor
    frozen: torch.Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("std", torch.full((size,), 1.0 + 1e-4))
        self.register_buffer("count", torch.tensor(1e-4))
        self.register_buffer("frozen", torch.tensor(False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x - self.mean) / self.std).clamp(-CLIP, CLIP)

    @torch.no_grad()
    def absorb(self, x: torch.Tensor) -> None:
        """Add rows (n, d). Source: Chan et al. 1979, parallel variance."""
        if self.frozen:
            return
        n = len(x)
        total = self.count + n
        shift = x.mean(0) - self.mean
        spread = self.variance * self.count + x.var(0, correction=0) * n
        self.variance.copy_((spread + shift**2 * self.count * n / total) / total)
        self.mean.add_(shift * n / total)
        self.std.copy_(self.variance.sqrt() + 1e-4)
        self.count.copy_(total.clamp(max=3e6))  # keeps following a policy that changes

    @torch.no_grad()
    def adopt(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Take over the statistics (d,) that a network was trained with, and keep them."""
        self.mean.copy_(mean)
        self.std.copy_(std)
        self.frozen.fill_(True)


def _network(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class ActorCritic(nn.Module):
    """A Gaussian policy and a value function with their normalisation."""

    _order: torch.Tensor  # of the mirror image of an observation
    _sign: torch.Tensor
    _swap: torch.Tensor  # an action times this is its mirror image

    def __init__(
        self,
        observations: int,
        critic: int,
        actions: int,
        mirror: Mirror | None,
        hidden: tuple[int, ...] = (128, 128),
        initial_std: float = 0.3,
    ) -> None:
        super().__init__()
        self.actor = _network([observations, *hidden, actions])
        self.critic = _network([critic, *hidden, 1])
        self.log_std = nn.Parameter(torch.full((actions,), math.log(initial_std)))
        self.observation_norm = RunningNorm(observations)
        self.critic_norm = RunningNorm(critic)
        with torch.no_grad():  # begin near zero, whatever the observation
            final = self.actor[-1]
            assert isinstance(final, nn.Linear)
            final.weight.mul_(0.1)
            final.bias.zero_()
        self.mirror = mirror
        if mirror is not None:
            (order, sign), (action_order, action_sign) = mirror
            swap = torch.zeros(actions, actions)
            swap[torch.as_tensor(action_order), torch.arange(actions)] = torch.as_tensor(
                action_sign, dtype=torch.float32
            )
            for name, tensor in (
                ("_order", torch.as_tensor(order)),
                ("_sign", torch.as_tensor(sign, dtype=torch.float32)),
                ("_swap", swap),  # as a matrix: its gradient is faster than that of an index
            ):
                self.register_buffer(name, tensor, persistent=False)

    def prepare(self, observation: torch.Tensor) -> torch.Tensor:
        """Normalised policy input (n, d), with its mirror image (n, 2, d) if the task has one."""
        if self.mirror is None:
            return self.observation_norm(observation)
        pair = torch.stack([observation, observation[:, self._order] * self._sign], dim=1)
        return self.observation_norm(pair)

    def mean_of_prepared(self, prepared: torch.Tensor) -> torch.Tensor:
        if self.mirror is None:
            return self.actor(prepared)
        n, _, size = prepared.shape
        both = self.actor(prepared.reshape(2 * n, size)).reshape(n, 2, -1)
        return 0.5 * (both[:, 0] + both[:, 1] @ self._swap)

    def mean(self, observation: torch.Tensor) -> torch.Tensor:
        """Mean action (n, k)."""
        return self.mean_of_prepared(self.prepare(observation))

    def value(self, critic: torch.Tensor) -> torch.Tensor:
        return self.critic(self.critic_norm(critic)).squeeze(-1)

    def exported(self) -> dict[str, torch.Tensor]:
        """The tensors that hrl_core.policy.policy runs."""
        tensors = {
            "observation_mean": self.observation_norm.mean.clone(),
            "observation_std": self.observation_norm.std.clone(),
        }
        linear = [layer for layer in self.actor if isinstance(layer, nn.Linear)]
        for index, layer in enumerate(linear):
            tensors[f"layers.{index}.weight"] = layer.weight.detach().clone()
            tensors[f"layers.{index}.bias"] = layer.bias.detach().clone()
        if self.mirror is not None:
            for name, (order, sign) in zip(
                ("mirror_observation", "mirror_action"), self.mirror, strict=True
            ):
                tensors[f"{name}_order"] = torch.as_tensor(order)
                tensors[f"{name}_sign"] = torch.as_tensor(sign, dtype=torch.int8)
        return tensors

    @torch.no_grad()
    def adopt(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Begin with an exported policy and its statistics; raises ValueError where shapes differ.

        The value function, which is not exported, begins anew.
        """
        own = self.exported()
        for name in own.keys() | tensors.keys():
            found = tuple(tensors[name].shape) if name in tensors else None
            allowed = tuple(own[name].shape) if name in own else None
            if found != allowed:
                raise ValueError(f"{name} has shape {found}; allowed is {allowed}")
            if name.startswith("mirror") and not torch.equal(tensors[name], own[name]):
                raise ValueError(f"{name} is {tensors[name].tolist()}, not {own[name].tolist()}")
        self.observation_norm.adopt(tensors["observation_mean"], tensors["observation_std"])
        for index, layer in enumerate(x for x in self.actor if isinstance(x, nn.Linear)):
            layer.weight.copy_(tensors[f"layers.{index}.weight"])
            layer.bias.copy_(tensors[f"layers.{index}.bias"])
