"""Whom the plant waits for."""

import pytest

from hrl_sim_bridge.ros.lockstep import Lockstep


class Wall:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def lockstep(wall):
    lockstep = Lockstep(["perception", "master"], patience=2.0, wall=wall)
    lockstep.begin(0.1)
    return lockstep


def test_it_waits_for_every_named_node(lockstep):
    assert lockstep.missing() == ["master", "perception"]
    lockstep.done("perception", 0.1, idle=False)
    assert lockstep.missing() == ["master"]
    lockstep.done("master", 0.1, idle=False)
    assert lockstep.missing() == []
    lockstep.begin(0.2)
    assert lockstep.missing() == ["master", "perception"]


def test_it_waits_for_a_skill_and_its_command_while_it_has_a_goal(lockstep):
    for node in ("perception", "master", "walk"):
        lockstep.done(node, 0.1, idle=False)
    assert lockstep.missing() == ["walk"]  # the command
    lockstep.commanded(0.1)
    assert lockstep.missing() == []
    lockstep.begin(0.2)
    for node in ("perception", "master"):
        lockstep.done(node, 0.2, idle=False)
    assert lockstep.missing() == ["walk"]
    lockstep.done("walk", 0.2, idle=True)
    assert lockstep.missing() == []


def test_a_node_that_is_too_late_is_counted_once_and_left_out_until_it_is_heard_again(
    lockstep, wall
):
    lockstep.done("perception", 0.1, idle=False)
    wall.now = 1.9
    assert lockstep.give_up() == []
    wall.now = 2.1
    assert lockstep.give_up() == ["master"] and lockstep.misses == 1
    assert lockstep.missing() == []
    lockstep.begin(0.2)
    lockstep.done("perception", 0.2, idle=False)
    assert lockstep.missing() == []
    lockstep.done("master", 0.1, idle=False)
    assert lockstep.missing() == ["master"]


def test_without_nodes_it_waits_for_nobody():
    lockstep = Lockstep([], patience=2.0)
    lockstep.begin(0.1)
    assert lockstep.missing() == []


def test_what_a_node_said_in_the_trial_before_does_not_count():
    lockstep = Lockstep(["master"], patience=2.0)
    lockstep.begin(41.2)
    lockstep.restart()
    lockstep.done("master", 41.2, idle=False)  # it was on the way when the plant was reset
    lockstep.begin(0.1)
    lockstep.done("master", 41.2, idle=False)
    assert lockstep.missing() == ["master"]
    lockstep.done("master", 0.1, idle=False)
    assert lockstep.missing() == []
