"""When commands are passed on, and what ends that."""

from types import SimpleNamespace

import pytest

from hrl_driver.watch import Phase, Watch, pressed_in


@pytest.fixture
def watch() -> Watch:
    return Watch(("odom", "joint_states"), lost_after=2.0)


def test_nothing_is_passed_on_before_the_robot_is_up(watch):
    assert not watch.passes and watch.look(100.0) == ""
    watch.ready(100.0)
    assert watch.passes and watch.phase is Phase.READY


def test_a_lost_sensor_is_a_fault_told_once_and_lasts_until_a_new_start(watch):
    watch.ready(10.0)
    for now in (11.0, 12.0, 13.0):
        watch.hear("odom", now)
        watch.hear("joint_states", min(now, 11.0))
        last = watch.look(now)
    assert last == "" and watch.passes
    assert watch.look(13.2) == "no joint_states for 2.2 s"
    watch.hear("joint_states", 13.3)
    assert watch.look(13.3) == "" and not watch.passes and watch.phase is Phase.FAULT
    watch.start()
    watch.ready(14.0)
    assert watch.passes and watch.fault == ""


def test_time_that_goes_back_is_no_fault(watch):
    watch.ready(50.0)
    assert watch.look(0.1) == "" and watch.look(1.0) == ""
    assert watch.look(2.5).startswith("no odom")


def test_the_robots_own_stop_is_a_fault(watch):
    watch.ready(0.0)
    watch.pressed = True
    assert not watch.passes and "emergency stop" in watch.look(0.1)


def test_a_field_is_found_in_lists_and_below():
    states = [SimpleNamespace(state=2), SimpleNamespace(state=1)]
    message = SimpleNamespace(estop_states=states, status=SimpleNamespace(data=True))
    assert pressed_in(message, "estop_states[].state", (1,))
    assert not pressed_in(message, "estop_states[].state", (3,))
    assert pressed_in(message, "status.data", (True,))
    with pytest.raises(AttributeError, match="stat"):
        pressed_in(message, "status.stat", (True,))
