"""An observation, declared once: every part's name, size, unit and how it is worked out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from hrl_core.policy.policy import Field

Seen = TypeVar("Seen")  # what an observation is worked out from, for n robots at once


@dataclass(frozen=True)
class Part(Generic[Seen]):
    """One field of an observation, and the function that gives its values: (n, size) or (n,)."""

    name: str
    size: int
    unit: str
    values: Callable[[Seen], np.ndarray]


class Observation(Generic[Seen]):
    """Parts in their order; names for the card and the values for the policy come from the same."""

    def __init__(self, *parts: Part[Seen]) -> None:
        self._parts = parts
        self.fields = tuple(Field(part.name, part.size, part.unit) for part in parts)
        self.size = sum(part.size for part in parts)

    def values(self, seen: Seen) -> np.ndarray:
        """All parts side by side (n, size); raises ValueError where one has another size."""
        columns = [self._columns(part, seen) for part in self._parts]
        return np.concatenate(columns, axis=1)

    def _columns(self, part: Part[Seen], seen: Seen) -> np.ndarray:
        values = part.values(seen)
        values = values if values.ndim == 2 else values[:, None]
        if values.shape[1] != part.size:
            raise ValueError(f"{part.name} has {values.shape[1]} values; {part.size} are declared")
        return values
