"""Sub-policies that are learned, shared by all tasks of a seed and by all its masters."""

from __future__ import annotations

import math

import numpy as np
import torch

from hrl_training.mlsh.guards import distinction
from hrl_training.mlsh.networks import ActorCritics, Batch, log_probability, sample
from hrl_training.mlsh.rollout import Rollout
from hrl_training.mlsh.tasks.family import TaskFamily
from hrl_training.rl.policy_gradient import Rules, generalised_advantages

DISCOUNT, LAMBDA = 0.99, 0.95  # of steps


class LearnedOptions:
    """`count` sub-policies for each of `seeds`; row seed * count + option of `networks`."""

    def __init__(
        self,
        family: TaskFamily,
        seeds: int,
        count: int,
        hidden: tuple[int, ...],
        rate: float,
        generator: torch.Generator,
    ) -> None:
        self.seeds, self.count, self.generator = seeds, count, generator
        self.networks = ActorCritics(
            seeds * count,
            family.observation_size,
            family.actions,
            continuous=family.continuous,
            hidden=hidden,
            rate=rate,
            generator=generator,
        )

    def _outputs(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Outputs (s, K, n, a) of all sub-policies at (s, n, d), and log std (s, K, 1, a)."""
        s, n, d = observation.shape
        every = observation[:, None].expand(s, self.count, n, d).reshape(-1, n, d)
        std = self.networks.log_std
        output = self.networks.policy(every).view(s, self.count, n, -1)
        return output, None if std is None else std.view(s, self.count, 1, -1)

    @torch.no_grad()
    def act(
        self, observation: torch.Tensor, option: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        output, std = self._outputs(observation)
        place = option[:, None, :, None].expand(-1, 1, -1, output.shape[-1])
        chosen = output.gather(1, place)[:, 0]
        if std is not None:
            std = std.expand_as(output).gather(1, place)[:, 0]
        return sample(chosen, std, self.generator)

    @torch.no_grad()
    def log_probabilities(self, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Of actions (s, n) under every sub-policy: (s, K, n)."""
        output, std = self._outputs(observation)
        every = action[:, None].expand(-1, self.count, *action.shape[1:])
        return log_probability(output, std, every)

    @torch.no_grad()
    def information(self, rollout: Rollout) -> np.ndarray:
        """I(k; a | s) over log K, in the states and by the actions of a rollout: (s,).

        An estimate from the actions that were taken, with the options that took them.
        """
        if self.count == 1:
            return np.zeros(self.seeds)
        found, weight = torch.zeros(self.seeds), torch.zeros(self.seeds)
        for t in range(0, len(rollout.reward), 5):
            told = distinction(
                rollout.log_prob[t],
                self.log_probabilities(rollout.observation[t], rollout.action[t]),
            )
            found += (told * rollout.alive[t]).sum(1)
            weight += rollout.alive[t].sum(1)
        return (found / weight.clamp(min=1) / math.log(self.count)).numpy()

    def learn(
        self,
        rollout: Rollout,
        rng: np.random.Generator,
        *,
        epochs: int,
        minibatches: int,
        bonus: float = 0.0,
    ) -> float:
        """PPO of every sub-policy on the steps that it took; `bonus`: see guards."""
        reward, alive = rollout.reward, rollout.alive.float()
        t, s, n = reward.shape
        if bonus and self.count > 1:
            told = [
                distinction(log, self.log_probabilities(seen, action)).clamp(-2)
                for log, seen, action in zip(
                    rollout.log_prob, rollout.observation, rollout.action, strict=True
                )
            ]
            reward = reward + bonus * torch.stack(told) * alive

        def flat(x: torch.Tensor) -> torch.Tensor:
            return x.transpose(0, 1).reshape(s, t * n, *x.shape[3:])

        own = rollout.option[..., None] == torch.arange(self.count)  # (t, s, n, K)
        observation = flat(rollout.observation)
        rows = observation.repeat_interleave(self.count, 0)
        with torch.no_grad():
            every = self.networks.value(rows).view(s, self.count, t, n).permute(2, 0, 3, 1)
        values = every.gather(-1, rollout.option[..., None])[..., 0]
        goes_on = torch.cat([alive[1:], torch.zeros(1, s, n)])
        advantages = torch.stack(
            generalised_advantages(
                reward,
                torch.cat([values, torch.zeros(1, s, n)]),
                DISCOUNT * goes_on,
                DISCOUNT * LAMBDA * goes_on,
            )
        )
        known = flat(own & rollout.alive[..., None])  # (s, t*n, K)

        def each(x: torch.Tensor) -> torch.Tensor:
            return flat(x).repeat_interleave(self.count, 0)

        batch = Batch(
            rows,
            each(rollout.action),
            each(rollout.log_prob),
            each(advantages),
            each(advantages + values),
            known.transpose(1, 2).reshape(s * self.count, t * n),
        )
        rules = Rules(clip=0.2, value_weight=0.5, entropy_weight=0.0)
        return self.networks.learn(batch, rules, epochs, minibatches, rng)
