"""The training of one skill: what was asked for, how it goes on, PPO, and the card it leaves."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch

from hrl_core.config import ConfigError
from hrl_core.policy.card import (
    ActionField,
    ActionPart,
    Card,
    Field,
    ObservationPart,
    Training,
    hash_of,
    save_card,
)
from hrl_core.policy.policy import save_weights
from hrl_core.robot import DEFAULT_ROBOT, Robot, load_robot
from hrl_skills.library import load_policy_of, policy_folder
from hrl_training.rl.ppo import PPO, PPOConfig, VectorEnv, continuation
from hrl_training.rl.run import Run, train
from hrl_training.tasks.ranges import Tasks
from hrl_training.tasks.registry import load_tasks, task_file

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class TrainingRun(Run):
    """What the command line asks of a skill's training."""

    skill: str
    robot_file: str = DEFAULT_ROBOT  # name or path of the robot that learns
    steps: int | None = None  # the skill's own number if None
    tasks: Path | None = None  # task file to draw from; None: config/tasks/<skill>.yaml
    init: Path | None = None  # folder with weights and card to start from; None: from scratch
    device: str = "auto"  # of DEVICES
    init_sha256: str | None = None  # of the weights that it started from
    resumed: int = 0  # how often it went on from a checkpoint

    @cached_property
    def robot(self) -> Robot:
        """Who learns; raises ConfigError."""
        return load_robot(self.robot_file)

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        words = ["./hrl", "train", self.skill, "--seed", str(self.seed)]
        if self.robot_file != DEFAULT_ROBOT:
            words += ["--robot", self.robot_file]
        if self.tasks is not None:
            words += ["--tasks", str(self.tasks)]
        if self.init is not None:
            shipped = self.init == policy_folder(self.skill, self.robot.name)
            words += ["--init", "shipped" if shipped else str(self.init)]
        if math.isfinite(self.minutes):
            words += ["--minutes", f"{self.minutes:g}"]
        if self.steps is not None:
            words += ["--steps", str(self.steps)]
        return shlex.join(words)

    @property
    def task_file(self) -> Path:
        """The file of ranges that the environments draw from; raises ConfigError."""
        return task_file(self.skill, self.tasks)

    def load_tasks(self) -> Tasks:
        """The ranges to draw from; raises ConfigError with place and value."""
        return load_tasks(self.skill, self.task_file)

    def torch_device(self) -> torch.device:
        """Where networks live: on a GPU where there is one, unless told otherwise."""
        if self.device not in DEVICES:
            raise ConfigError(f"--device {self.device}: allowed are {DEVICES}")
        there = torch.cuda.is_available()
        if self.device == "cuda" and not there:
            raise ConfigError("--device cuda: torch finds no GPU here; allowed are auto and cpu")
        return torch.device("cuda" if there and self.device != "cpu" else "cpu")

    def initial(self) -> dict[str, torch.Tensor] | None:
        """Tensors of the policy to start from, checked as the loader checks; None: from scratch."""
        if self.init is None:
            return None
        policy = load_policy_of(self.skill, self.robot.name, self.init)
        return {name: torch.from_numpy(array.copy()) for name, array in policy.tensors.items()}

    def going_on(self, seed: int | None) -> TrainingRun:
        """This run as its checkpoint notes it; only `steps` and `minutes` may be given anew."""
        noted = self.read_checkpoint()["run"]
        given = {
            "skill": self.skill,
            "robot": self.robot.name,
            "seed": seed,
            "tasks": self.tasks,
            "init": self.init,
        }
        for name, value in given.items():
            if value is not None and str(value) != str(noted.get(name)):
                raise ConfigError(
                    f"--resume: {self.checkpoint} is of {name} {noted.get(name)}; "
                    f"{name} {value} needs a new run in another --out"
                )
        run = replace(
            self,
            seed=noted["seed"],
            minutes=self.minutes if math.isfinite(self.minutes) else noted["minutes"],
            steps=self.steps or noted["steps"],
            tasks=noted["tasks"] and Path(noted["tasks"]),
            init=noted["init"] and Path(noted["init"]),
            init_sha256=noted["init_sha256"],
            resumed=noted["resumed"] + 1,
        )
        if (digest := hash_of(run.task_file)) != noted["tasks_sha256"]:
            raise ConfigError(
                f"--resume: {run.task_file} has changed since the run began: its sha256 is "
                f"{digest}; the checkpoint allows {noted['tasks_sha256']}"
            )
        return run

    def noted(self) -> dict[str, Any]:
        return {
            "skill": self.skill,
            "robot": self.robot.name,
            "seed": self.seed,
            "minutes": self.minutes,
            "steps": self.steps,
            "tasks": self.tasks and str(self.tasks),
            "tasks_sha256": hash_of(self.task_file),
            "init": self.init and str(self.init),
            "init_sha256": self.init_sha256,
            "resumed": self.resumed,
        }


class Trained(Protocol):
    """What a card tells of a training: PPO and imitation both give it."""

    steps: int
    seconds: float

    def exported(self) -> dict[str, torch.Tensor]: ...


def make_ppo(
    run: TrainingRun,
    env: VectorEnv,
    config: PPOConfig,
    clone: dict[str, torch.Tensor] | None = None,
    spent: float = 0.0,
) -> PPO:
    """PPO at the beginning of a run: from scratch, from other weights or from its checkpoint.

    `clone`: tensors of a policy to begin with, which the run itself has made in `spent` s.
    """
    state = run.load_checkpoint()
    if state is not None:
        config = PPOConfig.of(state["config"])
    elif run.init is not None:
        config = continuation(config)
    if run.steps is not None:
        config = replace(config, steps=run.steps)
    ppo = PPO(env, config, run.seed, run.torch_device(), run.minutes)
    ppo.seconds = spent
    if state is not None:
        ppo.load_state(state)
    elif (initial := clone or run.initial()) is not None:
        try:
            ppo.model.adopt(initial)
        except ValueError as error:
            raise ConfigError(f"--init {run.init}: {error}") from error
    return ppo


def train_ppo(
    run: TrainingRun,
    env: VectorEnv,
    config: PPOConfig,
    clone: dict[str, torch.Tensor] | None = None,
    spent: float = 0.0,
) -> PPO:
    """Train with PPO, writing checkpoints into the run's folder; returns the trainer."""
    ppo = make_ppo(run, env, config, clone, spent)
    train(run, ppo, run.skill)
    return ppo


def save_policy(
    run: TrainingRun,
    trained: Trained,
    *,
    observation: tuple[Field, ...],
    action: tuple[ActionField, ...],
    max_steps: int,
    rate: float,
    limits: tuple[str, ...],
    licence: str,
    version: str = "1.0.0",
) -> None:
    """Write weights.pt and a card without figures; the evaluation adds those."""
    digest = save_weights(run.out, trained.exported())
    card = Card(
        format=2,
        skill=run.skill,
        version=version,
        robot=run.robot.name,
        sha256=digest,
        observation=tuple(
            ObservationPart(name=part.name, size=part.size, unit=part.unit) for part in observation
        ),
        action=tuple(
            ActionPart(name=part.name, unit=part.unit, low=part.low, high=part.high)
            for part in action
        ),
        max_steps=max_steps,
        rate_hz=rate,
        training=Training(
            command=run.command,
            seed=run.seed,
            steps=trained.steps,
            minutes=round(trained.seconds / 60, 1),
            tasks=run.task_file.name,
            tasks_sha256=hash_of(run.task_file),
            init_sha256=run.init_sha256,
            resumed=run.resumed,
        ),
        figures=(),
        limits=limits,
        licence=licence,
    )
    save_card(run.out, card)
