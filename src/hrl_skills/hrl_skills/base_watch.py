"""Whether the base does what it is told: a driver may listen to another topic, or to nothing."""

from collections import deque

import numpy as np

from hrl_core.geometry import compose, invert, planar_from_transform
from hrl_core.sensed import Odometry

WINDOW = 4.0  # s; less than walk and approach take for "blocked"
DELAY = 0.5  # s that a base may take to answer
TOLD = 0.4  # m in the window, at least, before it is judged
FOLLOWED = 0.1  # share of what it was told, at least
LEVER = np.array([1.0, 1.0, 0.5])  # m per m, m per m, m per rad


class BaseWatch:
    """Compares what is commanded with what the poses of the odometry say, over a goal."""

    def __init__(self) -> None:
        self._ways: deque[tuple[float, float, np.ndarray, np.ndarray]] = deque()
        self.reset()

    def reset(self) -> None:
        """Forget the last goal."""
        # Of each step: stamp and length [s], what was told, what was gone [m, m, 0.5 rad].
        self._ways.clear()
        self._told = np.zeros(3)
        self._last: tuple[float, np.ndarray] | None = None  # stamp and pose

    def look(self, odometry: Odometry) -> str | None:
        """Begin a tick; a sentence where the base has not followed for a whole window."""
        now, pose = odometry.stamp, planar_from_transform(odometry.odom_from_base)
        if self._last is not None:
            since, before = self._last
            gone = LEVER * compose(invert(before), pose)
            step = now - since
            self._ways.append((now, step, LEVER * self._told * step, gone))
        self._last = now, pose
        while self._ways and now - self._ways[0][0] > WINDOW + DELAY:
            self._ways.popleft()
        if not self._ways or now - self._ways[0][0] < WINDOW + DELAY - 0.2:
            return None
        answered = [way for way in self._ways if now - way[0] >= DELAY - 1e-6]
        seconds = sum(step for _, step, _, _ in answered)
        told = np.sum([way for _, _, way, _ in answered], axis=0)
        gone = np.sum([way for _, _, _, way in self._ways], axis=0)
        if np.linalg.norm(told) < TOLD or told @ gone >= FOLLOWED * (told @ told):
            return None
        if abs(told[2]) > np.hypot(*told[:2]):
            unit, wanted, got = "rad/s", abs(told[2] / LEVER[2]), abs(gone[2] / LEVER[2])
        else:
            unit, wanted, got = "m/s", np.hypot(*told[:2]), np.hypot(*gone[:2])
        return (
            f"the base does not follow: commanded {wanted / seconds:.2f} {unit}, odometry "
            f"{got / seconds:.2f} {unit} over {seconds:.0f} s"
        )

    def tell(self, twist: np.ndarray | None) -> None:
        """End a tick: what is commanded, (3,) m/s, m/s, rad/s in base_link; None: to stand."""
        self._told = np.zeros(3) if twist is None else np.asarray(twist, float)
