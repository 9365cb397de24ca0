"""A base that does not do what it is told is found; one that is slow, late or turning is not."""

import numpy as np

from hrl_core.geometry import compose, transform_from_planar
from hrl_core.sensed import Odometry
from hrl_skills.base_watch import BaseWatch


def first_sentence(commands, followed: float, late: int = 3) -> tuple[int, str] | None:
    """The tick and the sentence of the first complaint about a base that does so much of it."""
    watch, pose = BaseWatch(), np.zeros(3)
    queue = [np.zeros(3)] * late
    for tick, command in enumerate(commands):
        odometry = Odometry(0.1 * tick, transform_from_planar(pose), np.zeros(3))
        if (sentence := watch.look(odometry)) is not None:
            return tick, sentence
        watch.tell(np.array(command))
        queue.append(np.array(command))
        pose = compose(pose, 0.1 * followed * queue.pop(0))
    return None


def test_a_base_that_stands_is_found_after_its_time():
    tick, sentence = first_sentence([(0.38, 0.0, 0.0)] * 100, 0.0) or (0, "")
    assert 40 < tick <= 46
    assert sentence == ("the base does not follow: commanded 0.38 m/s, odometry 0.00 m/s over 4 s")
    _, sentence = first_sentence([(0.0, 0.0, 0.5)] * 100, 0.0) or (0, "")
    assert "commanded 0.50 rad/s, odometry 0.00 rad/s" in sentence
    assert first_sentence([(0.5, 0.0, 0.0)] * 100, -1.0) is not None  # the other way


def test_a_slow_base_and_one_that_dithers_or_turns_are_not():
    assert first_sentence([(0.5, 0.0, 0.0)] * 100, 0.2) is None
    assert first_sentence([(0.4, 0.0, 0.9)] * 200, 1.0) is None
    to_and_fro = [(0.5 * (-1) ** (k // 8), 0.0, 0.0) for k in range(200)]
    assert first_sentence(to_and_fro, 1.0) is None
    start_late = [(0.0, 0.0, 0.0)] * 60 + [(0.9, 0.0, 0.0)] * 60
    assert first_sentence(start_late, 1.0) is None
    assert first_sentence([(0.02, 0.0, 0.0)] * 100, 0.0) is None  # less than it is judged by
