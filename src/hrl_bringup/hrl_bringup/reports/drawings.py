"""What the drawings of a mission show and where: map.svg and timeline.svg draw it.

Lengths of the drawings are pixels, x to the right and y down.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hrl_bringup.reports.colours import of_skill
from hrl_core.site import Site

WIDTH = 900
_MARGIN = 0.3  # m round the site
_DOT = 9  # radius of a decision's dot
_ROW, _LEFT, _RIGHT, _AXIS = 26, 170, 60, 20  # of the timeline


@dataclass(frozen=True)
class Shape:
    """A polygon or a line; style: its class in the drawing."""

    points: str  # x,y x,y ...
    style: str


@dataclass(frozen=True)
class Label:
    x: float
    y: float
    text: str
    style: str = ""


@dataclass(frozen=True)
class Dot:
    """Where the skill of a decision ended."""

    x: float
    y: float
    number: int
    colour: str


@dataclass
class Map:
    """The site from above, frame map, with the estimated and the true path."""

    height: float
    shapes: list[Shape] = field(default_factory=list)
    names: list[Label] = field(default_factory=list)
    paths: list[Shape] = field(default_factory=list)
    ends: list[tuple[float, float]] = field(default_factory=list)  # of the true path
    dots: list[Dot] = field(default_factory=list)


@dataclass(frozen=True)
class Bar:
    """A decision over simulated time."""

    x: float
    y: float
    width: float
    label: str
    duration: str
    colour: str
    worked: bool


@dataclass(frozen=True)
class Timeline:
    height: float
    axis: float  # its y
    bars: list[Bar]
    ticks: list[Label]
    row: float = _ROW  # height of a bar with what is above and below it
    left: float = _LEFT  # where time begins
    right: float = WIDTH - _RIGHT  # where it ends


def map_of(site: Site, mission: dict[str, Any]) -> Map:
    """Lay out the map of a mission; `mission`: as in mission.json."""
    scale = WIDTH / (site.size[0] + 2 * _MARGIN)  # px/m
    drawing = Map(height=scale * (site.size[1] + 2 * _MARGIN))

    def pixel(x: float, y: float) -> tuple[float, float]:
        return (x + _MARGIN) * scale, drawing.height - (y + _MARGIN) * scale

    def add(style: str, pose: Sequence[float], width: float, depth: float) -> None:
        """A rectangle behind a face: `pose` (3,) in map, x out of the face."""
        c, s = np.cos(pose[2]), np.sin(pose[2])
        corners = [(0, -width / 2), (0, width / 2), (-depth, width / 2), (-depth, -width / 2)]
        points = [pixel(pose[0] + c * x - s * y, pose[1] + s * x + c * y) for x, y in corners]
        drawing.shapes.append(Shape(_points(points), style))

    corners = [(0, 0), (site.size[0], 0), (site.size[0], site.size[1]), (0, site.size[1])]
    drawing.shapes.append(Shape(_points([pixel(x, y) for x, y in corners]), "floor"))
    for shelf in site.shelves:
        add("shelf", shelf.pose, shelf.width, shelf.depth)
    for station in site.stations:
        add("station", station.pose, station.width, station.depth)
    for x, y, yaw, depth, width in mission["obstacles"]:
        front = (x + 0.5 * depth * np.cos(yaw), y + 0.5 * depth * np.sin(yaw), yaw)
        add("obstacle", front, width, depth)
    chosen = {mission["order"]["from_bin"], mission["order"]["to_station"]}
    inside = {**dict.fromkeys(site.bins, 0.2), **{s.name: s.depth / 2 for s in site.stations}}
    for name, depth in inside.items():
        face = site.face(name)
        x, y = pixel(*(face[:2, 3] - depth * face[:2, 0]))
        drawing.names.append(Label(x, y + 4, name, "chosen" if name in chosen else ""))
    for kind in ("true", "estimated"):
        points = [pixel(row[1], row[2]) for row in mission["path"][kind]]
        if points:
            drawing.paths.append(Shape(_points(points), kind))
        if points and kind == "true":
            drawing.ends += [points[0], points[-1]]
    for entry in mission["decisions"]:
        row = _nearest(mission["path"]["true"], entry["ended"])
        if row is not None:
            x, y = _beside(pixel(row[1], row[2]), drawing.dots)
            drawing.dots.append(Dot(x, y, entry["index"] + 1, of_skill(entry["skill"])))
    return drawing


def timeline_of(mission: dict[str, Any]) -> Timeline | None:
    """Lay out a bar per decision over simulated time; None: no skill ran."""
    decisions = [entry for entry in mission["decisions"] if entry["ended"] is not None]
    if not decisions:
        return None
    begin = min(entry["started"] for entry in decisions)
    span = max(entry["ended"] for entry in decisions) - begin  # s
    scale = (WIDTH - _LEFT - _RIGHT) / max(span, 1e-6)  # px/s
    bars = [
        Bar(
            x=_LEFT + scale * (entry["started"] - begin),
            y=k * _ROW,
            width=max(2.0, scale * (entry["ended"] - entry["started"])),
            label=f"{entry['index'] + 1}. {entry['skill']} {entry['target']}",
            duration=f"{entry['ended'] - entry['started']:.1f} s",
            colour=of_skill(entry["skill"]),
            worked=entry["outcome"] == "SUCCEEDED" and entry["confirmed"],
        )
        for k, entry in enumerate(decisions)
    ]
    height = _ROW * len(decisions) + _AXIS + 4
    times = np.arange(0, span + 1e-6, _tick_step(span))
    ticks = [Label(_LEFT + scale * time, height - 4, f"{time:.0f} s") for time in times]
    return Timeline(height, height - _AXIS, bars, ticks)


def _tick_step(span: float) -> float:
    """Distance in s between two labels of the axis, at most ten of them."""
    return next((step for step in (5, 10, 20, 30, 60, 120, 300) if span / step <= 10), 600)


def _nearest(path: list, time: float | None):
    """The row of a path nearest to a time [s]."""
    if not path or time is None:
        return None
    return min(path, key=lambda row: abs(row[0] - time))


def _beside(place: tuple[float, float], dots: Iterable[Dot]) -> tuple[float, float]:
    """A place to the right of dots that are already there, so that every number can be read."""
    x, y = place
    for dot in sorted(dots, key=lambda dot: dot.x):
        if abs(dot.y - y) < 2 * _DOT and abs(dot.x - x) < 2 * _DOT:
            x = dot.x + 2 * _DOT
    return x, y


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
