"""One training run: its folder, budget, progress, curves, checkpoints and resume."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from hrl_skills.policy import (
    ActionField,
    ActionPart,
    Card,
    Field,
    ObservationPart,
    Training,
    save_card,
    save_weights,
)
from hrl_training.ppo import PPO, PPOConfig, VectorEnv

CHECKPOINT_EVERY = 20  # updates


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What the command line asks of a skill's training."""

    skill: str
    seed: int
    out: Path  # folder for checkpoint.pt, curves, weights.pt and card.yaml
    minutes: float = math.inf
    steps: int | None = None  # the skill's own number if None
    resume: bool = False

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        words = ["./hrl train", self.skill, f"--seed {self.seed}"]
        if math.isfinite(self.minutes):
            words.append(f"--minutes {self.minutes:g}")
        if self.steps is not None:
            words.append(f"--steps {self.steps}")
        if self.resume:
            words.append("--resume")
        return " ".join(words)


class Trained(Protocol):
    """What a card tells of a training: PPO and imitation both give it."""

    steps: int
    seconds: float

    def exported(self) -> dict[str, torch.Tensor]: ...


def train_ppo(run: TrainingRun, env: VectorEnv, config: PPOConfig) -> PPO:
    """Train with PPO, writing checkpoints into the run's folder; returns the trainer."""
    if run.steps is not None:
        config = replace(config, steps=run.steps)
    run.out.mkdir(parents=True, exist_ok=True)
    checkpoint = run.out / "checkpoint.pt"
    ppo = PPO(env, config, run.seed)
    if run.resume:
        if not checkpoint.is_file():
            raise FileNotFoundError(f"--resume: {checkpoint} does not exist; train first")
        ppo.load_state(torch.load(checkpoint, weights_only=True))
    curves = _curves(run.out)
    columns = (
        TextColumn(run.skill),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[line]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("train", total=1.0, line="")
        updates = 0

        def report(figures: dict[str, float]) -> None:
            nonlocal updates
            updates += 1
            line = (
                f"{ppo.steps / 1e6:.2f}M steps, {figures['steps_per_second']:.0f}/s, "
                f"reward {figures['reward']:.3f}, "
                f"{figures['terminated']:.0f} of {figures['episodes']:.0f} episodes terminated"
            )
            progress.update(task, completed=ppo.progress(run.minutes), line=line)
            if updates % CHECKPOINT_EVERY == 0:
                save_checkpoint(checkpoint, ppo)
                if not progress.console.is_terminal:
                    progress.console.print(line)
            if curves is not None:
                for name, value in figures.items():
                    curves.add_scalar(name, value, ppo.steps)

        ppo.train(run.minutes, report)
    save_checkpoint(checkpoint, ppo)
    if curves is not None:
        curves.close()
    return ppo


def save_checkpoint(path: Path, ppo: PPO) -> None:
    """Write a checkpoint whole or not at all: a kill must not leave half a file."""
    partial = path.with_suffix(".partial")
    torch.save(ppo.state(), partial)
    partial.replace(path)


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
        skill=run.skill,
        version=version,
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
        ),
        figures=(),
        limits=limits,
        licence=licence,
    )
    save_card(run.out, card)


def _curves(folder: Path) -> Any:
    """A TensorBoard writer, or None where the package tensorboard is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "curves"))
