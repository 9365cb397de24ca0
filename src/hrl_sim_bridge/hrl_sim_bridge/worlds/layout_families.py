"""Families of layouts: what stands where in a hall, drawn from random numbers.

Without a `Hall` the size is drawn, too, from the small ranges of the family.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hrl_core.config import ConfigError
from hrl_sim_bridge.worlds.layout_plan import Furniture, Plan

PLACE_TRIES = 60  # places that are tried for a thing
MOST_STATIONS = 3
WIDTHS, DEPTHS = (8, 40), (6, 25)  # m, of halls whose size is given
SHELVES, KINDS = (2, 30), (1, 14)  # that may be asked for in such a hall
FLOOR_OF_SHELF = 32.0  # m2; 20 shelves stand in a hall of 30 x 20 m
LEAST_FLOOR = 8.0  # m2, for a shelf and the way to it
ENOUGH = 0.75  # of the shelves that suit a hall, where their number was not asked for
ALONG_WALLS = {"perimeter": 0.7, "mixed": 0.35}  # share of the shelves

_SIZE = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True)
class Hall:
    """What is asked of a hall: its size in m; numbers of shelves and kinds of items; None: any."""

    size: tuple[int, int]
    shelves: int | None = None
    items: int | None = None

    def __post_init__(self) -> None:
        """Raises ConfigError for what no layout can have."""
        (width, depth), told = self.size, f"size {self}"
        if not (WIDTHS[0] <= width <= WIDTHS[1] and DEPTHS[0] <= depth <= DEPTHS[1]):
            raise ConfigError(f"{told}: allowed are {_span(WIDTHS)} by {_span(DEPTHS)} m")
        for name, value, allowed in (
            ("shelves", self.shelves, SHELVES),
            ("items", self.items, KINDS),
        ):
            if value is not None and not allowed[0] <= value <= allowed[1]:
                raise ConfigError(f"{name} = {value}: allowed are {_span(allowed)}")
        most = int(width * depth / LEAST_FLOOR)
        if self.shelves is not None and self.shelves > most:
            raise ConfigError(f"shelves = {self.shelves}: {self} m have room for {most} at most")

    def __str__(self) -> str:
        return f"{self.size[0]}x{self.size[1]}"

    @classmethod
    def parse(cls, size: str, shelves: int | None = None, items: int | None = None) -> "Hall":
        """`size`: WxH in whole m. Raises ConfigError."""
        found = _SIZE.fullmatch(size)
        if not found:
            raise ConfigError(f"size {size!r}: give WxH in whole m, for example 30x20")
        return cls((int(found[1]), int(found[2])), shelves, items)

    def room_for(self) -> int:
        """How many shelves suit it."""
        suits = round(1.5 + self.size[0] * self.size[1] / FLOOR_OF_SHELF)
        return min(max(suits, SHELVES[0]), SHELVES[1])

    def suits(self, plan: Plan) -> bool:
        """Whether a plan has the shelves that were asked for, or as many as suit the hall."""
        if self.shelves is not None:
            return len(plan.shelves) == self.shelves
        return len(plan.shelves) >= max(2, ENOUGH * self.room_for())


def draw_plan(family: str, hall: Hall | None, rng: np.random.Generator) -> Plan:
    """What stands where; it may have come out with too little of what is wanted."""
    if hall is None:
        return FAMILIES[family](rng)
    most = hall.shelves or hall.room_for()
    plan = Plan(hall.size, most_shelves=most)
    _stations(plan, rng)  # first: walls fill up
    for _ in range(round(ALONG_WALLS.get(family, 0.0) * most)):
        _along_wall(plan, rng, wall=int(rng.integers(4)), bins=int(rng.integers(3, 5)))
    if family == "aisles":
        _rows(plan, rng, most)
    elif family == "mixed":
        _rows(plan, rng, (len(plan.shelves) + most) // 2)
    for _ in range(most):
        if family == "aisles":  # what the rows have no room for
            _along_wall(plan, rng, wall=int(rng.integers(4)), bins=int(rng.integers(3, 5)))
        else:
            _island(plan, rng, least=3)
    return plan


def _rows(plan: Plan, rng: np.random.Generator, most: int) -> None:
    """Shelves back to back in rows, anywhere along them, until `most` shelves stand."""
    width, depth = plan.size
    aisle, blocks = rng.uniform(2.45, 3.1), []
    for y in np.arange(aisle, depth - 0.9 - aisle + 1e-6, 0.9 + aisle):
        x = rng.uniform(1.8, 2.6)
        while x < width - 1.8:
            bins = int(rng.integers(3, 5))
            blocks.append((x + 0.3 * bins, float(y), bins))
            x += 0.6 * bins + rng.uniform(1.6, 2.6)
    for k in rng.permutation(len(blocks)):
        x, y, bins = blocks[k]
        group = [Furniture(x, y, 3, bins), Furniture(x, y + 0.9, 1, bins)]
        if len(plan.shelves) < most:
            plan.place(group[: most - len(plan.shelves)])


def _size(rng: np.random.Generator, x: tuple[int, int], y: tuple[int, int]) -> tuple[float, float]:
    """A size in half metres."""
    return tuple(0.5 * float(rng.integers(2 * low, 2 * high + 1)) for low, high in (x, y))  # type: ignore[return-value]


def _aisles(rng: np.random.Generator) -> Plan:
    """Double rows of shelves with aisles between them, perhaps one more row on the north wall."""
    plan = Plan(_size(rng, (9, 16), (8, 12)))
    width, height = plan.size
    if rng.random() < 0.6:
        _along_wall(plan, rng, wall=3, bins=int(rng.integers(3, 5)))
    aisle = rng.uniform(2.5, 3.1)
    y = aisle
    while y + 0.9 + aisle <= height:
        x = rng.uniform(1.8, 2.6)
        while x < width - 1.8 and len(plan.shelves) <= plan.most_shelves - 2:
            bins = int(rng.integers(2, 5))
            middle = x + 0.3 * bins
            rows = [Furniture(middle, y, 3, bins), Furniture(middle, y + 0.9, 1, bins)]
            plan.place(rows if rng.random() < 0.75 else rows[:1])
            x += 0.6 * bins + rng.uniform(1.6, 2.6)
        y += 0.9 + aisle
    _stations(plan, rng)
    return plan


def _perimeter(rng: np.random.Generator) -> Plan:
    """Shelves and stations along the walls; now and then one island in the middle."""
    plan = Plan(_size(rng, (8, 13), (6, 10)))
    if rng.random() < 0.4:
        _island(plan, rng)
    for _ in range(rng.integers(2, 6)):
        _along_wall(plan, rng, wall=int(rng.integers(4)), bins=int(rng.integers(2, 5)))
    _stations(plan, rng)
    return plan


def _islands(rng: np.random.Generator) -> Plan:
    """Single and double shelves that stand free, turned every way."""
    plan = Plan(_size(rng, (9, 15), (8, 12)))
    for _ in range(rng.integers(2, 5)):
        _island(plan, rng)
    _stations(plan, rng)
    return plan


def _mixed(rng: np.random.Generator) -> Plan:
    """Some of everything."""
    plan = Plan(_size(rng, (9, 16), (8, 12)))
    for _ in range(rng.integers(1, 4)):
        _along_wall(plan, rng, wall=int(rng.integers(4)), bins=int(rng.integers(2, 5)))
    for _ in range(rng.integers(1, 3)):
        _island(plan, rng)
    _stations(plan, rng)
    return plan


FAMILIES: dict[str, Callable[[np.random.Generator], Plan]] = {
    "aisles": _aisles,
    "perimeter": _perimeter,
    "islands": _islands,
    "mixed": _mixed,
}


def _along_wall(plan: Plan, rng: np.random.Generator, wall: int, bins: int = 0) -> None:
    """Something with its back to a wall, if there is room."""
    if bins and len(plan.shelves) >= plan.most_shelves:
        return
    for _ in range(PLACE_TRIES):
        along = round(float(rng.uniform(0.8, plan.wall_length(wall) - 0.8)), 1)
        if plan.place([plan.against_wall(wall, along, bins)]):
            return


def _island(plan: Plan, rng: np.random.Generator, least: int = 2) -> None:
    """A shelf that stands free, or two back to back, if there is room; `least`: bins of one."""
    bins, facing = int(rng.integers(least, 5)), int(rng.integers(4))
    double = rng.random() < 0.5 and len(plan.shelves) <= plan.most_shelves - 2
    if len(plan.shelves) >= plan.most_shelves:
        return
    step = 0.9 * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][facing])
    for _ in range(PLACE_TRIES):
        x, y = (round(float(rng.uniform(1.8, length - 1.8)), 1) for length in plan.size)
        group = [Furniture(x, y, facing, bins)]
        if double:
            group.append(Furniture(x - step[0], y - step[1], (facing + 2) % 4, bins))
        if plan.place(group):
            return


def _stations(plan: Plan, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, MOST_STATIONS + 1)):
        _along_wall(plan, rng, wall=int(rng.integers(4)))


def _span(pair: tuple[int, int]) -> str:
    return f"{pair[0]} to {pair[1]}"
