"""Fit how likely a skill is to succeed to its own trials: `./hrl calibrate SKILL --rows FILE`.

Logistic regression on standardised conditions and their squares. How strongly weights are held
back is chosen by cross-validation, so that a handful of failures does not make a model of noise.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from hrl_core.config import ConfigError
from hrl_core.paths import file_to_write
from hrl_core.robot import DEFAULT_ROBOT, load_robot
from hrl_skills.library import policy_folder
from hrl_skills.success_model import FILE, Condition, RowsFile, SuccessModel, sigmoid
from hrl_training.trials.rows_file import read_json
from hrl_training.trials.statistics import expected_calibration_error

FOLDS = 5
PENALTIES = tuple(np.logspace(-1, 4, 11).tolist())  # of squared weights, in units of one trial
LEAST_TRIALS = 50
NEWTON_STEPS = 50  # at most; about eight are needed
CLIP = 1e-6  # of probabilities, in the log loss


@dataclass(frozen=True)
class Rows:
    """Conditions (n, k) of n trials by name, which of them succeeded (n,), and where they are."""

    names: tuple[str, ...]
    values: np.ndarray
    successes: np.ndarray
    files: tuple[RowsFile, ...]
    weights_sha256: str


@dataclass(frozen=True)
class Fit:
    """A fitted model; `scale` has the rows low, high, mean, sd of each condition."""

    scale: np.ndarray  # (4, k)
    weights: np.ndarray  # (2 k + 1,): of conditions, of squares, bias

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Values (n, k) -> chances (n,)."""
        return sigmoid(_features(values, self.scale) @ self.weights)


@dataclass(frozen=True)
class Quality:
    """How well chances foretold trials that the fit had not seen."""

    penalty: float
    calibration_error: float
    brier_score: float
    log_loss: float


def calibrate(skill: str, files: Sequence[Path]) -> SuccessModel:
    """The model of a skill from files of rows; raises ConfigError where they cannot be used."""
    rows = read_rows(skill, files)
    fitted, quality = choose(rows.values, rows.successes)
    k = len(rows.names)
    low, high, mean, sd = fitted.scale
    conditions = [
        Condition(
            name=name,
            low=_short(low[i]),
            high=_short(high[i]),
            mean=_short(mean[i]),
            sd=_short(sd[i]),
            weight=_short(fitted.weights[i]),
            square=_short(fitted.weights[k + i]),
        )
        for i, name in enumerate(rows.names)
    ]
    return SuccessModel(
        format=1,
        skill=skill,
        conditions=tuple(conditions),
        bias=_short(fitted.weights[-1]),
        trials=len(rows.successes),
        successes=int(rows.successes.sum()),
        regularisation=_short(quality.penalty),
        calibration_error=_short(quality.calibration_error),
        brier_score=_short(quality.brier_score),
        log_loss=_short(quality.log_loss),
        weights_sha256=rows.weights_sha256,
        rows=rows.files,
    )


def read_rows(skill: str, files: Sequence[Path]) -> Rows:
    """Rows of the learned policy as `./hrl evaluate --json` writes them.

    Trials whose goal was refused have no conditions and are left out: the answer to such a goal is
    0, with the reason.
    """
    tables, successes, sources = [], [], []
    names: tuple[str, ...] | None = None
    weights: str | None = None
    for path in files:
        content, digest = _read(path)
        weights = _check_summary(path, content, skill, weights)
        sources.append(RowsFile(name=path.name, sha256=digest))
        if not any(row.get("conditions") for row in content["rows"]):
            raise ConfigError(f"{path}: no row has conditions; measure anew with ./hrl evaluate")
        for row in content["rows"]:
            place = f"{path}: row of seed {row.get('seed')}"
            conditions = row.get("conditions")
            if not conditions:
                continue
            if not isinstance(conditions, dict):
                raise ConfigError(
                    f"{place}: conditions = {conditions!r}: allowed are numbers by name"
                )
            names = names or tuple(sorted(conditions))
            if tuple(sorted(conditions)) != names:
                raise ConfigError(f"{place}: conditions {sorted(conditions)}; others have {names}")
            values = [conditions[name] for name in names]
            if not all(isinstance(v, int | float) and np.isfinite(v) for v in values):
                raise ConfigError(f"{place}: conditions need finite numbers: {conditions}")
            if not isinstance(row.get("success"), bool):
                raise ConfigError(f"{place}: success = {row.get('success')!r}: true or false")
            tables.append(values)
            successes.append(row["success"])
    if len(successes) < LEAST_TRIALS or names is None or weights is None:
        raise ConfigError(
            f"{len(successes)} trials of {skill} in {[str(p) for p in files]}; "
            f"{LEAST_TRIALS} or more are needed"
        )
    return Rows(names, np.array(tables, float), np.array(successes, bool), tuple(sources), weights)


def choose(values: np.ndarray, successes: np.ndarray) -> tuple[Fit, Quality]:
    """Fit with the largest penalty that foretells folds left out as well as the best one does.

    As well: within one standard error. Source: Hastie, Tibshirani, Friedman 2009, section 7.10.
    """
    foretold = [_foretell(values, successes, penalty) for penalty in PENALTIES]
    losses = np.array([_log_losses(chances, successes) for chances in foretold])
    worse = losses - losses[losses.mean(axis=1).argmin()]
    error = worse.std(axis=1) / np.sqrt(len(successes))
    chosen = int(np.flatnonzero(worse.mean(axis=1) <= error)[-1])
    chances, penalty = foretold[chosen], PENALTIES[chosen]
    quality = Quality(
        penalty,
        expected_calibration_error(chances, successes),
        float(np.mean((chances - successes) ** 2)),
        float(losses[chosen].mean()),
    )
    return fit(values, successes, penalty), quality


def _foretell(values: np.ndarray, successes: np.ndarray, penalty: float) -> np.ndarray:
    """Chances (n,) of trials, each from a fit that has not seen its fold."""
    folds, chances = _folds(successes), np.zeros(len(successes))
    for fold in range(FOLDS):
        out = folds == fold
        chances[out] = fit(values[~out], successes[~out], penalty).probabilities(values[out])
    return chances


def fit(values: np.ndarray, successes: np.ndarray, penalty: float) -> Fit:
    """Weights with the least log loss plus `penalty` times half their squares; the bias is free."""
    sd = values.std(axis=0)
    constant = sd < 1e-9 * np.maximum(1.0, np.abs(values).max(axis=0))
    scale = np.stack(
        [values.min(axis=0), values.max(axis=0), values.mean(axis=0), np.where(constant, 1.0, sd)]
    )
    features = _features(values, scale)
    # As if half a trial more had failed: without any failure the bias would run away.
    count = len(successes)
    target = np.where(successes, 1.0 - 0.5 / (count + 1), 0.5 / (count + 1))
    free = np.append(np.ones(features.shape[1] - 1), 0.0)

    def loss(weights: np.ndarray) -> float:
        logit = features @ weights
        value = np.logaddexp(0.0, logit).sum() - target @ logit
        return float(value + 0.5 * penalty * free @ weights**2)

    weights = np.zeros(features.shape[1])
    weights[-1] = np.log(target.mean() / (1.0 - target.mean()))
    for _ in range(NEWTON_STEPS):
        chances = sigmoid(features @ weights)
        gradient = features.T @ (chances - target) + penalty * free * weights
        curvature = (features.T * (chances * (1.0 - chances))) @ features
        step = np.linalg.solve(curvature + np.diag(penalty * free + 1e-9), gradient)
        share = 1.0
        while loss(weights - share * step) > loss(weights) and share > 1e-6:
            share *= 0.5
        weights = weights - share * step
        if np.abs(share * step).max() < 1e-8:
            break
    return Fit(scale, weights)


def _features(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Values (n, k) -> standardised, squares less one, ones: (n, 2 k + 1)."""
    low, high, mean, sd = scale
    z = (np.clip(values, low, high) - mean) / sd
    varied = high > low
    return np.hstack([z * varied, (z * z - 1.0) * varied, np.ones((len(z), 1))])


def _folds(successes: np.ndarray) -> np.ndarray:
    """Fold (n,) of each trial, at random but the same at every call; failures evenly dealt."""
    rng = np.random.default_rng(0)
    folds = np.zeros(len(successes), int)
    for kind in (True, False):
        mine = rng.permutation(np.flatnonzero(successes == kind))
        folds[mine] = np.arange(len(mine)) % FOLDS
    return folds


def _log_losses(chances: np.ndarray, successes: np.ndarray) -> np.ndarray:
    bounded = np.clip(chances, CLIP, 1.0 - CLIP)
    return -np.where(successes, np.log(bounded), np.log(1.0 - bounded))


def _read(path: Path) -> tuple[dict, str]:
    content, raw = read_json(path)
    rows = content.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path}: has no list `rows`; it should come from ./hrl evaluate --json")
    return content, hashlib.sha256(raw).hexdigest()


def _check_summary(path: Path, content: dict, skill: str, weights: str | None) -> str:
    """Refuse rows of something else; returns the hash of the weights that they were made with."""
    summary = content.get("summary")
    if not isinstance(summary, dict):
        raise ConfigError(f"{path}: has no `summary`; it should come from ./hrl evaluate --json")
    measured = str(summary.get("weights_sha256"))
    allowed = {"skill": skill, "label": "learned", "vision": True}
    for name, value in allowed.items():
        if summary.get(name) != value:
            raise ConfigError(f"{path}: summary.{name} is {summary.get(name)!r}, not {value!r}")
    if weights not in (None, measured):
        raise ConfigError(f"{path}: made with weights {measured}, those before with {weights}")
    return measured


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl calibrate", description=__doc__)
    parser.add_argument("skill")
    parser.add_argument(
        "--rows", type=Path, nargs="+", required=True, metavar="FILE", help="of evaluate --json"
    )
    parser.add_argument("--robot", default=DEFAULT_ROBOT, help="whose trials they are")
    parser.add_argument(
        "--out", type=file_to_write, help=f"default: policies/<robot>/<skill>/{FILE}"
    )
    options = parser.parse_args(arguments)
    folder = policy_folder(options.skill, load_robot(options.robot).name)
    out = options.out or folder / FILE
    chances = calibrate(options.skill, options.rows)
    content = yaml.safe_dump(chances.model_dump(mode="json"), sort_keys=False, width=96)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(content, encoding="utf-8")
    print(f"{chances.trials} trials, {chances.successes} successes")
    print(
        f"on trials left out: expected calibration error {chances.calibration_error:.3f}, "
        f"Brier score {chances.brier_score:.4f}, log loss {chances.log_loss:.4f} "
        f"(penalty {chances.regularisation:.3g})"
    )
    for condition in sorted(chances.conditions, key=lambda c: -abs(c.weight) - abs(c.square))[:6]:
        print(f"  {condition.name:22} {condition.weight:+.3f} z {condition.square:+.3f} z^2")
    print(f"wrote {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
