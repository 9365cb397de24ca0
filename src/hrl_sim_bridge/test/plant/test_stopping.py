import numpy as np
import pytest

from hrl_core.robot import load_robot
from hrl_sim_bridge.stopping import Event, StoppingRig


@pytest.fixture(scope="module")
def rig():
    rig = StoppingRig(load_robot())
    yield rig
    rig.close()


def test_the_robot_comes_to_rest_within_what_docs_say(rig):
    stops = {event: rig.stop(np.array([0.9, 0.0, 0.0]), event, 0) for event in Event}
    for event, most in ((Event.ZERO, 0.5), (Event.E_STOP, 0.6), (Event.SILENCE, 0.8)):
        assert 0.7 < stops[event].speed < 1.0
        assert 0.2 < stops[event].distance < most and stops[event].seconds < 2.0
        assert not stops[event].fell
    assert stops[Event.ZERO].distance < stops[Event.E_STOP].distance < stops[Event.SILENCE].distance


def test_a_wall_that_appears_is_touched_near_and_not_far_ahead(rig):
    twist = np.array([0.7, 0.0, 0.0])
    assert rig.meet(twist, 0.1, 0) < 0 < rig.meet(twist, 0.8, 0)
