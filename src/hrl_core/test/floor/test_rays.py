"""Rays, against values worked out by hand; the two ways to cast them against each other."""

import numpy as np

from hrl_core.floor.rays import box_ranges, edge_ranges, in_sight
from hrl_core.floor.rectangles import Rectangle, outline

EAST, NORTH, WEST = 0.0, 0.5 * np.pi, np.pi


def square(x: float, y: float, side: float) -> Rectangle:
    return Rectangle("", np.array([x, y, 0.0]), np.array([side, side]))


def test_a_ray_ends_at_the_nearest_edge_or_at_the_limit():
    edges = outline([square(3.0, 0.0, 1.0), square(5.0, 0.0, 1.0), square(-4.0, 0.0, 2.0)])
    found = edge_ranges(np.zeros(2), np.array([EAST, NORTH, WEST]), edges, 12.0)
    np.testing.assert_allclose(found, [2.5, 12.0, 3.0])


def test_without_edges_rays_reach_their_limit():
    found = edge_ranges(np.zeros(2), np.array([EAST, NORTH]), np.zeros((0, 4)), 8.0)
    np.testing.assert_allclose(found, [8.0, 8.0])


def test_sight_ends_behind_an_edge_only():
    edges = outline([square(3.0, 0.0, 1.0)])
    targets = np.array([[5.0, 0.0], [2.0, 0.0], [5.0, 3.0]])
    assert in_sight(np.zeros((3, 2)), targets, edges).tolist() == [False, True, True]
    assert in_sight(np.zeros((3, 2)), targets, np.zeros((0, 4))).all()


def test_rays_of_many_robots_end_at_boxes_and_circles():
    origin = np.array([[0.0, 0.0], [0.0, 3.0]])
    angles = np.tile([EAST, NORTH, WEST], (2, 1))
    boxes = np.tile(np.array([[[2.0, -1.0, 3.0, 1.0]]], np.float32), (2, 1, 1))
    circles = np.tile(np.array([[[-3.0, 0.0, 0.5]]], np.float32), (2, 1, 1))
    found = box_ranges(origin, angles, boxes, circles, 5.0)
    np.testing.assert_allclose(found, [[2.0, 5.0, 2.5], [5.0, 5.0, 5.0]], atol=1e-5)
    alone = box_ranges(origin, angles, boxes, circles[:, :0], 5.0)
    np.testing.assert_allclose(alone[0], [2.0, 5.0, 5.0], atol=1e-5)


def test_both_ways_to_cast_rays_agree():
    rng = np.random.default_rng(0)
    low = rng.uniform(1.0, 4.0, (6, 2)) * rng.choice([-1, 1], (6, 2))
    boxes = np.concatenate([low, low + 0.8], axis=1)
    squares = [square(x + 0.4, y + 0.4, 0.8) for x, y in low]
    angles = np.linspace(-3.0, 3.0, 200)
    one = edge_ranges(np.zeros(2), angles, outline(squares), 9.0)
    many = box_ranges(np.zeros((1, 2)), angles[None], boxes[None], np.zeros((1, 0, 3)), 9.0)[0]
    np.testing.assert_allclose(one, many, atol=1e-4)
