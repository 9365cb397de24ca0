"""A world and one of its trials from above, as a drawing for people: `./hrl world show --out`."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Polygon
from matplotlib.transforms import Affine2D

from hrl_core.floor.rectangles import Rectangle, solids
from hrl_core.site import Site
from hrl_sim_bridge.judging.solvable import solvable
from hrl_sim_bridge.plant.effects import WET_RADIUS
from hrl_sim_bridge.plant.people import Walker
from hrl_sim_bridge.plant.warehouse import (
    ITEM_COLOURS,
    OBSTACLE_COLOUR,
    PERSON_COLOUR,
    PERSON_RADIUS,
    SHELF_COLOUR,
    STATION_COLOUR,
)
from hrl_sim_bridge.trials.barriers import barrier_at
from hrl_sim_bridge.trials.habit_draws import habits_of
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind, Trigger
from hrl_sim_bridge.worlds.habits import HabitSet
from hrl_sim_bridge.worlds.world import World

INK, FAINT, TROUBLE, MARKER = "#22303c", "#9aa7b2", "#c8281e", "#111111"
PICTURES = (".png", ".svg", ".pdf")
PAD = 0.75  # m round the floor
INCHES_PER_METRE, LEAST_WIDTH, NOTES_HEIGHT = 0.95, 9.0, 1.5  # inches
BIN_TEXT, WAYPOINT_TEXT, NOTE_TEXT = 7.5, 6.5, 8.5  # points


def draw_world(world: World, trial: Trial, path: Path) -> None:
    """Draw what stands on the floor and what the trial adds; the picture's kind by its ending."""
    site = world.site
    figure, axes, share = sheet(site)
    _routes(axes, world, trial)
    _trial(axes, site, trial)
    if (habits := habits_of(world.trial, trial.seed)) is not None:
        _habits(axes, site, habits)
    for fault in trial.faults:
        if fault.kind in _FAULTS:
            _FAULTS[fault.kind](axes, site, trial, fault)
    _notes(figure, world, trial, share)
    figure.savefig(path)


def sheet(site: Site) -> tuple[Figure, Axes, float]:
    """A drawing of what stands at a site for good, in m; room for notes below it, a share."""
    width = max(INCHES_PER_METRE * (site.size[0] + 2 * PAD), LEAST_WIDTH)
    height = width * (site.size[1] + 2 * PAD) / (site.size[0] + 2 * PAD)
    figure = Figure(figsize=(width, height + NOTES_HEIGHT), dpi=110)
    FigureCanvasAgg(figure)
    share = NOTES_HEIGHT / (height + NOTES_HEIGHT)
    axes = figure.add_axes((0, share, 1, 1 - share))
    axes.set_xlim(-PAD, site.size[0] + PAD)
    axes.set_ylim(-PAD, site.size[1] + PAD)
    axes.set_aspect("equal")
    axes.axis("off")
    _floor(axes, site)
    _waypoints(axes, site)
    _furniture(axes, site)
    _landmarks(axes, site)
    return figure, axes, share


def _floor(axes: Axes, site: Site) -> None:
    (w, h), t = site.size, 0.1
    axes.add_patch(_box(-t, -t, w + 2 * t, h + 2 * t, facecolor=INK, zorder=0))
    axes.add_patch(_box(0, 0, w, h, facecolor="#f6f6f3", zorder=0.1))
    style = {"color": "#e6e7e4", "lw": 0.6, "zorder": 0.2}
    for x in range(1, int(np.ceil(w))):
        axes.plot([x, x], [0, h], **style)
    for y in range(1, int(np.ceil(h))):
        axes.plot([0, w], [y, y], **style)
    text = {"color": FAINT, "fontsize": 7, "ha": "center", "va": "center"}
    for x in range(0, int(w) + 1, 2):
        axes.text(x, -0.58, f"{x} m", **text)
    for y in range(2, int(h) + 1, 2):
        axes.text(-0.58, y, f"{y} m", **text)


def _box(x: float, y: float, w: float, h: float, **style) -> Polygon:
    return Polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], closed=True, **style)


def _rectangle(rectangle: Rectangle, **style) -> Polygon:
    return Polygon(rectangle.corners(), closed=True, **style)


def _furniture(axes: Axes, site: Site) -> None:
    shelves = {shelf.name for shelf in site.shelves}
    for thing in solids(site):
        colour = SHELF_COLOUR if thing.name in shelves else STATION_COLOUR
        axes.add_patch(_rectangle(thing, facecolor=colour, edgecolor=INK, lw=0.8, zorder=3))
    for shelf in site.shelves:
        front = np.array([np.cos(shelf.pose[2]), np.sin(shelf.pose[2])])
        side = np.array([-front[1], front[0]])
        corner = np.array(shelf.pose[:2])
        pitch = shelf.width / len(shelf.bins)
        for k in range(1, len(shelf.bins)):
            edge = corner + (k * pitch - 0.5 * shelf.width) * side
            ends = np.array([edge, edge - shelf.depth * front])
            axes.plot(*ends.T, color="white", lw=0.8, zorder=3.1)
        for name in shelf.bins:
            _face(axes, site, name, "white", f"{name}", shelf.depth)
        end = corner + 0.5 * (shelf.width + 0.06) * side - 0.5 * shelf.depth * front
        _beside(axes, end, side, f"{shelf.board_height:.2f} m", color="#5d6b76", fontsize=6.5)
    for station in site.stations:
        label = f"{station.name}\n{station.board_height:.2f} m"
        _face(axes, site, station.name, "white", label, station.depth)
        x, y, _ = site.target_point(station.name)
        axes.plot(x, y, "+", color="white", ms=7, zorder=4)
        if (belt_end := station.belt_end) is not None:
            along = belt_end - station.pose[:2]
            start, end = np.array([x, y]) + np.outer([0.2, 0.9], along)
            arrow = {"arrowstyle": "->", "color": "white"}
            axes.annotate("", xy=tuple(end), xytext=tuple(start), arrowprops=arrow, zorder=4)


def _beside(axes: Axes, point: np.ndarray, out: np.ndarray, text: str, **style) -> None:
    """Text that runs from a point (2,) m in the direction `out` (2,), along x or y."""
    upright = abs(out[1]) > 0.7
    style["rotation"] = 90 if upright else 0
    style["ha"] = "center" if upright else "left" if out[0] > 0 else "right"
    style["va"] = "center" if not upright else "bottom" if out[1] > 0 else "top"
    axes.text(point[0], point[1], text, zorder=6, **style)


def _face(axes: Axes, site: Site, name: str, colour: str, label: str, depth: float) -> None:
    """The marker of a bin or station on its front, and its name on the board."""
    face = site.faces[name]
    front, centre = face[:2, 0], face[:2, 3]
    half = 0.5 * site.shelf_marker_size * face[:2, 1]
    axes.plot(*np.array([centre - half, centre + half]).T, color=MARKER, lw=3.5, zorder=4)
    place = centre - (0.72 if "\n" in label else 0.78) * depth * front
    axes.text(
        place[0],
        place[1],
        label,
        color=colour,
        fontsize=BIN_TEXT,
        fontweight="bold",
        ha="center",
        va="center",
        rotation=90 if abs(front[0]) > 0.7 and "\n" in label else 0,
        linespacing=0.9,
        zorder=4,
    )


def _landmarks(axes: Axes, site: Site) -> None:
    for landmark in site.landmarks:
        x, y, _ = landmark.position
        front = np.array([np.cos(landmark.yaw), np.sin(landmark.yaw)])
        half = 0.5 * landmark.size * np.array([-front[1], front[0]])
        ends = np.array([[x, y] - half, [x, y] + half])
        axes.plot(*ends.T, color=MARKER, lw=4, zorder=4, solid_capstyle="butt")
        place = np.array([x, y]) - 0.27 * front
        axes.text(
            place[0],
            place[1],
            str(landmark.marker),
            fontsize=6.5,
            color=INK,
            ha="center",
            va="center",
        )


def _waypoints(axes: Axes, site: Site) -> None:
    for name, waypoint in site.waypoints.items():
        x, y, yaw = waypoint.pose
        for other in site.neighbours(name):
            if name < other:
                u, v, _ = site.waypoints[other].pose
                axes.plot([x, u], [y, v], color="#b9c9b6", lw=2.2, zorder=1)
        axes.plot(x, y, "o", ms=6, color="#6d9068", zorder=1.2)
        axes.plot(
            [x, x + 0.22 * np.cos(yaw)],
            [y, y + 0.22 * np.sin(yaw)],
            color="#6d9068",
            lw=1.6,
            zorder=1.2,
        )
        _label(axes, (x, y), name, (5, -9), "#53714f", WAYPOINT_TEXT, zorder=1.3)


def _routes(axes: Axes, world: World, trial: Trial) -> None:
    """Where people may walk, and where those of this trial are at its start."""
    for names in world.trial.people.routes:
        route = np.array([world.site.waypoints[name].pose[:2] for name in names])
        axes.plot(*route.T, color=PERSON_COLOUR, lw=1.6, ls=(0, (1.5, 1.8)), zorder=1.5)
    for person in trial.people:
        x, y = Walker(person).position
        axes.add_patch(
            Circle((x, y), PERSON_RADIUS, facecolor=PERSON_COLOUR, edgecolor=INK, zorder=5)
        )


def _trial(axes: Axes, site: Site, trial: Trial) -> None:
    for obstacle in trial.obstacles:
        axes.add_patch(
            _rectangle(obstacle.rectangle(), facecolor=OBSTACLE_COLOUR, edgecolor=INK, zorder=3)
        )
    kinds = list(site.items)
    for placed in trial.stock:
        if not placed.bin:
            continue
        x, y = placed.map_from_item[:2, 3]
        colour = ITEM_COLOURS[kinds.index(placed.name) % len(ITEM_COLOURS)]
        ordered = placed.name == trial.order.item
        edge = {"edgecolor": "white", "lw": 1.6} if ordered else {"edgecolor": INK, "lw": 0.6}
        axes.add_patch(Circle((x, y), 0.09, facecolor=colour, zorder=5, **edge))
        front, face = site.faces[placed.bin][:2, 0], site.faces[placed.bin][:2, 3]
        name = f"{placed.name} (ordered)" if ordered else placed.name
        weight = "bold" if ordered else "normal"
        _beside(axes, face + 0.12 * front, front, name, fontweight=weight, fontsize=7, color=INK)
    x, y, yaw = trial.start
    body = Rectangle("", trial.start, np.array([1.0, 0.5]))
    axes.add_patch(_rectangle(body, facecolor="#f2c230", edgecolor=INK, lw=1.2, zorder=5))
    tip = np.array([(0.42, 0), (0.2, 0.16), (0.2, -0.16)])
    arrow = Affine2D().rotate(yaw).translate(x, y).transform(tip)
    axes.add_patch(Polygon(arrow, closed=True, facecolor=INK, zorder=5.1))
    target = site.target_point(trial.order.to_station)
    axes.plot(*target[:2], "o", ms=11, mfc="none", mec="#f2c230", mew=2, zorder=5)


def _habits(axes: Axes, site: Site, habits: HabitSet) -> None:
    """An arrow from each home to its wrong bin, as wide as often; how often away or missing."""
    for k, (item, habit) in enumerate(habits.items.items()):
        colour = ITEM_COLOURS[list(site.items).index(item) % len(ITEM_COLOURS)]
        home = site.faces[habit.home]
        share = habit.misplaced * habit.share_in_wrong_bin
        place = home[:2, 3] - 0.2 * home[:2, 0]
        axes.plot(*place, "s", ms=5, color=colour, mec="white", mew=0.8, zorder=5)
        if share < 0.1:
            continue
        wrong = site.faces[habit.wrong_bin]
        style = {"arrowstyle": "-|>", "color": colour, "lw": 6 * share, "alpha": 0.55, "ls": "-"}
        bend = {"connectionstyle": f"arc3,rad={0.2 if k % 2 else -0.2}"}
        end = wrong[:2, 3] - 0.2 * wrong[:2, 0]
        axes.annotate("", tuple(end), xytext=tuple(place), arrowprops={**style, **bend}, zorder=6.5)


def _barrier(axes: Axes, site: Site, trial: Trial, fault: Fault) -> None:
    barrier = barrier_at(site, trial.obstacles, fault.target)
    later = fault.trigger is not Trigger.CLOCK or fault.start > 0
    style = {"facecolor": "#e9a19c" if later else TROUBLE, "edgecolor": TROUBLE, "zorder": 5.5}
    axes.add_patch(_rectangle(barrier, hatch="////" if later else "", **style))
    _label(axes, barrier.pose[:2], _name(fault), (9, 7), TROUBLE, NOTE_TEXT, zorder=7)


def _visitor(axes: Axes, site: Site, trial: Trial, fault: Fault) -> None:
    place = site.waypoints[fault.target].pose[:2]
    style = {"facecolor": "none", "edgecolor": TROUBLE, "lw": 1.8, "ls": "--", "zorder": 5.5}
    axes.add_patch(Circle(place, PERSON_RADIUS, **style))
    _label(axes, place, _name(fault), (11, 8), TROUBLE, NOTE_TEXT, zorder=7)


def _wet_patch(axes: Axes, site: Site, trial: Trial, fault: Fault) -> None:
    if not fault.target:  # everywhere
        return
    place = site.waypoints[fault.target].pose[:2]
    style = {"facecolor": "#7fb4dd", "alpha": 0.4, "zorder": 0.9}
    axes.add_patch(Circle(place, WET_RADIUS, **style))
    _label(axes, place, _name(fault), (-20, 28), "#1f6396", NOTE_TEXT, zorder=7)


def _moved_item(axes: Axes, site: Site, trial: Trial, fault: Fault) -> None:
    item, _, bin_name = fault.target.partition("@")
    if item not in trial.item_names:
        return
    start = trial.item(item).map_from_item[:2, 3]
    end = site.faces[bin_name][:2, 3] - 0.11 * site.faces[bin_name][:2, 0]
    style = {"arrowstyle": "-|>", "color": TROUBLE, "lw": 1.5, "shrinkB": 4}
    bend = {"connectionstyle": "arc3,rad=0.25"}
    axes.annotate("", tuple(end), xytext=tuple(start), arrowprops={**style, **bend}, zorder=6)


def _cross(axes: Axes, site: Site, trial: Trial, fault: Fault) -> None:
    if fault.target in trial.item_names:
        x, y = trial.item(fault.target).map_from_item[:2, 3]
    elif fault.target in site.faces:
        x, y = site.faces[fault.target][:2, 3]
    else:
        return
    axes.plot(x, y, "x", ms=13, mew=2.5, color=TROUBLE, zorder=6)


# Where a fault is to be seen from above; the others, of sensors and of the gripper, have no place.
_FAULTS: dict[FaultKind, Callable[[Axes, Site, Trial, Fault], None]] = {
    FaultKind.BLOCKED_AISLE: _barrier,
    FaultKind.PERSON: _visitor,
    FaultKind.SLIPPERY_FLOOR: _wet_patch,
    FaultKind.MISPLACED_ITEM: _moved_item,
    FaultKind.MISSING_ITEM: _cross,
    FaultKind.MARKER_OCCLUDED: _cross,
}


def _name(fault: Fault) -> str:
    return fault.kind.value.replace("_", " ")


def _label(axes: Axes, point, text: str, offset, colour, size: float, zorder: float) -> None:
    axes.annotate(
        text,
        tuple(point[:2]),
        xytext=offset,
        textcoords="offset points",
        fontsize=size,
        color=colour,
        zorder=zorder,
        bbox={"boxstyle": "square,pad=0.1", "fc": "#f6f6f3", "ec": "none", "alpha": 0.7},
    )


def _notes(figure: Figure, world: World, trial: Trial, share: float) -> None:
    """Below the plan: the trial in words on the left, what the signs mean on the right."""
    order = trial.order
    title = f"{world.site.name}, seed {trial.seed}"
    lines = [f"order: {order.item} from {order.from_bin} to {order.to_station}"]
    lines += [f"disturbance: {sentence}" for sentence in describe(trial.faults)] or ["undisturbed"]
    if trial.faults:
        verdict = solvable(world, trial)
        lines.append(f"{'can' if verdict.ok else 'cannot'} be solved: {verdict.why}")
    figure.text(0.03, share - 0.005, title, va="top", fontsize=11, fontweight="bold", color=INK)
    inch = share / NOTES_HEIGHT
    place = (0.03, share - 0.28 * inch)
    figure.text(*place, "\n".join(lines), va="top", fontsize=NOTE_TEXT, color=INK, linespacing=1.4)
    signs = [
        Patch(fc=SHELF_COLOUR, ec=INK, label="shelf: bins, board height"),
        Patch(fc=STATION_COLOUR, ec=INK, label="station: name, board height"),
        Line2D([], [], color=MARKER, lw=4, label="marker (on walls: number)"),
        Line2D([], [], color="#6d9068", marker="o", lw=2.2, label="waypoints"),
        Patch(fc="#f2c230", ec=INK, label="robot at the start; order's goal"),
        Line2D(
            [], [], color=tuple(PERSON_COLOUR), ls=":", marker="o", lw=2, label="people's routes"
        ),
        Patch(fc=OBSTACLE_COLOUR, ec=INK, label="obstacle"),
        Patch(fc="#e9a19c", ec=TROUBLE, hatch="////", label="disturbance (hatched: later)"),
    ]
    if world.trial.habits is not None:
        label = "habit: home, usual wrong bin"
        signs.append(Line2D([], [], color=tuple(ITEM_COLOURS[0]), marker="s", lw=2, label=label))
    figure.legend(
        handles=signs,
        loc="upper right",
        bbox_to_anchor=(0.99, share + 0.005),
        ncols=2,
        fontsize=7.5,
        frameon=False,
    )


def describe(faults: Iterable[Fault]) -> list[str]:
    """Each fault as a few words: what, where, when."""
    starts = {Trigger.NEAR: "after the robot came near", Trigger.CARRYING: "of carrying"}
    sentences = []
    for fault in faults:
        words = [_name(fault), fault.target]
        if fault.trigger is not Trigger.CLOCK:
            words.append(f"{fault.start:.1f} s {starts[fault.trigger]}")
        elif fault.start:
            words.append(f"from {fault.start:.1f} s on")
        if fault.duration:
            words.append(f"for {fault.duration:.1f} s")
        sentences.append(" ".join(word for word in words if word))
    return sentences
