"""What the policy of grasp sees: declared once, for training, runtime and the card."""

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
    grasp_point,
    room_beside,
    to_yaw_frame,
    yaw_to_jaws,
)
from hrl_skills.observation import Observation, Part


@dataclass
class GraspSeen(HandSeen):
    """What it is worked out from, for n robots."""

    item: ItemEstimate
    around: Surroundings
    shelf: np.ndarray  # (n,) m, the board's height in base_link
    held: np.ndarray  # (n,) bool

    @cached_property
    def room(self) -> np.ndarray:
        """Free room (n, 2) m beside the items."""
        return room_beside(self.arm.gripper, self.item, self.hand.rotation, self.around)

    @cached_property
    def tool_to_item(self) -> np.ndarray:
        """(n, 3) m in base_link."""
        return self.item.position - self.hand.position

    @cached_property
    def item_in_yaw_frame(self) -> np.ndarray:
        """From the tool (n, 3) m."""
        return to_yaw_frame(self.tool_to_item, self.hand.yaw)

    @cached_property
    def grasp_in_yaw_frame(self) -> np.ndarray:
        """Where the tool has to be before it closes, from the tool (n, 3) m."""
        point = grasp_point(self.arm.gripper, self.item, self.hand.rotation, self.room)
        return to_yaw_frame(point - self.hand.position, self.hand.yaw)

    @property
    def item_turn(self) -> np.ndarray:
        """(n, 4): how the items are turned to the jaws, and the jaws to the level."""
        turn = yaw_to_jaws(self.item, self.hand.rotation)
        cylinder = self.item.cylinder
        return np.stack(
            [
                np.where(cylinder, 1.0, np.cos(4 * turn)),
                np.where(cylinder, 0.0, np.sin(4 * turn)),
                np.hypot(self.hand.rotation[:, 0, 2], self.hand.rotation[:, 1, 2]),
                cylinder,
            ],
            axis=1,
        )

    @property
    def item_size(self) -> np.ndarray:
        """Half extents (n, 5) m: x, y, z, and across and along the jaws."""
        across = closing_width(self.item, self.hand.rotation)
        along = self.item.size[:, 0] + self.item.size[:, 1] - across
        return np.column_stack([self.item.size, across, along])

    @property
    def heights(self) -> np.ndarray:
        """(n, 4), scaled."""
        over_shelf = self.hand.position[:, 2] - self.shelf
        top = self.item.position[:, 2] + self.item.size[:, 2]
        return np.stack(
            [
                (over_shelf - 0.1) * 5.0,
                np.clip(over_shelf * 20.0, -1.0, 3.0),
                (self.item.bottom() - self.shelf) * 10.0,
                (top - self.hand.position[:, 2]) * 10.0,
            ],
            axis=1,
        )


OBSERVED: Observation[GraspSeen] = Observation(
    *HAND_PARTS,
    Part(
        "item_from_tool",
        3,
        "m in the arm's yaw frame, times 5",
        lambda s: s.item_in_yaw_frame * 5.0,
    ),
    Part(
        "item_from_tool_near",
        3,
        "tanh of m times 20",
        lambda s: np.tanh(s.item_in_yaw_frame * 20.0),
    ),
    Part(
        "grasp_from_tool",
        3,
        "m in the arm's yaw frame, times 6",
        lambda s: s.grasp_in_yaw_frame * 6.0,
    ),
    Part(
        "grasp_from_tool_near",
        3,
        "tanh of m times 40",
        lambda s: np.tanh(s.grasp_in_yaw_frame * 40.0),
    ),
    Part(
        "item_in_hand",
        3,
        "m in the hand's frame, times 10",
        lambda s: np.einsum("nji,nj->ni", s.hand.rotation, s.tool_to_item) * 10.0,
    ),
    Part(
        "item_turn",
        4,
        "cos and sin of 4 x yaw to the jaws; level share of the jaws' axis; cylinder",
        lambda s: s.item_turn,
    ),
    Part(
        "item_size",
        5,
        "m, half extents x, y, z and across, along the jaws, from 3 cm, times 50",
        lambda s: (s.item_size - 0.03) * 50.0,
    ),
    Part(
        "heights",
        4,
        "m: tool over shelf (x 5, x 20), item over shelf (x 10), top over tool (x 10)",
        lambda s: s.heights,
    ),
    Part(
        "room",
        2,
        "m free beside the item, jaw's and finger's side, from 6 cm, times 20",
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
    shelf: np.ndarray,
    held: np.ndarray,
    last_action: np.ndarray,
) -> np.ndarray:
    """Policy input (n, d); `shelf` (n,) m: the board's height in base_link; `held` (n,) bool."""
    seen = GraspSeen(arm, hand, last_action, item, around, shelf, held)
    return np.clip(OBSERVED.values(seen), -8.0, 8.0).astype(np.float32)
