"""A recurrent master: its memory, kept over the episodes of a trial, is how it adapts.

Source: Duan et al. 2016, RL^2 (arXiv:1611.02779). It is trained on the training tasks, its options
frozen; on an unseen task nothing is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from hrl_training.mlsh.networks import RowAdam, Stack, entropy, log_probability, sample
from hrl_training.mlsh.rollout import Decisions, Options, Situation, roll_out
from hrl_training.mlsh.tasks.family import TaskFamily
from hrl_training.rl.policy_gradient import (
    Judged,
    Rules,
    Taken,
    between,
    generalised_advantages,
    improve,
)

HIDDEN = 32
DISCOUNT, LAMBDA = 0.97, 0.9  # of decisions, across the episodes of a trial
LOGITS_AND_VALUE = slice(None, -1)


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    iterations: int = 200
    tasks: int = 32  # at once
    trial: int = 3  # episodes over which memory is kept
    epochs: int = 4
    rate: float = 3e-3
    entropy_weight: float = 0.05  # falls to 0
    value_weight: float = 0.2
    reward_scale: float = 1.0  # the return of a trial is of order 1 with it, else values drown it


class _Cell(nn.Module):
    """A gated recurrent unit (Cho et al. 2014) for each seed."""

    def __init__(self, seeds: int, inputs: int, options: int, generator: torch.Generator) -> None:
        super().__init__()
        self.input = Stack(seeds, [inputs, HIDDEN], generator, gain=1.0)
        self.gates = Stack(seeds, [2 * HIDDEN, 2 * HIDDEN], generator, gain=1.0)
        self.fresh = Stack(seeds, [2 * HIDDEN, HIDDEN], generator, gain=1.0)
        self.head = Stack(seeds, [HIDDEN, options + 1], generator)
        with torch.no_grad():
            self.gates.biases[0][..., HIDDEN:] = 1.0  # memory is kept unless told otherwise

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = torch.tanh(self.input(x))
        gates = torch.sigmoid(self.gates(torch.cat([seen, memory], -1)))
        recall, keep = gates.split(HIDDEN, -1)
        fresh = torch.tanh(self.fresh(torch.cat([seen, recall * memory], -1)))
        memory = keep * memory + (1 - keep) * fresh
        return self.head(memory), memory


class RecurrentMaster:
    """Sees besides the observation its last option and what that brought."""

    def __init__(
        self, family: TaskFamily, options: Options, config: RecurrentConfig, seed: int
    ) -> None:
        self._family, self._options, self._config = family, options, config
        self._generator = torch.Generator().manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        inputs = family.observation_size + options.count + 1
        self._cell = _Cell(options.seeds, inputs, options.count, self._generator)
        self._optimiser = RowAdam(self._cell.parameters(), config.rate)
        self.forget()

    def parameters(self) -> list[nn.Parameter]:
        return list(self._cell.parameters())

    def forget(self) -> None:
        """Another task begins."""
        self.memory: torch.Tensor | None = None
        self._last = torch.zeros(0)
        self._inputs: list[torch.Tensor] = []

    def begin(self, seeds: int, copies: int) -> None:
        if self.memory is None:
            self.memory = torch.zeros(seeds, copies, HIDDEN)
            self._last = torch.zeros(seeds, copies, self._options.count)

    @torch.no_grad()
    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        assert self.memory is not None
        gained = situation.gained.unsqueeze(-1) * self._config.reward_scale
        x = torch.cat([situation.observation, self._last, gained], -1)
        output, memory = self._cell(x, self.memory)
        option, log_prob = sample(output[..., LOGITS_AND_VALUE], None, self._generator)
        asked = situation.deciding.unsqueeze(-1)
        self.memory = torch.where(asked, memory, self.memory)
        chosen = torch.nn.functional.one_hot(option, self._options.count).float()
        self._last = torch.where(asked, chosen, self._last)
        self._inputs.append(x)
        return option, log_prob

    def learn(self, rollout: object, rng: np.random.Generator) -> None:
        """Nothing: what it has seen is in its memory."""

    def train(self, most_steps: int) -> None:
        """Learn on training tasks; for families whose options all end together."""
        config, count = self._config, self._options.seeds
        for number in range(config.iterations):
            tasks = self._family.draw(self._rng, (count, config.tasks), "train", True)
            self.forget()
            parts: list[Decisions] = []
            for _ in range(config.trial):
                rollout = roll_out(
                    self._family, self._rng, tasks, 1, self, self._options, most_steps
                )
                parts.append(rollout.decisions)
            self._update(parts, number / config.iterations)
        self.forget()

    def _update(self, parts: list[Decisions], progress: float) -> None:
        config = self._config
        inputs = torch.stack(self._inputs)
        option = torch.cat([part.option for part in parts])
        real = torch.cat([part.made for part in parts]).float()
        reward = torch.cat([part.reward for part in parts]) * config.reward_scale

        def outputs() -> torch.Tensor:
            memory, found = torch.zeros(*inputs.shape[1:3], HIDDEN), []
            for x, asked in zip(inputs, real, strict=True):
                output, fresh = self._cell(x, memory)
                memory = torch.where(asked.unsqueeze(-1) > 0, fresh, memory)
                found.append(output)
            return torch.stack(found)

        with torch.no_grad():
            value = outputs()[..., -1]
        fade = torch.full_like(value, DISCOUNT)
        advantage = torch.stack(
            generalised_advantages(
                reward, torch.cat([value, torch.zeros_like(value[:1])]), fade, LAMBDA * fade
            )
        )
        returns = advantage + value
        each = advantage.transpose(0, 1).flatten(1)
        spread = each.std(1).clamp(min=1e-6)[None, :, None]
        advantage = (advantage - each.mean(1)[None, :, None]) / spread * real

        def judge(_: torch.Tensor) -> Judged:
            output = outputs()
            logits = output[..., LOGITS_AND_VALUE]
            doubt = (entropy(logits, None) * real).mean()
            return Judged(log_probability(logits, None, option), output[..., -1] * real, doubt)

        old = torch.cat([part.log_prob for part in parts])
        every = torch.arange(len(inputs))  # a trial is one sample: its decisions stay in order
        rules = Rules(
            clip=0.2,
            value_weight=config.value_weight,
            entropy_weight=between(config.entropy_weight, 0.0, progress),
        )
        # Decisions that were not made weigh nothing, in the policy and in the value.
        with torch.no_grad():
            now = log_probability(outputs()[..., LOGITS_AND_VALUE], None, option)
        taken = Taken(torch.where(real > 0, old, now), advantage, returns * real)
        epochs = ([every] for _ in range(config.epochs))
        improve(self._optimiser, self._cell, judge, taken, epochs, rules)
