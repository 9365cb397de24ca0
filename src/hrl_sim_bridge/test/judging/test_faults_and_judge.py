from dataclasses import replace

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.control import Command
from hrl_core.geometry import rotation_from_rpy, transform_from
from hrl_sim_bridge.judging.judge import judge
from hrl_sim_bridge.plant.truth import Touch, Truth
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind


@pytest.fixture
def plant(make_plant, warehouse):
    """Somebody may be injected, so nobody else is there."""
    trial = next(
        t for t in (draw_trial(warehouse, seed) for seed in range(50)) if len(t.stock) >= 3
    )
    made = make_plant(warehouse, replace(trial, people=(), obstacles=()))
    made.step(Command())
    return made


def steps(plant, count: int) -> None:
    for _ in range(count):
        plant.step(Command())


def inject(plant, kind: FaultKind, target: str = "", duration: float = 0.0) -> None:
    plant.inject(Fault(kind, target, start=plant.time, duration=duration))
    plant.step(Command())


def free_way(plant, yaw: float) -> float:
    """What the LiDAR measures in a direction [rad] of map."""
    scan = plant.scan()
    base_yaw = plant.trial.start[2]
    k = round((yaw - base_yaw - scan.angle_min) / scan.angle_increment) % len(scan.ranges)
    return float(np.nanmedian(scan.ranges[k - 2 : k + 3]))


def test_a_missing_item_is_gone_and_comes_back(plant):
    name = plant.trial.stock[0].name
    before = plant.truth().items[name]
    inject(plant, FaultKind.MISSING_ITEM, name, duration=0.5)
    assert (plant.truth().items[name][:2, 3] < 0).all()  # outside the walls
    steps(plant, 8)
    assert np.linalg.norm(plant.truth().items[name][:3, 3] - before[:3, 3]) < 0.005


def test_a_misplaced_item_stands_in_the_other_bin_beside_what_is_there(plant):
    item, other = plant.trial.stock[0], plant.trial.stock[1]
    inject(plant, FaultKind.MISPLACED_ITEM, f"{item.name}@{other.bin}")
    steps(plant, 10)
    truth = plant.truth()
    in_bin = np.linalg.inv(plant.world.site.faces[other.bin]) @ truth.items[item.name]
    assert abs(in_bin[1, 3]) < 0.3
    assert -0.25 < in_bin[0, 3] < 0
    assert truth.items[item.name][2, 2] > 0.99
    apart = truth.items[item.name][:3, 3] - truth.items[other.name][:3, 3]
    assert np.linalg.norm(apart) > 0.08
    assert np.linalg.norm(truth.items[other.name][:3, 3] - other.map_from_item[:3, 3]) < 0.005


def test_a_blocked_aisle_leaves_no_way(plant):
    x, y, yaw = plant.world.site.waypoints["west"].pose
    inject(plant, FaultKind.BLOCKED_AISLE, "west", duration=0.5)
    geom = plant.model.geom("barrier/0")
    assert geom.size[1] * 2 > 1.0
    assert np.linalg.norm(plant.data.geom("barrier/0").xpos[:2] - [x, y]) < 1.0
    steps(plant, 8)
    assert plant.data.geom("barrier/0").xpos[2] < -1


def test_a_person_walks_in_stands_in_the_way_and_leaves(plant):
    x, y, _ = plant.world.site.waypoints["south"].pose
    dx, dy = np.array([x, y]) - plant.trial.start[:2]
    yaw, distance = float(np.arctan2(dy, dx)), float(np.hypot(dx, dy))
    assert free_way(plant, yaw) > distance + 0.3
    inject(plant, FaultKind.PERSON, "south", duration=5.0)
    person = plant.data.body("person/0")
    assert np.linalg.norm(person.xpos[:2] - plant.trial.start[:2]) > 1.8
    before = person.xpos[:2].copy()
    plant.step(Command())
    plant.truth()
    assert 0.05 < np.linalg.norm(person.xpos[:2] - before) < 0.1  # nobody appears in the way
    steps(plant, 45)
    assert free_way(plant, yaw) == pytest.approx(distance, abs=0.5)
    steps(plant, 60)
    plant.truth()
    assert person.xpos[2] < -1
    assert free_way(plant, yaw) > distance + 0.3


def test_outages_end_what_the_sensor_says(plant):
    inject(plant, FaultKind.LIDAR_OUTAGE, duration=0.3)
    assert plant.scan() is None
    steps(plant, 4)
    assert plant.scan() is not None
    inject(plant, FaultKind.CAMERA_OUTAGE, "camera")
    assert plant.image("camera") is None
    assert plant.image("hand_camera") is not None


def test_a_covered_marker_loses_its_picture_and_gets_it_back(plant):
    tag = plant.model.geom("tag/A1")
    material = int(tag.matid[0])
    inject(plant, FaultKind.MARKER_OCCLUDED, "A1", duration=0.3)
    assert tag.matid[0] == -1
    assert plant.model.geom("tag/A2").matid[0] >= 0
    steps(plant, 4)
    assert tag.matid[0] == material


def test_a_wet_floor_is_slippery_under_the_feet_that_stand_in_it(plant):
    feet = [plant.model.geom(name).id for name in plant.robot.model.feet]
    inject(plant, FaultKind.SLIPPERY_FLOOR, "packing_front")
    assert (plant.model.geom_friction[feet, 0] == plant.trial.floor_friction).all()
    inject(plant, FaultKind.SLIPPERY_FLOOR, duration=0.3)
    assert (plant.model.geom_friction[feet, 0] < 0.2).all()
    steps(plant, 4)
    assert (plant.model.geom_friction[feet, 0] == plant.trial.floor_friction).all()


def test_faults_of_a_trial_begin_at_their_time(make_plant, open_bay):
    fault = Fault(FaultKind.LIDAR_OUTAGE, start=0.3)
    plant = make_plant(open_bay, replace(draw_trial(open_bay, 0), faults=(fault,)))
    seen = []
    for _ in range(5):
        plant.step(Command())
        seen.append(plant.scan() is not None)
    assert seen == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("kind", "target", "message"),
    [
        (FaultKind.PERSON, "nowhere", r"unknown target of person; allowed: \['aisle_east'"),
        (FaultKind.MISPLACED_ITEM, "can", "allowed is <item>@<bin>"),
        (FaultKind.LIDAR_OUTAGE, "front", "allowed: \\[''\\]"),
    ],
)
def test_a_fault_with_a_wrong_target_is_refused(plant, kind, target, message):
    with pytest.raises(ConfigError, match=message):
        plant.inject(Fault(kind, target))


def delivered_truth(world, order) -> Truth:
    """The truth of a perfect delivery."""
    point = world.site.target_point(order.to_station)
    height = point[2] + 0.5 * world.site.items[order.item].size[2]
    pose = transform_from((point[0], point[1], height))
    return Truth(
        time=60.0,
        map_from_base=transform_from((1, 1, 0.47)),
        twist=np.zeros(3),
        items={order.item: pose},
        item_speeds={order.item: 0.0},
        held=None,
        touched_items=(),
        contacts=(),
    )


def moved(truth: Truth, item: str, by, rpy=(0.0, 0.0, 0.0)) -> Truth:
    pose = transform_from(truth.items[item][:3, 3] + by, rotation_from_rpy(*rpy))
    return replace(truth, items={item: pose})


def test_the_judge_believes_only_what_stands_free_upright_and_on_target(warehouse):
    site, order = warehouse.site, draw_trial(warehouse, 0).order
    truth = delivered_truth(warehouse, order)
    item = order.item
    assert judge(truth, order, site).delivered
    assert judge(moved(truth, item, [0.04, 0, 0]), order, site).delivered
    failures = {
        "from the target": moved(truth, item, [0.06, 0, 0]),
        "above the table": moved(truth, item, [0, 0, 0.03]),
        "tilted by 29 deg": moved(truth, item, [0, 0, 0], (0.5, 0, 0)),
        "still touches": replace(truth, touched_items=(item,)),
        "moves at 0.20 m/s": replace(truth, item_speeds={item: 0.2}),
    }
    for sentence, wrong in failures.items():
        judgement = judge(wrong, order, site)
        assert not judgement.delivered
        assert sentence in judgement.sentence


def test_the_judge_counts_what_the_robot_bumped_into(warehouse):
    order = draw_trial(warehouse, 0).order
    touches = {"body - person/0": Touch(3, 40.0), "arm_link_wr1 - shelf/A": Touch(1, 12.0)}
    truth = replace(delivered_truth(warehouse, order), touches=touches, fallen=True)
    judgement = judge(truth, order, warehouse.site)
    assert judgement.contacts_with_people == 3
    assert judgement.contacts == {"body - person/0": 40.0, "arm_link_wr1 - shelf/A": 12.0}
    assert judgement.fell


def test_nothing_is_delivered_at_the_start(plant):
    judgement = judge(plant.truth(), plant.trial.order, plant.world.site)
    assert not judgement.delivered
    assert judgement.placement_error is not None and judgement.placement_error > 1.0


def test_a_person_turns_back_where_the_robot_stands_in_the_way(make_plant, warehouse):
    """The robot stands at the waypoint itself, and nobody walks into it."""
    trial = replace(
        draw_trial(warehouse, 0), people=(), obstacles=(), start=np.array([3.0, 1.8, 0.0])
    )
    fault = Fault(FaultKind.PERSON, "south", duration=60.0)
    plant = make_plant(warehouse, replace(trial, faults=(fault,)))
    seen = []
    for _ in range(150):
        plant.step(Command())
        seen.append(bool(plant.data.body("person/0").xpos[2] > -1))
    assert any(seen) and not seen[-1]
    assert not [name for name in plant.truth().touches if "person" in name]
