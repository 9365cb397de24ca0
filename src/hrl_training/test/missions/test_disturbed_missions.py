import os

os.environ.setdefault("MUJOCO_GL", "egl")

from dataclasses import replace

import pytest

from hrl_core.control import Command
from hrl_sim_bridge.judging.judge import item_on_floor
from hrl_sim_bridge.judging.solvable import solvable
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind, Trigger
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.missions.in_process import Rig


class Enough(Exception):
    pass


@pytest.mark.slow
def test_an_item_that_slips_lies_on_the_floor_and_the_gripper_is_seen_empty():
    world = load_world("open_bay")
    trial = draw_trial(world, 0, "none")
    item = trial.order.item
    fault = Fault(FaultKind.DROPPED_ITEM, item, 1.0, 0.0, Trigger.CARRYING)
    rig = Rig(world, replace(trial, faults=(fault,)))
    held = []

    def watch(rig, skill, tick):
        truth = rig.plant.truth()
        held.append(truth.held)
        assert truth.time < 60.0, "nothing was dropped"
        if truth.happened and item_on_floor(truth, trial.order, world.site):
            raise Enough

    rig.on_tick = watch
    try:
        with pytest.raises(Enough):
            rig.run_mission()
        for _ in range(5):
            rig.tick(Command())
        truth = rig.plant.truth()
        assert item in held and truth.held is None
        assert truth.happened[0].kind is FaultKind.DROPPED_ITEM
        assert not solvable(world, rig.trial, truth).ok
        assert not rig.scene().holding
    finally:
        rig.close()
