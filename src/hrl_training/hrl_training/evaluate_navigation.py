"""Measure walk or approach in full physics on tasks drawn from a world and seeds.

`python -m hrl_training.evaluate_navigation walk --trials 50 --seed 0` prints a table; `--json FILE`
writes a summary and a row per trial, and `--card` puts the figures into the card of the policy.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hrl_core.robot import load_robot
from hrl_sim_bridge.world import load_world
from hrl_skills.policy import POLICIES, Figure, load_card, save_card
from hrl_training.navigation_trials import Row, SkillName, run_trial
from hrl_training.statistics import wilson_interval


def summarise(skill: str, rows: list[Row]) -> dict:
    """Figures of a run: success with its 95 % interval, times, errors, failures by label."""
    successes = sum(row.success for row in rows)
    done = [row for row in rows if row.success] or rows
    return {
        "skill": skill,
        "trials": len(rows),
        "successes": successes,
        "success_rate": successes / len(rows),
        "interval": wilson_interval(successes, len(rows)),
        "duration_median": float(np.median([row.duration for row in done])),
        "duration_p95": float(np.percentile([row.duration for row in done], 95)),
        "position_error_median": float(np.median([row.position_error for row in done])),
        "position_error_p95": float(np.percentile([row.position_error for row in done], 95)),
        "yaw_error_median": float(np.median([row.yaw_error for row in done])),
        "yaw_error_p95": float(np.percentile([row.yaw_error for row in done], 95)),
        "contacts": sum(bool(row.touched) for row in rows),
        "falls": sum(row.label == "fell" for row in rows),
        "labels": dict(Counter(row.label for row in rows)),
    }


def run_trials(
    skill: SkillName, world: str, seeds: list[int], *, vision: bool, scripted: bool, workers: int
) -> Iterator[Row]:
    """Rows in the order of the seeds."""
    one = partial(
        run_trial,
        load_world(world),
        load_robot(),
        skill,
        vision=vision,
        scripted=scripted,
    )
    if workers == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(one, seeds)


def report(summary: dict, rows: list[Row], console: Console) -> None:
    """Print the table, and one line for every trial that failed."""
    low, high = summary["interval"]
    table = Table(title=f"{summary['skill']}: {summary['trials']} trials in full physics")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_row(
        "success",
        f"{summary['successes']}/{summary['trials']} ({100 * low:.1f} to {100 * high:.1f} %)",
    )
    table.add_row(
        "time, median / 95 %",
        f"{summary['duration_median']:.1f} / {summary['duration_p95']:.1f} s",
    )
    table.add_row(
        "position error, median / 95 %",
        f"{100 * summary['position_error_median']:.1f} / "
        f"{100 * summary['position_error_p95']:.1f} cm",
    )
    table.add_row(
        "yaw error, median / 95 %",
        f"{summary['yaw_error_median']:.1f} / {summary['yaw_error_p95']:.1f} deg",
    )
    table.add_row(
        "trials with a contact, with a fall", f"{summary['contacts']}, {summary['falls']}"
    )
    for label, count in sorted(summary["labels"].items()):
        table.add_row(f"  {label}", str(count))
    console.print(table)
    for row in rows:
        if not row.success:
            touched = f"; touched {', '.join(row.touched)}" if row.touched else ""
            console.print(
                f"seed {row.seed}: {row.label} after {row.duration:.1f} s, "
                f"{100 * row.position_error:.0f} cm, {row.yaw_error:.0f} deg off; "
                f"{row.detail}{touched}",
                highlight=False,
            )


def write_card(summary: dict, way: str, command: str) -> None:
    """Put the figures of a run into the shipped card, in place of older ones got the same way."""
    folder = POLICIES / summary["skill"]
    card = load_card(folder / "card.yaml")

    def figure(metric: str, value: float, interval: tuple[float, float] | None = None) -> Figure:
        return Figure(
            metric=f"{metric}, {way}",
            value=round(value, 4),
            interval=interval,
            trials=summary["trials"],
            command=command,
        )

    low, high = summary["interval"]
    new = [
        figure("success rate", summary["success_rate"], (round(low, 4), round(high, 4))),
        figure("median time, s", summary["duration_median"]),
        figure("position error p95, m", summary["position_error_p95"]),
        figure("yaw error p95, deg", summary["yaw_error_p95"]),
        figure("share of trials with a contact", summary["contacts"] / summary["trials"]),
    ]
    kept = [old for old in card.figures if not old.metric.endswith(f", {way}")]
    save_card(folder, card.model_copy(update={"figures": (*kept, *new)}))


def main(arguments: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="evaluate_navigation", description=__doc__)
    parser.add_argument("skill", choices=("walk", "approach"))
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    parser.add_argument("--world", default="small_warehouse", help="world file or name")
    parser.add_argument("--no-vision", action="store_true", help="true poses instead of cameras")
    parser.add_argument("--policy", choices=("learned", "script"), default="learned")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, help="write the summary and a row per trial")
    parser.add_argument("--card", action="store_true", help="put the figures into the card")
    options = parser.parse_args(arguments)
    if options.trials < 1 or options.workers < 1:
        parser.error("--trials and --workers must be 1 or more")
    scripted = options.policy == "script"
    seeds = list(range(options.seed, options.seed + options.trials))
    console = Console()
    trials = run_trials(
        options.skill,
        options.world,
        seeds,
        vision=not options.no_vision,
        scripted=scripted,
        workers=options.workers,
    )
    rows = list(track(trials, options.skill, total=len(seeds), console=console))
    summary = summarise(options.skill, rows)
    report(summary, rows, console)
    if options.card:
        words = ["python -m hrl_training.evaluate_navigation", options.skill]
        words += [f"--trials {options.trials} --seed {options.seed} --world {options.world}"]
        words += ["--no-vision"] * options.no_vision + ["--policy script"] * scripted
        way = "script" if scripted else "learned"
        way += " with true poses" if options.no_vision else " with cameras"
        write_card(summary, way, " ".join(words))
    if options.json:
        content = {"summary": summary, "rows": [row.as_dict() for row in rows]}
        options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return summary


if __name__ == "__main__":
    main()
