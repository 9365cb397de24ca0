"""The site: what a robot knows of a warehouse before it starts. Section `site` of a world file.

Frames: map is the origin. A shelf or station stands with the centre of its front face, on the
floor, at `pose`; the x axis of that pose points out of the face, towards the robot. A bin's or
station's frame has its origin at the centre of its marker on that face, x out of it, z up.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from hrl_core.config import Config, ConfigError, Problem, find_config, load_yaml
from hrl_core.floor.clearance import clearance
from hrl_core.floor.rectangles import Rectangle, solids
from hrl_core.floor.routes import regions
from hrl_core.geometry import transform_from, transform_from_planar
from hrl_core.quantities import Angle, within

# Axes of a marker (x right, y up, z out of its face, as OpenCV draws it) in a frame with x out of
# the face and z up.
FACE_FROM_MARKER = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], float)
TOP_FROM_MARKER = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float)  # marker on top, its up = -x

Place = Annotated[float, within(-500, 500, "m")]  # in map
Pose2 = tuple[Place, Place, Angle]
FloorLength = Annotated[float, within(1, 200, "m")]
ItemLength = Annotated[float, within(0.01, 1.0, "m")]
MarkerSize = Annotated[float, within(0.01, 0.5, "m")]  # of the black square
PASSAGE = 1.3  # m, width of the ways to where skills begin; the shipped robot's turning circle
WAYPOINT_ROOM = 0.5  # m from a waypoint to the nearest shelf, station or wall
TOUCH = 0.01  # m that things which stand side by side may overlap: poses are rounded
LANDMARK_VIEW = 0.5  # m in front of a landmark that have to lie in the site
MARKER_DROP = 0.10  # m, marker centre of a bin or station below the board


class Shelf(Config):
    """A rack with one board; solid below the board, a back panel and sides above it.

    Dividers are walls on the board, from its front to the back panel, that part its bins.
    """

    name: str
    pose: Pose2
    width: Annotated[float, within(0.3, 10, "m")]
    depth: Annotated[float, within(0.1, 2, "m")] = 0.45
    # Below 0.2 m the marker would touch the floor.
    board_height: Annotated[float, within(0.2, 1.0, "m")]
    height: Annotated[float, within(0.3, 4, "m")] = 1.2  # of back and sides
    dividers: tuple[float, ...] = ()  # m, their middles along y of `pose`
    divider_height: Annotated[float, within(0.01, 1, "m")] = 0.25  # above the board
    # name -> marker id, from left to right seen from the front
    bins: dict[str, int] = Field(min_length=1)

    @model_validator(mode="after")
    def _dividers_on_board(self) -> "Shelf":
        for y in self.dividers:
            if abs(y) > 0.5 * self.width:
                raise ValueError(
                    f"divider at {y}: allowed are -{0.5 * self.width} to {0.5 * self.width} m"
                )
        return self


class Belt(Config):
    """The belt of a conveyor: it runs once nothing on it was touched for `delay`, till it is empty.

    The delay leaves the robot the time to see that the item stands, from above where need be.
    """

    to: Literal["left", "right"] = "left"  # as the robot sees it, standing before the station
    speed: Annotated[float, within(0.02, 0.5, "m/s")] = 0.15
    delay: Annotated[float, within(1, 60, "s")] = 15.0

    @property
    def velocity(self) -> float:
        """Along y of the station's pose [m/s]."""
        return -self.speed if self.to == "left" else self.speed


class Station(Config):
    """A table where items are put down; with a belt a conveyor, which carries them out."""

    name: str
    pose: Pose2
    marker: int
    width: Annotated[float, within(0.3, 5, "m")] = 0.9
    depth: Annotated[float, within(0.1, 3, "m")] = 0.6
    board_height: Annotated[float, within(0.2, 1.0, "m")]
    belt: Belt | None = None

    @property
    def clear_after(self) -> float:
        """Time [s] after which an item left alone has been carried away; inf: it stays."""
        return np.inf if self.belt is None else self.belt.delay + self.width / self.belt.speed

    @property
    def belt_end(self) -> np.ndarray | None:
        """Where items leave a conveyor (2,) m in map, on its front edge; None: it has no belt."""
        if self.belt is None:
            return None
        along = np.sign(self.belt.velocity) * 0.5 * self.width
        return (transform_from_planar(np.array(self.pose)) @ [0.0, along, 0.0, 1.0])[:2]


class Item(Config):
    """A kind of item: labelled with its marker on the front (+x) and on top."""

    shape: Literal["box", "cylinder"]
    # Full extents x, y, z; a cylinder's x and y are equal.
    size: tuple[ItemLength, ItemLength, ItemLength]
    mass: Annotated[float, within(0.001, 2, "kg")]
    marker: int
    marker_size: MarkerSize | None = None  # None: the site's

    @model_validator(mode="after")
    def _round(self) -> "Item":
        if self.shape == "cylinder" and self.size[0] != self.size[1]:
            raise ValueError("a cylinder's size needs equal x and y")
        return self


class Marker(Config):
    """A marker of known size; `map_from_marker` is None on things that move."""

    model_config = {**Config.model_config, "arbitrary_types_allowed": True}
    id: int
    kind: Literal["bin", "station", "item", "landmark"]
    name: str
    size: float  # m, black square


class Landmark(Config):
    """A marker on a wall, for localisation only."""

    marker: int
    position: tuple[Place, Place, Annotated[float, within(0, 10, "m")]]  # in map, centre
    yaw: Angle  # of the direction out of its face
    size: MarkerSize = 0.2


class Waypoint(Config):
    """A place to walk to and the waypoints that can be reached from it."""

    pose: Pose2
    neighbours: tuple[str, ...] = ()


class Site(Config):
    """Map of a warehouse. Lengths m, angles rad, frame map."""

    name: str
    # The floor is [0, x] by [0, y], with walls around.
    size: tuple[FloorLength, FloorLength]
    shelf_marker_size: MarkerSize = 0.15
    item_marker_size: MarkerSize = 0.04
    standoff: Annotated[float, within(0.3, 3, "m")] = (
        0.75  # base_link in front of a face, to grasp and place
    )
    staging: Annotated[float, within(0.5, 5, "m")] = (
        1.5  # base_link in front of a face, where a walk ends
    )
    # Where items are put down, behind a station's front edge.
    target_setback: Annotated[float, within(0.02, 2, "m")] = 0.2
    shelves: tuple[Shelf, ...]
    stations: tuple[Station, ...]
    items: dict[str, Item]
    landmarks: tuple[Landmark, ...] = ()
    waypoints: dict[str, Waypoint] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Site":
        seen: dict[int, str] = {}
        names: set[str] = set()
        for kind, name, marker in self._all_markers():
            if not 0 <= marker <= 586:
                raise ValueError(f"marker {marker} of {kind} {name!r}: AprilTag 36h11 has 0 to 586")
            if marker in seen:
                raise ValueError(
                    f"marker {marker} of {kind} {name!r} is already that of {seen[marker]!r}"
                )
            if name in names:
                raise ValueError(
                    f"the name {name!r} is used twice; every bin, station and item needs its own"
                )
            seen[marker] = name
            names.add(name)
        if len({place.name for place in self.furniture}) < len(self.furniture):
            named = [place.name for place in self.furniture]
            raise ValueError(f"every shelf and station needs a name of its own; given are {named}")
        if self.standoff >= self.staging:
            raise ValueError(
                f"standoff {self.standoff} m: allowed is less than staging, {self.staging} m"
            )
        for station in self.stations:
            if station.depth <= self.target_setback:
                raise ValueError(
                    f"{station.name!r} is {station.depth} m deep; allowed is more than "
                    f"target_setback, {self.target_setback} m"
                )
        for place in self.furniture:
            if not (0 <= place.pose[0] <= self.size[0] and 0 <= place.pose[1] <= self.size[1]):
                raise ValueError(
                    f"{place.name!r} at {place.pose[:2]} lies outside the site {self.size}"
                )
        for name, waypoint in self.waypoints.items():
            for neighbour in waypoint.neighbours:
                if neighbour not in self.waypoints:
                    raise ValueError(
                        f"waypoint {name!r} names {neighbour!r}; known: {sorted(self.waypoints)}"
                    )
        return self

    def _all_markers(self):
        for shelf in self.shelves:
            for name, marker in shelf.bins.items():
                yield "bin", name, marker
        for station in self.stations:
            yield "station", station.name, station.marker
        for name, item in self.items.items():
            yield "item", name, item.marker
        for landmark in self.landmarks:
            yield "landmark", f"landmark_{landmark.marker}", landmark.marker

    @cached_property
    def markers(self) -> dict[int, Marker]:
        """All markers by id."""
        sizes = {landmark.marker: landmark.size for landmark in self.landmarks}
        for item in self.items.values():
            sizes[item.marker] = item.marker_size or self.item_marker_size
        return {
            marker: Marker(
                id=marker,
                kind=kind,
                name=name,
                size=sizes.get(marker, self.shelf_marker_size),
            )
            for kind, name, marker in self._all_markers()
        }

    @cached_property
    def faces(self) -> dict[str, np.ndarray]:
        """map_from_bin or map_from_station (4, 4) by name, and the landmarks' frames."""
        result = {}
        for shelf in self.shelves:
            map_from_shelf = transform_from_planar(np.array(shelf.pose))
            pitch = shelf.width / len(shelf.bins)
            for k, name in enumerate(shelf.bins):
                # Seen from the front, left is -y of a frame whose x points at the viewer.
                y = (k + 0.5) * pitch - shelf.width / 2
                offset = transform_from((0, y, shelf.board_height - MARKER_DROP))
                result[name] = map_from_shelf @ offset
        for station in self.stations:
            offset = transform_from((0, 0, station.board_height - MARKER_DROP))
            result[station.name] = transform_from_planar(np.array(station.pose)) @ offset
        for landmark in self.landmarks:
            x, y, z = landmark.position
            pose = transform_from_planar(np.array([x, y, landmark.yaw]), z)
            result[f"landmark_{landmark.marker}"] = pose
        return result

    @property
    def furniture(self) -> tuple[Shelf | Station, ...]:
        """All that stands on the floor with a front face."""
        return (*self.shelves, *self.stations)

    @property
    def bins(self) -> tuple[str, ...]:
        return tuple(name for shelf in self.shelves for name in shelf.bins)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the bins and stations: what skills are sent to."""
        return (*self.bins, *(station.name for station in self.stations))

    def staging_places(self) -> np.ndarray:
        """Where walks end (n, 2) m in map: in front of every one of `targets`."""
        return np.array([self.pose_in_front(name, self.staging)[:2] for name in self.targets])

    def neighbours(self, waypoint: str) -> list[str]:
        """Waypoints that an edge joins with this one, whichever of the two names the other."""
        ahead = self.waypoints[waypoint].neighbours
        behind = [name for name, other in self.waypoints.items() if waypoint in other.neighbours]
        return sorted({*ahead, *behind} - {waypoint})

    def shelf_of(self, bin_name: str) -> Shelf:
        """The shelf that holds a bin; raises ConfigError with the known bins."""
        for shelf in self.shelves:
            if bin_name in shelf.bins:
                return shelf
        raise ConfigError(f"unknown bin {bin_name!r}; known: {sorted(self.bins)}")

    def station(self, name: str) -> Station:
        """A station by name; raises ConfigError with the known ones."""
        for station in self.stations:
            if station.name == name:
                return station
        raise ConfigError(f"unknown station {name!r}; known: {[s.name for s in self.stations]}")

    def item(self, name: str) -> Item:
        """A kind of item by name; raises ConfigError with the known ones."""
        if name not in self.items:
            raise ConfigError(f"unknown item {name!r}; known: {sorted(self.items)}")
        return self.items[name]

    def face(self, name: str) -> np.ndarray:
        """map_from_target (4, 4) of a bin or station; raises ConfigError with the known ones."""
        if name not in self.targets:
            raise ConfigError(f"unknown target {name!r}; known: {sorted(self.targets)}")
        return self.faces[name]

    def target_point(self, station: str) -> np.ndarray:
        """Point (3,) m in map on a station's surface where items are put down."""
        face = self.faces[self.station(station).name]
        point = face[:3, 3] - self.target_setback * face[:3, 0]
        return point + np.array([0, 0, MARKER_DROP])

    def pose_in_front(self, name: str, distance: float) -> np.ndarray:
        """Planar pose (3,) of base_link in map that faces a bin or station at `distance` [m]."""
        face = self.face(name)
        yaw = np.arctan2(-face[1, 0], -face[0, 0])
        return np.array([*(face[:2, 3] + distance * face[:2, 0]), yaw])


def load_site(name: str | Path, passage: float = PASSAGE) -> Site:
    """Load section `site` of config/worlds/<name>.yaml or of the file given; raises ConfigError.

    `passage`: width [m] of the ways that the robot needs, its `base.turning_circle`.
    """
    path = find_config("worlds", str(name))
    return load_yaml(path, Site, ("site",), lambda site: site_problems(site, passage))


def site_problems(site: Site, passage: float = PASSAGE) -> Iterator[Problem]:
    """What a site whose types and ranges are right gets wrong: room to stand and ways to walk.

    `passage`: width [m] of the ways that the robot needs to where its skills begin.
    """
    things = {(kind, k): thing for kind, k, thing in _standing(site)}
    for (kind, k), thing in things.items():
        others = [other for other in things.values() if other is not thing]
        hit = [other.name for other in others if thing.overlap(other) > TOUCH]
        pose = getattr(site, kind)[k].pose
        if hit:
            yield Problem((kind, k, "pose"), pose, f"stands inside {hit}")
    for name, waypoint in site.waypoints.items():
        room = float(clearance(site, [], np.array(waypoint.pose[:2])))
        if room < WAYPOINT_ROOM:
            yield Problem(("waypoints", name, "pose"), waypoint.pose, too_near(room, WAYPOINT_ROOM))
    for k, landmark in enumerate(site.landmarks):
        at = np.array(landmark.position[:2])
        ahead = at + LANDMARK_VIEW * np.array([np.cos(landmark.yaw), np.sin(landmark.yaw)])
        for key, point, fault in (("position", at, "lies"), ("yaw", ahead, "faces")):
            if not ((point >= 0) & (point <= site.size)).all():
                why = (
                    f"landmark {landmark.marker} {fault} out of the site; allowed is {site.size} m"
                )
                yield Problem(("landmarks", k, key), getattr(landmark, key), why)
                break
    yield from _closed_places(site, passage)


def too_near(room: float, allowed: float) -> str:
    """Sentence on a place `room` [m] from the nearest thing."""
    return f"{room:.2f} m from a shelf, station or wall; allowed is {allowed} m or more"


def _standing(site: Site) -> Iterator[tuple[str, int, Rectangle]]:
    rectangles = iter(solids(site))
    for kind in ("shelves", "stations"):
        for k in range(len(getattr(site, kind))):
            yield kind, k, next(rectangles)


def _closed_places(site: Site, passage: float) -> Iterator[Problem]:
    """Shelves and stations before which no skill can begin; the most that hang together can."""
    if not site.targets:
        return
    region = dict(zip(site.targets, regions(site, [], site.staging_places(), passage), strict=True))
    (main, _), *_ = Counter(number for number in region.values() if number).most_common(1) or [
        (None, 0)
    ]
    for kind in ("shelves", "stations"):
        for k, place in enumerate(getattr(site, kind)):
            names = place.bins if isinstance(place, Shelf) else [place.name]
            closed = [name for name in names if region[name] != main]
            if closed:
                why = (
                    f"the places {site.staging} m in front of {closed} cannot be reached on ways "
                    f"{passage:.3g} m wide, which the robot needs"
                )
                yield Problem((kind, k, "pose"), place.pose, why)
