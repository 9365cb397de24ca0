import os

os.environ.setdefault("MUJOCO_GL", "egl")

import pytest

from hrl_core.robot import Robot, load_robot
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World


@pytest.fixture(scope="session")
def robot() -> Robot:
    return load_robot("spot")


@pytest.fixture(scope="session")
def open_bay() -> World:
    return load_world("open_bay")


@pytest.fixture(scope="session")
def warehouse() -> World:
    return load_world("small_warehouse")


@pytest.fixture
def make_plant(robot):
    """Make plants that are closed when the test ends."""
    made = []

    def make(world: World, trial=None, **options) -> Plant:
        options = PlantOptions(**{"skin": False, **options})
        plant = Plant(world, trial or draw_trial(world, 0), robot, options=options)
        made.append(plant)
        return plant

    yield make
    for plant in made:
        plant.close()
