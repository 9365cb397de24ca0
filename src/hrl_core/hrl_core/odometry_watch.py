"""Whether the twist of odometry says what its successive poses say, and whether its pose jumps."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from hrl_core.geometry import planar_from_transform, wrap_angle
from hrl_core.sensed import Odometry

WINDOW = 1.0  # s, over which twist and poses are compared: two strides of a trot
LINEAR, ANGULAR = 0.25, 0.5  # m/s, rad/s, that their means may differ
JUMP = np.array([0.25, 0.25, 0.35])  # m, m, rad, besides twice what the twist says of the step
LONGEST_STEP = 0.5  # s; after a longer silence the comparison begins anew
REFUSED = 0.5  # s that odometry is refused after a jump: whoever drives by it takes note


@dataclass(frozen=True)
class _Sample:
    stamp: float  # s
    pose: np.ndarray  # (3,) m, m, rad in odom; the yaw counts whole turns
    velocity: np.ndarray  # (3,) m/s, m/s, rad/s in odom, by the twist
    integrated: np.ndarray  # (3,) m, m, rad: the way by the twists up to here


class OdometryWatch:
    """Give it every odometry, in order; it says what is wrong with it.

    The shield predicts by the twist, and skills aim by the pose: neither may be taken from a
    driver that turns the twist by the heading, or whose pose is set anew meanwhile.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._refusal = ""
        self._refused_until = float("-inf")  # s

    def restart(self) -> None:
        """Forget the past: time has gone back, or there was none."""
        self._samples.clear()
        self._refused_until = float("-inf")

    def check(self, odometry: Odometry) -> str | None:
        """A sentence with field, value and what is allowed; None where all is well."""
        x, y, yaw = planar_from_transform(odometry.odom_from_base)
        pose = np.array([x, y, yaw])
        c, s = np.cos(yaw), np.sin(yaw)
        vx, vy, wz = odometry.twist
        velocity = np.array([c * vx - s * vy, s * vx + c * vy, wz])
        last = self._samples[-1] if self._samples else None
        if last is None or not 0 < odometry.stamp - last.stamp <= LONGEST_STEP:
            self._begin(odometry.stamp, pose, velocity)
            return self._refused(odometry.stamp)
        step = odometry.stamp - last.stamp
        told = 0.5 * step * (velocity + last.velocity)
        moved = pose - last.pose
        moved[2] = wrap_angle(moved[2])
        pose = last.pose + moved
        if (np.abs(moved - told) > JUMP + 2 * np.abs(told)).any():
            self._refusal = (
                f"pose.pose jumped by {np.hypot(*moved[:2]):.2f} m and {moved[2]:.2f} rad within "
                f"{step:.2f} s, where twist.twist says {np.hypot(*told[:2]):.2f} m and "
                f"{told[2]:.2f} rad: it is refused for {REFUSED} s"
            )
            self._refused_until = odometry.stamp + REFUSED
            self._begin(odometry.stamp, pose, velocity)
            return self._refusal
        self._samples.append(_Sample(odometry.stamp, pose, velocity, last.integrated + told))
        while odometry.stamp - self._samples[1].stamp >= WINDOW - 1e-6:
            self._samples.popleft()
        return self._refused(odometry.stamp) or self._compare()

    def _compare(self) -> str | None:
        """What the twists of the window say beside its poses."""
        first, now = self._samples[0], self._samples[-1]
        seconds = now.stamp - first.stamp
        if seconds < WINDOW - 1e-6:
            return None
        by_twist = (now.integrated - first.integrated) / seconds
        by_poses = (now.pose - first.pose) / seconds
        off = by_twist - by_poses
        if np.hypot(*off[:2]) <= LINEAR and abs(off[2]) <= ANGULAR:
            return None
        return (
            f"twist.twist disagrees with pose.pose: over {seconds:.1f} s it says "
            f"{_words(by_twist)} in odom, the poses {_words(by_poses)}; allowed are differences of "
            f"{LINEAR} m/s and {ANGULAR} rad/s; see that it is given in child_frame_id"
        )

    def _refused(self, stamp: float) -> str | None:
        return self._refusal if stamp < self._refused_until else None

    def _begin(self, stamp: float, pose: np.ndarray, velocity: np.ndarray) -> None:
        self._samples.clear()
        self._samples.append(_Sample(stamp, pose, velocity, np.zeros(3)))


def _words(velocity: np.ndarray) -> str:
    x, y, yaw = velocity
    return f"({x:.2f}, {y:.2f}) m/s and {yaw:.2f} rad/s"
