"""The card of an experiment: family, timescales, learning rates and guards."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, model_validator

from hrl_core.config import Config, ConfigError, load_yaml
from hrl_training.mlsh.masters.gradient import Kind
from hrl_training.mlsh.tasks.aisles import Aisles
from hrl_training.mlsh.tasks.bandits import Bandits
from hrl_training.mlsh.tasks.family import TaskFamily
from hrl_training.mlsh.tasks.four_rooms import FourRooms

FOLDER = Path(__file__).with_name("experiments")
FamilyName = Literal["bandits", "four_rooms", "aisles"]
FAMILIES: tuple[FamilyName, ...] = get_args(FamilyName)
MADE_BY: dict[FamilyName, type[TaskFamily]] = {
    "bandits": Bandits,
    "four_rooms": FourRooms,
    "aisles": Aisles,
}
OnCollapse = Literal["repair", "stop", "ignore"]


class Experiment(Config):
    """All numbers of one training; the default ones of a family are its card's."""

    family: FamilyName
    options: int = Field(ge=1, le=16)  # K
    option_steps: int = Field(ge=1, le=1000)  # N: an option hands back after so many steps
    doorways: bool = False  # four rooms: or where it enters a doorway
    dense: bool = True  # aisles: rewards on the way, not only on arrival
    tasks: int = Field(ge=1, le=256)  # at once
    episodes: int = Field(ge=1, le=1000)  # of each task in an iteration
    warmup: int = Field(ge=0, le=1000)  # W: iterations of a cycle in which the master learns alone
    joint: int = Field(ge=1, le=1000)  # U: iterations in which sub-policies learn as well
    cycles: int = Field(ge=1, le=100_000)
    master: Kind = "network"
    master_rate: float = Field(gt=0, le=1)
    option_rate: float = Field(gt=0, le=1)
    option_epochs: int = Field(ge=1, le=100)
    minibatches: int = Field(ge=1, le=100)
    hidden: tuple[int, ...] = (32, 32)
    stratified: bool = False  # guard: of every kind equally many tasks in an iteration
    task_information: float = Field(default=0.0, ge=0)  # guard: weight in the master's reward
    distinction: float = Field(default=0.0, ge=0)  # guard: weight in the sub-policies' reward
    on_collapse: OnCollapse = "repair"
    check_every: int = Field(default=0, ge=0)  # cycles between tests for collapse; 0: none
    check_from: float = Field(default=0.5, ge=0, le=1)  # share of the training; before, all is poor
    scale: float = Field(gt=0)  # of a good return, as reported: what Thompson and Q begin with

    @model_validator(mode="after")
    def _options_fit_into_episodes(self) -> Experiment:
        horizon = MADE_BY[self.family].horizon
        if self.option_steps > horizon:
            raise ValueError(f"option_steps {self.option_steps}: allowed are 1 to {horizon}")
        return self

    @property
    def iterations(self) -> int:
        return self.cycles * (self.warmup + self.joint)

    def make_family(self) -> TaskFamily:
        if self.family == "four_rooms":
            return FourRooms(self.doorways)
        return Aisles(self.dense) if self.family == "aisles" else Bandits()


def load_experiment(name: str | Path) -> Experiment:
    """A family's card, or the file that is given; raises ConfigError."""
    if str(name) in FAMILIES:
        return load_yaml(FOLDER / f"{name}.yaml", Experiment)
    if Path(name).suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"unknown tasks {str(name)[:60]!r}; known: {[*FAMILIES]}, or a .yaml card"
        )
    return load_yaml(name, Experiment)
