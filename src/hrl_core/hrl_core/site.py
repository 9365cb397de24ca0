"""The site: what a robot knows of a warehouse before it starts. Section `site` of a world file.

Frames: map is the origin. A shelf or station stands with the centre of its front face, on the
floor, at `pose`; the x axis of that pose points out of the face, towards the robot. A bin's or
station's frame has its origin at the centre of its marker on that face, x out of it, z up.
"""

from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from hrl_core.config import Config, ConfigError, find_config, load_yaml
from hrl_core.geometry import transform_from, transform_from_planar

# Axes of a marker (x right, y up, z out of its face, as OpenCV draws it) in a frame with x out of
# the face and z up.
FACE_FROM_MARKER = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], float)
TOP_FROM_MARKER = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float)  # marker on top, its up = -x

Pose2 = tuple[float, float, float]  # m, m, rad
MARKER_DROP = 0.10  # m, marker centre of a bin or station below the board


class Shelf(Config):
    """A rack with one board; solid below the board, a back panel and sides above it.

    Dividers are walls on the board, from its front to the back panel, that part its bins.
    """

    name: str
    pose: Pose2
    width: float = Field(gt=0.3, le=10)  # m
    depth: float = Field(default=0.45, gt=0.1, le=2)  # m
    board_height: float = Field(ge=0.2, le=1.0)  # m; below 0.2 the marker would touch the floor
    height: float = Field(default=1.2, gt=0.3, le=4)  # m, of back and sides
    dividers: tuple[float, ...] = ()  # m, their middles along y of `pose`
    divider_height: float = Field(default=0.25, gt=0, le=1)  # m, above the board
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


class Station(Config):
    """A table where items are put down."""

    name: str
    pose: Pose2
    marker: int
    width: float = Field(default=0.9, gt=0.3, le=5)  # m
    depth: float = Field(default=0.6, gt=0.1, le=3)  # m
    board_height: float = Field(ge=0.2, le=1.0)  # m


class Item(Config):
    """A kind of item: labelled with its marker on the front (+x) and on top."""

    shape: Literal["box", "cylinder"]
    size: tuple[float, float, float]  # m, full extents x, y, z; a cylinder's x and y are equal
    mass: float = Field(gt=0, le=2)  # kg
    marker: int
    marker_size: float | None = Field(default=None, gt=0)  # m, black square; None: the site's

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
    position: tuple[float, float, float]  # m in map, centre
    yaw: float  # rad, of the direction out of its face
    size: float = 0.2  # m


class Waypoint(Config):
    """A place to walk to and the waypoints that can be reached from it."""

    pose: Pose2
    neighbours: tuple[str, ...] = ()


class Site(Config):
    """Map of a warehouse. Lengths m, angles rad, frame map."""

    name: str
    size: tuple[float, float]  # m, the floor is [0, x] by [0, y], with walls around
    shelf_marker_size: float = 0.15  # m, black square
    item_marker_size: float = 0.04  # m, black square
    standoff: float = 0.75  # m, base_link in front of a face, to grasp and place
    staging: float = 1.5  # m, base_link in front of a face, where a walk ends
    target_setback: float = 0.2  # m, where items are put down, behind a station's front edge
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
        for place in (*self.shelves, *self.stations):
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
    def bins(self) -> tuple[str, ...]:
        return tuple(name for shelf in self.shelves for name in shelf.bins)

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
        known = [*self.bins, *(s.name for s in self.stations)]
        if name not in known:
            raise ConfigError(f"unknown target {name!r}; known: {sorted(known)}")
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


def load_site(name: str | Path) -> Site:
    """Load section `site` of config/worlds/<name>.yaml or of the file given; raises ConfigError."""
    return load_yaml(find_config("worlds", str(name)), Site, section="site")
