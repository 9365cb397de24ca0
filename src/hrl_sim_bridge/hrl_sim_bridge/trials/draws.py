"""Draws the trial of a seed: where the robot starts, what stands where, who walks, what is ordered.

Disturbances come on top, see disturbance_draws.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.floor.clearance import clearance
from hrl_core.floor.paths import distance_to_path, path_length, point_on
from hrl_core.floor.rectangles import Rectangle
from hrl_core.floor.routes import passable
from hrl_core.site import PASSAGE, Site
from hrl_sim_bridge.trials.disturbance_draws import disturbed
from hrl_sim_bridge.trials.habit_draws import habits_of, habitual_faults, habitual_stock
from hrl_sim_bridge.trials.trial import (
    START_ERROR,
    Disturb,
    Obstacle,
    Order,
    Person,
    PlacedItem,
    Trial,
    place_in_bin,
)
from hrl_sim_bridge.worlds.faults import Fault
from hrl_sim_bridge.worlds.world import TrialRanges, World

OBSTACLE_TO_STAGING = 1.6  # m
OBSTACLE_TO_START = 1.2  # m
OBSTACLE_TO_WAYPOINT = 0.8  # m
OBSTACLE_TO_ROUTE = 0.5  # m; people do not walk round obstacles
OBSTACLE_TRIES = 400
PERSON_TO_START = 1.5  # m
ONE_ORDER = (1, 1)
MORE_ORDERS = 31  # stream of random numbers


def draw_trial(
    world: World, seed: int, disturb: Disturb = "file", orders: tuple[int, int] = ONE_ORDER
) -> Trial:
    """The trial of a seed: equal for equal worlds and seeds.

    Start, stock, obstacles, people and orders are the same whatever disturbs it. `orders`: at least
    and at most so many; in half of the seeds all of them go to one station.
    """
    trial = disturbed(world, _nominal(world, seed, orders), disturb)
    habits = habits_of(world.trial, seed)
    if habits is None:
        return trial
    # A habit is no disturbance: it is there whatever disturbs.
    return replace(trial, faults=(*habitual_faults(habits, seed), *trial.faults))


def _nominal(world: World, seed: int, orders: tuple[int, int]) -> Trial:
    """The trial of a seed, without its disturbances."""
    if seed < 0:
        raise ConfigError(f"seed = {seed}: allowed are whole numbers from 0")
    rng = np.random.default_rng(seed)
    site, ranges = world.site, world.trial
    start = _start(ranges, site, rng)
    several = np.random.default_rng([seed, MORE_ORDERS])
    number = int(several.integers(orders[0], orders[1] + 1))
    habits = habits_of(ranges, seed)
    if habits is None:
        stock = _stock(ranges, site, rng, number)
        homes = {placed.name: placed.bin for placed in stock}
    else:
        stock = habitual_stock(ranges, site, habits, seed)
        homes = {name: habit.home for name, habit in habits.items.items()}
    wanted = [placed for placed in stock if placed.name in ranges.order_items(site)]
    chosen = wanted[rng.integers(len(wanted))]
    stations = ranges.order_stations(site)
    order = Order(chosen.name, homes[chosen.name], stations[rng.integers(len(stations))])
    people = _people(ranges, site, start, rng)
    return Trial(
        seed=seed,
        start=start,
        start_estimate=start + START_ERROR * rng.standard_normal(3),
        stock=stock,
        obstacles=_obstacles(ranges, site, start, people, rng),
        people=people,
        floor_friction=float(rng.uniform(*ranges.floor_friction)),
        order=order,
        more_orders=_more_orders(order, number - 1, wanted, homes, stations, several),
        faults=tuple(
            Fault(fault.kind, fault.target, fault.start, fault.duration, fault.trigger)
            for fault in world.faults
            if rng.random() < fault.probability
        ),
    )


def _start(ranges: TrialRanges, site: Site, rng: np.random.Generator) -> np.ndarray:
    jitter = rng.uniform(-1, 1, 3) * [ranges.start.jitter, ranges.start.jitter, ranges.start.turn]
    return np.array(site.waypoints[ranges.start.waypoint].pose) + jitter


def _more_orders(
    first: Order,
    number: int,
    stock: list[PlacedItem],
    homes: Mapping[str, str],
    stations: list[str],
    rng: np.random.Generator,
) -> tuple[Order, ...]:
    """Orders of other items, as many as there are; half of the time all to the first's station."""
    to_one = rng.random() < 0.5
    others = [placed for placed in stock if placed.name != first.item]
    return tuple(
        Order(
            others[k].name,
            homes[others[k].name],
            first.to_station if to_one else stations[rng.integers(len(stations))],
        )
        for k in rng.permutation(len(others))[:number]
    )


def _stock(
    ranges: TrialRanges, site: Site, rng: np.random.Generator, least: int
) -> tuple[PlacedItem, ...]:
    """`least`: so many at least, if the site has as many kinds and bins."""
    kinds, bins = ranges.stock_items(site), ranges.stock_bins(site)
    count = int(rng.integers(ranges.stock.count[0], ranges.stock.count[1] + 1))
    count = min(max(count, least), len(bins))
    wanted = [name for name in kinds if name in ranges.order_items(site)]
    first = wanted[rng.integers(len(wanted))]  # there is always something to order
    rest = [name for name in kinds if name != first]
    names = [first, *rng.permutation(rest)][:count]
    places = rng.permutation(bins)[: len(names)]
    placed = []
    for name, bin_name in zip(names, places, strict=True):
        name, bin_name = str(name), str(bin_name)
        shelf = site.shelf_of(bin_name)
        third = shelf.width / len(shelf.bins) / 6
        pose = place_in_bin(
            site,
            name,
            bin_name,
            setback=rng.uniform(*ranges.stock.setback),
            aside=rng.uniform(-third, third),
            yaw=rng.uniform(-ranges.stock.turn, ranges.stock.turn),
        )
        mass = site.items[name].mass * rng.uniform(*ranges.stock.mass_factor)
        friction = rng.uniform(*ranges.stock.friction)
        placed.append(PlacedItem(name, bin_name, pose, float(mass), float(friction)))
    return tuple(placed)


def _people(
    ranges: TrialRanges, site: Site, start: np.ndarray, rng: np.random.Generator
) -> tuple[Person, ...]:
    people = []
    for names in ranges.people.routes:
        present, share, speed = rng.random(), rng.random(), rng.uniform(*ranges.people.speed)
        if present >= ranges.people.probability:
            continue
        route = np.array([site.waypoints[name].pose[:2] for name in names])
        length = path_length(route)
        begins = (share + np.linspace(0, 1, 20, endpoint=False)) % 1 * length
        for begin in begins:
            if np.linalg.norm(point_on(route, begin) - start[:2]) >= PERSON_TO_START:
                people.append(Person(route, float(speed), float(begin)))
                break
    return tuple(people)


def _obstacles(
    ranges: TrialRanges,
    site: Site,
    start: np.ndarray,
    people: tuple[Person, ...],
    rng: np.random.Generator,
) -> tuple[Obstacle, ...]:
    """Boxes at random where they are in the way but never close a passage.

    Fewer than drawn stand where the site has no room for more.
    """
    limits = ranges.obstacles
    count = rng.integers(limits.count[0], limits.count[1] + 1)
    staging = site.staging_places()
    waypoints = np.array([waypoint.pose[:2] for waypoint in site.waypoints.values()])
    places = np.concatenate([start[None, :2], staging])
    found: list[Obstacle] = []
    taken: list[Rectangle] = []
    for _ in range(OBSTACLE_TRIES):
        if len(found) == count:
            break
        centre = rng.uniform((0, 0), site.size)
        yaw = rng.uniform(-np.pi, np.pi)
        width = rng.uniform(*limits.width, 2)
        size = np.array([*width, rng.uniform(*limits.height)])
        box = Rectangle(f"obstacle_{len(found)}", np.array([*centre, yaw]), width)
        reach = 0.5 * np.hypot(*width)
        if clearance(site, taken, centre) < reach + 0.05:
            continue
        if box.distance(staging).min() < OBSTACLE_TO_STAGING:
            continue
        if box.distance(waypoints).min() < OBSTACLE_TO_WAYPOINT:
            continue
        if box.distance(start[:2]) < OBSTACLE_TO_START:
            continue
        if any(
            distance_to_path(person.route, centre) < reach + OBSTACLE_TO_ROUTE for person in people
        ):
            continue
        if not passable(site, [*taken, box], places, PASSAGE).all():
            continue
        taken.append(box)
        found.append(Obstacle(box.pose, size))
    return tuple(found)
