"""Measure grasp or place in full physics on trials drawn from a world and seeds.

`python -m hrl_training.evaluate_manipulation grasp --trials 50 --seed 0` prints a table; `--json
FILE` writes a summary and a row per trial; `--card` puts the figures into the policy's card.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hrl_core.robot import Robot, load_robot
from hrl_core.site import Site
from hrl_sim_bridge.world import load_world
from hrl_skills.library import make_skill
from hrl_skills.policy import POLICIES, Figure, load_card, save_card
from hrl_skills.skill import Skill
from hrl_training.manipulation_trials import Row, run_trial
from hrl_training.statistics import wilson_interval


def make_skills(site: Site, robot: Robot) -> dict[str, Skill]:
    """Both skills with their trained policies."""
    return {name: make_skill(name, site, robot) for name in ("grasp", "place")}


def summarise(skill: str, rows: list[Row]) -> dict:
    """Figures of a run: success with its 95 % interval, times, errors, failures by label."""
    rows = [row for row in rows if row.label != "no grasp to start from"] or rows
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
        "error_median": float(np.median([row.error for row in done])),
        "error_p95": float(np.percentile([row.error for row in done], 95)),
        "force_p95": float(np.percentile([row.force for row in rows], 95)),
        "force_over_60_n": sum(row.force > 60 for row in rows),
        "labels": dict(Counter(row.label for row in rows)),
    }


def report(summary: dict, rows: list[Row], console: Console) -> None:
    """Print the table, and one line for every trial that failed."""
    low, high = summary["interval"]
    table = Table(title=f"{summary['skill']}: {summary['trials']} trials in full physics")
    table.add_column("figure")
    table.add_column("value", justify="right")
    success = f"{summary['successes']}/{summary['trials']}"
    table.add_row("success", f"{success} ({100 * low:.1f} to {100 * high:.1f} %)")
    for name, unit, scale in (("duration", "s", 1), ("error", "cm", 100)):
        median, p95 = scale * summary[f"{name}_median"], scale * summary[f"{name}_p95"]
        table.add_row(f"{name}, median / 95 %", f"{median:.1f} / {p95:.1f} {unit}")
    table.add_row("force on shelf or table, 95 %", f"{summary['force_p95']:.0f} N")
    table.add_row("trials with more than 60 N", str(summary["force_over_60_n"]))
    for label, count in sorted(summary["labels"].items()):
        table.add_row(f"  {label}", str(count))
    console.print(table)
    for row in rows:
        if not row.success or row.force > 60:
            touched = f"; touched {', '.join(row.touched)}" if row.touched else ""
            console.print(
                f"seed {row.seed}: {row.item} at {row.place}: {row.label} after "
                f"{row.duration:.1f} s; {row.detail}{touched}",
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
        figure("error p95, m", summary["error_p95"]),
        figure("force on shelf or table p95, N", summary["force_p95"]),
    ]
    kept = [old for old in card.figures if not old.metric.endswith(f", {way}")]
    save_card(folder, card.model_copy(update={"figures": (*kept, *new)}))


def main(arguments: list[str] | None = None) -> dict:
    parser = argparse.ArgumentParser(prog="evaluate_manipulation", description=__doc__)
    parser.add_argument("skill", choices=("grasp", "place"))
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    parser.add_argument("--world", default="small_warehouse", help="world file or name")
    parser.add_argument(
        "--no-vision", action="store_true", help="true poses with 3 mm of error, no cameras"
    )
    parser.add_argument("--json", type=Path, help="write the summary and a row per trial")
    parser.add_argument("--card", action="store_true", help="put the figures into the card")
    options = parser.parse_args(arguments)
    if options.trials < 1:
        parser.error("--trials must be 1 or more")
    console = Console()
    world, robot = load_world(options.world), load_robot()
    skills = make_skills(world.site, robot)
    seeds = range(options.seed, options.seed + options.trials)
    rows = [
        run_trial(world, robot, skills, options.skill, seed, not options.no_vision)
        for seed in track(seeds, options.skill, console=console)
    ]
    summary = summarise(options.skill, rows)
    report(summary, rows, console)
    if options.card:
        words = ["python -m hrl_training.evaluate_manipulation", options.skill]
        words += [f"--trials {options.trials} --seed {options.seed} --world {options.world}"]
        words += ["--no-vision"] * options.no_vision
        way = "with true poses" if options.no_vision else "with cameras"
        write_card(summary, way, " ".join(words))
    if options.json:
        content = {"summary": summary, "rows": [row.as_dict() for row in rows]}
        options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return summary


if __name__ == "__main__":
    main()
