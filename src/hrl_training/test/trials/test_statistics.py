import numpy as np
import pytest

from hrl_training.trials.statistics import (
    bootstrap_interval,
    expected_calibration_error,
    paired_difference,
    reliability,
    wilson_interval,
)


def paired(both: int, only_first: int, only_second: int, neither: int):
    counts = [both, only_first, only_second, neither]
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


def test_the_wilson_interval_agrees_with_published_values():
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 100)[0] == 0.0


@pytest.mark.parametrize(
    ("table", "difference", "interval"),
    [
        ((36, 12, 2, 0), 0.2, (0.0569, 0.3404)),  # Newcombe 1998, Statistics in Medicine 17
        ((14, 5, 0, 22), 0.122, (0.011, 0.226)),  # Altman et al. 2000, table 6.2
        ((1, 1, 7, 12), -0.286, (-0.507, -0.026)),  # Fagerland et al. 2014, Bentur's data
    ],
)
def test_the_paired_difference_agrees_with_published_values(table, difference, interval):
    found, limits = paired_difference(*paired(*table))
    assert found == pytest.approx(difference, abs=5e-4)
    assert limits == pytest.approx(interval, abs=5e-4)


def test_the_paired_difference_of_equal_policies_is_zero_with_an_interval_round_it():
    successes = np.ones(50, bool)
    difference, (low, high) = paired_difference(successes, successes)
    assert difference == 0 and low < 0 < high
    assert paired_difference(np.zeros(0), np.zeros(0)) == (0.0, (-1.0, 1.0))


def test_the_paired_interval_holds_the_truth_in_about_95_of_100_draws():
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        easy = rng.random(100)
        low, high = paired_difference(easy < 0.9, (easy < 0.95) & (rng.random(100) < 0.85))[1]
        held += low <= 0.9 - 0.95 * 0.85 <= high
    assert 0.92 < held / 400 < 0.99


def test_the_bootstrap_repeats_itself_and_agrees_with_theory():
    values = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap_interval(lambda rows: float(values[rows].mean()), 400)
    assert (low, high) == bootstrap_interval(lambda rows: float(values[rows].mean()), 400)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_chances_that_come_true_as_often_as_they_say_have_no_calibration_error():
    chances = np.repeat([0.25, 0.75], 4)
    came = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    assert expected_calibration_error(chances, came) == 0
    assert expected_calibration_error(chances, ~came) == pytest.approx(0.5)
    assert expected_calibration_error(np.ones(4), np.array([1, 1, 1, 0])) == pytest.approx(0.25)


def test_reliability_has_a_bin_for_every_promise_made():
    bins = reliability(np.array([0.95, 1.0, 0.32]), np.array([True, False, True]))
    assert [(each["low"], each["trials"]) for each in bins] == [(0.3, 1), (0.9, 2)]
    assert bins[1]["chance"] == pytest.approx(0.975) and bins[1]["success_rate"] == 0.5
