"""One training run, whatever is trained: its folder, budget, progress, curves and checkpoints."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard.writer import SummaryWriter

from hrl_core.config import ConfigError

CHECKPOINT_EVERY = 30.0  # s: a kill costs no more


class TrainingInterrupted(Exception):
    """Somebody stopped the training; its checkpoint is written."""


class Trainer(Protocol):
    """What improves update by update: PPO, a clone of a script, the master."""

    @property
    def steps(self) -> int:
        """What is done, in the unit of the curves: control steps, epochs or missions."""
        ...

    @property
    def progress(self) -> float:
        """Share of the training that is done; from 1 on it ends."""
        ...

    def improve(self) -> dict[str, float]:
        """One update; figures for the curves."""
        ...

    def state(self) -> dict[str, Any]:
        """All that a resume needs, as tensors and plain values."""
        ...

    def line(self, figures: Mapping[str, float]) -> str:
        """The figures of the last update for a person who waits."""
        ...

    def so_far(self) -> str:
        """How far an interrupted training came, after the word `stopped`."""
        ...


def updates(trainer: Trainer) -> Iterator[dict[str, float]]:
    """Improve until the training is done; the figures of every update."""
    while trainer.progress < 1.0:
        yield trainer.improve()


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a training writes and when it ends."""

    seed: int
    out: Path  # folder for checkpoint.pt, curves, weights and card
    minutes: float = math.inf
    resume: bool = False
    _signals: list[int] = field(default_factory=list, repr=False, compare=False)  # received

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def save_checkpoint(self, state: dict) -> None:
        """Write tensors and plain values whole or not at all: a kill must not leave half a file."""
        self.out.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".partial")
        torch.save({"run": self.noted(), "state": state}, partial)
        partial.replace(self.checkpoint)

    def load_checkpoint(self) -> dict | None:
        """What the last `save_checkpoint` was given, where this run goes on from it."""
        return self.read_checkpoint()["state"] if self.resume else None

    def noted(self) -> dict[str, Any]:
        """What a checkpoint notes of the run that wrote it."""
        return {"seed": self.seed}

    def read_checkpoint(self) -> dict:
        """`run` and `state` of the checkpoint; raises ConfigError where there is no whole one."""
        if not self.checkpoint.is_file():
            raise ConfigError(f"--resume: {self.checkpoint} does not exist; train first")
        try:
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            return {"run": content["run"], "state": content["state"]}
        # It raises whatever its unpickler stumbles over, and advises to load what is not safe.
        except Exception as error:
            raise ConfigError(
                f"--resume: {self.checkpoint}: not a checkpoint, or damaged"
            ) from error

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


def train(run: Run, trainer: Trainer, title: str) -> None:
    """Improve until the training is done, with progress, curves and checkpoints.

    Raises TrainingInterrupted after the update in which somebody stopped it.
    """
    columns = (
        TextColumn(title),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[line]}"),
        TimeRemainingColumn(),
    )
    saved = -math.inf  # s, time of the last checkpoint
    with run.interruptible(), run.curves(trainer.steps) as curves, Progress(*columns) as progress:
        task = progress.add_task("train", total=1.0, line="")
        for figures in updates(trainer):
            line = trainer.line(figures)
            progress.update(task, completed=trainer.progress, line=line)
            curves(figures, trainer.steps)
            if time.monotonic() - saved > CHECKPOINT_EVERY:
                run.save_checkpoint(trainer.state())
                saved = time.monotonic()
                if not progress.console.is_terminal:
                    progress.console.print(line)
            if run.interrupted:
                run.save_checkpoint(trainer.state())
                raise TrainingInterrupted(f"stopped {trainer.so_far()}")
    run.save_checkpoint(trainer.state())
