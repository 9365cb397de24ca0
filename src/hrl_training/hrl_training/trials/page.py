"""index.html: one evaluation on one page, with its plots; videos lie below it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hrl_core.pages.page import embedded, write_page
from hrl_training.trials.plots import by_policy
from hrl_training.trials.table import (
    COMPARISON_HEAD,
    MEASURE_HEAD,
    comparison_rows,
    figure_rows,
    interval_text,
    measure_rows,
    senses,
)

TEMPLATE = Path(__file__).with_suffix(".html")
FAILURE_HEAD = ("seed", "label", "after", "what happened, what was touched")
_SIZES = {"ranges": "wide", "measures": "wide", "reliability": "tall"}  # of plots


def write_evaluation_page(
    path: Path, result: dict[str, Any], plots: list[Path], videos: dict[int, Path]
) -> None:
    """Write the page; videos: seed -> file below the folder of the page."""
    summary = result["summary"]
    rate = 100 * (summary["success_rate"] or 0)
    measured = by_policy(result)
    write_page(
        path,
        TEMPLATE,
        title=f"{summary['skill']}: {rate:.1f} % of {summary['trials']} trials succeeded",
        interval=interval_text(summary["interval"]),
        summary=summary,
        senses=senses(summary),
        figures={policy: figure_rows(figures) for policy, (figures, _) in measured.items()},
        measure_head=("measure", *MEASURE_HEAD),
        measures={
            policy: rows
            for policy, (figures, _) in measured.items()
            if (rows := measure_rows(figures))
        },
        comparison_head=COMPARISON_HEAD,
        comparison=comparison_rows(summary.get("comparison", {})),
        hard=[
            f"{'high' if sign > 0 else 'low'} {name}"
            for name, sign in summary.get("hard", {}).get("factors", {}).items()
        ],
        experiments=[
            (name, f"{figure['value']:.4f}", str(figure["trials"]))
            for name, figure in summary.get("experiments", {}).items()
        ],
        plots=[
            (plot.stem, embedded(plot.read_bytes(), "image/png"), _SIZES.get(plot.stem, ""))
            for plot in plots
        ],
        videos=[
            (video.relative_to(path.parent).as_posix(), video.stem.replace("_", " "))
            for _, video in sorted(videos.items())
        ],
        failure_head=FAILURE_HEAD,
        failures={
            policy: cells for policy, (_, rows) in measured.items() if (cells := _failures(rows))
        },
    )


def _failures(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Cells of FAILURE_HEAD."""
    return [
        (
            str(row["seed"]),
            row["label"],
            f"{row['duration']:.1f} s",
            "; ".join([row["detail"], *row["touched"]]).strip("; "),
        )
        for row in rows
        if not row["success"]
    ]
