"""Episodes of a master that chooses options: what was seen, done and earned, at both timescales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch

from hrl_training.mlsh.tasks.family import TaskFamily


class Situation(NamedTuple):
    """What a master knows when it decides; s seeds, n copies each."""

    observation: torch.Tensor  # (s, n, d)
    features: torch.Tensor  # (s, n, f), which only a privileged master may look at
    gained: torch.Tensor  # (s, n), reward since the last decision
    deciding: torch.Tensor  # (s, n) bool; of the others nothing is asked


class Chooser(Protocol):
    """Whoever chooses options."""

    def begin(self, seeds: int, copies: int) -> None:
        """An episode of (seeds, copies) begins."""
        ...

    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        """Options and their log-probabilities (s, n)."""
        ...


class Options(Protocol):
    """Sub-policies behind one face: learned ones, and ones that were written."""

    count: int  # K
    seeds: int

    def act(
        self, observation: torch.Tensor, option: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Actions and log-probabilities (s, n) of options (s, n) at observations (s, n, d)."""
        ...


@dataclass(frozen=True)
class Decisions:
    """Of every copy, its decisions one after the other: (m, s, n, ...), m the most of any."""

    observation: torch.Tensor
    option: torch.Tensor
    log_prob: torch.Tensor
    reward: torch.Tensor  # until the next one
    made: torch.Tensor  # bool; else the copy made fewer


@dataclass(frozen=True)
class Rollout:
    """Steps (t, s, n, ...) and decisions of one batch of episodes."""

    observation: torch.Tensor
    action: torch.Tensor
    log_prob: torch.Tensor
    reward: torch.Tensor
    alive: torch.Tensor  # bool: the step was taken
    option: torch.Tensor
    decisions: Decisions
    features: torch.Tensor  # (s, n, f)
    tasks: np.ndarray  # (s, g)
    returns: np.ndarray  # (s, g, e), as reported


class Fixed:
    """A master that always plays the same: options (s, n)."""

    def __init__(self, option: torch.Tensor) -> None:
        self._option = option

    def begin(self, seeds: int, copies: int) -> None:
        pass

    def decide(self, situation: Situation) -> tuple[torch.Tensor, torch.Tensor]:
        return self._option, torch.zeros(self._option.shape)


@torch.no_grad()
def roll_out(
    family: TaskFamily,
    rng: np.random.Generator,
    tasks: np.ndarray,
    episodes: int,
    master: Chooser,
    options: Options,
    most_steps: int,
) -> Rollout:
    """`episodes` of each task (s, g); an option runs `most_steps` unless the family hands back."""
    seeds, each = tasks.shape
    n = each * episodes
    numbers = np.repeat(tasks, episodes, axis=1)
    features = torch.from_numpy(family.features(numbers))
    seen = family.reset(rng, numbers.reshape(-1))
    total = seeds * n
    alive, over, held = np.ones(total, bool), np.ones(total, bool), np.zeros(total, int)
    made = np.zeros(total, int)  # decisions so far
    gained = np.zeros(total, np.float32)
    option = torch.zeros(seeds, n, dtype=torch.long)
    steps: dict[str, list[torch.Tensor]] = {
        key: [] for key in ("observation", "action", "log_prob", "reward", "alive", "option")
    }
    decided: list[tuple[np.ndarray, np.ndarray, torch.Tensor, torch.Tensor, torch.Tensor]] = []
    rewards: list[np.ndarray] = []  # (total,), by number of the decision
    master.begin(seeds, n)
    for _ in range(family.horizon):
        if not alive.any():
            break
        observation = torch.from_numpy(seen).view(seeds, n, -1)
        if (deciding := alive & over).any():
            mask = torch.from_numpy(deciding).view(seeds, n)
            known = Situation(observation, features, torch.from_numpy(gained).view(seeds, n), mask)
            choice, log_prob = master.decide(known)
            option = torch.where(mask, choice, option)
            decided.append((deciding, made.copy(), observation, choice, log_prob))
            made, held = made + deciding, np.where(deciding, 0, held)
            gained = np.where(deciding, 0, gained).astype(np.float32)
            if made.max() > len(rewards):
                rewards.append(np.zeros(total, np.float32))
        action, log_prob = options.act(observation, option)
        seen, reward, going_on = family.step(action.reshape(total, *action.shape[2:]).numpy())
        for key, value in (
            ("observation", observation),
            ("action", action),
            ("log_prob", log_prob),
            ("reward", torch.from_numpy(reward).view(seeds, n)),
            ("alive", torch.from_numpy(alive).view(seeds, n)),
            ("option", option),
        ):
            steps[key].append(value)
        gained = gained + reward
        for number in range(len(rewards)):
            rewards[number] += reward * (made == number + 1)
        held, alive = held + 1, going_on.copy()
        handed = family.hands_back()
        over = held >= most_steps if handed is None else (held >= most_steps) | handed
    stacked = {key: torch.stack(value) for key, value in steps.items()}
    earned = stacked["reward"].sum(0).view(seeds, each, episodes).numpy() * family.return_scale
    decisions = _decisions(decided, np.array(rewards), (seeds, n))
    return Rollout(**stacked, decisions=decisions, features=features, tasks=tasks, returns=earned)


def _decisions(decided: list, rewards: np.ndarray, shape: tuple[int, int]) -> Decisions:
    most, total = rewards.shape
    observation = torch.zeros(most, total, decided[0][2].shape[-1])
    option = torch.zeros(most, total, dtype=torch.long)
    log_prob, made = torch.zeros(most, total), torch.zeros(most, total, dtype=torch.bool)
    for deciding, number, seen, choice, log in decided:
        who = np.flatnonzero(deciding)
        at = (torch.from_numpy(number[who]), torch.from_numpy(who))
        observation[at] = seen.reshape(total, -1)[at[1]]
        option[at], log_prob[at] = choice.reshape(-1)[at[1]], log.reshape(-1)[at[1]]
        made[at] = True
    return Decisions(
        *(
            x.view(most, *shape, *x.shape[2:])
            for x in (observation, option, log_prob, torch.from_numpy(rewards), made)
        )
    )
