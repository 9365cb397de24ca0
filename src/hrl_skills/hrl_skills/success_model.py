"""How likely a skill is to succeed, from what is known before it starts.

`policies/<robot>/<skill>/success_model.yaml` is a logistic regression on the skill's `conditions`
and their squares, fitted by `./hrl calibrate` to the skill's own trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from hrl_core.config import Config, ConfigError, load_yaml
from hrl_core.policy.card import hash_of
from hrl_core.sensed import Sensed
from hrl_skills.library import policy_folder
from hrl_skills.runner import SkillRunner
from hrl_skills.skill import GoalRejected

FILE = "success_model.yaml"
FORMER_FILE = "chances.yaml"

OF_ITEMS = ("item_half_width_m", "item_height_m", "item_mass_kg")  # conditions that bound its use
BEYOND = 0.05  # of their range; so near to its trials a model still holds


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


class SuccessModel(Config):
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
    def _consistent(self) -> SuccessModel:
        if self.successes > self.trials:
            raise ValueError(f"{self.successes} successes in {self.trials} trials")
        names = [condition.name for condition in self.conditions]
        if len(set(names)) < len(names):
            raise ValueError(f"conditions: a name is there twice in {names}")
        return self

    def outside(self, conditions: Mapping[str, float]) -> list[str]:
        """Measures of the item that its trials did not have, each in words."""
        return [
            f"{c.name} = {conditions[c.name]:.3g}, fitted to {c.low:.3g} to {c.high:.3g}"
            for c in self.conditions
            if c.name in OF_ITEMS
            and not c.low - BEYOND * (c.high - c.low)
            <= conditions[c.name]
            <= c.high + BEYOND * (c.high - c.low)
        ]

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


def estimate(
    runner: SkillRunner, goal: Any, sensed: Sensed, model: SuccessModel | None
) -> Estimate:
    """The chance of a goal that would start now; 0 with the reason where it could not start."""
    if runner.running:
        return Estimate(None, f"{runner.skill.name} runs a goal; ask when it is idle")
    try:
        runner.check(goal, sensed)
    except GoalRejected as error:
        return rejected(error)
    conditions = runner.skill.conditions(goal, sensed)
    if model is None:
        return Estimate(None, f"{runner.skill.name} has no {FILE}; see ./hrl calibrate", conditions)
    if outside := model.outside(conditions):
        return Estimate(None, f"outside its data: {'; '.join(outside)}", conditions)
    return Estimate(
        model.probability(conditions),
        f"fitted to {model.trials} trials with {model.successes} successes, expected "
        f"calibration error {model.calibration_error:.3f}",
        conditions,
    )


def rejected(error: GoalRejected) -> Estimate:
    """The answer for a goal that must not start."""
    return Estimate(0.0, f"would be rejected ({error.code.name}): {error}")


def load_success_model(skill: str, robot: str, folder: Path | None = None) -> SuccessModel | None:
    """The model of a robot's skill, beside its policy or in `folder`; None: there is none.

    Raises ConfigError where it is wrong, has its former name or was fitted to trials of other
    weights.
    """
    path = (folder or policy_folder(skill, robot)) / FILE
    if not path.is_file():
        former = path.with_name(FORMER_FILE)
        if former.is_file():
            raise ConfigError(f"{former}: such a file is called {FILE} now; rename it")
        return None
    model = load_yaml(path, SuccessModel)
    if model.skill != skill:
        raise ConfigError(f"{path}: skill is {model.skill!r}; allowed here is {skill!r}")
    weights = path.with_name("weights.pt")
    if weights.is_file() and model.weights_sha256 != hash_of(weights):
        raise ConfigError(
            f"{path}: weights_sha256 is {model.weights_sha256}; weights.pt beside it has "
            f"{hash_of(weights)}: fit it to their trials by ./hrl calibrate {skill}, or delete it"
        )
    return model


def sigmoid(logit: Any) -> Any:
    """Logit -> probability, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logit)))
