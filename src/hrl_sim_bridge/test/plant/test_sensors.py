from dataclasses import replace

import cv2
import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.control import Command
from hrl_core.geometry import compose, inverse, invert, planar_from_transform, transform_from
from hrl_core.sensed import CameraFrame
from hrl_sim_bridge.plant.sensors import OdometryDrift, generator
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.world import OdometryNoise


@pytest.fixture
def in_front_of_shelf(make_plant, warehouse):
    """A plant with the robot at the standoff in front of an item."""
    trial = draw_trial(warehouse, 3)
    start = warehouse.site.pose_in_front(trial.order.from_bin, warehouse.site.standoff)
    plant = make_plant(warehouse, replace(trial, start=start, people=(), obstacles=()))
    plant.step(Command())
    return plant


def pixel_of(frame: CameraFrame, base_from_point: np.ndarray) -> tuple[np.ndarray, float]:
    """Pixel (2,) and depth [m] at which a point (4, 4) in base_link must be seen."""
    point = (inverse(frame.base_from_optical) @ base_from_point)[:3, 3]
    pixel = frame.matrix @ (point / point[2])
    return pixel[:2], float(point[2])


def test_the_scan_measures_the_walls(make_plant, open_bay):
    plant = make_plant(open_bay)
    plant.step(Command())
    scan = plant.scan()
    map_from_base = plant.truth().map_from_base
    map_from_lidar = map_from_base @ plant.robot.lidar.mount.parent_from_sensor()
    good = scan.points()
    points = (map_from_lidar @ np.column_stack([good, np.zeros(len(good)), np.ones(len(good))]).T)[
        :2
    ].T
    x, y = points.T
    size = open_bay.site.size
    to_walls = np.min(np.abs([x, y, size[0] - x, size[1] - y]), axis=0)
    assert len(good) > 340  # a few beams drop out
    assert np.median(to_walls) < 0.03
    assert np.isnan(scan.ranges).sum() < 12
    # Within the site, give or take noise, tilt and the tables.
    assert (np.max([-x, -y, x - size[0], y - size[1]], axis=0) < 0.15).all()


def test_the_scan_sees_a_board_but_neither_the_floor_nor_the_robot(in_front_of_shelf):
    plant = in_front_of_shelf
    scan = plant.scan()
    ahead = np.abs(scan.angles) < 0.1
    forward = -plant.robot.lidar.mount.position[0] + plant.world.site.standoff
    assert np.nanmedian(scan.ranges[ahead]) == pytest.approx(forward, abs=0.06)
    assert np.nanmin(scan.ranges) > 0.6


def test_depth_and_picture_agree_with_where_things_are(in_front_of_shelf):
    plant = in_front_of_shelf
    frame = plant.image("camera")
    base_from_map = inverse(plant.truth().map_from_base)
    name = plant.trial.order.from_bin
    pixel, depth = pixel_of(frame, base_from_map @ plant.world.site.faces[name])
    u, v = np.round(pixel).astype(int)
    window = frame.depth[v - 2 : v + 3, u - 2 : u + 3]
    assert np.median(window) == pytest.approx(depth, rel=0.01)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    corners, ids, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(
        cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    )
    marker = next(m.id for m in plant.world.site.markers.values() if m.name == name)
    seen = {int(i): c[0].mean(axis=0) for i, c in zip(ids.ravel(), corners, strict=True)}
    assert np.linalg.norm(seen[marker] - pixel) < 2.0


@pytest.mark.parametrize("pose", ["stow", "ready", "carry"])
def test_the_body_camera_sees_the_marker_ahead_past_the_arm(in_front_of_shelf, pose):
    plant = in_front_of_shelf
    for _ in range(12):
        plant.step(Command(arm=np.array(plant.robot.arm.poses[pose])))
    frame = plant.image("camera")
    face = inverse(plant.truth().map_from_base) @ plant.world.site.faces[plant.trial.order.from_bin]
    half = plant.world.site.shelf_marker_size / 2
    for y, z in ((-half, -half), (-half, half), (half, -half), (half, half)):
        pixel, depth = pixel_of(frame, face @ transform_from((0, y, z)))
        u, v = np.round(pixel).astype(int)
        assert 2 < u < frame.rgb.shape[1] - 2
        assert 2 < v < frame.rgb.shape[0] - 2
        assert frame.depth[v, u] == pytest.approx(depth, rel=0.05)


def test_the_hand_camera_knows_where_it_is(in_front_of_shelf):
    plant = in_front_of_shelf
    for _ in range(12):
        plant.step(Command(arm=np.array(plant.robot.arm.poses["ready"])))
    frame = plant.image("hand_camera")
    camera = plant.data.camera("hand_camera")
    # MuJoCo's camera looks along -z with y up; the optical frame along z with y down.
    rotation = camera.xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    true = inverse(plant.truth().map_from_base) @ transform_from(camera.xpos, rotation)
    assert np.linalg.norm(frame.base_from_optical[:3, 3] - true[:3, 3]) < 0.005
    assert np.abs(frame.base_from_optical[:3, :3] - true[:3, :3]).max() < 0.01


def test_pictures_of_the_same_tick_are_equal_and_others_are_not(in_front_of_shelf):
    plant = in_front_of_shelf
    first, again = plant.image("camera"), plant.image("camera")
    np.testing.assert_array_equal(first.rgb, again.rgb)
    np.testing.assert_array_equal(first.depth, again.depth)
    plant.step(Command())
    assert (plant.image("camera").rgb != first.rgb).mean() > 0.3


def test_an_unknown_camera_is_refused(in_front_of_shelf):
    with pytest.raises(ConfigError, match=r"unknown camera 'eye'; known: \['camera'"):
        in_front_of_shelf.image("eye")


def test_nothing_is_measured_beyond_the_cameras_reach(in_front_of_shelf):
    plant = in_front_of_shelf
    frame = plant.image("hand_camera")
    assert frame.depth.max() <= plant.robot.cameras["hand_camera"].max_depth * 1.03
    assert frame.depth.min() >= 0


def drive(drift: OdometryDrift, steps: int, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Walk 5 cm a step on a circle; returns the true and the measured planar pose."""
    pose = np.zeros(3)
    for _ in range(steps):
        pose = compose(pose, np.array([0.05, 0.0, turn]))
        drift.advance(*pose)
    still = OdometryNoise(position_white=0, angle_white=0)
    drift._noise = still
    true = transform_from((pose[0], pose[1], 0.5), np.eye(3))
    c, s = np.cos(pose[2]), np.sin(pose[2])
    true[:2, :2] = [[c, -s], [s, c]]
    read = drift.read(true, np.zeros(3), generator(0, "odometry"), 0.0)
    return pose, planar_from_transform(read.odom_from_base)


def test_odometry_without_noise_is_exact():
    none = OdometryNoise(scale=0, yaw=0)
    true, measured = drive(OdometryDrift(none, 0, np.eye(4)), 200, 0.02)
    np.testing.assert_allclose(invert(measured)[:2], invert(true)[:2], atol=1e-9)


def test_odometry_drifts_as_the_world_file_says():
    noise = OdometryNoise(scale=0.015, yaw=0.02)
    scales, yaws = [], []
    for seed in range(150):
        _, measured = drive(OdometryDrift(noise, seed, np.eye(4)), 80, 0.0)  # 4 m straight on
        yaws.append(measured[2])
        scales.append(np.hypot(*measured[:2]) / 4.0 - 1)
    assert np.std(yaws) == pytest.approx(0.02 * np.sqrt(4.0), rel=0.25)
    assert np.std(scales) == pytest.approx(0.015, rel=0.25)


def test_the_plants_odometry_starts_at_its_origin_and_follows_the_robot(make_plant, open_bay):
    plant = make_plant(open_bay)
    start = planar_from_transform(plant.truth().map_from_base)
    for _ in range(20):
        plant.step(Command(twist=np.array([0.3, 0.0, 0.3])))
    true = compose(invert(start), planar_from_transform(plant.truth().map_from_base))
    measured = planar_from_transform(plant.odometry().odom_from_base)
    assert np.hypot(true[0], true[1]) > 0.3
    assert np.linalg.norm(measured - true) < 0.08
    height = plant.truth().map_from_base[2, 3]
    assert plant.odometry().odom_from_base[2, 3] == pytest.approx(height, abs=0.005)
