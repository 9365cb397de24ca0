"""A picture of the behaviour tree at a decision: what held, what did not, what was not asked.

A selector is a column, read from the top down to the first that succeeds; a sequence is a row,
read from left to right as long as its members succeed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from py_trees.behaviour import Behaviour
from py_trees.common import Status
from py_trees.composites import Composite, Selector

from hrl_core.config import ConfigError

# Inches, as all lengths here.
WIDTH, HEIGHT = 2.95, 0.25  # of a column, of a box that tells nothing
LINE = 0.135  # what a line of what it tells adds
GAP, ROW_GAP, INDENT, MARGIN = 0.3, 0.07, 0.22, 0.25
HEAD = 0.5  # title and space below it
LEGEND = 0.5
CHARACTERS, MOST_LINES = 17, 4  # of what a box tells: per inch, at most
WIDE = 135  # characters of a sentence below the title
FORMATS = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Style:
    """Colours of a box and of the line that leads to it."""

    fill: str
    edge: str
    text: str
    width: float  # points
    layer: int  # what was asked covers what was not
    mark: str = ""


HELD = Style("#dff3e4", "#1a7f37", "#12351d", 2.0, 4, "\N{CHECK MARK} ")
CHOSEN = Style("#1a7f37", "#1a7f37", "#ffffff", 2.0, 4, "\N{CHECK MARK} ")
FAILED = Style("#fbf3f0", "#c58a78", "#55372e", 1.0, 3, "\N{MULTIPLICATION X} ")
UNASKED = Style("#ffffff", "#dcdcdc", "#a6a6a6", 0.8, 2)
PLAN = Style("#f2f5f9", "#7189a6", "#25313f", 1.0, 2)  # of all, before any decision
LEGENDS = ((CHOSEN, "chosen"), (HELD, "succeeded"), (FAILED, "failed"), (UNASKED, "not asked"))


@dataclass(frozen=True)
class Box:
    """A node and where its top left corner stands; y points down."""

    node: Behaviour
    x: float
    y: float
    width: float
    lines: tuple[str, ...]  # what it tells

    @property
    def height(self) -> float:
        return HEIGHT + LINE * len(self.lines) + (0.04 if self.lines else 0.0)

    @property
    def entry(self) -> float:
        """Where lines meet it: beside its name."""
        return self.y + 0.5 * HEIGHT


@dataclass(frozen=True)
class Line:
    """From one box to the next, as points; drawn in the style of the node that it leads to."""

    to: Behaviour
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Block:
    """A subtree: its boxes, of which the first is where it is entered, lines, and extent."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    right: float
    bottom: float


def draw_tree(root: Behaviour, title: str, sentences: Sequence[str], file: Path) -> None:
    """Draw a tree after a tick, or before any, with a title and sentences on the decision.

    Raises ConfigError where the file's name ends in no known format.
    """
    if file.suffix not in FORMATS:
        raise ConfigError(f"{file}: the name of a picture ends in one of {', '.join(FORMATS)}")
    block = lay_out(root, 0.0, 0.0, WIDTH)
    text = [line for sentence in sentences for line in textwrap.wrap(sentence, WIDE)]
    head = HEAD + 0.18 * len(text)
    width, height = block.right + 2 * MARGIN, head + block.bottom + LEGEND + 2 * MARGIN
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(-MARGIN, width - MARGIN), ylim=(height - MARGIN - head, -MARGIN - head))
    axes.set_axis_off()
    axes.text(0.0, 0.1 - head, title, fontsize=13, fontweight="bold", va="center")
    for k, line in enumerate(text):
        axes.text(0.0, 0.38 + 0.18 * k - head, line, fontsize=9.5, va="center", color="#333333")
    ticked = root.status is not Status.INVALID
    chosen = root.tip() if root.status is Status.SUCCESS else None
    for line in block.lines:
        style = _style(line.to, chosen, ticked)
        x, y = zip(*line.points, strict=True)
        axes.plot(x, y, color=style.edge, lw=style.width, zorder=style.layer - 1)
        axes.plot(x[-1] - 0.03, y[-1], ">", color=style.edge, ms=4.0, zorder=style.layer)
    for box in block.boxes:
        _draw_box(axes, box, _style(box.node, chosen, ticked))
    _draw_legend(axes, block.bottom + LEGEND, ticked)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)


def lay_out(node: Behaviour, x: float, y: float, width: float) -> Block:
    """Where a subtree's boxes stand; `width`: of the first column, all others have WIDTH."""
    if isinstance(node, Selector):
        return _column(node, x, y, width)
    if isinstance(node, Composite):
        return _row(node, x, y, width)
    told = "" if node.status is Status.INVALID else node.feedback_message
    characters = int(CHARACTERS * width)
    lines = textwrap.wrap(told, characters, max_lines=MOST_LINES, placeholder=" ...")
    box = Box(node, x, y, width, tuple(lines))
    return Block((box,), (), x + width, y + box.height)


def _column(node: Selector, x: float, y: float, width: float) -> Block:
    """Below its name the children; the line along their left is the way down past what fails."""
    boxes, lines = [Box(node, x, y, width, ())], []
    spine, top = x + 0.5 * INDENT, y + HEIGHT
    right, bottom = x + width, y + HEIGHT
    for child in node.children:
        block = lay_out(child, x + INDENT, bottom + ROW_GAP, width - INDENT)
        entry = block.boxes[0].entry
        lines += [Line(child, ((spine, top), (spine, entry), (x + INDENT, entry)))]
        boxes += block.boxes
        lines += block.lines
        right, bottom = max(right, block.right), block.bottom
    return Block(tuple(boxes), tuple(lines), right, bottom)


def _row(node: Composite, x: float, y: float, width: float) -> Block:
    boxes, lines, right, bottom = [], [], x, y
    for child in node.children:
        block = lay_out(child, x, y, width)
        if boxes:
            entry = block.boxes[0].entry
            lines += [Line(child, ((right, entry), (x, entry)))]
        boxes += block.boxes
        lines += block.lines
        right, bottom = block.right, max(bottom, block.bottom)
        x, width = right + GAP, WIDTH
    return Block(tuple(boxes), tuple(lines), right, bottom)


def _style(node: Behaviour, chosen: Behaviour | None, ticked: bool) -> Style:
    if not ticked:
        return PLAN
    if node is chosen:
        return CHOSEN
    return {Status.SUCCESS: HELD, Status.FAILURE: FAILED}.get(node.status, UNASKED)


def _draw_box(axes: Axes, box: Box, style: Style) -> None:
    rounding = 0.11 if box.node.name.endswith("?") else 0.025  # conditions are round
    shape = FancyBboxPatch(
        (box.x + rounding, box.y + rounding),
        box.width - 2 * rounding,
        box.height - 2 * rounding,
        boxstyle=f"round,pad={rounding},rounding_size={rounding}",
        fc=style.fill,
        ec=style.edge,
        lw=style.width,
        ls="--" if isinstance(box.node, Composite) else "-",
        zorder=style.layer,
    )
    axes.add_patch(shape)
    look = {"va": "center", "color": style.text, "zorder": style.layer + 1}
    name = f"{style.mark}{box.node.name}"
    axes.text(box.x + 0.09, box.entry, name, fontsize=9, fontweight="bold", **look)
    for k, line in enumerate(box.lines):
        y = box.y + HEIGHT + LINE * (k + 0.4)
        axes.text(box.x + 0.09, y, line, fontsize=7.5, **look)


def _draw_legend(axes: Axes, y: float, ticked: bool) -> None:
    x = 0.0
    for style, word in LEGENDS if ticked else ():
        axes.plot(x + 0.08, y, "s", ms=9, mfc=style.fill, mec=style.edge, mew=style.width)
        axes.text(x + 0.22, y, word, fontsize=9, va="center", color="#333333")
        x += 1.2
    shapes = "round: asks;  square: chooses;  dashed: the first below it that succeeds"
    axes.text(x, y, shapes, fontsize=9, va="center", color="#333333")
