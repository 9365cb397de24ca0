"""Many small networks that run and learn as one, each apart from the others: (k, ...) tensors.

The runs of several seeds, the sub-policies of each and the masters of its tasks are rows of one
stack: they share no weight and no gradient, only the overhead of the interpreter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from hrl_training.rl.policy_gradient import Judged, Rules, Taken, improve

INITIAL_LOG_STD = -0.5
FINAL_GAIN = 0.01  # of the last layer: a fresh policy is near uniform
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam: Kingma and Ba 2015


class Stack(nn.Module):
    """`rows` tanh networks of `sizes`; x (rows, n, i) -> (rows, n, o)."""

    def __init__(
        self, rows: int, sizes: Sequence[int], generator: torch.Generator, gain: float = FINAL_GAIN
    ) -> None:
        super().__init__()
        self._sizes, self._generator, self._gain = list(sizes), generator, gain
        pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
        self.weights = nn.ParameterList([torch.zeros(rows, i, o) for i, o in pairs])
        self.biases = nn.ParameterList([torch.zeros(rows, 1, o) for _, o in pairs])
        self.begin_anew(range(rows))

    @torch.no_grad()
    def begin_anew(self, rows: Iterable[int]) -> None:
        chosen = list(rows)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            fresh = torch.randn(len(chosen), *weight.shape[1:], generator=self._generator)
            fresh /= fresh.norm(dim=1, keepdim=True)
            weight[chosen] = fresh * (self._gain if k == len(self.weights) - 1 else 1.0)
            bias[chosen] = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if k < len(self.weights) - 1:
                x = torch.tanh(x)
        return x


class RowAdam(torch.optim.Optimizer):
    """Adam whose moments and count of steps are kept per row, so that a row can begin anew."""

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float) -> None:
        super().__init__(parameters, {"lr": rate})
        for parameter in self._parameters():
            self.state[parameter] = {
                "mean": torch.zeros_like(parameter),
                "square": torch.zeros_like(parameter),
                "steps": torch.zeros(len(parameter), 1, 1),
            }

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @torch.no_grad()
    def forget(self, rows: Iterable[int]) -> None:
        chosen = list(rows)
        for parameter in self._parameters():
            for moment in self.state[parameter].values():
                moment[chosen] = 0.0

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        rate = self.param_groups[0]["lr"]
        for parameter in self._parameters():
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            state["steps"] += 1
            state["mean"].lerp_(parameter.grad, 1 - BETAS[0])
            state["square"].mul_(BETAS[1]).addcmul_(
                parameter.grad, parameter.grad, value=1 - BETAS[1]
            )
            scale = torch.sqrt(1 - BETAS[1] ** state["steps"]) / (1 - BETAS[0] ** state["steps"])
            parameter -= rate * scale * state["mean"] / (state["square"].sqrt() + EPSILON)


@dataclass(frozen=True)
class Batch:
    """What `rows` networks learn from: (rows, m, ...); `known` (rows, m) bool: it happened."""

    observation: torch.Tensor
    action: torch.Tensor
    log_prob: torch.Tensor
    advantage: torch.Tensor
    returns: torch.Tensor
    known: torch.Tensor


class ActorCritics(nn.Module):
    """`rows` policies and value functions; actions are a choice or a Gaussian vector."""

    def __init__(
        self,
        rows: int,
        observations: int,
        actions: int,
        *,
        continuous: bool,
        hidden: tuple[int, ...],
        rate: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.rows, self._generator = rows, generator
        self.policy = Stack(rows, [observations, *hidden, actions], generator)
        self.critic = Stack(rows, [observations, *hidden, 1], generator)
        self.log_std = None
        if continuous:
            self.log_std = nn.Parameter(torch.full((rows, 1, actions), INITIAL_LOG_STD))
        self.optimiser = RowAdam(self.parameters(), rate)

    @torch.no_grad()
    def begin_anew(self, rows: Sequence[int]) -> None:
        """Fresh weights for some rows; what Adam knew of them goes too."""
        self.policy.begin_anew(rows)
        self.critic.begin_anew(rows)
        if self.log_std is not None:
            self.log_std[list(rows)] = INITIAL_LOG_STD
        self.optimiser.forget(rows)

    def value(self, observation: torch.Tensor) -> torch.Tensor:
        """(rows, n, d) -> (rows, n)."""
        return self.critic(observation).squeeze(-1)

    def learn(
        self, batch: Batch, rules: Rules, epochs: int, minibatches: int, rng: np.random.Generator
    ) -> float:
        """One update by PPO of every row on its own samples; how far they moved (KL).

        A row with fewer samples than another sees some of them twice; one without any stays.
        """
        index, present = _packed(batch.known, minibatches, rng)
        row = torch.arange(self.rows)[:, None]

        def take(x: torch.Tensor) -> torch.Tensor:
            return x[row, index].transpose(0, 1)  # samples first

        observation, action = take(batch.observation), take(batch.action)
        advantage, returns = take(batch.advantage), take(batch.returns)
        advantage = (advantage - advantage.mean(0)) / advantage.std(0, correction=0).clamp(min=1e-6)
        still = present.float()  # (rows,): nothing moves a row without samples

        def judge(samples: torch.Tensor) -> Judged:
            seen = observation[samples].transpose(0, 1)
            output = self.policy(seen)
            chosen = action[samples].transpose(0, 1)
            log_prob = log_probability(output, self.log_std, chosen).transpose(0, 1)
            value = self.value(seen).transpose(0, 1)
            return Judged(
                log_prob, value * still, (entropy(output, self.log_std).mean(1) * still).mean()
            )

        taken = Taken(take(batch.log_prob), advantage * still, returns * still)
        order = (
            torch.from_numpy(rng.permutation(index.shape[1])).chunk(minibatches)
            for _ in range(epochs)
        )
        return improve(self.optimiser, self, judge, taken, order, rules).kl


def _packed(
    known: torch.Tensor, least: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Columns (rows, m) of the samples of each row, the last ones again; rows that have any."""
    lists = [np.flatnonzero(each) for each in known.numpy()]
    most = max(least, *(len(each) for each in lists))
    index = np.zeros((len(lists), most), int)
    for k, each in enumerate(lists):
        if len(each):
            more = each[rng.integers(0, len(each), most - len(each))]
            index[k] = np.concatenate([each, more])
    return torch.from_numpy(index), torch.tensor([len(each) > 0 for each in lists])


def sample(
    output: torch.Tensor, log_std: torch.Tensor | None, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Actions and their log-probabilities (...) from logits, or from means where there is a std."""
    if log_std is None:
        noise = -torch.empty_like(output).exponential_(generator=generator).log()
        action = (output + noise).argmax(-1)  # Gumbel: a draw from the softmax
    else:
        action = output + log_std.exp() * torch.randn(output.shape, generator=generator)
    return action, log_probability(output, log_std, action)


def log_probability(
    output: torch.Tensor, log_std: torch.Tensor | None, action: torch.Tensor
) -> torch.Tensor:
    """Of actions (..., a) or choices (...) under outputs (..., a): (...)."""
    if log_std is None:
        return torch.log_softmax(output, -1).gather(-1, action.unsqueeze(-1)).squeeze(-1)
    normal = -0.5 * ((action - output) / log_std.exp()).square() - log_std
    return (normal - 0.5 * math.log(2 * math.pi)).sum(-1)


def entropy(output: torch.Tensor, log_std: torch.Tensor | None) -> torch.Tensor:
    """Entropy (...) nat of the policies with outputs (..., a)."""
    if log_std is None:
        logs = torch.log_softmax(output, -1)
        return -(logs.exp() * logs).sum(-1)
    return (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1).expand(output.shape[:-1])
