"""One order as nothing but a search: which bins are looked into in which order, and how long.

A thousand times faster than the fast world, since it knows only ways between places, what is seen
from where, and how long steps last on average (`hrl_master.search_plan.SearchTimes`, fitted to
missions of the fast world). Nothing disturbs, nothing fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hrl_master.candidates import Options
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.graph import WalkGraph
from hrl_master.guardrails import Guardrails
from hrl_master.memory.prior import load_prior
from hrl_master.memory.searches import Search as Shown
from hrl_master.memory.site_memory import NOWHERE, Whereabouts
from hrl_master.planner import SearchMap
from hrl_master.search_plan import Search, SearchTimes, load_times, plan_search
from hrl_master.tree.context import PACE, VIEW_WORTH, WALK_TIME
from hrl_sim_bridge.worlds.habits import HabitSet, ItemHabit
from hrl_sim_bridge.worlds.world import World
from hrl_training.missions.runner import master_part


@dataclass(frozen=True)
class AbstractOrder:
    """What is ordered, and where its item stands."""

    item: str
    home: str
    stands: str  # its bin; NOWHERE: in none
    station: str
    start: str  # node of the graph from where it begins


@dataclass(frozen=True)
class AbstractEnd:
    """How an order went."""

    seconds: float
    delivered: bool
    needless: bool  # handed over, and it stood in a bin
    shown: Shown  # what it showed of the site

    def cost(self, person_time: float) -> float:
        """Seconds, with those of a person who was asked needlessly."""
        return self.seconds + person_time * self.needless


class AbstractSite:
    """A site as searches see it; its items have habits."""

    def __init__(self, world: World, times: SearchTimes | None = None):
        site = world.site
        config = master_part(MasterConfig)
        guardrails = Guardrails(site, master_part(GuardrailConfig))
        self.map = SearchMap(Options(site, WalkGraph(site), guardrails, config))
        self.world, self.bins = world, self.map.bins
        self.stations = [station.name for station in site.stations]
        self.times = times or load_times()
        self.seen = load_prior().seen

    @cached_property
    def ways(self) -> np.ndarray:
        """(n, n) m."""
        return self.map.ways()

    def draw(self, habits: HabitSet, rng: np.random.Generator) -> AbstractOrder:
        """An order of any item with habits, as likely; it begins at the dock or a station."""
        items = [*habits.items]
        item = items[int(rng.integers(len(items)))]
        habit = habits.items[item]
        chances = whereabouts(habit, self.bins)
        names = [*chances]
        stands = names[int(rng.choice(len(names), p=np.array([*chances.values()])))]
        station = self.stations[int(rng.integers(len(self.stations)))]
        starts = [self.world.trial.start.waypoint, *self.stations]
        start = starts[int(rng.integers(len(starts)))]
        return AbstractOrder(item, habit.home, stands, station, start)

    def run(
        self, order: AbstractOrder, where: Whereabouts | None, person_time: float
    ) -> AbstractEnd:
        """Search as the planner does with `where`; None: as the behaviour tree does."""
        map_, times = self.map, self.times
        nodes = map_.graph.distances()
        here = nodes[map_.graph.index[order.start], map_.nodes]
        to_station, home = map_.to_station(order.station), map_.number[order.home]
        stands = map_.number.get(order.stands, -1)
        left, seconds, empty = np.ones(len(self.bins), bool), 0.0, []
        while True:
            at = (
                self._tree(left, here, home)
                if where is None
                else self._planned(where, left, here, home, to_station, person_time)
            )
            if at < 0:
                break
            seconds += float(times.walking(here[at]))
            now = map_.views[at] & left
            if stands >= 0 and now[stands]:
                seconds += float(times.bringing(to_station[stands]))
                seconds -= times.approach * (at == stands == home)
                shown = Shown(order.item, order.home, order.stands, tuple(empty))
                return AbstractEnd(seconds, True, False, shown)
            empty += [self.bins[k] for k in np.flatnonzero(now)]
            left, here = left & ~now, self.ways[at]
        if where is None:  # the tree's hand looks at home, too
            seconds += float(times.walking(here[home])) + times.hand_look
        shown = Shown(order.item, order.home, NOWHERE, tuple(empty))
        return AbstractEnd(seconds, False, stands >= 0, shown)

    def _tree(self, left: np.ndarray, here: np.ndarray, home: int) -> int:
        """The tree's next look: at home, then the cheapest; see hrl_master.tree.context."""
        if left[home]:
            return home
        if not left.any():
            return -1
        cost = WALK_TIME + PACE * here - VIEW_WORTH * (self.map.views & left).sum(axis=1)
        return int(np.argmin(np.where(left, cost, np.inf)))

    def _planned(
        self,
        where: Whereabouts,
        left: np.ndarray,
        here: np.ndarray,
        home: int,
        to_station: np.ndarray,
        person_time: float,
    ) -> int:
        weights = np.array([where[name] for name in self.bins]) * np.where(left, 1, 1 - self.seen)
        search = Search(
            weights=weights,
            nowhere=where[NOWHERE],
            left=left,
            firsts=np.arange(len(self.bins)),
            here=here,
            ways=self.ways,
            views=self.map.views,
            to_station=to_station,
            home=home,
        )
        return plan_search(search, self.times, person_time, self.seen).bin


def whereabouts(habit: ItemHabit, bins: tuple[str, ...]) -> dict[str, float]:
    """Where an item with a habit stands: probability by bin, and of NOWHERE."""
    others = [name for name in bins if name not in (habit.home, habit.wrong_bin)]
    wrong = habit.misplaced * habit.share_in_wrong_bin
    chances = dict.fromkeys(others, (habit.misplaced - wrong) / len(others))
    if habit.wrong_bin:
        chances[habit.wrong_bin] = wrong
    chances[habit.home] = 1 - habit.misplaced - habit.missing
    return {**{name: chances[name] for name in bins}, NOWHERE: habit.missing}


class TrueHabits:
    """A memory that knows the habits of a site: the bound of what any memory is worth."""

    def __init__(self, habits: HabitSet, bins: tuple[str, ...]):
        self._where: Mapping[str, Whereabouts] = {
            item: whereabouts(habit, bins) for item, habit in habits.items.items()
        }

    def where(self, item: str, home: str) -> Whereabouts:
        return self._where[item]
