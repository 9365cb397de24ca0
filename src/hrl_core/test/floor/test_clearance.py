"""Clearances of points and footprints, against values worked out by hand."""

import numpy as np
import pytest

from hrl_core.floor.clearance import (
    NOBODY,
    clearance,
    distance_to_boxes,
    footprint_circles,
    footprint_clearance,
    footprint_room,
    free_distance,
    signed_clearance,
    wall_distance,
)
from hrl_core.floor.grid import Grid
from hrl_core.floor.rectangles import Rectangle
from hrl_core.site import load_site

SIZE = (4.0, 3.0)  # m
BOX = Rectangle("", np.array([2.0, 1.5, 0.0]), np.array([1.0, 1.0]))
FOOTPRINT, RADIUS = np.array([-0.3, 0.0, 0.3]), 0.25  # m


def test_the_nearest_wall_counts_and_outside_is_negative():
    points = np.array([[1.0, 1.2], [3.5, 1.2], [2.0, 2.9], [-0.2, 1.0]])
    np.testing.assert_allclose(wall_distance(SIZE, points), [1.0, 0.5, 0.1, -0.2], atol=1e-12)


def test_what_stands_there_counts_like_the_walls():
    points = np.array([[1.2, 1.5], [0.2, 1.5], [2.0, 1.5]])
    np.testing.assert_allclose(free_distance(SIZE, [BOX], points), [0.3, 0.2, 0.0], atol=1e-12)


def test_both_clearances_of_a_site_agree_outside_its_solids():
    site = load_site("small_warehouse")
    points = np.random.default_rng(0).uniform((0, 0), site.size, (200, 2))
    plain, signed = clearance(site, [], points), signed_clearance(site, points)
    np.testing.assert_allclose(plain, np.maximum(signed, 0), atol=1e-9)
    assert (signed < 0).any()


def test_distances_to_boxes_are_to_the_nearest_one():
    boxes = np.array([[1.0, 1.0, 2.0, 2.0], [5.0, 0.0, 6.0, 1.0]])
    points = np.array([[1.5, 1.5], [4.0, 0.5], [0.0, 0.0]])
    np.testing.assert_allclose(distance_to_boxes(points, boxes), [0.0, 1.0, np.sqrt(2)])
    each = np.stack([boxes, boxes + 1, boxes + 2])  # every point has boxes of its own
    np.testing.assert_allclose(distance_to_boxes(points, each)[1], np.hypot(1.0, 1.5))


def test_the_footprint_lies_along_the_heading():
    circles = footprint_circles(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 0.5 * np.pi]]), FOOTPRINT)
    np.testing.assert_allclose(circles[0], [[0.7, 2.0], [1.0, 2.0], [1.3, 2.0]], atol=1e-12)
    np.testing.assert_allclose(circles[1], [[1.0, 1.7], [1.0, 2.0], [1.0, 2.3]], atol=1e-12)


def test_footprints_keep_their_distances_from_boxes_and_circles():
    pose = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5 * np.pi]])
    boxes = np.tile([[[1.0, -1.0, 2.0, 1.0]]], (2, 1, 1))
    circles = np.tile([[[0.0, 2.0, 0.2]]], (2, 1, 1))
    to_boxes, to_circles = footprint_clearance(pose, boxes, circles, FOOTPRINT, RADIUS)
    np.testing.assert_allclose(to_boxes, [0.45, 0.75])
    np.testing.assert_allclose(to_circles, [1.55, 1.25])
    nobody = footprint_clearance(pose, boxes, circles[:, :0], FOOTPRINT, RADIUS)[1]
    assert (nobody == NOBODY).all()


def test_room_is_read_between_the_cells_and_there_is_none_outside():
    grid = Grid((6, 4), 0.5, (-0.5, -0.5))
    distances = grid.centres[..., 0].copy()  # grows along x, so that the rear circle has least
    poses = np.array([[1.0, 0.5, 0.0], [1.0, 0.5, np.pi], [9.0, 9.0, 0.0]])
    room = footprint_room(distances, grid, FOOTPRINT.tolist(), poses)
    assert room == pytest.approx([0.7, 0.7, 0.0])
