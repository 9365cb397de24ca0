"""What the plant senses, what is sent, and what the nodes hear are the same sensors."""

import pytest

from hrl_core import topics
from hrl_core.robot import load_robot
from hrl_sim_bridge.plant.plant import Plant
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world

pytestmark = pytest.mark.ros


def test_every_sensor_of_the_plant_has_a_topic_and_comes_through_its_message_unchanged():
    from hrl_core.ros.sensor_convert import sensors_of

    world, robot = load_world("small_warehouse"), load_robot()
    plant = Plant(world, draw_trial(world, 3), robot)
    sensed, sensors = plant.sensed(), sensors_of(robot)
    assert {sensor.field for sensor in sensors} == {*plant.sensors}
    assert {sensor.topic for sensor in sensors} == {*topics.SENSORS}
    for sensor in sensors:
        reading = getattr(sensed, sensor.field)
        assert sensor.from_msg(sensor.to_msg(reading)).stamp == pytest.approx(reading.stamp)
        assert type(sensor.from_msg(sensor.to_msg(reading))) is type(reading)
