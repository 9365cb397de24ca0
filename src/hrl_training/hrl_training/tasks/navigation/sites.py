"""Warehouses drawn from the ranges of a task file: aisles between racks, and a bay with one face.

Frame map, lengths m. Racks stand along x; every site has markers on its bins and stations and
landmarks on its walls, as a site needs for a robot that knows where it is.
"""

from itertools import count

import numpy as np

from hrl_core.site import Landmark, Shelf, Site, Station
from hrl_training.tasks.ranges import FaceTasks, WalkTasks
from hrl_training.trials.ranges import Draw

RACK, RACK_DEPTH = 1.8, 0.45  # m, width of a rack and its depth
RACKS = (2, 5)  # in a row
STATION_DEPTH = 0.6  # m
BACK_GAP = 0.02  # m, behind what stands at a wall or back to back
CROSS_AISLE = (1.8, 2.6)  # m, at both ends of the aisles
WALL_RACKS = 0.7  # share of the long walls with racks along them
MIDDLE_GAP = 0.4  # share of the long rows with a way through in their middle
BOARDS = (0.3, 0.6)  # m, heights in the aisles
STAGING = (0.95, 1.5)  # m, where walks end before a face, as far as the aisle has room
BEHIND = 0.80  # m, from base_link at the staging pose to what is behind: the hind legs and room
STATION_MARKERS, LANDMARK_MARKERS = 400, 500  # first ids
LANDMARK_HEIGHT = 0.8  # m
BAY_DEPTH, BAY_SIDE = (4.6, 6.0), (2.2, 3.6)  # m, of the bay; from the face's middle to its sides
NEIGHBOUR = 0.6  # share of the bays with a rack on one side of the face, for each side
STATION_SHARE = 0.3  # of the faces to approach
FACE_UP = np.pi / 2  # rad, a face that looks along +y


class _Builder:
    """Collects racks, stations and landmarks and numbers their markers."""

    def __init__(self) -> None:
        self.shelves: list[Shelf] = []
        self.stations: list[Station] = []
        self.landmarks: list[Landmark] = []
        self._bins = count()

    def rack(self, pose: tuple[float, float, float], board: float, bins: int = 3) -> None:
        letter = f"R{len(self.shelves)}"
        names = {f"{letter}_{k + 1}": next(self._bins) for k in range(bins)}
        self.shelves.append(
            Shelf(name=letter, pose=pose, width=RACK, board_height=board, bins=names)
        )

    def station(self, pose: tuple[float, float, float], board: float) -> None:
        k = len(self.stations)
        self.stations.append(
            Station(name=f"S{k}", pose=pose, marker=STATION_MARKERS + k, board_height=board)
        )

    def landmark(self, x: float, y: float, yaw: float) -> None:
        marker = LANDMARK_MARKERS + len(self.landmarks)
        place = (x, y, LANDMARK_HEIGHT)
        self.landmarks.append(Landmark(marker=marker, position=place, yaw=yaw))

    def site(self, name: str, size: tuple[float, float], staging: float) -> Site:
        return Site(
            name=name,
            size=size,
            staging=staging,
            shelves=tuple(self.shelves),
            stations=tuple(self.stations),
            items={},
            landmarks=tuple(self.landmarks),
        )


def aisle_site(tasks: WalkTasks, draw: Draw) -> Site:
    """A hall with parallel aisles between rows of racks, cross aisles at both ends, stations."""
    rng = draw.rng
    width = draw.uniform("aisle_width", tasks.aisle_width)
    aisles = draw.count("aisles", tasks.aisles)
    west, east = rng.uniform(*CROSS_AISLE, 2)
    racks = int(rng.integers(RACKS[0], RACKS[1] + 1))
    gap = width if racks > 2 and rng.random() < MIDDLE_GAP else 0.0
    length = west + racks * RACK + gap + east + STATION_DEPTH
    build, y, middles = _Builder(), 0.0, []
    starts = west + RACK * (np.arange(racks) + 0.5) + gap * (np.arange(racks) >= racks // 2)

    def row(face_y: float, yaw: float) -> None:
        for x in starts:
            build.rack((float(x), face_y, yaw), float(rng.uniform(*BOARDS)))

    def wall_row(face_y: float, yaw: float) -> float:
        if rng.random() >= WALL_RACKS:
            return 0.0
        row(face_y, yaw)
        return RACK_DEPTH + BACK_GAP

    y += wall_row(RACK_DEPTH + BACK_GAP, FACE_UP)
    for k in range(aisles):
        middles.append(y + 0.5 * width)
        y += width
        if k < aisles - 1:
            row(y, -FACE_UP)
            row(y + 2 * RACK_DEPTH + BACK_GAP, FACE_UP)
            y += 2 * RACK_DEPTH + BACK_GAP
    y += wall_row(y, -FACE_UP)
    # Stations look down the aisles from the east wall, one or two of them.
    chosen = rng.permutation(aisles)[: int(rng.integers(1, 3))]
    for k in chosen:
        build.station(
            (length - STATION_DEPTH - BACK_GAP, middles[k], np.pi), float(rng.uniform(0.4, 0.6))
        )
    for k, middle in enumerate(middles):
        build.landmark(0.02, middle, 0.0)
        if k not in chosen:
            build.landmark(length - 0.02, middle, np.pi)
    for x in (0.5 * west, length - 0.5 * east - STATION_DEPTH):
        build.landmark(x, 0.02, FACE_UP)
        build.landmark(x, y - 0.02, -FACE_UP)
    staging = float(np.clip(width - BEHIND, *STAGING))
    return build.site("aisles", (length, y), staging)


def bay_site(tasks: FaceTasks, draw: Draw) -> tuple[Site, str]:
    """A bay with one face to approach, perhaps beside others; returns the site and the target."""
    rng = draw.rng
    board = draw.uniform("board_height", tasks.board_height)
    depth, (left, right) = rng.uniform(*BAY_DEPTH), rng.uniform(*BAY_SIDE, 2)
    build = _Builder()
    face_y, middle = RACK_DEPTH + BACK_GAP, float(left)
    if draw.happens("station", STATION_SHARE):
        face_y = STATION_DEPTH + BACK_GAP
        build.station((middle, face_y, FACE_UP), board)
        target = "S0"
    else:
        build.rack((middle, face_y, FACE_UP), board)
        target = str(rng.choice(list(build.shelves[0].bins)))
    for side, room in ((-1, left), (1, right)):
        if rng.random() < NEIGHBOUR and room > 1.5 * RACK + 0.1:
            x = middle + side * (RACK + rng.uniform(0.0, room - 1.5 * RACK))
            build.rack((float(x), RACK_DEPTH + BACK_GAP, FACE_UP), float(rng.uniform(*BOARDS)))
    width, depth = float(left + right), float(depth)
    build.landmark(middle, depth - 0.02, -FACE_UP)
    for y in (0.35 * depth, 0.7 * depth):
        build.landmark(0.02, y, 0.0)
        build.landmark(width - 0.02, y, np.pi)
    return build.site("bay", (width, depth), staging=1.5), target
