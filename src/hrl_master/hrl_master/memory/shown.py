"""What one order has shown of a site, by what the master itself has sensed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hrl_core.outcomes import Code
from hrl_master.beliefs import Beliefs
from hrl_master.graph import Edge
from hrl_master.memory.searches import Search
from hrl_master.orders import Order


@dataclass(frozen=True)
class Shown:
    """`blocked`, `free`: ways that looked so when they were last seen in the order."""

    search: Search
    blocked: tuple[Edge, ...]
    free: tuple[Edge, ...]


def shown_by(order: Order, beliefs: Beliefs, bins: Collection[str]) -> Shown:
    """At the end of an order; `bins`: of the site."""
    found = _found(order, beliefs, bins)
    empty = tuple(
        face
        for face, look in beliefs.inspections.items()
        if face in bins and face != found and order.item not in look.items
    )
    search = Search(order.item, order.from_bin, found, empty)
    seen = {edge: each.free for edge, each in beliefs.edges.items() if each.stamp >= beliefs.began}
    return Shown(
        search,
        tuple(edge for edge, free in seen.items() if not free),
        tuple(edge for edge, free in seen.items() if free),
    )


def _found(order: Order, beliefs: Beliefs, bins: Collection[str]) -> str:
    """The bin in which the item was grasped, else seen; "": in none."""
    for tried in beliefs.attempts:
        got_hold = tried.worked or tried.code == Code.DROPPED
        if tried.skill == "grasp" and tried.target == order.item and got_hold:
            face = tried.face or order.from_bin
            return face if face in bins else ""
    sighting = beliefs.sightings.get(order.item)
    return sighting.face if sighting is not None and sighting.face in bins else ""
