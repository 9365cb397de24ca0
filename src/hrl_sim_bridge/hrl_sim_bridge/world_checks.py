"""What a world file may get wrong beyond types and ranges: names, room to stand, ways to walk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hrl_sim_bridge.faults import check_target, check_trigger
from hrl_sim_bridge.floorplan import clearance, passable, solids
from hrl_sim_bridge.trial import PASSAGE, staging_places

if TYPE_CHECKING:
    from hrl_sim_bridge.world import World

PERSON_CLEARANCE = 0.3  # m
WAYPOINT_CLEARANCE = 0.5  # m
START_CLEARANCE = 0.65  # m from base_link to the nearest solid: the footprint's circle
ITEM_MARGIN = 0.05  # m, between an item's centre and the back of its board

Problem = tuple[tuple[str | int, ...], Any, str]  # where, the value, what is wrong and allowed


def problems(world: World) -> Iterator[Problem]:
    """Everything that is wrong with a world whose keys, types and ranges are right."""
    wrong_names = list(_names(world))
    yield from wrong_names
    yield from _furniture(world)
    yield from _waypoints(world)
    if not wrong_names:
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
                yield (*location, k), name, f"unknown; known: {sorted(known)}"
    if trial.start.waypoint not in site.waypoints:
        why = f"unknown; known: {sorted(site.waypoints)}"
        yield ("trial", "start", "waypoint"), trial.start.waypoint, why
    for k, fault in enumerate(world.faults):
        wrong = check_target(fault.kind, fault.target, site)
        if wrong:
            yield ("faults", k, "target"), fault.target, wrong
        wrong = check_trigger(fault.kind, fault.trigger)
        if wrong:
            yield ("faults", k, "trigger"), fault.trigger.value, wrong


def _furniture(world: World) -> Iterator[Problem]:
    site, stock = world.site, world.trial.stock
    things = solids(site)
    for kind in ("shelves", "stations"):
        for k, place in enumerate(getattr(site, kind)):
            own = next(thing for thing in things if thing.name == place.name)
            hit = [o.name for o in things if o is not own and o.distance(own.pose[:2]) < 0.01]
            if hit:
                yield ("site", kind, k, "pose"), place.pose, f"stands inside {hit}"
    for shelf in site.shelves:
        limit = shelf.depth - ITEM_MARGIN
        if stock.setback[1] > limit:
            why = f"off the board of shelf {shelf.name!r}; allowed is up to {limit:.2f} m"
            yield ("trial", "stock", "setback"), stock.setback, why


def _amount(world: World) -> Iterator[Problem]:
    site, stock = world.site, world.trial.stock
    most = min(len(world.trial.stock_items(site)), len(world.trial.stock_bins(site)))
    if stock.count[1] > most:
        why = f"there are kinds of items and bins for {most} only"
        yield ("trial", "stock", "count"), stock.count, why


def _waypoints(world: World) -> Iterator[Problem]:
    for name, waypoint in world.site.waypoints.items():
        room = float(clearance(world.site, [], np.array(waypoint.pose[:2])))
        if room < WAYPOINT_CLEARANCE:
            why = _too_near(room, WAYPOINT_CLEARANCE)
            yield ("site", "waypoints", name, "pose"), waypoint.pose, why


def _routes(world: World) -> Iterator[Problem]:
    for k, route in enumerate(world.trial.people.routes):
        corners = [world.site.waypoints[name].pose[:2] for name in route]
        path = np.concatenate([np.linspace(a, b, 40) for a, b in pairwise(corners)])
        room = float(clearance(world.site, [], path).min())
        if room < PERSON_CLEARANCE:
            yield ("trial", "people", "routes", k), route, _too_near(room, PERSON_CLEARANCE)


def _start(world: World) -> Iterator[Problem]:
    site, start = world.site, world.trial.start
    pose = np.array(site.waypoints[start.waypoint].pose[:2])
    room = float(clearance(site, [], pose)) - start.jitter
    if room < START_CLEARANCE:
        why = f"with its jitter {_too_near(room, START_CLEARANCE)}"
        yield ("trial", "start", "waypoint"), start.waypoint, why
        return
    names = ["start", *site.bins, *(station.name for station in site.stations)]
    reached = passable(site, [], np.concatenate([pose[None], staging_places(site)]), PASSAGE)
    closed = [name for name, ok in zip(names, reached, strict=True) if not ok]
    if closed:
        why = (
            f"from here the places {site.staging} m in front of {closed} cannot be reached "
            f"on ways {PASSAGE} m wide"
        )
        yield ("trial", "start", "waypoint"), start.waypoint, why


def _too_near(room: float, allowed: float) -> str:
    return f"{room:.2f} m from a shelf, station or wall; allowed is {allowed} m or more"
