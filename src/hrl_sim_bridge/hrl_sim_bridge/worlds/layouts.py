"""Layouts drawn from a seed: families of warehouses as whole world files.

`./hrl world generate FAMILY --seed S FILE` writes one; wherever a world is asked for, FAMILY:S is
that world without a file. Seeds up to 999 are for training, from 100000 on for evaluation; the
family `mixed` is kept for evaluation.
"""

from collections.abc import Callable
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from hrl_core.config import ConfigError
from hrl_sim_bridge.worlds.checks import problems
from hrl_sim_bridge.worlds.faults import DISTURBANCES
from hrl_sim_bridge.worlds.layout_plan import Furniture, Plan
from hrl_sim_bridge.worlds.layout_waypoints import WaypointGraph
from hrl_sim_bridge.worlds.world import World

TRIES = 200  # plans that are drawn for a seed until one is good
PLACE_TRIES = 60  # places that are tried for a thing
MOST_SHELVES = 6
BOARDS = (0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75)  # m
SPACINGS = (2.8, 2.2)  # m between waypoints; the closer ones where the wider leave gaps
TO_WAYPOINT_ROOM = 0.5  # m, on the straight way from a staging place to a waypoint
START_ROOM = 1.0  # m round the start, which is drawn up to 0.3 m beside its waypoint
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
STATION_NAMES = ("packing", "shipping", "returns")


def generate(family: str, seed: int) -> World:
    """The world of a family and a seed; equal for equal arguments. Raises ConfigError."""
    return World.model_validate(layout(family, seed))


def layout(family: str, seed: int) -> dict[str, Any]:
    """The same as `generate`, as a world file has it."""
    if family not in FAMILIES:
        raise ConfigError(f"unknown family {family!r}; known: {[*FAMILIES]}")
    if seed < 0:
        raise ConfigError(f"seed = {seed}: allowed are whole numbers from 0")
    for attempt in range(TRIES):
        rng = np.random.default_rng([seed, [*FAMILIES].index(family), attempt])
        plan = FAMILIES[family](rng)
        if len(plan.shelves) < 2 or not plan.stations:
            continue
        data = _world(f"{family}_{seed}", plan, rng)
        if data is None:
            continue
        try:
            world = World.model_validate(data)
        except ValidationError:
            continue
        if next(problems(world), None) is None:  # else it is too narrow somewhere
            return data
    raise ConfigError(
        f"{family}:{seed}: no layout with room to walk in {TRIES} tries; another seed"
    )


def write_layout(family: str, seed: int, path: Path) -> None:
    """Write the world of a family and a seed to a file, a line for each thing."""
    data = layout(family, seed)
    site, trial = data["site"], data["trial"]
    site["size"] = _Row(site["size"])
    for kind in ("shelves", "stations", "landmarks"):
        site[kind] = [_Line(each) for each in site[kind]]
    for kind in ("items", "waypoints"):
        site[kind] = {name: _Line(each) for name, each in site[kind].items()}
    chances = trial.pop("disturbances")
    data["trial"] = {**{name: _line(each) for name, each in trial.items()}, "disturbances": chances}
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=1000)
    path.write_text(f"# Layout of the family {family}, seed {seed}.\n{text}", encoding="utf-8")


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
        while x < width - 1.8 and len(plan.shelves) <= MOST_SHELVES - 2:
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
    if bins and len(plan.shelves) >= MOST_SHELVES:
        return
    for _ in range(PLACE_TRIES):
        along = round(float(rng.uniform(0.8, plan.wall_length(wall) - 0.8)), 1)
        if plan.place([plan.against_wall(wall, along, bins)]):
            return


def _island(plan: Plan, rng: np.random.Generator) -> None:
    """A shelf that stands free, or two back to back, if there is room."""
    bins, facing = int(rng.integers(2, 5)), int(rng.integers(4))
    double = rng.random() < 0.5 and len(plan.shelves) <= MOST_SHELVES - 2
    if len(plan.shelves) >= MOST_SHELVES:
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
    for _ in range(rng.integers(1, len(STATION_NAMES) + 1)):
        _along_wall(plan, rng, wall=int(rng.integers(4)))


def _world(name: str, plan: Plan, rng: np.random.Generator) -> dict[str, Any] | None:
    """The world file of a plan; None: its waypoints do not hang together."""
    shelves, marker = [], 10
    for letter, thing in zip(ascii_uppercase, plan.shelves, strict=False):
        bins = {f"{letter}{k + 1}": marker + k for k in range(thing.bins)}
        marker += thing.bins
        board = float(rng.choice(BOARDS))
        width = round(thing.width, 2)
        shelf = {"name": letter, "pose": thing.pose, "width": width, "board_height": board}
        shelves.append({**shelf, "bins": bins})
    stations = [
        {"name": s, "pose": t.pose, "board_height": float(rng.choice(BOARDS)), "marker": 40 + k}
        for k, (s, t) in enumerate(zip(STATION_NAMES, plan.stations, strict=False))
    ]
    found = _waypoints(plan, rng)
    if found is None:
        return None
    waypoints, routes = found
    kinds = int(rng.integers(3, 7))
    chosen = [str(kind) for kind in rng.permutation([*CATALOGUE])[:kinds]]
    most = min(kinds, marker - 10)
    area = plan.size[0] * plan.size[1]
    return {
        "site": {
            "name": name,
            "size": [*plan.size],
            "shelves": shelves,
            "stations": stations,
            "items": {kind: CATALOGUE[kind] for kind in sorted(chosen)},
            "landmarks": [{"marker": 60 + k, **mark} for k, mark in enumerate(plan.landmarks(rng))],
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
            "obstacles": {"count": [0, 3 if area > 100 else 2]},
            "people": {"routes": routes, "probability": 0.3, "speed": [0.5, 0.9]},
            "floor_friction": [0.6, 1.0],
            "disturbances": dict.fromkeys(DISTURBANCES, PROBABILITY),
        },
    }


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
