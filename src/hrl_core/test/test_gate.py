"""The gate of a control tick."""

import pytest

from hrl_core.ros.gate import TickGate


class Wall:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def gate(wall):
    return TickGate({"odom": 0.0, "scan": 0.0, "camera": 0.2}, patience=1.0, wall=wall)


def fill(gate: TickGate, stamp: float, *sources: str) -> None:
    for source in sources:
        gate.note(source, stamp)


def test_it_opens_once_when_every_source_has_come(gate):
    fill(gate, 0.1, "odom", "camera")
    assert not gate.opens()
    gate.note("scan", 0.1)
    assert gate.opens() and not gate.opens()
    assert gate.opened == 0.1


def test_a_slower_source_is_due_only_at_its_own_ticks(gate):
    fill(gate, 0.1, "odom", "scan", "camera")
    assert gate.opens()
    fill(gate, 0.2, "odom", "scan")
    assert gate.opens()
    fill(gate, 0.3, "odom", "scan")
    assert not gate.opens() and gate.missing() == ["camera"]


def test_a_source_that_stays_away_costs_one_wait_until_it_is_heard_again(gate, wall):
    fill(gate, 0.1, "odom", "camera")
    wall.now = 1.1
    assert gate.opens() and gate.absent == ["scan"]
    fill(gate, 0.2, "odom")
    assert gate.opens()
    gate.note("scan", 0.2)
    assert gate.absent == []
    fill(gate, 0.3, "odom", "camera")
    assert not gate.opens()


def test_the_same_tick_again_does_not_open_it(gate):
    fill(gate, 0.1, "odom", "scan", "camera")
    assert gate.opens()
    fill(gate, 0.1, "odom", "scan", "camera")
    assert not gate.opens()


def test_after_a_restart_time_may_begin_anew(gate):
    fill(gate, 9.1, "odom", "scan", "camera")
    assert gate.opens()
    gate.restart()
    fill(gate, 0.1, "odom", "scan", "camera")
    assert gate.opens() and gate.opened == 0.1
