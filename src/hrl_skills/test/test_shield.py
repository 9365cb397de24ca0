import numpy as np
import pytest

from hrl_core.robot import load_robot
from hrl_core.sensed import Scan
from hrl_skills.shield import FAR, Shield
from hrl_skills.steering import PENDING

ROBOT = load_robot()
SHIELD = Shield(ROBOT)
FRONT = max(ROBOT.base.footprint_x) + ROBOT.base.footprint_radius
STILL = np.zeros((1, PENDING, 3))


def face(distance: float) -> np.ndarray:
    """Points (1, m, 2) of a shelf's face at a distance [m] in front of the robot's centre."""
    y = np.linspace(-1, 1, 60)
    return np.stack([np.full_like(y, distance), y], axis=-1)[None]


def protect(twist, points, pending=STILL, velocity=(0, 0, 0)) -> np.ndarray:
    command = np.array([twist], float)
    return SHIELD.protect(command, pending, np.array([velocity], float), points)[0]


def test_nothing_near_leaves_every_command_as_it_is():
    command = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    pending = np.zeros((50, PENDING, 3))
    nothing = np.full((50, 10, 2), FAR)
    np.testing.assert_array_equal(
        SHIELD.protect(command, pending, np.zeros((50, 3)), nothing), command
    )


def test_the_robot_may_come_to_a_standoff_of_75_cm_but_not_touch_the_shelf():
    assert protect((0.15, 0, 0), face(1.0))[0] == pytest.approx(0.15)
    assert protect((0.03, 0, 0), face(0.77))[0] > 0
    assert protect((0.15, 0, 0), face(FRONT + 0.05))[0] <= 0


def test_the_robot_may_back_out_and_turn_where_it_stands_close_to_a_shelf():
    close = face(FRONT + 0.03)
    np.testing.assert_allclose(protect((-0.15, 0, 0), close), (-0.15, 0, 0))
    np.testing.assert_allclose(protect((0, 0, 0.3), face(0.75)), (0, 0, 0.3))


def test_the_robots_own_item_inside_the_footprint_does_not_hold_it():
    own = np.array([[[0.45, 0.05], [0.5, 0.0]]])
    np.testing.assert_allclose(protect((0.15, 0, 0.3), own), (0.15, 0, 0.3))


def test_an_obstacle_is_still_seen_behind_the_robots_own_item():
    points = np.concatenate([np.array([[[0.5, 0.0]]]), face(FRONT + 0.05)], axis=1)
    assert protect((0.15, 0, 0), points)[0] <= 0


def test_somebody_who_stands_close_behind_is_never_taken_for_the_robot_itself():
    deep = np.array([[[-0.60, -0.05], [-0.58, 0.0]]])
    assert protect((-0.1, 0, 0), deep)[0] >= 0
    np.testing.assert_allclose(protect((0.1, 0, 0), deep), (0.1, 0, 0))


def test_a_body_that_only_sways_is_not_taken_to_move_away():
    behind = -face(FRONT + 0.04)
    assert protect((-0.06, 0, 0), behind, velocity=(0.1, 0, 0))[0] >= 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_command_that_is_not_finite_becomes_a_stop(wrong):
    np.testing.assert_array_equal(protect((wrong, 0, 0), face(3.0)), np.zeros(3))


def test_a_moving_robot_is_slowed_before_it_is_too_late():
    moving = np.full((1, PENDING, 3), [0.9, 0.0, 0.0])
    braked = protect((0.9, 0, 0), face(1.2), moving, velocity=(0.9, 0, 0))
    assert braked[0] == pytest.approx(0.75)  # all that the slew limit allows


def test_rows_of_a_batch_do_not_influence_each_other():
    rng = np.random.default_rng(3)
    command, velocity = rng.uniform(-0.5, 0.5, (20, 3)), rng.uniform(-0.5, 0.5, (20, 3))
    pending, points = rng.uniform(-0.5, 0.5, (20, PENDING, 3)), rng.uniform(-1.5, 1.5, (20, 30, 2))
    together = SHIELD.protect(command, pending, velocity, points)
    for k in range(20):
        rows = slice(k, k + 1)
        alone = SHIELD.protect(command[rows], pending[rows], velocity[rows], points[rows])
        np.testing.assert_allclose(together[k], alone[0])


def test_a_scan_that_is_stale_missing_or_mostly_blind_is_not_walked_by():
    ranges = np.full(360, 2.0)
    scan = Scan(1.0, ranges, -np.pi, np.pi / 180, 12.0)
    blind = Scan(1.0, np.where(np.arange(360) < 200, np.nan, ranges), -np.pi, np.pi / 180, 12.0)
    assert SHIELD.usable(scan, 1.2)
    assert not SHIELD.usable(scan, 1.5)
    assert not SHIELD.usable(None, 1.0)
    assert not SHIELD.usable(blind, 1.0)


def test_averaging_keeps_the_edges_of_things():
    ranges = np.full(360, 3.0)
    ranges[180] = 1.0  # thin, straight ahead
    ranges[90] = np.nan
    scan = Scan(0.0, ranges, -np.pi, np.pi / 180, 12.0)
    points = SHIELD.points_in_base(scan)
    assert len(points) == 359
    mount = ROBOT.lidar.mount.position
    assert np.abs(points - [1.0 + mount[0], mount[1]]).sum(1).min() < 1e-9
