"""Proximal policy optimisation over sets of candidates, for decisions that take their time.

The network scores each allowed candidate of a situation (see hrl_master.learned for its form). A
decision that lasts tau seconds discounts what follows by discount ** tau (Sutton, Precup and Singh
1999, options as a semi-Markov decision process); masks as in Huang and Ontanon 2022
(arXiv:2006.14171); the rest as in Schulman et al. 2017 (arXiv:1707.06347). The value function
alone is also told what disturbs the trial (Pinto et al. 2017, arXiv:1710.06542): luck then counts
less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from hrl_training.fast.rollouts import Step
from hrl_training.rl.policy_gradient import (
    Judged,
    Rules,
    Taken,
    between,
    descend,
    generalised_advantages,
    improve,
    mean_square,
    set_learning_rate,
)

HIDDEN = 64
PARTS = ("context", "action", "score", "critic")  # a robot needs no critic


@dataclass(frozen=True, kw_only=True)
class MasterPPOConfig:
    learning_rate: float = 5e-4
    final_learning_rate: float = 1e-4
    epochs: int = 5
    minibatch: int = 256  # decisions
    clip: float = 0.2
    discount: float = 0.9995  # per second
    gae_lambda: float = 0.97
    entropy_weight: float = 0.01
    final_entropy_weight: float = 0.0005
    value_weight: float = 0.5
    doubt: float = 0.3  # weight of the entropy while it imitates, so that it tries other things
    gradient_norm: float = 0.5
    target_kl: float = 0.03  # an update ends where the policy has moved so far


class CandidateNet(nn.Module):
    """Scores candidates and values situations, whatever their number."""

    def __init__(self, context: int, action: int, truth: int) -> None:
        super().__init__()
        self.context = nn.ModuleList([nn.Linear(context, HIDDEN), nn.Linear(HIDDEN, HIDDEN)])
        self.action = nn.ModuleList([nn.Linear(action, HIDDEN), nn.Linear(HIDDEN, HIDDEN)])
        self.score = nn.ModuleList([nn.Linear(4 * HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)])
        self.critic = nn.ModuleList([nn.Linear(3 * HIDDEN + truth, HIDDEN), nn.Linear(HIDDEN, 1)])
        with torch.no_grad():
            for last, scale in ((self.score[-1], 0.1), (self.critic[-1], 0.1)):
                assert isinstance(last, nn.Linear)
                last.weight.mul_(scale)
                last.bias.zero_()

    def forward(
        self,
        context: torch.Tensor,
        actions: torch.Tensor,
        mask: torch.Tensor,
        truth: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(b, C), candidates (b, n, F), masks (b, n), (b, T) -> logits (b, n), values (b,)."""
        c = _tanh(self.context, context)
        a = _tanh(self.action, actions)
        open_ = mask.unsqueeze(-1)
        mean = (a * open_).sum(1) / open_.sum(1).clamp(min=1)
        most = a.masked_fill(~open_, -1.0).amax(1)  # tanh is above -1
        pooled = torch.cat([c, mean, most, truth], dim=1)
        n = actions.shape[1]
        each = torch.cat(
            [
                c.unsqueeze(1).expand(-1, n, -1),
                a,
                mean.unsqueeze(1).expand(-1, n, -1),
                most.unsqueeze(1).expand(-1, n, -1),
            ],
            dim=2,
        )
        logits = _head(self.score, each).squeeze(-1).masked_fill(~mask, -1e9)
        return logits, _head(self.critic, pooled).squeeze(-1)

    def exported(self) -> dict[str, np.ndarray]:
        """As hrl_master.learned reads them: y = x @ W + b."""
        found = {}
        for part in PARTS:
            for k, layer in enumerate(getattr(self, part)):
                found[f"{part}_w{k}"] = layer.weight.detach().numpy().T.copy()
                found[f"{part}_b{k}"] = layer.bias.detach().numpy().copy()
        return found

    @torch.no_grad()
    def adopt(self, weights: dict[str, np.ndarray]) -> None:
        """Begin with exported weights; raises ValueError where shapes differ."""
        own = self.exported()
        for name, array in own.items():
            found = weights[name].shape if name in weights else None
            if found != array.shape:
                raise ValueError(f"{name} has shape {found}; allowed is {array.shape}")
        for part in PARTS:
            for k, layer in enumerate(getattr(self, part)):
                layer.weight.copy_(torch.from_numpy(weights[f"{part}_w{k}"].T.copy()))
                layer.bias.copy_(torch.from_numpy(weights[f"{part}_b{k}"]))


class Batch(NamedTuple):
    """Decisions of many missions, candidates padded."""

    context: torch.Tensor
    actions: torch.Tensor
    mask: torch.Tensor
    truth: torch.Tensor
    chosen: torch.Tensor
    log_probability: torch.Tensor
    advantage: torch.Tensor
    returns: torch.Tensor


def advantages(
    steps: Sequence[Step], values: np.ndarray, discount: float, gae_lambda: float
) -> np.ndarray:
    """Generalised advantages (k,) of the decisions of one mission, which ends for good."""
    fade = [discount**step.seconds for step in steps]
    rewards, decay = [step.reward for step in steps], [each * gae_lambda for each in fade]
    return np.array(generalised_advantages(rewards, [*values, 0.0], fade, decay), float)


def batch_of(
    missions: Sequence[Sequence[Step]], net: CandidateNet, config: MasterPPOConfig
) -> Batch:
    """Pad and stack the decisions of missions, with what they brought beyond what was expected."""
    steps = [step for mission in missions for step in mission]
    widest = max(len(step.mask) for step in steps)
    actions = np.zeros((len(steps), widest, steps[0].actions.shape[1]), np.float32)
    mask = np.zeros((len(steps), widest), bool)
    for k, step in enumerate(steps):
        actions[k, : len(step.mask)] = step.actions
        mask[k, : len(step.mask)] = step.mask
    inputs = (
        torch.from_numpy(np.stack([step.context for step in steps])),
        torch.from_numpy(actions),
        torch.from_numpy(mask),
        torch.from_numpy(np.stack([step.truth for step in steps])),
    )
    with torch.no_grad():
        values = net(*inputs)[1].numpy()
    ends = np.cumsum([len(mission) for mission in missions])[:-1]
    parts = zip(missions, np.split(values, ends), strict=True)
    gains = np.concatenate([advantages(m, v, config.discount, config.gae_lambda) for m, v in parts])
    return Batch(
        *inputs,
        torch.tensor([step.chosen for step in steps]),
        torch.tensor([step.log_probability for step in steps], dtype=torch.float32),
        torch.tensor((gains - gains.mean()) / (gains.std() + 1e-8), dtype=torch.float32),
        torch.tensor(gains + values, dtype=torch.float32),
    )


class MasterPPO:
    """The network and its optimiser."""

    def __init__(
        self, context: int, action: int, truth: int, config: MasterPPOConfig, seed: int
    ) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.config = config
        self.net = CandidateNet(context, action, truth)
        self.optimiser = torch.optim.Adam(self.net.parameters(), config.learning_rate)

    def update(self, batch: Batch, progress: float) -> dict[str, float]:
        """Improve on the missions of the present policy; `progress` 0 to 1 of the training."""
        c = self.config
        rate = between(c.learning_rate, c.final_learning_rate, progress)
        set_learning_rate(self.optimiser, rate)
        entropy_weight = between(c.entropy_weight, c.final_entropy_weight, progress)

        def judge(rows: torch.Tensor) -> Judged:
            logits, value = self._of(batch, rows)
            spread = torch.distributions.Categorical(logits=logits)
            return Judged(spread.log_prob(batch.chosen[rows]), value, spread.entropy().mean())

        moved = improve(
            self.optimiser,
            self.net,
            judge,
            Taken(batch.log_probability, batch.advantage, batch.returns),
            (torch.randperm(len(batch.chosen)).split(c.minibatch) for _ in range(c.epochs)),
            Rules(
                clip=c.clip,
                value_weight=c.value_weight,
                entropy_weight=entropy_weight,
                gradient_norm=c.gradient_norm,
                target_kl=c.target_kl,
            ),
        )
        return moved._asdict()

    def imitate(self, batch: Batch, epochs: int) -> float:
        """Learn to choose what was chosen, and what it brought; returns the last loss."""
        loss = torch.tensor(0.0)
        for _ in range(epochs):
            for rows in torch.randperm(len(batch.chosen)).split(self.config.minibatch):
                logits, value = self._of(batch, rows)
                loss = nn.functional.cross_entropy(logits, batch.chosen[rows])
                entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
                value_loss = mean_square(value - batch.returns[rows])
                whole = loss + self.config.value_weight * value_loss - self.config.doubt * entropy
                descend(self.optimiser, self.net, whole, self.config.gradient_norm)
        return float(loss.detach())

    def _of(self, batch: Batch, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        parts = (batch.context, batch.actions, batch.mask, batch.truth)
        return self.net(*(part[rows] for part in parts))


def _tanh(layers: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        x = torch.tanh(layer(x))
    return x


def _head(layers: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    for layer in list(layers)[:-1]:
        x = torch.tanh(layer(x))
    return layers[-1](x)
