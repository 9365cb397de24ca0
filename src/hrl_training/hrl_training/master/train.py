"""`./hrl train master`: learn which skill to run next, over many layouts in the fast world.

It begins by imitating the behaviour tree, whose missions are at hand, and goes on by PPO
(hrl_training.master.ppo). Layouts and trials are those of the families' training seeds.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.number_options import integer, real
from hrl_core.paths import folder_to_write
from hrl_master.features import ACTION_NAMES, CONTEXT_NAMES
from hrl_master.learned import FOLDER, load_policy, write_policy
from hrl_sim_bridge.trials.trial import Disturb
from hrl_training.fast.rollouts import TRUTH, WEIGHTS, Job, Place, Rollouts, reward_terms
from hrl_training.master.ppo import MasterPPO, MasterPPOConfig, batch_of
from hrl_training.missions.row import MissionRow
from hrl_training.missions.summary import compare, summarise
from hrl_training.rl import run
from hrl_training.rl.run import Run

FAMILIES = ("aisles", "perimeter", "islands")
LAYOUTS = 10  # of each family
TRIALS = 20  # seeds of trials at each place
DISTURB: tuple[tuple[Disturb, float], ...] = (("none", 0.15), ("one", 0.5), ("many", 0.35))
BASELINES = ("behaviour_tree", "fixed_sequence")
UNSEEN_LAYOUTS = 3  # of each family, for the figures of the card
UNSEEN = 100_000  # seeds of trials and layouts from here on are for evaluation
INTERRUPTED = 130  # exit status, as of a shell

Draw = Callable[[np.random.Generator], Job]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How many missions go into what."""

    shown: int = 600  # of the behaviour tree, to begin with; 0: from scratch
    shown_epochs: int = 20
    per_update: int = 120
    missions: float = math.inf
    minutes: float = 10.0


class Trainer:
    """Improves a network on missions that `draw` draws; resumes from what `state` returned."""

    def __init__(
        self,
        rollouts: Rollouts,
        draw: Draw,
        schedule: Schedule,
        seed: int,
        config: MasterPPOConfig | None = None,
    ) -> None:
        self.ppo = MasterPPO(
            len(CONTEXT_NAMES), len(ACTION_NAMES), TRUTH, config or MasterPPOConfig(), seed
        )
        self.seed, self.missions, self.seconds = seed, 0, 0.0
        self._rollouts, self._draw, self._schedule = rollouts, draw, schedule

    # A hrl_training.rl.run.Trainer

    def weights(self) -> dict[str, np.ndarray]:
        return self.ppo.net.exported()

    def state(self) -> dict[str, Any]:
        return {
            "net": self.ppo.net.state_dict(),
            "optimiser": self.ppo.optimiser.state_dict(),
            "missions": self.missions,
            "seconds": self.seconds,
            "seed": self.seed,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.ppo.net.load_state_dict(state["net"])
        self.ppo.optimiser.load_state_dict(state["optimiser"])
        self.missions, self.seconds = state["missions"], state["seconds"]
        self.seed = state["seed"]

    @property
    def progress(self) -> float:
        """Share of the training that is done, by missions or by time."""
        s = self._schedule
        return max(self.missions / s.missions, self.seconds / (60 * s.minutes))

    @property
    def steps(self) -> int:
        return self.missions

    def line(self, figures: Mapping[str, float]) -> str:
        return (
            f"{self.missions} missions, {figures['missions_per_second']:.1f}/s, "
            f"return {figures['return']:.3f}, success {100 * figures['success']:.0f} %, "
            f"{figures['duration']:.0f} s"
        )

    def so_far(self) -> str:
        return f"after {self.missions} missions"

    def improve(self) -> dict[str, float]:
        """One update: the first by imitation, where the schedule has something to show."""
        imitates = self.missions == 0 and self._schedule.shown
        began = time.perf_counter()
        figures = self._imitate() if imitates else self._improve()
        spent = time.perf_counter() - began
        self.seconds += spent
        return {**figures, "missions_per_second": figures["missions"] / spent}

    def _jobs(self, count: int) -> list[Job]:
        rng = np.random.default_rng([self.seed, self.missions])
        self.missions += count
        return [self._draw(rng) for _ in range(count)]

    def _imitate(self) -> dict[str, float]:
        jobs = self._jobs(self._schedule.shown)
        found = self._rollouts.collect(jobs, "behaviour_tree")
        # Only where it did well: what it did in vain is no example.
        good = [steps for steps, row, _ in found if row.success and steps]
        loss = self.ppo.imitate(
            batch_of(good, self.ppo.net, self.ppo.config), self._schedule.shown_epochs
        )
        return {**_figures(found), "imitation_loss": loss}

    def _improve(self) -> dict[str, float]:
        jobs = self._jobs(self._schedule.per_update)
        found = self._rollouts.collect(jobs, self.weights())
        missions = [steps for steps, _, _ in found if steps]
        figures = self.ppo.update(
            batch_of(missions, self.ppo.net, self.ppo.config), min(self.progress, 1.0)
        )
        return {**_figures(found), **figures}


def _figures(found: Sequence[tuple[list, MissionRow, float]]) -> dict[str, float]:
    rows = [row for _, row, _ in found]
    terms = [reward_terms(row) for row in rows]
    return {
        **{f"reward_{name}": float(np.mean([each[name] for each in terms])) for name in WEIGHTS},
        "missions": float(len(rows)),
        "return": float(np.mean([value for *_, value in found])),
        "success": float(np.mean([row.success for row in rows])),
        "duration": float(np.mean([row.resolved_after_s for row in rows])),
        "decisions": float(np.mean([len(row.decisions) for row in rows])),
    }


def training_places(layouts: int = LAYOUTS) -> list[Place]:
    """Layouts of every family, from its training seeds; seeds without a layout are left out."""
    found = []
    for family in FAMILIES:
        seed, count = 0, 0
        while count < layouts:
            if exists(Place(family, seed)):
                found.append(Place(family, seed))
                count += 1
            seed += 1
    return found


def exists(place: Place) -> bool:
    """Whether a family has a layout of a seed: some seeds leave no room to walk."""
    try:
        place.load()
    except ConfigError:
        return False
    return True


def drawing(places: int, first_seed: int = 0) -> Draw:
    """Draws jobs over a number of places."""
    names, shares = zip(*DISTURB, strict=True)

    def draw(rng: np.random.Generator) -> Job:
        return Job(
            place=int(rng.integers(places)),
            seed=first_seed + int(rng.integers(TRIALS)),
            disturb=names[rng.choice(len(names), p=shares)],
            luck=int(rng.integers(2**31)),
        )

    return draw


def evaluation_jobs(places: int, missions: int, seed: int = UNSEEN) -> list[Job]:
    """Missions over places and kinds of disturbances in turn, on seeds that were not trained on."""
    kinds: tuple[Disturb, ...] = ("none", "one", "one", "many")
    return [
        Job(k % places, seed + k, kinds[(k // places) % len(kinds)], seed + k)
        for k in range(missions)
    ]


def unseen_places(each: int) -> list[Place]:
    """Layouts that no training draws: of its families, and of one that it knows nothing of."""
    found = []
    for family in (*FAMILIES, "mixed"):
        seeds = (Place(family, UNSEEN + k) for k in range(100 * each))
        found += list(islice(filter(exists, seeds), each))
    return found


def evaluate(
    rollouts: Rollouts, jobs: Sequence[Job], weights: Mapping[str, np.ndarray] | str
) -> tuple[list[MissionRow], float]:
    """Rows of a policy without exploration, and the mean return."""
    found = rollouts.collect(jobs, weights, greedy=True)
    return [row for _, row, _ in found], float(np.mean([value for *_, value in found]))


def commit() -> str:
    """Of the code that trains; empty outside a repository."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


@dataclass(frozen=True, kw_only=True)
class MasterRun(Run):
    """What the command line asks for."""

    seed: int = 0
    out: Path = Path("out/train/master")
    minutes: float = 10.0
    workers: int = 2
    layouts: int = LAYOUTS
    init: Path | None = None
    missions: int = 600  # of the evaluation at the end


def train(options: MasterRun) -> Path:
    """Train a master; returns the folder with its weights and card."""
    state = options.load_checkpoint()
    places = training_places(options.layouts)
    rollouts = Rollouts(places, options.workers)
    schedule = Schedule(minutes=options.minutes, shown=0 if options.init else Schedule.shown)
    trainer = Trainer(rollouts, drawing(len(places)), schedule, options.seed)
    if state is not None:
        trainer.load_state(state)
    elif options.init is not None:
        trainer.ppo.net.adopt(load_policy(options.init)[1])
    try:
        run.train(options, trainer, "master")
        print(f"evaluating on layouts of seeds from {UNSEEN} on ...", flush=True)
        figures = figures_on_unseen(options, trainer.weights())
    finally:
        rollouts.close()
    write_policy(
        options.out,
        trainer.weights(),
        name="master",
        trained_on=f"layouts {', '.join(FAMILIES)} of seeds 0 to 999, {options.layouts} of each; "
        "no, one or several disturbances; fast world",
        seed=options.seed,
        missions=trainer.missions,
        figures=figures,
        commit=commit(),
    )
    return options.out


def figures_on_unseen(options: MasterRun, weights: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The policy and both baselines on the same unseen layouts; prints and returns figures."""
    rollouts = Rollouts(unseen_places(UNSEEN_LAYOUTS), options.workers)
    jobs = evaluation_jobs(len(rollouts.places), options.missions)
    found: dict[str, list[MissionRow]] = {}
    figures: dict[str, float] = {"fast_missions": len(jobs)}
    try:
        for name, policy in (("learned", weights), *((b, b) for b in BASELINES)):
            found[name], value = evaluate(rollouts, jobs, policy)
            figures |= {f"fast_{name}_return": round(value, 4), **_shares(name, found[name])}
    finally:
        rollouts.close()
    for name in found:
        print({key: value for key, value in figures.items() if f"_{name}_" in key})
    for disturbed in (False, True):
        pair = [
            [r for r in found[n] if bool(r.disturbances) is disturbed]
            for n in ("learned", BASELINES[0])
        ]
        ratio = compare(*pair).get("mean_time_ratio")
        if ratio is not None:
            what = "disturbed" if disturbed else "nominal"
            figures[f"fast_mean_time_ratio_to_{BASELINES[0]}_{what}"] = ratio["value"]
            print(f"mean time over that of the {BASELINES[0]}, {what}: {ratio}")
    kinds = {name: summarise(rows)["by_disturbance"] for name, rows in found.items()}
    for kind in kinds["learned"]:
        print(
            kind,
            {
                name: (by[kind]["share"], by[kind]["median_resolved_after_s"])
                for name, by in kinds.items()
            },
        )
    return figures


def _shares(name: str, rows: Sequence[MissionRow]) -> dict[str, float]:
    summary = summarise(rows)
    return {
        f"fast_{name}_success": summary["success_rate"],
        f"fast_{name}_contained": summary["contained"]["share"],
        f"fast_{name}_handed_over_where_unsolvable": summary["handed_over_where_unsolvable"][
            "share"
        ],
        f"fast_{name}_mean_resolved_after_s": summary["mean_resolved_after_s"],
    }


def install(folder: Path) -> Path:
    """Make the policy in `folder` the one that is shipped."""
    load_policy(folder)  # refuses what could not be used
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("weights.pt", "card.yaml"):
        shutil.copyfile(folder / name, FOLDER / name)
    return FOLDER


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl train master", description=__doc__)
    default = MasterRun
    parser.add_argument("--seed", type=integer(), default=default.seed)
    parser.add_argument("--out", type=folder_to_write, default=default.out, help="folder to write")
    parser.add_argument(
        "--minutes", type=real(0.01, 1e5), default=default.minutes, help="of training"
    )
    parser.add_argument("--workers", type=integer(1), default=default.workers, help="processes")
    parser.add_argument(
        "--layouts", type=integer(1), default=default.layouts, help="of each family"
    )
    help_ = "of the evaluation at the end"
    parser.add_argument("--missions", type=integer(1), default=default.missions, help=help_)
    parser.add_argument("--init", metavar="FOLDER|shipped", help="policy to start from")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--install", action="store_true", help="make the result the shipped one")
    given = vars(parser.parse_args(arguments))
    installing, init = given.pop("install"), given.pop("init")
    if init is not None:
        init = FOLDER if init == "shipped" else Path(init)
    try:
        folder = train(MasterRun(**given, init=init))
    except (run.TrainingInterrupted, KeyboardInterrupt) as stop:
        how = f"go on with: ./hrl train master --resume --out {given['out']}"
        print(f"{str(stop) or 'stopped'}; {how}", file=sys.stderr)
        return INTERRUPTED
    print(f"wrote {folder}")
    if installing:
        print(f"installed into {install(folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
