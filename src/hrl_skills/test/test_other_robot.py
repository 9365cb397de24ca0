"""Another robot is another file: what the skills, the shield and the planner do follows it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hrl_core.config import ConfigError, config_dir
from hrl_core.robot import Robot, load_robot
from hrl_core.sensed import Joints, Odometry, Sensed
from hrl_core.site import load_site
from hrl_skills.gait import GaitConfig, Stepper
from hrl_skills.library import make_skill, skill_names
from hrl_skills.local_planner import plan_locally
from hrl_skills.manipulation import ItemEstimate, finger_opening, grasp_point, hand_step
from hrl_skills.manipulator import Manipulator
from hrl_skills.planner import ObstacleGrid
from hrl_skills.shield import Shield
from hrl_skills.steering import PENDING
from hrl_skills.walk import goal_room

SPOT = load_robot()


@pytest.fixture
def robot_with(tmp_path: Path) -> Callable[..., Robot]:
    """A robot whose file has other values at dotted keys."""

    def load(changes: dict[str, Any]) -> Robot:
        data = yaml.safe_load((config_dir() / "robots" / "spot.yaml").read_text())
        for key, value in changes.items():
            *folders, name = key.split(".")
            section = data
            for folder in folders:
                section = section[folder]
            assert name in section, key
            section[name] = value
        path = tmp_path / "other.yaml"
        path.write_text(yaml.safe_dump(data))
        return load_robot(path)

    return load


def item(half_width: float) -> ItemEstimate:
    size = np.array([[half_width, half_width, 0.06]])
    return ItemEstimate(np.array([[0.85, 0.0, 0.1]]), np.eye(3)[None], size, np.zeros(1, bool))


def test_a_wider_robot_keeps_further_from_things(robot_with):
    wide = robot_with({"base.footprint_radius": 0.4})
    wall = np.column_stack([np.full(60, 0.8), np.linspace(-1, 1, 60)])[None]
    still, ahead = np.zeros((1, PENDING, 3)), np.array([[0.15, 0.0, 0.0]])
    spots, its = (
        Shield(robot).protect(ahead, still, np.zeros((1, 3)), wall)[0, 0] for robot in (SPOT, wide)
    )
    assert spots == 0.15 and its < 0.15
    assert goal_room(wide.base) == pytest.approx(goal_room(SPOT.base) + 0.13)


def test_a_wider_robot_takes_no_way_that_is_too_narrow_for_it(robot_with):
    wide = robot_with({"base.footprint_radius": 0.4})
    start, goal = np.array([2.0, 3.0, 0.0]), np.array([4.0, 3.0, 0.0])
    sides = [np.column_stack([np.arange(0.0, 8.0, 0.05), np.full(160, y)]) for y in (2.6, 3.4)]

    def grid(robot: Robot) -> ObstacleGrid:
        return ObstacleGrid((8.0, 6.0), np.concatenate(sides), robot)

    assert grid(SPOT).way(start[:2], goal[:2]) is not None
    assert grid(wide).way(start[:2], goal[:2]) is None
    assert plan_locally(grid(SPOT), SPOT.base, start, goal) is not None
    assert plan_locally(grid(wide), wide.base, start, goal) is None


def test_a_gripper_with_thicker_fingers_opens_less_between_neighbours(robot_with):
    thick = robot_with({"arm.gripper.finger_thickness": 0.05, "arm.gripper.jaw": 0.03})
    room, width = np.full((1, 2), 0.06), np.array([0.03])
    grippers = [robot.arm.gripper for robot in (SPOT, thick)]
    spots, its = (finger_opening(gripper, width, room)[0] for gripper in grippers)
    assert spots < its < 0
    down = np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]])
    point, other = (grasp_point(gripper, item(0.03), down)[0] for gripper in grippers)
    np.testing.assert_allclose(other - point, [0.0, 0.006, 0.0], atol=1e-12)


def test_a_slower_arm_is_told_smaller_steps(robot_with):
    slow = robot_with({"arm.hand.speed": [0.1, 0.1, 0.1, 0.5, 0.5], "arm.hand.joint_speed": 0.7})
    np.testing.assert_allclose(hand_step(slow.arm), [0.01, 0.01, 0.01, 0.05, 0.05])
    steps = []
    for robot in (SPOT, slow):
        arm = Manipulator(robot)
        arm.start(standing(robot))
        for _ in range(8):
            before = arm.command().arm
            arm.go_to_joints(arm.pose("ready"))
            assert before is not None and arm.command().arm is not None
            steps.append(np.abs(arm.command().arm - before).max())
    assert max(steps[8:]) == pytest.approx(0.5 * max(steps[:8]))


def standing(robot: Robot) -> Sensed:
    """What is sensed with the arm stowed."""
    position = [*robot.legs.nominal, *robot.arm.poses["stow"], robot.arm.gripper_closed]
    joints = Joints(0.0, np.array(position), np.zeros(19), np.zeros(19))
    return Sensed(0.0, joints=joints, odometry=Odometry(0.0, np.eye(4), np.zeros(3)))


def test_the_gait_of_longer_legs_steps_by_their_kinematics(robot_with):
    long = robot_with({"legs.geometry.shank": 0.40, "legs.trot.lift": 0.2})
    feet = []
    for robot in (SPOT, long):
        stepper = Stepper(1, GaitConfig.of(robot))
        stepper.walking[:], stepper.phase[:] = True, 0.25
        legs = stepper.config.kinematics
        feet.append(legs.feet_in_hips(stepper.trot().reshape(4, 3)) - stepper.stand_feet)
    np.testing.assert_allclose(feet[0][[0, 3], 2], 0.1, atol=1e-9)
    np.testing.assert_allclose(feet[1][[0, 3], 2], 0.2, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arm.gripper.openings": [-0.4]}, "arm.gripper"),
        ({"arm.hand.middle_joints": [0.0]}, "hand.middle_joints has 1 values; 6 joints are named"),
        ({"base.response.delay": [9, 2, 0]}, r"base.response.delay = \(9, 2, 0\); allowed are at"),
        ({"legs.trot.frequency": -1.0}, "frequency"),
    ],
)
def test_a_wrong_figure_is_refused_with_its_place(robot_with, changes, message):
    with pytest.raises(ConfigError, match=message):
        Shield(robot_with(changes))


def test_every_skill_is_made_for_another_robot_without_a_change_to_it(robot_with):
    other = robot_with({"base.footprint_radius": 0.3})
    for name in skill_names():
        assert make_skill(name, load_site("small_warehouse"), other).name == name
