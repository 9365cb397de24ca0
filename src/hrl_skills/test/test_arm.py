import numpy as np
import pytest

from hrl_core.robot import load_robot
from hrl_skills.arm import ArmKinematics
from hrl_skills.manipulation import GripSensor, Hand, apply_action


@pytest.fixture(scope="module")
def arm():
    return load_robot().arm


@pytest.fixture(scope="module")
def kinematics(arm) -> ArmKinematics:
    return ArmKinematics(arm)


def hand_at(kinematics: ArmKinematics, pose: np.ndarray, gripper: float) -> Hand:
    joints = kinematics.inverse(pose)
    position, rotation = kinematics.forward(joints)
    told = np.full(len(pose), gripper)
    return Hand(joints, told, 0 * told, pose.copy(), told, position, rotation)


def test_the_arm_reaches_the_poses_of_a_grasp(kinematics):
    rng = np.random.default_rng(0)
    low = [0.78, -0.16, -0.15, 0.8, 1.2]  # in front of boards from 0.3 to 0.7 m
    poses = rng.uniform(low, [0.95, 0.16, 0.30, 1.2, 1.9], (500, 5))
    assert kinematics.residual(poses).max() < 0.002
    joints = kinematics.inverse(poses)
    np.testing.assert_allclose(kinematics.hand_pose(joints)[:, 3:], poses[:, 3:], atol=1e-6)


def test_out_of_reach_is_told_and_stays_within_the_joint_limits(arm, kinematics):
    far = np.array([[1.6, 0.3, 0.2, 1.0, 1.57]])
    assert 0.3 < kinematics.residual(far)[0] < 0.9
    joints = kinematics.inverse(far)[0]
    assert np.isfinite(joints).all()
    assert (joints >= arm.lower).all() and (joints <= arm.upper).all()


def test_the_poses_of_the_robot_file_are_within_the_joint_limits(arm):
    for name, joints in arm.poses.items():
        assert (np.array(joints) >= arm.lower).all(), name
        assert (np.array(joints) <= arm.upper).all(), name


def test_carry_keeps_the_hand_over_the_footprint(kinematics):
    robot = load_robot()
    tool, _ = kinematics.forward(np.array([robot.arm.poses["carry"]]))
    front = max(robot.base.footprint_x) + robot.base.footprint_radius
    assert tool[0, 0] + 0.05 < front  # with half of an item


def test_an_action_moves_the_command_but_never_far_ahead_of_the_hand(arm, kinematics):
    pose = np.array([[0.8, 0.1, 0.2, 1.0, 1.57]])
    hand = hand_at(kinematics, pose, gripper=-1.0)
    gripper = hand.gripper
    for _ in range(10):
        hand.command, gripper = apply_action(arm, hand, np.array([[3.0, 0, 0, 0, 0, 1.0]]))
    lead = np.linalg.norm(hand.command[0, :3] - hand.position[0])
    assert lead == pytest.approx(arm.hand.lead, abs=1e-6)
    assert gripper[0] == pytest.approx(-1.0 + 0.1 * arm.gripper.speed)


def test_actions_point_along_the_arm(arm, kinematics):
    pose = np.array([[0.7, 0.4, 0.2, 1.0, 1.57]])
    hand = hand_at(kinematics, pose, gripper=-1.0)
    command, _ = apply_action(arm, hand, np.array([[1.0, 0, 0, 0, 0, -1.0]]))
    step = command[0, :2] - pose[0, :2]
    yaw = hand.joints[0, 0]
    np.testing.assert_allclose(step, 0.025 * np.array([np.cos(yaw), np.sin(yaw)]), atol=1e-9)


def test_the_grip_is_noticed_when_something_stops_the_gripper_and_only_then(arm):
    sensor = GripSensor(3, arm.gripper)
    sensor.reset(np.arange(3), np.full(3, -1.2))
    held = np.zeros(3, bool)
    # One closes on an item, one on nothing, one moves with all its force.
    for gripper in ([-0.9, -0.6, -1.0], [-0.7, 0.0, -0.8], [-0.7, 0.0, -0.6], [-0.7, 0.0, -0.4]):
        held = sensor.update(np.array(gripper), np.array([5.0, 5.0, 5.0]))
    assert held.tolist() == [True, False, False]
    assert sensor.update(np.array([-0.3, 0.0, -0.2]), np.full(3, 5.0)).tolist()[0] is False


def test_a_level_grasp_rolls_less_the_flatter_the_hand_is(arm, kinematics):
    roll = arm.hand.grasp_roll

    def rolled(pitch: float, level: bool) -> float:
        hand = hand_at(kinematics, np.array([[0.8, 0.0, 0.2, pitch, roll]]), gripper=-1.0)
        for _ in range(8):
            hand.command, _ = apply_action(arm, hand, np.array([[0, 0, 0, 0, 1.0, -1.0]]), level)
        return float(hand.command[0, 4] - roll)

    assert rolled(0.26, level=False) > 1.0
    assert np.sin(rolled(0.26, level=True)) * np.cos(0.26) == pytest.approx(arm.hand.most_tilt)
    assert rolled(1.5, level=True) > 1.0
