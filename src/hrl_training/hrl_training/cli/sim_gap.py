"""`./hrl sim-gap`: missions of `./hrl trials` in physics, and the same seeds in the fast world."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from hrl_core.config import ConfigError
from hrl_core.paths import folder_to_write
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Disturb
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.fast.missions import FastSite, run_mission
from hrl_training.fast.skill_outcomes import load_outcomes
from hrl_training.missions.row import MissionRow, mission_rows
from hrl_training.missions.runner import policy_changes
from hrl_training.missions.summary import share_of, summarise
from hrl_training.trials.journal import to_json
from hrl_training.trials.rows_file import checked, read_json

FAST_RUNS = 3  # of each seed: what happens by chance is drawn anew
FIGURES = (
    "success_rate",
    "delivered",
    "mean_resolved_after_s",
    "median_duration_s",
    "median_decisions",
)


@dataclass(frozen=True)
class About:
    """What the summary of a file of trials says of how they were run."""

    command: str
    policy: str
    disturb: Disturb


_ABOUT = TypeAdapter(About)


def run_sim_gap(trials: Path, policy: str | None = None) -> dict[str, Any]:
    """Run the missions of a file of `./hrl trials --json` in the fast world, and compare.

    policy: name or folder, where the policy in the file is a learned one with a folder of its own.
    """
    content, _ = read_json(trials)
    physics = mission_rows(content, str(trials))
    about = asdict(checked(_ABOUT, content.get("summary"), f"{trials}: summary"))
    if not physics:
        raise ConfigError(f"{trials}: no mission has ended: nothing to compare")
    changes = policy_changes(policy or about["policy"])
    model = load_outcomes()
    sites = {name: FastSite(load_world(name), name) for name in {row.world for row in physics}}
    policies = {
        name: site.policy(changes["policy"], changes.get("policy_folder", ""))
        for name, site in sites.items()
    }
    fast = [
        run_mission(
            sites[row.world],
            draw_trial(sites[row.world].world, row.seed, about["disturb"]),
            policies[row.world],
            model,
            np.random.default_rng([row.seed, run]),
            about["policy"],
        )
        for row in physics
        for run in range(FAST_RUNS)
    ]
    return {
        "about": {**about, "missions": len(physics), "fast_runs": FAST_RUNS},
        **sim_gap_of(physics, fast),
    }


def sim_gap_of(physics: Sequence[MissionRow], fast: Sequence[MissionRow]) -> dict[str, Any]:
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
        },
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
        f"# Fast world against physics: {about['policy']}",
        "",
        f"{about['missions']} missions of `{about['command']}`; "
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
    parser = argparse.ArgumentParser(prog="./hrl sim-gap", description=__doc__)
    parser.add_argument("trials", type=Path, help="file of ./hrl trials --json")
    parser.add_argument("--policy", help="folder of a learned policy that is not the shipped one")
    parser.add_argument(
        "--out",
        type=folder_to_write,
        help="folder for gap.json and gap.md; default: beside the file",
    )
    given = parser.parse_args(arguments)
    gap = run_sim_gap(given.trials, given.policy)
    out = given.out or given.trials.parent
    out.mkdir(parents=True, exist_ok=True)
    (out / "gap.json").write_text(to_json(gap, indent=1) + "\n", encoding="utf-8")
    text = as_text(json.loads(to_json(gap)))
    (out / "gap.md").write_text(text, encoding="utf-8")
    print(text + f"\nwrote {out / 'gap.json'} and gap.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
