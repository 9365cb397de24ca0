"""What a world file may get wrong beyond types and ranges: names, room to stand, ways to walk."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from hrl_core.config import Problem
from hrl_core.floor.clearance import clearance
from hrl_core.floor.routes import passable
from hrl_core.site import PASSAGE, site_problems, too_near
from hrl_sim_bridge.worlds.faults import check_target, check_trigger
from hrl_sim_bridge.worlds.habits import habit_problems
from hrl_sim_bridge.worlds.world import World

PERSON_CLEARANCE = 0.3  # m
START_CLEARANCE = 0.5 * PASSAGE  # m from base_link to the nearest solid
BELT_TO_WALL = 0.3  # m
ITEM_MARGIN = 0.05  # m, between an item's centre and the back of its board


def problems(world: World) -> Iterator[Problem]:
    """Everything that is wrong with a world whose keys, types and ranges are right."""
    wrong_names = list(_names(world))
    yield from wrong_names
    of_site = [
        problem._replace(location=("site", *problem.location))
        for problem in site_problems(world.site)
    ]
    yield from of_site
    yield from _setback(world)
    yield from _belts(world)
    if (habits := world.trial.habits) is not None:
        trial, site = world.trial, world.site
        items, bins = trial.order_items(site), trial.stock_bins(site)
        yield from habit_problems(site, habits, items, bins, trial.start.waypoint)
    if not wrong_names and not of_site:
        yield from _amount(world)
        yield from _routes(world)
        yield from _start(world)


def _names(world: World) -> Iterator[Problem]:
    site, trial = world.site, world.trial
    stations = [station.name for station in site.stations]
    lists: dict[tuple[str | int, ...], tuple] = {
        ("trial", "stock", "items"): (trial.stock.items, site.items),
        ("trial", "stock", "bins"): (trial.stock.bins, site.bins),
        ("trial", "orders", "items"): (trial.orders.items, trial.stock_items(site)),
        ("trial", "orders", "stations"): (trial.orders.stations, stations),
    }
    for k, route in enumerate(trial.people.routes):
        lists["trial", "people", "routes", k] = (route, site.waypoints)
    for location, (names, known) in lists.items():
        for k, name in enumerate(names):
            if name not in known:
                yield Problem((*location, k), name, f"unknown; known: {sorted(known)}")
    if trial.start.waypoint not in site.waypoints:
        why = f"unknown; known: {sorted(site.waypoints)}"
        yield Problem(("trial", "start", "waypoint"), trial.start.waypoint, why)
    for k, fault in enumerate(world.faults):
        wrong = check_target(fault.kind, fault.target, site)
        if wrong:
            yield Problem(("faults", k, "target"), fault.target, wrong)
        wrong = check_trigger(fault.kind, fault.trigger)
        if wrong:
            yield Problem(("faults", k, "trigger"), fault.trigger.value, wrong)


def _setback(world: World) -> Iterator[Problem]:
    stock = world.trial.stock
    for shelf in world.site.shelves:
        limit = shelf.depth - ITEM_MARGIN
        if stock.setback[1] > limit:
            why = f"off the board of shelf {shelf.name!r}; allowed is up to {limit:.2f} m"
            yield Problem(("trial", "stock", "setback"), stock.setback, why)


def _belts(world: World) -> Iterator[Problem]:
    """A belt carries things out of the hall, so it ends at a wall."""
    site = world.site
    for k, station in enumerate(site.stations):
        if station.belt_end is None:
            continue
        x, y = station.belt_end
        off = min(x, y, site.size[0] - x, site.size[1] - y)
        if off > BELT_TO_WALL:
            why = f"its belt ends {off:.2f} m from a wall; allowed is {BELT_TO_WALL} m or less"
            yield Problem(("site", "stations", k, "pose"), station.pose, why)


def _amount(world: World) -> Iterator[Problem]:
    site, stock = world.site, world.trial.stock
    most = min(len(world.trial.stock_items(site)), len(world.trial.stock_bins(site)))
    if stock.count[1] > most:
        why = f"there are kinds of items and bins for {most} only"
        yield Problem(("trial", "stock", "count"), stock.count, why)


def _routes(world: World) -> Iterator[Problem]:
    for k, route in enumerate(world.trial.people.routes):
        corners = [world.site.waypoints[name].pose[:2] for name in route]
        path = np.concatenate([np.linspace(a, b, 40) for a, b in pairwise(corners)])
        room = float(clearance(world.site, [], path).min())
        if room < PERSON_CLEARANCE:
            why = too_near(room, PERSON_CLEARANCE)
            yield Problem(("trial", "people", "routes", k), route, why)


def _start(world: World) -> Iterator[Problem]:
    site, start = world.site, world.trial.start
    pose = np.array(site.waypoints[start.waypoint].pose[:2])
    room = float(clearance(site, [], pose)) - start.jitter
    if room < START_CLEARANCE:
        why = f"with its jitter {too_near(room, START_CLEARANCE)}"
        yield Problem(("trial", "start", "waypoint"), start.waypoint, why)
        return
    place = np.array([pose, site.staging_places()[0]])
    if not passable(site, [], place, PASSAGE).all():
        why = (
            f"from here the place {site.staging} m in front of {site.targets[0]!r} cannot be "
            f"reached on ways {PASSAGE} m wide"
        )
        yield Problem(("trial", "start", "waypoint"), start.waypoint, why)
