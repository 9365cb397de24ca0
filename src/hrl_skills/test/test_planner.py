import numpy as np
import pytest

from hrl_core.robot import load_robot
from hrl_core.sensed import Scan
from hrl_skills.planner import Clearances, ObstacleGrid, routes_to

ROBOT = load_robot()
KEPT = Clearances.of(ROBOT.base)
SIZE = (12.0, 12.0)
START, GOAL = np.array([3.0, 6.0]), np.array([9.0, 6.0])
AT_START = np.array([3.0, 6.0, 0.0])  # the scanner's pose


def grid() -> ObstacleGrid:
    outline = np.concatenate([wall(0.0, 0.0, 12.0), wall(12.0, 0.0, 12.0)])
    outline = np.concatenate([outline, outline[:, ::-1]])
    return ObstacleGrid(SIZE, outline, ROBOT)


def wall(x: float, low: float, high: float) -> np.ndarray:
    y = np.arange(low, high, 0.05)
    return np.stack([np.full_like(y, x), y], axis=-1)


def scan(range_to_all: float) -> Scan:
    return Scan(0.0, np.full(360, range_to_all), -np.pi, np.pi / 180, 12.0)


def test_the_carrot_lies_ahead_on_the_straight_way():
    plan = grid()
    found = plan.carrot(plan.routes(GOAL), START)
    assert found is not None
    carrot, left = found
    assert carrot == pytest.approx([4.4, 6.0], abs=0.25)
    assert left == pytest.approx(6.0, abs=0.3)


def test_the_carrot_leads_round_a_wall_with_room_for_the_robot():
    plan = grid()
    plan.add_points(wall(6.0, 0.0, 7.0))
    routes = plan.routes(GOAL)
    position, places = START, []
    for _ in range(20):
        found = plan.carrot(routes, position)
        assert found is not None
        position = found[0]
        places.append(position)
    assert np.hypot(*(position - GOAL)) < 0.3
    gaps = np.hypot(*(np.array(places)[:, None] - wall(6.0, 0.0, 7.0)).transpose(2, 0, 1))
    assert gaps.min() > KEPT.lethal - 0.1
    assert max(place[1] for place in places) > 7.0


def test_there_is_no_carrot_behind_a_closed_wall():
    plan = grid()
    plan.add_points(wall(6.0, 0.0, 12.0))
    assert plan.carrot(plan.routes(GOAL), START) is None


def test_the_robot_finds_out_from_within_the_inflation_of_an_obstacle():
    plan = grid()
    plan.add_points(wall(3.2, 5.7, 6.3))
    found = plan.carrot(plan.routes(GOAL), START)
    assert found is not None and np.isfinite(found[1])


def test_a_thing_that_left_is_forgotten_within_a_second():
    plan = grid()
    plan.add_points(np.array([[5.0, 6.0]]))
    cell = np.floor((np.array([5.0, 6.0]) - plan.grid.origin) / plan.config.cell).astype(int)
    assert plan.evidence[tuple(cell)] > plan.config.occupied
    for _ in range(10):
        plan.add_scan(scan(4.0), AT_START)
    assert plan.evidence[tuple(cell)] < plan.config.occupied


def test_a_low_box_is_kept_where_the_rings_look_over_it():
    plan = grid()
    blind = np.array([[3.35, 6.0]])
    plan.add_points(blind)
    cell = np.floor((blind[0] - plan.grid.origin) / plan.config.cell).astype(int)
    for _ in range(4):
        plan.add_scan(scan(4.0), AT_START)
    assert plan.evidence[tuple(cell)] > plan.config.occupied


def test_beams_that_measured_nothing_clear_nothing():
    plan = grid()
    plan.add_points(np.array([[5.0, 6.0]]))
    before = plan.evidence.copy()
    for _ in range(10):
        plan.add_scan(scan(np.nan), AT_START)
    np.testing.assert_array_equal(plan.evidence, before)


def test_hits_are_put_where_they_are_in_map():
    plan = grid()
    before = plan.evidence.copy()
    ranges = np.full(360, np.inf)
    ranges[180] = 2.0  # straight ahead of a scanner that looks to the left
    plan.add_scan(Scan(0.0, ranges, -np.pi, np.pi / 180, 12.0), np.array([4.0, 6.5, np.pi / 2]))
    cells = np.argwhere(plan.evidence > before)
    place = plan.grid.origin + (cells[0] + 0.5) * plan.config.cell
    assert len(cells) == 1
    assert place == pytest.approx([4.0, 8.5], abs=0.06)


def test_noise_before_a_wall_of_the_map_does_not_make_it_thicker():
    plan = grid()
    before = plan.evidence > plan.config.occupied
    ranges = np.full(360, np.inf)
    ranges[180] = 2.92  # the wall stands at 3.0
    pose = np.array([9.0, 6.0, 0.0])
    for _ in range(5):
        plan.add_scan(Scan(0.0, ranges, -np.pi, np.pi / 180, 12.0), pose)
    assert not ((plan.evidence > plan.config.occupied) & ~before).any()


def test_cost_grows_towards_obstacles_until_it_is_closed():
    cost = KEPT.travel_cost(np.array([KEPT.lethal - 0.01, KEPT.lethal, 0.5, 2.0]))
    assert cost[0] == np.inf
    assert cost[1] > cost[2] > cost[3] == 1.0


def test_no_route_leads_through_a_grid_that_is_closed_everywhere():
    routes = routes_to(np.zeros((5, 5)), (2, 2), 0.2, KEPT)
    assert not np.isfinite(routes.distance).any()


def test_a_place_of_the_way_that_became_too_narrow_can_be_shut_for_good():
    plan = grid()
    before = plan.routes(GOAL)

    def left() -> float:
        return float(plan.routes(GOAL).distance[plan.cell_of(START)])

    length = left()
    plan.shut_narrow(before, START)
    assert left() == length  # nothing is too narrow yet
    evidence = plan.evidence.copy()
    plan.add_points(np.array([[6.0, 6.0]]))
    plan.shut_narrow(before, START)
    plan.evidence = evidence  # the scans see nothing there any more
    assert left() > length + 0.1
    assert plan.clearance()[plan.cell_of(np.array([5.8, 6.0]))] < KEPT.lethal
