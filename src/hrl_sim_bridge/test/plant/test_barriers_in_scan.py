"""A barrier that closes an aisle is seen by the scan as wide as it is."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from hrl_core.control import Command
from hrl_core.robot import load_robot
from hrl_sim_bridge.plant.plant import Plant
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.loading import load_world


@pytest.mark.slow
def test_several_rays_at_once_hit_a_barrier_wherever_single_rays_do():
    world = load_world("two_aisles")
    trial = replace(draw_trial(world, 3, "none"), obstacles=(), people=())
    trial = replace(trial, faults=(Fault(FaultKind.BLOCKED_AISLE, "south"),))
    plant = Plant(world, trial, load_robot())
    try:
        for _ in range(3):
            plant.step(Command())
        model, data = plant.model, plant.data
        barrier = model.geom("barrier/0").id
        origin = np.array([5.36, 1.33, 0.6])
        angles = np.deg2rad(np.arange(-60, 91, 3))
        rays = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
        found, far = np.zeros(len(rays), np.int32), np.zeros(len(rays))
        mujoco.mj_multiRay(
            model, data, origin, rays.ravel(), None, True, -1, found, far, None, len(rays), 12.0
        )
        single, hit = [], np.zeros(1, np.int32)
        for ray in rays:
            mujoco.mj_ray(model, data, origin, ray, None, True, -1, hit)
            single.append(hit[0] == barrier)
        assert sum(single) > 20
        np.testing.assert_array_equal(found == barrier, single)
    finally:
        plant.close()
