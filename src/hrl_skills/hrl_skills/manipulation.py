"""What grasp and place share: the hand's state, the item's estimate, actions, observations.

All functions are batched over n robots; the training environments and the skills call the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hrl_core.control import per_tick
from hrl_core.geometry import transform_from
from hrl_core.policy.policy import ActionField
from hrl_core.robot import Arm, Gripper, HandUse
from hrl_skills.observation import Part

ACTION = (
    ActionField("hand_x", "2.5 cm per tick, along the arm's yaw"),
    ActionField("hand_y", "2.5 cm per tick, to the left of it"),
    ActionField("hand_z", "2.5 cm per tick, up"),
    ActionField("pitch", "0.1 rad per tick, down"),
    ActionField("roll", "0.25 rad per tick"),
    ActionField("gripper", "-1 open, 1 closed"),
)
FAR = 0.12  # m; more room than this beside an item changes nothing


@dataclass
class Hand:
    """Arms and grippers as measured, and what they were told; hand poses as in ArmKinematics."""

    joints: np.ndarray  # (n, 6) rad
    gripper: np.ndarray  # (n,) rad, 0 closed, negative open
    effort: np.ndarray  # (n,) N m, positive closes
    command: np.ndarray  # (n, 5), hand pose
    gripper_command: np.ndarray  # (n,) rad
    position: np.ndarray  # (n, 3) m, tool in base_link
    rotation: np.ndarray  # (n, 3, 3), hand in base_link

    @property
    def yaw(self) -> np.ndarray:
        """Yaw (n,) rad of the arm's plane in base_link."""
        return self.joints[:, 0]

    @property
    def pitch(self) -> np.ndarray:
        """Downward pitch (n,) rad of the hand."""
        return self.joints[:, 1] + self.joints[:, 2] + self.joints[:, 4]


@dataclass
class ItemEstimate:
    """Where items are believed to be in base_link, and what the catalogue says of them."""

    position: np.ndarray  # (n, 3) m, centre
    rotation: np.ndarray  # (n, 3, 3)
    size: np.ndarray  # (n, 3) m, half extents
    cylinder: np.ndarray  # (n,) bool

    def bottom(self) -> np.ndarray:
        """Height (n,) m of the lowest point in base_link."""
        down = np.abs(self.rotation[:, 2])
        box = (down * self.size).sum(1)
        tilt = np.sqrt(np.maximum(0.0, 1 - down[:, 2] ** 2))
        cylinder = down[:, 2] * self.size[:, 2] + tilt * self.size[:, 0]
        return self.position[:, 2] - np.where(self.cylinder, cylinder, box)


def item_estimate(base_from_item: np.ndarray, size, shape: str) -> ItemEstimate:
    """Estimate of one item from its transform (4, 4) and the catalogue's full extents (3,) m."""
    return ItemEstimate(
        position=base_from_item[None, :3, 3],
        rotation=base_from_item[None, :3, :3],
        size=0.5 * np.array([size]),
        cylinder=np.array([shape == "cylinder"]),
    )


@dataclass
class Surroundings:
    """Upright things beside items, k for each: neighbours and walls, as the robot knows them."""

    position: np.ndarray  # (n, k, 2) m in base_link
    yaw: np.ndarray  # (n, k) rad
    half: np.ndarray  # (n, k, 2) m, half extents along their own x and y

    def extent(self, axis: np.ndarray) -> np.ndarray:
        """Half extents (n, k) m along level unit vectors (n, 2)."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y = axis[:, :1], axis[:, 1:]
        return self.half[..., 0] * np.abs(c * x + s * y) + self.half[..., 1] * np.abs(c * y - s * x)


class GripSensor:
    """Notices from opening and effort alone that grippers hold something."""

    def __init__(self, count: int, gripper: Gripper) -> None:
        self._gripper = gripper
        self._last = np.zeros(count)
        self._ticks = np.zeros(count, int)

    def reset(self, rows: np.ndarray, gripper: np.ndarray, held: bool = False) -> None:
        """Begin anew in some rows; `gripper` (n,) rad is that of all rows."""
        self._last[rows] = gripper[rows]
        self._ticks[rows] = 2 if held else 0

    def update(self, gripper: np.ndarray, effort: np.ndarray) -> np.ndarray:
        """Whether (n,) each gripper [rad, N m] is stopped short of closing, for two ticks."""
        still = np.abs(gripper - self._last) < 0.03
        pressing = (effort > self._gripper.held_effort) & (gripper < -self._gripper.held)
        self._ticks = np.where(still & pressing, self._ticks + 1, 0)
        self._last = gripper.copy()
        return self._ticks >= 2


def to_yaw_frame(vector: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Vectors (n, 3) in base_link -> along the arm's plane, to its left, up."""
    c, s = np.cos(yaw), np.sin(yaw)
    x, y, z = vector.T
    return np.stack([c * x + s * y, -s * x + c * y, z], axis=1)


def from_yaw_frame(vector: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """The inverse of `to_yaw_frame`."""
    return to_yaw_frame(vector, -yaw)


def apply_action(
    arm: Arm, hand: Hand, action: np.ndarray, level: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Actions (n, 6) in [-1, 1] -> the next commanded hand pose (n, 5) and gripper (n,) rad.

    level: keep the jaws level, so that the finger stays off the board.
    """
    use, step = arm.hand, hand_step(arm)
    action = np.clip(action, -1.0, 1.0)
    command = hand.command + np.concatenate(
        [from_yaw_frame(action[:, :3] * step[:3], hand.yaw), action[:, 3:5] * step[3:]], axis=1
    )
    lead = command[:, :3] - hand.position
    length = np.linalg.norm(lead, axis=1, keepdims=True)
    command[:, :3] = hand.position + lead * np.minimum(1.0, use.lead / np.maximum(length, 1e-6))
    command = np.clip(command, use.low, use.high)
    if level:  # a flat hand tilts its jaws by what it rolls, one that points down turns them
        turn = np.arcsin(np.minimum(1.0, use.most_tilt / np.maximum(np.cos(command[:, 3]), 1e-6)))
        command[:, 4] = np.clip(command[:, 4], use.grasp_roll - turn, use.grasp_roll + turn)
    wanted = -arm.half_open * (1.0 - action[:, 5])
    slew = per_tick(arm.gripper.speed)
    gripper = np.clip(wanted, hand.gripper_command - slew, hand.gripper_command + slew)
    return command, gripper


def hand_step(arm: Arm) -> np.ndarray:
    """What an action of 1 moves a hand pose by in one tick (5,): m, m, m, rad, rad."""
    return np.array([per_tick(speed) for speed in arm.hand.speed])


def gripper_action(arm: Arm, opening: np.ndarray) -> np.ndarray:
    """The action (n,) that opens grippers to `opening` (n,) rad."""
    return 1.0 + opening / arm.half_open


def upright_hand(use: HandUse, up_in_hand: np.ndarray) -> tuple[float, float]:
    """Pitch and roll [rad] of a hand that holds an item upright whose z axis is (3,) in the hand.

    Under a hand that points down the item's lean hardly depends on the roll, but a few degrees of
    slip ask for any: then it stays near that of a grasp, and the item leans a little.
    """
    x, y, z = up_in_hand
    turn = np.arctan2(y, z) % np.pi - use.grasp_roll  # beyond the vertical, the hand pitches over
    roll = use.grasp_roll + float(np.clip(turn, -use.most_turn, use.most_turn))
    pitch = float(np.arctan2(-x, y * np.sin(roll) + z * np.cos(roll)))
    return min(pitch, use.high[3]), roll


def nominal_grasp(use: HandUse, size: tuple[float, float, float]) -> np.ndarray:
    """Item in the tool frame (4, 4), no grasp measured: held near its top, hand pitched."""
    pitch = use.held_pitch
    up_in_hand = np.array([-np.sin(pitch), np.cos(pitch), 0.0])  # roll 90 degrees
    x = np.array([0.0, 0.0, 1.0])
    rotation = np.stack([x, np.cross(up_in_hand, x), up_in_hand], axis=1)
    return transform_from(-up_in_hand * (0.5 * size[2] - use.held_depth), rotation)


def closing_width(item: ItemEstimate, rotation: np.ndarray) -> np.ndarray:
    """Half width (n,) m of items along the direction in which hands (n, 3, 3) close."""
    axis = np.einsum("nji,nj->ni", item.rotation, rotation[:, :, 2])
    box = np.abs(axis[:, 0]) * item.size[:, 0] + np.abs(axis[:, 1]) * item.size[:, 1]
    return np.where(item.cylinder, item.size[:, 0], np.minimum(box, item.size[:, :2].max(1)))


def room_beside(
    gripper: Gripper,
    item: ItemEstimate,
    rotation: np.ndarray,
    around: Surroundings,
    centre: np.ndarray | None = None,
) -> np.ndarray:
    """Free room (n, 2) m beside items, on the sides of the jaw and of the finger, up to FAR.

    `centre` (n, 3) m in base_link: where the item stands, or is to stand.
    """
    centre = item.position if centre is None else centre
    axis = (
        rotation[:, :2, 2] / np.maximum(np.linalg.norm(rotation[:, :2, 2], axis=1), 1e-6)[:, None]
    )
    across = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    offset = around.position - centre[:, None, :2]
    beside = np.einsum("nkj,nj->nk", offset, axis)
    in_the_way = np.abs(np.einsum("nkj,nj->nk", offset, across)) < (
        around.extent(across) + gripper.half_width
    )
    gap = np.abs(beside) - around.extent(axis) - closing_width(item, rotation)[:, None]
    room = np.full((len(centre), 2), FAR)
    for side, sign in enumerate((-1, 1)):
        counts = in_the_way & (sign * beside > 0)
        nearest = np.where(counts, gap, FAR).min(axis=1, initial=FAR)
        room[:, side] = np.clip(nearest, 0.0, FAR)
    return room


def jaw_clearance(gripper: Gripper, room: np.ndarray) -> np.ndarray:
    """Distance (n,) m to keep between jaw and item: in the middle of the room (n, 2) m, or less."""
    return np.clip(0.5 * (room[:, 0] - gripper.jaw_thickness), *gripper.clearance)


def finger_opening(gripper: Gripper, width: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Gripper (n,) rad that leaves as much room (n, 2) m inside the finger as outside of it.

    `width` (n,) m: half width of the item between the jaws.
    """
    least, _ = gripper.clearance
    free = np.clip(0.5 * (room[:, 1] - gripper.finger_thickness), least, gripper.free)
    tip = 2 * width + jaw_clearance(gripper, room) - gripper.jaw + free
    return np.interp(tip, gripper.tips, gripper.openings)


def grasp_point(
    gripper: Gripper, item: ItemEstimate, rotation: np.ndarray, room: np.ndarray | None = None
) -> np.ndarray:
    """Where (n, 3) m in base_link the tool has to be before hands (n, 3, 3) close on items.

    The jaws' tips stay off the board; on wide items the root of the finger stays off the top.
    `room` (n, 2) m beside the items; None: they stand alone.
    """
    width = closing_width(item, rotation)
    height = item.size[:, 2]
    depth = np.minimum(gripper.root - width, 2 * height - gripper.tip)
    _, most = gripper.clearance
    clearance = np.full(len(width), most) if room is None else jaw_clearance(gripper, room)
    point = item.position.copy()
    point[:, 2] += height - np.clip(depth, *gripper.depth)
    return point - rotation[:, :, 2] * (width + clearance - gripper.jaw)[:, None]


def yaw_to_jaws(item: ItemEstimate, rotation: np.ndarray) -> np.ndarray:
    """Yaw (n,) rad from the closing direction of hands (n, 3, 3) to the items' x axes."""
    item_yaw = np.arctan2(item.rotation[:, 1, 0], item.rotation[:, 0, 0])
    jaws_yaw = np.arctan2(rotation[:, 1, 2], rotation[:, 0, 2])
    return item_yaw - jaws_yaw


@dataclass
class HandSeen:
    """What the parts of an observation are worked out from that do not depend on the task."""

    arm: Arm
    hand: Hand
    last_action: np.ndarray  # (n, 6)


HAND_PARTS: tuple[Part[Any], ...] = (  # of any HandSeen
    Part(
        "joints",
        6,
        "rad, from the middle of their use",
        lambda s: s.hand.joints - np.array(s.arm.hand.middle_joints),
    ),
    Part("gripper", 1, "rad, plus 0.8", lambda s: s.hand.gripper - s.arm.hand.middle_gripper),
    Part(
        "gripper_command",
        1,
        "rad, plus 0.8",
        lambda s: s.hand.gripper_command - s.arm.hand.middle_gripper,
    ),
    Part("gripper_effort", 1, "N m, divided by 5", lambda s: s.hand.effort / 5.0),
    Part(
        "lead",
        3,
        "m, commanded minus measured tool in base_link, times 10",
        lambda s: (s.hand.command[:, :3] - s.hand.position) * 10.0,
    ),
    Part(
        "tool",
        3,
        "m in base_link, from (0.75, 0, 0.2), times 3",
        lambda s: (s.hand.position - np.array(s.arm.hand.middle_tool)) * 3.0,
    ),
    Part("pitch", 1, "rad, minus 1", lambda s: s.hand.pitch - s.arm.hand.middle_pitch),
    Part("roll", 1, "rad, minus 1.57", lambda s: s.hand.joints[:, 5] - s.arm.hand.middle_roll),
    Part("last_action", 6, "share of the step", lambda s: s.last_action),
)
