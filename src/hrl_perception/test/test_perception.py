from dataclasses import replace

import numpy as np
import pytest

from hrl_core.geometry import (
    compose,
    inverse,
    rotation_from_rpy,
    transform_from,
    transform_from_planar,
    wrap_angle,
)
from hrl_core.sensed import Odometry
from hrl_core.site import FACE_FROM_MARKER
from hrl_perception.perception import Perception
from hrl_perception.sightings import front_patch

HEIGHT = 0.47  # m, base_link above the floor
MAP_FROM_BASE = np.array([5.55, 5.3, 1.62])  # m, m, rad; in front of shelf B
ODOM_FROM_BASE = np.array([1.0, -2.0, 0.3])


def odometry_at(pose: np.ndarray, stamp: float, tilt: float = 0.0) -> Odometry:
    transform = transform_from_planar(pose, HEIGHT)
    transform[:3, :3] = transform[:3, :3] @ rotation_from_rpy(0.0, tilt, 0.0)
    return Odometry(stamp, transform, np.zeros(3))


@pytest.fixture(scope="module")
def look_at_shelf(site, take_picture):
    """Takes the picture of shelf B and of an item in B2 from a planar pose (3,) in map."""

    def look(map_from_base, stamp: float, tilt: float = 0.0, items: bool = True):
        base = transform_from_planar(map_from_base, HEIGHT)
        base[:3, :3] = base[:3, :3] @ rotation_from_rpy(0.0, tilt, 0.0)
        plate = transform_from((0.003, 0, 0), FACE_FROM_MARKER)
        poses = [
            (site_marker(site, name), inverse(base) @ site.faces[name] @ plate)
            for name in ("B1", "B2", "B3")
        ]
        if items:
            item_pose = inverse(base) @ map_from_item(site)
            poses.append((103, item_pose @ front_patch(site.items["can"])))
        return take_picture(poses, stamp=stamp, seed=int(10 * stamp))

    return look


def site_marker(site, name: str) -> int:
    return next(marker.id for marker in site.markers.values() if marker.name == name)


def map_from_item(site) -> np.ndarray:
    return site.faces["B2"] @ transform_from((-0.1, 0.05, 0.17), rotation_from_rpy(0, 0, 0.1))


def test_a_shelf_in_view_tells_where_the_robot_is_and_where_things_are(site, robot, look_at_shelf):
    perception = Perception(site, robot)
    for stamp in (0.0, 0.2):
        frame = look_at_shelf(MAP_FROM_BASE, stamp)
        perception.update(odometry_at(ODOM_FROM_BASE, stamp), [frame], None, None, stamp)
    localisation, detections = perception.update(
        odometry_at(ODOM_FROM_BASE, 0.3), [], None, None, 0.3
    )
    error = compose(localisation.map_from_odom, ODOM_FROM_BASE) - MAP_FROM_BASE
    assert np.hypot(error[0], error[1]) < 0.03
    assert abs(wrap_angle(error[2])) < 0.02
    assert {"B2", "B3", "can"} <= set(detections)
    base_from_odom = inverse(transform_from_planar(ODOM_FROM_BASE, HEIGHT))
    item_in_base = base_from_odom @ detections["can"].odom_from_object
    expected = inverse(transform_from_planar(MAP_FROM_BASE, HEIGHT)) @ map_from_item(site)
    assert np.linalg.norm(item_in_base[:3, 3] - expected[:3, 3]) < 0.012


def test_a_body_that_leans_forward_is_still_in_the_right_place(site, robot, look_at_shelf):
    perception = Perception(site, robot)
    odometry = odometry_at(ODOM_FROM_BASE, 0.0, tilt=0.06)
    frame = look_at_shelf(MAP_FROM_BASE, 0.0, tilt=0.06, items=False)
    localisation, _ = perception.update(odometry, [frame], None, None, 0.0)
    error = compose(localisation.map_from_odom, ODOM_FROM_BASE) - MAP_FROM_BASE
    assert np.hypot(error[0], error[1]) < 0.04


def test_a_late_picture_counts_for_the_moment_it_was_taken(site, robot, look_at_shelf):
    perception = Perception(site, robot)
    frame = look_at_shelf(MAP_FROM_BASE, 0.05)
    step = np.array([0.2, 0.0, 0.1])
    begin = compose(ODOM_FROM_BASE, -0.5 * step)  # at 0.05 s it was half way: about ODOM_FROM_BASE
    end = compose(begin, step)
    perception.update(odometry_at(begin, 0.0), [], None, None, 0.0)
    localisation, _ = perception.update(odometry_at(end, 0.1), [frame], None, None, 0.1)
    error = compose(localisation.map_from_odom, ODOM_FROM_BASE) - MAP_FROM_BASE
    assert np.hypot(error[0], error[1]) < 0.04


def test_pictures_out_of_time_are_left_out(site, robot, look_at_shelf):
    perception = Perception(site, robot)
    frame = look_at_shelf(MAP_FROM_BASE, 0.0)
    for step in range(30):
        perception.update(odometry_at(ODOM_FROM_BASE, 10 + 0.1 * step), [], None, None, 10.0)
    _, detections = perception.update(odometry_at(ODOM_FROM_BASE, 13.0), [frame], None, None, 13.0)
    assert detections == {}


def test_the_same_picture_twice_counts_once(site, robot, look_at_shelf):
    frame = look_at_shelf(MAP_FROM_BASE, 0.0)
    odometry = odometry_at(ODOM_FROM_BASE, 0.0)
    once, twice = Perception(site, robot), Perception(site, robot)
    _, expected = once.update(odometry, [frame], None, None, 0.0)
    _, found = twice.update(odometry, [frame, frame], None, None, 0.0)
    assert found["can"].confidence == expected["can"].confidence


def test_the_same_pictures_give_the_same_result_to_the_bit(site, robot, look_at_shelf):
    results = []
    for _ in range(2):
        perception = Perception(site, robot)
        frame = look_at_shelf(MAP_FROM_BASE, 0.0)
        results.append(
            perception.update(odometry_at(ODOM_FROM_BASE, 0.0), [frame], None, None, 0.0)
        )
    (first, seen_first), (second, seen_second) = results
    np.testing.assert_array_equal(first.map_from_odom, second.map_from_odom)
    for name in seen_first:
        np.testing.assert_array_equal(
            seen_first[name].odom_from_object, seen_second[name].odom_from_object
        )


def test_time_that_goes_back_starts_everything_over(site, robot, look_at_shelf):
    perception = Perception(site, robot)
    frame = look_at_shelf(MAP_FROM_BASE, 5.0)
    perception.update(odometry_at(ODOM_FROM_BASE, 5.0), [frame], None, None, 5.0)
    localisation, detections = perception.update(
        odometry_at(ODOM_FROM_BASE, 0.1), [], None, None, 0.1
    )
    assert detections == {}
    assert localisation.covariance[0, 0] > 10


def test_a_reset_sets_the_pose_and_forgets_what_was_seen(site, robot, look_at_shelf):
    perception = Perception(site, robot)
    odometry = odometry_at(ODOM_FROM_BASE, 0.0)
    perception.update(odometry, [look_at_shelf(MAP_FROM_BASE, 0.0)], None, None, 0.0)
    perception.reset(np.array([1.0, 2.0, 0.5]), np.eye(3) * 1e-3, odometry)
    localisation, detections = perception.update(replace(odometry, stamp=0.1), [], None, None, 0.1)
    np.testing.assert_allclose(
        compose(localisation.map_from_odom, ODOM_FROM_BASE), [1.0, 2.0, 0.5], atol=1e-9
    )
    assert detections == {}
