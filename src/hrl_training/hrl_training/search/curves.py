"""`./hrl site-curves`: what remembering a site is worth, over the orders seen there.

At sites that nothing was fitted to, four masters work the same orders: the behaviour tree; the
planner that takes every site for an average one; the planner with a memory that begins empty; and
the planner that is told the site's true habits, which bounds what any memory can do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from hrl_core.config import ConfigError
from hrl_core.number_options import integer, real
from hrl_core.paths import folder_to_write
from hrl_master.config import MasterConfig
from hrl_training.missions.runner import master_part
from hrl_training.search.series import (
    MASTERS,
    Row,
    SeriesOptions,
    abstract_series,
    fast_series,
    site_world,
)

UNSEEN = 100_000  # seeds of layouts and habits from here on are for figures
WORLDS = {"abstract": abstract_series, "fast": fast_series}
SPANS = (0, 20, 40, 80, 120, 160, 240, 480)  # orders
DRAWS = 2000  # of the bootstrap
QUICK = {"sites": 3, "orders": 80}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Figures of each master over spans of orders, with 95 % intervals over sites."""
    orders = 1 + max(row.order for row in rows)
    spans = [(a, b) for a, b in zip(SPANS, SPANS[1:], strict=False) if b <= orders]
    late = min(100, orders // 2)
    whole = {"all": (0, orders), f"from order {late} on": (late, orders)}
    return {
        "spans": [{"orders": span, **_span(rows, *span)} for span in spans],
        "whole": {name: _span(rows, *span) for name, span in whole.items()},
        "by_kind": {
            kind: _span([row for row in rows if row.kind == kind], late, orders)
            for kind in sorted({row.kind for row in rows if row.order >= late})
        },
    }


def _span(rows: Sequence[Row], first: int, end: int) -> dict[str, Any]:
    """Of orders from `first` to before `end`, paired: every master had the same."""
    of = {m: [r for r in rows if r.master == m and first <= r.order < end] for m in MASTERS}
    sites = np.array([row.site for row in of["tree"]])
    seconds = {m: np.array([row.seconds for row in of[m]]) for m in MASTERS}
    found: dict[str, Any] = {"count": len(sites)}
    for master in MASTERS:
        gain = seconds["tree"] - seconds[master]
        low, high = _interval([seconds["tree"], gain], sites)
        found[master] = {
            "seconds": round(float(seconds[master].mean()), 2),
            "gain_percent": round(100 * float(gain.sum() / seconds["tree"].sum()), 1),
            "gain_percent_interval": [round(100 * low, 1), round(100 * high, 1)],
            "success": round(float(np.mean([not (r.needless or r.failed) for r in of[master]])), 4),
            "needless": round(float(np.mean([row.needless for row in of[master]])), 4),
        }
    best = float((seconds["tree"] - seconds["oracle"]).sum())
    if best > 0:
        gained = float((seconds["tree"] - seconds["memory"]).sum())
        found["share_of_oracle"] = round(gained / best, 3)
    return found


def _interval(parts: Sequence[np.ndarray], sites: np.ndarray) -> tuple[float, float]:
    """95 % of the ratio of sums, second over first, where the sites are drawn anew."""
    known, group = np.unique(sites, return_inverse=True)
    below, above = (np.bincount(group, part) for part in parts)
    drawn = np.random.default_rng(0).integers(len(known), size=(DRAWS, len(known)))
    ratios = above[drawn].sum(axis=1) / below[drawn].sum(axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)


def plot(result: dict[str, Any], path: Path) -> None:
    """Mean time of an order, and the share of needless hand-overs, over the orders seen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(result["results"]), figsize=(6 * len(result["results"]), 6), squeeze=False,
        sharex="col", gridspec_kw={"height_ratios": (3, 1)},
    )  # fmt: skip
    for column, (world, found) in enumerate(result["results"].items()):
        spans = found["spans"] or [{"orders": (0, result["orders"]), **found["whole"]["all"]}]
        edges = [spans[0]["orders"][0], *[span["orders"][1] for span in spans]]
        for k, master in enumerate(MASTERS):
            for row, key in enumerate(("seconds", "needless")):
                values = [span[master][key] * (100 if row else 1) for span in spans]
                axes[row][column].stairs(
                    values, edges, baseline=None, color=f"C{k}", label=master, linewidth=2
                )
        axes[0][column].set_title(f"{world} world, {result['size']} m, {result['sites']} sites")
        axes[1][column].set_xlabel("orders seen at the site")
        axes[1][column].set_ylim(bottom=-0.5)
        if result["change_after"]:
            for axis in axes[:, column]:
                axis.axvline(result["change_after"], color="grey", linestyle=":")
    axes[0][0].set_ylabel("mean time of an order [s]")
    axes[1][0].set_ylabel("needless [%]")
    axes[0][0].legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl site-curves", description=__doc__)
    add = parser.add_argument
    add("--size", default="16x12", help="of the halls, WIDTHxDEPTH in m")
    add("--sites", type=integer(1, 1000), default=8, help="that are drawn")
    add("--orders", type=integer(4, 999), default=160, help="at each site")
    add("--seed", type=integer(0, 10**6), default=UNSEEN, help="of the first site")
    add("--worlds", nargs="+", choices=[*WORLDS], default=[*WORLDS])
    add("--person-time", type=real(1, 7200), help="s, as in config/master.yaml")
    help_ = "orders after which the habits of each site change"
    add("--change-after", type=integer(0, 998), default=0, help=help_)
    help_ = "every item is misplaced alike, to any bin"
    add("--no-habits", dest="habits", action="store_false", help=help_)
    add("--prior", type=Path, help="another prior than the shipped one")
    add("--quick", action="store_true", help=f"{QUICK['sites']} sites, {QUICK['orders']} orders")
    add("--out", type=folder_to_write, default=Path("out/site_curves"))
    given = parser.parse_args(arguments)
    if given.quick:
        vars(given).update(QUICK)
    began = time.monotonic()
    try:
        options = SeriesOptions(
            person_time=given.person_time or master_part(MasterConfig).person_time,
            orders=given.orders,
            change_after=given.change_after,
            habits=given.habits,
            prior=given.prior,
        )
        results = {name: _run(name, given, options) for name in given.worlds}
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    keys = ("size", "sites", "orders", "seed", "change_after", "habits")
    result = {key: getattr(given, key) for key in keys}
    result |= {"person_time": options.person_time, "results": results}
    given.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    (given.out / "site_curves.json").write_text(text, encoding="utf-8")
    plot(result, given.out / "site_curves.png")
    for name, found in results.items():
        _print(name, found)
    print(f"wrote {given.out} in {(time.monotonic() - began) / 60:.1f} min")
    return 0


def _run(name: str, given: argparse.Namespace, options: SeriesOptions) -> dict[str, Any]:
    rows: list[Row] = []
    for number in track(range(given.sites), f"{name} world"):
        seed = given.seed + number
        world = site_world(given.size, seed, options)
        rows += WORLDS[name](number, world, seed, options)
    return summary(rows)


def _print(name: str, found: dict[str, Any]) -> None:
    for what, span in found["whole"].items():
        print(f"{name}, {what} ({span['count']} orders):")
        for master in MASTERS:
            m = span[master]
            low, high = m["gain_percent_interval"]
            print(
                f"  {master:8s} {m['seconds']:6.1f} s, {m['gain_percent']:5.1f} % less than the "
                f"tree [{low:.1f}, {high:.1f}], success {100 * m['success']:.1f} %, "
                f"needless {100 * m['needless']:.1f} %"
            )
    shares = [(span["orders"], span.get("share_of_oracle")) for span in found["spans"]]
    print("  share of the oracle's gain: " + ", ".join(f"{a}-{b}: {s}" for (a, b), s in shares))


if __name__ == "__main__":
    sys.exit(main())
