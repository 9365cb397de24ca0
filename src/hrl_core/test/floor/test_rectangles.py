"""What stands on a floor, against values worked out by hand."""

import numpy as np
import pytest

from hrl_core.floor.rectangles import (
    Rectangle,
    bounding_box,
    front_corners,
    hall,
    outline,
    site_outline,
    solids,
    wall_boxes,
)
from hrl_core.site import load_site

TABLE = Rectangle("table", np.array([2.0, 1.0, 0.0]), np.array([2.0, 1.0]))
POINTS = np.array([[2.0, 1.0], [3.5, 1.0], [2.0, 0.2], [4.0, 2.5], [2.8, 1.0]])


def test_distances_are_to_the_nearest_edge_or_corner_and_zero_inside():
    np.testing.assert_allclose(
        TABLE.distance(POINTS), [0.0, 0.5, 0.3, np.hypot(1.0, 1.0), 0.0], atol=1e-12
    )


def test_signed_distances_are_negative_inside_by_the_way_to_the_nearest_edge():
    np.testing.assert_allclose(
        TABLE.signed_distance(POINTS), [-0.5, 0.5, 0.3, np.hypot(1.0, 1.0), -0.2], atol=1e-12
    )


def test_a_rectangle_turned_by_a_quarter_stands_across():
    across = Rectangle("", np.array([2.0, 1.0, 0.5 * np.pi]), np.array([2.0, 1.0]))
    point = np.array([2.0, 2.5])  # 0.5 m beyond its end, which now lies along y
    assert across.distance(point) == pytest.approx(0.5)
    assert across.signed_distance(point) == pytest.approx(0.5)
    np.testing.assert_allclose(
        across.corners(), [[1.5, 2.0], [1.5, 0.0], [2.5, 0.0], [2.5, 2.0]], atol=1e-12
    )


def test_the_outline_goes_round_counter_clockwise():
    edges = outline([TABLE])
    expected = [[3, 1.5, 1, 1.5], [1, 1.5, 1, 0.5], [1, 0.5, 3, 0.5], [3, 0.5, 3, 1.5]]
    np.testing.assert_allclose(edges, expected, atol=1e-12)
    assert outline([]).shape == (0, 4)


def test_solids_lie_behind_the_fronts_of_shelves_and_stations():
    site = load_site("small_warehouse")
    found = {solid.name: solid for solid in solids(site)}
    assert set(found) == {place.name for place in site.furniture}
    for place in site.furniture:
        x, y, yaw = place.pose
        ahead = np.array([np.cos(yaw), np.sin(yaw)])
        solid = found[place.name]
        assert solid.distance(np.array([x, y]) + 0.1 * ahead) == pytest.approx(0.1)
        assert solid.signed_distance(np.array([x, y]) - 0.1 * ahead) == pytest.approx(-0.1)
        own = np.sort(solid.corners(), axis=0)
        np.testing.assert_allclose(np.sort(front_corners(place), axis=0), own, atol=1e-9)


def test_points_of_the_outline_lie_on_it_and_close_together():
    site = load_site("small_warehouse")
    points = site_outline(site, 0.05)
    things = (hall(site), *solids(site))
    nearest = np.min([np.abs(thing.signed_distance(points)) for thing in things], axis=0)
    assert nearest.max() < 1e-9
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert np.median(steps) < 0.06


def test_walls_stand_outside_the_floor():
    west, east, south, north = wall_boxes((4.0, 3.0), 0.1)
    np.testing.assert_allclose(west, [-0.1, -0.1, 0.0, 3.1])
    np.testing.assert_allclose(east, [4.0, -0.1, 4.1, 3.1])
    np.testing.assert_allclose(south, [-0.1, -0.1, 4.1, 0.0])
    np.testing.assert_allclose(north, [-0.1, 3.0, 4.1, 3.1])
    np.testing.assert_allclose(bounding_box(TABLE.corners()), [1.0, 0.5, 3.0, 1.5])
