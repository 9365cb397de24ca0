"""Layouts drawn from a seed: families of warehouses as whole world files.

`./hrl world generate FAMILY --seed S FILE` writes one; wherever a world is asked for, FAMILY:S is
that world without a file, FAMILY@WxH:S one in a hall of that size, and with +habitsN behind it
the site has the habits of seed N. Seeds up to 999 are for
training, from 100000 on for evaluation; the family `mixed` is kept for evaluation.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from hrl_core.config import ConfigError
from hrl_core.site import Site
from hrl_sim_bridge.worlds.checks import problems
from hrl_sim_bridge.worlds.faults import DISTURBANCES
from hrl_sim_bridge.worlds.habits import draw_habits
from hrl_sim_bridge.worlds.layout_families import FAMILIES, Hall, draw_plan
from hrl_sim_bridge.worlds.layout_plan import Furniture, Plan
from hrl_sim_bridge.worlds.layout_waypoints import WaypointGraph
from hrl_sim_bridge.worlds.world import World

TRIES = 200  # plans that are drawn for a seed until one is good
BOARDS = (0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75)  # m
SPACINGS = (2.8, 2.2)  # m between waypoints; the closer ones where the wider leave gaps
TO_WAYPOINT_ROOM = 0.5  # m, on the straight way from a staging place to a waypoint
START_ROOM = 1.0  # m round the start, which is drawn up to 0.3 m beside its waypoint
AREA_OF_OBSTACLE = 75.0  # m2, at the least
AS_FILE = str.maketrans("@:+", "___")
HABITS = "+habits"
PROBABILITY = 0.08  # of each kind of disturbance
CATALOGUE: dict[str, dict[str, Any]] = {
    "box_small": {"shape": "box", "size": [0.056, 0.060, 0.09], "mass": 0.25, "marker": 100},
    "box_tall": {"shape": "box", "size": [0.060, 0.070, 0.12], "mass": 0.40, "marker": 101},
    "box_wide": {"shape": "box", "size": [0.064, 0.072, 0.09], "mass": 0.50, "marker": 102},
    "can": {"shape": "cylinder", "size": [0.068, 0.068, 0.10], "mass": 0.35, "marker": 103},
    "jar": {"shape": "cylinder", "size": [0.072, 0.072, 0.08], "mass": 0.60, "marker": 104},
    "box_cube": {"shape": "box", "size": [0.064, 0.064, 0.07], "mass": 0.30, "marker": 105},
    "tin": {"shape": "cylinder", "size": [0.066, 0.066, 0.11], "mass": 0.45, "marker": 106},
}
# In halls whose size is given; elsewhere they would change which kinds a seed draws.
MORE_KINDS: dict[str, dict[str, Any]] = {
    "box_flat": {"shape": "box", "size": [0.070, 0.064, 0.07], "mass": 0.35, "marker": 107},
    "box_heavy": {"shape": "box", "size": [0.064, 0.068, 0.10], "mass": 0.90, "marker": 108},
    "box_slim": {"shape": "box", "size": [0.056, 0.058, 0.11], "mass": 0.20, "marker": 109},
    "carton": {"shape": "box", "size": [0.068, 0.070, 0.11], "mass": 0.55, "marker": 110},
    "drum": {"shape": "cylinder", "size": [0.070, 0.070, 0.12], "mass": 0.70, "marker": 111},
    "pot": {"shape": "cylinder", "size": [0.074, 0.074, 0.09], "mass": 0.50, "marker": 112},
    "tub": {"shape": "cylinder", "size": [0.070, 0.070, 0.07], "mass": 0.25, "marker": 113},
}
HALL_KINDS, BINS_OF_KIND = 10, 3  # kinds of items in a hall: so many, with bins for each
MARKERS = (10, 40, 60, 0)  # first of bins, stations and landmarks; added to those of items
HALL_MARKERS = (10, 240, 400, 200)  # there are up to 120 bins
STATION_NAMES = ("packing", "shipping", "returns")


def generate(family: str, seed: int, hall: Hall | None = None, habits: int | None = None) -> World:
    """The world of a family and a seed; equal for equal arguments. Raises ConfigError.

    `habits`: the seed of the site's habits; None: it has none.
    """
    return World.model_validate(layout(family, seed, hall, habits))


def layout(
    family: str, seed: int, hall: Hall | None = None, habits: int | None = None
) -> dict[str, Any]:
    """The same as `generate`, as a world file has it. `hall`: None: its size is drawn, too."""
    data = _layout(family, seed, hall)
    if habits is None:
        return data
    if habits < 0:
        raise ConfigError(f"habits = {habits}: allowed are whole numbers from 0")
    site, trial = data["site"], data["trial"]
    site["name"] += f"{HABITS}{habits}".translate(AS_FILE)
    del trial["stock"]["count"]  # all kinds with habits are stocked
    trial["habits"] = draw_habits(Site.model_validate(site), habits)
    return data


def _layout(family: str, seed: int, hall: Hall | None) -> dict[str, Any]:
    """Without habits."""
    if family not in FAMILIES:
        raise ConfigError(f"unknown family {family!r}; known: {[*FAMILIES]}")
    if seed < 0:
        raise ConfigError(f"seed = {seed}: allowed are whole numbers from 0")
    number = [*FAMILIES].index(family)
    name = layout_name(family, seed, hall)
    for attempt in range(TRIES):
        rng = np.random.default_rng([seed, number, attempt, *(hall.size if hall else ())])
        plan = draw_plan(family, hall, rng)
        if len(plan.shelves) < 2 or not plan.stations or (hall and not hall.suits(plan)):
            continue
        data = _world(name.translate(AS_FILE), plan, rng, hall)
        if data is None:
            continue
        try:
            world = World.model_validate(data)
        except ValidationError:
            continue
        if next(problems(world), None) is None:  # else it is too narrow somewhere
            return data
    wanted = f" for {hall.shelves} shelves and" if hall and hall.shelves else ""
    raise ConfigError(f"{name}: no layout with room{wanted} to walk in {TRIES} tries; another seed")


def layout_name(family: str, seed: int, hall: Hall | None = None, habits: int | None = None) -> str:
    """FAMILY:SEED or FAMILY@WxH:SEED, with +habitsN behind it where there are habits."""
    name = f"{family}@{hall}:{seed}" if hall else f"{family}:{seed}"
    return name if habits is None else f"{name}{HABITS}{habits}"


def parse_layout(name: str) -> tuple[str, int, Hall | None, int | None]:
    """Family, seed, hall and habits of what layout_name gives; raises ConfigError."""
    what, _, seeds = name.partition(":")
    family, at, size = what.partition("@")
    seed, plus, habits = seeds.partition(HABITS)
    if not (seed.isdecimal() and (habits.isdecimal() or not plus)):
        raise ConfigError(
            f"{name}: a layout is FAMILY:SEED or FAMILY@WxH:SEED, perhaps with +habitsN; SEED and "
            "N are whole numbers from 0"
        )
    return family, int(seed), Hall.parse(size) if at else None, int(habits) if plus else None


def write_layout(
    family: str, seed: int, path: Path, hall: Hall | None = None, habits: int | None = None
) -> None:
    """Write the world of a family and a seed to a file, a line for each thing."""
    data = layout(family, seed, hall, habits)
    site, trial = data["site"], data["trial"]
    site["size"] = _Row(site["size"])
    for kind in ("shelves", "stations", "landmarks"):
        site[kind] = [_Line(each) for each in site[kind]]
    for kind in ("items", "waypoints"):
        site[kind] = {name: _Line(each) for name, each in site[kind].items()}
    chances = trial.pop("disturbances")
    stands = trial.pop("habits", None)
    data["trial"] = {**{name: _line(each) for name, each in trial.items()}, "disturbances": chances}
    if stands is not None:
        lines = {item: _Line(habit) for item, habit in stands["items"].items()}
        data["trial"]["habits"] = {"items": lines}
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=1000)
    size = f" in a hall of {hall.size[0]} x {hall.size[1]} m" if hall else ""
    size += "" if habits is None else f", with the habits of seed {habits}"
    path.write_text(
        f"# Layout of the family {family}, seed {seed}{size}.\n{text}", encoding="utf-8"
    )


class _Line(dict):
    """A mapping that is written on one line."""


class _Row(list):
    """A list that is written on one line."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)  # lists are indented


def _flow(dumper: yaml.SafeDumper, value: _Line) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)


def _flow_row(dumper: yaml.SafeDumper, value: _Row) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


_Dumper.add_representer(_Line, _flow)
_Dumper.add_representer(_Row, _flow_row)


def _line(value: dict | list) -> _Line | _Row:
    return _Line(value) if isinstance(value, dict) else _Row(value)


def _world(
    name: str, plan: Plan, rng: np.random.Generator, hall: Hall | None
) -> dict[str, Any] | None:
    """The world file of a plan; None: its waypoints do not hang together."""
    marker, station, landmark, item = HALL_MARKERS if hall else MARKERS
    shelves, bin_count = [], sum(thing.bins for thing in plan.shelves)
    for letter, thing in zip(_letters(), plan.shelves, strict=False):
        bins = {f"{letter}{k + 1}": marker + k for k in range(thing.bins)}
        marker += thing.bins
        board = float(rng.choice(BOARDS))
        width = round(thing.width, 2)
        shelf = {"name": letter, "pose": thing.pose, "width": width, "board_height": board}
        shelves.append({**shelf, "bins": bins})
    stations = [
        {
            "name": s,
            "pose": t.pose,
            "board_height": float(rng.choice(BOARDS)),
            "marker": station + k,
        }
        for k, (s, t) in enumerate(zip(STATION_NAMES, plan.stations, strict=False))
    ]
    found = _waypoints(plan, rng)
    if found is None:
        return None
    waypoints, routes = found
    if hall:
        catalogue = CATALOGUE | MORE_KINDS
        kinds = hall.items or max(3, min(HALL_KINDS, bin_count // BINS_OF_KIND))
    else:
        catalogue, kinds = CATALOGUE, int(rng.integers(3, 7))
    chosen = [str(kind) for kind in rng.permutation([*catalogue])[:kinds]]
    items = {
        kind: {**catalogue[kind], "marker": catalogue[kind]["marker"] + item}
        for kind in sorted(chosen)
    }
    most = min(kinds, bin_count)
    area = plan.size[0] * plan.size[1]
    obstacles = max(3 if area > 100 else 2, round(area / AREA_OF_OBSTACLE))
    return {
        "site": {
            "name": name,
            "size": [*plan.size],
            "shelves": shelves,
            "stations": stations,
            "items": items,
            "landmarks": [
                {"marker": landmark + k, **mark} for k, mark in enumerate(plan.landmarks(rng))
            ],
            "waypoints": waypoints,
        },
        "trial": {
            "start": {"waypoint": "dock", "jitter": 0.3, "turn": 0.35},
            "stock": {
                "count": [min(2, most), most],
                "setback": [0.07, 0.16],
                "turn": 0.26,
                "mass_factor": [0.8, 1.2],
                "friction": [0.6, 1.0],
            },
            "obstacles": {"count": [0, obstacles]},
            "people": {"routes": routes, "probability": 0.3, "speed": [0.5, 0.9]},
            "floor_friction": [0.6, 1.0],
            "disturbances": dict.fromkeys(DISTURBANCES, PROBABILITY),
        },
    }


def _letters() -> Iterator[str]:
    """A to Z, then AA and so on: names of shelves."""
    yield from ascii_uppercase
    yield from (a + b for a, b in product(ascii_uppercase, repeat=2))


def _waypoints(plan: Plan, rng: np.random.Generator) -> tuple[dict, list] | None:
    """Waypoints and people's routes as a world file has them."""
    staging = np.array([_staging(thing) for thing in plan.furniture])
    for spacing in SPACINGS:
        graph = WaypointGraph(plan, spacing, rng)
        points = graph.points
        if len(points) < 3 or not graph.connected:
            continue
        seen = [
            any(graph.line_clearance(place, point) >= TO_WAYPOINT_ROOM for point in points)
            for place in staging
        ]
        room = graph.clearance(points) >= START_ROOM
        if all(seen) and room.any():
            break
    else:
        return None
    dock = int(rng.choice(np.flatnonzero(room)))
    order = sorted(range(len(points)), key=lambda k: (k != dock, *points[k].tolist()))
    names = {k: f"w{number}" if number else "dock" for number, k in enumerate(order)}
    beside: dict[int, list[int]] = {k: [] for k in order}
    for i, j in graph.edges:
        beside[i].append(j)
        beside[j].append(i)
    waypoints = {
        names[k]: {
            "pose": [*points[k].tolist(), graph.direction(points[k])],
            "neighbours": [names[j] for j in sorted(beside[k])],
        }
        for k in order
    }
    routes = [
        [names[k] for k in _stroll(beside, dock, rng)] for _ in range(int(rng.integers(1, 3)))
    ]
    return waypoints, routes


def _staging(thing: Furniture) -> np.ndarray:
    """The place (2,) m in front of the middle of a face where walks end."""
    along = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][thing.facing])
    return np.array([thing.x, thing.y]) + 1.5 * along


def _stroll(beside: dict[int, list[int]], dock: int, rng: np.random.Generator) -> list[int]:
    """Two or three waypoints one after the other, from anywhere but the start on."""
    others = [k for k in beside if k != dock]
    route = [int(rng.choice(others))]
    while len(route) < 3:
        ahead = [k for k in beside[route[-1]] if k not in route]
        if not ahead:
            break
        route.append(int(rng.choice(ahead)))
    return route if len(route) > 1 else [route[0], beside[route[0]][0]]
