"""The control tick, and what is asked of a robot in one: the same for skills, plant and training.

Everything that counts control steps or turns a rate into a step reads TICK from here.
"""

from dataclasses import dataclass

import numpy as np

TICK = 0.1  # s, control period of every skill
COMMAND_AGE = 0.3  # s; a base does not obey a velocity command that is older


@dataclass(frozen=True)
class Command:
    """What a skill asks of the robot for one tick; None leaves that part as it is."""

    twist: np.ndarray | None = None  # (3,) vx, vy m/s, wz rad/s in base_link
    arm: np.ndarray | None = None  # (6,) rad, to be reached at the end of the tick
    gripper: float | None = None  # rad


STOP = Command(twist=np.zeros(3))


def per_tick(rate: float) -> float:
    """What a rate [1/s] makes in one tick, without the last digits of binary fractions."""
    return round(rate * TICK, 12)
