"""Ranges of a task file, and what a seed draws from them.

Lengths m, angles rad, masses kg, times s. Every range is [low, high], drawn uniformly.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first of {list(pair)} must not be above the second")
    return pair


_NotNegative = Annotated[float, Field(ge=0)]
_Positive = Annotated[float, Field(gt=0)]
_Few = Annotated[int, Field(ge=0, le=20)]
_Mass = Annotated[float, Field(gt=0, le=2)]
_HalfWidth = Annotated[float, Field(ge=0.015, le=0.05)]
_ItemHeight = Annotated[float, Field(ge=0.04, le=0.3)]
_Board = Annotated[float, Field(ge=0.2, le=1)]
_Setback = Annotated[float, Field(ge=0.03, le=0.35)]
_Aside = Annotated[float, Field(ge=-0.15, le=0.15)]

Share = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Size = Annotated[tuple[_NotNegative, _NotNegative], AfterValidator(_ordered)]
Friction = Annotated[tuple[_Positive, _Positive], AfterValidator(_ordered)]
Shares = Annotated[tuple[Share, Share], AfterValidator(_ordered)]
Count = Annotated[tuple[_Few, _Few], AfterValidator(_ordered)]
Mass = Annotated[tuple[_Mass, _Mass], AfterValidator(_ordered)]
HalfWidth = Annotated[tuple[_HalfWidth, _HalfWidth], AfterValidator(_ordered)]
ItemHeight = Annotated[tuple[_ItemHeight, _ItemHeight], AfterValidator(_ordered)]
BoardHeight = Annotated[tuple[_Board, _Board], AfterValidator(_ordered)]
Setback = Annotated[tuple[_Setback, _Setback], AfterValidator(_ordered)]
Aside = Annotated[tuple[_Aside, _Aside], AfterValidator(_ordered)]


class Draw:
    """Draws from ranges and notes every number under its name: the factors of a trial."""

    def __init__(self, seed: int, stream: int = 0) -> None:
        self.rng = np.random.default_rng([seed, stream])
        self.factors: dict[str, float | str] = {}

    def uniform(self, name: str, limits: tuple[float, float]) -> float:
        value = float(self.rng.uniform(*limits))
        self.factors[name] = round(value, 5)
        return value

    def count(self, name: str, limits: tuple[int, int]) -> int:
        value = int(self.rng.integers(limits[0], limits[1] + 1))
        self.factors[name] = value
        return value

    def happens(self, name: str, share: float) -> bool:
        value = bool(self.rng.random() < share)
        self.factors[name] = float(value)
        return value

    def choice(self, name: str, values: tuple[str, ...]) -> str:
        value = str(values[self.rng.integers(len(values))])
        self.factors[name] = value
        return value
