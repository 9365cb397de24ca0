"""The network of a policy: its tensors, checked to fit each other.

A ReLU network behind normalised and clipped observations. Where the task has a mirror symmetry,
the answer to the observation is averaged with the mirrored answer to its mirror image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hrl_core.policy.card import PolicyError

CLIP = 8.0  # normalised observations are clipped to this, in training and at runtime


@dataclass(frozen=True)
class Mirror:
    """Orders and signs that turn an observation (d,) and an action (k,) into their mirror image."""

    observation_order: np.ndarray  # int64
    observation_sign: np.ndarray  # float32, 1 or -1
    action_order: np.ndarray
    action_sign: np.ndarray


@dataclass(frozen=True)
class Network:
    """What a runtime needs; float32."""

    mean: np.ndarray  # (d,)
    std: np.ndarray  # (d,)
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]  # weights (out, in) and biases (out,)
    mirror: Mirror | None = None
    low: np.ndarray | None = None  # (k,) actions are clipped to this
    high: np.ndarray | None = None

    @property
    def observation_size(self) -> int:
        return self.layers[0][0].shape[1]

    @property
    def action_size(self) -> int:
        return self.layers[-1][0].shape[0]

    @classmethod
    def of(
        cls,
        tensors: Mapping[str, np.ndarray],
        low: np.ndarray | None = None,
        high: np.ndarray | None = None,
    ) -> Network:
        """From the tensors of a weights file; raises PolicyError where they do not fit."""
        for name in ("observation_mean", "observation_std", "layers.0.weight", "layers.0.bias"):
            if name not in tensors:
                raise PolicyError(f"weights: {name} is missing; there are {sorted(tensors)}")
        mean, std = tensors["observation_mean"], tensors["observation_std"]
        if mean.ndim != 1 or std.shape != mean.shape:
            raise PolicyError(
                f"weights: observation_std has shape {std.shape}; "
                f"allowed is {mean.shape} as observation_mean"
            )
        if not (std > 0).all():
            raise PolicyError(f"weights: observation_std holds {std.min()}; allowed is above 0")
        layers = _layers(tensors, len(mean))
        mirror = _mirror(tensors, len(mean), len(layers[-1][1]))
        known = {"observation_mean", "observation_std"}
        known |= {f"layers.{k}.{part}" for k in range(len(layers)) for part in ("weight", "bias")}
        if mirror is not None:
            known |= set(_MIRROR)
        if unknown := sorted(set(tensors) - known):
            raise PolicyError(f"weights: {unknown} are unknown; allowed are {sorted(known)}")
        return cls(_float32(mean), _float32(std), layers, mirror, low, high)


_MIRROR = tuple(
    f"mirror_{what}_{part}" for what in ("observation", "action") for part in ("order", "sign")
)


def _float32(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32)


def _layers(
    tensors: Mapping[str, np.ndarray], size: int
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Weights (out, in) and biases (out,) of layers.0, layers.1 and so on."""
    layers = []
    while f"layers.{len(layers)}.weight" in tensors:
        place = f"layers.{len(layers)}"
        weight, bias = tensors[f"{place}.weight"], tensors.get(f"{place}.bias")
        if weight.ndim != 2 or weight.shape[1] != size or not len(weight):
            raise PolicyError(f"weights: {place}.weight is {weight.shape}; allowed is (k, {size})")
        size = weight.shape[0]
        if bias is None or bias.shape != (size,):
            found = None if bias is None else bias.shape
            raise PolicyError(f"weights: {place}.bias is {found}; allowed is {(size,)}")
        layers.append((_float32(weight), _float32(bias)))
    return tuple(layers)


def _mirror(tensors: Mapping[str, np.ndarray], observations: int, actions: int) -> Mirror | None:
    if not any(name in tensors for name in _MIRROR):
        return None
    found = []
    for name, size in (("mirror_observation", observations), ("mirror_action", actions)):
        order, sign = tensors.get(f"{name}_order"), tensors.get(f"{name}_sign")
        if order is None or order.ndim != 1 or sorted(order.tolist()) != list(range(size)):
            raise PolicyError(f"weights: {name}_order must hold each of 0 to {size - 1} once")
        if sign is None or sign.shape != (size,) or not (np.abs(sign) == 1).all():
            raise PolicyError(f"weights: {name}_sign must hold {size} values of 1 or -1")
        found += [order.astype(np.int64), _float32(sign)]
    return Mirror(*found)
