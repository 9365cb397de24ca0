"""`./hrl train mlsh`: learn sub-policies that masters of unseen tasks can use (Frans et al. 2017).

Writes checkpoint.pt, curves, options.pt and card.yaml. Several --seeds train as one batch.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml

from hrl_core.config import ConfigError
from hrl_core.number_options import integer
from hrl_core.paths import folder_to_write
from hrl_core.policy.card import hash_of
from hrl_training.mlsh.experiment import FAMILIES, Experiment, load_experiment
from hrl_training.mlsh.guards import judge
from hrl_training.mlsh.measures import Interval, forced_returns
from hrl_training.mlsh.trainer import Collapsed, Trainer
from hrl_training.rl.run import Run, TrainingInterrupted, train

INTERRUPTED, COLLAPSED = 130, 3  # exit status
EPISODES = 30  # of each kind and option, for the card
TEST_SEED = 9000  # of the episodes for the card


@dataclass(frozen=True, kw_only=True)
class MlshRun(Run):
    """What the command line asks for."""

    tasks: str
    experiment: Experiment
    seeds: int

    @property
    def command(self) -> str:
        words = ["./hrl", "train", "mlsh", "--tasks", self.tasks, "--seed", str(self.seed)]
        return shlex.join([*words, "--seeds", str(self.seeds)])


def train_mlsh(run: MlshRun) -> bool:
    """Train, or go on; writes options and card. Returns whether no seed has collapsed."""
    trainer = Trainer(run.experiment, run.seeds, run.seed)
    if run.resume:
        if (noted := run.read_checkpoint()["run"]) != run.noted():
            raise ConfigError(f"--resume: {run.checkpoint} is of {noted}; asked is {run.noted()}")
        trainer.load_state(run.load_checkpoint() or {})
    train(run, trainer, f"mlsh {run.experiment.family}")
    for repair in trainer.repairs:
        print(repair)
    e = run.experiment
    forced = forced_returns(
        trainer.family,
        trainer.options,
        e.option_steps,
        np.random.default_rng(TEST_SEED),
        "test",
        EPISODES,
    )
    verdicts = [judge(of_seed) for of_seed in forced]
    torch.save(trainer.options.networks.state_dict(), run.out / "options.pt")
    card = {
        "command": run.command,
        "experiment": e.model_dump(mode="json"),
        "seeds": run.seeds,
        "steps_per_seed": trainer.steps,
        "sha256": hash_of(run.out / "options.pt"),
        "repairs": trainer.repairs,
        # Option by kind of unseen task, each held for whole episodes.
        "forced_returns": np.round(forced.astype(float), 3).tolist(),
        "collapsed": [bool(verdict.collapsed) for verdict in verdicts],
    }
    text = yaml.safe_dump(card, sort_keys=False, default_flow_style=None, width=100)
    (run.out / "card.yaml").write_text(text, encoding="utf-8")
    if e.options == 1:
        return True
    lost = sum(verdict.collapsed for verdict in verdicts)
    worst = Interval.of(np.array([verdict.worst for verdict in verdicts]))
    print(f"the kind served worst gets {worst} on unseen tasks; collapsed: {lost} of {run.seeds}")
    return lost == 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl train mlsh", description=__doc__)
    parser.add_argument(
        "--tasks", default="bandits", metavar="|".join((*FAMILIES, "CARD")), help="or a .yaml card"
    )
    parser.add_argument("--seed", type=integer(), default=0)
    parser.add_argument("--seeds", type=integer(1, 64), default=1, help="runs in one batch")
    parser.add_argument("--cycles", type=integer(1, 10**5), help="of W + U iterations")
    parser.add_argument("--out", type=folder_to_write, help="default: out/train/mlsh_TASKS")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    options = parser.parse_args(arguments)
    experiment = load_experiment(options.tasks)
    if options.cycles:
        experiment = experiment.model_copy(update={"cycles": options.cycles})
    run = MlshRun(
        tasks=options.tasks,
        experiment=experiment,
        seeds=options.seeds,
        seed=options.seed,
        out=options.out or Path("out") / "train" / f"mlsh_{experiment.family}",
        resume=options.resume,
    )
    try:
        good = train_mlsh(run)
    except (TrainingInterrupted, KeyboardInterrupt) as stop:
        print(f"{str(stop) or 'stopped'}; go on with --resume", file=sys.stderr)
        return INTERRUPTED
    except Collapsed as collapse:
        print(collapse, file=sys.stderr)
        return COLLAPSED
    print(f"wrote {run.out}")
    return 0 if good else COLLAPSED
