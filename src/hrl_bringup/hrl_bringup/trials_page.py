"""index.html of `./hrl trials`: tables and plots of one or several policies on the same seeds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from hrl_bringup.trials_report import comparison_lines, figure_rows
from hrl_training.mission_rows import ENDS, MissionRow
from hrl_training.mission_summary import NOMINAL

COLOURS = {  # of how missions end; told apart by people who do not see red and green, too
    "delivered": "#0072b2",
    "handed over rightly": "#56b4e9",
    "handed over needlessly": "#e69f00",
    "failed": "#d55e00",
}
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin: 1.8em 0 0.5em; }
code { background: #f4f4f4; padding: 1px 4px; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: 3px 14px 3px 0;
         border-bottom: 1px solid #e3e3e3; }
td:first-child { white-space: pre; } img { max-width: 100%; }
"""


def write_page(
    folder: Path, result: dict[str, Any], rows: Mapping[str, Sequence[MissionRow]]
) -> Path:
    """Write index.html and its plots into a folder; rows: policy -> rows."""
    rows = {policy: each for policy, each in rows.items() if each}
    draw_ends(folder / "ends.png", rows)
    draw_times(folder / "times.png", rows)
    summary = result["summary"]
    others = result.get("others", {})
    worlds = ", ".join(Path(world).stem for world in summary["worlds"])
    title = f"{summary['missions']} missions in {worlds}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><p><code>{escape(summary['command'])}</code>"
        + (" &ndash; interrupted" if summary["interrupted"] else "")
        + "</p>",
    ]
    for each in (summary, *(other["summary"] for other in others.values())):
        if each["missions"]:
            parts += [f"<h2>{escape(each['policy'])}</h2>", _table(figure_rows(each))]
    for name, other in others.items():
        lines = comparison_lines(summary["policy"], name, other["comparison"])
        parts += [f"<p>{escape(line)}</p>" for line in lines]
    parts += [
        "<h2>How the missions ended, by disturbance</h2><img src='ends.png' alt='ends'>",
        "<p><small>A mission with several disturbances counts for each of them.</small></p>",
        "<h2>Time to resolution</h2><img src='times.png' alt='times'>",
    ]
    for policy, each in rows.items():
        failures = [row for row in each if not row.success]
        if failures:
            parts += [f"<h2>Failures of {escape(policy)}</h2>", _failures(failures)]
    parts.append("</body></html>\n")
    page = folder / "index.html"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def draw_ends(path: Path, rows: Mapping[str, Sequence[MissionRow]]) -> None:
    """Bars of how missions ended: one per policy within each kind of disturbance."""
    kinds = sorted({kind for each in rows.values() for row in each for kind in row.disturbances})
    groups = [kind for kind in (NOMINAL, *kinds) if any(map(len, _of(rows, kind).values()))]
    bars = [(kind, policy) for kind in groups for policy in rows]
    figure, axes = plt.subplots(figsize=(10, 1.2 + 0.34 * len(bars)), layout="constrained")
    for k, (kind, policy) in enumerate(bars):
        chosen = _of(rows, kind)[policy]
        ends, left = Counter(row.end for row in chosen), 0.0
        for end in ENDS:
            width = 100 * ends[end] / max(len(chosen), 1)
            axes.barh(k, width, left=left, color=COLOURS[end], height=0.72)
            left += width
        axes.text(101, k, f"n = {len(chosen)}", va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), [f"{kind}, {policy}" for kind, policy in bars], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 109)
    axes.set_xlabel("missions (%)")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[end]) for end in ENDS]
    figure.legend(handles, ENDS, loc="outside upper center", ncols=len(ENDS), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_times(path: Path, rows: Mapping[str, Sequence[MissionRow]]) -> None:
    """Share of all missions that had succeeded by a time, for every policy."""
    figure, axes = plt.subplots(figsize=(10, 4), layout="constrained")
    for colour, (policy, each) in zip(LINES * len(rows), rows.items(), strict=False):
        times = np.sort([row.resolved_after_s for row in each if row.success])
        shares = 100 * np.arange(len(times) + 1) / len(each)
        axes.step([0, *times], shares, where="post", color=colour, label=policy)
    axes.set_xlabel("time since the order (s, simulated)")
    axes.set_ylabel("missions that had succeeded (%)")
    axes.set_ylim(0, 102)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


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


def _failures(rows: list[MissionRow]) -> str:
    cells = [
        (
            f"{Path(row.world).stem} {row.seed}",
            ", ".join(row.disturbances) or NOMINAL,
            row.cause,
            f"{row.resolved_after_s:.0f} s",
            f"{row.sentence}; {row.mission_detail}",
        )
        for row in rows
    ]
    return _table(cells, ("world, seed", "disturbances", "cause", "after", "what happened"))


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    lines = [line("th", head)] if head else []
    return f"<table>{''.join([*lines, *(line('td', row) for row in rows)])}</table>"
