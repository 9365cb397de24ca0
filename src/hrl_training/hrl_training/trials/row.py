"""One trial of a skill: what is asked of it and what is written down about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import ConfigDict, TypeAdapter

from hrl_core.config import ConfigError
from hrl_core.robot import DEFAULT_ROBOT, Robot, load_robot
from hrl_training.trials.rows_file import Measured, checked

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
    robot_file: str = DEFAULT_ROBOT  # name or path

    @property
    def robot(self) -> Robot:
        """Who is measured; raises ConfigError."""
        return load_robot(self.robot_file)


@dataclass(frozen=True)
class Row:
    """One trial: what was drawn, what the skill said, what was true."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    seed: int
    success: bool  # by the plant's truth: all that the task asks
    label: str  # of LABELS: "ok" or why not
    code: str  # outcome code of the skill
    detail: str  # its sentence
    claimed: bool  # the skill's verdict
    achieved: bool  # what that verdict is about, by the plant's truth
    duration: Measured  # s
    factors: dict[str, Measured | str] = field(default_factory=dict)
    measures: dict[str, Measured] = field(default_factory=dict)  # errors m, rad; forces N; ratios
    touched: tuple[str, ...] = ()
    # What the robot knew at the start.
    conditions: dict[str, Measured] = field(default_factory=dict)
    chance: float | None = None  # of success, as the skill gave it before the start

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise ValueError(f"label {self.label!r}; allowed are {LABELS}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_ROW = TypeAdapter(Row)


def row_from_dict(content: dict[str, Any], place: str = "row") -> Row:
    """The inverse of Row.as_dict through JSON; raises ConfigError with `place` where it is none."""
    return checked(_ROW, content, place)


def skill_rows(content: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    """Rows in a file of `./hrl evaluate --json`, each as `Row.as_dict` has it.

    Raises ConfigError with the place of the file where one is something else.
    """
    rows = content.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{place}: no list `rows`; give a file of ./hrl evaluate --json")
    return [row_from_dict(row, f"{place}: rows.{k}").as_dict() for k, row in enumerate(rows)]


# Called after every control tick with the plant, to take pictures of a trial.
Watch = Callable[[Any], None]


class Trials(Protocol):
    """All trials of one skill, made with (tasks, options); one lives in each worker process."""

    def run(self, seed: int, watch: Watch | None = None) -> Row: ...
