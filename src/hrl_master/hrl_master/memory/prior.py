"""How sites tend to keep house: what is assumed of an item before its site has shown anything.

Rates differ from item to item, and from site to site. `site_prior.json` says how often each rate
was met at the sites that it was fitted to (`./hrl train site_prior`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from hrl_core.config import Config, load_yaml

SHIPPED = Path(__file__).with_name("site_prior.json")


class Rates(Config):
    """A rate that differs among items: the values that it may have, and how common each is."""

    values: tuple[float, ...]
    weights: tuple[float, ...]

    @model_validator(mode="after")
    def _fits(self) -> Rates:
        if len(self.values) != len(self.weights) or not self.values:
            raise ValueError("needs as many weights as values, and one at least")
        if min(*self.values, *self.weights, 0.0) < 0 or max(self.values) >= 1:
            raise ValueError("values are from 0 to less than 1, weights not negative")
        if abs(sum(self.weights) - 1) > 1e-3:
            raise ValueError(f"weights sum to {sum(self.weights):.4f}, not to 1")
        return self

    @property
    def mean(self) -> float:
        return float(np.dot(self.values, self.weights))


class SitePrior(Config):
    """How common habits are among sites, and how long they last."""

    wrong: Rates = Field(description="chance that an item stands in another bin than its own")
    nowhere: Rates = Field(description="chance that it stands in no bin at all")
    share: Rates = Field(
        description="of an item's stays in other bins: the share in one bin, always the same"
    )
    change: float = Field(
        ge=0, lt=1, description="chance per order at a site that an item gets new habits"
    )
    seen: float = Field(
        gt=0, le=1, description="chance that a look into a bin shows the item that stands there"
    )


@cache
def load_prior(path: Path = SHIPPED) -> SitePrior:
    """The prior of a file; raises ConfigError with file, line and value."""
    return load_yaml(path, SitePrior)  # JSON is YAML
