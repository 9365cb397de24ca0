"""What an order has shown of its site, from the beliefs at its end."""

from collections.abc import Iterable

from hrl_master.beliefs import Beliefs
from hrl_master.memory.searches import Search
from hrl_master.orders import Order


def search_of(order: Order, beliefs: Beliefs, bins: Iterable[str]) -> Search:
    """Where the order's item was grasped or seen last, and in which bins it was looked for in vain.

    What the master itself has sensed; that it was handed over says nothing more.
    """
    grasped = [t.face for t in beliefs.attempts if t.skill == "grasp" and t.worked]
    sighting = beliefs.sightings.get(order.item)
    known = {*bins}
    places = [*grasped[:1], "" if sighting is None else sighting.face]
    found = next((face for face in places if face in known), "")
    looks = sorted(beliefs.inspections.items(), key=lambda look: look[1].stamp)
    empty = [face for face, _ in looks if face in known and face != found]
    return Search(order.item, order.from_bin, found, tuple(empty))
