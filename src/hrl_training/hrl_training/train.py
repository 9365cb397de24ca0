"""`./hrl train <skill>`: train one skill's policy from scratch or from its last checkpoint."""

from __future__ import annotations

import argparse
import importlib
import math
from pathlib import Path

from hrl_training.training_run import TrainingRun

# Each function takes a TrainingRun and leaves weights.pt and card.yaml in its folder.
SKILLS = {
    "gait": "hrl_training.envs.gait_training:train",
    "walk": "hrl_training.navigation_training:train_walk",
    "approach": "hrl_training.navigation_training:train_approach",
    "grasp": "hrl_training.imitation:train_grasp",
    "place": "hrl_training.imitation:train_place",
}


def train(
    skill: str,
    seed: int = 0,
    out: Path | None = None,
    minutes: float = math.inf,
    steps: int | None = None,
    resume: bool = False,
) -> Path:
    """Train a skill; returns the folder with its weights and card."""
    if skill not in SKILLS:
        raise ValueError(f"unknown skill {skill!r}; known: {sorted(SKILLS)}")
    if minutes <= 0 or (steps is not None and steps <= 0):
        raise ValueError(f"minutes {minutes} and steps {steps} must be above zero")
    run = TrainingRun(
        skill=skill,
        seed=seed,
        out=out or Path("out") / "train" / skill,
        minutes=minutes,
        steps=steps,
        resume=resume,
    )
    module, function = SKILLS[skill].split(":")
    getattr(importlib.import_module(module), function)(run)
    return run.out


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="./hrl train", description=__doc__)
    parser.add_argument("skill", choices=sorted(SKILLS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder to write (default out/train/<skill>)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after this time")
    parser.add_argument("--steps", type=int, help="control steps over all environments")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    print(f"wrote {train(**vars(parser.parse_args(arguments)))}")


if __name__ == "__main__":
    main()
