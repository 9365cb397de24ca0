"""The summary as tables for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from hrl_training.trials.summary import FORCE_LIMIT, Summary

MOST_FAILURES = 30  # lines
PARTS = {"easy": "easy half", "hard": "hard half", "open": "open", "cluttered": "cluttered"}
COMPARISON_HEAD = ("trials", "learned", "script", "difference", "time ratio")
MEASURE_HEAD = ("mean", "median", "95 %", "largest")
# The first part found in the name of a measure tells its unit.
UNITS = {
    "yaw": "rad",
    "wz": "rad/s",
    "vx": "m/s",
    "vy": "m/s",
    "speed": "m/s",
    "force": "N",
    "error": "m",
    "shift": "m",
    "clearance": "m",
    "distance": "m",
}


def show(result: dict[str, Any], console: Console) -> None:
    """Print what a JSON file of an evaluation holds."""
    summary = result["summary"]
    if not summary["trials"]:
        console.print("no trial ended")
        return
    title = f"{summary['skill']}: {summary['trials']} trials, {senses(summary)}"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("figure")
    table.add_column(summary["label"], justify="right")
    table.add_column("95 % interval", justify="right")
    for name, value, interval in figure_rows(summary):
        table.add_row(name, value, interval)
    console.print(table)
    if measures := measure_rows(summary):
        console.print(_right_aligned(None, ("measure", *MEASURE_HEAD), measures))
    if "comparison" in summary:
        _show_comparison(summary["comparison"], console)
    for metric, figure in summary.get("experiments", {}).items():
        console.print(f"{metric}: {figure['value']:.4f} (n = {figure['trials']})")
    _show_failures(result["rows"], console)


def figure_rows(summary: Summary) -> list[tuple[str, str, str]]:
    """Name, value and interval of every figure."""
    rows = [("success", counted(summary), interval_text(summary["interval"]))]
    for key, name in PARTS.items():
        if key in summary:
            part = summary[key]
            rows.append((f"  {name}", counted(part), interval_text(part["interval"])))
    for label, count in summary["labels"].items():
        if label != "ok":
            rows.append((f"  {label}", str(count), ""))
    for key, name in (("false_success", "succeeded"), ("false_failure", "failed")):
        share = summary[key]
        value = f"{share['count']} ({100 * share['share']:.1f} %)"
        rows.append((f'false "{name}"', value, interval_text(share["interval"])))
    median, p95 = summary["duration_median"], summary["duration_p95"]
    rows.append(("time, median / 95 %, s", f"{median:.2f} / {p95:.2f}", ""))
    for name, measure in summary["measures"].items():
        if "rms" in measure:
            rows.append((f"error of {named(name)}, RMS", f"{measure['rms']:.4f}", ""))
    if "force_over_60_n" in summary:
        rows.append((f"trials above {FORCE_LIMIT:.0f} N", str(summary["force_over_60_n"]), ""))
    if "ece" in summary:
        rows.append(("calibration error of the chances", f"{summary['ece']:.3f}", ""))
    return rows


def measure_rows(summary: Summary) -> list[tuple[str, ...]]:
    """Cells of what was measured in the trials: name, then MEASURE_HEAD."""
    return [
        (named(name), *(f"{measure[key]:.3g}" for key in ("mean", "median", "p95", "max")))
        for name, measure in summary["measures"].items()
        if "median" in measure
    ]


def senses(summary: Summary) -> str:
    """What the robot went by."""
    if summary["skill"] == "gait":
        return "by IMU and leg encoders"
    return "with cameras and LiDAR as the only eyes" if summary["vision"] else "with true poses"


def _show_comparison(comparison: dict[str, Any], console: Console) -> None:
    title = "learned against script, on the same seeds"
    console.print(_right_aligned(title, COMPARISON_HEAD, comparison_rows(comparison)))


def _right_aligned(title: str | None, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for k, column in enumerate(head):
        table.add_column(column, justify="right" if k else "left")
    for row in rows:
        table.add_row(*row)
    return table


def comparison_rows(comparison: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells of the comparison: half, both successes, difference, ratio of times."""
    rows = []
    for name, half in comparison.items():
        low, high = half["interval"]
        difference = f"{100 * half['difference']:+.1f} % ({100 * low:+.1f} to {100 * high:+.1f})"
        ratio = "-"
        if "time_ratio" in half:
            value, (low, high) = half["time_ratio"]["value"], half["time_ratio"]["interval"]
            ratio = f"{value:.2f} ({low:.2f} to {high:.2f})"
        which = "all" if name == "all" else f"{name} half"
        cells = (counted(half["learned"]), counted(half["script"]), difference, ratio)
        rows.append((which, *cells))
    return rows


def _show_failures(rows: list[dict[str, Any]], console: Console) -> None:
    failures = [row for row in rows if not row["success"]]
    for row in failures[:MOST_FAILURES]:
        console.print(failure_line(row), markup=False, soft_wrap=True)
    if len(failures) > MOST_FAILURES:
        console.print(f"and {len(failures) - MOST_FAILURES} failures more")


def failure_line(row: dict[str, Any]) -> str:
    """One line about a trial that failed."""
    touched = f"; touched {', '.join(row['touched'])}" if row["touched"] else ""
    detail = f": {row['detail']}" if row["detail"] else ""
    return f"seed {row['seed']}: {row['label']} after {row['duration']:.1f} s{detail}{touched}"


def counted(successes: dict[str, Any]) -> str:
    if not successes["trials"]:
        return "-"
    rate = 100 * successes["success_rate"]
    return f"{successes['successes']}/{successes['trials']} ({rate:.1f} %)"


def interval_text(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def named(measure: str) -> str:
    """A measure in words, with its unit where its name tells it."""
    words = measure.replace("_", " ")
    unit = next((unit for part, unit in UNITS.items() if part in measure), None)
    return words if unit is None else f"{words}, {unit}"
