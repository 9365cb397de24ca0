"""What `./hrl trials` prints: a line per mission, then the figures."""

from typing import Any

from rich.console import Console
from rich.table import Table

from hrl_training.missions.row import MissionRow
from hrl_training.missions.summary import figure_rows


def line_of(row: MissionRow) -> str:
    """One line for the terminal."""
    order, verdict = row.order, row.end
    if not row.success:
        verdict = f"{verdict.upper()} ({row.cause})"
    with_ = f" with {', '.join(row.disturbances)}" if row.disturbances else ""
    more = f" and {len(row.orders) - 1} more" if len(row.orders) > 1 else ""
    return (
        f"seed {row.seed}: {order['item']} {order['from_bin']} -> {order['to_station']}{more}"
        f"{with_}: "
        f"{verdict}, {row.simulated_duration_s:.0f} s in {row.wall_duration_s:.0f} s, "
        f"{len(row.decisions)} decisions"
    )


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures of every policy, and the comparisons."""
    _show_summary(result["summary"], console)
    first = result["summary"]["policy"]
    for name, other in result.get("others", {}).items():
        _show_summary(other["summary"], console)
        for line in comparison_lines(first, name, other["comparison"]):
            console.print(line)


def comparison_lines(first: str, second: str, comparison: dict[str, Any]) -> list[str]:
    """Sentences on two policies on the same seeds."""
    if not comparison["missions"]:
        return []
    low, high = comparison["interval"]
    lines = [
        f"{first} minus {second}, {comparison['missions']} same seeds: "
        f"{100 * comparison['difference']:+.1f} points of success "
        f"({100 * low:+.1f} to {100 * high:+.1f}); "
        f"only {first}: {comparison['only_first']}, only {second}: {comparison['only_second']}"
    ]
    for middle in ("median", "mean"):
        if f"{middle}_time_ratio" in comparison:
            ratio = comparison[f"{middle}_time_ratio"]
            low, high = ratio["interval"]
            lines.append(
                f"  {middle} time to resolution over that of {second}, {ratio['missions']} seeds "
                f"on which both succeeded: {ratio['value']:.2f} ({low:.2f} to {high:.2f})"
            )
    return lines


def _show_summary(summary: dict[str, Any], console: Console) -> None:
    console.print(summary["policy"], style="bold", markup=False)
    if not summary["missions"]:
        console.print("no mission ended")
        return
    table = Table(box=None, show_header=False)
    for name, value in figure_rows(summary):
        table.add_row(name, value)
    console.print(table)
