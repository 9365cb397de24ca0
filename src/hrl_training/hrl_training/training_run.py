"""One training run: its folder, budget, progress, curves, checkpoints, and how it goes on."""

from __future__ import annotations

import math
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard.writer import SummaryWriter

from hrl_core.config import ConfigError
from hrl_skills.card import (
    ActionField,
    ActionPart,
    Card,
    Field,
    ObservationPart,
    Training,
    hash_of,
    save_card,
)
from hrl_skills.library import load_policy_of, policy_folder
from hrl_skills.policy import save_weights
from hrl_training.evaluation.tasks import Tasks, load_tasks, task_file
from hrl_training.ppo import PPO, PPOConfig, VectorEnv, continuation

CHECKPOINT_EVERY = 30.0  # s: a kill costs no more
DEVICES = ("auto", "cpu", "cuda")


class TrainingInterrupted(Exception):
    """Somebody stopped the training; its checkpoint is written."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What the command line asks of a skill's training."""

    skill: str
    seed: int
    out: Path  # folder for checkpoint.pt, curves, weights.pt and card.yaml
    minutes: float = math.inf
    steps: int | None = None  # the skill's own number if None
    tasks: Path | None = None  # task file to draw from; None: config/tasks/<skill>.yaml
    init: Path | None = None  # folder with weights and card to start from; None: from scratch
    resume: bool = False
    device: str = "auto"  # of DEVICES
    init_sha256: str | None = None  # of the weights that it started from
    resumed: int = 0  # how often it went on from a checkpoint
    _signals: list[int] = field(default_factory=list, repr=False, compare=False)  # received

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        words = ["./hrl", "train", self.skill, "--seed", str(self.seed)]
        if self.tasks is not None:
            words += ["--tasks", str(self.tasks)]
        if self.init is not None:
            shipped = self.init == policy_folder(self.skill)
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
        policy = load_policy_of(self.skill, self.init)
        return {name: torch.from_numpy(array.copy()) for name, array in policy.tensors.items()}

    # Checkpoints, curves, interruptions: for every kind of training

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def save_checkpoint(self, state: dict) -> None:
        """Write tensors and plain values whole or not at all: a kill must not leave half a file."""
        self.out.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".partial")
        torch.save({"run": self._noted(), "state": state}, partial)
        partial.replace(self.checkpoint)

    def load_checkpoint(self) -> dict | None:
        """What the last `save_checkpoint` was given, where this run goes on from it."""
        return self._read_checkpoint()["state"] if self.resume else None

    def going_on(self, seed: int | None) -> TrainingRun:
        """This run as its checkpoint notes it; only `steps` and `minutes` may be given anew."""
        noted = self._read_checkpoint()["run"]
        given = {"skill": self.skill, "seed": seed, "tasks": self.tasks, "init": self.init}
        for name, value in given.items():
            if value is not None and str(value) != str(noted[name]):
                raise ConfigError(
                    f"--resume: {self.checkpoint} is of {name} {noted[name]}; "
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

    def _noted(self) -> dict[str, Any]:
        return {
            "skill": self.skill,
            "seed": self.seed,
            "minutes": self.minutes,
            "steps": self.steps,
            "tasks": self.tasks and str(self.tasks),
            "tasks_sha256": hash_of(self.task_file),
            "init": self.init and str(self.init),
            "init_sha256": self.init_sha256,
            "resumed": self.resumed,
        }

    def _read_checkpoint(self) -> dict:
        if not self.checkpoint.is_file():
            raise ConfigError(f"--resume: {self.checkpoint} does not exist; train first")
        try:
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            return {"run": content["run"], "state": content["state"]}
        except Exception as error:  # torch raises whatever its unpickler stumbles over
            raise ConfigError(f"--resume: {self.checkpoint}: not a checkpoint: {error}") from error

    @contextmanager
    def curves(self, steps: int = 0) -> Iterator[Callable[[Mapping[str, float], int], None]]:
        """TensorBoard curves in <out>/curves: call with figures and the steps done so far.

        Curves of a killed run that go beyond `steps`, where this one goes on, are hidden.
        """
        writer = SummaryWriter(str(self.out / "curves"), purge_step=steps or None)

        def add(figures: Mapping[str, float], step: int) -> None:
            for name, value in figures.items():
                writer.add_scalar(name, value, step)

        try:
            yield add
        finally:
            writer.close()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM wait until `interrupted` is asked; a second one does not."""

        def note(number: int, _: object) -> None:
            self._signals.append(number)
            if len(self._signals) > 1:
                raise KeyboardInterrupt

        self._signals.clear()
        before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    @property
    def interrupted(self) -> bool:
        """Whether somebody wants the run to end: save a checkpoint, raise TrainingInterrupted."""
        return bool(self._signals)


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
    ppo = PPO(env, config, run.seed, run.torch_device())
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
    columns = (
        TextColumn(run.skill),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[line]}"),
        TimeRemainingColumn(),
    )
    saved = -math.inf  # s, time of the last checkpoint
    with run.interruptible(), run.curves(ppo.steps) as curves, Progress(*columns) as progress:
        task = progress.add_task("train", total=1.0, line="")

        def report(figures: dict[str, float]) -> None:
            nonlocal saved
            line = (
                f"{ppo.steps / 1e6:.2f}M steps, {figures['steps_per_second']:.0f}/s, "
                f"reward {figures['reward']:.3f}, "
                f"{figures['terminated']:.0f} of {figures['episodes']:.0f} episodes terminated"
            )
            progress.update(task, completed=ppo.progress(run.minutes), line=line)
            curves(figures, ppo.steps)
            if time.monotonic() - saved > CHECKPOINT_EVERY:
                run.save_checkpoint(ppo.state())
                saved = time.monotonic()
                if not progress.console.is_terminal:
                    progress.console.print(line)
            if run.interrupted:
                run.save_checkpoint(ppo.state())
                raise TrainingInterrupted(f"stopped after {ppo.steps} of {ppo.config.steps} steps")

        ppo.train(run.minutes, report)
    run.save_checkpoint(ppo.state())
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
    robot: str = "spot",
) -> None:
    """Write weights.pt and a card without figures; the evaluation adds those."""
    digest = save_weights(run.out, trained.exported())
    card = Card(
        format=2,
        skill=run.skill,
        version=version,
        robot=robot,
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
