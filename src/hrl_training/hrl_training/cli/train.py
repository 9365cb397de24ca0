"""`./hrl train SKILL`: train one skill's policy: from scratch, from other weights, or go on."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from hrl_core.config import ConfigError, find_config
from hrl_core.number_options import integer, real
from hrl_core.paths import folder_to_write
from hrl_core.policy.card import hash_of, load_card, save_card
from hrl_core.robot import DEFAULT_ROBOT, load_robot
from hrl_skills.library import load_policy_of, policy_folder
from hrl_skills.success_model import FILE as SUCCESS_MODEL
from hrl_training.master.train import main as train_master
from hrl_training.mlsh.command import main as train_mlsh
from hrl_training.rl.run import TrainingInterrupted
from hrl_training.search.fit_prior import main as fit_site_prior
from hrl_training.tasks.registry import entry_of, skills_with
from hrl_training.tasks.training import DEVICES, TrainingRun

# What is no skill and has options of its own: the master decides which skill runs, mlsh finds
# sub-policies that masters can use, the prior is what the planner assumes of a site.
OTHERS = {"master": train_master, "mlsh": train_mlsh, "site_prior": fit_site_prior}
INTERRUPTED = 130  # exit status, as of a shell


def train(
    skill: str,
    robot: str = DEFAULT_ROBOT,
    seed: int | None = None,
    out: Path | None = None,
    minutes: float = math.inf,
    steps: int | None = None,
    resume: bool = False,
    tasks: Path | None = None,
    init: Path | None = None,
    device: str = "auto",
) -> Path:
    """Train a skill; returns the folder with its weights and card."""
    entry = entry_of(skill, "training")
    if minutes <= 0 or (steps is not None and steps <= 0):
        raise ConfigError(f"minutes {minutes} and steps {steps} must be above zero")
    if init == Path("shipped"):
        init = policy_folder(skill, load_robot(robot).name)
    run = TrainingRun(
        skill=skill,
        robot_file=robot,
        seed=seed or 0,
        out=out or Path("out") / "train" / skill,
        minutes=minutes,
        steps=steps,
        resume=resume,
        tasks=tasks,
        init=init,
        device=device,
    )
    if resume:
        run = run.going_on(seed)
    elif init is not None:
        run.initial()
        run = replace(run, init_sha256=hash_of(init / "weights.pt"))
    run.load_tasks()
    find_config("robots", run.robot.name)  # as its card will name it
    run.torch_device()
    entry.load("training")(run)
    return run.out


def install(skill: str, robot: str, folder: Path) -> Path:
    """Make the policy in `folder` the robot's shipped one, as its next version; returns where."""
    card = load_policy_of(skill, robot, folder).card  # refuses what could not be used
    assert card is not None
    shipped = policy_folder(skill, robot)
    shipped.mkdir(parents=True, exist_ok=True)
    if (shipped / "card.yaml").is_file():
        before = load_card(shipped / "card.yaml")
        if before.sha256 == card.sha256:
            return shipped  # with the figures that its card has by now
        major, minor, _ = before.version.split(".")
        card = card.model_copy(update={"version": f"{major}.{int(minor) + 1}.0"})
    shutil.copyfile(folder / "weights.pt", shipped / "weights.pt")
    save_card(shipped, card)
    (shipped / SUCCESS_MODEL).unlink(missing_ok=True)  # that of other weights; see ./hrl calibrate
    return shipped


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in OTHERS:
        return OTHERS[given[0]](given[1:])
    parser = argparse.ArgumentParser(
        prog="./hrl train",
        description=__doc__,
        epilog="`./hrl train master --help`: the policy that chooses among the skills; "
        "`./hrl train mlsh --help`: sub-policies for masters of unseen tasks; "
        "`./hrl train site_prior --help`: what the planner assumes of a site.",
    )
    parser.add_argument("skill", choices=skills_with("training"))
    parser.add_argument("--robot", default=DEFAULT_ROBOT, help="name or file of who learns")
    parser.add_argument("--seed", type=integer(), help="default 0")
    parser.add_argument("--tasks", type=Path, help="task file (default config/tasks/SKILL.yaml)")
    parser.add_argument(
        "--init",
        type=Path,
        metavar="FOLDER|shipped",
        help="start from the weights and card in a folder, or from those that are shipped",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--out", type=folder_to_write, help="folder to write (default out/train/SKILL)"
    )
    parser.add_argument(
        "--minutes", type=real(0.01, 1e5), default=math.inf, help="stop after this time"
    )
    parser.add_argument(
        "--steps", type=integer(1, 10**12), help="control steps over all environments"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="of the networks")
    parser.add_argument("--install", action="store_true", help="make the result the shipped one")
    options = vars(parser.parse_args(given))
    installing, skill = options.pop("install"), options["skill"]
    try:
        folder = train(**options)
    except (TrainingInterrupted, KeyboardInterrupt) as stop:
        out = f" --out {options['out']}" if options["out"] else ""
        how = f"go on from the last checkpoint with: ./hrl train {skill} --resume{out}"
        print(f"{str(stop) or 'stopped'}; {how}", file=sys.stderr)
        return INTERRUPTED
    print(f"wrote {folder}")
    if installing:
        print(f"installed into {install(skill, load_robot(options['robot']).name, folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
