"""Rows -> figures: shares with 95 % intervals, times, measures, hard half, learned and script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from hrl_core.config import ConfigError
from hrl_training.trials.row import LABELS, Row
from hrl_training.trials.statistics import (
    bootstrap_interval,
    expected_calibration_error,
    paired_difference,
    reliability,
    wilson_interval,
)

FORCE_LIMIT = 60.0  # N, on a shelf
RANGE_BINS = 6  # at most
BIN_TRIALS = 10  # in a bin, at least
CLUTTER = {"open": 0.0, "cluttered": 1.0}  # values of the factor `clutter` of grasp and place
SQUARE = "_square"  # measures of this ending are mean squares: their root mean square is reported
WEIGHT = "windows"  # how many values such a mean is of

Summary = dict[str, Any]


def summarise(rows: Sequence[Row], difficulty: Mapping[str, int]) -> Summary:
    """Figures of the rows of one policy. Times are of the trials that succeeded."""
    hard = hard_half(rows, difficulty)
    succeeded = [row for row in rows if row.success]
    durations = [row.duration for row in succeeded or rows]
    summary: Summary = {
        **_successes(rows),
        "false_success": _share(row.claimed and not row.achieved for row in rows),
        "false_failure": _share(row.achieved and not row.claimed for row in rows),
        "labels": {
            label: count
            for label in LABELS
            if (count := sum(row.label == label for row in rows)) > 0
        },
        "duration_median": _quantile(durations, 50),
        "duration_p95": _quantile(durations, 95),
        "measures": _measures(rows),
    }
    forces = _values(rows, "force")
    if forces.size:
        summary["force_over_60_n"] = int((forces > FORCE_LIMIT).sum())
    asked = [row for row in rows if row.chance is not None]
    if asked:
        chances = np.array([row.chance for row in asked], float)
        came = np.array([row.success for row in asked])
        summary["ece"] = expected_calibration_error(chances, came)
        summary["reliability"] = reliability(chances, came)
    if difficulty:
        for name, mask in (("easy", ~hard), ("hard", hard)):
            summary[name] = _successes([row for row, its in zip(rows, mask, strict=True) if its])
        summary["hard"]["factors"] = dict(difficulty)
    for name, value in CLUTTER.items():
        having = [row for row in rows if row.factors.get("clutter") == value]
        if having:
            summary[name] = _successes(having)
    summary["ranges"] = success_over_ranges(rows)
    return summary


def hard_half(rows: Sequence[Row], difficulty: Mapping[str, int]) -> np.ndarray:
    """(n,) bool: trials above the median of the mean of the ranks of their hard factors.

    A factor that a trial lacks (the gap to a wall where there is none) makes it easy.
    """
    scores = np.zeros(len(rows))
    for name, sign in difficulty.items():
        values = [row.factors.get(name) for row in rows]
        known = sorted({key for row in rows for key in row.factors})
        if rows and all(value is None for value in values):
            raise ConfigError(f"difficulty.{name}: no trial draws it; drawn are {known}")
        if any(isinstance(value, str) for value in values):
            raise ConfigError(f"difficulty.{name}: allowed are factors that are numbers")
        numbers = [-np.inf if value is None else sign * float(value) for value in values]
        scores += rankdata(numbers)
    return scores > np.median(scores) if len(rows) else np.zeros(0, bool)


def success_over_ranges(rows: Sequence[Row]) -> dict[str, list[dict[str, Any]]]:
    """Where it breaks: successes in bins of every factor that varies."""
    found = {}
    for name in sorted({key for row in rows for key in row.factors}):
        having = [row for row in rows if row.factors.get(name) is not None]
        values = sorted({row.factors[name] for row in having}, key=str)
        if len(values) < 2:
            continue
        if any(isinstance(value, str) for value in values):
            found[name] = [
                {"value": value, **_successes([r for r in having if r.factors[name] == value])}
                for value in values
            ]
        else:
            found[name] = _numeric_bins(having, name)
    return found


def _numeric_bins(rows: list[Row], name: str) -> list[dict[str, Any]]:
    """Bins that hold about the same number of trials, or one for each of a few values."""
    values = np.array([row.factors[name] for row in rows], float)
    distinct = np.unique(values)
    if len(distinct) <= RANGE_BINS and len(distinct) < len(values):
        edges = [(value, value) for value in distinct]
        indices = np.searchsorted(distinct, values)
    else:
        bins = min(RANGE_BINS, max(1, len(rows) // BIN_TRIALS))
        cuts = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
        edges = list(zip(cuts[:-1], cuts[1:], strict=True))
        indices = np.clip(np.searchsorted(cuts, values, side="right") - 1, 0, len(edges) - 1)
    return [
        {
            "low": float(low),
            "high": float(high),
            **_successes([row for row, k in zip(rows, indices, strict=True) if k == index]),
        }
        for index, (low, high) in enumerate(edges)
    ]


def compare(
    learned: Sequence[Row], script: Sequence[Row], difficulty: Mapping[str, int]
) -> dict[str, Any]:
    """The learned policy against the script on the same seeds, in all and on both halves.

    Differences are learned minus script; `time_ratio` is learned over script: the median times of
    the seeds on which both succeeded.
    """
    scripted = {row.seed: row for row in script}
    pairs = [(row, scripted[row.seed]) for row in learned if row.seed in scripted]
    hard = hard_half([row for row, _ in pairs], difficulty)
    masks = {"all": np.ones(len(pairs), bool)}
    if difficulty:
        masks |= {"easy": ~hard, "hard": hard}
    return {
        name: _compare([pair for pair, its in zip(pairs, mask, strict=True) if its])
        for name, mask in masks.items()
    }


def _compare(pairs: list[tuple[Row, Row]]) -> dict[str, Any]:
    ours = np.array([mine.success for mine, _ in pairs], bool)
    theirs = np.array([other.success for _, other in pairs], bool)
    difference, interval = paired_difference(ours, theirs)
    both = [
        (mine.duration, other.duration) for mine, other in pairs if mine.success and other.success
    ]
    times = np.array(both).reshape(-1, 2)

    def ratio(rows: np.ndarray) -> float:
        mine, other = np.median(times[rows], axis=0)
        return float(mine / other)

    found = {
        "trials": len(pairs),
        "learned": _successes([mine for mine, _ in pairs]),
        "script": _successes([other for _, other in pairs]),
        "difference": difference,
        "interval": interval,
        "measures": {
            "learned": _measures([mine for mine, _ in pairs]),
            "script": _measures([other for _, other in pairs]),
        },
    }
    if len(times) and times.min() > 0 and np.ptp(times) > 0:  # not for episodes of one length
        found["time_ratio"] = {
            "value": ratio(np.arange(len(times))),
            "interval": bootstrap_interval(ratio, len(times)),
            "trials": len(times),
        }
    return found


def _successes(rows: Sequence[Row]) -> dict[str, Any]:
    successes = sum(row.success for row in rows)
    return {
        "trials": len(rows),
        "successes": successes,
        "success_rate": successes / len(rows) if rows else None,
        "interval": wilson_interval(successes, len(rows)),
    }


def _share(flags: Any) -> dict[str, Any]:
    flags = list(flags)
    count = sum(flags)
    return {
        "count": count,
        "share": count / len(flags) if flags else None,
        "interval": wilson_interval(count, len(flags)),
    }


def _measures(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    found = {}
    for name in sorted({key for row in rows for key in row.measures} - {WEIGHT}):
        values = _values(rows, name)
        if not values.size:
            continue
        if name.endswith(SQUARE):
            having = [row for row in rows if _finite(row.measures.get(name))]
            weights = [row.measures.get(WEIGHT, 1.0) for row in having]
            rms = float(np.sqrt(np.average(values, weights=weights)))
            found[name.removesuffix(SQUARE)] = {"rms": rms, "trials": int(values.size)}
            continue
        found[name] = {
            "mean": float(values.mean()),
            "median": float(np.median(values)),
            "p95": float(np.percentile(values, 95)),
            "max": float(values.max()),
            "trials": int(values.size),
        }
    return found


def _values(rows: Sequence[Row], name: str) -> np.ndarray:
    """The measure in those trials that have it."""
    return np.array([v for row in rows if _finite(v := row.measures.get(name))], float)


def _finite(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def _quantile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
