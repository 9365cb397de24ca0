"""From a steering policy's action to a velocity command: velocity limits, then slew limits.

Everything is batched over n robots, so that training and the robot run the same code.
"""

import numpy as np

from hrl_core.control import TICK
from hrl_core.robot import Base

PENDING = 2  # commands that the gait has not answered yet: its delay in ticks


class Steering:
    """Velocity commands (n, 3) m/s, m/s, rad/s of n robots and the last few before them."""

    def __init__(self, n: int, base: Base, forward_max: float | None = None) -> None:
        """Limits come from the robot file; a skill may cap the forward speed [m/s]."""
        self.low, self.high = np.array(base.velocity_min), np.array(base.velocity_max)
        if forward_max is not None:
            self.high[0] = min(self.high[0], forward_max)
        self.slew = np.array(base.acceleration_max) * TICK
        self._history = np.zeros((n, 1 + PENDING, 3))  # newest first

    @property
    def command(self) -> np.ndarray:
        """Command of the last tick (n, 3)."""
        return self._history[:, 0]

    @property
    def previous(self) -> np.ndarray:
        """Command of the tick before (n, 3)."""
        return self._history[:, 1]

    @property
    def pending(self) -> np.ndarray:
        """Commands of the last ticks (n, PENDING, 3), newest first: still to be answered."""
        return self._history[:, :PENDING]

    def reset(self, rows: np.ndarray | slice = slice(None)) -> None:
        self._history[rows] = 0.0

    def twist(self, action: np.ndarray) -> np.ndarray:
        """Policy action (n, 3) in [-1, 1] -> the twist (n, 3) that the slew limits allow next."""
        action = np.clip(action, -1.0, 1.0)
        wanted = np.where(action >= 0, action * self.high, -action * self.low)
        return self.slewed(wanted)

    def slewed(self, wanted: np.ndarray) -> np.ndarray:
        """The twist (n, 3) nearest to the wanted one that the slew limits allow next."""
        return self.command + np.clip(wanted - self.command, -self.slew, self.slew)

    def commit(self, command: np.ndarray) -> None:
        """Remember the command (n, 3) that is sent."""
        self._history[:, 1:] = self._history[:, :-1].copy()
        self._history[:, 0] = command


def goal_features(goal_in_base: np.ndarray) -> list[np.ndarray]:
    """A planar goal (n, 3) as columns that are fine-grained near it and bounded far from it.

    Direction (2), distance up to 3 m / 1.5, position within 0.5 m / 0.25, sine and cosine of the
    yaw, yaw within 0.3 rad / 0.2.
    """
    x, y, yaw = goal_in_base.T
    distance = np.hypot(x, y)
    far = np.maximum(distance, 1e-3)
    return [
        x / far,
        y / far,
        np.minimum(distance, 3.0) / 1.5,
        np.clip(x, -0.5, 0.5) / 0.25,
        np.clip(y, -0.5, 0.5) / 0.25,
        np.sin(yaw),
        np.cos(yaw),
        np.clip(yaw, -0.3, 0.3) / 0.2,
    ]


GOAL_MIRROR = (1, -1, 1, 1, -1, -1, 1, -1)  # signs of goal_features in the mirror image
TWIST_MIRROR = (1, -1, -1)
VELOCITY_SCALE = 1.5  # of velocities in an observation


def nearness(sectors: np.ndarray) -> np.ndarray:
    """Sector ranges [m] as exp(-range): 1 at the sensor, near 0 where nothing is close."""
    return np.exp(-sectors)


def mirror_of(signs: list[int], sector_blocks: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Order and sign of an observation's mirror image: signed columns, then blocks of sectors."""
    order = [np.arange(len(signs))]
    start = len(signs)
    for size in sector_blocks:
        order.append(np.arange(start + size - 1, start - 1, -1))
        start += size
    sign = np.concatenate([np.array(signs), np.ones(start - len(signs))])
    return np.concatenate(order), sign
