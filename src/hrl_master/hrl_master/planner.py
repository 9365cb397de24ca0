"""The tree with a planned search: where to look next, and when to ask a person instead.

Where the item was not seen yet, the planner chooses the next look by what the site's memory says
of where it stands (see memory/site_memory.py) and what a look costs (see search_plan.py). All else,
every recovery above all, is the behaviour tree's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hrl_master.behaviour_tree import BehaviourTree
from hrl_master.candidate import HAND_OVER, Candidate
from hrl_master.candidates import Options
from hrl_master.choice import Choice
from hrl_master.config import MasterConfig
from hrl_master.memory.prior import load_prior
from hrl_master.memory.site_memory import NOWHERE, SiteMemory
from hrl_master.search_plan import Plan, Search, load_times, plan_search
from hrl_master.situation import Situation
from hrl_master.tree.context import Context, Goal

STRAIGHT_FROM = 0.5  # so likely the item stands there: right up to the standoff, not only to look


class Planner(BehaviourTree):
    """Looks where that shows most for its time; without a memory it takes sites for average."""

    def __init__(self, options: Options, config: MasterConfig):
        super().__init__(options, config)
        self._map = SearchMap(options)
        self._average = SiteMemory(self._map.bins)

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        """The next candidate; where it was planned, the reason says what the plan expects."""
        if situation.whereabouts is None:
            order = situation.order
            where = self._average.where(order.item, order.from_bin)
            situation = replace(situation, whereabouts=where)
        context = PlannedContext(self._options, self._config, situation, candidates, self._map)
        choice = self._tick(context)
        chosen = candidates[choice.index]
        planned = vars(context).get("planned")  # only where the tree has asked for a search
        fits = chosen.face == context.face if context.face else chosen.kind == HAND_OVER
        return replace(choice, reason=planned.why) if planned and planned.why and fits else choice


class SearchMap:
    """What a plan needs of a site: ways between its bins, to its stations, and what is in view."""

    def __init__(self, options: Options):
        graph, site = options.graph, options.site
        self.graph = graph
        self.bins = tuple(site.bins)
        self.nodes = np.array([graph.index[name] for name in self.bins])
        self.number = {name: k for k, name in enumerate(self.bins)}
        self.views = np.eye(len(self.bins), dtype=bool)  # [v, b]: b is seen from before v
        for k, name in enumerate(self.bins):
            self.views[k, [self.number[other] for other in options.views(name)]] = True

    def ways(self, blocked: frozenset = frozenset()) -> np.ndarray:
        """Lengths (n, n) m of the ways between where the bins are looked into."""
        return self.graph.distances(blocked)[np.ix_(self.nodes, self.nodes)]

    def to_station(self, station: str, blocked: frozenset = frozenset()) -> np.ndarray:
        """Lengths (n,) m of the ways from the bins to a station."""
        return self.graph.distances(blocked)[self.graph.index[station], self.nodes]


class _Planned(NamedTuple):
    goal: Goal
    why: str = ""  # empty: the tree's own search


@dataclass(frozen=True, eq=False)
class PlannedContext(Context):
    """The context of the tree, but a search goes where the plan says."""

    map: SearchMap

    def search(self) -> Goal:
        return self.planned.goal

    @property
    def next_looks(self) -> dict[int, float]:
        return {k: c for k, c in self.views.items() if self.candidates[k].face == self.face}

    @cached_property
    def planned(self) -> _Planned:
        """The next look, or that the search ends, with what is expected of it."""
        s = self.situation
        if s.stock is not None or s.scene.map_from_base is None:
            return _Planned(super().search())  # who counts the stock knows better
        search, seen = self._search(), load_prior().seen
        plan = plan_search(search, load_times(), self.config.person_time, seen)
        if plan.bin < 0:
            return self._end_of_search(search, plan)
        face, times = self.map.bins[plan.bin], load_times()
        chance = search.weights[plan.bin] / search.mass
        seconds = float(times.walking(search.here[plan.bin]))
        why = (
            f"looks for {s.order.item} where it tends to be: {face}, {chance:.2f}, {seconds:.0f} s"
        )
        straight = face == s.order.from_bin or chance > STRAIGHT_FROM
        return _Planned(Goal(face, not straight), why)

    def _search(self) -> Search:
        """The order's search as it stands now."""
        s, map_, seen = self.situation, self.map, load_prior().seen
        where, looks = s.whereabouts or {}, s.beliefs.inspections
        base = s.scene.map_from_base
        assert base is not None, "it is localised"
        weights = np.array([where.get(name, 0.0) for name in map_.bins])
        left = np.ones(len(map_.bins), bool)
        nowhere = where.get(NOWHERE, 0.0)
        for k, name in enumerate(map_.bins):
            if self.given_up(name):  # only a person can look there
                nowhere += weights[k]
                weights[k], left[k] = 0.0, False
            elif name in looks:
                weights[k] *= (1 - seen) ** (2 if looks[name].how == "grasp" else 1)
                left[k] = False
        faces = dict.fromkeys(self.candidates[k].face for k in self.views)
        blocked = s.beliefs.blocked
        return Search(
            weights=weights,
            nowhere=nowhere,
            left=left,
            firsts=np.array([map_.number[name] for name in faces], int),
            here=map_.graph.to_nodes(base[:2], blocked)[map_.nodes],
            ways=map_.ways(blocked),
            views=map_.views,
            to_station=map_.to_station(s.order.to_station, blocked),
            home=map_.number[s.order.from_bin],
        )

    def _end_of_search(self, search: Search, plan: Plan) -> _Planned:
        """A person, unless the hand's look at the item's own bin is worth its time."""
        order, times, price = self.situation.order, load_times(), self.config.person_time
        home = search.home
        chance = float(search.weights[home]) / search.mass
        seconds = float(times.walking(search.here[home])) + times.hand_look
        saved = price - float(times.bringing(search.to_station[home])) + times.approach
        if self.hand_may_look and chance * saved > seconds:
            why = f"the hand looks once more for {order.item}: {order.from_bin}, {chance:.2f}, "
            return _Planned(Goal(order.from_bin, False), f"{why}{seconds:.0f} s")
        nowhere = search.nowhere / search.mass
        why = (
            f"{order.item} is in no bin with {nowhere:.2f}: to look on costs {plan.seconds:.0f} s, "
            f"a person where it is in one {plan.stopping:.0f} s"
        )
        return _Planned(Goal("", False), why)
