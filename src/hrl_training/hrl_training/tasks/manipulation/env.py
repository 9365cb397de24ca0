"""Grasp and place for many robots at once, at 10 Hz, with what the skills see and do.

Observation and action: those of hrl_skills.grasp and hrl_skills.place, built by their functions.
Starting state: drawn from a task file, see episode_draws. Episode end: success, failure, or
`STEPS` ticks.
"""

from dataclasses import fields
from typing import cast

import numpy as np
from mjbatch import Batch

from hrl_core.control import TICK
from hrl_core.known import known
from hrl_core.robot import Robot, load_robot
from hrl_skills import grasp, grasp_observation, place_observation
from hrl_skills.arm import ArmKinematics
from hrl_skills.manipulation import GripSensor, Hand, ItemEstimate, Surroundings, apply_action
from hrl_training.rl import rotations
from hrl_training.tasks.manipulation.ends import Ended
from hrl_training.tasks.manipulation.episode_draws import (
    NEIGHBOURS,
    WALLS,
    Episodes,
    draw_grasp,
    draw_place,
)
from hrl_training.tasks.manipulation.model import TIMESTEP, item_inertia, manipulation_model
from hrl_training.tasks.ranges import GraspTasks, PlaceTasks
from hrl_training.tasks.registry import load_tasks

STEPS = 90
PIECES = 5  # joint targets are interpolated over the tick in as many pieces
SUBSTEPS = round(TICK / TIMESTEP) // PIECES
SHELF_FORCE_LIMIT = 60.0  # N
DISTURBING = 5.0  # N, on a neighbour or a wall
SWAY_SD = np.array([0.003, 0.003, 0.0015, 0.004, 0.004, 0.003])  # m, rad: of a standing gait
BIAS_SD, NOISE_SD = 0.004, 0.0015  # m, of an item's seen position: in an episode, at each tick
YAW_SD = 0.04  # rad, of its yaw in an episode
SLIP_SD = 0.006  # m, a held item has slid since the grasp measured where it is


class ManipulationEnv:
    """`count` arms of `robot`; `task` is "grasp" or "place" (which needs a bank of held items)."""

    def __init__(
        self,
        task: str,
        count: int,
        seed: int,
        bank: Episodes | None = None,
        near: float = 0.3,
        tasks: GraspTasks | PlaceTasks | None = None,
        robot: Robot | None = None,
    ):
        self.task, self.count, self.bank, self.near = task, count, bank, near
        self.tasks = cast(GraspTasks | PlaceTasks, tasks or load_tasks(task))
        self.robot = robot or load_robot()
        self.rng = np.random.default_rng(seed)
        self.kinematics = ArmKinematics(self.robot.arm)
        largest = self.tasks.item.half_width[1], 0.5 * self.tasks.item.height[1]
        if bank is not None:
            largest = float(bank.size[:, :2].max()), float(bank.size[:, 2].max())
        model = manipulation_model(self.robot, largest, NEIGHBOURS, WALLS)
        self.batch = batch = Batch(model, count, 1)
        self.qpos, self.qvel, self.ctrl = batch.bind("qpos"), batch.bind("qvel"), batch.bind("ctrl")
        self._effort, self._sensors = batch.bind("actuator_force"), batch.bind("sensordata")
        self._body_pos, self._body_quat = batch.expand("body_pos"), batch.expand("body_quat")
        self._mass, self._inertia = batch.expand("body_mass"), batch.expand("body_inertia")
        self._size, self._friction = batch.expand("geom_size"), batch.expand("geom_friction")
        self._contype = batch.expand("geom_contype")
        self._conaffinity = batch.expand("geom_conaffinity")
        joints = [*self.robot.arm.joints, self.robot.arm.gripper_joint]
        self._arm_qpos = [model.joint(name).qposadr[0] for name in joints]
        self._item_qpos = model.joint("item").qposadr[0]
        self._item_qvel = model.joint("item").dofadr[0]
        self._bodies = {name: model.body(name).id for name in ("shelf", "back", "item", "body")}
        around = range(NEIGHBOURS + WALLS)
        self._around_bodies = [model.body(f"around/{k}").id for k in around]
        self._around_geoms = [model.geom(f"around/{k}").id for k in around]
        self._geoms = {name: model.geom(name).id for name in ("box", "cylinder")}
        self._address = {model.sensor(k).name: model.sensor(k).adr[0] for k in range(model.nsensor)}

        def zeros(*shape, dtype=float):
            return np.zeros((count, *shape), dtype)

        self._begun: Episodes | None = None
        self.sway, self.base_now = zeros(6), zeros(6)
        self.bias, self.yaw_bias = zeros(3), zeros()
        self.around_bias = zeros(NEIGHBOURS + WALLS, 2)
        self.slip = zeros(3)
        self.command, self.gripper_command = zeros(5), zeros()
        self.last_action, self.ticks = zeros(6), zeros(dtype=int)
        self.good_ticks, self.free_ticks = zeros(dtype=int), zeros(dtype=int)
        self.grip, self.held = GripSensor(count, self.robot.arm.gripper), zeros(dtype=bool)
        self.was_held = zeros(dtype=bool)
        self.shelf_force, self.clutter_force = zeros(), zeros()  # N, the largest in the last tick
        self.tool_from_item = zeros(4, 4)  # of the estimate, from the moment it is held
        self.kept = zeros(4, 4)  # world_from_item of the estimate once it is put down or unseen
        self.reset(np.ones(count, bool))

    # What the robot has

    def base_rotation(self) -> np.ndarray:
        """Rotation (n, 3, 3) of base_link in the world, for small angles of a standing robot."""
        roll, pitch, yaw = self.base_now[:, 3:].T
        return rotations.small_rotation(roll, pitch, yaw)

    def to_base(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) m from the world to base_link."""
        return np.einsum("nji,nj->ni", self.base_rotation(), points - self.base_now[:, :3])

    def hand(self) -> Hand:
        """Measured and commanded state of the arms."""
        joints = self.qpos[:, self._arm_qpos]
        position, rotation = self.kinematics.forward(joints[:, :6])
        return Hand(
            joints[:, :6].copy(),
            joints[:, 6].copy(),
            self._effort[:, 6].copy(),
            self.command.copy(),
            self.gripper_command.copy(),
            position,
            rotation,
        )

    def estimate(self, hand: Hand) -> ItemEstimate:
        """Where the robot believes the item to be, as the skills work it out."""
        world_from_base = np.tile(np.eye(4), (self.count, 1, 1))
        world_from_base[:, :3, :3] = self.base_rotation()
        world_from_base[:, :3, 3] = self.base_now[:, :3]
        base_from_tool = np.tile(np.eye(4), (self.count, 1, 1))
        base_from_tool[:, :3, :3], base_from_tool[:, :3, 3] = hand.rotation, hand.position
        world_from_tool = world_from_base @ base_from_tool
        free = ~self.held & ~self.was_held
        seen = self._sight()
        near = np.linalg.norm(self.kept[:, :3, 3] - world_from_tool[:, :3, 3], axis=1) < 0.10
        update = free & ~near
        self.kept[update] = seen[update]
        begin = self.held & ~self.was_held
        self.tool_from_item[begin] = np.linalg.inv(world_from_tool[begin]) @ self.kept[begin]
        self.was_held |= self.held
        carried = self.held & self.was_held
        self.kept[carried] = world_from_tool[carried] @ self.tool_from_item[carried]
        base_from_item = np.linalg.inv(world_from_base) @ self.kept
        return ItemEstimate(
            base_from_item[:, :3, 3],
            base_from_item[:, :3, :3],
            self.begun.size,
            self.begun.cylinder,
        )

    def around_in_base(self) -> Surroundings:
        """Neighbours and walls in base_link, with the estimate's errors."""
        around = self.begun.around
        offset = around[..., :2] + self.around_bias - self.base_now[:, None, :2]
        yaw = self.base_now[:, 5:]
        c, s = np.cos(yaw), np.sin(yaw)
        x, y = offset[..., 0], offset[..., 1]
        position = np.stack([c * x + s * y, -s * x + c * y], axis=-1)
        return Surroundings(position, around[..., 2] - yaw, self.begun.around_half[..., :2])

    def board_in_base(self) -> np.ndarray:
        """Height (n,) m of the board in base_link, with the estimate's error."""
        return self.begun.shelf[:, 2] + self.bias[:, 2] - self.base_now[:, 2]

    def target_in_base(self) -> np.ndarray:
        """Target (n, 3) m on the board in base_link, with the estimate's error."""
        return self.to_base(self.begun.target + self.bias)

    def sense(self) -> tuple[np.ndarray, Hand, ItemEstimate]:
        """Observation (n, d) and what it is made of."""
        hand = self.hand()
        item = self.estimate(hand)
        if self.task == "grasp":
            observation = grasp_observation.observe(
                self.robot.arm,
                hand,
                item,
                self.around_in_base(),
                self.board_in_base(),
                self.held,
                self.last_action,
            )
        else:
            observation = place_observation.observe(
                self.robot.arm,
                hand,
                item,
                self.around_in_base(),
                self.target_in_base(),
                self.held,
                self.last_action,
            )
        return observation, hand, item

    def step(self, hand: Hand, action: np.ndarray) -> Ended:
        """Apply actions (n, 6) for one tick."""
        before = self.ctrl.copy()
        level = self.task == "grasp"
        self.command, self.gripper_command = apply_action(self.robot.arm, hand, action, level)
        self.last_action = np.clip(action, -1, 1)
        after = np.column_stack([self.kinematics.inverse(self.command), self.gripper_command])
        self._move_base()
        peak = np.zeros((2, self.count))
        for piece in range(1, PIECES + 1):
            self.ctrl[:] = before + (after - before) * piece / PIECES
            self.batch.step(nstep=SUBSTEPS)
            peak = np.maximum(peak, self._forces())
        self.shelf_force, self.clutter_force = peak
        self.ticks += 1
        measured = self.qpos[:, self._arm_qpos[6]]
        self.held = self.grip.update(measured.copy(), self._effort[:, 6])
        return self._grasp_ended() if self.task == "grasp" else self._place_ended()

    # What really is so; for teachers' labels never, for judging and resets only

    def touching(self, name: str) -> np.ndarray:
        return self._sensors[:, self._address[name]] > 0

    def force(self, name: str) -> np.ndarray:
        """Force (n,) N that a contact sensor of the model measures."""
        address = self._address[name]
        return np.linalg.norm(self._sensors[:, address + 1 : address + 4], axis=1)

    def _forces(self) -> np.ndarray:
        """Forces (2, n) N now: on the shelf; on neighbours and walls, by the robot or the item."""
        on_shelf = np.maximum(self.force("robot/shelf"), self.force("robot/back"))
        on_clutter = np.maximum(self.force("robot/clutter"), self.force("item/clutter"))
        return np.stack([on_shelf, on_clutter])

    def item_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """True position (n, 3) and rotation (n, 3, 3) of the item in the world."""
        pose = self.qpos[:, self._item_qpos : self._item_qpos + 7]
        return pose[:, :3], rotations.rotation_of_quaternion(pose[:, 3:])

    def lift(self) -> np.ndarray:
        """True height (n,) m of the item's lowest point over the board."""
        position, rotation = self.item_pose()
        item = ItemEstimate(position, rotation, self.begun.size, self.begun.cylinder)
        return item.bottom() - self.begun.shelf[:, 2]

    def snapshot(self, rows: np.ndarray) -> Episodes:
        """States of some arms as beginnings of new episodes: the bank that place starts from."""
        values = {field.name: getattr(self.begun, field.name)[rows] for field in fields(Episodes)}
        item = self.qpos[rows, self._item_qpos : self._item_qpos + 7]
        return Episodes(
            **values
            | {
                "base": self.base_now[rows],
                "item": item,
                "joints": self.qpos[rows[:, None], self._arm_qpos],
                "command": self.command[rows],
                "gripper": self.gripper_command[rows],
            }
        )

    def _grasp_ended(self) -> Ended:
        position, rotation = self.item_pose()
        both = self.touching("finger") & self.touching("jaw")
        lift = self.lift()
        self.good_ticks = np.where(both & (lift > grasp.LIFTED), self.good_ticks + 1, 0)
        success = self.good_ticks >= 5
        pushed = np.linalg.norm((position - self.begun.target)[:, :2], axis=1) > 0.12
        tipped = rotation[:, 2, 2] < 0.6
        failure = (
            (self.shelf_force > SHELF_FORCE_LIMIT)
            | (self.clutter_force > DISTURBING)
            | (lift < -0.03)
            | ((pushed & (lift < 0.03)) | tipped) & ~both
        )
        return self._ended(success, failure & ~success)

    def _place_ended(self) -> Ended:
        position, rotation = self.item_pose()
        touched = self.touching("finger") | self.touching("jaw")
        away = np.linalg.norm((position - self.begun.target)[:, :2], axis=1)
        speed = np.linalg.norm(self.qvel[:, self._item_qvel : self._item_qvel + 3], axis=1)
        hand = self.hand()
        world_tool = np.einsum("nij,nj->ni", self.base_rotation(), hand.position)
        distance = np.linalg.norm(world_tool + self.base_now[:, :3] - position, axis=1)
        stands = (away < 0.05) & (rotation[:, 2, 2] > 0.94) & (self.lift() < 0.01) & (speed < 0.05)
        self.good_ticks = np.where(stands & ~touched & (distance > 0.13), self.good_ticks + 1, 0)
        self.free_ticks = np.where(touched, 0, self.free_ticks + 1)
        success = self.good_ticks >= 5
        released = self.free_ticks > 6
        failure = (
            (self.shelf_force > SHELF_FORCE_LIMIT)
            | (self.clutter_force > DISTURBING)
            | (self.lift() < -0.03)
            | (released & ((away > 0.05) | (rotation[:, 2, 2] < 0.6)))
        )
        return self._ended(success, failure & ~success)

    def _ended(self, success: np.ndarray, failure: np.ndarray) -> Ended:
        return Ended(success, failure, (self.ticks >= STEPS) & ~success & ~failure)

    # Resets

    @property
    def begun(self) -> Episodes:
        """What the present episodes began with; `reset` draws it."""
        return known(self._begun)

    def reset(self, mask: np.ndarray) -> None:
        """Begin anew where `mask` (n,) is set."""
        rows = np.flatnonzero(mask).astype(np.int32)
        if not len(rows):
            return
        n = len(rows)
        drawn = self._draw(n)
        if self._begun is None:
            self._begun = drawn
        else:
            self._begun.put(rows, drawn)
        self.sway[rows] = 0.0
        self.bias[rows] = self.rng.normal(0, BIAS_SD, (n, 3))
        self.yaw_bias[rows] = self.rng.normal(0, YAW_SD, n)
        self.around_bias[rows] = self.bias[rows, None, :2] + self.rng.normal(
            0, BIAS_SD, (n, NEIGHBOURS + WALLS, 2)
        )
        self.slip[rows] = self.rng.normal(0, SLIP_SD, (n, 3))
        self.command[rows], self.gripper_command[rows] = drawn.command, drawn.gripper
        self.base_now[rows] = drawn.base
        self._write(rows)
        self.ticks[rows] = self.good_ticks[rows] = self.free_ticks[rows] = 0
        self.last_action[rows] = 0.0
        self.last_action[rows, 5] = -1.0 if self.task == "grasp" else 1.0
        holding = self.task == "place"
        self.held[rows] = holding
        self.was_held[rows] = False
        self.grip.reset(rows, self.qpos[:, self._arm_qpos[6]], holding)
        self.kept[rows] = self._sight()[rows]

    def _draw(self, n: int) -> Episodes:
        if isinstance(self.tasks, GraspTasks):
            return draw_grasp(self.rng, self.tasks, n, self.robot, self.kinematics, self.near)
        bank = self.bank
        assert bank is not None, "place starts from a bank of held items"
        return draw_place(self.rng, self.tasks, n, self.robot, self.kinematics, bank)

    def _write(self, rows: np.ndarray) -> None:
        """Put the drawn state of some rows into the simulation."""
        bodies, geoms, begun = self._bodies, self._geoms, self.begun
        self._place_base(rows)
        self._body_pos[rows, bodies["shelf"]] = begun.shelf[rows]
        back = begun.shelf[rows].copy()
        if self.task == "place":
            back[:, 2] = -5.0  # a station has none
        self._body_pos[rows, bodies["back"]] = back
        around, half = begun.around[rows], begun.around_half[rows]
        for k, (body, geom) in enumerate(zip(self._around_bodies, self._around_geoms, strict=True)):
            height = begun.shelf[rows, 2] + half[:, k, 2]
            self._body_pos[rows, body] = np.column_stack([around[:, k, :2], height])
            self._body_quat[rows, body] = rotations.yaw_quaternion(around[:, k, 2])
            self._size[rows, geom] = half[:, k]
        x, _, z = begun.size[rows].T
        mass, cylinder = begun.mass[rows], begun.cylinder[rows]
        self._mass[rows, bodies["item"]] = mass
        self._inertia[rows, bodies["item"]] = item_inertia(begun.size[rows], cylinder, mass)
        self._size[rows, geoms["box"]] = begun.size[rows]
        self._size[rows, geoms["cylinder"]] = np.column_stack([x, z, 0 * x])
        for name, on in (("box", ~cylinder), ("cylinder", cylinder)):
            self._contype[rows, geoms[name]] = self._conaffinity[rows, geoms[name]] = on
            friction = np.column_stack([begun.friction[rows], 0 * x + 0.01, 0 * x + 0.0005])
            self._friction[rows, geoms[name]] = friction
        self.batch.set_const(rows)
        self.batch.reset(rows)
        self.qpos[rows[:, None], self._arm_qpos] = begun.joints[rows]
        arm = self.kinematics.inverse(self.command[rows])
        self.ctrl[rows] = np.column_stack([arm, self.gripper_command[rows]])
        self.qpos[rows, self._item_qpos : self._item_qpos + 7] = begun.item[rows]
        self.qvel[rows] = 0.0
        self.batch.forward(rows)

    def _sight(self) -> np.ndarray:
        """World_from_item (n, 4, 4) as cameras report it: upright, with bias and noise."""
        position, rotation = self.item_pose()
        yaw = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]) + self.yaw_bias
        sight = np.tile(np.eye(4), (self.count, 1, 1))
        noise = self.rng.normal(0, NOISE_SD, position.shape)
        sight[:, :3, 3] = position + self.bias + noise
        if self.task == "grasp":
            sight[:, :3, :3] = rotations.small_rotation(0 * yaw, 0 * yaw, yaw)
        else:
            sight[:, :3, :3] = rotation
            sight[:, :3, 3] += self.slip
        return sight

    def _move_base(self) -> None:
        """A standing gait sways by millimetres and fractions of a degree."""
        self.sway = 0.95 * self.sway + 0.31 * self.rng.normal(size=self.sway.shape) * SWAY_SD
        self.base_now = self.begun.base + self.sway
        self._place_base(np.arange(self.count))

    def _place_base(self, rows: np.ndarray) -> None:
        body = self._bodies["body"]
        self._body_pos[rows, body] = self.base_now[rows, :3]
        self._body_quat[rows, body] = rotations.small_quaternion(self.base_now[rows, 3:])
