"""A family of tasks that differ in something hidden; n copies step as one, each with its own task.

What the hidden thing is, only the trainer and a privileged master are told, by `features`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import gymnasium
import numpy as np

Split = Literal["train", "tune", "test"]
SPLITS: tuple[Split, ...] = ("train", "tune", "test")


class TaskFamily(ABC):
    """Tasks are numbers; `split` says which: to train on, to choose settings on, to report on."""

    name: str
    observation_size: int
    actions: int  # choices, or length of the vector
    continuous: bool
    horizon: int  # steps of an episode
    feature_size: int
    kinds: int  # of tasks, by which draws can be stratified and collapse is told
    return_scale: float = 1.0  # a return as it is reported over the sum of rewards

    @abstractmethod
    def tasks_of(self, kind: int, split: Split) -> np.ndarray:
        """All tasks (k,) of a kind in a split."""

    @abstractmethod
    def kind(self, tasks: np.ndarray) -> np.ndarray:
        """Kinds (...) of tasks (...)."""

    @abstractmethod
    def features(self, tasks: np.ndarray) -> np.ndarray:
        """What is hidden (..., feature_size) float32."""

    @abstractmethod
    def reset(self, rng: np.random.Generator, tasks: np.ndarray) -> np.ndarray:
        """Begin an episode of each task (n,); observation (n, d) float32."""

    @abstractmethod
    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Observation (n, d), reward (n,) float32, and (n,) bool: the episode goes on.

        A copy whose episode is over stays as it is and gets nothing.
        """

    def hands_back(self) -> np.ndarray | None:
        """Where (n,) an option hands back control before its last step; None: nowhere."""
        return None

    def draw(
        self, rng: np.random.Generator, shape: tuple[int, int], split: Split, stratified: bool
    ) -> np.ndarray:
        """Tasks (seeds, n); stratified: of every kind equally many in each row, if n allows."""
        every = [self.tasks_of(kind, split) for kind in range(self.kinds)]
        if not stratified:
            return rng.choice(np.concatenate(every), shape)
        kinds = np.stack([rng.permuted(np.arange(shape[1]) % self.kinds) for _ in range(shape[0])])
        picks = np.stack([rng.choice(tasks, shape) for tasks in every])
        return np.take_along_axis(picks, kinds[None], 0)[0]


class TaskGym(gymnasium.Env):
    """One copy of a family with the interface of gymnasium.

    Description, action space, observation space, rewards, start and end: those of the family; out
    of time is `truncated`. `reset(options={"task": k})` sets the task, else one is drawn.
    """

    def __init__(self, family: TaskFamily, split: Split = "train") -> None:
        self.family = family
        self.split: Split = split
        size = (family.observation_size,)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, size, np.float32)
        self.action_space = (
            gymnasium.spaces.Box(-1.0, 1.0, (family.actions,), np.float32)
            if family.continuous
            else gymnasium.spaces.Discrete(family.actions)
        )
        self._age = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._age = 0
        task = (options or {}).get("task")
        if task is None:
            task = int(self.family.draw(self.np_random, (1, 1), self.split, False)[0, 0])
        return self.family.reset(self.np_random, np.array([task]))[0], {"task": task}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, alive = self.family.step(np.asarray(action)[None])
        self._age += 1
        terminated = not alive[0]
        late = not terminated and self._age >= self.family.horizon
        return observation[0], float(reward[0]), terminated, late, {}
