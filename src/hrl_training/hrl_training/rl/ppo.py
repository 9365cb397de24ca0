"""Proximal policy optimisation for every skill, over environments that step as one array.

Source: Schulman et al. 2017 (arXiv:1707.06347), with separate networks for the policy and the
value, running normalisation, a linear learning rate, bootstrapped time-outs and, where the task
has a mirror symmetry, a policy averaged with its own mirror image (as in mjbatch's Go1 example,
Apache-2.0).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from hrl_training.rl.actor_critic import ActorCritic, Mirror
from hrl_training.rl.policy_gradient import (
    Judged,
    Rules,
    Taken,
    between,
    generalised_advantages,
    improve,
    set_learning_rate,
)


class Step(NamedTuple):
    """What n environments answer; finished ones have been reset already."""

    observation: np.ndarray  # (n, d) float32, what the policy sees, with sensor noise
    critic: np.ndarray  # (n, e) float32, what only training knows
    reward: np.ndarray  # (n,) float32
    terminated: np.ndarray  # (n,) bool, the next state has no value
    truncated: np.ndarray  # (n,) bool, out of time: the next state still has a value
    final_critic: np.ndarray  # (n, e) float32, `critic` as it was before any reset
    terms: Mapping[str, float]  # figures to log, means over the environments


class VectorEnv(Protocol):
    """Environments that step together; sizes as in `Step`."""

    @property
    def num_envs(self) -> int: ...

    @property
    def observation_size(self) -> int: ...

    @property
    def critic_size(self) -> int: ...

    @property
    def action_size(self) -> int: ...

    @property
    def mirror(self) -> Mirror | None: ...

    def reset(self) -> tuple[np.ndarray, np.ndarray]:
        """Start every environment anew: observation (n, d) and critic (n, e)."""
        ...

    def step(self, action: np.ndarray) -> Step: ...


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    steps: int = 3_000_000  # control steps over all environments
    horizon: int = 24  # steps of each environment per update
    epochs: int = 4
    minibatches: int = 4
    learning_rate: float = 1e-3
    final_learning_rate: float = 3e-4  # reached at `anneal_until`, linearly
    anneal_until: float = 0.77  # share of the training
    normalise_until: float = 0.7  # share of the training; later statistics are frozen
    discount: float = 0.98
    gae_lambda: float = 0.95
    clip: float = 0.2
    value_weight: float = 0.5
    entropy_weight: float = 0.004
    gradient_norm: float = 1.0
    hidden: tuple[int, ...] = (128, 128)
    initial_std: float = 0.3
    lowest_log_std: float = -1.8
    # Without exploration a policy behaves a little otherwise (the gait walks 3 cm/s faster), so
    # exploration can be narrowed towards the end. A share of 1 leaves it as it is.
    narrow_from: float = 1.0  # share of the training
    final_std: float = 0.1
    critic_first: float = 0.0  # share of the training in which only the value function learns
    critic_learning_rate: float = 1e-3  # in that share

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PPOConfig:
        """From what `PPO.state` noted."""
        return cls(**{**values, "hidden": tuple(values["hidden"])})


def continuation(config: PPOConfig) -> PPOConfig:
    """The same training for a policy that is good already, in small steps close to what it does.

    Its value function is new: until that has learned, it would lead the policy astray.
    """
    narrow = config.final_std if config.narrow_from < 1.0 else 0.5 * config.initial_std
    return replace(
        config,
        learning_rate=1e-4,
        final_learning_rate=3e-5,
        initial_std=max(narrow, math.exp(config.lowest_log_std)),
        entropy_weight=0.0,
        critic_first=0.25,
    )


def _log_probability(
    action: torch.Tensor, mean: torch.Tensor, log_std: torch.Tensor
) -> torch.Tensor:
    """Of a diagonal Gaussian, without its constant."""
    return -0.5 * ((action - mean) / log_std.exp()).square().sum(-1) - log_std.sum()


class PPO:
    """Trains an ActorCritic on a VectorEnv; resumes from what `state` returned.

    The networks live on `device`; environments and random numbers stay on the CPU.
    """

    def __init__(
        self,
        env: VectorEnv,
        config: PPOConfig,
        seed: int,
        device: str | torch.device = "cpu",
        minutes: float = math.inf,
    ) -> None:
        torch.set_num_threads(1)  # a second thread made these small matrices ten times slower
        torch.manual_seed(seed)
        self.env = env
        self.config = config
        self.seed = seed
        self.minutes = minutes  # of training; it ends with these or with `config.steps`
        self.model = ActorCritic(
            env.observation_size,
            env.critic_size,
            env.action_size,
            env.mirror,
            config.hidden,
            config.initial_std,
        ).to(device)
        self.device = torch.device(device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), config.learning_rate, fused=True)
        self.steps = 0
        self.seconds = 0.0  # spent training, over all resumes
        self._rng = np.random.default_rng(seed)
        self._seen: tuple[np.ndarray, np.ndarray] | None = None

    def exported(self) -> dict[str, torch.Tensor]:
        """The tensors that hrl_core.policy.policy runs."""
        return self.model.exported()

    def state(self) -> dict:
        """All that a resume needs, apart from the environments, which start anew."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
            "seconds": self.seconds,
            "seed": self.seed,
            "config": asdict(self.config) | {"hidden": list(self.config.hidden)},
        }

    def load_state(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]
        self.seconds = state["seconds"]
        self._rng = np.random.default_rng([self.seed, self.steps])
        torch.manual_seed(self.seed + self.steps)

    # A hrl_training.rl.run.Trainer

    def improve(self) -> dict[str, float]:
        """Collect one horizon of every environment and learn from it; figures to log."""
        progress = self.progress
        started = time.perf_counter()
        set_learning_rate(self.optimiser, self._learning_rate(progress))
        batch, figures = self._collect()
        figures |= self._update(batch, progress)
        if progress < self.config.normalise_until:
            self.model.observation_norm.absorb(batch["observation"])
            self.model.critic_norm.absorb(batch["critic"])
        self.steps += self.config.horizon * self.env.num_envs
        elapsed = time.perf_counter() - started
        self.seconds += elapsed
        figures["steps_per_second"] = self.config.horizon * self.env.num_envs / elapsed
        figures["std"] = float(self.model.log_std.detach().exp().mean())
        return figures

    @property
    def progress(self) -> float:
        """Share of the training that is done, by steps or by time."""
        return max(self.steps / self.config.steps, self.seconds / (60 * self.minutes))

    def line(self, figures: Mapping[str, float]) -> str:
        return (
            f"{self.steps / 1e6:.2f}M steps, {figures['steps_per_second']:.0f}/s, "
            f"reward {figures['reward']:.3f}, "
            f"{figures['terminated']:.0f} of {figures['episodes']:.0f} episodes terminated"
        )

    def so_far(self) -> str:
        return f"after {self.steps} of {self.config.steps} steps"

    def _learning_rate(self, progress: float) -> float:
        config = self.config
        if progress < config.critic_first:
            return config.critic_learning_rate
        share = min(1.0, progress / config.anneal_until)
        return between(config.learning_rate, config.final_learning_rate, share)

    def _highest_log_std(self, progress: float) -> float:
        """Falls linearly to log(final_std), reached halfway between `narrow_from` and the end."""
        config = self.config
        if progress < config.narrow_from:
            return math.inf
        share = min(1.0, 2 * (progress - config.narrow_from) / (1.0 - config.narrow_from))
        return math.log(between(config.initial_std, config.final_std, share))

    @torch.no_grad()
    def _collect(self) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """Run the policy for one horizon: a batch of (h * n, ...) and figures to log."""
        env, config, model = self.env, self.config, self.model
        if self._seen is None:
            self._seen = env.reset()
        observation, critic = self._seen
        log_std = model.log_std.detach().cpu()
        std = log_std.exp().numpy()
        rows: dict[str, list[np.ndarray]] = {
            key: [] for key in ("observation", "critic", "action", "log_prob", "reward", "alive")
        }
        terms: list[Mapping[str, float]] = []
        ended = terminations = 0
        for _ in range(config.horizon):
            mean = model.mean(self._tensor(observation)).cpu().numpy()
            noise = self._rng.standard_normal(mean.shape, np.float32)
            action = mean + std * noise
            step = env.step(action)
            reward = step.reward.astype(np.float32)
            cut_off = step.truncated & ~step.terminated
            if cut_off.any():
                left = model.value(self._tensor(step.final_critic[cut_off]))
                reward[cut_off] += config.discount * left.cpu().numpy()
            done = step.terminated | step.truncated
            ended += int(done.sum())
            terminations += int(step.terminated.sum())
            rows["observation"].append(observation)
            rows["critic"].append(critic)
            rows["action"].append(action)
            rows["log_prob"].append(-0.5 * (noise**2).sum(1) - float(log_std.sum()))
            rows["reward"].append(reward)
            rows["alive"].append((~done).astype(np.float32))
            terms.append(step.terms)
            observation, critic = step.observation, step.critic
        self._seen = observation, critic

        stacked = {key: self._tensor(np.stack(value)) for key, value in rows.items()}
        shape = stacked["reward"].shape
        values = model.value(stacked["critic"].flatten(0, 1)).reshape(shape)
        last = model.value(self._tensor(critic))[None]
        # A time-out is not alive; the value of what it cut off has been added to its reward.
        alive = stacked["alive"]
        advantages = torch.stack(
            generalised_advantages(
                stacked["reward"],
                torch.cat([values, last]),
                config.discount * alive,
                config.discount * config.gae_lambda * alive,
            )
        )
        stacked["returns"] = advantages + values
        stacked["advantage"] = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        figures = {key: float(np.mean([term[key] for term in terms])) for key in terms[0]}
        figures |= {
            "reward": float(np.mean(rows["reward"])),
            "episodes": float(ended),
            "terminated": float(terminations),
        }
        return {key: value.flatten(0, 1) for key, value in stacked.items()}, figures

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def _update(self, batch: dict[str, torch.Tensor], progress: float) -> dict[str, float]:
        config, model = self.config, self.model
        highest_log_std = self._highest_log_std(progress)
        with torch.no_grad():
            prepared = model.prepare(batch["observation"])
            critic = model.critic_norm(batch["critic"])

        def judge(rows: torch.Tensor) -> Judged:
            mean = model.mean_of_prepared(prepared[rows])
            log_prob = _log_probability(batch["action"][rows], mean, model.log_std)
            value = model.critic(critic[rows]).squeeze(-1)
            return Judged(log_prob, value, model.log_std.sum())

        moved = improve(
            self.optimiser,
            model,
            judge,
            Taken(batch["log_prob"], batch["advantage"], batch["returns"]),
            (
                torch.randperm(len(prepared)).to(self.device).chunk(config.minibatches)
                for _ in range(config.epochs)
            ),
            Rules(
                clip=config.clip,
                value_weight=config.value_weight,
                entropy_weight=config.entropy_weight,
                gradient_norm=config.gradient_norm,
                policy_learns=progress >= config.critic_first,
            ),
            lambda: model.log_std.data.clamp_(config.lowest_log_std, highest_log_std),
        )
        return {"kl": moved.kl}
