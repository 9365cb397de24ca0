"""What a ledger knows of a site, counted for people."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hrl_master.graph import Edge
from hrl_master.ledger_site import Noted, SeenWays


@dataclass
class ItemFacts:
    """Of the orders of one item from one home, in how many of them."""

    item: str
    home: str
    found: Counter[str] = field(default_factory=Counter)  # by bin
    in_vain: Counter[str] = field(default_factory=Counter)  # looked into, by bin
    not_found: int = 0

    @property
    def orders(self) -> int:
        return self.found.total() + self.not_found


@dataclass
class WayFacts:
    """Of the orders that saw a way, in how many it looked blocked, and at which hours."""

    way: Edge
    seen: int = 0
    blocked: int = 0
    hours: Counter[int] = field(default_factory=Counter)  # local time of the computer


def items_of(notes: Sequence[Noted]) -> list[ItemFacts]:
    """By item and home, in the order of their names."""
    facts: dict[tuple[str, str], ItemFacts] = {}
    for search in (note.search for note in notes):
        key = search.item, search.home
        each = facts.setdefault(key, ItemFacts(*key))
        if search.found:
            each.found[search.found] += 1
        else:
            each.not_found += 1
        each.in_vain.update(search.empty)
    return [facts[key] for key in sorted(facts)]


def ways_of(seen: Sequence[SeenWays]) -> list[WayFacts]:
    """Those that were ever blocked, the most often blocked first."""
    facts: dict[Edge, WayFacts] = {}
    for ways in seen:
        for way in (*ways.free, *ways.blocked):
            facts.setdefault(way, WayFacts(way)).seen += 1
        for way in ways.blocked:
            facts[way].blocked += 1
            facts[way].hours[time.localtime(ways.at).tm_hour] += 1
    blocked = [each for each in facts.values() if each.blocked]
    return sorted(blocked, key=lambda each: (-each.blocked / each.seen, each.way))
