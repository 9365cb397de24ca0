from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hrl_core.config import ConfigError, find_config
from hrl_core.control import Command
from hrl_core.geometry import transform_from
from hrl_sim_bridge.judging.solvable import final_bins, solvable
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.barriers import barrier_at
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import DISTURBANCES, Fault, FaultKind, Trigger
from hrl_sim_bridge.worlds.loading import load_world

NOMINAL = ("start", "start_estimate", "stock", "obstacles", "people", "floor_friction", "order")


def trial_with(world, kind: str):
    """The first trial that has this disturbance and no other."""
    return next(t for s in range(500) if (t := draw_trial(world, s, "one")).disturbances == (kind,))


def with_faults(trial, *faults: Fault):
    return replace(trial, obstacles=(), faults=faults)


def end_of(trial, base=(1.2, 1.6), held=None, item=None, happened=()) -> Truth:
    """The truth of the end of a mission."""
    poses = {placed.name: placed.map_from_item for placed in trial.stock}
    if item is not None:
        poses[trial.order.item] = transform_from(item)
    return Truth(
        time=60.0,
        map_from_base=transform_from((*base, 0.47)),
        twist=np.zeros(3),
        items=poses,
        item_speeds=dict.fromkeys(poses, 0.0),
        held=held,
        touched_items=(),
        contacts=(),
        happened=happened,
    )


@pytest.mark.parametrize("disturb", ["none", "one", "many"])
def test_disturbances_leave_the_rest_of_a_trial_as_it_is(warehouse, disturb):
    for seed in range(10):
        nominal, trial = draw_trial(warehouse, seed), draw_trial(warehouse, seed, disturb)
        for name in NOMINAL:
            assert repr(getattr(trial, name)) == repr(getattr(nominal, name))
    assert repr(draw_trial(warehouse, 3, disturb)) == repr(draw_trial(warehouse, 3, disturb))


def test_one_is_one_kind_and_many_are_two_or_three(warehouse):
    one = Counter(draw_trial(warehouse, seed, "one").disturbances for seed in range(110))
    assert {kinds[0] for kinds in one} == {*DISTURBANCES}
    assert all(len(kinds) == 1 for kinds in one)
    many = [draw_trial(warehouse, seed, "many").disturbances for seed in range(40)]
    assert {len(kinds) for kinds in many} == {2, 3}
    assert not any({"missing_item", "misplaced_item"} <= {*kinds} for kinds in many)
    assert draw_trial(warehouse, 0, "none").faults == ()


def test_a_file_says_how_likely_each_kind_is(tmp_path):
    data = yaml.safe_load(find_config("worlds", "small_warehouse").read_text())
    data["trial"]["disturbances"] = {
        "person": 1,
        "camera_outage": {"probability": 0.5, "start": [2, 2]},
    }
    data["faults"] = [{"kind": "slippery_floor"}]
    path = tmp_path / "world.yaml"
    path.write_text(yaml.safe_dump(data))
    trials = [draw_trial(load_world(path), seed) for seed in range(40)]
    assert all("person" in trial.disturbances for trial in trials)
    outages = [t for t in trials if "camera_outage" in t.disturbances]
    assert 8 < len(outages) < 32
    assert all(fault.start == 2.0 for t in outages for fault in t.faults if "outage" in fault.kind)
    assert all(Fault(FaultKind.SLIPPERY_FLOOR) in trial.faults for trial in trials)
    assert draw_trial(load_world(path), 0, "none").faults == ()


def test_wrong_disturbances_are_refused(tmp_path, warehouse):
    with pytest.raises(ConfigError, match="disturb = 'some': allowed are .*'file', 'none'"):
        draw_trial(warehouse, 0, "some")  # type: ignore[arg-type]
    data = yaml.safe_load(find_config("worlds", "small_warehouse").read_text())
    path = tmp_path / "world.yaml"
    data["trial"]["disturbances"] = {"person": 1.5}
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r"disturbances.person.*1.5: .*less than or equal to 1"):
        load_world(path)
    data["trial"]["disturbances"] = {"flood": 0.5}
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r"trial.disturbances.flood = 0.5"):
        load_world(path)
    del data["trial"]["disturbances"]
    data["faults"] = [{"kind": "lidar_outage", "trigger": "near"}]
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r"faults.0.trigger = 'near': a lidar_outage starts by"):
        load_world(path)


def test_a_wrong_item_stands_in_the_ordered_bin(warehouse, make_plant):
    trial = trial_with(warehouse, "wrong_item")
    plant = make_plant(warehouse, trial)
    plant.step(Command())
    bins = final_bins(trial)
    wrong = [name for name, bin_name in bins.items() if bin_name == trial.order.from_bin]
    assert len(wrong) == 1 and trial.order.item not in wrong
    bin_from_item = np.linalg.inv(warehouse.site.faces[wrong_bin := trial.order.from_bin])
    place = (bin_from_item @ plant.truth().items[wrong[0]])[:3, 3]
    assert abs(place[1]) < 0.3 and -0.25 < place[0] < 0, wrong_bin
    assert (
        np.linalg.norm(place - (bin_from_item @ plant.truth().items[trial.order.item])[:3, 3]) > 1
    )


def test_a_fault_waits_for_the_robot_to_come_near(warehouse, make_plant):
    x, y, _ = warehouse.site.waypoints["south"].pose
    fault = Fault(FaultKind.BLOCKED_AISLE, "south", 0.3, 0.5, Trigger.NEAR)
    far = with_faults(draw_trial(warehouse, 0), replace(fault, target="aisle_east"))
    near = with_faults(draw_trial(warehouse, 0), fault)
    near = replace(near, start=np.array([x - 2.0, y, 0.0]), people=())
    up = {}
    for name, trial in {"far": far, "near": near}.items():
        plant = make_plant(warehouse, trial)
        up[name] = []
        for _ in range(12):
            plant.step(Command())
            up[name].append(plant.data.body("barrier/0").xpos[2] > 0)
    assert not any(up["far"])
    assert up["near"][:3] == [False] * 3 and any(up["near"][3:8]) and not up["near"][-1]


def test_what_is_gone_or_on_the_floor_cannot_be_delivered(warehouse):
    trial = with_faults(draw_trial(warehouse, 0))
    item = trial.order.item
    assert solvable(warehouse, trial).ok
    gone = with_faults(trial, Fault(FaultKind.MISSING_ITEM, item))
    assert solvable(warehouse, gone).why == f"{item} is nowhere"
    for_a_while = with_faults(trial, Fault(FaultKind.MISSING_ITEM, item, 0.0, 20.0))
    assert solvable(warehouse, for_a_while).ok
    moved = with_faults(trial, Fault(FaultKind.MISPLACED_ITEM, f"{item}@C1"))
    assert solvable(warehouse, moved).ok and final_bins(moved)[item] == "C1"
    drop = with_faults(trial, Fault(FaultKind.DROPPED_ITEM, item, 1.0, 0.0, Trigger.CARRYING))
    assert not solvable(warehouse, drop).ok
    assert solvable(warehouse, drop, end_of(drop)).ok  # the mission ended before
    assert not solvable(warehouse, drop, end_of(drop, item=(4.0, 2.0, 0.05))).ok
    # What the robot itself dropped could have been delivered.
    assert solvable(warehouse, trial, end_of(trial, item=(4.0, 2.0, 0.05))).ok


def test_barriers_that_close_the_way_for_good_cannot_be_passed(warehouse):
    """Both ways from the dock to the shelves on the north wall are closed."""
    trial = next(
        t for s in range(50) if (t := draw_trial(warehouse, s)).order.from_bin in ("B1", "B2", "B3")
    )
    middle, east = (
        Fault(FaultKind.BLOCKED_AISLE, "aisle_middle"),
        Fault(FaultKind.BLOCKED_AISLE, "east"),
    )
    assert solvable(warehouse, with_faults(trial, middle)).ok
    both = with_faults(trial, middle, east)
    assert solvable(warehouse, both).why.startswith("barriers close the way to B")
    assert solvable(warehouse, with_faults(trial, middle, replace(east, duration=30.0))).ok
    # After a mission only those count that came up, and the robot may be past them.
    assert solvable(warehouse, both, end_of(both, happened=(middle,))).ok
    assert not solvable(warehouse, both, end_of(both, happened=(middle, east))).ok
    past = end_of(both, base=(4.0, 1.9), held=trial.order.item, happened=(middle, east))
    assert solvable(warehouse, both, past).ok


def test_a_barrier_closes_its_aisle(warehouse):
    site = warehouse.site
    barrier = barrier_at(site, (), "aisle_middle")
    x, _, _ = site.waypoints["aisle_middle"].pose
    across = np.stack([np.full(200, x), np.linspace(3.6, 6.9, 200)], axis=-1)
    inside = barrier.distance(across) == 0
    assert 2.0 < barrier.size[1] < 3.5
    assert np.ptp(across[inside, 1]) == pytest.approx(barrier.size[1], abs=0.05)
