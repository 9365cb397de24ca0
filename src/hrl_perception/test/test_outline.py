import numpy as np
import pytest

from hrl_core.geometry import compose, transform_from_planar, wrap_angle
from hrl_perception.localisation import Localiser
from hrl_perception.outline import Outline


def cast(outline: Outline, origin: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Distance (n,) m from `origin` (2,) to the nearest segment along directions `angles` [rad]."""
    nearest = np.full(len(angles), np.inf)
    for k, angle in enumerate(angles):
        ray = np.array([np.cos(angle), np.sin(angle)])
        for start, along, length in zip(
            outline.start, outline.direction, outline.length, strict=True
        ):
            matrix = np.stack([ray, -along], axis=1)
            if abs(np.linalg.det(matrix)) < 1e-9:
                continue
            reach, way = np.linalg.solve(matrix, start - origin)
            if reach > 0 and 0 <= way <= length:
                nearest[k] = min(nearest[k], reach)
    return nearest


@pytest.fixture(scope="module")
def beams(site):
    """Ends of beams (n, 2) in base_link at a planar pose (3,) in map."""

    def beams(pose: np.ndarray, noise: float = 0.015, seed: int = 0) -> np.ndarray:
        angles = np.linspace(-np.pi, np.pi, 120, endpoint=False)
        ranges = cast(Outline(site), pose[:2], angles + pose[2])
        ranges += np.random.default_rng(seed).normal(0, noise, len(ranges))
        return np.stack([ranges * np.cos(angles), ranges * np.sin(angles)], axis=1)

    return beams


def test_all_that_a_scan_sees_lies_on_the_outline(site, beams):
    pose = np.array([1.2, 1.6, 0.4])
    turn = transform_from_planar(pose)[:2, :2]
    points = beams(pose, noise=0.0) @ turn.T + pose[:2]
    matched, distance, normal = Outline(site).match(points, pose[:2], 0.1)
    assert len(matched) == len(points)
    np.testing.assert_allclose(distance, 0, atol=1e-9)
    # Every face that is seen looks at the viewer.
    assert np.all(np.einsum("nk,nk->n", pose[:2] - points[matched], normal) > 0)


def test_a_face_that_looks_away_is_not_matched(site):
    outline = Outline(site)
    front = np.array([[2.1, 6.4]])  # the middle of the front of shelf A, which looks along -y
    before, behind = np.array([2.1, 5.0]), np.array([2.1, 6.9])
    assert len(outline.match(front + [0, 0.05], before, 0.1)[0]) == 1
    assert len(outline.match(front + [0, 0.05], behind, 0.1)[0]) == 0


@pytest.mark.parametrize("error", [(0.1, 0.05, 0.03), (-0.08, 0.1, -0.04)])
def test_scans_pull_a_wrong_pose_to_the_right_one(site, beams, error):
    truth = np.array([6.6, 3.4, 2.0])
    localiser = Localiser(site)
    localiser.reset(truth + error, np.diag([0.1, 0.1, 0.05]) ** 2, np.zeros(3))
    for seed in range(5):
        assert localiser.match(beams(truth, seed=seed), np.zeros(2))
    found = compose(localiser.localisation(0.0).map_from_odom, np.zeros(3))
    assert np.hypot(*(found - truth)[:2]) < 0.02
    assert abs(wrap_angle(found[2] - truth[2])) < 0.01


def test_people_and_boxes_in_a_scan_do_not_move_the_pose(site, beams):
    truth = np.array([1.2, 4.6, 0.5])
    points = beams(truth)
    points[30:50] = 1.2 * points[30:50] / np.linalg.norm(points[30:50], axis=1, keepdims=True)
    localiser = Localiser(site)
    localiser.reset(truth, np.diag([0.05, 0.05, 0.02]) ** 2, np.zeros(3))
    for _ in range(5):
        assert localiser.match(points, np.zeros(2))
    found = localiser.localisation(0.0).map_from_odom
    assert np.hypot(*(found - truth)[:2]) < 0.02


def test_a_scan_of_nothing_changes_nothing(site):
    localiser = Localiser(site)
    assert not localiser.match(np.zeros((0, 2)), np.zeros(2))
    localiser.reset(np.array([4.0, 1.9, 0.0]), np.eye(3) * 1e-4, np.zeros(3))
    before = localiser.localisation(0.0)
    assert not localiser.match(np.zeros((0, 2)), np.zeros(2))
    after = localiser.localisation(0.0)
    np.testing.assert_array_equal(before.map_from_odom, after.map_from_odom)
    np.testing.assert_array_equal(before.covariance, after.covariance)
