"""Tasks of grasp and place, drawn: a bay with a shelf, a station, items and what stands by them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hrl_core.geometry import compose, transform_from_planar
from hrl_core.site import Item, Landmark, Shelf, Site, Station
from hrl_sim_bridge.plant.tags import PATCH
from hrl_sim_bridge.plant.warehouse import PANEL
from hrl_sim_bridge.trials.trial import ITEM_GAP, Order, PlacedItem, Trial, place_in_bin
from hrl_sim_bridge.worlds.world import StartRange, TrialRanges, World
from hrl_skills.skill import GraspGoal, PlaceGoal
from hrl_training.tasks.ranges import GraspTasks, ItemRanges, PlaceTasks, StandRanges
from hrl_training.trials.ranges import Draw

SIZE = (4.0, 5.0)  # m, of the bay
MIDDLE = 2.0  # m, where shelf and station stand along x
SHELF_DEPTH, STATION_DEPTH = 0.45, 0.6  # m
BIN_WIDTH = 0.6  # m
ABOVE_BOARD = 0.35  # m, height of a shelf's back and sides above its board at least
ITEM, BIN, STATION = "item", "bin", "station"
ITEM_MARKER, OTHER_MARKER, BIN_MARKER, STATION_MARKER, LANDMARK_MARKER = 100, 101, 10, 40, 60
LARGEST_MARKER = 0.04  # m
EDGE = 0.01  # m, free between a neighbour and walls, edges and other neighbours
SCATTER = 0.03  # m, neighbours off the line through the item
PLAIN_SETBACK = 0.11  # m, of the item that a place trial begins by grasping
NEIGHBOUR_FRICTION = 0.8
FACE_UP = np.pi / 2  # rad, a face that looks along +y


@dataclass(frozen=True)
class ManipulationTask:
    """One draw: where things stand, where the robot stands and what it is to do."""

    site: Site
    trial: Trial
    stand: np.ndarray  # (3,) planar pose of base_link in map when the skill begins
    goal: GraspGoal | PlaceGoal
    others: tuple[str, ...]  # items that must be left alone
    carried: float = 0.0  # s, of walking between a grasp and a place

    @property
    def world(self) -> World:
        """Not validated: a world file needs waypoints, which these trials have no use for."""
        ranges = TrialRanges(start=StartRange(waypoint=""))
        return World.model_construct(site=self.site, trial=ranges, faults=())


@dataclass(frozen=True)
class _Patch:
    """What an item covers of a board: u m behind the front edge, v m along it; half extents."""

    u: float
    v: float
    half_u: float
    half_v: float

    def overlaps(self, other: "_Patch", gap: float) -> bool:
        return (
            abs(self.u - other.u) < self.half_u + other.half_u + gap
            and abs(self.v - other.v) < self.half_v + other.half_v + gap
        )


@dataclass(frozen=True)
class _Board:
    """Where neighbours may stand: depth m, and v from low to high m."""

    depth: float
    low: float
    high: float

    def holds(self, patch: _Patch) -> bool:
        return (
            patch.u - patch.half_u > EDGE
            and patch.u + patch.half_u < self.depth - EDGE
            and patch.v - patch.half_v > self.low + EDGE
            and patch.v + patch.half_v < self.high - EDGE
        )


def draw_grasp(tasks: GraspTasks, draw: Draw, seed: int) -> ManipulationTask:
    """An item in a bin, perhaps between walls and other items; the robot in front of it."""
    ranges = tasks.bin
    item = _draw_item(draw, tasks.item)
    friction, turn = _friction_and_turn(draw, tasks.item)
    height = draw.uniform("bin.board_height", ranges.board_height)
    setback = draw.uniform("bin.setback", ranges.setback)
    aside = draw.uniform("bin.aside", ranges.aside)
    bins = 3 if draw.rng.random() < 0.5 else 1
    k = int(draw.rng.integers(bins))
    width = bins * BIN_WIDTH
    bin_v = (k + 0.5) * BIN_WIDTH - 0.5 * width  # of the bin's middle along the shelf's y
    patch = _patch(item, setback, bin_v - aside, turn)
    dividers: tuple[float, ...] = ()
    cluttered = draw.rng.random() < ranges.cluttered
    if draw.happens("bin.walls", ranges.walls if cluttered else 0.0):
        gaps = [draw.uniform(f"bin.wall_gap_{side}", ranges.wall_gap) for side in ("left", "right")]
        room = patch.half_v + 0.5 * PANEL + np.array(gaps)
        dividers = (patch.v - room[0], patch.v + room[1])
        half = 0.5 * width - 0.5 * PANEL
        dividers = tuple(float(y) for y in dividers if abs(y) < half - PANEL)
    shelf = _shelf(height, {f"{BIN}_{n}": BIN_MARKER + n for n in range(bins)}, dividers)
    walls = [PANEL - 0.5 * width, 0.5 * width - PANEL]
    low = max([walls[0], *(y + 0.5 * PANEL for y in dividers if y < patch.v)])
    high = min([walls[1], *(y - 0.5 * PANEL for y in dividers if y > patch.v)])
    board = _Board(SHELF_DEPTH - PANEL, low, high)
    count = ranges.neighbours if cluttered else (0, 0)
    others = _draw_neighbours(draw, "bin", count, ranges.neighbour_gap, tasks.item, patch, board)
    clutter = float(bool(others) or bool(dividers))
    draw.factors["clutter"] = clutter
    kinds = {ITEM: item} | {name: kind for name, kind, _, _ in others}
    site = _site(kinds, shelf, None)
    name = f"{BIN}_{k}"
    stock = [_placed(site, name, ITEM, setback, aside, turn, item.mass, friction)]
    for other, kind, place, yaw in others:
        stock.append(
            _placed(site, name, other, place.u, bin_v - place.v, yaw, kind.mass, NEIGHBOUR_FRICTION)
        )
    stand = compose(site.pose_in_front(name, site.standoff), draw_stand(draw, tasks.stand))
    return ManipulationTask(
        site,
        _trial(seed, stand, tuple(stock), Order(ITEM, name, "")),
        stand,
        GraspGoal(ITEM, name),
        tuple(other[0] for other in others),
    )


def draw_place(tasks: PlaceTasks, draw: Draw, seed: int) -> ManipulationTask:
    """An item to take from an empty shelf and to put on a station among others.

    The trial's start is in front of the shelf.
    """
    item = _draw_item(draw, tasks.item)
    friction, turn = _friction_and_turn(draw, tasks.item)
    height = draw.uniform("board_height", tasks.board_height)
    above = draw.uniform("taken_above", tasks.taken_above)
    offset = np.array([draw.uniform(f"offset_{axis}", tasks.offset) for axis in "xy"])
    shelf = _shelf(float(np.clip(height + above, 0.2, 1.0)), {f"{BIN}_0": BIN_MARKER}, ())
    station = Station(
        name=STATION,
        pose=(MIDDLE, STATION_DEPTH + 0.02, FACE_UP),
        marker=STATION_MARKER,
        depth=STATION_DEPTH,
        board_height=height,
    )
    empty = _site({ITEM: item}, shelf, station)
    # The item may be put down in any turn: neighbours keep their distance from its circle.
    reach = float(np.hypot(*item.size[:2])) / 2 if item.shape == "box" else item.size[0] / 2
    target = _Patch(empty.target_setback - offset[0], float(offset[1]), reach, reach)
    board = _Board(station.depth, -0.5 * station.width, 0.5 * station.width)
    count, gap = tasks.neighbours, tasks.neighbour_gap
    others = _draw_neighbours(draw, "", count, gap, tasks.item, target, board)
    draw.factors["clutter"] = float(bool(others))
    site = _site({ITEM: item} | {name: kind for name, kind, _, _ in others}, shelf, station)
    name = f"{BIN}_0"
    stock = [_placed(site, name, ITEM, PLAIN_SETBACK, 0.0, turn, item.mass, friction)]
    face = site.face(STATION)
    for other, kind, place, yaw in others:
        planar = np.array([-place.u, place.v, yaw])
        pose = face @ transform_from_planar(planar)
        pose[2, 3] = height + 0.5 * kind.size[2] + ITEM_GAP
        stock.append(PlacedItem(other, STATION, pose, kind.mass, NEIGHBOUR_FRICTION))
    stand = compose(site.pose_in_front(STATION, site.standoff), draw_stand(draw, tasks.stand))
    start = site.pose_in_front(name, site.standoff)
    return ManipulationTask(
        site,
        _trial(seed, start, tuple(stock), Order(ITEM, name, STATION)),
        stand,
        PlaceGoal(STATION, ITEM, offset),
        tuple(other[0] for other in others),
        draw.uniform("carried", tasks.carried),
    )


def _draw_item(draw: Draw, ranges: ItemRanges) -> Item:
    shape = draw.choice("item.shape", ranges.shapes)
    width = 2 * draw.uniform("item.half_width", ranges.half_width)
    depth = width
    if shape == "box":
        depth = 2 * draw.uniform("item.half_depth", ranges.half_width)
    height = draw.uniform("item.height", ranges.height)
    return _item(shape, depth, width, height, draw.uniform("item.mass", ranges.mass), ITEM_MARKER)


def _friction_and_turn(draw: Draw, ranges: ItemRanges) -> tuple[float, float]:
    return draw.uniform("item.friction", ranges.friction), draw.uniform("item.turn", ranges.turn)


def draw_stand(draw: Draw, ranges: StandRanges) -> np.ndarray:
    """Error (3,) m, m, rad of the pose in front of a face."""
    x, y = (draw.uniform(f"stand.{axis}", ranges.position) for axis in "xy")
    return np.array([x, y, draw.uniform("stand.yaw", ranges.yaw)])


def _item(shape, depth: float, width: float, height: float, mass: float, marker: int) -> Item:
    # The marker with its white margin is as wide as the narrowest face at most.
    size = min(LARGEST_MARKER, min(depth, width, height) / PATCH)
    return Item(
        shape=shape, size=(depth, width, height), mass=mass, marker=marker, marker_size=size
    )


def _patch(item: Item, u: float, v: float, turn: float) -> _Patch:
    half = 0.5 * np.array(item.size[:2])
    c, s = abs(np.cos(turn)), abs(np.sin(turn))
    if item.shape == "cylinder":
        c, s = 1.0, 0.0
    return _Patch(u, v, float(c * half[0] + s * half[1]), float(s * half[0] + c * half[1]))


def _draw_neighbours(
    draw: Draw,
    prefix: str,
    count: tuple[int, int],
    gap_range: tuple[float, float],
    ranges: ItemRanges,
    middle: _Patch,
    board: _Board,
) -> list[tuple[str, Item, _Patch, float]]:
    """Items round a place: name, kind, where, yaw. As many as drawn where there is room.

    The factors say how many stand there and how near the nearest is.
    """
    dot = f"{prefix}." if prefix else ""
    rng, found = draw.rng, []
    taken, nearest = [middle], np.inf
    for k in range(draw.count(f"{dot}neighbours", count)):
        half = rng.uniform(*ranges.half_width, 2)
        shape = str(rng.choice(ranges.shapes))
        depth, width = 2 * half if shape == "box" else (2 * half[0], 2 * half[0])
        kind = _item(
            shape,
            float(depth),
            float(width),
            float(rng.uniform(*ranges.height)),
            float(rng.uniform(*ranges.mass)),
            OTHER_MARKER + k,
        )
        yaw, gap = float(rng.uniform(*ranges.turn)), float(rng.uniform(*gap_range))
        own = _patch(kind, 0.0, 0.0, yaw)
        for place in _places(rng, middle, own, gap):
            if board.holds(place) and not any(place.overlaps(other, EDGE) for other in taken):
                found.append((f"other_{k}", kind, place, yaw))
                taken.append(place)
                nearest = min(nearest, gap)
                break
    draw.factors[f"{dot}neighbours"] = len(found)
    if found:
        draw.factors[f"{dot}neighbour_gap"] = round(nearest, 5)
    return found


def _places(rng: np.random.Generator, middle: _Patch, own: _Patch, gap: float) -> Iterator[_Patch]:
    """Beside, behind and diagonally behind, in random order; never in front."""
    beside = middle.half_v + own.half_v + gap
    behind = middle.half_u + own.half_u + gap
    slide = rng.uniform(-SCATTER, SCATTER)
    steps = [(slide, beside), (slide, -beside), (behind, slide)]
    steps += [(behind, beside), (behind, -beside)]
    for k in rng.permutation(len(steps)):
        u, v = steps[k]
        yield _Patch(float(middle.u + u), float(middle.v + v), own.half_u, own.half_v)


def _shelf(height: float, bins: dict[str, int], dividers: tuple[float, ...]) -> Shelf:
    return Shelf(
        name="shelf",
        pose=(MIDDLE, SIZE[1] - SHELF_DEPTH - 0.02, -FACE_UP),
        width=len(bins) * BIN_WIDTH,
        depth=SHELF_DEPTH,
        board_height=height,
        height=max(1.2, height + ABOVE_BOARD),
        bins=bins,
        dividers=dividers,
    )


def _site(items: dict[str, Item], shelf: Shelf, station: Station | None) -> Site:
    walls = [(0.02, 2.2, 0.0), (SIZE[0] - 0.02, 2.8, np.pi)]
    walls += [(0.6, 0.02, FACE_UP), (0.5, SIZE[1] - 0.02, -FACE_UP)]
    return Site(
        name="bay",
        size=SIZE,
        shelves=(shelf,),
        stations=() if station is None else (station,),
        items=items,
        landmarks=tuple(
            Landmark(marker=LANDMARK_MARKER + k, position=(x, y, 0.8), yaw=float(yaw))
            for k, (x, y, yaw) in enumerate(walls)
        ),
    )


def _placed(
    site: Site,
    bin_name: str,
    name: str,
    setback: float,
    aside: float,
    turn: float,
    mass: float,
    friction: float,
) -> PlacedItem:
    pose = place_in_bin(site, name, bin_name, setback, aside, turn)
    return PlacedItem(name, bin_name, pose, mass, friction)


def _trial(seed: int, start: np.ndarray, stock: tuple[PlacedItem, ...], order: Order) -> Trial:
    return Trial(
        seed=seed,
        start=start,
        start_estimate=start,
        stock=stock,
        obstacles=(),
        people=(),
        floor_friction=1.0,
        order=order,
        faults=(),
    )
