"""What the policy of place sees: declared once, for training, runtime and the card."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hrl_core.robot import Arm
from hrl_skills.manipulation import (
    HAND_PARTS,
    Hand,
    HandSeen,
    ItemEstimate,
    Surroundings,
    closing_width,
    room_beside,
    to_yaw_frame,
)
from hrl_skills.observation import Observation, Part


@dataclass
class PlaceSeen(HandSeen):
    """What it is worked out from, for n robots."""

    item: ItemEstimate
    around: Surroundings
    target: np.ndarray  # (n, 3) m in base_link, where the item's centre belongs
    held: np.ndarray  # (n,) bool

    @cached_property
    def to_target(self) -> np.ndarray:
        """From the item to its target (n, 3) m, in the arm's yaw frame."""
        return to_yaw_frame(self.target - self.item.position, self.hand.yaw)

    @property
    def item_from_tool(self) -> np.ndarray:
        """(n, 3) m, in the arm's yaw frame."""
        return to_yaw_frame(self.item.position - self.hand.position, self.hand.yaw)

    @property
    def height(self) -> np.ndarray:
        """(n, 2), scaled."""
        surface = self.target[:, 2] - self.item.size[:, 2]
        height = self.item.bottom() - surface
        return np.stack([height * 10.0, np.clip(height * 40.0, -1.0, 3.0)], axis=1)

    @property
    def width(self) -> np.ndarray:
        """Half widths (n,) m of the items between the jaws."""
        return closing_width(self.item, self.hand.rotation)

    @property
    def room(self) -> np.ndarray:
        """Free room (n, 2) m beside the targets."""
        gripper, rotation = self.arm.gripper, self.hand.rotation
        return room_beside(gripper, self.item, rotation, self.around, self.target)


OBSERVED: Observation[PlaceSeen] = Observation(
    *HAND_PARTS,
    Part("target_from_item", 3, "m in the arm's yaw frame, times 5", lambda s: s.to_target * 5.0),
    Part("target_from_item_near", 3, "tanh of m times 20", lambda s: np.tanh(s.to_target * 20.0)),
    Part(
        "item_from_tool",
        3,
        "m in the arm's yaw frame, times 10",
        lambda s: s.item_from_tool * 10.0,
    ),
    Part("item_up", 3, "the item's z axis in base_link", lambda s: s.item.rotation[:, :, 2]),
    Part(
        "item_size",
        3,
        "m, half extents, from 3 cm, times 50",
        lambda s: (s.item.size - 0.03) * 50.0,
    ),
    Part(
        "height",
        2,
        "m, the item's bottom over the surface, times 10 and, clipped, 40",
        lambda s: s.height,
    ),
    Part(
        "width",
        1,
        "m, half width of the item between the jaws, from 3 cm, times 50",
        lambda s: (s.width - 0.03) * 50.0,
    ),
    Part(
        "room",
        2,
        "m free beside the target, jaw's and finger's side, from 6 cm, times 20",
        lambda s: (s.room - 0.06) * 20.0,
    ),
    Part("held", 1, "1: the gripper is stopped short of closing", lambda s: s.held),
)
OBSERVATION = OBSERVED.fields


def observe(
    arm: Arm,
    hand: Hand,
    item: ItemEstimate,
    around: Surroundings,
    target: np.ndarray,
    held: np.ndarray,
    last_action: np.ndarray,
) -> np.ndarray:
    """Policy input (n, d); `target` (n, 3) m: where the item's centre belongs, in base_link."""
    seen = PlaceSeen(arm, hand, last_action, item, around, target, held)
    return np.clip(OBSERVED.values(seen), -8.0, 8.0).astype(np.float32)
