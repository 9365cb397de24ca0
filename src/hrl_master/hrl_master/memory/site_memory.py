"""Where items stand at one site: a posterior over their habits, from the searches of past orders.

An item is at home with rate 1 - w - x, in another bin with rate w, nowhere with rate x. Of its
stays elsewhere a share s is in one bin h, the rest in any bin. None of the four is known; each item
has a table of probabilities over a grid of them, which begins as the prior. A search multiplies it
by how likely what was found is; before that, habits may have changed: with a small chance for each
order at the site the table goes back to the prior. So old searches fade, and where the new ones
contradict them, at once (a hidden Markov model; Herbster and Warmuth 1998 call it fixed share).

An order that ended before all bins were looked at says only where its item was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from hrl_master.memory.prior import SitePrior, load_prior
from hrl_master.memory.searches import Search

NOWHERE = ""  # stands for no bin
Whereabouts = Mapping[str, float]  # probability by bin, and of NOWHERE; they sum to 1
LEAST_AT_HOME = 0.02  # where the rates of a grid point would leave less


class Memory(Protocol):
    """What a master is told of its site before it decides."""

    def where(self, item: str, home: str) -> Whereabouts: ...


class SiteMemory:
    """What the searches at a site say of its items."""

    def __init__(
        self, bins: Sequence[str], searches: Iterable[Search] = (), prior: SitePrior | None = None
    ):
        """`bins`: of the site. `prior`: None: the shipped one."""
        self.bins = tuple(bins)
        self._grid = _Grid(prior or load_prior(), len(self.bins))
        self._index = {name: k for k, name in enumerate(self.bins)}
        self._tables: dict[tuple[str, str], np.ndarray] = {}
        self._last: dict[tuple[str, str], int] = {}  # number of the last search of an item
        self._seen: dict[tuple[str, str], tuple[int, Whereabouts]] = {}
        self.count = 0  # searches
        for search in searches:
            self.add(search)

    def add(self, search: Search) -> None:
        """Take in what an order has shown; a bin that the site does not have says nothing."""
        self.count += 1
        key = (search.item, search.home)
        home = self._index.get(search.home)
        empty = [self._index[name] for name in search.empty if name in self._index]
        found = self._index.get(search.found) if search.found else None
        if home is None or (search.found and found is None) or not (search.found or empty):
            return
        table = self._now(key, home)
        grid = self._grid
        chance = grid.of_none(home, empty) if found is None else grid.of_found(home, found)
        table = table * chance
        self._tables[key], self._last[key] = table / table.sum(), self.count

    def where(self, item: str, home: str) -> Whereabouts:
        """Where an item stands whose order names `home`, before any look of that order."""
        key = (item, home)
        known = self._seen.get(key)
        if known is None or known[0] != self.count:
            k = self._index[home]
            p = self._grid.by_bin(self._now(key, k), k)
            known = self.count, dict(zip((*self.bins, NOWHERE), p.tolist(), strict=True))
            self._seen[key] = known
        return known[1]

    def _now(self, key: tuple[str, str], home: int) -> np.ndarray:
        """The table of an item at its next search, after what may have changed meanwhile."""
        prior = self._grid.prior(home)
        if key not in self._tables:
            return prior
        same = (1 - self._grid.change) ** (self.count - self._last[key])
        return same * self._tables[key] + (1 - same) * prior


class _Grid:
    """Values of the rates of an item, axes (wrong, nowhere, share, habitual bin)."""

    def __init__(self, prior: SitePrior, bins: int):
        self.n, self.change, self._sees = bins, prior.change, prior.seen
        w, x, s = (np.array(r.values) for r in (prior.wrong, prior.nowhere, prior.share))
        self._wrong = w[:, None, None, None]
        self._nowhere = np.broadcast_to(x[None, :, None, None], (len(w), len(x), 1, 1))
        at_home = np.maximum(1 - self._wrong - self._nowhere, LEAST_AT_HOME)
        total = at_home + self._wrong + self._nowhere
        self._at_home, self._nowhere = at_home / total, self._nowhere / total
        self._wrong = self._wrong / total
        share = s[None, None, :, None]
        self._habit = self._wrong * share  # in the habitual bin
        self._any = self._wrong * (1 - share) / max(bins - 1, 1)  # in each bin but its own
        self._weights = (
            np.array(prior.wrong.weights)[:, None, None, None]
            * np.array(prior.nowhere.weights)[None, :, None, None]
            * np.array(prior.share.weights)[None, None, :, None]
        )

    def prior(self, home: int) -> np.ndarray:
        """Before any search: every bin but its own may be the habitual one."""
        others = np.full(self.n, 1.0 / max(self.n - 1, 1))
        others[home] = 0.0
        return self._weights * others

    def of_found(self, home: int, found: int) -> np.ndarray:
        """How likely it is that the item was there."""
        if found == home:
            return self._at_home
        return self._any + self._habit * (np.arange(self.n) == found)

    def of_none(self, home: int, empty: Sequence[int]) -> np.ndarray:
        """How likely it is that looks into these bins did not show it."""
        looked = np.zeros(self.n)
        looked[list(empty)] = 1.0
        others = looked.sum() - looked[home]
        there = self._at_home * looked[home] + self._any * others + self._habit * looked
        return 1 - self._sees * there

    def by_bin(self, table: np.ndarray, home: int) -> np.ndarray:
        """Probabilities (n + 1) by bin, the last of nowhere."""
        p = np.empty(self.n + 1)
        p[:-1] = (table * self._any).sum() + (table * self._habit).sum(axis=(0, 1, 2))
        p[home] = (table * self._at_home).sum()
        p[-1] = (table * self._nowhere).sum()
        return p / p.sum()
