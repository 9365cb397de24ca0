"""What episodes of grasp and place begin with, drawn from the ranges of a task file."""

from dataclasses import dataclass, fields

import numpy as np

from hrl_core.robot import Robot
from hrl_skills import place
from hrl_skills.arm import ArmKinematics
from hrl_training.rl.rotations import small_rotation, turned
from hrl_training.tasks.ranges import GraspTasks, ItemRanges, PlaceTasks

FACE = 0.75  # m, from base_link: where approach leaves the robot, give or take
STANDING = (-0.03, 0.02)  # m, height of base_link off that of the robot file
OPEN = -1.2  # rad, of a gripper that is open enough to begin with
SETBACK = 0.2  # m, the middle of a station's targets behind its front edge
NEIGHBOURS, WALLS = 3, 2
WALL_HALF = np.array([0.225, 0.01])  # m, half depth and half thickness
AWAY = 60.0  # m, where things stand that an episode does not have


@dataclass
class Episodes:
    """How n episodes begin; positions in the world, whose origin lies on the floor below the base.

    The face of the shelf is square to the world's x axis.
    """

    base: np.ndarray  # (n, 6) x, y, z m, roll, pitch, yaw rad: where the gait holds the base
    size: np.ndarray  # (n, 3) m, the item's half extents
    cylinder: np.ndarray  # (n,) bool
    mass: np.ndarray  # (n,) kg
    friction: np.ndarray  # (n,)
    item: np.ndarray  # (n, 7) m, quaternion w, x, y, z
    shelf: np.ndarray  # (n, 3) m, the middle of the board's front edge
    target: np.ndarray  # (n, 3) m, where the item's centre belongs
    around: np.ndarray  # (n, 5, 3) m, m, rad: neighbours, then walls
    around_half: np.ndarray  # (n, 5, 3) m, half extents
    joints: np.ndarray  # (n, 7) rad, arm and gripper
    command: np.ndarray  # (n, 5) hand pose
    gripper: np.ndarray  # (n,) rad, commanded

    def put(self, rows: np.ndarray, other: "Episodes") -> None:
        """Replace some rows."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)


def draw_grasp(
    rng: np.random.Generator,
    tasks: GraspTasks,
    n: int,
    robot: Robot,
    kinematics: ArmKinematics,
    near: float,
) -> Episodes:
    """Items in bins, the hand open near its ready pose or, in a share `near`, at the item."""
    uniform, use = rng.uniform, robot.arm.hand
    base = _standing(rng, tasks, n, robot)
    size, cylinder = draw_items(rng, tasks.item, n)
    board = uniform(*tasks.bin.board_height, n)
    face = np.full(n, FACE)
    side = uniform(*tasks.bin.aside, n)
    position = np.column_stack(
        [face + uniform(*tasks.bin.setback, n), side, board + size[:, 2] + 0.0005]
    )
    yaw = np.pi + uniform(*tasks.item.turn, n)  # the label points out of the bin, give or take
    extent = np.abs(np.sin(yaw)) * size[:, 0] + np.abs(np.cos(yaw)) * size[:, 1]
    extent = np.where(cylinder, size[:, 0], extent)
    around, around_half = _neighbours(
        rng, tasks.item, tasks.bin.neighbours, tasks.bin.neighbour_gap, position, size, cylinder
    )
    walled = rng.random(n) < tasks.bin.walls
    for k, sign in enumerate((-1, 1)):
        gap = extent + uniform(*tasks.bin.wall_gap, n) + WALL_HALF[1]
        there = np.column_stack([face + WALL_HALF[0], side + sign * gap, 0 * face])
        around[:, NEIGHBOURS + k] = np.where(walled[:, None], there, [AWAY, 0, 0])
        around_half[:, NEIGHBOURS + k] = [*WALL_HALF, 0.3]
    # A neighbour does not stand in a wall.
    beyond = np.abs(around[:, :NEIGHBOURS, 1] - side[:, None]) > (
        np.abs(around[:, NEIGHBOURS:, 1] - side[:, None]).min(1)[:, None] - 0.06
    )
    around[:, :NEIGHBOURS, 0] = np.where(beyond & walled[:, None], AWAY, around[:, :NEIGHBOURS, 0])

    local = _to_base(base, position)
    top = local[:, 2] + size[:, 2]
    ready = np.column_stack(
        [
            np.minimum(local[:, 0] - use.ready_back, use.ready_furthest) + uniform(-0.03, 0.03, n),
            local[:, 1] + uniform(-0.04, 0.04, n),
            top + use.ready_up + uniform(-0.04, 0.04, n),
            use.ready_pitch + uniform(-0.1, 0.1, n),
            use.ready_roll + uniform(-0.1, 0.1, n),
        ]
    )
    close = np.column_stack(
        [
            local[:, 0] + uniform(-0.12, 0.02, n),
            local[:, 1] + uniform(-0.03, 0.03, n),
            top + uniform(0.06, 0.2, n),
            uniform(0.4, 1.2, n),
            use.ready_roll + uniform(-0.4, 0.4, n),
        ]
    )
    command = np.where((rng.random(n) < near)[:, None], close, ready)
    joints = kinematics.inverse(command)
    command = kinematics.hand_pose(joints)  # what is out of reach begins at the nearest
    gripper = uniform(robot.arm.gripper_open, OPEN, n)
    return Episodes(
        base=base,
        size=size,
        cylinder=cylinder,
        mass=uniform(*tasks.item.mass, n),
        friction=uniform(*tasks.item.friction, n),
        item=np.column_stack([position, np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)]),
        shelf=np.column_stack([face, side + uniform(-0.1, 0.1, n), board]),
        target=position.copy(),
        around=around,
        around_half=around_half,
        joints=np.column_stack([joints, gripper]),
        command=command,
        gripper=gripper,
    )


def draw_place(
    rng: np.random.Generator,
    tasks: PlaceTasks,
    n: int,
    robot: Robot,
    kinematics: ArmKinematics,
    bank: Episodes,
) -> Episodes:
    """Items held by earlier grasps, moved over targets at the height that they were taken from."""
    uniform = rng.uniform
    pick = rng.integers(len(bank.mass), size=n)
    held = Episodes(**{field.name: getattr(bank, field.name)[pick] for field in fields(bank)})
    board = np.clip(held.shelf[:, 2] - uniform(*tasks.taken_above, n), *tasks.board_height)
    x = FACE + SETBACK + uniform(*tasks.offset, n)
    held.target = np.column_stack([x, uniform(*tasks.offset, n), board + held.size[:, 2]])
    base = _standing(rng, tasks, n, robot)
    held.base[:, [0, 1, 5]] = base[:, [0, 1, 5]]
    above = uniform(-0.02, 0.02, (n, 3)) + np.array([0.0, 0.0, place.OVER])
    before = bank.base[pick]
    for _ in range(5):
        _, _, short = _moved(held, kinematics, before, held.target + above)
        held.target[:, 0] -= np.where(short > 0.005, 0.03, 0.0)  # the arm ends before it
    joints, item, _ = _moved(held, kinematics, before, held.target + above)
    turn = joints[:, 0] + held.base[:, 5] - held.joints[:, 0] - before[:, 5]
    lead = held.command - kinematics.hand_pose(held.joints[:, :6])
    held.item = np.column_stack([item, turned(held.item[:, 3:], turn)])
    held.command = kinematics.hand_pose(joints) + lead
    held.joints[:, :6] = joints
    held.shelf = np.column_stack([np.full(n, FACE), held.target[:, 1], board])
    held.around, held.around_half = _neighbours(
        rng,
        tasks.item,
        tasks.neighbours,
        tasks.neighbour_gap,
        held.target,
        held.size,
        held.cylinder,
    )
    return held


def _moved(
    held: Episodes, kinematics: ArmKinematics, base_before: np.ndarray, over: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arms that have moved what they hold, as stiff bodies, until its centres are `over` (n, 3).

    `base_before` (n, 6): where the bases were as the joints were measured. Returns joints (n, 6),
    the items' centres (n, 3) m in the world, and how far (n,) m the hands are short of it.
    """
    position, rotation = kinematics.forward(held.joints[:, :6])
    before, now = (small_rotation(*base[:, 3:].T) for base in (base_before, held.base))
    item = np.einsum("nji,nj->ni", before, held.item[:, :3] - base_before[:, :3])
    in_hand = np.einsum("nji,nj->ni", rotation, item - position)
    wanted = np.einsum("nji,nj->ni", now, over - held.base[:, :3])
    hand = kinematics.hand_pose(held.joints[:, :6])
    for _ in range(3):  # the arm's yaw follows from where the hand is
        _, rotation = kinematics.forward(kinematics.inverse(hand))
        hand[:, :3] = wanted - np.einsum("nij,nj->ni", rotation, in_hand)
    joints = kinematics.inverse(hand)
    reached, rotation = kinematics.forward(joints)
    item = reached + np.einsum("nij,nj->ni", rotation, in_hand)
    item = held.base[:, :3] + np.einsum("nij,nj->ni", now, item)
    return joints, item, np.linalg.norm(reached - hand[:, :3], axis=1)


def draw_items(
    rng: np.random.Generator, ranges: ItemRanges, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Half extents (n, 3) m, and which of them are cylinders (n,)."""
    cylinder = rng.choice(ranges.shapes, n) == "cylinder"
    x, y = rng.uniform(*ranges.half_width, (2, n))
    height = 0.5 * rng.uniform(*ranges.height, n)
    return np.column_stack([x, np.where(cylinder, x, y), height]), cylinder


def _standing(
    rng: np.random.Generator, tasks: GraspTasks | PlaceTasks, n: int, robot: Robot
) -> np.ndarray:
    """Base poses (n, 6) in front of the face."""
    low, high = (round(robot.legs.standing_height + off, 6) for off in STANDING)
    return np.column_stack(
        [
            rng.uniform(*tasks.stand.position, (n, 2)),
            rng.uniform(low, high, n),
            rng.uniform(-0.03, 0.03, (n, 2)),
            rng.uniform(*tasks.stand.yaw, n),
        ]
    )


def _neighbours(
    rng: np.random.Generator,
    items: ItemRanges,
    count: tuple[int, int],
    gap: tuple[float, float],
    centre: np.ndarray,
    size: np.ndarray,
    cylinder: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Poses (n, 5, 3) and half extents (n, 5, 3) of boxes beside and behind items at `centre`."""
    n = len(centre)
    around = np.zeros((n, NEIGHBOURS + WALLS, 3))
    around[..., 0] = AWAY
    half = np.full((n, NEIGHBOURS + WALLS, 3), 0.03)
    number = rng.integers(count[0], count[1] + 1, n)
    first = rng.integers(2, size=n)
    for k in range(NEIGHBOURS):
        half[:, k] = draw_items(rng, items, n)[0]
        # Left, right and behind; the first of them on either side.
        sign = np.where((first + k) % 2 == 0, 1.0, -1.0)
        away = size[:, :2].max(1) + half[:, k, :2].max(1) + rng.uniform(*gap, n)
        along = rng.uniform(-0.03, 0.05, n)
        beside = np.column_stack([centre[:, 0] + along, centre[:, 1] + sign * away])
        behind = np.column_stack([centre[:, 0] + away, centre[:, 1] + rng.uniform(-0.05, 0.05, n)])
        there = behind if k == 2 else beside
        present = number > k
        around[present, k, :2] = there[present]
        around[present, k, 2] = rng.uniform(-0.4, 0.4, n)[present]
    return around, half


def _to_base(base: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 3) m from the world to base_link, but for roll and pitch."""
    offset = points - base[:, :3]
    c, s = np.cos(base[:, 5]), np.sin(base[:, 5])
    x, y, z = offset.T
    return np.column_stack([c * x + s * y, -s * x + c * y, z])
