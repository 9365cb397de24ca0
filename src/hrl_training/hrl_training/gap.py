"""`./hrl gap`: the same policy on the same seeds, in the fast world and in full physics.

Physics takes its time: rows are kept as they come, and --resume goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.robot import load_robot
from hrl_master.guardrails import GuardrailConfig
from hrl_master.mission import MasterConfig
from hrl_sim_bridge.world import Disturb, load_world
from hrl_training.evaluation.journal import Journal, to_json
from hrl_training.evaluation.parallel import run_parallel
from hrl_training.fast.missions import FastSite, run_mission
from hrl_training.fast.outcomes import load_outcomes
from hrl_training.mission_rows import MissionRow, mission_seed, row_from_dict
from hrl_training.mission_summary import share_of, summarise
from hrl_training.missions import MissionOptions, MissionRunner, master_part, policy_changes

FAST_RUNS = 3  # of each seed: what happens by chance is drawn anew
FIGURES = ("success_rate", "delivered", "mean_resolved_after_s", "median_duration_s",
           "median_decisions")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class GapOptions:
    """What the command line asks for."""

    world: str
    missions: int
    seed: int
    policy: str
    disturb: Disturb
    workers: int
    resume: bool
    out: Path


def run_gap(options: GapOptions) -> dict[str, Any]:
    """Run both and compare; what has not run in physics yet is left out."""
    world = load_world(options.world)
    config = master_part(MasterConfig, **policy_changes(options.policy))
    mission = MissionOptions(
        world_name=options.world,
        world=world,
        robot=load_robot("spot"),
        policy=options.policy,
        config=config,
        guardrails=master_part(GuardrailConfig),
        disturb=options.disturb,
    )
    seeds = [mission_seed(options.seed, index) for index in range(options.missions)]
    physics = _physics(options, mission, seeds)
    if not physics:
        raise ConfigError("no mission has ended in physics yet: nothing to compare")
    site, model = FastSite(world, options.world), load_outcomes()
    policy = site.policy(config.policy, config.policy_folder)
    fast = [
        run_mission(
            site,
            world.sample(row.seed, options.disturb),
            policy,
            model,
            np.random.default_rng([row.seed, run]),
            options.policy,
        )
        for row in physics
        for run in range(FAST_RUNS)
    ]
    about = {"world": options.world, "policy": options.policy, "disturb": options.disturb,
             "seed": options.seed, "missions": len(physics), "fast_runs": FAST_RUNS}  # fmt: skip
    return {"about": about, **gap_of(physics, fast)}


def _physics(
    options: GapOptions, mission: MissionOptions, seeds: Sequence[int]
) -> list[MissionRow]:
    header = {"world": options.world, "disturb": options.disturb,
              "master": mission.config.model_dump(mode="json")}  # fmt: skip
    journal = Journal(options.out / "physics.jsonl", header, options.resume, row_from_dict)
    left = [seed for seed in seeds if seed not in journal.rows]
    try:
        with closing(run_parallel(partial(MissionRunner, mission), left, options.workers)) as rows:
            for _, row in rows:
                journal.add(row)
                print(f"{len(journal.rows)} of {len(seeds)}: seed {row.seed}, {row.end}, "
                      f"{row.resolved_after_s:.0f} s", flush=True)  # fmt: skip
    except KeyboardInterrupt:
        print("interrupted: a report of what has run; the same command with --resume goes on")
    finally:
        journal.close()
    return [journal.rows[seed] for seed in seeds if seed in journal.rows]


def gap_of(physics: Sequence[MissionRow], fast: Sequence[MissionRow]) -> dict[str, Any]:
    """Figures of both, how the ends agree seed by seed, and codes and times of each skill."""
    ends = {row.seed: row.end for row in physics}
    agree = share_of(row.end == ends[row.seed] for row in fast)
    both = {"physics": physics, "fast": fast}
    summaries = {name: summarise(rows) for name, rows in both.items()}
    return {
        "same_end": agree,
        "ends": {name: _shares(Counter(row.end for row in rows)) for name, rows in both.items()},
        "figures": {
            name: {key: summary[key] for key in FIGURES} for name, summary in summaries.items()
        },
        "by_disturbance": {
            name: {
                kind: {
                    "share": found["share"],
                    "of": found["of"],
                    "median_resolved_after_s": found["median_resolved_after_s"],
                }
                for kind, found in summary["by_disturbance"].items()
            }
            for name, summary in summaries.items()
        },  # fmt: skip
        "skills": _skills(both),
    }


def _skills(both: dict[str, Sequence[MissionRow]]) -> dict[str, Any]:
    """Per skill and code: the share of its runs that ended so, and the median time [s]."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for name, rows in both.items():
        times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            for made in row.decisions:
                times[made["skill"]][made["outcome"]].append(made["ended_s"] - made["began_s"])
        for skill, codes in times.items():
            runs = sum(len(values) for values in codes.values())
            found[skill][name] = {
                "runs_per_mission": round(runs / len(rows), 2),
                "codes": {
                    code: {
                        "share": round(len(values) / runs, 3),
                        "median_s": round(float(np.median(values)), 1),
                    }
                    for code, values in sorted(codes.items())
                },
            }
    return dict(found)


def _shares(counts: Counter) -> dict[str, float]:
    return {key: round(count / counts.total(), 3) for key, count in sorted(counts.items())}


def as_text(gap: dict[str, Any]) -> str:
    """The report as a page of Markdown."""
    about = gap["about"]
    lines = [
        f"# Fast world against physics: {about['world']}, {about['policy']}",
        "",
        f"{about['missions']} seeds from {about['seed']} on, disturbances: {about['disturb']}; "
        f"{about['fast_runs']} fast missions of each seed.",
        f"Same end on {100 * gap['same_end']['share']:.0f} % of them.",
        "",
        "| | physics | fast |",
        "|---|---|---|",
    ]
    names = sorted({*gap["ends"]["physics"], *gap["ends"]["fast"]})
    for end in names:
        lines.append(_line(end, *(gap["ends"][n].get(end, 0.0) for n in ("physics", "fast"))))
    for key in FIGURES:
        if key != "delivered":
            lines.append(_line(key, *(gap["figures"][n][key] for n in ("physics", "fast"))))
    lines += ["", "| skill, outcome | physics: share, s | fast: share, s |", "|---|---|---|"]
    for skill, of in sorted(gap["skills"].items()):
        codes = sorted({code for part in of.values() for code in part["codes"]})
        for code in codes:
            cells = []
            for name in ("physics", "fast"):
                found = of.get(name, {"codes": {}})["codes"].get(code)
                cells.append("-" if found is None else f"{found['share']}, {found['median_s']}")
            lines.append(_line(f"{skill} {code}", *cells))
    return "\n".join(lines) + "\n"


def _line(name: str, *cells: Any) -> str:
    return f"| {name} | {' | '.join(str(cell) for cell in cells)} |"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl gap", description=__doc__)
    parser.add_argument("--world", required=True, help="name in config/worlds, or a file")
    parser.add_argument("--missions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="as of ./hrl trials")
    parser.add_argument("--policy", default="learned", help="name, or folder of a learned one")
    parser.add_argument("--disturb", choices=("file", "none", "one", "many"), default="one")
    parser.add_argument("--workers", type=int, default=1, help="processes for physics")
    parser.add_argument("--resume", action="store_true", help="go on with the rows that are there")
    parser.add_argument("--out", type=Path, help="folder (default out/gap/WORLD_DISTURB_SEED)")
    given = parser.parse_args(arguments)
    name = f"{Path(given.world).stem}_{given.disturb}_{given.seed}_{Path(given.policy).name}"
    options = GapOptions(**{**vars(given), "out": given.out or Path("out", "gap", name)})
    try:
        gap = run_gap(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    (options.out / "gap.json").write_text(to_json(gap, indent=1) + "\n", encoding="utf-8")
    text = as_text(json.loads(to_json(gap)))
    (options.out / "gap.md").write_text(text, encoding="utf-8")
    print(text + f"\nwrote {options.out / 'gap.json'} and gap.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
