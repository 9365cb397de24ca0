"""A trained policy on disk: weights with a card, refused unless they agree.

`weights.pt` holds the tensors of hrl_core.policy.network.Network, `card.yaml` beside it
the card of hrl_core.policy.card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hrl_core.config import shorten
from hrl_core.policy.card import (
    ActionField,
    Card,
    Field,
    PolicyError,
    load_card,
)
from hrl_core.policy.network import Network
from hrl_core.policy.runtime import make_runtime
from hrl_core.policy.weights import WEIGHTS, arrays_of, read_weights, write_weights

if TYPE_CHECKING:
    import torch


class Policy:
    """A trained policy: observation (n, d) -> action (n, k), float32."""

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        card: Card | None = None,
        runtime: str | None = None,
    ) -> None:
        """`runtime`: see hrl_core.policy.runtime. Without a card the actions are not clipped."""
        self.card = card
        self.tensors = tensors
        limits = (None, None)
        if card is not None:
            limits = (
                np.array([part.low for part in card.action], np.float32),
                np.array([part.high for part in card.action], np.float32),
            )
        self.network = Network.of(tensors, *limits)
        if card is not None:
            self._check_sizes(card)
        self._run = make_runtime(self.network, runtime)

    def _check_sizes(self, card: Card) -> None:
        expected = sum(part.size for part in card.observation)
        if self.observation_size != expected:
            raise PolicyError(
                f"the network takes {self.observation_size} values; "
                f"the card's observation has {expected}"
            )
        if self.action_size != len(card.action):
            raise PolicyError(
                f"the network gives {self.action_size} actions; the card names {len(card.action)}"
            )

    @property
    def observation_size(self) -> int:
        return self.network.observation_size

    @property
    def action_size(self) -> int:
        return self.network.action_size

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Mean action, clipped to the card's range: (n, d) -> (n, k) or (d,) -> (k,)."""
        rows = np.atleast_2d(observation)
        if rows.shape[-1] != self.observation_size or observation.ndim > 2:
            size = self.observation_size
            raise ValueError(
                f"observation has shape {observation.shape}; allowed are (n, {size}) and ({size},)"
            )
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise ValueError(
                f"observation[{row}, {column}] is {rows[row, column]}; allowed are finite numbers"
            )
        action = self._run(np.ascontiguousarray(rows, np.float32))
        return action if observation.ndim == 2 else action[0]


def load_policy(
    skill: str,
    robot: str,
    observation: Sequence[Field],
    action: Sequence[ActionField],
    folder: Path,
) -> Policy:
    """Load the weights and card of a robot's skill, both by name, from their folder.

    `observation` and `action` are what the calling code builds and applies; weights, card and
    code must agree on every name, size, unit and range.
    """
    card = load_card(folder / "card.yaml")
    _check_card(folder / "card.yaml", card, skill, robot, observation, action)
    tensors = read_weights(folder, card.sha256)
    try:
        return Policy(tensors, card)
    except PolicyError as error:
        raise PolicyError(f"{folder / WEIGHTS}: {error}") from error


def save_weights(folder: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write weights.pt into a folder and return its sha256, which belongs into the card."""
    content = write_weights(folder, tensors)
    Policy(arrays_of(content))  # refuses what could not be loaded again
    return hashlib.sha256(content).hexdigest()


def _check_card(
    path: Path,
    card: Card,
    skill: str,
    robot: str,
    observation: Sequence[Field],
    action: Sequence[ActionField],
) -> None:
    for key, found, allowed in (("skill", card.skill, skill), ("robot", card.robot, robot)):
        if found != allowed:
            raise PolicyError(f"{path}: {key} is {found!r}; allowed here is {allowed!r}")
    found = [Field(**part.model_dump()) for part in card.observation]
    _check_same(path, "observation", found, list(observation))
    found = [ActionField(**part.model_dump()) for part in card.action]
    _check_same(path, "action", found, list(action))


def _check_same(path: Path, key: str, found: list, allowed: list) -> None:
    if len(found) != len(allowed):
        names = [part.name for part in allowed]
        raise PolicyError(f"{path}: {key} has {len(found)} parts; allowed are {names}")
    for index, (mine, wanted) in enumerate(zip(found, allowed, strict=True)):
        if mine != wanted:
            raise PolicyError(f"{path}: {key}.{index} is {shorten(str(mine))}; allowed is {wanted}")
