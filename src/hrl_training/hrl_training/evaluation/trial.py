"""One trial of a skill: what is asked of it and what is written down about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from hrl_training import foreign

LABELS = (
    "ok",
    "not found",
    "not reached",
    "not grasped",
    "dropped",
    "tipped",
    "collided",
    "fell",
    "timed out",
    "refused",
    "false success",
    "false failure",
)
Policy = Literal["learned", "script"]


@dataclass(frozen=True)
class Options:
    """How the trials are run."""

    policy: Policy = "learned"
    vision: bool = True  # False: true poses instead of cameras
    folder: Path | None = None  # weights and card to measure; None: those shipped


@dataclass(frozen=True)
class Row:
    """One trial: what was drawn, what the skill said, what was true."""

    seed: int
    success: bool  # by the plant's truth: all that the task asks
    label: str  # of LABELS: "ok" or why not
    code: str  # outcome code of the skill
    detail: str  # its sentence
    claimed: bool  # the skill's verdict
    achieved: bool  # what that verdict is about, by the plant's truth
    duration: float  # s
    factors: dict[str, float | str] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)  # errors m, rad; forces N; ratios
    touched: tuple[str, ...] = ()
    conditions: dict[str, float] = field(default_factory=dict)  # what the robot knew at the start
    chance: float | None = None  # of success, as the skill gave it before the start

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise ValueError(f"label {self.label!r}; allowed are {LABELS}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# Called after every control tick with the plant, to take pictures of a trial.
Watch = Callable[[Any], None]


class Trials(Protocol):
    """All trials of one skill; one object lives in each worker process."""

    def run(self, seed: int, watch: Watch | None = None) -> Row: ...


def make_trials(skill: str, tasks: Any, options: Options) -> Trials:
    """The trials of a skill; heavy imports happen here."""
    if skill == "gait":
        from hrl_training.gait_trials import GaitTrials

        return GaitTrials(tasks, options)
    if skill in ("walk", "approach"):
        from hrl_training.navigation_trials import NavigationTrials

        return NavigationTrials(skill, tasks, options)
    if skill in ("grasp", "place"):
        from hrl_training.manipulation_trials import ManipulationTrials

        return ManipulationTrials(skill, tasks, options)
    return foreign.load(foreign.TRIALS, skill)(tasks, options)
