"""Many light Spots at once that learn to walk at a commanded velocity.

Description: Spot with arm on flat floor; the arm is a lump of mass that moves like the arm.
Action: 12 corrections of the joint targets of an open-loop trot, see hrl_skills.gait.
Observation: hrl_skills.gait.OBSERVATION with noise; the critic sees the physics besides.
Rewards: `WEIGHTS`, each term bounded or a small penalty; the sum is never below zero.
Starting state: standing somewhere near the nominal pose, arm and payload at random.
Episode end: terminated by a fall, truncated after 20 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mjbatch import Batch

from hrl_core.robot import Robot, load_robot
from hrl_sim_bridge.plant.robot_model import plant_model
from hrl_skills.gait import (
    ACTION,
    ACTION_SIZE,
    MIRROR_ACTION,
    MIRROR_OBSERVATION,
    OBSERVATION_SIZE,
    PERIOD,
    GaitConfig,
    Stepper,
)
from hrl_training.rl.ppo import Step
from hrl_training.tasks.gait import model as gait_model
from hrl_training.tasks.gait.model import STEPS_PER_TICK
from hrl_training.tasks.ranges import GaitTasks

SWING_LOW, SWING_HIGH = 0.08, 0.12  # m, between these a foot's swing should peak
REWARD_SCALE = 0.04  # per tick

WEIGHTS = {
    "track": 1.0,
    "track_fine": 0.75,
    "track_mean": 1.0,
    "turn": 0.8,
    "turn_fine": 0.6,
    "turn_mean": 0.5,
    "gait": 2.0,
    "pose": 0.5,
    "height": 0.4,
    "stance": 0.8,
    "planted": 0.4,
    "quiet": 0.6,
    "tilt": -15.0,
    "bounce": -0.5,
    "wobble": -0.05,
    "limits": -2.0,
    "saturation": -0.06,
    "rate": -0.015,
    "torque": -0.8e-5,
    "landing": -0.5,
    "fidget": -0.02,
}

# Uniform, plus or minus; what an IMU and encoders of a robot would add, and more. Every robot has
# its own share of it: a gait that only knew all of it walked 1 cm/s too fast without any.
NOISE = np.repeat([0.02, 0.1, 0.01, 0.5, 0.0], [3, 3, 12, 12, 17]).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class GaitTask:
    """What the robot meets: commands, payload, floor and disturbances."""

    episode: float = 20.0  # s
    standing: float = 0.2  # share of commands that are zero: stopping is a skill of its own
    small: float = 0.25  # share of commands below 0.25 m/s and 0.3 rad/s
    redraw: float = 4.0  # s, mean time between new commands
    axis_used: tuple[float, float, float] = (0.85, 0.45, 0.6)  # chance that vx, vy, wz are not 0
    friction: tuple[float, float] = (0.36, 1.26)  # feet on floor
    payload: float = 2.0  # kg at the gripper, in half of the environments
    trunk: tuple[float, float] = (-1.5, 3.0)  # kg more than the model says
    stiffness: float = 0.1  # share, plus or minus
    damping: float = 0.2  # share, plus or minus
    kick: float = 0.7  # m/s, plus or minus, every 4 to 9 s
    wrench: tuple[float, ...] = (20.0, 20.0, 15.0, 6.0, 10.0, 6.0)  # N and Nm, sd
    disturbed: bool = True

    @classmethod
    def of(cls, tasks: GaitTasks) -> GaitTask:
        """What a task file asks for, and a little more."""
        low, high = tasks.plant.floor_friction
        return cls(
            friction=(0.9 * low, 1.05 * high),
            payload=tasks.plant.payload[1],
            kick=1.4 * tasks.plant.push[1],
        )


class GaitEnv:
    """`num_envs` robots that step as one; a `VectorEnv` of hrl_training.rl.ppo."""

    observation_size = OBSERVATION_SIZE
    critic_size = OBSERVATION_SIZE + 21
    action_size = ACTION_SIZE
    mirror = (MIRROR_OBSERVATION, MIRROR_ACTION)

    def __init__(
        self,
        num_envs: int = 384,
        seed: int = 0,
        task: GaitTask | None = None,
        threads: int = 0,
        robot: Robot | None = None,
    ) -> None:
        """`robot`: who learns; None: the default one."""
        self.num_envs = n = num_envs
        self.task = task or GaitTask()
        self._robot = robot or load_robot()
        self.stepper = Stepper(n, GaitConfig.of(self._robot))
        self._rng = np.random.default_rng(seed)
        self._arm = gait_model.sample_arm_poses(self._robot, 2048, np.random.default_rng(0))
        self._bind(threads)
        config = self.stepper.config
        self._joint_low, self._joint_high = np.array(config.joint_low), np.array(config.joint_high)

        self.target = np.zeros((n, 3))  # commanded velocity before slewing
        self.fixed_commands = False  # an evaluation sets `target` itself
        self._age = np.zeros(n, dtype=int)  # ticks
        self._until_command = np.zeros(n)  # ticks
        self._until_kick = np.zeros(n)
        self._until_wrench = np.zeros(n)
        self._wrench = np.zeros((n, 6))
        self._down = np.ones((n, 4), dtype=bool)
        self._noise = np.zeros((n, 1), np.float32)  # share of NOISE
        self._payload = np.zeros(n)  # kg
        self._arm_from = np.zeros(n, dtype=int)  # rows of the bank of arm poses
        self._arm_to = np.zeros(n, dtype=int)
        self._arm_time = np.zeros(n)  # s into the move
        self._arm_duration = np.ones(n)  # s
        self.mean_error = np.zeros((n, 3))  # velocity minus command, filtered over 0.4 s

    def _bind(self, threads: int) -> None:
        """Views into the batch of plants."""
        model = self.model = gait_model.light_robot(self._robot)
        plant, legs = plant_model(self._robot), self._robot.legs
        feet = plant.feet
        batch = self._batch = Batch(model, self.num_envs, threads)
        self.qpos, self.qvel = batch.bind("qpos"), batch.bind("qvel")
        self._ctrl, self.torque = batch.bind("ctrl"), batch.bind("actuator_force")
        self._force, self._xpos = batch.bind("xfrc_applied"), batch.bind("xpos")
        self.gyro, self.velocity = batch.sensor("gyro"), batch.sensor("velocity")
        self.up = batch.sensor("up")
        self._foot_velocity = [batch.sensor(f"{foot}_velocity") for foot in feet]
        self._foot_force = [batch.sensor(f"{foot}_force") for foot in feet]
        self._foot_place = [batch.site(foot).xpos for foot in feet]
        self._friction = batch.expand("geom_friction")
        self._mass, self._inertia = batch.expand("body_mass"), batch.expand("body_inertia")
        self._com = batch.expand("body_ipos")
        self._gain, self._bias = batch.expand("actuator_gainprm"), batch.expand("actuator_biasprm")
        self._feet = np.array([model.geom(foot).id for foot in feet])
        self._lump, self._trunk = model.body("arm_lump").id, model.body(plant.base).id
        self._knees = [model.joint(name).bodyid[0] for name in legs.joints[2::3]]
        self._trunk_mass = float(model.body_mass[self._trunk])
        joints = [model.joint(name).qposadr[0] for name in legs.joints]
        if joints != list(range(7, 19)):
            raise RuntimeError(f"leg joints lie at {joints} in qpos; allowed is 7 to 18 in order")
        self._torque_limit = model.actuator_forcerange[:, 1]

    # --- VectorEnv

    def reset(self) -> tuple[np.ndarray, np.ndarray]:
        self._reset(np.arange(self.num_envs))
        return self._observe()

    def step(self, action: np.ndarray) -> Step:
        action = np.clip(action, ACTION[0].low, ACTION[0].high)
        self._ctrl[:] = self.stepper.targets(action)
        falling = self._feet_velocity()[:, :, 2].copy()
        if self.task.disturbed:
            self._disturb()
        self._move_arm()
        self._batch.step(nstep=STEPS_PER_TICK)
        self._age += 1
        if not self.fixed_commands:
            self._until_command -= 1
            self._new_commands(np.flatnonzero(self._until_command <= 0))
        terms = self._terms(action, falling)
        total = sum(weight * terms[name] for name, weight in WEIGHTS.items())
        reward = (REWARD_SCALE * np.maximum(total, 0.0)).astype(np.float32)
        self.stepper.advance(action)
        self.stepper.accept(self.target)

        fallen = self._fallen()
        truncated = ~fallen & (self._age * PERIOD >= self.task.episode)
        observation, critic = self._observe()
        final_critic = critic
        done = np.flatnonzero(fallen | truncated)
        if done.size:
            self._reset(done)
            observation, critic = self._observe()
        logged = {name: float(WEIGHTS[name] * value.mean()) for name, value in terms.items()}
        return Step(observation, critic, reward, fallen, truncated, final_critic, logged)

    # --- what happens to the robots

    def _reset(self, rows: np.ndarray) -> None:
        n, rng, task = rows.size, self._rng, self.task
        self._batch.reset(rows)
        yaw = rng.uniform(-np.pi, np.pi, n)
        self.qpos[rows, :7] = [0, 0, 0.5, 1, 0, 0, 0]
        self.qpos[rows, 3], self.qpos[rows, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
        self.qpos[rows, 7:] = self.stepper.stand + rng.uniform(-0.1, 0.1, (n, 12))
        self.qvel[rows] = rng.uniform(-0.2, 0.2, (n, 18))
        self._ctrl[rows] = self.stepper.stand
        self._friction[rows[:, None], self._feet, 0] = rng.uniform(*task.friction, (n, 1))
        self._mass[rows, self._trunk] = self._trunk_mass + rng.uniform(*task.trunk, n)
        legs = self._robot.legs
        gain = legs.stiffness * rng.uniform(1 - task.stiffness, 1 + task.stiffness, (n, 1))
        damping = legs.damping * rng.uniform(1 - task.damping, 1 + task.damping, (n, 1))
        self._gain[rows, :, 0] = gain
        self._bias[rows, :, 1], self._bias[rows, :, 2] = -gain, -damping
        self._noise[rows] = rng.random((n, 1))
        self._payload[rows] = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(0, task.payload, n))
        self._arm_to[rows] = rng.integers(0, len(self._arm.com), n)
        self._new_arm_move(rows)
        self._wrench[rows] = 0.0
        self._until_wrench[rows] = 0.0
        self._until_kick[rows] = rng.uniform(2, 8, n) / PERIOD
        self._move_arm()
        self._batch.forward(rows)
        lowest = np.stack(self._foot_place, axis=1)[rows, :, 2].min(axis=1)
        self.qpos[rows, 2] -= lowest - self._robot.legs.geometry.foot_radius - 0.001
        self._batch.forward(rows)
        self._down[rows] = True
        self._age[rows] = 0
        self.mean_error[rows] = 0.0
        self.stepper.reset(rows)
        if not self.fixed_commands:
            self.target[rows] = 0.0
            self._new_commands(rows)

    def _new_commands(self, rows: np.ndarray) -> None:
        """Keep some of the axes of the last command, draw the others anew."""
        n, rng, task = rows.size, self._rng, self.task
        if n == 0:
            return
        config = self.stepper.config
        drawn = rng.uniform(config.trot.command_low, config.trot.command_high, (n, 3))
        small = rng.random(n) < task.small
        drawn[small] = rng.uniform(-1, 1, (int(small.sum()), 3)) * [0.25, 0.25, 0.3]
        drawn *= rng.random((n, 3)) < task.axis_used
        keep = (rng.random((n, 1)) < 0.4) & ~small[:, None]
        command = np.where(keep, self.target[rows], drawn)
        command[rng.random(n) < task.standing] = 0.0
        self.target[rows] = command
        self._until_command[rows] = (1.0 + rng.exponential(task.redraw - 1.0, n)) / PERIOD

    def _new_arm_move(self, rows: np.ndarray) -> None:
        self._arm_from[rows] = self._arm_to[rows]
        self._arm_to[rows] = self._rng.integers(0, len(self._arm.com), rows.size)
        self._arm_time[rows] = 0.0
        self._arm_duration[rows] = self._rng.uniform(0.8, 4.0, rows.size)

    def _move_arm(self) -> None:
        """Write mass, centre and inertia of arm and payload into the lump of every plant."""
        share = np.clip(self._arm_time / self._arm_duration, 0, 1)[:, None]
        share = share**2 * (3 - 2 * share)  # starts and ends at rest

        def between(poses: np.ndarray) -> np.ndarray:
            start, end = poses[self._arm_from], poses[self._arm_to]
            return start + (end - start) * share

        arm_com, gripper = between(self._arm.com), between(self._arm.gripper)
        payload = self._payload[:, None]
        mass = self._arm.mass + payload
        com = (self._arm.mass * arm_com + payload * gripper) / mass
        inertia = between(self._arm.inertia)
        for part_mass, place in ((self._arm.mass, arm_com), (payload, gripper)):
            away = place - com
            square = (away**2).sum(axis=1, keepdims=True) - away**2
            inertia = inertia + part_mass * square  # parallel axes
        self._mass[:, self._lump] = mass[:, 0]
        self._com[:, self._lump] = com
        self._inertia[:, self._lump] = inertia
        self._arm_time += PERIOD

    def _disturb(self) -> None:
        """Pushes that last, kicks and new arm moves, at random times."""
        rng, task = self._rng, self.task
        self._until_wrench -= 1
        rows = np.flatnonzero(self._until_wrench <= 0)
        if rows.size:
            on = rng.random((rows.size, 1)) < 0.5
            self._wrench[rows] = rng.normal(size=(rows.size, 6)) * task.wrench * on
            self._until_wrench[rows] = rng.uniform(0.3, 2.0, rows.size) / PERIOD
        self._force[:, self._trunk] = self._wrench
        self._until_kick -= 1
        rows = np.flatnonzero(self._until_kick <= 0)
        if rows.size:
            kick = rng.uniform(-1, 1, (rows.size, 3)) * [1.0, 1.0, 0.2]
            self.qvel[rows, :3] += task.kick * kick
            self.qvel[rows, 3:6] += rng.uniform(-0.4, 0.4, (rows.size, 3))
            self._until_kick[rows] = rng.uniform(4, 9, rows.size) / PERIOD
        rows = np.flatnonzero(self._arm_time >= self._arm_duration + 0.5)
        if rows.size:
            self._new_arm_move(rows)

    # --- what is seen and rewarded

    def _observe(self) -> tuple[np.ndarray, np.ndarray]:
        clean = self.stepper.observe(self.up, self.gyro, self.qpos[:, 7:], self.qvel[:, 6:])
        privileged = [
            self.velocity,
            self._down,
            10 * self.foot_heights(),
            self._com[:, self._lump],
            self._mass[:, [self._lump]] - 6.0,
            self.qpos[:, 2:3] - self._robot.legs.standing_height,
            self._friction[:, self._feet[0], :1],
            0.02 * self._wrench[:, 2:3],
            5 * self.mean_error,
        ]
        critic = np.concatenate([clean, *privileged], axis=1, dtype=np.float32)
        if not self.task.disturbed:
            return clean, critic
        noise = self._rng.random(clean.shape, np.float32) * 2 - 1
        return clean + noise * self._noise * NOISE, critic

    def _terms(self, action: np.ndarray, falling: np.ndarray) -> dict[str, np.ndarray]:
        """Unweighted reward terms (n,); `falling` (n, 4) m/s is how the feet moved up before."""
        stepper, walking = self.stepper, self.stepper.walking
        joints, joint_speed = self.qpos[:, 7:], self.qvel[:, 6:]
        moved = np.concatenate([self.velocity[:, :2], self.gyro[:, 2:3]], axis=1)
        error = moved - stepper.command
        self.mean_error += PERIOD / 0.4 * (error - self.mean_error)
        square, turn_square = (error[:, :2] ** 2).sum(1), error[:, 2] ** 2

        force = np.concatenate(self._foot_force, axis=1)
        down = force > 1.0  # N
        touching = down | self._down
        slip = (self._feet_velocity()[:, :, :2] ** 2).sum(2)
        height = self.foot_heights()
        swing = np.sin(2 * np.pi * stepper.leg_phase()) * walking[:, None]  # > 0 in the air
        low = np.minimum(height - SWING_LOW * swing, 0)
        high = np.maximum(height - SWING_HIGH, 0)
        in_air = np.exp(-force / 40.0) * np.exp(-(low**2 + high**2) / 0.04**2)
        blend = np.clip(0.5 + 1.5 * swing, 0, 1) * walking[:, None]
        on_floor = touching * np.exp(-slip / 0.15)

        feet = stepper.config.kinematics.feet_in_hips(joints.reshape(-1, 4, 3))
        off_stance = ((feet - stepper.stand_feet)[:, :, :2] ** 2).sum(2)  # m2
        drift = np.linalg.norm(self.mean_error[:, :2], axis=1) / 0.02  # 1 at 2 cm/s
        drift = drift + np.abs(self.mean_error[:, 2]) / 0.04
        rest = 1.0 - walking
        overrun = np.maximum(self._joint_low - joints, 0) + np.maximum(joints - self._joint_high, 0)
        sunk = self.qpos[:, 2] - self._robot.legs.standing_height  # m
        load = np.abs(self.torque) / self._torque_limit
        pose_weight = np.tile([1.0, 0.5, 0.1], 4)
        terms = {
            "track": np.exp(-square / 0.25),
            "track_fine": np.exp(-square / 0.03),
            "track_mean": np.exp(-(self.mean_error[:, :2] ** 2).sum(1) / 0.002),
            "turn": np.exp(-turn_square / 0.25),
            "turn_fine": np.exp(-turn_square / 0.03),
            "turn_mean": np.exp(-(self.mean_error[:, 2] ** 2) / 0.006),
            "gait": (blend * in_air + (1 - blend) * on_floor).mean(1),
            "pose": np.exp(-((joints - stepper.stand) ** 2 * pose_weight).sum(1)),
            "height": np.exp(-((sunk / 0.05) ** 2)),
            "stance": rest * np.exp(-off_stance / 0.02**2).mean(1),
            "planted": rest * np.exp(-np.sqrt(slip) / 0.015).mean(1),
            "quiet": rest * np.exp(-drift),
            "tilt": (self.up[:, :2] ** 2).sum(1),
            "bounce": self.qvel[:, 2] ** 2,
            "wobble": (self.gyro[:, :2] ** 2).sum(1),
            "limits": overrun.sum(1),
            "saturation": (np.maximum(load - 0.9, 0) / 0.1).sum(1),
            "rate": ((action - stepper.last_action) ** 2).sum(1),
            "torque": (self.torque**2).sum(1),
            "landing": ((down & ~self._down) * falling**2).sum(1),
            "fidget": rest * np.minimum((joint_speed**2).sum(1), 20.0),
        }
        self._down = down
        return terms

    def foot_heights(self) -> np.ndarray:
        """(n, 4) m: the soles above the floor."""
        radius = self._robot.legs.geometry.foot_radius
        return np.stack(self._foot_place, axis=1)[:, :, 2] - radius

    def _feet_velocity(self) -> np.ndarray:
        """(n, 4, 3) m/s in the world."""
        return np.stack(self._foot_velocity, axis=1)

    def _fallen(self) -> np.ndarray:
        tipped = self.up[:, 2] < 0.6
        low = (self.qpos[:, 2] < 0.25) | (self._xpos[:, self._knees, 2].min(axis=1) < 0.06)
        return tipped | low | ~np.isfinite(self.qpos).all(axis=1)
