"""How skills end and how long they take, fitted to trials in physics: `./hrl fit-outcomes`.

Rows of `./hrl evaluate SKILL --json` give the share of failures without any disturbance and a
linear duration over conditions that a layout alone can tell; missions of `./hrl trials --json` give
the durations of the endings that disturbances bring about.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
from pydantic import TypeAdapter, model_validator

from hrl_core.config import Config, ConfigError, shown
from hrl_core.outcomes import Code
from hrl_core.paths import file_to_write
from hrl_training.missions.row import mission_rows
from hrl_training.trials.row import skill_rows
from hrl_training.trials.rows_file import checked, read_json

SHIPPED = Path(__file__).parent / "skill_outcomes.json"
QUANTILES = np.linspace(0, 1, 21)
# What the duration of a skill is linear in, among its conditions.
FEATURES = {
    "walk": ("way_m", "narrowest_m", "turn_to_goal_rad"),
    "approach": ("distance_m", "turn_rad"),
    "grasp": ("board_height_m",),
    "place": ("board_height_m",),
}
LEAST_ROWS = 30


def code_name(name: str) -> str:
    """The name, where an outcome has it; raises ValueError."""
    if name not in Code.__members__:
        raise ValueError(f"no outcome is called {shown(name)}")
    return name


CodeName = Annotated[str, pydantic.AfterValidator(code_name)]
AtQuantiles = Annotated[
    tuple[Annotated[float, pydantic.Field(ge=0, le=1e4)], ...],
    pydantic.Field(min_length=len(QUANTILES), max_length=len(QUANTILES)),
]


class Ending(Config):
    """One way in which a skill ends: how often it did, and how long that took."""

    count: pydantic.NonNegativeInt
    durations: AtQuantiles  # s


class SkillOutcomes(Config):
    """What was measured of one skill."""

    trials: pydantic.PositiveInt
    successes: pydantic.NonNegativeInt
    features: tuple[str, ...]
    weights: tuple[float, ...]  # s per unit of each feature, and the constant last
    spread: AtQuantiles  # of measured over fitted duration
    failures: dict[CodeName, Ending] = pydantic.Field(min_length=1)  # without a disturbance

    @model_validator(mode="after")
    def _has_a_weight_for_each_feature(self) -> SkillOutcomes:
        if len(self.weights) != len(self.features) + 1:
            raise ValueError(f"weights: needed are {len(self.features) + 1}, the constant last")
        if not any(ending.count for ending in self.failures.values()):
            raise ValueError("failures: the counts are all 0; allowed are some that are more")
        return self

    def duration(self, conditions: Mapping[str, float]) -> float:
        """Fitted duration [s] of a success."""
        known = sum(w * conditions[f] for w, f in zip(self.weights, self.features, strict=False))
        return max(float(known + self.weights[-1]), 1.0)


class Source(Config):
    """A file that the model was fitted to."""

    name: str
    sha256: str


class OutcomeModel(Config):
    """Endings and durations of all skills."""

    format: Literal[1]
    skills: dict[str, SkillOutcomes]
    endings: dict[str, dict[CodeName, Ending]]  # skill -> code -> as missions in physics went
    sources: tuple[Source, ...]

    @model_validator(mode="after")
    def _has_every_skill(self) -> OutcomeModel:
        found = {skill: of.features for skill, of in self.skills.items()}
        if found != FEATURES:
            raise ValueError(f"skills and their features: allowed are {FEATURES}")
        return self

    def draw_success(
        self, skill: str, conditions: Mapping[str, float], rng: np.random.Generator
    ) -> float:
        """A duration [s] of a success under these conditions."""
        of = self.skills[skill]
        return of.duration(conditions) * float(np.interp(rng.random(), QUANTILES, of.spread))

    def draw_failure(self, skill: str, rng: np.random.Generator) -> tuple[Code, float]:
        """A failure without a cause in the scene, and how long it took [s]."""
        failures = self.skills[skill].failures
        names = sorted(failures)
        counts = np.array([failures[name].count for name in names], float)
        name = names[rng.choice(len(names), p=counts / counts.sum())]
        return Code[name], float(np.interp(rng.random(), QUANTILES, failures[name].durations))

    def draw_ending(self, skill: str, code: Code, rng: np.random.Generator) -> float:
        """How long [s] it took where a skill ended so in missions; raises ConfigError."""
        ending = self.endings.get(skill, {}).get(code.name)
        ending = ending or self.skills[skill].failures.get(code.name)
        if ending is None:
            known = sorted(self.endings.get(skill, {}))
            raise ConfigError(f"outcomes: {skill} never ended with {code.name}; known: {known}")
        return float(np.interp(rng.random(), QUANTILES, ending.durations))


def load_outcomes(path: Path = SHIPPED) -> OutcomeModel:
    """Read a fitted model; raises ConfigError."""
    return checked(TypeAdapter(OutcomeModel), read_json(path)[0], str(path), strict=False)


def fit(rows: Sequence[Path], missions: Sequence[Path]) -> OutcomeModel:
    """Fit the model to files of rows of skills and of missions; raises ConfigError."""
    by_skill: dict[str, list[dict[str, Any]]] = defaultdict(list)
    sources = []
    for path in rows:
        content = _read(path, sources)
        summary = content.get("summary")
        skill = summary.get("skill") if isinstance(summary, dict) else None
        if skill not in FEATURES:
            raise ConfigError(f"{path}: summary.skill = {skill!r}: allowed are {sorted(FEATURES)}")
        by_skill[skill] += skill_rows(content, str(path))
    missing = sorted(FEATURES.keys() - by_skill.keys())
    if missing:
        raise ConfigError(f"no rows of {missing}; needed are rows of {sorted(FEATURES)}")
    durations: dict[tuple[str, str], list[float]] = defaultdict(list)
    for path in missions:
        for mission in mission_rows(_read(path, sources), str(path)):
            for made in mission.decisions:
                if made["ended_s"] is not None and made["outcome"]:
                    spent = made["ended_s"] - made["began_s"]
                    durations[made["skill"], made["outcome"]].append(spent)
    endings: dict[str, dict[str, Ending]] = defaultdict(dict)
    for (skill, code), values in sorted(durations.items()):
        endings[skill][code] = _ending(values)
    try:
        return OutcomeModel(
            format=1,
            skills={skill: _fit_skill(skill, by_skill[skill]) for skill in FEATURES},
            endings=dict(endings),
            sources=tuple(sources),
        )
    except pydantic.ValidationError as error:
        wrong = error.errors()[0]
        files = ", ".join(str(path) for path in (*rows, *missions))
        key = ".".join(str(part) for part in wrong["loc"])
        raise ConfigError(
            f"{files}: no model can be fitted to these: {shown(key)[1:-1]} = "
            f"{shown(wrong['input'])}: {wrong['msg']}"
        ) from error


def _fit_skill(skill: str, rows: list[dict[str, Any]]) -> SkillOutcomes:
    done = [row for row in rows if row["code"] == "SUCCEEDED" and row.get("conditions")]
    if len(done) < LEAST_ROWS:
        raise ConfigError(f"{len(done)} successes of {skill}; {LEAST_ROWS} or more are needed")
    names = FEATURES[skill]
    if lacking := [name for name in names if any(name not in row["conditions"] for row in done)]:
        raise ConfigError(f"rows of {skill} without the conditions {lacking}; needed are {names}")
    table = np.array([[*(row["conditions"][name] for name in names), 1.0] for row in done])
    measured = np.array([row["duration"] for row in done])
    weights = np.linalg.lstsq(table, measured, rcond=None)[0]
    spread = np.quantile(measured / np.maximum(table @ weights, 1.0), QUANTILES)
    failed: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["code"] != "SUCCEEDED":
            failed[row["code"]].append(row["duration"])
    # As if half a trial more had run out of steps: no skill is perfect for having been tried little
    counts = Counter({code: len(values) for code, values in failed.items()})
    if not counts:
        failed["STEP_LIMIT"] = [float(measured.max())]
    return SkillOutcomes(
        trials=len(rows),
        successes=len(done),
        features=names,
        weights=tuple(round(float(w), 4) for w in weights),
        spread=tuple(round(float(s), 4) for s in spread),
        failures={code: _ending(values) for code, values in sorted(failed.items())},
    )


def _ending(values: list[float]) -> Ending:
    quantiles = np.quantile(values, QUANTILES)
    return Ending(count=len(values), durations=tuple(round(float(q), 2) for q in quantiles))


def _read(path: Path, sources: list[Source]) -> dict[str, Any]:
    content, raw = read_json(path)
    sources.append(Source(name=path.name, sha256=hashlib.sha256(raw).hexdigest()))
    return content


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl fit-outcomes", description=__doc__)
    parser.add_argument(
        "--rows",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="of ./hrl evaluate SKILL --json, for every skill",
    )
    parser.add_argument(
        "--missions",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="of ./hrl trials --json, with disturbances",
    )
    parser.add_argument(
        "--out", type=file_to_write, default=SHIPPED, help="default: the shipped model"
    )
    options = parser.parse_args(arguments)
    model = fit(options.rows, options.missions)
    options.out.write_text(model.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for skill, of in model.skills.items():
        ends = {code: ending.count for code, ending in of.failures.items()}
        print(f"{skill}: {of.successes} of {of.trials}; failures {ends}")
    for skill, endings in model.endings.items():
        seen = {code: f"{e.count} x {np.median(e.durations):.1f} s" for code, e in endings.items()}
        print(f"{skill} in missions: {seen}")
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
