"""Grids, ways over them, and lines, against values worked out by hand."""

import numpy as np
import pytest

from hrl_core.floor.grid import Grid
from hrl_core.floor.paths import (
    distance_to_path,
    lengths_along,
    path_length,
    point_and_direction,
    point_on,
)
from hrl_core.floor.rectangles import Rectangle
from hrl_core.floor.routes import (
    FROM_CLOSED,
    cheapest_routes,
    follow,
    next_cells,
    passable,
    shortest_ways,
)
from hrl_core.site import load_site

CORNER = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])  # m, 7 m long
WALL = np.ones((3, 5), bool)
WALL[:2, 2] = False  # open at the last row only


def test_a_grid_knows_the_cells_of_points_and_their_middles():
    grid = Grid((4, 3), 0.5, (-1.0, 0.0))
    points = np.array([[-0.9, 0.1], [0.6, 1.2], [9.0, -9.0]])
    cells = grid.cells(points)
    assert cells.tolist() == [[0, 0], [3, 2], [3, 0]]  # the last one lies outside
    assert grid.cell_of(points[1]) == (3, 2)
    np.testing.assert_allclose(grid.centres_of(cells[1]), [0.75, 1.25])
    np.testing.assert_allclose(grid.centres[3, 2], [0.75, 1.25])
    assert grid.flat(cells).tolist() == [0, 11, 9]
    assert grid.unflat(np.array([0, 11, 9])).tolist() == cells.tolist()


def test_a_grid_over_a_floor_covers_all_of_it():
    assert Grid.over((2.0, 1.05), 0.5).shape == (4, 3)


def test_the_shortest_way_goes_through_the_gap_in_a_wall():
    onward = next_cells(WALL, goal=4, cell_size=1.0)
    cells = follow(onward, 0)
    assert cells[0] == 0 and cells[-1] == 4
    assert 12 in cells  # the gap, at (2, 2)
    steps = np.abs(np.diff(np.stack(np.divmod(cells, 5), -1), axis=0))
    assert steps.max() == 1
    length = np.hypot(*steps.T).sum()
    assert length == pytest.approx(4 * np.sqrt(2))
    assert follow(next_cells(np.eye(2, 5, 4, dtype=bool), 4, 1.0), 0).tolist() == [0]


def test_routes_cost_what_their_cells_cost():
    cost = np.ones((1, 5))
    cost[0, 2] = 3.0
    routes = cheapest_routes(cost, (0, 4), 0.5, entry=0.6)
    np.testing.assert_allclose(routes.distance, [[3.0, 2.5, 1.5, 0.5, 0.0]])
    assert routes.cells_from((0, 1)).tolist() == [1, 2, 3, 4]
    assert routes.ahead(np.array([0, 3]), 2).tolist() == [2, 4]


def test_from_a_closed_cell_the_way_begins_at_the_nearest_free_one():
    cost = np.ones((1, 5))
    cost[0, :2] = np.inf
    routes = cheapest_routes(cost, (0, 4), 0.5, entry=0.6)
    assert routes.distance[0, 1] == pytest.approx(1.0 + FROM_CLOSED * 0.5)
    assert np.isinf(routes.distance[0, 0])  # 1 m away
    nowhere = cheapest_routes(np.full((2, 2), np.inf), (0, 0), 0.5, entry=0.6)
    assert np.isinf(nowhere.distance).all()


def test_a_barrier_across_a_floor_closes_it():
    site = load_site("open_bay")
    width, depth = site.size
    places = site.staging_places()
    assert passable(site, [], places, 0.9).all()
    ways = shortest_ways(site, [], places[0], places[1:], 0.9)
    assert all(np.linalg.norm(way[-1] - places[0]) < 0.2 for way in ways)
    box = Rectangle("", np.array([*places[0], 0.0]), np.array([3.0, 3.0]))
    assert not passable(site, [box], np.array([places[0], [width / 2, depth / 2]]), 0.9).any()


def test_lengths_and_points_along_a_path():
    np.testing.assert_allclose(lengths_along(CORNER), [0.0, 3.0, 7.0])
    assert path_length(CORNER) == 7.0
    np.testing.assert_allclose(point_on(CORNER, 5.0), [3.0, 2.0])
    np.testing.assert_allclose(point_on(CORNER, 99.0), [3.0, 4.0])
    point, direction = point_and_direction(CORNER, 1.5 / 7.0)
    np.testing.assert_allclose(point, [1.5, 0.0])
    np.testing.assert_allclose(direction, [1.0, 0.0])
    np.testing.assert_allclose(point_and_direction(CORNER, 5.0 / 7.0)[1], [0.0, 1.0])


def test_distances_to_a_path_are_to_its_nearest_point():
    points = np.array([[1.0, 1.0], [4.0, 2.0], [3.0, 6.0], [-3.0, -4.0]])
    np.testing.assert_allclose(distance_to_path(CORNER, points), [1.0, 1.0, 2.0, 5.0])
