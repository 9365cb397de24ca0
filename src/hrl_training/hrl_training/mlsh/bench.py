"""`./hrl bench mlsh`: MLSH and what it is compared with, on unseen tasks, by episodes.

Each part (an arm, or a master on the repaired sub-policies) is a file in --out; what is there is
not run again, so a stopped run goes on. Then tables, paired tests and plots are written there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from hrl_core.number_options import integer
from hrl_core.paths import folder_to_write
from hrl_training.mlsh.arms import HAND_MADE, PER_UPDATE, SCRATCH, SHARED, adapt, arms, masters
from hrl_training.mlsh.baselines import learning_alone
from hrl_training.mlsh.experiment import FAMILIES, Experiment, load_experiment
from hrl_training.mlsh.guards import judge
from hrl_training.mlsh.measures import forced_returns
from hrl_training.mlsh.paths import draw_paths
from hrl_training.mlsh.report import write_report
from hrl_training.mlsh.tasks.aisles import Aisles
from hrl_training.mlsh.trainer import Trainer

SEEDS = {"bandits": 8, "four_rooms": 4, "aisles": 4}
EPISODES = {"bandits": 60, "four_rooms": 100, "aisles": 48}  # of a master on an unseen task
UPDATES = 10  # of the paper's master, PER_UPDATE["paper"] episodes each
TASKS = 8  # unseen, a seed
FORCED = 20  # episodes of each option and kind
UNSEEN = 50_000  # added to the seed, for the episodes on unseen tasks
HAND = "hand-made"
QUICK = ("mlsh", "repaired", "privileged", SCRATCH)
QUICK_SEEDS = {"bandits": 4, "four_rooms": 2, "aisles": 2}
QUICK_MASTERS = ("", "thompson")


@dataclass(frozen=True)
class Part:
    """One file of results: an arm's training with its figures, or a master on what it left."""

    name: str
    card: Experiment
    seeds: int
    seed: int
    master: str = ""  # empty: the arm's training and the paper's master

    @property
    def file(self) -> str:
        settings = f"{self.card.model_dump_json()} {self.seeds} {self.seed} {self.master}"
        digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
        words = "_".join([self.card.family, self.name, self.master]).strip("_")
        return f"{words.replace(' ', '-')}_{digest}.json"


def parts(card: Experiment, seeds: int, seed: int) -> list[Part]:
    """All of one family; masters last, since they use the repaired sub-policies."""
    found = [Part(name, arm, seeds, seed) for name, arm in arms(card).items()]
    found.insert(3, Part(SCRATCH, card, seeds, seed))
    compared = [name for name in masters(card) if name != "paper"]
    found += [Part("repaired", card, seeds, seed, name) for name in compared]
    if card.family in HAND_MADE:
        found += [Part(HAND, card, seeds, seed, name) for name in compared]
    return found


def run(part: Part, trained: Callable[[Part], Trainer]) -> dict[str, Any]:
    """Figures of a part; `trained` trains an arm, or gives what has been trained."""
    began, card = time.process_time(), part.card
    family, seed = card.make_family(), part.seed + UNSEEN
    shape = (part.seeds, TASKS)
    tasks = family.draw(np.random.default_rng(seed), shape, "test", True)
    batch = PER_UPDATE["paper"]
    found: dict[str, Any] = {"name": part.name, "family": card.family, "master": part.master}
    if part.name == SCRATCH:
        returns = learning_alone(card, tasks, (UPDATES + 1) * batch, batch, seed)
    elif part.name == HAND:
        options = HAND_MADE[card.family](part.seeds)
        returns = adapt(part.master, card, options, tasks, EPISODES[card.family], seed)
    else:
        trainer = trained(part)
        if part.master:
            episodes = EPISODES[card.family]
            returns = adapt(part.master, card, trainer.options, tasks, episodes, seed)
        elif part.name == SHARED:
            returns = learning_alone(
                card, tasks, (UPDATES + 1) * batch, batch, seed, trainer.options
            )
        else:
            episodes = (UPDATES + 1) * batch
            returns = adapt("paper", card, trainer.options, tasks, episodes, seed)
        rng = np.random.default_rng(seed + 1)
        steps = card.option_steps
        forced = forced_returns(family, trainer.options, steps, rng, "test", FORCED)
        found |= {
            "forced": forced.tolist(),
            "collapsed": [bool(judge(each).collapsed) for each in forced],
            "steps": trainer.steps,
            "repairs": trainer.repairs,
        }
    by_seed = returns.mean(2).T  # (s, episodes)
    return found | {
        "returns": np.round(by_seed.astype(float), 4).tolist(),
        "cpu_s": round(time.process_time() - began, 1),
    }


class Trained:
    """Trains each arm once; what it leaves in the folder is taken up by a later run."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def __call__(self, part: Part) -> Trainer:
        """The trainer of a part's arm, at the end of its training."""
        trainer = Trainer(part.card, part.seeds, part.seed)
        file = self._out / Path(replace(part, master="").file).with_suffix(".pt")
        if file.is_file():
            trainer.load_state(torch.load(file, weights_only=True))
            return trainer
        console = Console(stderr=True)
        for _ in track(range(part.card.iterations), part.name, console=console, transient=True):
            trainer.improve()
        partial = file.with_suffix(".partial")
        torch.save(trainer.state(), partial)
        partial.replace(file)
        if isinstance(trainer.family, Aisles):
            draw_paths(trainer.family, trainer.options, part.name, file.with_suffix(".png"))
        return trainer


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="./hrl bench mlsh", description=__doc__)
    parser.add_argument("--tasks", choices=(*FAMILIES, "all"), default="all")
    parser.add_argument("--arm", action="append", help="only this one; may be given several times")
    parser.add_argument("--seed", type=integer(), default=0, help="of the batch of runs")
    parser.add_argument("--seeds", type=integer(2, 64), help="runs of each arm; default 8 or 4")
    parser.add_argument("--quick", action="store_true", help="few arms and seeds")
    parser.add_argument(
        "--out", type=folder_to_write, default=Path("out/bench/mlsh"), help="folder to write"
    )
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    console, trained = Console(highlight=False, width=140), Trained(options.out)
    for name in FAMILIES if options.tasks == "all" else (options.tasks,):
        usual = QUICK_SEEDS if options.quick else SEEDS
        every = parts(load_experiment(name), options.seeds or usual[name], options.seed)
        if unknown := {*(options.arm or ())} - {part.name for part in every}:
            parser.error(f"--arm {unknown}: allowed are {sorted({p.name for p in every})}")
        if options.quick:
            every = [p for p in every if p.name in QUICK and p.master in QUICK_MASTERS]
        results = []
        for part in every:
            file = options.out / part.file
            wanted = options.arm is None or part.name in options.arm
            if wanted and not file.is_file():
                console.print(f"{name}: {part.name} {part.master}".strip())
                partial = file.with_suffix(".partial")
                partial.write_text(json.dumps(run(part, trained)) + "\n", encoding="utf-8")
                partial.replace(file)
            if file.is_file():
                results.append(json.loads(file.read_text(encoding="utf-8")))
        write_report(results, name, options.out, console)


if __name__ == "__main__":
    main()
