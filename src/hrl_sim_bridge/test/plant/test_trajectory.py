"""Joint trajectories as the plant follows them."""

import numpy as np
import pytest

from hrl_sim_bridge.plant.trajectory import Follower, Trajectory


def test_a_target_for_one_tick_is_reached_at_its_end():
    follower = Follower()
    follower.follow(Trajectory(1.0, np.array([0.0, 0.1]), np.array([[0.0], [0.2]])))
    assert follower.target(1.0) == pytest.approx([0.2])
    assert follower.target(1.1) is None


def test_a_long_trajectory_is_followed_along_straight_lines():
    follower = Follower()
    times, positions = np.array([0.0, 0.4, 0.6]), np.array([[0.0, 1.0], [0.4, 1.0], [0.4, 2.0]])
    follower.follow(Trajectory(2.0, times, positions))
    targets = [follower.target(2.0 + 0.1 * k) for k in range(6)]
    expected = [[0.1, 1], [0.2, 1], [0.3, 1], [0.4, 1], [0.4, 1.5], [0.4, 2]]
    np.testing.assert_allclose(np.array(targets, float), expected, atol=1e-9)
    assert follower.target(2.6) is None


def test_a_trajectory_of_the_future_waits_for_its_time():
    follower = Follower()
    follower.follow(Trajectory(5.0, np.array([0.0, 0.1]), np.array([[0.0], [0.2]])))
    assert follower.target(1.0) is None
    assert follower.target(5.0) == pytest.approx([0.2])


def test_a_new_trajectory_takes_the_place_of_the_old_one_and_drop_ends_it():
    follower = Follower()
    follower.follow(Trajectory(0.0, np.array([0.0, 9.0]), np.array([[0.0], [9.0]])))
    follower.follow(Trajectory(1.0, np.array([0.0, 1.0]), np.array([[5.0], [6.0]])))
    assert follower.target(1.0) == pytest.approx([5.1])
    follower.drop()
    assert follower.target(1.1) is None
