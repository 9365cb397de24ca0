"""One exact trial: what a world file and a seed leave to chance, drawn and written down."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.floor.rectangles import Rectangle
from hrl_core.geometry import transform_from, transform_from_planar
from hrl_core.site import Site
from hrl_sim_bridge.worlds.faults import Fault

# Which disturbances come: as likely as the file says; none, nor the file's faults; exactly one
# kind, each as likely; two or three kinds.
Disturb = Literal["file", "none", "one", "many"]

START_ERROR = np.array([0.05, 0.05, 0.03])  # m, m, rad; sd of what it is told
ITEM_GAP = 0.0005  # m, above the board, so that nothing starts in contact
APART = 0.15  # m between the middles of two items in one bin, where there is room


@dataclass(frozen=True)
class PlacedItem:
    """An item that stands somewhere; `name` is its catalogue name, once per trial."""

    name: str
    bin: str  # empty: nowhere, which is outside the building
    map_from_item: np.ndarray  # (4, 4), its centre
    mass: float  # kg
    friction: float


@dataclass(frozen=True)
class Obstacle:
    """A box on the floor: planar pose (3,) of its centre, size (3,) m."""

    pose: np.ndarray
    size: np.ndarray

    def rectangle(self, name: str = "") -> Rectangle:
        """What it covers of the floor."""
        return Rectangle(name, self.pose, self.size[:2])


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
    more_orders: tuple[Order, ...] = ()  # of the same mission, after the first
    disturbances: tuple[str, ...] = ()  # the kinds that were drawn, of faults.DISTURBANCES

    @property
    def orders(self) -> tuple[Order, ...]:
        """All orders of the mission, in their order."""
        return (self.order, *self.more_orders)

    @property
    def item_names(self) -> tuple[str, ...]:
        return tuple(placed.name for placed in self.stock)

    def item(self, name: str) -> PlacedItem:
        """The placed item of a name; raises ConfigError with those in stock."""
        for placed in self.stock:
            if placed.name == name:
                return placed
        raise ConfigError(f"unknown item {name!r}; in stock: {[*self.item_names]}")


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


def roomiest(
    site: Site,
    item: str,
    bin_name: str,
    taken: np.ndarray,
    setback: float = 0.11,
    yaw: float = 0.0,
) -> tuple[np.ndarray, bool]:
    """map_from_item (4, 4) in a bin beside what stands there, and whether it is APART from it.

    taken (n, 3) m: where other items are. The middle of the bin if that is free, else the side
    with most room. setback, yaw: as of place_in_bin.
    """
    shelf = site.shelf_of(bin_name)
    third = shelf.width / len(shelf.bins) / 3
    places = [
        place_in_bin(site, item, bin_name, setback, aside, yaw) for aside in (0.0, third, -third)
    ]
    room = [np.linalg.norm(taken - p[:3, 3], axis=1).min(initial=np.inf) for p in places]
    best = 0 if room[0] > APART else int(np.argmax(room))
    return places[best], bool(room[best] > APART)


def outside(site: Site, item: str) -> np.ndarray:
    """map_from_item (4, 4) of an item that is nowhere: beside the building."""
    height = 0.5 * site.item(item).size[2] + ITEM_GAP
    return transform_from((-1.5, -1.5 - 0.3 * list(site.items).index(item), height))
