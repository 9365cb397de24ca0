"""Intervals and scores for the figures that are reported."""

from collections.abc import Callable

import numpy as np

Z = 1.959964  # of 95 %
BOOTSTRAPS = 2000
BINS = 10  # of chances, equally wide


def wilson_interval(successes: int, trials: int, z: float = Z) -> tuple[float, float]:
    """95 % interval of a share. Source: Wilson 1927, JASA 22."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / scale
    half = z / scale * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def paired_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Share of `first` (n,) bool minus that of `second` on the same trials, and its 95 % interval.

    Source: method 10 of Newcombe 1998, Statistics in Medicine 17, 2635 to 2650.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    n = len(first)
    if n == 0:
        return 0.0, (-1.0, 1.0)
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    p1, p2 = first.mean(), second.mean()
    (l1, u1), (l2, u2) = (wilson_interval(int(each.sum()), n) for each in (first, second))
    margins = n**4 * p1 * (1 - p1) * p2 * (1 - p2)
    agreement = both * neither - only_first * only_second
    if agreement > 0:  # correction for continuity
        agreement = max(0.0, agreement - n / 2)
    correlation = agreement / np.sqrt(margins) if margins > 0 else 0.0

    def half(a: float, b: float) -> float:
        return float(np.sqrt(max(0.0, a**2 - 2 * correlation * a * b + b**2)))

    difference = float(p1 - p2)
    return difference, (
        difference - half(p1 - l1, u2 - p2),
        difference + half(u1 - p1, p2 - l2),
    )


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float], size: int, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval; `statistic` takes indices (size,) of the trials drawn again."""
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(size, size=size)) for _ in range(BOOTSTRAPS)]
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def reliability(chances: np.ndarray, successes: np.ndarray) -> list[dict[str, float]]:
    """What was promised and what came, for every bin of chances (n,) that holds any."""
    chances, successes = np.asarray(chances, float), np.asarray(successes, bool)
    bins = np.minimum((chances * BINS).astype(int), BINS - 1)
    return [
        {
            "low": k / BINS,
            "high": (k + 1) / BINS,
            "trials": int((bins == k).sum()),
            "chance": float(chances[bins == k].mean()),
            "success_rate": float(successes[bins == k].mean()),
        }
        for k in np.unique(bins).tolist()
    ]


def expected_calibration_error(chances: np.ndarray, successes: np.ndarray) -> float:
    """Mean distance of promised chance and share of successes over bins of equal width.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, ICML.
    """
    bins = reliability(chances, successes)
    gaps = [each["trials"] * abs(each["chance"] - each["success_rate"]) for each in bins]
    return float(sum(gaps) / len(chances))
