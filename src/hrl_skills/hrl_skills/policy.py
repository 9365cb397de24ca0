"""A trained policy on disk: weights with a card, refused unless they agree.

`policies/<skill>/weights.pt` holds the tensors of hrl_skills.network.Network, `card.yaml` beside it
the card of hrl_skills.card.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hrl_skills.card import (
    POLICIES,
    ActionField,
    Card,
    Field,
    PolicyError,
    load_card,
    read_bytes,
)
from hrl_skills.network import Network
from hrl_skills.runtime import make_runtime

if TYPE_CHECKING:
    import torch

MAX_WEIGHTS = 1_000_000  # bytes


class Policy:
    """A trained policy: observation (n, d) -> action (n, k), float32."""

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        card: Card | None = None,
        runtime: str | None = None,
    ) -> None:
        """`runtime`: see hrl_skills.runtime. Without a card the actions are not clipped."""
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
    observation: Sequence[Field],
    action: Sequence[ActionField],
    folder: Path | None = None,
) -> Policy:
    """Load the weights and card of a skill: the shipped ones, or those in `folder`.

    `observation` and `action` are what the calling code builds and applies; weights, card and
    code must agree on every name, size, unit and range.
    """
    folder = folder or POLICIES / skill
    card = load_card(folder / "card.yaml")
    _check_card(folder / "card.yaml", card, skill, observation, action)
    path = folder / "weights.pt"
    content = read_bytes(path)
    if len(content) > MAX_WEIGHTS:
        raise PolicyError(f"{path}: {len(content)} bytes; allowed are at most {MAX_WEIGHTS}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.sha256:
        raise PolicyError(f"{path}: sha256 is {digest}; the card beside it allows {card.sha256}")
    try:
        return Policy(_tensors(content), card)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error


def save_weights(folder: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write weights.pt into a folder and return its sha256, which belongs into the card."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "weights.pt"
    torch.save({name: tensor.detach().cpu() for name, tensor in tensors.items()}, path)
    content = path.read_bytes()
    Policy(_tensors(content))  # refuses what could not be loaded again
    return hashlib.sha256(content).hexdigest()


def _check_card(
    path: Path,
    card: Card,
    skill: str,
    observation: Sequence[Field],
    action: Sequence[ActionField],
) -> None:
    if card.skill != skill:
        raise PolicyError(f"{path}: skill is {card.skill!r}; allowed here is {skill!r}")
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
            raise PolicyError(f"{path}: {key}.{index} is {mine}; allowed is {wanted}")


def _tensors(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in a weights file, by name; never runs code that a file may hold."""
    import torch

    torch.set_num_threads(1)  # a second thread makes small networks slower
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler stumbles over
        raise PolicyError(f"not weights saved by torch: {error}") from error
    if not isinstance(state, dict):
        raise PolicyError(f"holds a {type(state).__name__}; allowed is a dict of tensors")
    kinds = (torch.float32, torch.int64, torch.int8)
    tensors = {}
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            kind = type(value).__name__
            raise PolicyError(f"{name} is a {kind}; allowed are names with tensors")
        if value.dtype not in kinds or value.layout != torch.strided:
            found = f"{value.dtype}, {value.layout}"
            raise PolicyError(f"{name} is of {found}; allowed are dense tensors of {kinds}")
        if value.numel() > MAX_WEIGHTS:
            raise PolicyError(f"{name} has {value.numel()} values; at most {MAX_WEIGHTS}")
        if not bool(torch.isfinite(value).all()):
            raise PolicyError(f"{name} holds NaN or infinity; allowed are finite numbers")
        tensors[name] = value.numpy()
    return tensors
