"""People in scans that are cast over the outline of a site."""

import numpy as np
import pytest

from hrl_core.floor.rays import edge_ranges
from hrl_core.geometry import transform_from_planar
from hrl_core.sensed import Scan
from hrl_perception.outline import Outline
from hrl_perception.people import People

PERIOD = 0.1  # s
HERE = np.array([1.2, 1.6, 0.4])  # of the robot at first


def ring(x: float, y: float, radius: float = 0.25) -> np.ndarray:
    """Somebody's edges (12, 4) m."""
    angles = np.linspace(0, 2 * np.pi, 13)
    corners = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    return np.concatenate([corners[:-1], corners[1:]], axis=1)


@pytest.fixture
def watch(site, robot):
    """watch(stand, pose): what is said in the end, of 60 scans; both are functions of the time."""
    outline = Outline(site)
    end = outline.start + outline.length[:, None] * outline.direction
    edges = np.concatenate([outline.start, end], axis=1)
    lidar, rng = np.array(robot.lidar.mount.position[:2]), np.random.default_rng(0)
    angles = np.linspace(-np.pi, np.pi, robot.lidar.beams, endpoint=False)

    def watch(stands, pose=lambda t: HERE, ticks: int = 60):
        people, found = People(site, robot), np.empty((0, 3))
        for k in range(ticks):
            at = pose(PERIOD * k)
            origin = transform_from_planar(at)[:2, :2] @ lidar + at[:2]
            there = np.concatenate([edges, *(ring(*each) for each in stands(PERIOD * k))])
            ranges = edge_ranges(origin, angles + at[2], there, 12.0) + rng.normal(0, 0.01, 360)
            scan = Scan(PERIOD * k, ranges, -np.pi, angles[1] - angles[0], 12.0)
            found = people.see(scan, at + rng.normal(0, [0.02, 0.02, 0.01]))
        return found

    return watch


def test_who_walks_is_followed_with_his_heading(watch):
    ((x, y, heading),) = watch(lambda t: [(2.0 + 0.5 * t, 2.2)])
    assert np.hypot(x - 4.95, y - 2.2) < 0.2
    assert abs(heading) < 0.4


def test_two_are_two_and_one_who_stops_stays_one(watch):
    found = watch(lambda t: [(2.0 + min(0.5 * t, 1.5), 2.4), (1.5, 6.0 - 0.5 * t)])
    assert len(found) == 2
    assert np.hypot(*(found[:, :2] - [3.5, 2.4]).T).min() < 0.2


def test_what_never_moves_is_nobody_also_while_the_robot_walks_past(watch):
    def past(t):
        return np.array([1.2 + 0.6 * t, 1.6, 0.3 * np.sin(t)])

    assert len(watch(lambda t: [(4.0, 2.6, 0.35)], past)) == 0


def test_who_is_gone_is_forgotten_and_time_that_goes_back_begins_anew(watch, site, robot):
    assert len(watch(lambda t: [(2.0 + 0.5 * t, 2.2)] if t < 4 else [])) == 0
    people = People(site, robot)
    nothing = np.full(robot.lidar.beams, np.inf)
    for stamp in (5.0, 1.0):
        assert people.see(Scan(stamp, nothing, -np.pi, 0.017, 12.0), HERE).shape == (0, 3)
