from dataclasses import replace

import numpy as np
import pytest

from hrl_core.geometry import inverse
from hrl_core.sensed import CameraFrame
from hrl_perception.markers import MarkerDetector, solve_square, square_points
from hrl_perception.sightings import front_patch, sight, top_patch


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Angle [rad] between two rotations (3, 3)."""
    return float(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1)))


def poses_at(distance: float, facing, count: int, seed: int):
    """Upright markers around the camera's axis, seen from up to 45 degrees aside."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        position = [distance, rng.uniform(-0.3, 0.3) * distance, rng.uniform(0.1, 0.4)]
        yield facing(position, np.pi + rng.uniform(-0.78, 0.78))


@pytest.mark.parametrize(
    ("marker_id", "distance", "limit"), [(100, 0.6, 0.003), (100, 0.9, 0.005), (10, 3.0, 0.03)]
)
def test_a_marker_with_depth_is_measured_to_its_limit(
    site, take_picture, facing, marker_id, distance, limit
):
    detector = MarkerDetector(site)
    for seed, base_from_marker in enumerate(poses_at(distance, facing, 6, seed=1)):
        frame = take_picture([(marker_id, base_from_marker)], seed=seed)
        (observation,) = detector.detect(frame)
        expected = inverse(frame.base_from_optical) @ base_from_marker
        assert observation.used_depth
        error = observation.optical_from_marker[:3, 3] - expected[:3, 3]
        assert np.linalg.norm(error) < limit
        assert angle_between(observation.optical_from_marker[:3, :3], expected[:3, :3]) < 0.12


def test_without_depth_the_corners_alone_give_the_pose(site, take_picture, facing):
    detector = MarkerDetector(site)
    base_from_marker = facing([2.5, 0.1, 0.2], np.pi - 0.6)
    frame = take_picture([(10, base_from_marker)])
    frame = replace(frame, depth=np.zeros_like(frame.depth))
    (observation,) = detector.detect(frame)
    expected = inverse(frame.base_from_optical) @ base_from_marker
    assert not observation.used_depth
    assert np.linalg.norm(observation.optical_from_marker[:3, 3] - expected[:3, 3]) < 0.08
    # The range is what corners give badly, and the covariance says so.
    variances = np.diag(observation.covariance)
    assert variances[2] > 4 * variances[0]


def test_the_covariance_covers_the_errors(site, take_picture, facing):
    detector = MarkerDetector(site)
    squared = []
    for seed, base_from_marker in enumerate(poses_at(0.8, facing, 12, seed=3)):
        frame = take_picture([(101, base_from_marker)], seed=seed)
        (observation,) = detector.detect(frame)
        expected = inverse(frame.base_from_optical) @ base_from_marker
        error = observation.optical_from_marker[:3, 3] - expected[:3, 3]
        squared.append(error @ np.linalg.solve(observation.covariance[:3, :3], error))
    assert np.quantile(squared, 0.9) < 11.3  # 99 % of a chi-square with 3 degrees of freedom
    assert np.mean(squared) > 0.05  # and is not empty boasting either


def test_markers_that_are_not_of_the_site_are_ignored(site, take_picture, facing):
    frame = take_picture([(10, facing([1.0, 0.0, 0.3]))])
    assert len(MarkerDetector(site).detect(frame)) == 1
    shelves = tuple(shelf for shelf in site.shelves if "A1" not in shelf.bins)
    without = site.model_copy(update={"shelves": shelves})
    without.__dict__.pop("markers", None)
    assert MarkerDetector(without).detect(frame) == []


def test_an_empty_picture_has_no_markers(site, robot):
    camera = robot.cameras["camera"]
    shape = (camera.height, camera.width)
    frame = CameraFrame(
        stamp=0.0,
        name="camera",
        rgb=np.full((*shape, 3), 90, np.uint8),
        depth=np.zeros(shape, np.float32),
        matrix=camera.matrix(),
        base_from_optical=camera.parent_from_optical(),
    )
    assert MarkerDetector(site).detect(frame) == []


def test_a_frontal_square_never_gives_a_pose_that_is_not_finite(robot):
    matrix = robot.cameras["camera"].matrix()
    for turn in np.linspace(0, 2 * np.pi, 33):
        c, s = np.cos(turn), np.sin(turn)
        points = square_points(0.04) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        points = points * [1, -1, -1] + [0, 0, 0.5]
        pixels = points[:, :2] / points[:, 2:] * matrix[0, 0] + matrix[:2, 2]
        for pose in solve_square(pixels, matrix, 0.04):
            assert np.all(np.isfinite(pose.optical_from_marker))


@pytest.mark.parametrize("patch", ["front", "top"])
def test_gravity_tells_the_top_patch_of_an_item_from_the_front_one(
    site, take_picture, facing, patch
):
    item = site.items["box_small"]
    base_from_item = facing([0.55, 0.0, 0.25], np.pi - 0.2)  # a marker's axes: turn them to x out
    base_from_item[:3, :3] = base_from_item[:3, :3] @ front_patch(item)[:3, :3].T
    item_from_marker = {"front": front_patch(item), "top": top_patch(item)}[patch]
    frame = take_picture([(100, base_from_item @ item_from_marker)])
    (observation,) = MarkerDetector(site).detect(frame)
    sighting = sight(site, observation, frame.base_from_optical, 0.0)
    assert sighting is not None
    error = np.linalg.norm(sighting.frame_from_object[:3, 3] - base_from_item[:3, 3])
    assert error < 0.006
    assert angle_between(sighting.frame_from_object[:3, :3], base_from_item[:3, :3]) < 0.15


def test_a_bin_marker_that_lies_flat_is_taken_for_a_misreading(site, take_picture, facing):
    frame = take_picture([(10, facing([0.9, 0.0, 0.2], pitch=-0.9))])
    (observation,) = MarkerDetector(site).detect(frame)
    assert sight(site, observation, frame.base_from_optical, 0.0) is None


def test_the_uncertainty_of_an_item_grows_with_the_way_from_its_marker(site, take_picture, facing):
    frame = take_picture([(100, facing([0.8, 0.0, 0.3]))])
    (observation,) = MarkerDetector(site).detect(frame)
    sighting = sight(site, observation, frame.base_from_optical, 0.0)
    assert sighting is not None
    at_marker = np.trace(observation.covariance[:3, :3])
    assert np.trace(sighting.covariance[:3, :3]) > at_marker
    assert np.all(np.linalg.eigvalsh(sighting.covariance) > 0)
