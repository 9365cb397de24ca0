"""index.html: one evaluation on one page, beside its plots and videos."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from hrl_training.evaluation.plots import by_policy
from hrl_training.evaluation.table import (
    COMPARISON_HEAD,
    MEASURE_HEAD,
    comparison_rows,
    figure_rows,
    measure_rows,
    senses,
)

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; margin-bottom: 0.2em; } h2 { font-size: 1.15em; margin: 1.8em 0 0.5em; }
code { background: #f4f4f4; padding: 1px 4px; }
.tables { display: flex; flex-wrap: wrap; gap: 2.5em; align-items: flex-start; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 3px 14px 3px 0;
         border-bottom: 1px solid #e3e3e3; }
th { font-weight: 600; } .number { text-align: right; white-space: nowrap; }
td:not(:last-child) { white-space: nowrap; } td.name { white-space: pre; }
.plots { display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-start; }
.plots img { max-width: 100%; } .half { width: 49%; } .full { width: 100%; }
figure { display: inline-block; margin: 0 10px 14px 0; width: 340px; vertical-align: top; }
figure video { width: 100%; } figcaption { font-size: 0.85em; color: #444; }
small { color: #666; }
"""
_WIDE = ("ranges.png", "measures.png")


def write_page(
    path: Path, result: dict[str, Any], plots: list[Path], videos: dict[int, Path]
) -> None:
    """Write the page; videos: seed -> file. Files lie beside the page or below it."""
    summary = result["summary"]
    rate, (low, high) = 100 * (summary["success_rate"] or 0), summary["interval"]
    title = f"{summary['skill']}: {rate:.1f} % of {summary['trials']} trials succeeded"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)} <small>({100 * low:.1f} to {100 * high:.1f} %)</small></h1>",
        f"<p><code>{escape(summary['command'])}</code>, {senses(summary)}, tasks of "
        f"{escape(summary['tasks']['file'])} ({summary['tasks']['sha256'][:12]})"
        + (" &ndash; interrupted" if summary["interrupted"] else "")
        + "</p>",
        "<div class='tables'>",
        *(
            _table(["figure", policy, "95 % interval"], figure_rows(figures))
            for policy, (figures, _) in by_policy(result).items()
        ),
        "</div>",
    ]
    for policy, (figures, _) in by_policy(result).items():
        if measures := measure_rows(figures):
            parts += [f"<h2>Measured in the trials, {escape(policy)}</h2>"]
            parts += [_table(("measure", *MEASURE_HEAD), measures)]
    if "comparison" in summary:
        parts += ["<h2>Learned against script, on the same seeds</h2>"]
        parts += [_table(COMPARISON_HEAD, comparison_rows(summary["comparison"]))]
        parts += ["<p><small>Difference: learned minus script. Time ratio: learned over script, "]
        parts += ["medians of the seeds on which both succeeded. 95 % intervals.</small></p>"]
    if "hard" in summary:
        signs = {1: "high", -1: "low"}
        factors = [f"{signs[s]} {escape(name)}" for name, s in summary["hard"]["factors"].items()]
        parts.append(
            f"<p><small>The hard half: trials whose mean rank of {', '.join(factors)} is above "
            "the median.</small></p>"
        )
    if "experiments" in summary:
        rows = [
            (name, f"{figure['value']:.4f}", str(figure["trials"]))
            for name, figure in summary["experiments"].items()
        ]
        parts += ["<h2>Fixed experiments</h2>", _table(["figure", "value", "n"], rows)]
    parts.append("<h2>Plots</h2><div class='plots'>")
    for plot in plots:
        width = "full" if plot.name in _WIDE else "half"
        parts.append(f"<img class='{width}' src='{escape(plot.name)}' alt='{escape(plot.stem)}'>")
    parts.append("</div>")
    if videos:
        parts.append("<h2>Failures, filmed</h2>")
        parts += [_video(path.parent, video) for _, video in sorted(videos.items())]
    for policy, (_, rows) in by_policy(result).items():
        parts += _failures(policy, rows)
    parts.append("</body></html>\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def _failures(policy: str, rows: list[dict[str, Any]]) -> list[str]:
    failures = [row for row in rows if not row["success"]]
    if not failures:
        return []
    cells = [
        (
            str(row["seed"]),
            row["label"],
            f"{row['duration']:.1f} s",
            "; ".join([row["detail"], *row["touched"]]).strip("; "),
        )
        for row in failures
    ]
    return [
        f"<h2>Failures, {escape(policy)}</h2>",
        _table(["seed", "label", "after", "what happened, what was touched"], cells),
    ]


def _table(head: Sequence[str], rows: list[tuple[str, ...]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        inner = "".join(
            f"<{tag} class='{'name' if k == 0 else ''}'>{escape(cell)}</{tag}>"
            for k, cell in enumerate(cells)
        )
        return f"<tr>{inner}</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"


def _video(folder: Path, video: Path) -> str:
    source = escape(str(video.relative_to(folder)))
    return (
        f'<figure><video controls muted src="{source}"></video>'
        f"<figcaption>{escape(video.stem.replace('_', ' '))}</figcaption></figure>"
    )
