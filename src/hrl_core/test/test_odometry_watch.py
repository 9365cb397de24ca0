"""Twist against poses: what a driver gives wrong is refused, what moves a robot is not."""

import numpy as np
import pytest

from hrl_core.geometry import compose, transform_from_planar
from hrl_core.odometry_watch import OdometryWatch
from hrl_core.sensed import Odometry

RATES = (10, 50, 200)  # Hz


def said(watch: OdometryWatch, twist, seconds=3.0, rate=10, told=None, start=(0.0, 0.0, 0.0)):
    """Sentences for a robot that moves at `twist` and says `told` (a function of its pose)."""
    pose, sentences = np.array(start, float), []
    for k in range(round(seconds * rate)):
        given = twist if told is None else told(pose)
        sentences.append(
            watch.check(Odometry(k / rate, transform_from_planar(pose, 0.4), np.array(given)))
        )
        pose = compose(pose, np.array(twist) / rate)
    return sentences


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("twist", [(0.9, 0.0, 0.0), (0.0, -0.35, 0.0), (0.5, 0.1, 0.9)])
def test_a_twist_in_its_frame_is_taken(twist, rate):
    assert set(said(OdometryWatch(), twist, 8.0, rate)) == {None}  # more than a whole turn


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("yaw", [np.pi / 2, np.pi, -2.0])
def test_a_twist_turned_by_the_heading_is_refused_within_the_window(yaw, rate):
    def in_odom(pose):
        c, s = np.cos(pose[2]), np.sin(pose[2])
        return 0.5 * c, 0.5 * s, 0.0

    sentences = said(OdometryWatch(), (0.5, 0.0, 0.0), 2.0, rate, in_odom, (1.0, 2.0, yaw))
    assert sentences[round(1.1 * rate)] is not None
    assert "twist.twist disagrees with pose.pose" in sentences[-1]
    assert "0.25 m/s and 0.5 rad/s" in sentences[-1]


def test_a_twist_that_stays_zero_is_refused():
    assert said(OdometryWatch(), (0.4, 0.0, 0.0), 2.0, told=lambda pose: (0, 0, 0))[-1] is not None
    assert said(OdometryWatch(), (0.0, 0.0, 0.8), 2.0, told=lambda pose: (0, 0, 0))[-1] is not None


@pytest.mark.parametrize("rate", RATES)
def test_a_jump_is_said_as_one_and_passes(rate):
    watch = OdometryWatch()
    assert set(said(watch, (0.3, 0.0, 0.0), 2.0, rate)) == {None}
    sentences = []
    for k in range(2 * rate):
        pose = transform_from_planar(np.array([5.0 + 0.3 * k / rate, 1.0, 0.0]))
        sentences.append(watch.check(Odometry(2.0 + k / rate, pose, np.array([0.3, 0.0, 0.0]))))
    assert "pose.pose jumped by 4." in sentences[0] and "refused for 0.5 s" in sentences[0]
    assert sentences[round(0.4 * rate)] == sentences[0]
    assert set(sentences[round(0.6 * rate) :]) == {None}
