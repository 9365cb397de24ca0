"""The weights file of every policy: tensors by name in weights.pt, named by the card's hash."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hrl_core.policy.card import PolicyError, read_bytes

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.pt"
MAX_WEIGHTS = 1_000_000  # bytes


def read_weights(folder: Path, sha256: str) -> dict[str, np.ndarray]:
    """The arrays in the weights file of a folder, by name; never runs code that it may hold.

    Raises PolicyError where it is not the file that the card means, or holds anything else.
    """
    path = folder / WEIGHTS
    content = read_bytes(path)
    if len(content) > MAX_WEIGHTS:
        raise PolicyError(f"{path}: {len(content)} bytes; allowed are at most {MAX_WEIGHTS}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise PolicyError(f"{path}: sha256 is {digest}; the card beside it allows {sha256}")
    try:
        return arrays_of(content)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error


def write_weights(folder: Path, tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Write the weights file into a folder and return its content."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS
    torch.save({name: tensor.detach().cpu() for name, tensor in tensors.items()}, path)
    return path.read_bytes()


def arrays_of(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in the content of a weights file, by name; raises PolicyError."""
    import torch

    torch.set_num_threads(1)  # a second thread makes small networks slower
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    # It raises whatever its unpickler stumbles over, and advises to load what is not safe.
    except Exception as error:
        raise PolicyError("not weights saved by torch, or damaged") from error
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
