"""Tables, paired tests and plots of `./hrl bench mlsh`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from hrl_core.pages.page import PLOT_STYLE
from hrl_training.mlsh.arms import PER_UPDATE, SCRATCH
from hrl_training.mlsh.measures import Interval, paired, splits_differ

SHOWN = (0, 1, 3, 5, 10)  # updates
EPISODES = ((1, 1), (2, 3), (4, 6), (10, 10), (20, 20), (40, 40))  # first and last
SMOOTH = 3  # episodes that a plotted point is a mean of
RIVALS = ("mlsh", SCRATCH)

Results = Sequence[dict[str, Any]]


def write_report(results: Results, family: str, out: Path, console: Console) -> None:
    """Print the tables of a family and draw its plot into the folder."""
    trained = [each for each in results if not each["master"]]
    compared = [each for each in results if each["master"]]
    if trained:
        console.print(arm_table(trained, family))
        for sentence in comparisons(trained):
            console.print(sentence)
    for options in dict.fromkeys(each["name"] for each in compared):
        on_these = [each for each in compared if each["name"] == options]
        console.print(master_table(on_these, f"{family}: masters on options {options}"))
    if results:
        draw(trained, compared, family, out / f"{family}.png")
        console.print(f"wrote {out / f'{family}.png'}")


def _after(result: dict[str, Any], update: int) -> np.ndarray:
    """Mean return (s,) of the episodes that follow an update."""
    batch = PER_UPDATE["paper"]
    returns = np.array(result["returns"])
    return returns[:, update * batch : (update + 1) * batch].mean(1)


def _split(result: dict[str, Any]) -> tuple[int, int]:
    return result["collapsed"].count(False), len(result["collapsed"])


def arm_table(results: Results, family: str) -> Table:
    """Return on unseen tasks by updates of a fresh master, means and 95 % t intervals."""
    title = f"{family}: return on unseen tasks after k updates of {PER_UPDATE['paper']} episodes"
    table = Table(title=title, box=None, header_style="bold")
    for column in ("arm", "steps", "split", "worst kind", *(f"k={k}" for k in SHOWN), "CPU"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for each in results:
        told = ["", "", ""]
        if "forced" in each:
            split, every = _split(each)
            forced = np.array(each["forced"])
            told[0] = f"{each['steps'] / 1e6:.2f}M"
            if forced.shape[1] > 1:
                worst = Interval.of(forced.max(1).min(1))
                told[1:] = [f"{split}/{every}", str(worst)]
        returns = [str(Interval.of(_after(each, k))) for k in SHOWN]
        table.add_row(each["name"], *told, *returns, f"{each['cpu_s']:.0f} s")
    return table


def comparisons(results: Results) -> list[str]:
    """Each arm against its rivals at the last update, paired by seed; splits by Fisher's test."""
    by_name = {each["name"]: each for each in results}
    found = []
    for name, each in by_name.items():
        for rival in RIVALS:
            if rival == name or rival not in by_name:
                continue
            difference, p = paired(_after(each, SHOWN[-1]), _after(by_name[rival], SHOWN[-1]))
            words = f"{name} minus {rival}, k={SHOWN[-1]}: {difference}, p = {p:.2g}"
            if all("collapsed" in one for one in (each, by_name[rival])):
                exact = splits_differ(_split(each), _split(by_name[rival]))
                words += f"; split: p = {exact:.2g}"
            found.append(words)
    return found


def master_table(results: Results, title: str) -> Table:
    """Return by episode on unseen tasks, for masters on the same frozen sub-policies."""
    table = Table(title=title, box=None)
    table.add_column("master")
    for first, last in EPISODES:
        table.add_column(f"ep {first}" + (f"-{last}" if last > first else ""), justify="right")
    table.add_column("last 10", justify="right")
    for each in results:
        returns = np.array(each["returns"])
        cells = [str(Interval.of(returns[:, a - 1 : b].mean(1))) for a, b in EPISODES]
        table.add_row(each["master"], *cells, str(Interval.of(returns[:, -10:].mean(1))))
    return table


def draw(trained: Results, compared: Results, family: str, file: Path) -> None:
    """Forced returns of every seed, adaptation by updates, adaptation of masters by episode."""
    with matplotlib.rc_context(fname=PLOT_STYLE):
        figure = Figure(figsize=(12, 3.6), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        many = matplotlib.colormaps["tab20"]  # there are more arms than usual colours
        colour = {each["name"]: many(k) for k, each in enumerate(trained)}
        with_options = [each for each in trained if np.shape(each.get("forced", []))[1:2] > (1,)]
        for k, each in enumerate(with_options):
            worst = np.array(each["forced"]).max(1).min(1)
            left.plot(
                k + np.linspace(-0.2, 0.2, len(worst)),
                worst,
                "o",
                markersize=4,
                color=colour[each["name"]],
            )
        names = [each["name"] for each in with_options]
        left.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize="x-small")
        left.set(title=f"{family}: worst kind, best option", ylim=(0, None))
        for each in trained:
            count = len(each["returns"][0]) // PER_UPDATE["paper"]
            after = [_after(each, k) for k in range(count)]
            _band(middle, range(count), after, each["name"], colour[each["name"]])
        middle.set(title="return on unseen tasks", xlabel="updates of 20 episodes")
        for each in compared:
            returns = np.array(each["returns"])
            smooth = np.lib.stride_tricks.sliding_window_view(returns, SMOOTH, axis=1).mean(-1)
            _band(
                right,
                range(1, smooth.shape[1] + 1),
                smooth.T,
                " ".join((each["name"], each["master"])),
            )
        right.set(title="masters on frozen options", xlabel="episode on the unseen task")
        for axes in (middle, right):
            if axes.lines:
                axes.legend(fontsize="xx-small")
        for axes in (left, middle, right):
            if not axes.lines:  # nothing of it was measured
                axes.remove()
        figure.savefig(file, dpi=110)


def _band(axes: Any, places: Sequence[int], values: Any, name: str, colour: Any = None) -> None:
    found = [Interval.of(np.asarray(each)) for each in values]
    mean, half = (np.array([getattr(each, part) for each in found]) for part in ("mean", "half"))
    (line,) = axes.plot(list(places), mean, label=name, color=colour)
    axes.fill_between(list(places), mean - half, mean + half, alpha=0.15, color=line.get_color())
