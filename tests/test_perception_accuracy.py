"""Perception against the plant's truth; `./hrl bench perception` measures more of the same."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from hrl_core.geometry import compose, planar_from_transform, wrap_angle
from hrl_core.robot import load_robot
from hrl_perception.perception import Perception
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.missions.in_process import Rig
from hrl_training.perception.bench import ITEM_LIMIT, bench_views, drive

pytestmark = pytest.mark.slow

TICKS = 200


@pytest.fixture(scope="module")
def world():
    return load_world("small_warehouse")


@pytest.fixture(scope="module")
def robot():
    return load_robot("spot")


def test_items_up_to_a_metre_away_are_placed_within_5_mm(world, robot):
    rows = bench_views(world, robot, seed=11, views=8)["items"]
    for band in ("0.5-0.75 m", "0.75-1 m"):
        row = rows[f"camera {band}"]
        assert row["found"] >= 0.7 * row["views"]
        assert row["position_m_p95"] <= ITEM_LIMIT


def test_the_pose_in_the_map_stays_within_10_cm_and_3_degrees_on_the_way(world, robot):
    trial = replace(draw_trial(world, 4), obstacles=())
    plant = Plant(world, trial, robot, options=PlantOptions(skin=False))
    perception = Perception(world.site, robot)
    perception.reset(trial.start_estimate, np.diag([0.05, 0.05, 0.03]) ** 2, plant.odometry())
    walked = 0.0
    try:
        for tick, command in enumerate(islice(drive(plant, robot), TICKS)):
            plant.step(command)
            frames = [plant.image(name) for name in robot.cameras] if tick % 2 == 0 else []
            odometry = plant.odometry()
            localisation, _ = perception.update(
                odometry, [f for f in frames if f], plant.joints(), plant.scan(), plant.time
            )
            truth = planar_from_transform(plant.truth().map_from_base)
            base = planar_from_transform(odometry.odom_from_base)
            error = compose(localisation.map_from_odom, base) - truth
            if plant.time > 2:  # the start is known to 5 cm and 2 degrees only
                assert np.hypot(error[0], error[1]) < 0.10
                assert abs(wrap_angle(error[2])) < np.radians(3)
            walked += abs(odometry.twist[0]) * 0.1
    finally:
        plant.close()
    assert walked > 4


@pytest.mark.parametrize("seed", [2, 4])
def test_somebody_who_walks_about_during_a_mission_is_found_and_nobody_else(robot, seed):
    world = load_world("two_aisles")
    rig = Rig(world, draw_trial(world, seed), robot)
    near, errors, wrong = 0, [], 0  # ticks with somebody within 6 m, m, people who are not there

    def look(rig: Rig, *_) -> None:
        nonlocal near, wrong
        truth = rig.plant.truth()
        somebody = rig.plant.data.body("person/0").xpos[:2]
        near += np.linalg.norm(somebody - truth.map_from_base[:2, 3]) < 6.0
        if rig.sensed.scan is None:
            return
        for each in rig.perception.people(rig.sensed.scan):
            error = float(np.linalg.norm(each[:2] - somebody))
            wrong += error > 0.8
            errors.append(error)

    rig.on_tick = look
    rig.run_mission()
    assert len(errors) > 0.5 * near > 100
    assert wrong < 0.02 * len(errors)
    assert np.median(errors) < 0.06
