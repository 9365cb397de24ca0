"""Missions of several orders in full physics, judged by the plant's truth."""

from dataclasses import replace

import mujoco
import pytest

from hrl_sim_bridge.judging.solvable import all_solvable
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Order
from hrl_sim_bridge.worlds.loading import load_world
from hrl_training.missions.in_process import Rig
from hrl_training.missions.row import make_row

WORLD = load_world("small_warehouse")
BOTH = (Order("can", "B1", "shipping"), Order("box_wide", "C3", "shipping"))


def rig_of(orders: tuple[Order, ...]) -> Rig:
    trial = draw_trial(WORLD, 0, "none")
    return Rig(WORLD, replace(trial, order=orders[0], more_orders=orders[1:]))


def row_of(rig: Rig):
    record = rig.run_mission()
    can_be = all_solvable(WORLD, rig.trial, record.truth, rig.robot)
    return make_row(
        record.finished, record.judgements, can_be, rig.trial,
        world="small_warehouse", policy="behaviour_tree", wall_duration=1.0,
    )  # fmt: skip


def test_seeds_draw_so_many_orders_of_different_items_half_of_the_time_to_one_station():
    trials = [draw_trial(WORLD, seed, "none", (2, 5)) for seed in range(60)]
    counts = [len(trial.orders) for trial in trials]
    assert {*counts} == {2, 3, 4, 5}
    for trial in trials:
        assert len({order.item for order in trial.orders}) == len(trial.orders)
        assert all(trial.item(order.item).bin == order.from_bin for order in trial.orders)
    many = [trial for trial in trials if len(trial.orders) > 3]
    to_one = [len({order.to_station for order in trial.orders}) == 1 for trial in many]
    assert 0.3 < sum(to_one) / len(to_one) < 0.75
    assert draw_trial(WORLD, 7).orders == (draw_trial(WORLD, 7).order,)


@pytest.mark.slow
def test_two_items_for_one_station_stand_side_by_side():
    rig = rig_of(BOTH)
    try:
        row = row_of(rig)
    finally:
        rig.close()
    assert row.success and row.delivered and row.false_delivered == 0
    assert [order["outcome"] for order in row.orders] == ["SUCCEEDED"] * 2


@pytest.mark.slow
def test_an_item_that_falls_after_its_delivery_is_an_error_of_the_mission():
    rig = rig_of(BOTH)

    def push(rig: Rig, skill: str, tick) -> None:
        """The can falls over while the second item is put down."""
        if skill == "place" and tick.phase == "fold" and rig.plant.truth().held is None:
            joint = rig.plant.model.joint("item/can").qposadr[0]
            if abs(rig.plant.data.qpos[joint + 2] - 0.45) < 0.06 and not pushed and second():
                pushed.append(True)
                rig.plant.data.qpos[joint + 2] -= 0.016
                rig.plant.data.qpos[joint + 3 : joint + 7] = [0.7071, 0.7071, 0.0, 0.0]
                mujoco.mj_forward(rig.plant.model, rig.plant.data)

    def second() -> bool:
        return bool(rig.plant.truth().items["box_wide"][1, 3] < 1.0)

    pushed: list[bool] = []
    rig.on_tick = push
    try:
        row = row_of(rig)
    finally:
        rig.close()
    assert pushed
    assert [order["delivered"] for order in row.orders] == [False, True]
    assert [order["outcome"] for order in row.orders] == ["HANDED_OVER", "SUCCEEDED"]
    assert row.mission_outcome == "MISSION_FAILED" and row.false_delivered == 0
    assert "can was delivered to shipping, but" in row.mission_detail
