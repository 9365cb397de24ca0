import numpy as np
import pytest

from hrl_core.floor.clearance import footprint_room
from hrl_core.robot import load_robot
from hrl_skills.local_planner import (
    AHEAD,
    COMFORT,
    REACH,
    from_centres,
    plan_locally,
)
from hrl_skills.planner import ObstacleGrid

ROBOT = load_robot()
BASE = ROBOT.base
RADIUS = ROBOT.base.footprint_radius
WIDTH = 1.0  # m, of the corridor along x: too narrow to turn in
START = np.array([4.0, 3.0, 0.0])


def grid(*rows: tuple[float, float, float]) -> ObstacleGrid:
    """A floor with walls along x, each from x0 to x1 at a y [m]."""
    walls = [np.array([[x, y] for x in np.arange(a, b, 0.05)]) for a, b, y in rows]
    outline = np.concatenate([np.array([[0.0, 0.0]]), *walls])
    return ObstacleGrid((8.0, 6.0), outline, ROBOT)


def corridor() -> ObstacleGrid:
    """From x 2 to 4.5 m around y 3 m; beyond its end there is room."""
    return grid((2.0, 4.5, 3.0 - 0.5 * WIDTH), (2.0, 4.5, 3.0 + 0.5 * WIDTH))


def test_where_there_is_room_the_next_pose_is_the_goal():
    goal = np.array([5.0, 3.5, 2.0])
    way = plan_locally(grid(), BASE, START, goal)
    assert way is not None
    assert way.next_pose(START) == pytest.approx(goal)


def test_to_turn_round_in_a_corridor_the_robot_leaves_it_and_comes_back():
    goal = np.array([3.8, 3.0, np.pi])
    way = plan_locally(corridor(), BASE, START, goal)
    assert way is not None
    turned = np.abs(np.sin(way.poses[:, 2])) > 0.9
    assert turned.any()
    assert way.poses[turned, 0].min() > 4.5
    assert way.poses[-1, :2] == pytest.approx(goal[:2])
    assert np.cos(way.poses[-1, 2]) == pytest.approx(-1.0)


def test_the_footprint_stays_clear_along_a_local_plan():
    plan = corridor()
    way = plan_locally(plan, BASE, START, np.array([3.8, 3.0, np.pi]))
    assert way is not None
    room = footprint_room(plan.clearance(), plan.grid, BASE.footprint_x, way.poses)
    assert room.min() > RADIUS


def test_in_a_tight_place_the_next_pose_leads_away_from_the_goal_first():
    way = plan_locally(corridor(), BASE, START, np.array([3.8, 3.0, np.pi]))
    assert way is not None
    onward = way.next_pose(START)
    assert onward[0] > START[0] + AHEAD
    assert abs(onward[2]) < 0.3


def test_there_is_no_local_plan_into_a_place_without_room():
    gap = 2 * from_centres(BASE, COMFORT) - 0.4  # m, narrower than the robot
    closed = grid((4.0, 7.0, 3.0 - 0.5 * gap), (4.0, 7.0, 3.0 + 0.5 * gap))
    assert plan_locally(closed, BASE, START, np.array([5.5, 3.0, 0.0])) is None


def test_a_local_plan_ends_within_its_reach():
    beyond = START + [REACH + 0.1, 0.0, 0.0]
    assert plan_locally(grid(), BASE, START, beyond) is None
