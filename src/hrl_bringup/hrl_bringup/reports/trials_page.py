"""index.html of `./hrl trials`: tables and plots of one or several policies on the same seeds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hrl_bringup.reports import colours
from hrl_bringup.reports.trials import comparison_lines
from hrl_core.pages.page import PLOT_STYLE, embedded, write_page
from hrl_training.missions.row import ENDS, MissionRow
from hrl_training.missions.summary import NOMINAL, figure_rows

TEMPLATE = Path(__file__).with_suffix(".html")
FAILURE_HEAD = ("world, seed", "disturbances", "cause", "after", "what happened")
COLOURS = {  # of how missions end
    "delivered": colours.DELIVERED,
    "handed over rightly": colours.HANDED_OVER_RIGHTLY,
    "handed over needlessly": colours.HANDED_OVER,
    "failed": colours.FAILED,
}
if set(COLOURS) != set(ENDS):
    raise KeyError(f"colours for {sorted(COLOURS)}, but missions end as {sorted(ENDS)}")
WIDTH = 10  # inches


def write_trials_page(
    folder: Path, result: dict[str, Any], rows: Mapping[str, Sequence[MissionRow]]
) -> Path:
    """Write index.html and its plots into a folder; rows: policy -> rows."""
    rows = {policy: each for policy, each in rows.items() if each}
    plots = {"ends": draw_ends(rows), "times": draw_times(rows)}
    files = {name: folder / f"{name}.png" for name in plots}
    for name, plot in plots.items():
        plot.savefig(files[name])
    summary = result["summary"]
    others = result.get("others", {})
    summaries = [summary, *(other["summary"] for other in others.values())]
    summaries = [each for each in summaries if each["missions"]]
    worlds = ", ".join(Path(world).stem for world in summary["worlds"])
    page = folder / "index.html"
    write_page(
        page,
        TEMPLATE,
        title=f"{summary['missions']} missions in {worlds}",
        summary=summary,
        policies=[each["policy"] for each in summaries],
        figures=_side_by_side([figure_rows(each) for each in summaries]),
        comparisons=[
            line
            for name, other in others.items()
            for line in comparison_lines(summary["policy"], name, other["comparison"])
        ],
        **{name: embedded(file.read_bytes(), "image/png") for name, file in files.items()},
        failure_head=FAILURE_HEAD,
        failures={policy: cells for policy, each in rows.items() if (cells := _failures(each))},
    )
    return page


@matplotlib.rc_context(fname=PLOT_STYLE)
def draw_ends(rows: Mapping[str, Sequence[MissionRow]]) -> Figure:
    """Bars of how missions ended: one per policy within each kind of disturbance."""
    kinds = sorted({kind for each in rows.values() for row in each for kind in row.disturbances})
    groups = [kind for kind in (NOMINAL, *kinds) if any(map(len, _of(rows, kind).values()))]
    bars = [(kind, policy) for kind in groups for policy in rows]
    figure = Figure(figsize=(WIDTH, 1.2 + 0.34 * len(bars)))
    axes = figure.subplots()
    for k, (kind, policy) in enumerate(bars):
        chosen = _of(rows, kind)[policy]
        ends, left = Counter(row.end for row in chosen), 0.0
        for end in ENDS:
            width = 100 * ends[end] / max(len(chosen), 1)
            axes.barh(k, width, left=left, color=COLOURS[end], height=0.72)
            left += width
        axes.text(101, k, f"n = {len(chosen)}", va="center", fontsize=8)
    names = [f"{kind.replace('_', ' ')}, {policy}" for kind, policy in bars]
    axes.set_yticks(range(len(bars)), names)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 109)
    axes.set_xlabel("missions (%)")
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    handles = [Patch(color=COLOURS[end], label=end) for end in ENDS]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(ENDS))
    return figure


@matplotlib.rc_context(fname=PLOT_STYLE)
def draw_times(rows: Mapping[str, Sequence[MissionRow]]) -> Figure:
    """Share of all missions that had succeeded by a time, for every policy."""
    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.subplots()
    for policy, each in rows.items():
        times = np.sort([row.resolved_after_s for row in each if row.success])
        shares = 100 * np.arange(len(times) + 1) / len(each)
        axes.step([0, *times], shares, where="post", label=policy)
    axes.set_xlabel("time since the order (s, simulated)")
    axes.set_ylabel("missions that had succeeded (%)")
    axes.set_ylim(0, 102)
    axes.set_xlim(left=0)
    axes.legend(loc="lower right")
    return figure


def _of(rows: Mapping[str, Sequence[MissionRow]], kind: str) -> dict[str, list[MissionRow]]:
    """Rows of every policy with a kind of disturbance, or of the nominal missions."""
    return {
        policy: [
            row
            for row in each
            if (not row.disturbances if kind == NOMINAL else kind in row.disturbances)
        ]
        for policy, each in rows.items()
    }


def _side_by_side(columns: list[list[tuple[str, str]]]) -> list[tuple[str, ...]]:
    """Rows of one table from the (name, value) of each policy; a name may have several values."""
    longest_first = sorted(columns, key=len, reverse=True)
    names = dict.fromkeys(name for column in longest_first for name, _ in column)
    return [
        (name, *("; ".join(v for n, v in column if n == name) or "-" for column in columns))
        for name in names
    ]


def _failures(rows: Sequence[MissionRow]) -> list[tuple[str, ...]]:
    """Cells of FAILURE_HEAD."""
    return [
        (
            f"{Path(row.world).stem} {row.seed}",
            ", ".join(row.disturbances) or NOMINAL,
            row.cause,
            f"{row.resolved_after_s:.0f} s",
            f"{row.sentence}; {row.mission_detail}",
        )
        for row in rows
        if not row.success
    ]
