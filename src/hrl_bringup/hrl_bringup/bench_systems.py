"""`./hrl bench systems`: what a stock system saves where an item is mislaid or missing.

The same seeds without one, with one that is right about every item (each move was booked), and
with one that is wrong about every item.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np

from hrl_bringup.trial_systems import STREAM, systems_of
from hrl_bringup.trials import Trials, TrialsOptions
from hrl_core.config import ConfigError
from hrl_core.number_options import integer
from hrl_core.paths import file_to_write
from hrl_master.ledger import Ledger
from hrl_master.policy import make_policy
from hrl_sim_bridge.judging.solvable import final_bins
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.world import World
from hrl_training.fast.missions import FastSite, run_mission
from hrl_training.jobs.processes import run_parallel
from hrl_training.missions.row import MissionRow, mission_seed
from hrl_training.missions.runner import MissionOptions, MissionRunner
from hrl_training.trials.journal import to_json

KINDS = ("misplaced_item", "missing_item")
SOUGHT = 100  # seeds for each mission; one in eleven has the kind
VARIANTS: Mapping[str, float | None] = {"none": None, "right": 1.0, "wrong": 0.0}


def seeds_with(world: World, kind: str, first: int, missions: int) -> list[int]:
    """The first seeds from `first` on whose one disturbance is of a kind; raises ConfigError."""
    seeds = range(first, first + SOUGHT * missions)
    kinds = (s for s in seeds if draw_trial(world, s, "one").disturbances == (kind,))
    if len(found := list(islice(kinds, missions))) < missions:
        raise ConfigError(f"{len(found)} of {len(seeds)} seeds have a {kind}; needed {missions}")
    return found


def looks_in_vain(world: World, row: MissionRow) -> int:
    """Walks and approaches to bins where the item of the order is not, by the plant's truth."""
    there = final_bins(draw_trial(world, row.seed, "one"))[row.order["item"]]
    bins = {*world.site.bins} - {there}
    goals = [d["target"].split()[0] for d in row.decisions if d["skill"] in ("walk", "approach")]
    return sum(goal in bins for goal in goals)


def figures_of(world: World, rows: Sequence[MissionRow]) -> dict[str, float]:
    return {
        "missions": len(rows),
        "succeeded": sum(row.success for row in rows),
        "delivered": sum(row.delivered for row in rows),
        "mean_resolved_after_s": round(mean(row.resolved_after_s for row in rows), 1),
        "mean_looks_in_vain": round(mean(looks_in_vain(world, row) for row in rows), 1),
    }


def measure(
    options: MissionOptions, seeds: Sequence[int], fraction: float | None, workers: int
) -> list[MissionRow]:
    """The missions of the seeds with a stock system that is right about a fraction; None: none."""
    with tempfile.TemporaryDirectory(prefix="hrl-bench-") as folder:
        systems = None if fraction is None else partial(systems_of, fraction)
        made = replace(options, ledger=Path(folder, "ledger.sqlite"), systems=systems)
        return [row for _, row in run_parallel(partial(MissionRunner, made), seeds, workers)]


def measure_fast(
    options: MissionOptions, seeds: Sequence[int], fraction: float | None
) -> list[MissionRow]:
    """The same in the fast world; what happens by chance is drawn from the seed."""
    world, rows = options.world, []
    site = FastSite(world, options.world_name, options.config)
    policy = make_policy(site.options, options.config)
    with tempfile.TemporaryDirectory(prefix="hrl-bench-") as folder:
        with Ledger(Path(folder, "ledger.sqlite"), durable=False) as ledger:
            for seed in seeds:
                trial = draw_trial(world, seed, "one")
                systems = None if fraction is None else systems_of(fraction, world, trial)
                rng = np.random.default_rng([seed, STREAM])
                rows.append(
                    run_mission(site, trial, policy, rng=rng, ledger=ledger, systems=systems)
                )
    return rows


def report(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The figures as text."""
    lines = [f"{'':16} {'stock system':12}  succeeded  delivered  resolved after  looks in vain"]
    for kind, variants in figures.items():
        for name, each in variants.items():
            lines.append(
                f"{kind:16} {name:12}  {each['succeeded']:5} of {each['missions']:2}  "
                f"{each['delivered']:9}  {each['mean_resolved_after_s']:12.1f} s  "
                f"{each['mean_looks_in_vain']:13.1f}"
            )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="./hrl bench systems",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--world", default="small_warehouse", help="world name or file")
    parser.add_argument("--missions", type=integer(1), default=8, help="of each; default: 8")
    parser.add_argument("--seed", type=integer(), default=0, help="as of ./hrl trials")
    parser.add_argument("--fast", action="store_true", help="in the fast world, without physics")
    parser.add_argument("--workers", type=integer(1), default=1, help="processes; default: 1")
    parser.add_argument(
        "--bins-if-none", type=integer(1, 99), help="as in config/master.yaml; default: as there"
    )
    parser.add_argument("--json", type=file_to_write, metavar="FILE", help="write them there, too")
    options = parser.parse_args(arguments)
    trials = Trials(
        TrialsOptions((options.world,), options.missions, options.seed, "spot", disturb="one")
    )
    mission, (world,) = trials.missions[0][0], trials.worlds.values()
    if options.bins_if_none is not None:
        config = mission.config.model_copy(update={"bins_if_none": options.bins_if_none})
        mission = replace(mission, config=config)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for kind in KINDS:
        seeds = seeds_with(world, kind, mission_seed(options.seed, 0), options.missions)
        figures[kind] = {}
        for name, fraction in VARIANTS.items():
            if options.fast:
                rows = measure_fast(mission, seeds, fraction)
            else:
                rows = measure(mission, seeds, fraction, options.workers)
            figures[kind][name] = figures_of(world, rows)
            print(f"{kind}, {name}: {figures[kind][name]}", flush=True)
    print(report(figures))
    if options.json:
        options.json.write_text(to_json(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
