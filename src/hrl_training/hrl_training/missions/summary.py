"""Rows of missions -> figures: shares with 95 % intervals, times, by disturbance, two policies."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hrl_training.missions.row import MissionRow
from hrl_training.trials.statistics import bootstrap_interval, paired_difference, wilson_interval

NOMINAL = "nominal"  # missions without a disturbance


def summarise(rows: Sequence[MissionRow]) -> dict[str, Any]:
    """Figures of one policy. Success: delivered, or handed over where nothing else could be done.

    Contained: not handed over, of the missions that could be carried out. Times to resolution are
    of the missions that succeeded.
    """
    succeeded = [row for row in rows if row.success]
    delivered = [row for row in rows if row.delivered]
    can_be = [row for row in rows if row.solvable]
    cannot = [row for row in rows if not row.solvable]
    share = share_of(row.success for row in rows)
    wall = sum(row.wall_duration_s for row in rows)
    return {
        "missions": len(rows),
        "successes": share["count"],
        "success_rate": share["share"],
        "interval": share["interval"],
        "delivered": len(delivered),
        "contained": share_of(not row.handed_over for row in can_be),
        "handed_over_where_unsolvable": share_of(row.handed_over for row in cannot),
        **order_figures(rows),
        "wrong_item_delivered": sum(row.wrong_item_delivered for row in rows),
        "contacts_with_people": sum(row.contacts_with_people for row in rows),
        "missions_with_contacts_with_people": sum(row.contacts_with_people > 0 for row in rows),
        "failures": dict(Counter(row.cause for row in rows if not row.success)),
        "median_resolved_after_s": _median(row.resolved_after_s for row in succeeded),
        "mean_resolved_after_s": _mean([row.resolved_after_s for row in succeeded]),
        "median_duration_s": _median(row.simulated_duration_s for row in delivered),
        "median_decisions": _median(len(row.decisions) for row in succeeded),
        "median_placement_error_m": _median(row.placement_error_m for row in delivered),
        "median_wall_duration_s": _median(row.wall_duration_s for row in rows),
        "realtime_factor": round(
            sum(row.simulated_duration_s for row in rows) / max(wall, 1e-9), 3
        ),
        "lockstep_misses": sum(row.lockstep_misses for row in rows),
        "by_disturbance": by_disturbance(rows),
    }


def order_figures(rows: Sequence[MissionRow]) -> dict[str, Any]:
    """Of all orders of all missions: delivered by the plant's truth, and falsely called so."""
    orders = [order for row in rows for order in row.orders]
    false = sum(row.false_delivered for row in rows)
    return {
        "orders": len(orders),
        "orders_delivered": share_of(order["delivered"] for order in orders),
        "orders_falsely_delivered": share_of(k < false for k in range(len(orders))),
        "missions_by_orders": dict(sorted(Counter(str(len(row.orders)) for row in rows).items())),
    }


def by_disturbance(rows: Sequence[MissionRow]) -> dict[str, dict[str, Any]]:
    """Successes of the nominal missions and of those with each kind, alone or among others."""
    kinds = sorted({kind for row in rows for kind in row.disturbances})
    groups = {NOMINAL: [row for row in rows if not row.disturbances]}
    if kinds:
        groups["any disturbance"] = [row for row in rows if row.disturbances]
    groups |= {kind: [row for row in rows if kind in row.disturbances] for kind in kinds}
    return {
        name: {
            **share_of(row.success for row in group),
            "ends": dict(Counter(row.end for row in group)),
            "median_resolved_after_s": _median(r.resolved_after_s for r in group if r.success),
        }
        for name, group in groups.items()
        if group
    }


def compare(first: Sequence[MissionRow], second: Sequence[MissionRow]) -> dict[str, Any]:
    """Two policies on the seeds that both have: first minus second, and first over second.

    Times: to resolution, of the seeds on which both succeeded.
    """
    others = {row.seed: row for row in second}
    pairs = [(row, others[row.seed]) for row in first if row.seed in others]
    ours = np.array([mine.success for mine, _ in pairs], bool)
    theirs = np.array([other.success for _, other in pairs], bool)
    difference, interval = paired_difference(ours, theirs)
    times = np.array(
        [(m.resolved_after_s, o.resolved_after_s) for m, o in pairs if m.success and o.success]
    ).reshape(-1, 2)
    found: dict[str, Any] = {
        "missions": len(pairs),
        "first": share_of(ours.tolist()),
        "second": share_of(theirs.tolist()),
        "only_first": int((ours & ~theirs).sum()),
        "only_second": int((theirs & ~ours).sum()),
        "difference": round(difference, 4),
        "interval": _rounded(interval),
    }
    for name, middle in (("median", np.median), ("mean", np.mean)):

        def ratio(rows: np.ndarray, middle=middle) -> float:
            mine, other = middle(times[rows], axis=0)
            return float(mine / other)

        if len(times) >= 2 and times.min() > 0:
            found[f"{name}_time_ratio"] = {
                "value": round(ratio(np.arange(len(times))), 4),
                "interval": _rounded(bootstrap_interval(ratio, len(times))),
                "missions": len(times),
            }
    return found


def figure_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each figure of a policy, as people are told: in the terminal, on pages."""
    rows = [("succeeded", _told(summary["successes"], summary["missions"], summary["interval"]))]
    if summary["orders"] != summary["missions"]:
        for name, label in (
            ("orders_delivered", "orders delivered"),
            ("orders_falsely_delivered", "falsely called delivered"),
        ):
            share = summary[name]
            rows.append((label, _told(share["count"], share["of"], share["interval"])))
    if summary["delivered"] != summary["successes"]:
        rows.append(("delivered", f"{summary['delivered']} of {summary['missions']}"))
    for name, label in (
        ("contained", "no person asked, where it could be done"),
        ("handed_over_where_unsolvable", "handed over, where it could not"),
    ):
        share = summary[name]
        if share["of"]:
            rows.append((label, _told(share["count"], share["of"], share["interval"])))
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
            rows.append((f"  {name}", _told(group["count"], group["of"], group["interval"])))
    return rows


def share_of(flags: Iterable[bool]) -> dict[str, Any]:
    """How many are true, their share and its 95 % Wilson interval."""
    listed = [bool(flag) for flag in flags]
    count = sum(listed)
    return {
        "count": count,
        "of": len(listed),
        "share": round(count / len(listed), 4) if listed else None,
        "interval": _rounded(wilson_interval(count, len(listed))),
    }


def _told(count: int, of: int, interval: list[float]) -> str:
    low, high = interval
    return (
        f"{count} of {of} ({100 * count / of:.0f} %, 95 % interval {100 * low:.0f} to "
        f"{100 * high:.0f} %)"
    )


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(float(value), 4) for value in pair]


def _median(values: Iterable[float | None]) -> float | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return round(statistics.median(finite), 4) if finite else None


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None
