import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from hrl_core.control import COMMAND_AGE, Command
from hrl_core.geometry import planar_from_transform, wrap_angle
from hrl_core.known import known
from hrl_sim_bridge.plant.actuators import CommandRefused
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Push

FORWARD = Command(twist=np.array([0.4, 0.0, 0.0]))


def steps(plant: Plant, count: int, command: Command = Command()) -> None:  # noqa: B008
    for _ in range(count):
        plant.step(command)


def base_pose(plant: Plant) -> np.ndarray:
    return planar_from_transform(plant.truth().map_from_base)


def test_the_robot_stands_where_the_trial_says_without_a_command(make_plant, open_bay):
    plant = make_plant(open_bay)
    assert plant.time == 0.0
    steps(plant, 20)
    away = base_pose(plant) - plant.trial.start
    assert plant.time == pytest.approx(2.0)
    assert np.hypot(away[0], away[1]) < 0.04
    assert abs(wrap_angle(away[2])) < 0.05
    assert not plant.truth().fallen
    assert plant.truth().touches == {}


def test_the_robot_walks_on_its_feet_as_it_is_told(make_plant, open_bay):
    plant = make_plant(open_bay)
    start = base_pose(plant)
    heights = []
    for _ in range(30):
        plant.step(FORWARD)
        feet = [plant.data.geom(name).xpos[2] for name in plant.robot.model.feet]
        heights.append(feet)
    moved = base_pose(plant) - start
    assert 0.8 < np.hypot(moved[0], moved[1]) < 1.3  # 3 s at 0.4 m/s, less the start
    assert np.ptp(heights, axis=0).min() > 0.03  # every foot was lifted
    assert not plant.truth().fallen


def test_the_base_stops_when_commands_stay_away(make_plant, open_bay):
    plant = make_plant(open_bay)
    steps(plant, 15, FORWARD)
    assert plant.truth().twist[0] > 0.25
    steps(plant, round(COMMAND_AGE / 0.1) + 15)
    stood = plant.truth().map_from_base[:2, 3].copy()
    steps(plant, 10)
    assert np.hypot(*(plant.truth().map_from_base[:2, 3] - stood)) < 0.03


def test_the_velocity_command_is_clipped_and_slewed(make_plant, open_bay):
    plant = make_plant(open_bay)
    plant.step(Command(twist=np.array([9.0, 0.0, -9.0])))
    base, told = plant.robot.base, plant._actuators.base.twist
    assert told[0] == pytest.approx(base.acceleration_max[0] * 0.1)
    assert told[2] == pytest.approx(-base.acceleration_max[2] * 0.1)
    steps(plant, 9, Command(twist=np.array([9.0, 0.0, -9.0])))
    assert plant._actuators.base.twist[0] == pytest.approx(base.velocity_max[0])
    assert plant._actuators.base.twist[2] == pytest.approx(base.velocity_min[2])


def test_the_arm_reaches_its_target_within_its_speed(make_plant, open_bay):
    plant = make_plant(open_bay)
    arm = plant.robot.arm_slice
    ready = np.array(plant.robot.arm.poses["ready"])
    last = plant.joints().position[arm]
    fastest = 0.0
    for _ in range(12):
        plant.step(Command(arm=ready, gripper=-1.0))
        now = plant.joints().position[arm]
        fastest = max(fastest, np.abs(now - last).max() / 0.1)
        last = now
    assert np.abs(last - ready).max() < 0.02
    assert plant.joints().position[plant.robot.gripper_index] == pytest.approx(-1.0, abs=0.03)
    assert fastest < 1.15 * plant.robot.arm.velocity_limit
    assert not plant.truth().fallen


def test_targets_beyond_the_joints_limits_are_clipped(make_plant, open_bay):
    plant = make_plant(open_bay)
    steps(plant, 3, Command(arm=np.array([0.0, -3.1, 99.0, 0.0, 0.0, 0.0]), gripper=5.0))
    target = plant._actuators.joints.target
    assert target[2] == plant.robot.arm.upper[2]
    assert target[-1] == plant.robot.arm.gripper_closed


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (Command(twist=np.array([0.1, np.nan, 0.0])), r"command.twist = \[0.1, nan, 0.0\]"),
        (Command(twist=np.zeros(2)), r"command.twist has shape \(2,\); allowed is \(3,\)"),
        (Command(arm=np.full(6, np.inf)), "command.arm = .*allowed are finite values"),
        (Command(gripper=float("nan")), "command.gripper = nan: allowed|command.gripper = nan"),
    ],
)
def test_a_wrong_command_is_refused_and_the_robot_holds(make_plant, open_bay, command, message):
    plant = make_plant(open_bay)
    steps(plant, 5, FORWARD)
    time = plant.time
    with pytest.raises(CommandRefused, match=message):
        plant.step(command)
    assert plant.time == time
    steps(plant, 4)
    assert not plant._actuators.base.twist.any()


def test_the_same_seed_and_commands_give_the_same_data_bit_for_bit(robot, warehouse):
    """Whatever is read, and however often."""
    trial = draw_trial(warehouse, 1)  # has people and obstacles
    readings = []
    for sparse in (False, True):
        plant = Plant(warehouse, trial, robot, options=PlantOptions(skin=False))
        for tick in range(12):
            plant.step(Command(twist=np.array([0.3, 0.0, 0.4]), arm=np.full(6, -0.3)))
            if not sparse and tick % 3 == 0:
                for read in (plant.scan, plant.truth, plant.joints, plant.joints):
                    read()
                plant.image("hand_camera")
        frame = known(plant.image("camera"))
        scan, joints, odometry, imu = (
            known(plant.scan()),
            plant.joints(),
            plant.odometry(),
            plant.imu(),
        )
        readings.append(
            [
                scan.ranges,
                joints.position,
                joints.velocity,
                joints.effort,
                odometry.odom_from_base,
                odometry.twist,
                imu.up,
                frame.rgb,
                frame.depth,
                plant.data.qpos.copy(),
            ]
        )
        plant.close()
    for a, b in zip(*readings, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_reset_starts_the_same_trial_again(make_plant, open_bay):
    plant = make_plant(open_bay)
    first = plant.joints().position
    steps(plant, 5, FORWARD)
    plant.reset(plant.trial)
    assert plant.time == 0.0
    np.testing.assert_array_equal(plant.joints().position, first)


def test_bumping_into_a_station_is_noticed(make_plant, open_bay):
    station = open_bay.site.station("packing")
    start = open_bay.site.pose_in_front("packing", 0.75)
    plant = make_plant(open_bay, replace(draw_trial(open_bay, 0), start=start))
    steps(plant, 25, FORWARD)
    touches = plant.truth().touches
    assert any(name.endswith(f"- station/{station.name}") for name in touches)
    assert max(touch.force for touch in touches.values()) > 1.0


def test_a_person_stops_for_the_robot_and_then_turns_round(make_plant, warehouse):
    trial = next(t for t in (draw_trial(warehouse, seed) for seed in range(50)) if t.people)
    person = replace(trial.people[0], begin=0.0, speed=0.9)
    on_route = person.route[0] + 0.9 * (person.route[1] - person.route[0])
    start = np.array([*on_route, 0.0])
    plant = make_plant(
        warehouse, replace(trial, start=start, people=(person,), obstacles=()), skin=False
    )
    gaps = []
    for _ in range(60):
        plant.step(Command())
        where = plant.data.mocap_pos[plant.model.body("person/0").mocapid[0]][:2]
        gaps.append(np.linalg.norm(where - base_pose(plant)[:2]))
    assert min(gaps) > 0.6
    assert max(gaps[:5]) > min(gaps) + 0.5  # it came
    assert gaps[-1] > min(gaps) + 0.3  # and has gone away again
    assert not plant.truth().touches


def test_another_robot_file_needs_no_code(make_plant, open_bay, robot):
    lidar = robot.lidar.model_copy(update={"beams": 90})
    other = robot.model_copy(update={"lidar": lidar})
    plant = Plant(open_bay, draw_trial(open_bay, 0), other, options=PlantOptions(skin=False))
    plant.step(Command())
    assert known(plant.scan()).ranges.shape == (90,)
    plant.close()


def test_a_push_changes_the_velocity_at_its_time_and_the_robot_stays_up(make_plant, open_bay):
    trial = replace(draw_trial(open_bay, 0), pushes=(Push(0.5, np.array([0.0, 0.4])),))
    pushed, left_alone = make_plant(open_bay, trial), make_plant(open_bay)
    for plant in (pushed, left_alone):
        steps(plant, 5)
    np.testing.assert_array_equal(pushed.data.qpos, left_alone.data.qpos)
    for plant in (pushed, left_alone):
        steps(plant, 3)
    moved = pushed.truth().map_from_base[:2, 3] - left_alone.truth().map_from_base[:2, 3]
    assert moved[1] > 0.01 > abs(moved[0])
    steps(pushed, 20)
    assert not pushed.truth().fallen


def test_a_payload_weighs_on_the_hand_and_is_no_obstacle(make_plant, open_bay):
    light = make_plant(open_bay)
    heavy = make_plant(open_bay, replace(draw_trial(open_bay, 0), payload=2.0))
    assert heavy.model.body_subtreemass[0] - light.model.body_subtreemass[0] == pytest.approx(2.0)
    for plant in (light, heavy):
        steps(plant, 20)
        assert not plant.truth().fallen
    assert not heavy.truth().contacts


def test_a_reset_gives_the_last_model_back_at_once(make_plant, open_bay):
    plant = make_plant(open_bay)
    last = weakref.ref(plant.model)
    gc.disable()  # it would hide what only it can free, up to 150 MB a trial
    try:
        plant.reset(draw_trial(open_bay, seed=1))
        assert last() is None
    finally:
        gc.enable()
