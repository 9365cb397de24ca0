"""Whether an item stands upright on a board, by how it is seen: its patches and its height.

Front and top bear the same marker. Of an item that shows only one of them, a fallen one may look
like an upright one of another height; a detection then says that its turn is not known.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from hrl_core.site import Item

UPRIGHT = 0.94  # cosine of the tilt
HEIGHT = 0.04  # m, off where its centre belongs, where both patches were seen
TURN_KNOWN = 0.5  # rad, standard deviation; the other posture is a quarter turn away
TOLD_APART = 0.008  # m; heights that differ by less cannot tell two postures apart


class Posture(Enum):
    UPRIGHT = "upright"
    NOT_UPRIGHT = "not upright"
    UNCLEAR = "unclear"  # one patch alone does not tell


@dataclass(frozen=True)
class Sight:
    """An item as it was seen, above the board that it should stand on."""

    up: float  # cosine between its own and the world's vertical
    height: float  # m, of its centre off where that belongs
    turn_sd: float  # rad, of its rotation


def sight_of(rotation: np.ndarray, covariance: np.ndarray, height: float) -> Sight:
    """Of a detection: rotation (3, 3) and covariance (6, 6) in odom; height [m] as in `Sight`."""
    turn_sd = float(np.sqrt(np.linalg.eigvalsh(covariance[3:, 3:])[-1]))
    return Sight(float(rotation[2, 2]), height, turn_sd)


def posture(item: Item, seen: Sight) -> Posture:
    """How the item stands."""
    if seen.up < UPRIGHT or abs(seen.height) > HEIGHT:
        return Posture.NOT_UPRIGHT
    if seen.turn_sd < TURN_KNOWN:
        return Posture.UPRIGHT
    # On its front or back it seems to be so much too low, or twice as much.
    fallen = 0.5 * abs(item.size[0] - item.size[2])
    if abs(seen.height) > 0.5 * max(fallen, TOLD_APART):
        return Posture.NOT_UPRIGHT
    return Posture.UPRIGHT if fallen > TOLD_APART else Posture.UNCLEAR
