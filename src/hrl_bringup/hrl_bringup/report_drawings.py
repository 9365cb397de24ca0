"""Drawings of the report as SVG text: the map with both paths, and the timeline of skills."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from hrl_core.site import Site

SKILL_COLOURS = {"walk": "#4477aa", "approach": "#66ccee", "grasp": "#ee6677", "place": "#228833"}
OTHER_COLOUR = "#999999"
_WIDTH = 900  # px
_MARGIN = 0.3  # m round the site


def draw_map(site: Site, mission: dict[str, Any]) -> str:
    """The site from above, map frame, x to the right, with the estimated and the true path."""
    scale = _WIDTH / (site.size[0] + 2 * _MARGIN)  # px/m
    height = scale * (site.size[1] + 2 * _MARGIN)

    def pixel(x: float, y: float) -> tuple[float, float]:
        return (x + _MARGIN) * scale, height - (y + _MARGIN) * scale

    def polygon(pose: Sequence[float], width: float, depth: float, style: str) -> str:
        """A rectangle behind a face: `pose` (3,) in map, x out of the face."""
        c, s = np.cos(pose[2]), np.sin(pose[2])
        corners = [(0, -width / 2), (0, width / 2), (-depth, width / 2), (-depth, -width / 2)]
        points = [pixel(pose[0] + c * x - s * y, pose[1] + s * x + c * y) for x, y in corners]
        return f'<polygon points="{_points(points)}" {style}/>'

    parts = [_svg_begin(_WIDTH, height, "map of the site with the path of the robot")]
    left, top = pixel(0, site.size[1])
    parts.append(
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{site.size[0] * scale:.1f}" '
        f'height="{site.size[1] * scale:.1f}" class="floor"/>'
    )
    for shelf in site.shelves:
        parts.append(polygon(shelf.pose, shelf.width, shelf.depth, 'class="shelf"'))
    for station in site.stations:
        parts.append(polygon(station.pose, station.width, station.depth, 'class="station"'))
    for x, y, yaw, depth, width in mission["obstacles"]:
        front = [x + 0.5 * depth * np.cos(yaw), y + 0.5 * depth * np.sin(yaw), yaw]
        parts.append(polygon(front, width, depth, 'class="obstacle"'))
    order = mission["order"]
    for name in (*site.bins, *(station.name for station in site.stations)):
        face = site.face(name)
        x, y = pixel(*(face[:2, 3] - 0.2 * face[:2, 0]))
        chosen = name in (order["from_bin"], order["to_station"])
        parts.append(_text(x, y + 4, name, "name chosen" if chosen else "name"))

    for kind in ("true", "estimated"):
        path = mission["path"][kind]
        if path:
            points = [pixel(row[1], row[2]) for row in path]
            parts.append(f'<polyline points="{_points(points)}" class="{kind}"/>')
            if kind == "true":
                for x, y in (points[0], points[-1]):
                    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="end"/>')
    for entry in mission["decisions"]:
        row = _nearest(mission["path"]["true"], entry["ended"])
        if row is not None:
            x, y = pixel(row[1], row[2])
            colour = SKILL_COLOURS.get(entry["skill"], OTHER_COLOUR)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{colour}"/>')
            parts.append(_text(x, y + 4, str(entry["index"] + 1), "number"))
    parts.append("</svg>")
    return "\n".join(parts)


def draw_timeline(mission: dict[str, Any]) -> str:
    """One bar per decision over simulated time; a hatched one did not work."""
    decisions = [entry for entry in mission["decisions"] if entry["ended"] is not None]
    if not decisions:
        return "<p>No skill ran.</p>"
    row, left, right = 26, 170, 60  # px
    begin = min(entry["started"] for entry in decisions)
    end = max(entry["ended"] for entry in decisions)
    scale = (_WIDTH - left - right) / max(end - begin, 1e-6)  # px/s
    height = row * len(decisions) + 24
    parts = [_svg_begin(_WIDTH, height, "timeline of the skills")]
    parts.append(
        '<defs><pattern id="failed" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="3" height="6" fill="#000" '
        'fill-opacity="0.35"/></pattern></defs>'
    )
    for k, entry in enumerate(decisions):
        x = left + scale * (entry["started"] - begin)
        width = max(2.0, scale * (entry["ended"] - entry["started"]))
        y = k * row
        colour = SKILL_COLOURS.get(entry["skill"], OTHER_COLOUR)
        label = f"{entry['index'] + 1}. {entry['skill']} {entry['target']}"
        parts.append(_text(left - 8, y + 17, label, "label"))
        bar = f'x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="{row - 8}"'
        parts.append(f'<rect {bar} fill="{colour}"/>')
        if entry["outcome"] != "SUCCEEDED" or not entry["confirmed"]:
            parts.append(f'<rect {bar} fill="url(#failed)"/>')
        seconds = entry["ended"] - entry["started"]
        parts.append(_text(x + width + 5, y + 17, f"{seconds:.1f} s", "seconds"))
    axis = height - 20
    parts.append(f'<line x1="{left}" x2="{_WIDTH - right}" y1="{axis}" y2="{axis}" class="axis"/>')
    step = _tick_step(end - begin)
    for tick in np.arange(0, end - begin + 1e-6, step):
        x = left + scale * tick
        parts.append(_text(x, height - 4, f"{tick:.0f} s", "tick"))
    parts.append("</svg>")
    return "\n".join(parts)


def _tick_step(span: float) -> float:
    """Distance in s between two labels of the axis, at most ten of them."""
    return next((step for step in (5, 10, 20, 30, 60, 120, 300) if span / step <= 10), 600)


def _nearest(path: list, time: float | None):
    """The row of a path nearest to a time [s]."""
    if not path or time is None:
        return None
    return min(path, key=lambda row: abs(row[0] - time))


def _svg_begin(width: float, height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
    )


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(text)}</text>'
