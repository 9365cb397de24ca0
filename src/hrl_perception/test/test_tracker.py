import numpy as np
import pytest

from hrl_core.geometry import inverse, rotation_from_rpy, transform_from
from hrl_core.sensed import CameraFrame
from hrl_perception.sightings import Sighting
from hrl_perception.tracker import Tracker, TrackerOptions, difference, moved

STILL = np.zeros(3)
BASE = transform_from((0, 0, 0.47))
NOISE = np.diag([0.003, 0.003, 0.003, 0.03, 0.03, 0.03]) ** 2


@pytest.fixture
def sighting_of(site):
    def sighting_of(name: str, position, stamp: float, yaw: float = 0.0) -> Sighting:
        marker = next(marker for marker in site.markers.values() if marker.name == name)
        pose = transform_from(position, rotation_from_rpy(0, 0, yaw))
        return Sighting(stamp, marker, pose, NOISE.copy(), 1.0)

    return sighting_of


def empty_view(robot, stamp: float, depth: float) -> tuple[CameraFrame, np.ndarray]:
    """A picture from BASE's camera whose depth is the same everywhere, and odom_from_optical."""
    camera = robot.cameras["camera"]
    shape = (camera.height, camera.width)
    frame = CameraFrame(
        stamp=stamp,
        name="camera",
        rgb=np.zeros((*shape, 3), np.uint8),
        depth=np.full(shape, depth, np.float32),
        matrix=camera.matrix(),
        base_from_optical=camera.parent_from_optical(),
    )
    return frame, BASE @ frame.base_from_optical


def test_repeated_sightings_average_out(sighting_of):
    rng = np.random.default_rng(0)
    tracker = Tracker()
    for step in range(20):
        tracker.move(0.2 * step, STILL, BASE, None)
        noisy = rng.normal([1.0, 0.1, 0.5], 0.003)
        tracker.see(sighting_of("can", noisy, 0.2 * step, yaw=3.1 + rng.normal(0, 0.03)))
    detection = tracker.detections(4.0)["can"]
    np.testing.assert_allclose(detection.odom_from_object[:3, 3], [1.0, 0.1, 0.5], atol=0.002)
    assert detection.covariance[0, 0] < NOISE[0, 0] / 3
    assert detection.kind == "item"
    assert detection.marker_id == 103


def test_one_outlier_changes_nothing_two_that_agree_start_anew(sighting_of):
    tracker = Tracker()
    for step in range(5):
        tracker.move(0.2 * step, STILL, BASE, None)
        tracker.see(sighting_of("jar", (1.0, 0.0, 0.5), 0.2 * step))
    tracker.see(sighting_of("jar", (1.3, 0.0, 0.5), 1.0))
    assert tracker.detections(1.0)["jar"].odom_from_object[0, 3] == pytest.approx(1.0, abs=1e-6)
    tracker.see(sighting_of("jar", (1.301, 0.0, 0.5), 1.2))
    assert tracker.detections(1.2)["jar"].odom_from_object[0, 3] == pytest.approx(1.301)


def test_outliers_that_disagree_never_move_a_track(sighting_of):
    tracker = Tracker()
    for step in range(5):
        tracker.see(sighting_of("jar", (1.0, 0.0, 0.5), 0.2 * step))
    for step, x in enumerate((1.5, 0.2, 1.8, 0.4)):
        tracker.see(sighting_of("jar", (x, 0.0, 0.5), 1.0 + 0.2 * step))
    assert tracker.detections(2.0)["jar"].odom_from_object[0, 3] == pytest.approx(1.0, abs=1e-6)


def test_an_item_in_the_hand_is_followed(sighting_of):
    tracker = Tracker()
    for step in range(15):
        stamp, height = 0.2 * step, 0.5 + 0.03 * step
        tool = transform_from((0.95, 0.0, height))
        tracker.move(stamp, STILL, BASE, tool)
        tracker.see(sighting_of("can", (1.0, 0.0, height), stamp))
        assert tracker.detections(stamp)["can"].odom_from_object[2, 3] == pytest.approx(
            height, abs=0.01
        )


def test_confidence_rises_with_sightings_and_falls_with_age(sighting_of):
    tracker = Tracker()
    tracker.see(sighting_of("A1", (2.0, 0.0, 0.4), 0.0))
    first = tracker.detections(0.0)["A1"].confidence
    tracker.see(sighting_of("A1", (2.0, 0.0, 0.4), 0.2))
    second = tracker.detections(0.2)["A1"].confidence
    old = tracker.detections(0.2 + TrackerOptions().half_life)["A1"]
    assert 0 < first < second <= 1
    assert old.confidence == pytest.approx(second / 2)
    assert old.stamp == 0.2


def test_what_is_not_seen_for_long_is_forgotten(sighting_of):
    tracker = Tracker()
    tracker.see(sighting_of("can", (2.0, 0.0, 0.4), 0.0))
    tracker.move(100.0, STILL, BASE, None)
    assert "can" in tracker.detections(100.0)
    tracker.move(121.0, STILL, BASE, None)
    assert tracker.detections(121.0) == {}


def test_walking_makes_places_in_odom_uncertain(sighting_of):
    tracker = Tracker()
    tracker.see(sighting_of("A1", (2.0, 0.0, 0.4), 0.0))
    tracker.move(0.0, STILL, BASE, None)
    before = tracker.detections(0.0)["A1"].covariance[0, 0]
    tracker.move(1.0, np.array([0.8, 0.0, 0.2]), BASE, None)
    assert tracker.detections(1.0)["A1"].covariance[0, 0] > 2 * before


def test_what_is_out_of_sight_is_kept_in_map_once_odometry_has_drifted(sighting_of):
    tracker, known_well = Tracker(), np.diag([0.01, 0.01, 0.006]) ** 2
    tracker.see(sighting_of("can", (2.0, 0.0, 0.5), 0.0))
    tracker.anchor(np.eye(4), known_well, BASE)
    # Odometry has drifted by 0.2 m over 5 m; the localisation knows.
    map_from_odom = transform_from((-0.2, 0.0, 0.0))
    tracker.move(5.0, np.array([5.0, 0.0, 0.0]), BASE, None)
    tracker.anchor(map_from_odom, known_well, BASE)
    detection = tracker.detections(5.0)["can"]
    np.testing.assert_allclose(detection.odom_from_object[:3, 3], [2.2, 0.0, 0.5], atol=1e-9)
    assert np.sqrt(detection.covariance[0, 0]) < 0.04


def test_while_odometry_is_better_than_the_map_a_track_does_not_move(sighting_of):
    tracker, known_well = Tracker(), np.diag([0.01, 0.01, 0.006]) ** 2
    tracker.see(sighting_of("can", (1.0, 0.0, 0.5), 0.0))
    tracker.anchor(np.eye(4), known_well, BASE)
    tracker.move(0.5, np.array([0.2, 0.0, 0.0]), BASE, None)
    tracker.anchor(transform_from((0.02, 0.0, 0.0)), known_well, BASE)
    assert tracker.detections(0.5)["can"].odom_from_object[0, 3] == 1.0


def test_an_item_that_went_along_with_the_hand_is_not_put_back_on_its_shelf(sighting_of):
    tracker, known_well = Tracker(), np.diag([0.01, 0.01, 0.006]) ** 2
    tracker.see(sighting_of("can", (1.0, 0.0, 0.5), 0.0))
    tracker.anchor(np.eye(4), known_well, BASE)
    tracker.move(1.0, STILL, BASE, transform_from((1.0, 0.0, 0.5)))
    tracker.move(6.0, np.array([5.0, 0.0, 0.0]), BASE, None)
    tracker.anchor(transform_from((-0.3, 0.0, 0.0)), known_well, BASE)
    assert tracker.detections(6.0)["can"].odom_from_object[0, 3] == 1.0


@pytest.mark.parametrize(
    ("depth", "kept"),
    [(3.0, False), (0.3, True), (0.0, True)],
    ids=["seen through", "hidden", "no depth"],
)
def test_an_item_is_dropped_only_where_its_place_is_seen_empty(sighting_of, robot, depth, kept):
    tracker = Tracker()
    position = (BASE @ robot.cameras["camera"].parent_from_optical() @ [0.05, 0.05, 0.9, 1])[:3]
    tracker.see(sighting_of("can", position, 0.0))
    for step in range(1, TrackerOptions().empty_views + 1):
        tracker.check_empty(*empty_view(robot, 0.2 * step, depth))
    assert ("can" in tracker.detections(1.0)) == kept


def test_an_item_out_of_the_picture_is_kept(sighting_of, robot):
    tracker = Tracker()
    tracker.see(sighting_of("can", (-1.0, 0.0, 0.5), 0.0))
    for step in range(1, 10):
        tracker.check_empty(*empty_view(robot, 0.2 * step, 3.0))
    assert "can" in tracker.detections(2.0)


def test_a_step_is_the_difference_it_came_from():
    old = transform_from((1.0, 2.0, 3.0), rotation_from_rpy(0.3, -0.2, 1.0))
    new = transform_from((1.1, 1.9, 3.2), rotation_from_rpy(-0.1, 0.4, 2.0))
    np.testing.assert_allclose(moved(old, difference(new, old)), new, atol=1e-12)
    np.testing.assert_allclose(inverse(new) @ new, np.eye(4), atol=1e-12)
