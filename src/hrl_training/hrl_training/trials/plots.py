"""Pictures of an evaluation: where it breaks, why, how sure it was of itself, how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hrl_core.pages.page import PLOT_STYLE
from hrl_training.trials.row import LABELS
from hrl_training.trials.statistics import wilson_interval
from hrl_training.trials.summary import SQUARE, WEIGHT, Summary
from hrl_training.trials.table import named

COLOURS = {"learned": "#2a6fbb", "script": "#e08214"}
GREY = "#777777"
COLUMNS = 4
PANEL = (2.7, 2.1)  # inches
WIDTH = COLUMNS * PANEL[0]

# Policy -> its summary and rows (as dictionaries).
Measured = dict[str, tuple[Summary, list[dict[str, Any]]]]


def draw_plots(result: dict[str, Any], folder: Path) -> list[Path]:
    """Draw what the result of an evaluation has data for; returns the files."""
    measured = by_policy(result)
    pages = {
        "ranges.png": lambda: _draw_ranges(measured),
        "labels.png": lambda: _draw_labels(measured),
        "reliability.png": lambda: _draw_reliability(measured),
        "times.png": lambda: _draw_times(measured),
        "measures.png": lambda: _draw_measures(measured),
    }
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, draw in pages.items():
        path = folder / name
        path.unlink(missing_ok=True)
        with matplotlib.rc_context(fname=PLOT_STYLE):
            figure = draw()
            if figure is not None:
                figure.savefig(path)
                drawn.append(path)
    return drawn


def by_policy(result: dict[str, Any]) -> Measured:
    """Summary and rows of each policy that was run."""
    summary = result["summary"]
    measured = {summary["label"]: (summary, result["rows"])}
    if "script" in summary:
        measured["script"] = (summary["script"], result["script_rows"])
    return measured


def _draw_ranges(measured: Measured) -> Figure | None:
    """Success over every factor that varies, in bins, with 95 % intervals."""
    first = next(iter(measured.values()))[0]
    names = [name for name, bins in first["ranges"].items() if len(bins) > 1]
    if not names:
        return None
    hard = first.get("hard", {}).get("factors", {})
    names.sort(key=lambda name: (name not in hard, name))
    lowest = min(
        each["interval"][0]
        for summary, _ in measured.values()
        for name in names
        for each in summary["ranges"].get(name, [])
    )
    with _panels(len(names)) as (figure, axes):
        for name, axis in zip(names, axes, strict=False):
            for k, (policy, (summary, _)) in enumerate(measured.items()):
                if name in summary["ranges"]:
                    _draw_bins(axis, summary["ranges"][name], policy, k - (len(measured) - 1) / 2)
                rate = 100 * (summary["success_rate"] or 0)
                axis.axhline(rate, color=COLOURS[policy], lw=0.8, ls=":")
            sign = {1: ", harder \N{RIGHTWARDS ARROW}", -1: ", harder \N{LEFTWARDS ARROW}"}.get(
                hard.get(name)
            )
            axis.set_title(name + (sign or ""))
            axis.set_ylim(max(-3.0, 100 * lowest - 4), 103)
        axes[0].set_ylabel("success, %")
        _legend(figure, measured)
    return figure


def _draw_bins(axis: Axes, bins: list[dict[str, Any]], policy: str, shift: float) -> None:
    filled = [each for each in bins if each["trials"]]
    rates = 100 * np.array([each["success_rate"] for each in filled])
    low, high = 100 * np.array([each["interval"] for each in filled]).T
    if all(each.get("low") == each.get("high") for each in filled):  # a few values, or names
        names = [each["value"] if "value" in each else f"{each['low']:g}" for each in filled]
        places = np.arange(len(filled)) + 0.12 * shift
        axis.set_xticks(range(len(filled)), names)
        axis.set_xlim(-0.6, len(filled) - 0.4)
        line = "none"
    else:
        centres = np.array([(each["low"] + each["high"]) / 2 for each in filled])
        places = centres + 0.012 * shift * np.ptp(centres)
        line = "-"
    errors = [np.maximum(rates - low, 0), np.maximum(high - rates, 0)]
    axis.errorbar(
        places, rates, errors, fmt="o", ms=4, lw=1.2, ls=line, capsize=2, color=COLOURS[policy]
    )


def _draw_labels(measured: Measured) -> Figure | None:
    """How many trials failed in which way."""
    names = [
        label
        for label in reversed(LABELS)
        if label != "ok" and any(label in summary["labels"] for summary, _ in measured.values())
    ]
    figure = Figure(figsize=(WIDTH / 2, 1.0 + 0.34 * max(2, len(names) * len(measured))))
    axis = figure.subplots()
    axis.set_title("failures, share of the trials with 95 % interval")
    if not names:
        axis.text(0.5, 0.5, "no trial failed", ha="center", va="center", color=GREY)
        axis.set_axis_off()
        return figure
    height = 0.8 / len(measured)
    for k, (policy, (summary, _)) in enumerate(measured.items()):
        trials = summary["trials"]
        counts = np.array([summary["labels"].get(name, 0) for name in names])
        places = np.arange(len(names)) - (k - (len(measured) - 1) / 2) * height
        intervals = np.array([wilson_interval(int(count), trials) for count in counts])
        shares = counts / trials
        errors = 100 * np.abs(intervals.T - shares)
        axis.barh(places, 100 * shares, height * 0.9, color=COLOURS[policy], alpha=0.85)
        axis.errorbar(100 * shares, places, xerr=errors, fmt="none", ecolor="#444", lw=1, capsize=2)
        for place, count, (_, high) in zip(places, counts, intervals, strict=True):
            axis.annotate(
                str(count), (100 * high, place), (4, 0), textcoords="offset points", va="center"
            )
    axis.set_yticks(range(len(names)), names)
    axis.grid(axis="y", visible=False)
    axis.set_xlim(left=0)
    axis.margins(x=0.12)
    axis.set_xlabel("% of the trials")
    _legend(figure, measured)
    return figure


def _draw_reliability(measured: Measured) -> Figure | None:
    """Chances as the skill gave them before it started, and what came of them."""
    promised = {name: pair for name, pair in measured.items() if "reliability" in pair[0]}
    if not promised:
        return None
    figure = Figure(figsize=(WIDTH / 2, 4.2))
    axis, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axis.plot([0, 100], [0, 100], color=GREY, lw=1, ls="--")
    for policy, (summary, rows) in promised.items():
        bins = summary["reliability"]
        chance = 100 * np.array([each["chance"] for each in bins])
        rate = 100 * np.array([each["success_rate"] for each in bins])
        limits = [
            wilson_interval(round(each["success_rate"] * each["trials"]), each["trials"])
            for each in bins
        ]
        errors = np.abs(100 * np.array(limits).T - rate)
        axis.errorbar(
            chance,
            rate,
            errors,
            fmt="o-",
            ms=5,
            lw=1.2,
            capsize=2,
            color=COLOURS[policy],
            label=f"{policy}: expected calibration error {summary['ece']:.3f}",
        )
        given = [100 * row["chance"] for row in rows if row["chance"] is not None]
        counts.hist(given, bins=20, range=(0, 100), color=COLOURS[policy], alpha=0.7)
    axis.set_title("chances given before the start, and what came of them")
    axis.legend(loc="upper left")
    axis.set_ylabel("succeeded, %")
    axis.set_ylim(-3, 103)
    counts.set_ylabel("trials")
    counts.set_xlabel("chance given, %")
    return figure


def _draw_times(measured: Measured) -> Figure | None:
    """How long trials took that succeeded, and those that did not."""
    times = {
        (policy, success): [row["duration"] for row in rows if row["success"] is success]
        for policy, (_, rows) in measured.items()
        for success in (True, False)
    }
    longest = max((max(values) for values in times.values() if values), default=0)
    figure = Figure(figsize=(WIDTH / 2, 2.6))
    axis = figure.subplots()
    for (policy, success), values in times.items():
        if values:
            axis.hist(
                values,
                bins=30,
                range=(0, longest * 1.02),
                histtype="stepfilled" if success else "step",
                alpha=0.5 if success else 1.0,
                ls="-" if success else "--",
                lw=1.3,
                color=COLOURS[policy],
                label=f"{policy}, {'succeeded' if success else 'failed'}",
            )
        if values and success:
            axis.axvline(float(np.median(values)), color=COLOURS[policy], lw=1.2)
    axis.set_title("time of a trial (line: median of those that succeeded)")
    axis.set_xlabel("s")
    axis.set_ylabel("trials")
    axis.legend()
    return figure


def _draw_measures(measured: Measured) -> Figure | None:
    """Errors, forces, ratios of the trials: the share of trials below each value."""
    names = sorted(
        {name for _, rows in measured.values() for row in rows for name in row["measures"]}
    )
    found = {
        name: {
            policy: [
                row["measures"][name]
                for row in rows
                if row["measures"].get(name) is not None and np.isfinite(row["measures"][name])
            ]
            for policy, (_, rows) in measured.items()
        }
        for name in names
        if name != WEIGHT
    }
    found = {name: values for name, values in found.items() if any(map(len, values.values()))}
    if not found:
        return None
    with _panels(len(found)) as (figure, axes):
        for (name, values), axis in zip(found.items(), axes, strict=False):
            for policy, numbers in values.items():
                if numbers:
                    if name.endswith(SQUARE):
                        numbers = np.sqrt(numbers)
                    axis.ecdf(numbers, color=COLOURS[policy], lw=1.4)
            square = name.endswith(SQUARE)
            axis.set_title(named(name.removesuffix(SQUARE)) + (", RMS" * square))
        axes[0].set_ylabel("share of the trials below")
        _legend(figure, measured)
    return figure


@contextmanager
def _panels(count: int) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with so many panels of one size, COLUMNS in a row."""
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(columns * PANEL[0] if count >= COLUMNS else WIDTH, rows * PANEL[1]))
    axes = list(np.ravel(np.array(figure.subplots(rows, columns))))
    yield figure, axes
    for axis in axes[count:]:
        axis.set_axis_off()


def _legend(figure: Figure, measured: Measured) -> None:
    if len(measured) > 1:
        handles = [
            Line2D([], [], color=COLOURS[policy], marker="o", ms=4, label=policy)
            for policy in measured
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=len(measured))
