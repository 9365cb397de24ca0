"""Memory that grows is seen, across new starts; what is only warmed up is not."""

import os

import numpy as np
import pytest

from hrl_bringup.soak.processes import LEAST_LIFE, WARM_UP, Sample, courses, sample


def life(pid: int, begin: float, seconds: float, level: float, per_hour: float) -> list[Sample]:
    """Samples each 10 s of a process that warms up, then grows."""
    at = np.arange(0.0, seconds, 10.0)
    memory = np.where(at < WARM_UP, level * at / WARM_UP, level + per_hour * at / 3600.0)
    return [Sample(begin + t, "walk", pid, float(m), 26) for t, m in zip(at, memory, strict=True)]


def test_growth_is_that_within_the_lives_of_processes_whatever_their_levels():
    samples = life(1, 0.0, 900.0, 400.0, 36.0) + life(2, 900.0, 600.0, 300.0, 36.0)
    course = courses(samples)["walk"]["memory_mb"]
    assert course.per_hour == pytest.approx(36.0, rel=1e-6)
    assert course.first == pytest.approx(400.0, abs=1.0)
    assert course.last == pytest.approx(306.0, abs=0.2)
    assert course.largest == pytest.approx(409.0, abs=0.2)


def test_a_process_that_only_warms_up_does_not_grow():
    course = courses(life(1, 0.0, 900.0, 400.0, 0.0))["walk"]
    assert course["memory_mb"].per_hour == pytest.approx(0.0, abs=1e-6)
    assert course["memory_mb"].first == course["memory_mb"].last == 400.0
    assert course["descriptors"].largest == 26


def test_lives_that_are_too_short_say_nothing_of_growth():
    short = WARM_UP + LEAST_LIFE - 20.0
    samples = life(1, 0.0, short, 400.0, 99.0) + life(2, short, 30.0, 400.0, 99.0)
    course = courses(samples)["walk"]["memory_mb"]
    assert course.per_hour is None
    assert course.last < 400.0  # the second was killed before it was warm


def test_a_process_that_lives_has_memory_and_descriptors_and_one_that_has_ended_has_none():
    mine = sample(3.0, "test", os.getpid())
    assert mine is not None and mine.memory_mb > 10.0 and mine.descriptors >= 3
    read, write = os.pipe()
    more = sample(4.0, "test", os.getpid())
    for descriptor in (read, write):
        os.close(descriptor)
    assert more is not None and more.descriptors == mine.descriptors + 2
    assert sample(5.0, "gone", 2**22 + 1) is None
