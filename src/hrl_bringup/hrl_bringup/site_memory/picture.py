"""What a master has learned of its site, on the map."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from hrl_bringup.site_memory.learned import ItemFacts, WayFacts
from hrl_core.site import Site
from hrl_sim_bridge.picture import INK, NOTE_TEXT, TROUBLE, sheet

COLOURS = [
    "#d1495b", "#edae49", "#00798c", "#7a5195", "#66a182", "#bc5090", "#2e4057", "#ff764a",
    "#8d96a3", "#56b4e9", "#a1682a", "#b5bd00", "#e377c2", "#3f7d20",
]  # fmt: skip
AREA = 260.0  # points squared, of a circle of the item that was found most often
OFTEN = 0.2  # share of the orders that saw a way blocked, from which on it is drawn
AWAY = 0.28  # m between two circles before a bin


def draw_learned(
    site: Site, items: Sequence[ItemFacts], ways: Sequence[WayFacts], path: Path
) -> None:
    """Circles before bins: how often each item was found there; arrows from its home to where it
    was found instead; red: ways that looked blocked, and how often."""
    figure, axes, share = sheet(site)
    colours = {facts.item: COLOURS[k % len(COLOURS)] for k, facts in enumerate(items)}
    most = max((max(facts.found.values(), default=0) for facts in items), default=1) or 1
    stacked: Counter[str] = Counter()
    for k, facts in enumerate(items):
        colour = colours[facts.item]
        for name, count in sorted(facts.found.items(), key=lambda each: each[0] != facts.home):
            if name not in site.bins:
                continue
            place = _before(site, name, stacked[name])
            stacked[name] += 1
            x, y = place
            axes.scatter(x, y, s=AREA * count / most + 25, color=colour, ec=INK, lw=0.6, zorder=6.6)
            axes.text(x, y, str(count), fontsize=6, ha="center", va="center", zorder=6.7)
            if name != facts.home and facts.home in site.bins:
                _arrow(axes, site, facts, name, count, colour, k)
    for each in (each for each in ways if each.blocked >= OFTEN * each.seen):
        ends = np.array([_place(site, name) for name in each.way])
        axes.plot(*ends.T, color=TROUBLE, lw=1 + 5 * each.blocked / each.seen, zorder=2)
        text = f"blocked {each.blocked} of {each.seen}"
        x, y = ends.mean(axis=0)
        axes.text(x, y, text, fontsize=6.5, color=TROUBLE, zorder=7)
    figure.text(
        0.03, share - 0.005, f"{site.name}: what was learned", va="top", fontsize=11,
        fontweight="bold", color=INK,
    )  # fmt: skip
    lines = ["circle: found there so often; arrow: from its home to where it was instead"]
    if not items:
        lines = ["nothing is remembered"]
    figure.text(0.03, share * 0.78, "\n".join(lines), va="top", fontsize=NOTE_TEXT, color=INK)
    handles = [
        Line2D([], [], marker="o", ls="", color=colours[facts.item], label=_label(facts))
        for facts in items
    ]
    if handles:
        figure.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(0.02, 0.66 * share),
            ncols=4, fontsize=7.5, frameon=False,
        )  # fmt: skip
    figure.savefig(path)


def _label(facts: ItemFacts) -> str:
    vain = f", not found {facts.not_found}" if facts.not_found else ""
    return f"{facts.item}: home {facts.home}, {facts.orders} orders{vain}"


def _before(site: Site, name: str, number: int) -> np.ndarray:
    """Where (2,) m the n-th circle of a bin goes: in front of it."""
    face = site.faces[name]
    return face[:2, 3] + (0.2 + AWAY * number) * face[:2, 0]


def _arrow(
    axes: Axes, site: Site, facts: ItemFacts, name: str, count: int, colour: str, k: int
) -> None:
    start, end = (_before(site, face, 0) for face in (facts.home, name))
    style = {"arrowstyle": "-|>", "color": colour, "lw": 0.6 + 5 * count / facts.orders}
    bend = {"connectionstyle": f"arc3,rad={0.2 if k % 2 else -0.2}", "alpha": 0.6}
    axes.annotate("", tuple(end), xytext=tuple(start), arrowprops={**style, **bend}, zorder=6.5)


def _place(site: Site, node: str) -> np.ndarray:
    """Where (2,) m in map a node of the graph is."""
    if node in site.waypoints:
        return np.array(site.waypoints[node].pose[:2])
    return np.asarray(site.pose_in_front(node, site.staging)[:2])
