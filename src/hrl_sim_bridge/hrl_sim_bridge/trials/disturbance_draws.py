"""The disturbances of a trial: which kinds come, where and when, drawn from the seed.

They are drawn from streams of their own, so that a trial with disturbances is the nominal trial
of its seed and something more. Each is written down as faults, which the plant carries out.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.floor.routes import shortest_ways
from hrl_core.tables import complete
from hrl_core.topics import CAMERAS
from hrl_sim_bridge.trials.barriers import barrier_at
from hrl_sim_bridge.trials.trial import Disturb, Trial
from hrl_sim_bridge.worlds.faults import DISTURBANCES, Fault, FaultKind, Trigger
from hrl_sim_bridge.worlds.world import World

STREAM = 0xD157  # keeps these draws apart from those of the nominal trial
MANY = (2, 3)
# Of each group at most one happens: the others would undo it or have nothing to happen to.
EXCLUSIVE = (
    {"missing_item", "misplaced_item", "wrong_item"},
    {"missing_item", "dropped_item"},
)
TO_START = 2.0  # m between the robot's start and what closes its way
BESIDE = 0.8  # m from the robot's way; what is nearer makes it go round or slip
WAY = 0.9  # m, as wide as walk is measured on: config/tasks/walk.yaml
TO_STAGING = 1.0  # m between a barrier and the places where the robot has to stand


def disturbed(world: World, trial: Trial, disturb: Disturb) -> Trial:
    """The nominal trial with disturbances as asked for."""
    if disturb not in get_args(Disturb):
        raise ConfigError(f"disturb = {disturb!r}: allowed are {[*get_args(Disturb)]}")
    if disturb == "file":
        wanted, most = _by_file(world, trial.seed), len(DISTURBANCES)
        planned = trial.faults
    else:
        rng = _rng(trial.seed, len(DISTURBANCES) + 1)
        wanted = [str(kind) for kind in rng.permutation(DISTURBANCES)]
        most = {"none": 0, "one": 1, "many": int(rng.integers(MANY[0], MANY[1] + 1))}[disturb]
        planned = ()
    kinds: list[str] = []
    faults: list[Fault] = []
    for kind in wanted:
        if len(kinds) == most:
            break
        if any(kind in group and group & {*kinds} for group in EXCLUSIVE):
            continue
        drawn = _DRAWS[kind](world, trial, _rng(trial.seed, DISTURBANCES.index(kind)))
        if drawn:
            kinds.append(kind)
            faults += drawn
    return replace(trial, faults=(*planned, *faults), disturbances=tuple(sorted(kinds)))


def _by_file(world: World, seed: int) -> list[str]:
    """Kinds that come by the probabilities of the file, in an order of chance."""
    rng = _rng(seed, len(DISTURBANCES))
    ranges = world.trial.disturbances
    luck = dict(zip(DISTURBANCES, rng.random(len(DISTURBANCES)), strict=True))
    kinds = [kind for kind in DISTURBANCES if luck[kind] < getattr(ranges, kind).probability]
    return [str(kind) for kind in rng.permutation(kinds)]


def _rng(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, STREAM, stream])


def _uniform(rng: np.random.Generator, pair: tuple[float, float]) -> float:
    return round(float(rng.uniform(*pair)), 1)  # whole ticks


def _duration(rng: np.random.Generator, ranges) -> float:
    """How long [s]; 0: for good."""
    length, stays = _uniform(rng, ranges.duration), rng.random() < ranges.for_good
    return 0.0 if stays else length


def _on_the_way(world: World, trial: Trial, rng: np.random.Generator, barrier: bool) -> str | None:
    """A waypoint where a barrier, or what has a radius of BESIDE, is in the robot's way.

    It lies on the shortest way from the start to the bin or from there to the station, away from
    the places where the robot must stand. If no waypoint does, any that is away from them; None:
    there is none.
    """
    site, order = world.site, trial.order
    bin_, station = (
        site.pose_in_front(face, site.staging)[:2] for face in (order.from_bin, order.to_station)
    )
    boxes = [each.rectangle() for each in trial.obstacles]
    ways = shortest_ways(site, boxes, bin_, np.array([trial.start[:2], station]), WAY)
    walked = np.concatenate(ways)
    met, others = [], []
    for name, waypoint in sorted(site.waypoints.items()):
        place = np.array(waypoint.pose[:2])
        if np.linalg.norm(place - trial.start[:2]) < TO_START:
            continue
        if barrier:
            box = barrier_at(site, trial.obstacles, name)
            if box.distance(np.array([bin_, station])).min() < TO_STAGING:
                continue
            hit = bool((box.distance(walked) == 0).any())
        else:
            hit = bool((np.linalg.norm(walked - place, axis=1) < BESIDE).any())
        (met if hit else others).append(name)
    names = met or others
    return names[rng.integers(len(names))] if names else None


def _other_bin(world: World, trial: Trial, rng: np.random.Generator) -> str | None:
    """A bin that is not the ordered one, an empty one if there is one."""
    taken = {placed.bin for placed in trial.stock}
    others = [name for name in world.site.bins if name != trial.order.from_bin]
    others = [name for name in others if name not in taken] or others
    return others[rng.integers(len(others))] if others else None


def _blocked_aisle(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    waypoint = _on_the_way(world, trial, rng, barrier=True)
    return [Fault(FaultKind.BLOCKED_AISLE, waypoint)] if waypoint else []


def _blocked_aisle_later(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    ranges = world.trial.disturbances.blocked_aisle_later
    waypoint = _on_the_way(world, trial, rng, barrier=True)
    delay, duration = _uniform(rng, ranges.delay), _duration(rng, ranges)
    if waypoint is None:
        return []
    return [Fault(FaultKind.BLOCKED_AISLE, waypoint, delay, duration, Trigger.NEAR)]


def _missing_item(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    return [Fault(FaultKind.MISSING_ITEM, trial.order.item)]


def _misplaced_item(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    bin_name = _other_bin(world, trial, rng)
    if bin_name is None:
        return []
    return [Fault(FaultKind.MISPLACED_ITEM, f"{trial.order.item}@{bin_name}")]


def _wrong_item(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    others = [name for name in trial.item_names if name != trial.order.item]
    elsewhere = rng.random() < world.trial.disturbances.wrong_item.elsewhere
    bin_name = _other_bin(world, trial, rng)
    if not others:
        return []
    wrong = others[rng.integers(len(others))]
    right = Fault(FaultKind.MISSING_ITEM, trial.order.item)
    if elsewhere and bin_name is not None:
        right = Fault(FaultKind.MISPLACED_ITEM, f"{trial.order.item}@{bin_name}")
    return [right, Fault(FaultKind.MISPLACED_ITEM, f"{wrong}@{trial.order.from_bin}")]


def _person(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    ranges = world.trial.disturbances.person
    waypoint = _on_the_way(world, trial, rng, barrier=False)
    delay, duration = _uniform(rng, ranges.delay), _uniform(rng, ranges.duration)
    if waypoint is None:
        return []
    return [Fault(FaultKind.PERSON, waypoint, delay, duration, Trigger.NEAR)]


def _dropped_item(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    after = _uniform(rng, world.trial.disturbances.dropped_item.after)
    return [Fault(FaultKind.DROPPED_ITEM, trial.order.item, after, 0.0, Trigger.CARRYING)]


def _slippery_floor(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    waypoint = _on_the_way(world, trial, rng, barrier=False)
    return [Fault(FaultKind.SLIPPERY_FLOOR, waypoint)] if waypoint else []


def _camera_outage(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    ranges = world.trial.disturbances.camera_outage
    camera = [*CAMERAS][rng.integers(len(CAMERAS))]
    start, duration = _uniform(rng, ranges.start), _uniform(rng, ranges.duration)
    return [Fault(FaultKind.CAMERA_OUTAGE, camera, start, duration)]


def _scan_outage(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    ranges = world.trial.disturbances.scan_outage
    start, duration = _uniform(rng, ranges.start), _uniform(rng, ranges.duration)
    return [Fault(FaultKind.LIDAR_OUTAGE, "", start, duration)]


def _covered_marker(world: World, trial: Trial, rng: np.random.Generator) -> list[Fault]:
    ranges, order = world.trial.disturbances.covered_marker, trial.order
    target = (order.item, order.from_bin, order.to_station)[rng.integers(3)]
    start, duration = _uniform(rng, ranges.start), _duration(rng, ranges)
    return [Fault(FaultKind.MARKER_OCCLUDED, target, start, duration)]


_Draw = Callable[[World, Trial, np.random.Generator], list[Fault]]
_DRAWS: dict[str, _Draw] = complete(
    DISTURBANCES,
    {
        "blocked_aisle": _blocked_aisle,
        "blocked_aisle_later": _blocked_aisle_later,
        "missing_item": _missing_item,
        "misplaced_item": _misplaced_item,
        "wrong_item": _wrong_item,
        "person": _person,
        "dropped_item": _dropped_item,
        "slippery_floor": _slippery_floor,
        "camera_outage": _camera_outage,
        "scan_outage": _scan_outage,
        "covered_marker": _covered_marker,
    },
)
