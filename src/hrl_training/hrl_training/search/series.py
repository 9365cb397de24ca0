"""Series of orders at one site, worked by several masters: the same orders for each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hrl_master.memory.prior import load_prior
from hrl_master.memory.searches import Search
from hrl_master.memory.site_memory import Memory, SiteMemory
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.habits import SERIES, Habits, HabitSet, ItemHabit, LaterHabits
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World
from hrl_training.fast.missions import FastSite, run_mission
from hrl_training.search.abstract import AbstractSite, TrueHabits

MASTERS = ("tree", "average", "memory", "oracle")  # in the order in which each order is worked
MISPLACED, MISSING = 0.3, 0.1  # of every item at a site without habits


@dataclass(frozen=True, kw_only=True)
class SeriesOptions:
    """What is asked of a series of orders at each site."""

    person_time: float  # s
    orders: int
    change_after: int = 0  # orders; 0: the habits stay
    habits: bool = True
    prior: Path | None = None  # of the memory; None: the shipped one


class Row(NamedTuple):
    """How a master worked one order."""

    site: int
    order: int  # number in the series
    master: str
    kind: str  # where the item stood: home, wrong bin, nowhere
    seconds: float
    delivered: bool
    needless: bool
    failed: bool
    planning_ms: float  # of the whole order


def site_world(size: str, seed: int, options: SeriesOptions) -> World:
    """A hall with habits, or without, or whose habits change."""
    world = load_world(f"aisles@{size}:{seed}+habits{seed}")
    habits = world.trial.habits
    assert habits is not None, "it was asked for"
    if not options.habits:
        alike = {
            item: ItemHabit(home=each.home, misplaced=MISPLACED, missing=MISSING)
            for item, each in habits.items.items()
        }
        habits = Habits(items=alike)
    if options.change_after:
        later = LaterHabits(items=changed(habits), after=options.change_after)
        habits = Habits(items=habits.items, then=(later,))
    return world.model_copy(update={"trial": world.trial.model_copy(update={"habits": habits})})


def changed(habits: HabitSet) -> dict[str, ItemHabit]:
    """Each item keeps its home and takes on the habits of the next one."""
    items = [*habits.items]
    found = {}
    for k, item in enumerate(items):
        home = habits.items[item].home
        others = [habits.items[items[(k + j) % len(items)]] for j in range(1, len(items) + 1)]
        next_ = next(other for other in others if other.wrong_bin != home)
        found[item] = next_.model_copy(update={"home": home})
    return found


def _masters(
    bins: tuple[str, ...], options: SeriesOptions
) -> tuple[SiteMemory, dict[str, Memory | None]]:
    """The memory that learns, and what each master is told; the oracle's comes with each order."""
    prior = None if options.prior is None else load_prior(options.prior)
    memory = SiteMemory(bins, prior=prior)
    return memory, {"tree": None, "average": SiteMemory(bins, prior=prior), "memory": memory}


def abstract_series(number: int, world: World, seed: int, options: SeriesOptions) -> Iterator[Row]:
    """In the abstract simulator."""
    site = AbstractSite(world)
    memory, told = _masters(site.bins, options)
    habits, rng = world.trial.habits, np.random.default_rng([seed, 7])
    assert habits is not None, "site_world gives them"
    for k in range(options.orders):
        now = habits.of_mission(k)
        order = site.draw(now, rng)
        kind = _kind(order.home, order.stands)
        for master in MASTERS:
            mind = TrueHabits(now, site.bins) if master == "oracle" else told[master]
            began = time.process_time()
            where = None if mind is None else mind.where(order.item, order.home)
            end = site.run(order, where, options.person_time)
            spent = 1e3 * (time.process_time() - began)
            yield Row(
                number, k, master, kind, end.seconds, end.delivered, end.needless, False, spent
            )
            if master == "memory":
                memory.add(end.shown)


def fast_series(number: int, world: World, seed: int, options: SeriesOptions) -> Iterator[Row]:
    """In the fast world, with the master's own mission, beliefs, candidates and guardrails."""
    site = FastSite(world, world.site.name)
    site.config = site.config.model_copy(update={"person_time": options.person_time})
    bins = tuple(world.site.bins)
    memory, told = _masters(bins, options)
    habits = world.trial.habits
    assert habits is not None, "site_world gives them"
    for k in range(options.orders):
        trial = draw_trial(world, SERIES * seed + k, "none")
        stands = next((each.bin for each in trial.stock if each.name == trial.order.item), "")
        kind = _kind(trial.order.from_bin, stands)
        for master in MASTERS:
            mind = told.get(master)
            if master == "oracle":
                mind = TrueHabits(habits.of_mission(k), bins)
            learn: Callable[[Search], None] | None = memory.add if master == "memory" else None
            policy = site.policy("behaviour_tree" if master == "tree" else "planner")
            rng = np.random.default_rng([seed, k])
            began = time.process_time()
            row = run_mission(site, trial, policy, rng=rng, memory=mind, learn=learn)
            spent = 1e3 * (time.process_time() - began) / max(len(row.decisions), 1)
            yield Row(
                number, k, master, kind, row.resolved_after_s, row.delivered,
                row.end == "handed over needlessly", row.end == "failed", spent,
            )  # fmt: skip


def _kind(home: str, stands: str) -> str:
    if not stands:
        return "nowhere"
    return "home" if stands == home else "wrong bin"
