import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.robot import load_robot
from hrl_skills.gait import (
    ACTION_SIZE,
    MIRROR_ACTION,
    MIRROR_OBSERVATION,
    OBSERVATION_SIZE,
    PERIOD,
    Gait,
    GaitConfig,
    Stepper,
)

ROBOT = load_robot("spot")
CONFIG = GaitConfig.of(ROBOT)
FORWARD = np.array([[0.5, 0.0, 0.0]])
STOP = np.zeros((1, 3))
NO_ACTION = np.zeros((1, ACTION_SIZE))


def tick(stepper: Stepper, command: np.ndarray) -> np.ndarray:
    stepper.accept(command)
    targets = stepper.targets(NO_ACTION)
    stepper.advance(NO_ACTION)
    return targets


def test_without_a_command_the_targets_are_the_standing_pose():
    stepper = Stepper(1, CONFIG)
    for _ in range(20):
        np.testing.assert_allclose(tick(stepper, STOP)[0], stepper.stand, atol=1e-9)
    assert not stepper.walking[0]


def test_commands_change_no_faster_than_the_robot_file_allows():
    stepper = Stepper(1, CONFIG)
    tick(stepper, np.array([[0.9, 0.35, 0.9]]))
    expected = np.array(ROBOT.base.acceleration_max) * PERIOD
    np.testing.assert_allclose(stepper.command[0], expected)


def test_commands_beyond_the_trained_range_are_clipped():
    stepper = Stepper(1, CONFIG)
    for _ in range(200):
        tick(stepper, np.array([[5.0, -5.0, 5.0]]))
    assert stepper.command[0].tolist() == [1.0, -0.45, 1.0]


def test_a_trot_lifts_diagonal_feet_together():
    stepper = Stepper(1, CONFIG)
    for _ in range(50):
        tick(stepper, FORWARD)
    swings = stepper.leg_phase()[0] < 0.5
    assert swings[0] == swings[3] != swings[1] == swings[2]


def test_a_walking_foot_on_the_floor_moves_back_at_the_commanded_speed():
    stepper = Stepper(1, CONFIG)
    for _ in range(100):
        tick(stepper, FORWARD)
    while stepper.leg_phase()[0, 0] < 0.6:
        tick(stepper, FORWARD)
    feet = [
        CONFIG.kinematics.feet_in_hips(tick(stepper, FORWARD).reshape(4, 3))[0, 0] for _ in range(2)
    ]
    assert (feet[1] - feet[0]) / PERIOD == pytest.approx(-0.5, abs=0.01)


def test_after_a_stop_it_steps_in_place_and_then_stands_with_all_feet_down():
    stepper = Stepper(1, CONFIG)
    for _ in range(100):
        tick(stepper, FORWARD)
    stopped_after = None
    for k in range(100):
        tick(stepper, STOP)
        if not stepper.walking[0]:
            stopped_after = k * PERIOD
            break
    slewing = 0.5 / ROBOT.base.acceleration_max[0]
    assert stopped_after is not None
    assert slewing + CONFIG.trot.settle <= stopped_after <= slewing + CONFIG.trot.settle + 0.3
    assert stepper.phase[0] in (0.0, 0.5)


def test_commands_below_the_rest_threshold_do_not_make_it_step():
    stepper = Stepper(1, CONFIG)
    for _ in range(50):
        tick(stepper, np.array([[0.01, -0.01, 0.02]]))
    assert not stepper.walking[0]


def test_the_mirror_image_of_a_command_gives_mirrored_targets_half_a_cycle_later():
    left, right = Stepper(1, CONFIG), Stepper(1, CONFIG)
    right.phase[:] = 0.5
    order, sign = MIRROR_ACTION
    for _ in range(80):
        targets = tick(left, np.array([[0.4, 0.2, 0.5]]))
        mirrored = tick(right, np.array([[0.4, -0.2, -0.5]]))
        np.testing.assert_allclose(targets[:, order] * sign, mirrored, atol=1e-9)


def test_the_mirror_image_of_an_observation_is_what_the_mirrored_robot_sees():
    left, right = Stepper(1, CONFIG), Stepper(1, CONFIG)
    right.phase[:] = 0.5
    rng = np.random.default_rng(0)
    up, gyro = rng.normal(size=(1, 3)), rng.normal(size=(1, 3))
    joints, speeds, action = (rng.normal(size=(1, 12)) for _ in range(3))
    legs, leg_sign = MIRROR_ACTION
    for stepper, side in ((left, 1.0), (right, -1.0)):
        stepper.accept(np.array([[0.4, side * 0.2, side * 0.5]]))
        stepper.advance(action if side > 0 else action[:, legs] * leg_sign)
        stepper.accept(np.array([[0.4, side * 0.2, side * 0.5]]))
    order, sign = MIRROR_OBSERVATION
    seen = left.observe(up, gyro, joints, speeds)
    seen_mirrored = right.observe(
        up * [1, -1, 1],  # a vector
        gyro * [-1, 1, -1],  # an axial vector
        joints[:, legs] * leg_sign,
        speeds[:, legs] * leg_sign,
    )
    np.testing.assert_allclose(seen[:, order] * sign, seen_mirrored, atol=1e-6)


def test_the_shipped_gait_stands_at_rest_and_steps_on_command():
    gait = Gait(ROBOT)
    still = (np.array([0, 0, 1.0]), np.zeros(3), gait.stand, np.zeros(12))
    resting = gait.step(np.zeros(3), *still)
    assert np.abs(resting - gait.stand).max() < 0.3
    targets = np.array([gait.step(np.array([0.5, 0, 0]), *still) for _ in range(50)])
    assert gait.walking
    assert np.ptp(targets, axis=0)[[1, 2]].min() > 0.2  # front left hip y and knee swing
    gait.reset()
    np.testing.assert_allclose(gait.step(np.zeros(3), *still), resting)


def test_the_gait_hands_the_declared_observation_to_its_policy():
    seen = []

    def policy(observation: np.ndarray) -> np.ndarray:
        seen.append(observation)
        return np.zeros((1, ACTION_SIZE), np.float32)

    gait = Gait(ROBOT, policy)
    gait.step(
        np.array([0.5, 0, 0]), np.array([0, 0, 1.0]), np.full(3, 0.1), gait.stand, np.ones(12)
    )
    assert seen[0].shape == (1, OBSERVATION_SIZE)
    np.testing.assert_allclose(seen[0][0, :6], [0, 0, 1, 0.1, 0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(seen[0][0, 6:18], 0.0, atol=1e-6)
    np.testing.assert_allclose(seen[0][0, 18:30], 0.1, atol=1e-6)


def test_a_sensor_that_reads_nan_is_refused_with_its_place():
    gait = Gait(ROBOT)
    with pytest.raises(ValueError, match=r"observation\[0, 4\] is nan"):
        gait.step(
            np.zeros(3), np.array([0, 0, 1.0]), np.array([0, np.nan, 0]), gait.stand, np.zeros(12)
        )


def test_a_robot_with_other_legs_is_refused():
    other = ROBOT.model_copy(
        update={"legs": ROBOT.legs.model_copy(update={"joints": ("a", "b", "c")})}
    )
    with pytest.raises(ConfigError, match=r"legs.joints = \('a', 'b', 'c'\); allowed are 12"):
        GaitConfig.of(other)
