"""How likely a skill is to succeed, from what is known before it starts.

`policies/<skill>/chances.yaml` is a logistic regression on the skill's `conditions` and their
squares, fitted by `./hrl calibrate` to the skill's own trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from hrl_core.config import Config, ConfigError, load_yaml
from hrl_core.sensed import Sensed
from hrl_skills.card import hash_of
from hrl_skills.library import policy_folder
from hrl_skills.runner import SkillRunner
from hrl_skills.skill import GoalRejected

FILE = "chances.yaml"


class Condition(Config):
    """One of a skill's conditions: where it lay in the trials, and what it adds to the logit."""

    name: str
    low: float  # beyond these, where there were no trials, it counts as at them
    high: float
    mean: float
    sd: float = pydantic.Field(gt=0)
    weight: float  # per standard deviation
    square: float  # per standard deviation squared

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Condition:
        if self.low > self.high:
            raise ValueError(f"{self.name!r}: low {self.low} must not be above high {self.high}")
        return self


class RowsFile(Config):
    """A file with rows of trials that the model was fitted to."""

    name: str
    sha256: str = pydantic.Field(pattern="^[0-9a-f]{64}$")


class Chances(Config):
    """The fitted model of one skill, and how well it did on trials that it had not seen."""

    format: Literal[1]
    skill: str
    conditions: tuple[Condition, ...]
    bias: float
    trials: pydantic.PositiveInt
    successes: pydantic.NonNegativeInt
    regularisation: pydantic.PositiveFloat  # chosen by cross-validation
    calibration_error: float = pydantic.Field(ge=0, le=1)  # cross-validated, expected
    brier_score: float = pydantic.Field(ge=0, le=1)  # cross-validated; 0 is perfect
    log_loss: pydantic.NonNegativeFloat  # cross-validated
    weights_sha256: str  # of the policy that made the trials
    rows: tuple[RowsFile, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Chances:
        if self.successes > self.trials:
            raise ValueError(f"{self.successes} successes in {self.trials} trials")
        names = [condition.name for condition in self.conditions]
        if len(set(names)) < len(names):
            raise ValueError(f"conditions: a name is there twice in {names}")
        return self

    def probability(self, conditions: Mapping[str, float]) -> float:
        """Chance of success, never quite 0 or 1; raises ConfigError where conditions lack one."""
        missing = [c.name for c in self.conditions if c.name not in conditions]
        if missing:
            raise ConfigError(
                f"chances of {self.skill}: no {missing}; given are {sorted(conditions)}"
            )
        logit = self.bias
        for condition in self.conditions:
            value = float(conditions[condition.name])
            if not np.isfinite(value):
                raise ConfigError(f"chances of {self.skill}: {condition.name} = {value}")
            z = (np.clip(value, condition.low, condition.high) - condition.mean) / condition.sd
            logit += condition.weight * z + condition.square * (z * z - 1.0)
        # So many trials say no more than that it is at least and at most this.
        margin = 1.0 / (self.trials + 2)
        return float(np.clip(sigmoid(logit), margin, 1.0 - margin))


@dataclass(frozen=True)
class Estimate:
    """An answer to: what if this goal began now? `probability` None: not known, see `detail`."""

    probability: float | None
    detail: str
    conditions: dict[str, float] = field(default_factory=dict)


def estimate(runner: SkillRunner, goal: Any, sensed: Sensed, chances: Chances | None) -> Estimate:
    """The chance of a goal that would start now; 0 with the reason where it could not start."""
    if runner.running:
        return Estimate(None, f"{runner.skill.name} runs a goal; ask when it is idle")
    try:
        runner.check(goal, sensed)
    except GoalRejected as error:
        return rejected(error)
    conditions = runner.skill.conditions(goal, sensed)
    if chances is None:
        return Estimate(None, f"{runner.skill.name} has no {FILE}; see ./hrl calibrate", conditions)
    return Estimate(
        chances.probability(conditions),
        f"fitted to {chances.trials} trials with {chances.successes} successes, expected "
        f"calibration error {chances.calibration_error:.3f}",
        conditions,
    )


def rejected(error: GoalRejected) -> Estimate:
    """The answer for a goal that must not start."""
    return Estimate(0.0, f"would be rejected ({error.code.name}): {error}")


def load_chances(skill: str, folder: Path | None = None) -> Chances | None:
    """The model of a skill, beside its policy or in `folder`; None: there is none.

    Raises ConfigError where it is wrong or was fitted to trials of other weights.
    """
    path = (folder or policy_folder(skill)) / FILE
    if not path.is_file():
        return None
    chances = load_yaml(path, Chances)
    if chances.skill != skill:
        raise ConfigError(f"{path}: skill is {chances.skill!r}; allowed here is {skill!r}")
    weights = path.with_name("weights.pt")
    if weights.is_file() and chances.weights_sha256 != hash_of(weights):
        raise ConfigError(
            f"{path}: weights_sha256 is {chances.weights_sha256}; weights.pt beside it has "
            f"{hash_of(weights)}: fit it to their trials by ./hrl calibrate {skill}, or delete it"
        )
    return chances


def sigmoid(logit: Any) -> Any:
    """Logit -> probability, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logit)))
