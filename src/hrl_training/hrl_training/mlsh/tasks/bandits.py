"""Moving bandits: two marked points, one of which pays, and no sign of which (section 6.1)."""

from __future__ import annotations

import numpy as np

from hrl_training.mlsh.tasks.family import Split, TaskFamily

SIDE = 400.0  # of the square in which the points are drawn; figures of the authors' code
STRIDE = 20.0
RADIUS = 50.0
REWARD = 0.1  # a step within the radius; reported as 1, as in the paper
MOVES = STRIDE * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)


class Bandits(TaskFamily):
    """Observation: own position and both points, over half the side. Action: stay or a stride.

    Reward: near the right point. Start: the middle; the points are drawn in every episode. End:
    after `horizon` steps. A task is which point pays, so splits differ in their draws only.
    """

    name = "bandits"
    observation_size, actions, continuous = 6, 5, False
    horizon, feature_size, kinds, return_scale = 50, 2, 2, 1 / REWARD

    def tasks_of(self, kind: int, split: Split) -> np.ndarray:
        return np.array([kind])

    def kind(self, tasks: np.ndarray) -> np.ndarray:
        return tasks

    def features(self, tasks: np.ndarray) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[tasks]

    def reset(self, rng: np.random.Generator, tasks: np.ndarray) -> np.ndarray:
        n = len(tasks)
        self._place = np.full((n, 2), SIDE / 2, np.float32)
        self._points = rng.uniform(0, SIDE, (n, 2, 2)).astype(np.float32)
        self._right = self._points[np.arange(n), tasks]
        return self._observe()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._place = self._place + MOVES[action]
        near = ((self._place - self._right) ** 2).sum(1) < RADIUS**2
        return self._observe(), near.astype(np.float32) * REWARD, np.ones(len(near), bool)

    def _observe(self) -> np.ndarray:
        seen = np.concatenate([self._place, self._points.reshape(-1, 4)], axis=1)
        return seen / (SIDE / 2) - 1
