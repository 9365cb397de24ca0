"""A floor plan under construction: furniture that leaves room, and landmarks.

Everything stands square to the walls. A facing is a number of quarter turns: 0 looks along x of
map, 1 along y, 2 against x, 3 against y.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hrl_core.floor.rectangles import Rectangle

FRONT = 2.4  # m kept free in front of a face: the staging distance and room to turn there
WAY = 1.4  # m between things that are no neighbours
TOUCH = 0.005  # m, less than which is contact: poses are rounded to centimetres
WALL_GAP = 0.05  # m behind what stands against a wall
SHELF_DEPTH, STATION_DEPTH, STATION_WIDTH = 0.45, 0.6, 0.9  # m
BIN_WIDTH = 0.6  # m
MOST_SHELVES = 6  # of a hall whose size is drawn

LANDMARK_GAP = 3.5  # m between landmarks
LANDMARK_HEIGHT, LANDMARK_INSET = 0.8, 0.02  # m


@dataclass(frozen=True)
class Box:
    """A rectangle square to the walls: m in map."""

    x0: float
    y0: float
    x1: float
    y1: float

    def gap(self, other: "Box") -> float:
        """Distance [m] between two boxes; negative: they overlap by that much."""
        x = max(self.x0 - other.x1, other.x0 - self.x1)
        y = max(self.y0 - other.y1, other.y0 - self.y1)
        return float(np.hypot(x, y)) if x > 0 and y > 0 else max(x, y)

    def rectangle(self) -> Rectangle:
        centre = [0.5 * (self.x0 + self.x1), 0.5 * (self.y0 + self.y1), 0.0]
        return Rectangle("", np.array(centre), np.array([self.x1 - self.x0, self.y1 - self.y0]))


@dataclass(frozen=True)
class Furniture:
    """A shelf (bins > 0) or a station: the middle of its front face (x, y) m, and its facing."""

    x: float
    y: float
    facing: int
    bins: int = 0

    @property
    def width(self) -> float:
        return self.bins * BIN_WIDTH if self.bins else STATION_WIDTH

    @property
    def depth(self) -> float:
        return SHELF_DEPTH if self.bins else STATION_DEPTH

    @property
    def pose(self) -> list[float]:
        """Planar pose as world files have it: m, m, rad."""
        return [
            round(float(self.x), 2),
            round(float(self.y), 2),
            (0.0, 1.5708, 3.1416, -1.5708)[self.facing],
        ]

    def box(self) -> Box:
        """What it covers."""
        return self._ahead(-self.depth, 0.0)

    def front(self) -> Box:
        """What has to be free in front of it."""
        return self._ahead(0.0, FRONT)

    def _ahead(self, near: float, far: float) -> Box:
        """The strip as wide as the face from `near` to `far` [m] in front of it."""
        along = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][self.facing])
        aside = 0.5 * self.width * np.abs(along[::-1])
        corners = np.array([self.x, self.y]) + np.outer((near, far), along)
        low, high = corners.min(axis=0) - aside, corners.max(axis=0) + aside
        return Box(*low.tolist(), *high.tolist())


@dataclass
class Plan:
    """A hall of a size (x, y) m and what stands in it so far."""

    size: tuple[float, float]
    most_shelves: int = MOST_SHELVES
    furniture: list[Furniture] = field(default_factory=list)

    @property
    def shelves(self) -> list[Furniture]:
        return [thing for thing in self.furniture if thing.bins]

    @property
    def stations(self) -> list[Furniture]:
        return [thing for thing in self.furniture if not thing.bins]

    def place(self, group: Sequence[Furniture]) -> bool:
        """Add things that belong together, back to back or side by side, if there is room."""
        boxes, fronts = [t.box() for t in group], [t.front() for t in group]
        if not all(self._inside(box) for box in (*boxes, *fronts)):
            return False
        for box in boxes:
            if any(box.gap(other.box()) < WAY for other in self.furniture):
                return False
            if any(box.gap(front) < -TOUCH for front in fronts):
                return False
            if any(box.gap(other.front()) < -TOUCH for other in self.furniture):
                return False
            if any(WALL_GAP + TOUCH < gap < WAY for gap in self._to_walls(box)):
                return False
        if any(front.gap(other.box()) < -TOUCH for front in fronts for other in self.furniture):
            return False
        self.furniture += group
        return True

    def against_wall(self, wall: int, along: float, bins: int = 0) -> Furniture:
        """Something with its back to a wall: 0 west, 1 south, 2 east, 3 north; `along` [m] it."""
        offset = WALL_GAP + (SHELF_DEPTH if bins else STATION_DEPTH)
        x = (offset, along, self.size[0] - offset, along)[wall]
        y = (along, offset, along, self.size[1] - offset)[wall]
        return Furniture(x, y, wall, bins)

    def wall_length(self, wall: int) -> float:
        return self.size[1] if wall in (0, 2) else self.size[0]

    def _inside(self, box: Box) -> bool:
        return bool(min(self._to_walls(box)) >= -TOUCH)

    def _to_walls(self, box: Box) -> tuple[float, float, float, float]:
        return box.x0, box.y0, self.size[0] - box.x1, self.size[1] - box.y1

    def landmarks(self, rng: np.random.Generator) -> list[dict]:
        """Markers on the walls where nothing stands in front of them; world file, less numbers."""
        (w, h), inset = self.size, LANDMARK_INSET
        walls = {
            0.0: [(inset, y) for y in np.arange(1.0, h - 0.9, 0.5)],
            1.5708: [(x, inset) for x in np.arange(1.0, w - 0.9, 0.5)],
            3.1416: [(w - inset, y) for y in np.arange(1.0, h - 0.9, 0.5)],
            -1.5708: [(x, h - inset) for x in np.arange(1.0, w - 0.9, 0.5)],
        }
        places = [(x, y, yaw) for yaw, points in walls.items() for x, y in points]
        boxes = [thing.box() for thing in self.furniture]
        found: list[tuple[float, float, float]] = []
        for k in rng.permutation(len(places)):
            x, y, yaw = places[k]
            spot = Box(x, y, x, y)
            hidden = any(box.gap(spot) < 0.6 for box in boxes)
            near = any(np.hypot(x - u, y - v) < LANDMARK_GAP for u, v, _ in found)
            if not hidden and not near:
                found.append((float(x), float(y), yaw))
        return [
            {"position": [round(x, 2), round(y, 2), LANDMARK_HEIGHT], "yaw": yaw}
            for x, y, yaw in sorted(found)
        ]
