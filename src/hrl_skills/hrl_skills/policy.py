"""A trained policy on disk: weights with a card, refused unless they agree.

`policies/<skill>/weights.pt` holds the tensors of a ReLU network, its observation statistics and,
if the task has one, its mirror symmetry. `policies/<skill>/card.yaml` says what goes in and out,
how well it does and what it cannot do.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hrl_skills.card import (  # noqa: F401
    POLICIES,
    ActionField,
    ActionPart,
    Card,
    Comparison,
    Field,
    Figure,
    ObservationPart,
    PolicyError,
    Training,
    add_training_seed,
    hash_of,
    load_card,
    read_bytes,
    save_card,
)

if TYPE_CHECKING:
    import torch

CLIP = 8.0  # normalised observations are clipped to this, in training and at runtime
MAX_WEIGHTS = 1_000_000  # bytes


class Policy:
    """A ReLU network: observation (n, d) -> action (n, k), float32; one row takes about 20 us."""

    def __init__(self, tensors: Mapping[str, np.ndarray], card: Card | None = None) -> None:
        self.card = card
        self.tensors = tensors
        self._layers = _layers(tensors)
        self._mean = tensors["observation_mean"]
        self._std = tensors["observation_std"]
        self._mirror = _mirror(tensors, self.observation_size, self.action_size)
        self._low = self._high = None
        if card is not None:
            self._low = np.array([part.low for part in card.action], np.float32)
            self._high = np.array([part.high for part in card.action], np.float32)

    @property
    def observation_size(self) -> int:
        return self._layers[0][0].shape[0]

    @property
    def action_size(self) -> int:
        return self._layers[-1][0].shape[1]

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
        if self._mirror is None:
            action = self._network(rows)
        else:
            order, sign, action_order, action_sign = self._mirror
            both = self._network(np.concatenate([rows, rows[:, order] * sign]))
            seen, mirrored = np.split(both, 2)
            action = 0.5 * (seen + mirrored[:, action_order] * action_sign)
        if self._low is not None:
            action = np.clip(action, self._low, self._high)
        return action if observation.ndim == 2 else action[0]

    def _network(self, rows: np.ndarray) -> np.ndarray:
        x = np.clip((rows.astype(np.float32) - self._mean) / self._std, -CLIP, CLIP)
        for weight, bias in self._layers[:-1]:
            x = np.maximum(x @ weight + bias, 0.0)
        weight, bias = self._layers[-1]
        return x @ weight + bias


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
        policy = Policy(_tensors(path), card)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error
    expected = sum(part.size for part in card.observation)
    if policy.observation_size != expected:
        raise PolicyError(
            f"{path}: the network takes {policy.observation_size} values; "
            f"the card's observation has {expected}"
        )
    if policy.action_size != len(card.action):
        raise PolicyError(
            f"{path}: the network gives {policy.action_size} actions; "
            f"the card names {len(card.action)}"
        )
    return policy


def save_weights(folder: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write weights.pt into a folder and return its sha256, which belongs into the card."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "weights.pt"
    torch.save({name: tensor.detach().cpu() for name, tensor in tensors.items()}, path)
    Policy(_tensors(path))  # refuses what could not be loaded again
    return hashlib.sha256(path.read_bytes()).hexdigest()


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


def _tensors(path: Path) -> dict[str, np.ndarray]:
    import torch

    torch.set_num_threads(1)  # a second thread makes small networks slower
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler stumbles over
        raise PolicyError(f"{path}: not weights saved by torch: {error}") from error
    if not isinstance(state, dict):
        raise PolicyError(f"{path}: holds a {type(state).__name__}; allowed is a dict of tensors")
    tensors = {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise PolicyError(f"{path}: {name} is a {type(value).__name__}; allowed is a tensor")
        if not bool(torch.isfinite(value.float()).all()):
            raise PolicyError(f"{path}: {name} holds NaN or infinity; allowed are finite numbers")
        tensors[name] = value.numpy()
    return tensors


def _layers(tensors: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights (in, out) and biases (out,) of the layers, checked to fit each other."""
    for name in ("observation_mean", "observation_std", "layers.0.weight", "layers.0.bias"):
        if name not in tensors:
            raise PolicyError(f"weights: {name} is missing; there are {sorted(tensors)}")
    size = math.prod(tensors["observation_mean"].shape)
    if tensors["observation_std"].shape != (size,):
        raise PolicyError(
            f"weights: observation_std has shape {tensors['observation_std'].shape}; "
            f"allowed is {(size,)} as observation_mean"
        )
    layers = []
    while f"layers.{len(layers)}.weight" in tensors:
        place = f"layers.{len(layers)}"
        weight, bias = tensors[f"{place}.weight"], tensors.get(f"{place}.bias")
        if weight.ndim != 2 or weight.shape[1] != size:
            raise PolicyError(f"weights: {place}.weight is {weight.shape}; allowed is (k, {size})")
        size = weight.shape[0]
        if bias is None or bias.shape != (size,):
            found = None if bias is None else bias.shape
            raise PolicyError(f"weights: {place}.bias is {found}; allowed is {(size,)}")
        layers.append((np.ascontiguousarray(weight.T), bias))
    return layers


def _mirror(
    tensors: Mapping[str, np.ndarray], observations: int, actions: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Orders and signs that turn an observation and an action into their mirror images."""
    sizes = {"mirror_observation": observations, "mirror_action": actions}
    if not any(f"{name}_order" in tensors for name in sizes):
        return None
    found = []
    for name, size in sizes.items():
        order, sign = tensors.get(f"{name}_order"), tensors.get(f"{name}_sign")
        if order is None or sorted(order.tolist()) != list(range(size)):
            raise PolicyError(f"weights: {name}_order must hold each of 0 to {size - 1} once")
        if sign is None or sign.shape != (size,) or not (np.abs(sign) == 1).all():
            raise PolicyError(f"weights: {name}_sign must hold {size} values of 1 or -1")
        found += [order, sign.astype(np.float32)]
    return tuple(found)
