"""Names, numbers, colours and scans of drivers in our words, and back."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.geometry import rotation_from_rpy, transform_from
from hrl_core.robot import load_robot
from hrl_core.sensed import Scan
from hrl_driver.colours import ENCODINGS, rgb_of_rows
from hrl_driver.names import Frames, Joints
from hrl_driver.profile import Driver, Joint, JointStates, Source, Units, load_driver
from hrl_driver.scans import Flattener


@pytest.fixture(scope="module")
def robot():
    return load_robot()


@pytest.fixture
def spot() -> Driver:
    return load_driver("spot_ros2")


# Names and numbers


def test_frames_lose_prefix_and_slash_and_get_our_names(spot):
    frames = Frames(spot)
    assert frames.ours("spot/body") == frames.ours("/spot/body") == "base_link"
    assert frames.ours("spot/odom") == "odom"
    assert frames.ours("spot/hand_color_image_sensor") == "hand_color_image_sensor"
    assert spot.frame("base_link") == "spot/body" and spot.frame("odom") == "spot/odom"


def test_a_frame_that_is_named_like_another_of_ours_gets_out_of_the_way(spot):
    frames = Frames(spot)
    assert frames.ours("spot/base_link") == "base_link_of_driver"
    assert frames.ours("spot/map") == "map_of_driver"


def test_only_frames_with_the_prefix_are_the_drivers(spot):
    frames = Frames(spot)
    assert frames.is_theirs("spot/body") and not frames.is_theirs("base_link")


def test_joint_names_lose_their_prefix_and_are_renamed_both_ways(spot):
    joints = Joints(spot.sensors.joint_states)
    assert joints.ours("spot/rear_left_knee") == "hl_kn"
    assert joints.ours("spot/arm_sh0") == joints.ours("arm_sh0") == "arm_sh0"
    assert joints.theirs("hl_kn") == "spot/rear_left_knee"
    assert joints.targets_to_theirs({"arm_sh0": 0.5}) == {"spot/arm_sh0": 0.5}


def test_joint_numbers_change_their_units_and_velocities_only_the_scale():
    finger = Joint(name="finger", scale=-20.0, offset=0.1)
    states = JointStates(sources=(Source(topic="joint_states"),), joints={"arm_f1x": finger})
    joints = Joints(states)
    names, positions, velocities = joints.states_to_ours(["finger", "x"], [0.04, 1.0], [0.1, 2.0])
    assert names == ["arm_f1x", "x"]
    assert positions == pytest.approx([-0.7, 1.0]) and velocities == pytest.approx([-2.0, 2.0])
    assert joints.targets_to_theirs({"arm_f1x": -0.7}) == pytest.approx({"finger": 0.04})
    assert joints.states_to_ours(["finger"], [0.04], [])[2] == []  # it leaves them out


def test_degrees_of_spots_gripper(spot):
    gripper = spot.commands.gripper
    assert gripper.to_theirs(-np.pi / 2) == pytest.approx(90.0)
    assert gripper.to_ours(0.0) == 0.0 and Units().to_theirs(3.0) == 3.0


# Colours

RED = np.zeros((4, 6, 3), np.uint8)
RED[..., 0] = 200


def bayer(pattern: str) -> np.ndarray:
    """RED (h, w) as behind the filter of a pattern."""
    mosaic = np.zeros(RED.shape[:2], np.uint8)
    for k, letter in enumerate(pattern):
        mosaic[k // 2 :: 2, k % 2 :: 2] = RED[0, 0, "rgb".index(letter)]
    return mosaic


def encoded(encoding: str) -> np.ndarray:
    """Rows (h, step) uint8 of RED."""
    if encoding.startswith("bayer"):
        return bayer(encoding.removeprefix("bayer_").removesuffix("8"))
    if encoding in ("uyvy", "yuv422"):
        return cv2.cvtColor(RED, cv2.COLOR_RGB2YUV_UYVY).reshape(4, -1)
    if encoding in ("yuyv", "yuv422_yuy2"):
        return cv2.cvtColor(RED, cv2.COLOR_RGB2YUV_YUY2).reshape(4, -1)
    wide = {"rgb16": RED, "bgr16": RED[..., ::-1]}.get(encoding, RED[..., 0])
    return np.ascontiguousarray(wide.astype(np.uint16) << 8).view(np.uint8).reshape(4, -1)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_comes_out_as_the_colour_that_it_is(encoding):
    wanted = RED if encoding not in ("mono16", "16UC1") else np.full_like(RED, 200)
    rows = np.pad(encoded(encoding), ((0, 0), (0, 5)))  # with padding at the end of rows
    pixels = rgb_of_rows(rows, 6, encoding)
    inside = np.s_[1:-1, 1:-1]  # what OpenCV makes of a Bayer pattern's border is its own
    assert np.abs(pixels[inside].astype(int) - wanted[inside]).max() <= 6


def test_rows_that_are_too_short_are_refused():
    with pytest.raises(ConfigError, match="step = 5: 6 pixels of uyvy need 12 bytes"):
        rgb_of_rows(np.zeros((4, 5), np.uint8), 6, "uyvy")


# Scans


def level(height: float = 0.0) -> np.ndarray:
    return transform_from((3.0, 2.0, height))


def box(robot, x: float, y: float, z: float) -> np.ndarray:
    """A small vertical edge at a place in base_link (n, 3)."""
    return np.array([[x, y, z], [x, y, z + 0.01]])


def test_a_cloud_becomes_the_nearest_return_in_the_height_band(robot):
    flat = Flattener(robot)
    floor = -robot.legs.standing_height
    points = np.concatenate(
        [
            box(robot, 2.0, 0.0, floor + 0.3),
            box(robot, 1.5, 0.0, floor + 0.01),  # the floor
            box(robot, 1.6, 0.0, floor + 2.0),  # above all
            [[np.nan, 0.0, 0.0]],
        ]
    )
    scan = flat.merge(7.0, [flat.from_cloud(points, level(), (-np.pi, np.pi), None)])
    ahead = len(scan.ranges) // 2
    assert scan.stamp == 7.0 and scan.ranges[ahead] == pytest.approx(2.25)  # lidar_link is behind
    assert np.isinf(np.delete(scan.ranges, ahead)).all()


def test_a_body_that_leans_takes_the_floor_for_the_floor(robot):
    flat = Flattener(robot)
    tilt = rotation_from_rpy(0.05, -0.08, 0.0)
    floor_in_level = np.array(
        [[x, y, -robot.legs.standing_height] for x in (2, 4) for y in (-2, 2)]
    )
    odom_from_base = transform_from((0, 0, 0.47), rotation_from_rpy(0.05, -0.08, 1.0))
    looked = flat.from_cloud(floor_in_level @ tilt, odom_from_base, (-np.pi, np.pi), None)
    assert not len(looked.hits)


def test_body_and_hand_are_no_obstacles(robot):
    flat = Flattener(robot)
    points = np.array([[0.1, 0.1, 0.0], [0.9, 0.0, 0.1], [1.5, 0.0, 0.1]])
    looked = flat.from_cloud(points, level(), (-np.pi, np.pi), np.array([0.88, 0.0, 0.1]))
    np.testing.assert_allclose(looked.hits, points[2:])


def test_where_nobody_looked_is_unknown_and_not_free(robot):
    flat = Flattener(robot)
    half = flat.from_cloud(np.zeros((0, 3)), level(), (-1.0, 1.0), None)
    scan = flat.merge(0.0, [half])
    assert np.isinf(scan.ranges[np.abs(scan.angles) < 0.98]).all()
    assert np.isnan(scan.ranges[np.abs(scan.angles) > 1.02]).all()


def test_several_scans_are_merged_and_the_nearest_counts(robot):
    flat = Flattener(robot)
    ranges = np.full(90, np.inf)
    ranges[45] = 1.5
    front = Scan(0.0, ranges, -np.pi / 2, np.pi / 90, 10.0)
    back = replace(front, ranges=np.full(90, 3.0))
    ahead = flat.from_scan(front, transform_from((0.3, 0.0, 0.2)))
    behind = flat.from_scan(back, transform_from((-0.3, 0, 0.2), rotation_from_rpy(0, 0, np.pi)))
    scan = flat.merge(0.0, [ahead, behind])
    middle = len(scan.ranges) // 2
    assert scan.ranges[middle] == pytest.approx(1.5 + 0.3 + 0.25)
    assert scan.ranges[0] == pytest.approx(3.0 + 0.05, abs=0.02)
    assert np.isnan(flat.merge(0.0, [ahead]).ranges[0])


def test_a_scanner_that_hangs_head_down_sees_the_same_side(robot):
    flat = Flattener(robot)
    ranges = np.full(180, np.inf)
    ranges[135] = 2.0  # at +90 degrees of the sensor
    scan = Scan(0.0, ranges, -np.pi, np.pi / 90, 10.0)
    looked = flat.from_scan(scan, transform_from((0, 0, 0.3), rotation_from_rpy(np.pi, 0, 0)))
    np.testing.assert_allclose(looked.hits, [[0.0, -2.0, 0.3]], atol=1e-9)
