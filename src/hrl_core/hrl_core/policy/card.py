"""The card of a trained policy: what goes in and out, how it was trained, how well it does.

`policies/<skill>/card.yaml` lies beside the weights and names them by their hash. Training writes
it, evaluation adds figures to it, and the loader in hrl_core.policy.policy refuses what disagrees.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import pydantic
import yaml

from hrl_core.config import Config, ConfigError, find_config, load_yaml

AnyCard = TypeVar("AnyCard", bound=Config)
Version = Annotated[str, pydantic.Field(pattern=r"^\d+\.\d+\.\d+$")]
Sha256 = Annotated[str, pydantic.Field(pattern="^[0-9a-f]{64}$")]


class PolicyError(ConfigError):
    """Weights or a card that cannot be used; the message names the place, value and choices."""


@dataclass(frozen=True)
class Field:
    """One named part of an observation, declared next to the function that builds it."""

    name: str
    size: int
    unit: str


@dataclass(frozen=True)
class ActionField:
    """One action with the range that the policy's output is clipped to."""

    name: str
    unit: str
    low: float = -1.0
    high: float = 1.0


class ObservationPart(Config):
    name: str
    size: pydantic.PositiveInt
    unit: str


class ActionPart(Config):
    name: str
    unit: str
    low: float
    high: float

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> ActionPart:
        if not self.low < self.high:
            raise ValueError(f"action {self.name!r}: low {self.low} must be below high {self.high}")
        return self


class Figure(Config):
    """Something that was measured, and the command that measures it again."""

    metric: str
    value: float
    interval: tuple[float, float] | None = None  # 95 %
    trials: pydantic.PositiveInt
    command: str
    seed: int | None = None  # of the first trial
    tasks: str | None = None  # name of the task file


class Comparison(Config):
    """The learned policy and a script that sees the same observations, on the same trials."""

    on: str  # which trials: all, the hard half
    learned: Figure
    script: Figure


class TrainedSeed(Config):
    """One of several trainings that differ only in their seed, and how well it came out."""

    seed: int
    sha256: Sha256  # of its weights
    figure: Figure


class Training(Config):
    """How the weights came about."""

    command: str
    seed: int
    steps: pydantic.PositiveInt  # control steps over all environments
    minutes: pydantic.NonNegativeFloat
    tasks: str | None = None  # name of the task file that it drew from
    tasks_sha256: Sha256 | None = None
    init_sha256: Sha256 | None = None  # of the weights that it started from; None: from scratch
    resumed: pydantic.NonNegativeInt = 0  # how often it was interrupted and went on
    seeds: tuple[TrainedSeed, ...] = ()


class Card(Config):
    """What a policy is, measured by the commands that it names."""

    format: Literal[2]  # a reader of another format would misread it
    skill: str
    version: Version
    robot: str  # name of the robot file that it was trained with
    sha256: Sha256
    observation: tuple[ObservationPart, ...] = pydantic.Field(min_length=1)
    action: tuple[ActionPart, ...] = pydantic.Field(min_length=1)
    max_steps: pydantic.PositiveInt  # N: a run of the skill ends after so many
    rate_hz: pydantic.PositiveFloat
    training: Training
    figures: tuple[Figure, ...]
    comparisons: tuple[Comparison, ...] = ()
    limits: tuple[str, ...] = pydantic.Field(min_length=1)
    licence: str  # of the robot model


def load_card(path: Path, model: type[AnyCard] = Card) -> AnyCard:
    """Read and check a card; raises PolicyError."""
    try:
        card = load_yaml(path, model)
        if isinstance(card, Card):
            find_config("robots", card.robot)
    except (ConfigError, ValueError, RecursionError) as error:
        place = "" if str(error).startswith(str(path)) else f"{path}: "
        raise PolicyError(f"{place}{error}") from error
    return card


def save_card(folder: Path, card: Config) -> None:
    """Write card.yaml into a folder."""
    content = yaml.safe_dump(card.model_dump(mode="json"), sort_keys=False, width=96)
    (folder / "card.yaml").write_text(content, encoding="utf-8")


def add_training_seed(folder: Path, trained: Path, figure: Figure) -> Card:
    """Note in the card of `folder` how well the training of another seed came out.

    `trained` is the folder of that training (weights and card); `figure` was measured with it. A
    seed that the card already has is replaced. Returns the new card; raises PolicyError.
    """
    card, other = load_card(folder / "card.yaml"), load_card(trained / "card.yaml")
    if other.skill != card.skill:
        raise PolicyError(
            f"{trained / 'card.yaml'}: skill is {other.skill!r}; allowed here is {card.skill!r}"
        )
    seed = other.training.seed
    entry = TrainedSeed(seed=seed, sha256=hash_of(trained / "weights.pt"), figure=figure)
    kept = [old for old in card.training.seeds if old.seed != seed]
    seeds = tuple(sorted([*kept, entry], key=lambda one: one.seed))
    training = card.training.model_copy(update={"seeds": seeds})
    card = card.model_copy(update={"training": training})
    save_card(folder, card)
    return card


def hash_of(path: Path) -> str:
    """sha256 of a file; raises PolicyError where it cannot be read."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def read_bytes(path: Path) -> bytes:
    """A file's content; raises PolicyError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error
