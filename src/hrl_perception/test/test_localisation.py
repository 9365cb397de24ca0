import numpy as np
import pytest

from hrl_core.geometry import compose, invert, transform_from_planar, wrap_angle
from hrl_perception.localisation import LocalisationOptions, Localiser, OdometryNoise
from hrl_perception.sightings import Sighting

NOISE = np.diag([0.01, 0.01, 0.01, 0.03, 0.03, 0.03]) ** 2


def sighting_of(site, name: str, map_from_base: np.ndarray, error=(0.0, 0.0, 0.0)) -> Sighting:
    """What a robot at a planar pose (3,) would see of a place, wrong by a planar error (3,)."""
    marker = next(marker for marker in site.markers.values() if marker.name == name)
    face = site.faces[name]
    base_from_face = np.linalg.inv(transform_from_planar(map_from_base)) @ face
    wrong = transform_from_planar(np.array(error, float))
    return Sighting(0.0, marker, base_from_face @ wrong, NOISE, 1.0)


def estimate(localiser: Localiser, odom_from_base: np.ndarray) -> np.ndarray:
    return compose(localiser.localisation(0.0).map_from_odom, odom_from_base)


def test_the_first_marker_gives_the_pose_when_nothing_was_known(site):
    localiser = Localiser(site)
    truth, odometry = np.array([5.6, 4.9, 1.5]), np.array([0.3, -0.2, 0.4])
    localiser.move(odometry)
    assert localiser.localisation(0.0).covariance[0, 0] > 10
    assert localiser.see(sighting_of(site, "B2", truth))
    assert localiser.known
    np.testing.assert_allclose(estimate(localiser, odometry), truth, atol=1e-9)


def test_markers_hold_the_pose_against_odometry_that_drifts(site):
    rng = np.random.default_rng(0)
    localiser = Localiser(site)
    truth, odometry = np.array([1.2, 4.7, 0.0]), np.zeros(3)
    localiser.reset(truth + [0.05, -0.05, 0.03], np.diag([0.1, 0.1, 0.05]) ** 2, odometry)
    errors = []
    for step in range(300):
        motion = np.array([0.03, 0.0, 0.01 * np.sin(step / 20)])
        truth = compose(truth, motion)
        # 4 % too long, and 0.03 rad/m to the left.
        odometry = compose(odometry, motion * [1.04, 1, 1] + [0, 0, 0.0009])
        localiser.move(odometry)
        for name in ("A2", "B1", "landmark_61"):
            if step % 2 == 0 and rng.random() < 0.4:
                error = rng.normal(0, [0.01, 0.01, 0.03])
                localiser.see(sighting_of(site, name, truth, error))
        errors.append(estimate(localiser, odometry) - truth)
    errors = np.array(errors)
    errors[:, 2] = wrap_angle(errors[:, 2])
    assert np.quantile(np.hypot(errors[:, 0], errors[:, 1]), 0.95) < 0.05
    assert np.quantile(np.abs(errors[:, 2]), 0.95) < 0.02


def test_uncertainty_grows_with_the_way_and_markers_shrink_it(site):
    localiser = Localiser(site)
    localiser.reset(np.array([2.1, 4.0, 1.5708]), np.diag([0.01, 0.01, 0.01]) ** 2, np.zeros(3))
    start = np.trace(localiser.localisation(0.0).covariance)
    for step in range(1, 11):
        localiser.move(np.array([0.1 * step, 0.0, 0.0]))
    walked = np.trace(localiser.localisation(0.0).covariance)
    assert walked > 2 * start
    pose = estimate(localiser, np.array([1.0, 0.0, 0.0]))
    assert localiser.see(sighting_of(site, "A2", pose))
    assert np.trace(localiser.localisation(0.0).covariance) < walked


def test_a_sighting_far_off_is_refused_and_changes_nothing(site):
    localiser = Localiser(site)
    pose = np.array([2.1, 5.0, 1.5708])
    localiser.reset(pose, np.diag([0.02, 0.02, 0.01]) ** 2, np.zeros(3))
    assert not localiser.see(sighting_of(site, "A2", pose, error=(0.6, 0.0, 0.0)))
    np.testing.assert_allclose(estimate(localiser, np.zeros(3)), pose)


def test_a_robot_that_was_carried_away_finds_itself_again(site):
    options = LocalisationOptions()
    localiser = Localiser(site, options=options)
    localiser.reset(np.array([2.1, 5.0, 1.5708]), np.diag([0.02, 0.02, 0.01]) ** 2, np.zeros(3))
    truth = np.array([2.6, 4.6, 1.4])
    for _ in range(options.lost_after):
        assert not localiser.see(sighting_of(site, "A2", truth))
    assert localiser.see(sighting_of(site, "A2", truth))
    np.testing.assert_allclose(estimate(localiser, np.zeros(3)), truth, atol=0.03)


def test_odometry_alone_keeps_map_from_odom_unchanged(site):
    localiser = Localiser(site)
    localiser.reset(np.array([1.0, 2.0, 0.3]), np.eye(3) * 1e-4, np.array([0.5, 0.1, -1.0]))
    before = localiser.localisation(0.0).map_from_odom
    localiser.move(np.array([1.7, -0.4, 2.0]))
    np.testing.assert_allclose(localiser.localisation(0.0).map_from_odom, before, atol=1e-12)
    expected = compose(np.array([1.0, 2.0, 0.3]), invert(np.array([0.5, 0.1, -1.0])))
    np.testing.assert_allclose(before, expected, atol=1e-12)


def test_turning_on_the_spot_makes_the_heading_uncertain():
    turned = OdometryNoise().covariance(np.array([0.0, 0.0, 1.0]))
    assert turned[2, 2] > 0
    assert OdometryNoise().covariance(np.zeros(3)).max() == 0


@pytest.mark.parametrize(
    ("pose", "covariance", "message"),
    [
        ([0.0, np.nan, 0.0], np.eye(3), "map_from_base"),
        ([0.0, 0.0], np.eye(3), "map_from_base"),
        ([0.0, 0.0, 0.0], np.eye(2), "covariance"),
        ([0.0, 0.0, 0.0], -np.eye(3), "negative"),
    ],
)
def test_a_reset_to_nonsense_is_refused(site, pose, covariance, message):
    with pytest.raises(ValueError, match=message):
        Localiser(site).reset(np.array(pose), covariance, np.zeros(3))
