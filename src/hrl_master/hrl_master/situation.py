"""All that a policy sees when it decides: the scene, what is remembered, the order, the chances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hrl_master.beliefs import Beliefs
from hrl_master.memory.site_memory import NOWHERE, Whereabouts
from hrl_master.orders import Order
from hrl_master.scene import Scene


@dataclass(frozen=True)
class Situation:
    """What a decision depends on; the same situation gives the same decision."""

    scene: Scene
    beliefs: Beliefs
    order: Order
    # Of success, by (skill, target), as the skills gave them for this scene.
    chances: Mapping[tuple[str, str], float] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)  # skills by what they provide
    # Bins in which a stock system has the order's item; None: there is none, or no answer.
    stock: tuple[str, ...] | None = None
    # Where the item stands by what is remembered of the site, before any look of this order;
    # None: nothing is remembered.
    whereabouts: Whereabouts | None = None

    @property
    def decisions(self) -> int:
        """How many were made for this order."""
        return len(self.beliefs.attempts)

    @property
    def elapsed(self) -> float:
        """Time [s] since the order was begun."""
        return max(0.0, self.scene.stamp - self.beliefs.began)

    @property
    def sighted_at(self) -> str:
        """Where the order's item was last seen: a bin, a station, FLOOR; "": nowhere."""
        sighting = self.beliefs.sightings.get(self.order.item)
        return "" if sighting is None else sighting.face

    @property
    def likely_bins(self) -> tuple[str, ...]:
        """Where to look for the item first: where the stock has it, then in the order's bin."""
        stock, own = self.stock or (), self.order.from_bin
        return (own, *(name for name in stock if name != own)) if own in stock else (*stock, own)

    @property
    def remembered_bins(self) -> list[str]:
        """Bins not looked into where the item tends to be by what is remembered, likeliest first.

        Those that are no likelier than any other bin are left out.
        """
        where = {name: p for name, p in (self.whereabouts or {}).items() if name != NOWHERE}
        any_bin = 1.5 * float(np.median([*where.values()])) if where else 0.0
        likely = [n for n, p in where.items() if p > any_bin and not self.looked_in_vain(n)]
        return sorted(likely, key=lambda name: -where[name])

    def looked_in_vain(self, face: str) -> bool:
        """Whether the last look at a face did not find the order's item there."""
        return face in self.beliefs.inspections and self.sighted_at != face
