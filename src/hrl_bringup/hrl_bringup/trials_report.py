"""What `./hrl trials` prints: a line per mission, then the figures."""

from typing import Any

from rich.console import Console
from rich.table import Table

from hrl_training.mission_rows import MissionRow


def line_of(row: MissionRow) -> str:
    """One line for the terminal."""
    order, verdict = row.order, row.end
    if not row.success:
        verdict = f"{verdict.upper()} ({row.cause})"
    with_ = f" with {', '.join(row.disturbances)}" if row.disturbances else ""
    return (
        f"seed {row.seed}: {order['item']} {order['from_bin']} -> {order['to_station']}{with_}: "
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


def figure_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each figure of a policy."""
    rows = [("succeeded", _share(summary["successes"], summary["missions"], summary["interval"]))]
    if summary["delivered"] != summary["successes"]:
        rows.append(("delivered", f"{summary['delivered']} of {summary['missions']}"))
    for name, label in (
        ("contained", "no person asked, where it could be done"),
        ("handed_over_where_unsolvable", "handed over, where it could not"),
    ):
        share = summary[name]
        if share["of"]:
            rows.append((label, _share(share["count"], share["of"], share["interval"])))
    if summary["median_resolved_after_s"] is not None:
        rows.append(
            ("median time to resolution", f"{summary['median_resolved_after_s']:.1f} s (simulated)")
        )
    if summary["median_placement_error_m"] is not None:
        error = summary["median_placement_error_m"]
        rows.append(("median placement error", f"{100 * error:.1f} cm"))
    rows += [
        ("wrong items delivered", str(summary["wrong_item_delivered"])),
        ("missions that touched a person", str(summary["missions_with_contacts_with_people"])),
        ("simulated over wall time of a mission", f"{summary['realtime_factor']:.2f}"),
    ]
    if summary["lockstep_misses"]:
        rows.append(("ticks that a node missed", str(summary["lockstep_misses"])))
    for cause, count in sorted(summary["failures"].items(), key=lambda pair: -pair[1]):
        rows.append(("failed by", f"{cause}: {count}"))
    for name, group in summary["by_disturbance"].items():
        if len(summary["by_disturbance"]) > 1:
            rows.append((f"  {name}", _share(group["count"], group["of"], group["interval"])))
    return rows


def _share(count: int, of: int, interval: list[float]) -> str:
    low, high = interval
    return (
        f"{count} of {of} ({100 * count / of:.0f} %, 95 % interval {100 * low:.0f} to "
        f"{100 * high:.0f} %)"
    )


def _show_summary(summary: dict[str, Any], console: Console) -> None:
    console.print(summary["policy"], style="bold", markup=False)
    if not summary["missions"]:
        console.print("no mission ended")
        return
    table = Table(box=None, show_header=False)
    for name, value in figure_rows(summary):
        table.add_row(name, value)
    console.print(table)
