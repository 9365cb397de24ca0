"""What the plant adds for drivers: sitting down, a whole cloud, commands that live as long."""

import numpy as np
import pytest

from hrl_core.control import Command
from hrl_core.robot import load_robot
from hrl_driver.scans import Flattener
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.plant.seat import SittingGait
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world

AHEAD = Command(twist=np.array([0.4, 0.0, 0.0]))


@pytest.fixture(scope="module")
def gait() -> SittingGait:
    return SittingGait(load_robot())


@pytest.fixture
def plant(gait) -> Plant:
    world = load_world("small_warehouse")
    options = PlantOptions(skin=False, gait=gait, command_age=0.125)
    return Plant(world, draw_trial(world, 3), load_robot(), options=options)


def steps(plant: Plant, count: int, command: Command = Command()) -> None:  # noqa: B008
    for _ in range(count):
        plant.step(command)


def test_it_sits_down_without_falling_and_stands_up_again(plant, gait):
    steps(plant, 10, AHEAD)
    gait.sits = True
    steps(plant, 30, AHEAD)
    truth = plant.truth()
    assert truth.map_from_base[2, 3] < 0.28 and truth.map_from_base[2, 2] > 0.98  # low, and level
    assert not gait.stands
    assert np.abs(truth.twist).max() < 0.05
    gait.sits = False
    steps(plant, 30)
    assert gait.stands and plant.truth().map_from_base[2, 3] > 0.43


def test_a_flattened_cloud_is_the_scan(plant):
    robot = load_robot()
    flat, mount = Flattener(robot), robot.lidar.mount.parent_from_sensor()
    for _ in range(5):
        steps(plant, 1, AHEAD)
        cloud, scan = plant.cloud(), plant.scan()
        assert cloud is not None and scan is not None
        points = cloud @ mount[:3, :3].T + mount[:3, 3]
        view = -np.pi, np.pi
        looked = flat.from_cloud(points, plant.odometry().odom_from_base, view, None)
        off = np.abs(flat.merge(plant.time, [looked]).ranges - scan.ranges)
        assert np.nanmedian(off) < 0.03 and (off < 0.15).mean() > 0.95  # each has its own noise


def test_a_command_lives_as_long_as_it_is_told(plant):
    steps(plant, 10, AHEAD)
    steps(plant, 1)
    assert plant._actuators.base.twist[0] > 0.2  # 0.1 s old
    steps(plant, 4)
    assert plant._actuators.base.twist[0] == 0.0
