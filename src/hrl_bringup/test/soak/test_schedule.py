"""What goes wrong in a soak is drawn from the seed, and nothing is left out."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from hrl_bringup.soak.schedule import SECONDS, Agenda, Planned, Targets, Trouble, draw_schedule

TARGETS = Targets(["plant", "walk", "master"], ["camera", "lidar"], ["scan", "odom"])
ROUND = 13  # three kills, ten others


def first(seed: int, count: int = 4 * ROUND, every: float = 40.0) -> list[Planned]:
    return list(islice(draw_schedule(seed, TARGETS, every), count))


def test_the_same_seed_gives_the_same_troubles_and_another_one_others():
    assert first(1) == first(1)
    assert first(1) != first(2)


def test_in_each_round_every_node_is_killed_once_and_no_kind_is_left_out():
    troubles = first(3)
    for begin in range(0, len(troubles), ROUND):
        of_round = troubles[begin : begin + ROUND]
        killed = sorted(each.target for each in of_round if each.kind is Trouble.KILL)
        assert killed == sorted(TARGETS.nodes)
        assert {each.kind for each in of_round} == {*Trouble}


def test_troubles_come_in_order_as_often_as_is_asked_and_last_as_long_as_their_kind_may():
    troubles = first(4, 1000, every=20.0)
    assert np.mean(np.diff([0.0, *(each.at for each in troubles)])) == pytest.approx(20.0, rel=0.1)
    assert all(a.at < b.at for a, b in zip(troubles, troubles[1:], strict=False))
    for each in troubles:
        low, high = SECONDS[each.kind]
        assert low <= each.seconds <= high


def test_targets_are_of_their_kind():
    allowed = {
        Trouble.KILL: TARGETS.nodes,
        Trouble.FREEZE: TARGETS.nodes,
        Trouble.OUTAGE: TARGETS.outages,
        Trouble.BROKEN: TARGETS.topics,
    }
    for each in first(5, 500):
        assert each.target in allowed.get(each.kind, [""])


def test_the_agenda_goes_on_only_while_it_is_told_so_and_drops_nothing():
    planned = first(6)
    agenda = Agenda(iter(planned))
    assert agenda.advance(planned[0].at - 0.1) == []
    assert agenda.advance(0.0) == []
    assert agenda.advance(0.2) == [planned[0]]
    assert agenda.advance(planned[5].at - planned[0].at) == planned[1:6]
    assert Counter(each.name for each in planned)["lock"] == 4
