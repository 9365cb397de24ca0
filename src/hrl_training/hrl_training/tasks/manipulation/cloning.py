"""Cloning a script: it acts with disturbed actions, and a network learns the clean ones.

After Laskey et al., DART: noise injection for robust imitation learning, 2017.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from hrl_training.tasks.manipulation.ends import counts_of
from hrl_training.tasks.manipulation.env import ManipulationEnv
from hrl_training.tasks.manipulation.script import make_script

CLONE = "clone"  # key of a checkpoint: the tensors of the clone, None until it is made
NOISE = np.array([0.2] * 5 + [0.06])  # sd of the action noise
NOISY_SHARE = 0.5  # of the steps
BATCH, LEARNING_RATE, FINAL_LEARNING_RATE = 512, 1e-3, 1e-5
CLIPPED = 1.3  # beyond its range an action is clipped: only the part within it is to be learned


class _FromScratch:
    """A kill before a clone is made costs all of it: its checkpoint only says so."""

    def state(self) -> dict[str, Any]:
        return {CLONE: None}

    def so_far(self) -> str:
        return "while cloning"


class Demonstration(_FromScratch):
    """The script acts, disturbed: a hrl_training.rl.run.Trainer that collects what it would do."""

    def __init__(self, env: ManipulationEnv, steps: int, seed: int) -> None:
        """`steps`: control steps over all environments, one tick at least."""
        self.ends: Counter = Counter()  # how episodes ended
        self.steps = 0
        self._env, self._total = env, env.count * max(1, steps // env.count)
        self._rng = np.random.default_rng(seed)
        self._script = make_script(env.task, env.robot, env.count)
        self._observations: list[np.ndarray] = []
        self._actions: list[np.ndarray] = []

    @property
    def progress(self) -> float:
        return self.steps / self._total

    def improve(self) -> dict[str, float]:
        """One tick of every arm."""
        env = self._env
        observation, hand, _ = env.sense()
        action = self._script(observation)
        self._observations.append(observation)
        self._actions.append(action.astype(np.float32))
        noisy = self._rng.random((env.count, 1)) < NOISY_SHARE
        noise = self._rng.normal(size=action.shape) * NOISE * noisy
        ended = env.step(hand, action + noise)
        self.ends.update(counts_of(ended))
        self._script.reset(ended.any)
        env.reset(ended.any)
        self.steps += env.count
        return {}

    def line(self, figures: Mapping[str, float]) -> str:
        return f"{self.steps} of {self._total} steps"

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Observations (n, d) and the script's clean actions (n, 6) for them."""
        return np.concatenate(self._observations), np.concatenate(self._actions)


class Cloning(_FromScratch):
    """Fits a ReLU network of two layers by least squares: a hrl_training.rl.run.Trainer."""

    def __init__(
        self, observations: np.ndarray, actions: np.ndarray, seed: int, epochs: int, hidden: int
    ) -> None:
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.steps = 0  # epochs
        self._epochs = epochs
        x, self._actions = torch.from_numpy(observations), torch.from_numpy(actions)
        self._mean, self._std = x.mean(0), x.std(0).clamp(min=0.05)
        self._inputs = ((x - self._mean) / self._std).clamp(-8, 8)
        self._network = nn.Sequential(
            nn.Linear(x.shape[1], hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, actions.shape[1]),
        )
        self._optimiser = torch.optim.Adam(self._network.parameters(), LEARNING_RATE)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimiser, epochs, FINAL_LEARNING_RATE
        )

    @property
    def progress(self) -> float:
        return self.steps / self._epochs

    def improve(self) -> dict[str, float]:
        """One epoch."""
        losses = []
        for rows in torch.randperm(len(self._inputs)).split(BATCH):
            predicted = self._network(self._inputs[rows]).clamp(-CLIPPED, CLIPPED)
            loss = ((predicted - self._actions[rows]) ** 2).mean()
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            losses.append(float(loss.detach()))
        self._schedule.step()
        self.steps += 1
        return {"clone_loss": float(np.mean(losses))}

    def state(self) -> dict[str, Any]:
        return {CLONE: self.exported()} if self.progress >= 1.0 else super().state()

    def line(self, figures: Mapping[str, float]) -> str:
        return f"epoch {self.steps} of {self._epochs}, loss {figures['clone_loss']:.4f}"

    def exported(self) -> dict[str, torch.Tensor]:
        """The tensors of the policy file."""
        tensors = {"observation_mean": self._mean, "observation_std": self._std}
        linear = [layer for layer in self._network if isinstance(layer, nn.Linear)]
        for k, layer in enumerate(linear):
            tensors[f"layers.{k}.weight"] = layer.weight.detach().clone()
            tensors[f"layers.{k}.bias"] = layer.bias.detach().clone()
        return tensors
