"""All that a policy sees when it decides: the scene, what is remembered, the order, the chances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hrl_master.beliefs import Beliefs
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

    def looked_in_vain(self, face: str) -> bool:
        """Whether the last look at a face did not find the order's item there."""
        return face in self.beliefs.inspections and self.sighted_at != face
