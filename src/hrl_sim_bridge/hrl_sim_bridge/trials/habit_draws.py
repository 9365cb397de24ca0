"""The stock and the closed ways of a trial at a site that has habits."""

import numpy as np

from hrl_core.site import Site
from hrl_sim_bridge.trials.trial import PlacedItem, outside, roomiest
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.habits import SERIES, Habits, HabitSet, ItemHabit
from hrl_sim_bridge.worlds.world import TrialRanges

STREAM = 0x7121  # keeps these draws apart from the others of a trial


def habits_of(ranges: TrialRanges, seed: int) -> HabitSet | None:
    """What holds in the trial of a seed; None: the site has no habits."""
    habits: Habits | None = ranges.habits
    return None if habits is None else habits.of_mission(seed % SERIES)


def habitual_stock(
    ranges: TrialRanges, site: Site, habits: HabitSet, seed: int
) -> tuple[PlacedItem, ...]:
    """Each kind at home, in its wrong bin, in any other, or nowhere; beside what stands there.

    Who finds no room in the wrong bin stands anywhere else.
    """
    bins = ranges.stock_bins(site)
    placed = []
    # What is at home stands before others come to it.
    for where in ("home", "elsewhere", "nowhere"):
        for k, (item, habit) in enumerate(habits.items.items()):
            rng = np.random.default_rng([seed, STREAM, k])
            kind, target = _whereabouts(habit, rng)
            if kind == where:
                others = [name for name in bins if name != habit.home]
                rest = [str(name) for name in rng.permutation(others) if name != target]
                wanted = {"home": [habit.home], "nowhere": [""]}.get(
                    kind, [target, *rest] if target else rest
                )
                placed.append(_placed(ranges, site, item, wanted, placed, rng))
    order = [*habits.items]
    return tuple(sorted(placed, key=lambda each: order.index(each.name)))


def habitual_faults(habits: HabitSet, seed: int) -> tuple[Fault, ...]:
    """Barriers where ways are closed in this trial."""
    rng = np.random.default_rng([seed, STREAM, len(habits.items)])
    return tuple(
        Fault(FaultKind.BLOCKED_AISLE, waypoint)
        for waypoint, share in habits.blocked.items()
        if rng.random() < share
    )


def _whereabouts(habit: ItemHabit, rng: np.random.Generator) -> tuple[str, str]:
    """ "home", "elsewhere" with its wrong bin or with none, or "nowhere"."""
    away, wrong = rng.random(2)
    if away < habit.misplaced:
        return "elsewhere", habit.wrong_bin if wrong < habit.share_in_wrong_bin else ""
    return ("nowhere" if away < habit.misplaced + habit.missing else "home"), ""


def _placed(
    ranges: TrialRanges,
    site: Site,
    item: str,
    bins: list[str],
    stock: list[PlacedItem],
    rng: np.random.Generator,
) -> PlacedItem:
    """In the first of some bins with room for it; "": outside the building, as where none has."""
    limits = ranges.stock
    setback, turn = rng.uniform(*limits.setback), rng.uniform(-limits.turn, limits.turn)
    mass = site.items[item].mass * rng.uniform(*limits.mass_factor)
    friction = float(rng.uniform(*limits.friction))
    taken = np.array([each.map_from_item[:3, 3] for each in stock]).reshape(-1, 3)
    where, pose = "", outside(site, item)
    for name in filter(None, bins):
        found, room = roomiest(site, item, name, taken, setback, turn)
        if room:
            where, pose = name, found
            break
    return PlacedItem(item, where, pose, float(mass), friction)
