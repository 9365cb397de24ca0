"""What a site is like: where its items tend to stand, and which ways tend to be closed.

Given as `trial.habits` in a world file, or drawn from a seed by `draw_habits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from hrl_core.config import Config, Problem
from hrl_core.site import Site

SERIES = 1000  # a trial's seed, modulo this, is the number of its mission in a series
MOST_BLOCKED = 6  # waypoints at once
STREAM = 0x4AB1  # keeps these draws apart from those of the layout
MESSY = (0.5, (0.35, 0.6), 0.05)  # share of the kinds; misplaced share of those, of the others
SCARCE = (0.25, (0.25, 0.5), 0.03)  # the same, missing
IN_WRONG_BIN = 0.7  # of the misplaced
MOST_AWAY = 0.9  # share misplaced and missing; what is beyond it is not also missing

Share = Annotated[float, Field(ge=0, le=1)]


class ItemHabit(Config):
    """Where a kind of item stands, trial by trial. Shares are of all trials."""

    home: str  # the bin that orders name
    misplaced: Share = 0.0
    wrong_bin: str = ""  # where it is misplaced to; empty: anywhere
    in_wrong_bin: Share | None = None  # of the misplaced; the rest stands anywhere. None: all
    missing: Share = 0.0

    @model_validator(mode="after")
    def _adds_up(self) -> ItemHabit:
        away = self.misplaced + self.missing
        if away > 1 + 1e-9:
            raise ValueError(f"misplaced and missing add up to {away:.2f}; allowed is up to 1")
        if self.wrong_bin == self.home:
            raise ValueError("wrong_bin is home; allowed is another bin")
        if self.in_wrong_bin is not None and not self.wrong_bin:
            raise ValueError("in_wrong_bin needs a wrong_bin")
        return self

    @property
    def share_in_wrong_bin(self) -> float:
        """Of the misplaced."""
        if not self.wrong_bin:
            return 0.0
        return 1.0 if self.in_wrong_bin is None else self.in_wrong_bin


class HabitSet(Config):
    """Habits by item; how likely a waypoint is to be closed during a whole trial."""

    items: dict[str, ItemHabit] = {}
    blocked: dict[str, Share] = {}


class LaterHabits(HabitSet):
    """What changes with a mission; items and waypoints that are not named stay as they were."""

    after: Annotated[int, Field(ge=1, lt=SERIES)]  # missions


class Habits(HabitSet):
    """From the first mission on, and what changes then. Other kinds of items never stand there."""

    items: dict[str, ItemHabit] = Field(min_length=1)
    then: tuple[LaterHabits, ...] = ()

    def of_mission(self, number: int) -> HabitSet:
        """What holds for a mission of a series, counted from 0."""
        items, blocked = dict(self.items), dict(self.blocked)
        for later in sorted(self.then, key=lambda each: each.after):
            if later.after <= number:
                items |= later.items
                blocked |= later.blocked
        return HabitSet(items=items, blocked=blocked)


def habit_problems(
    site: Site, habits: Habits, ordered: list[str], bins: list[str], start: str
) -> Iterator[Problem]:
    """Names that do not exist, and what cannot be. `ordered`: items that may be; `bins`: of the
    stock; `start`: the robot's waypoint."""
    where = ("trial", "habits")
    sets = [(where, habits, 0)]
    sets += [((*where, "then", k), each, each.after) for k, each in enumerate(habits.then)]
    for place, each, number in sets:
        for item, habit in each.items.items():
            if item not in site.items:
                yield Problem(
                    (*place, "items", item), item, f"unknown; known: {sorted(site.items)}"
                )
            for key in ("home", "wrong_bin"):
                name = getattr(habit, key)
                if name and name not in bins:
                    why = f"no bin of the stock; allowed: {sorted(bins)}"
                    yield Problem((*place, "items", item, key), name, why)
        for waypoint in each.blocked:
            allowed = sorted({*site.waypoints} - {start})
            if waypoint not in allowed:
                why = f"no waypoint beside the start; allowed: {allowed}"
                yield Problem((*place, "blocked", waypoint), waypoint, why)
        now = habits.of_mission(number)
        yield from _two_at_home((*place, "items"), now.items)
        if (count := sum(share > 0 for share in now.blocked.values())) > MOST_BLOCKED:
            why = f"{count} waypoints at once; allowed are {MOST_BLOCKED}"
            yield Problem((*place, "blocked"), now.blocked, why)
    if not {*habits.items} & {*ordered}:
        why = f"nothing can be ordered; needs one of {sorted(ordered)}"
        yield Problem((*where, "items"), [*habits.items], why)


def _two_at_home(place: tuple, items: Mapping[str, ItemHabit]) -> Iterator[Problem]:
    homes: dict[str, str] = {}
    for item, habit in items.items():
        if habit.home in homes:
            why = f"{homes[habit.home]} and {item} have it; allowed is one item to a home"
            yield Problem((*place, item, "home"), habit.home, why)
        homes.setdefault(habit.home, item)


def draw_habits(site: Site, seed: int) -> dict[str, Any]:
    """Habits of a seed, as a world file has them: each kind with a home of its own; about half of
    the kinds are often misplaced, mostly into one wrong bin of their own, a quarter often missing.
    """
    rng = np.random.default_rng([seed, STREAM])
    bins = [str(name) for name in rng.permutation([*site.bins])]
    items = [*site.items][: len(bins) - 1]
    homes, others = bins[: len(items)], bins[len(items) :]
    habits = {}
    for k, item in enumerate(items):
        away = [name for name in bins if name != homes[k]]
        wrong = others[k] if k < len(others) else str(away[rng.integers(len(away))])
        misplaced, missing = _share(rng, MESSY), _share(rng, SCARCE)
        if misplaced + missing > MOST_AWAY:
            missing = SCARCE[-1]
        habits[item] = {
            "home": homes[k],
            "misplaced": misplaced,
            "wrong_bin": wrong,
            "in_wrong_bin": IN_WRONG_BIN,
            "missing": missing,
        }
    return {"items": habits}


def _share(rng: np.random.Generator, of: tuple[float, tuple[float, float], float]) -> float:
    often, span, seldom = of
    much = round(float(rng.uniform(*span)), 2)
    return much if rng.random() < often else seldom
