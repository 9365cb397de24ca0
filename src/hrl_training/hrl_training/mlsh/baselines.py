"""What MLSH is compared with: one policy for a task, learned from nothing or from a shared one."""

from __future__ import annotations

import numpy as np
import torch

from hrl_training.mlsh.experiment import Experiment
from hrl_training.mlsh.options.learned import LearnedOptions
from hrl_training.mlsh.rollout import Fixed, roll_out

EPOCHS, MINIBATCHES = 10, 8  # twice those of sub-policies: each batch is of one task only


def learning_alone(
    experiment: Experiment,
    tasks: np.ndarray,
    episodes: int,
    per_update: int,
    seed: int,
    start: LearnedOptions | None = None,
) -> np.ndarray:
    """PPO on each task (s, g) by itself, primitive steps only: (episodes, s, g).

    `start`: the one policy of each seed that all its tasks begin with; None: from scratch.
    """
    family = experiment.make_family()
    seeds, each = tasks.shape
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    rows = seeds * each
    policies = LearnedOptions(family, rows, 1, experiment.hidden, experiment.option_rate, generator)
    if start is not None:
        state = start.networks.state_dict()
        policies.networks.load_state_dict(
            {name: weight.repeat_interleave(each, 0) for name, weight in state.items()}
        )
    alone = tasks.reshape(rows, 1)
    master = Fixed(torch.zeros(rows, per_update, dtype=torch.long))
    found: list[np.ndarray] = []
    while len(found) < episodes:
        rollout = roll_out(family, rng, alone, per_update, master, policies, family.horizon)
        found += list(rollout.returns[:, 0].T.reshape(per_update, seeds, each))
        policies.learn(rollout, rng, epochs=EPOCHS, minibatches=MINIBATCHES)
    return np.array(found[:episodes])
