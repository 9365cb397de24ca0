"""One exact trial: what a world file and a seed leave to chance, drawn and written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from_planar
from hrl_core.site import Site
from hrl_sim_bridge.faults import Fault
from hrl_sim_bridge.floorplan import Rectangle, clearance, distance_to_path, passable

if TYPE_CHECKING:
    from hrl_sim_bridge.world import TrialRanges, World

START_ERROR = np.array([0.05, 0.05, 0.03])  # m, m, rad; sd of what it is told
PASSAGE = 1.3  # m, width that obstacles leave free to every staging pose
OBSTACLE_TO_STAGING = 1.6  # m
OBSTACLE_TO_START = 1.2  # m
OBSTACLE_TO_WAYPOINT = 0.8  # m
OBSTACLE_TO_ROUTE = 0.5  # m; people do not walk round obstacles
OBSTACLE_TRIES = 400
PERSON_TO_START = 1.5  # m
ITEM_GAP = 0.0005  # m, above the board, so that nothing starts in contact


@dataclass(frozen=True)
class PlacedItem:
    """An item that stands somewhere; `name` is its catalogue name, once per trial."""

    name: str
    bin: str
    map_from_item: np.ndarray  # (4, 4), its centre
    mass: float  # kg
    friction: float


@dataclass(frozen=True)
class Obstacle:
    """A box on the floor: planar pose (3,) of its centre, size (3,) m."""

    pose: np.ndarray
    size: np.ndarray


@dataclass(frozen=True)
class Person:
    """Somebody who walks to and fro on a route (n, 2) m at `speed` [m/s], from `begin` [m] on."""

    route: np.ndarray
    speed: float
    begin: float


@dataclass(frozen=True)
class Order:
    """Bring an item from a bin to a station."""

    item: str
    from_bin: str
    to_station: str


@dataclass(frozen=True)
class Push:
    """A kick at the robot at a time [s]: the change (2,) m/s of its velocity in map."""

    time: float
    velocity: np.ndarray


@dataclass(frozen=True)
class Trial:
    """Everything that a seed decides. The same world and seed give an equal trial."""

    seed: int
    start: np.ndarray  # (3,) planar pose of base_link in map
    start_estimate: np.ndarray  # (3,) where the robot is told that it starts
    stock: tuple[PlacedItem, ...]
    obstacles: tuple[Obstacle, ...]
    people: tuple[Person, ...]
    floor_friction: float
    order: Order
    faults: tuple[Fault, ...]
    pushes: tuple[Push, ...] = ()  # in the order of their times
    payload: float = 0.0  # kg, fixed between the jaws from the start
    disturbances: tuple[str, ...] = ()  # the kinds that were drawn, see disturbance_ranges.py

    @property
    def item_names(self) -> tuple[str, ...]:
        return tuple(placed.name for placed in self.stock)

    def item(self, name: str) -> PlacedItem:
        """The placed item of a name; raises ConfigError with those in stock."""
        for placed in self.stock:
            if placed.name == name:
                return placed
        raise ConfigError(f"unknown item {name!r}; in stock: {[*self.item_names]}")


def sample(world: World, seed: int) -> Trial:
    """Draw the trial of a seed, without its disturbances."""
    if seed < 0:
        raise ConfigError(f"seed = {seed}: allowed are whole numbers from 0")
    rng = np.random.default_rng(seed)
    site, ranges = world.site, world.trial
    start = _start(ranges, site, rng)
    stock = _stock(ranges, site, rng)
    wanted = [placed for placed in stock if placed.name in ranges.order_items(site)]
    chosen = wanted[rng.integers(len(wanted))]
    stations = ranges.order_stations(site)
    order = Order(chosen.name, chosen.bin, stations[rng.integers(len(stations))])
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
        faults=tuple(
            Fault(fault.kind, fault.target, fault.start, fault.duration, fault.trigger)
            for fault in world.faults
            if rng.random() < fault.probability
        ),
    )


def place_in_bin(
    site: Site, item: str, bin_name: str, setback: float, aside: float, yaw: float
) -> np.ndarray:
    """map_from_item (4, 4) of an item upright on its bin's board.

    setback [m]: its centre behind the front edge; aside [m]: from the middle of the bin to the
    left seen from the robot; yaw [rad] of its labelled front from the shelf's front.
    """
    shelf = site.shelf_of(bin_name)
    height = shelf.board_height + 0.5 * site.item(item).size[2] + ITEM_GAP
    face = site.face(bin_name).copy()
    face[2, 3] = 0.0
    pose = transform_from_planar(np.array([-setback, -aside, yaw]), height)
    return face @ pose


def _start(ranges: TrialRanges, site: Site, rng: np.random.Generator) -> np.ndarray:
    jitter = rng.uniform(-1, 1, 3) * [ranges.start.jitter, ranges.start.jitter, ranges.start.turn]
    return np.array(site.waypoints[ranges.start.waypoint].pose) + jitter


def _stock(ranges: TrialRanges, site: Site, rng: np.random.Generator) -> tuple[PlacedItem, ...]:
    kinds, bins = ranges.stock_items(site), ranges.stock_bins(site)
    count = min(rng.integers(ranges.stock.count[0], ranges.stock.count[1] + 1), len(bins))
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
        length = np.linalg.norm(np.diff(route, axis=0), axis=1).sum()
        begins = (share + np.linspace(0, 1, 20, endpoint=False)) % 1 * length
        for begin in begins:
            if np.linalg.norm(point_on(route, begin) - start[:2]) >= PERSON_TO_START:
                people.append(Person(route, float(speed), float(begin)))
                break
    return tuple(people)


def point_on(route: np.ndarray, distance: float) -> np.ndarray:
    """Point (2,) m at a distance [m] along a route (n, 2) m; beyond its ends: the ends."""
    lengths = np.linalg.norm(np.diff(route, axis=0), axis=1)
    stations = np.concatenate([[0.0], np.cumsum(lengths)])
    return np.array([np.interp(distance, stations, route[:, k]) for k in range(2)])


def staging_places(site: Site) -> np.ndarray:
    """Where walks end (n, 2) m in map: in front of every bin and station."""
    names = [*site.bins, *(station.name for station in site.stations)]
    return np.array([site.pose_in_front(name, site.staging)[:2] for name in names])


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
    staging = staging_places(site)
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
