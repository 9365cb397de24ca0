"""A conveyor: it leaves what is put on it alone for a while, then carries it out of the hall."""

from dataclasses import replace

import numpy as np
import pytest

from hrl_core.control import TICK, Command
from hrl_core.geometry import inverse, transform_from
from hrl_core.site import Site
from hrl_sim_bridge.judging.judge import judge, judge_all
from hrl_sim_bridge.plant.plant import Plant
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Order, PlacedItem
from hrl_sim_bridge.worlds.checks import problems
from hrl_sim_bridge.worlds.loading import load_world

LINE = "line"


@pytest.fixture
def world():
    return load_world("conveyor_line")


def plant_with(make_plant, world, lies: bool = False) -> Plant:
    """The ordered item stands, or lies, in the middle of the conveyor."""
    trial, site = draw_trial(world, 3), world.site
    order = trial.order
    item, height = trial.item(order.item), site.item(order.item).size[2]
    pose = transform_from(site.target_point(LINE) + [0.0, 0.0, 0.5 * height + 0.001])
    if lies:
        pose[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    placed = PlacedItem(item.name, item.bin, pose, item.mass, item.friction)
    stock = tuple(placed if each.name == item.name else each for each in trial.stock)
    return make_plant(world, replace(trial, stock=stock, obstacles=()))


def run(plant: Plant, seconds: float) -> None:
    for _ in range(round(seconds / TICK)):
        plant.step(Command())


@pytest.mark.slow
def test_the_belt_waits_carries_the_item_along_and_out_and_that_is_a_delivery(make_plant, world):
    plant, site = plant_with(make_plant, world), world.site
    order, station = plant.trial.order, site.station(LINE)
    start = plant.truth().items[order.item]
    run(plant, station.belt.delay - 2.0)  # a second was spent on standing up
    truth = plant.truth()
    assert np.linalg.norm((truth.items[order.item] - start)[:3, 3]) < 0.01
    assert truth.belts_busy and not judge(truth, order, site).delivered
    run(plant, 2.5)
    moved = inverse(start) @ plant.truth().items[order.item]
    # Left of a robot that looks at the face; the pose of the item is along the map.
    assert moved[0, 3] > 0.1 and abs(moved[1, 3]) < 0.02 and moved[2, 2] > 0.99
    assert plant.truth().item_speeds[order.item] == pytest.approx(station.belt.speed, abs=0.02)
    run(plant, station.clear_after - station.belt.delay)
    truth = plant.truth()
    assert truth.carried == {order.item: LINE} and not truth.belts_busy
    verdict = judge(truth, order, site)
    assert verdict.delivered and not verdict.wrong_item_delivered and not verdict.item_on_floor
    assert "left by the belt of line" in verdict.sentence
    elsewhere = Order(order.item, order.from_bin, "packing")
    (verdict,) = judge_all(truth, [elsewhere], site)
    assert not verdict.delivered and verdict.wrong_item_delivered


@pytest.mark.slow
def test_an_item_that_lies_is_carried_away_and_not_delivered(make_plant, world):
    plant = plant_with(make_plant, world, lies=True)
    run(plant, world.site.station(LINE).clear_after)
    truth = plant.truth()
    assert truth.carried and "left lying" in judge(truth, plant.trial.order, world.site).sentence


def test_a_belt_ends_at_a_wall(world):
    (k, line), *_ = [(k, s) for k, s in enumerate(world.site.stations) if s.belt]
    away = line.model_copy(update={"pose": (5.0, 3.0, 1.5708)})
    stations = [away if j == k else s for j, s in enumerate(world.site.stations)]
    site = world.site.model_copy(update={"stations": tuple(stations)})
    found = [p for p in problems(world.model_copy(update={"site": site})) if "belt" in p.why]
    assert len(found) == 1 and "allowed is 0.3 m or less" in found[0].why


def test_a_site_stays_what_it_is_when_it_is_written_and_read_again(world):
    assert Site.model_validate(world.site.model_dump()) == world.site
