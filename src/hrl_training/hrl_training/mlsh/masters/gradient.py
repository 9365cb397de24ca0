"""Masters that learn by policy gradient: the paper's network, K logits, and one that is told."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from hrl_training.mlsh.networks import ActorCritics, Batch, sample
from hrl_training.mlsh.rollout import Rollout, Situation
from hrl_training.mlsh.tasks.family import TaskFamily
from hrl_training.rl.policy_gradient import Rules, generalised_advantages

DISCOUNT, LAMBDA = 0.99, 0.98  # of decisions
EPOCHS, MINIBATCHES = 10, 2

Kind = Literal["network", "logits", "privileged"]


class GradientMaster:
    """PPO over decisions. `network`, `logits`: one for each task of each seed, the latter blind.

    `privileged`: one for each seed, which is told the task and needs no reset.
    """

    def __init__(
        self,
        family: TaskFamily,
        seeds: int,
        tasks: int,
        options: int,
        *,
        kind: Kind,
        hidden: tuple[int, ...],
        rate: float,
        generator: torch.Generator,
    ) -> None:
        self.kind, self.tasks, self.seeds = kind, tasks, seeds
        self.generator = generator
        size = {
            "network": family.observation_size,
            "logits": 1,
            "privileged": family.observation_size + family.feature_size,
        }[kind]
        self.networks = ActorCritics(
            seeds if kind == "privileged" else seeds * tasks,
            size,
            options,
            continuous=False,
            hidden=() if kind == "logits" else hidden,
            rate=rate,
            generator=generator,
        )

    def begin_anew(self) -> None:
        """Forget the tasks; one that is told them keeps what it knows."""
        if self.kind != "privileged":
            self.networks.begin_anew(range(self.networks.rows))

    def prefer(self, option: torch.Tensor, logit: float) -> None:
        """Begin with a preference for an option in each task (seeds, tasks)."""
        row = torch.arange(self.networks.rows)
        with torch.no_grad():
            self.networks.policy.biases[-1][row, 0, option.reshape(-1)] = logit

    def _view(self, observation: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """What it looks at (rows, m, d), of (s, n, d) and (s, n, f)."""
        if self.kind == "privileged":
            return torch.cat([observation, features], -1)
        each = observation.reshape(self.networks.rows, -1, observation.shape[-1])
        return torch.ones_like(each[..., :1]) if self.kind == "logits" else each

    def begin(self, seeds: int, copies: int) -> None:
        pass

    @torch.no_grad()
    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.networks.policy(self._view(situation.observation, situation.features))
        option, log_prob = sample(output, None, self.generator)
        shape = situation.observation.shape[:2]
        return option.view(shape), log_prob.view(shape)

    def learn(
        self,
        rollout: Rollout,
        rng: np.random.Generator,
        bonus: torch.Tensor | None = None,
        counted: torch.Tensor | None = None,
    ) -> None:
        """PPO on the decisions; `bonus` (m, s, n) is added to their rewards.

        `counted` (s, n) bool: copies in which it decided by itself; None: in all.
        """
        made = rollout.decisions
        m, s, n = made.reward.shape
        reward = made.reward if bonus is None else made.reward + bonus
        known = made.made if counted is None else made.made & counted

        def rows(x: torch.Tensor) -> torch.Tensor:
            """(m, s, n, ...) -> (rows, m * copies, ...)."""
            apart = x.reshape(m, self.networks.rows, -1, *x.shape[3:]).transpose(0, 1)
            return apart.reshape(self.networks.rows, -1, *x.shape[3:])

        seen = torch.stack([self._view(each, rollout.features) for each in made.observation])
        flat = seen.transpose(0, 1).reshape(self.networks.rows, -1, seen.shape[-1])
        with torch.no_grad():
            value = self.networks.value(flat)
        value = value.view(self.networks.rows, m, -1).transpose(0, 1).reshape(m, s, n)
        goes_on = torch.cat([made.made[1:].float(), torch.zeros(1, s, n)])
        advantage = torch.stack(
            generalised_advantages(
                reward,
                torch.cat([value, torch.zeros(1, s, n)]),
                DISCOUNT * goes_on,
                DISCOUNT * LAMBDA * goes_on,
            )
        )
        batch = Batch(
            flat,
            rows(made.option),
            rows(made.log_prob),
            rows(advantage),
            rows(advantage + value),
            rows(known),
        )
        rules = Rules(clip=0.2, value_weight=0.5, entropy_weight=0.0)
        self.networks.learn(batch, rules, EPOCHS, MINIBATCHES, rng)
