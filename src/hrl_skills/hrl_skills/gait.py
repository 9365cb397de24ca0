"""The gait: a velocity command -> 12 leg joint targets at 50 Hz, from an IMU and leg encoders.

A learned policy corrects an open-loop trot (foot lift and stride from the command, by inverse
kinematics). Training and runtime share the batched `Stepper`, so that they cannot differ.

Source: the residual over a trot follows "Policies Modulating Trajectory Generators" (Iscen et
al., CoRL 2018); the mirrored observation and the command resampling used in training follow the
Go1 joystick example of mjbatch (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.policy.policy import ActionField
from hrl_core.robot import Robot, Trot
from hrl_skills.leg import LEGS, LegKinematics
from hrl_skills.library import shipped_policy
from hrl_skills.observation import Observation, Part

RATE = 50.0  # Hz
PERIOD = 1.0 / RATE  # s
JOINTS = tuple(f"{leg}_{joint}" for leg in LEGS for joint in ("hx", "hy", "kn"))
VELOCITY_SCALE = 0.1  # joint velocities reach 10 rad/s
PHASE_OFFSET = np.array([0.0, 0.5, 0.5, 0.0])  # diagonal pairs swing together: a trot


@dataclass(frozen=True)
class Seen:
    """What an observation of n gaits is worked out from."""

    up_in_base: np.ndarray  # (n, 3)
    gyro: np.ndarray  # (n, 3) rad/s
    joint_offset: np.ndarray  # (n, 12) rad
    joint_velocity: np.ndarray  # (n, 12) rad/s
    last_action: np.ndarray  # (n, 12)
    command: np.ndarray  # (n, 3) m/s, m/s, rad/s
    clock: np.ndarray  # (n, 2)


OBSERVED: Observation[Seen] = Observation(
    Part("up", 3, "1, world z axis in base_link", lambda s: s.up_in_base),
    Part("gyro", 3, "rad/s, base_link", lambda s: s.gyro),
    Part("joint_offset", 12, "rad, from the standing pose", lambda s: s.joint_offset),
    Part("joint_velocity", 12, "10 rad/s", lambda s: s.joint_velocity * VELOCITY_SCALE),
    Part("last_action", 12, "1", lambda s: s.last_action),
    Part("command", 3, "m/s, m/s, rad/s, base_link", lambda s: s.command),
    Part("clock", 2, "1, sine and cosine of the phase, 0 at rest", lambda s: s.clock),
)
OBSERVATION, OBSERVATION_SIZE = OBSERVED.fields, OBSERVED.size
ACTION = tuple(ActionField(f"{joint}_correction", "0.25 rad", -4.0, 4.0) for joint in JOINTS)
ACTION_SIZE = len(ACTION)

# Left-right mirror image of observations and actions: swap the legs of each side, flip signs.
_MIRROR_LEGS = np.array([3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8])
_MIRROR_LEG_SIGN = np.array([-1.0, 1.0, 1.0] * 4)  # hip x turns the other way
MIRROR_ACTION = (_MIRROR_LEGS, _MIRROR_LEG_SIGN)
MIRROR_OBSERVATION = (
    np.concatenate(
        [np.arange(6), 6 + _MIRROR_LEGS, 18 + _MIRROR_LEGS, 30 + _MIRROR_LEGS, np.arange(42, 47)]
    ),
    np.concatenate(
        # The clock of the mirror image is half a cycle away: both its sine and cosine flip.
        [[1, -1, 1, -1, 1, -1], np.tile(_MIRROR_LEG_SIGN, 3), [1, -1, -1, -1, -1]]
    ),
)


@dataclass(frozen=True, kw_only=True)
class GaitConfig:
    """The trot under the policy and the joints that it drives, all from the robot file."""

    stand: tuple[float, ...]  # rad, 12 joints
    slew: tuple[float, float, float]  # m/s2, m/s2, rad/s2: commands that jump make it stumble
    joint_low: tuple[float, ...]  # rad, 12 joints
    joint_high: tuple[float, ...]  # rad, 12 joints
    kinematics: LegKinematics
    trot: Trot

    @classmethod
    def of(cls, robot: Robot) -> GaitConfig:
        """Raises ConfigError where the robot has not 12 leg joints, in the order of JOINTS."""
        legs = robot.legs
        if len(legs.joints) != len(JOINTS):
            raise ConfigError(
                f"robot {robot.name!r}: legs.joints = {legs.joints}; allowed are 12, as {JOINTS}"
            )
        return cls(
            stand=legs.nominal,
            slew=robot.base.acceleration_max,
            joint_low=legs.lower * len(LEGS),
            joint_high=legs.upper * len(LEGS),
            kinematics=LegKinematics(legs.geometry),
            trot=legs.trot,
        )


class Stepper:
    """The clock, the slewed command and the last action of n gaits; every array is (n, ...).

    A control tick is: accept(command), observe(...), policy, targets(action), advance(action).
    """

    def __init__(self, n: int, config: GaitConfig) -> None:
        self.config = config
        self.stand = np.array(config.stand)
        self._low, self._high = np.array(config.joint_low), np.array(config.joint_high)
        self._trot, self._kinematics = config.trot, config.kinematics
        self._command_low = np.array(self._trot.command_low)
        self._command_high = np.array(self._trot.command_high)
        self._slew = np.array(config.slew) * PERIOD
        self._rest = np.array(self._trot.rest)
        legs = self._kinematics
        self.stand_feet = legs.feet_in_hips(self.stand.reshape(4, 3))  # (4, 3) m, hip frames
        self._feet_x = legs.hip_in_base[:, 0]
        self._feet_y = legs.hip_in_base[:, 1] + self.stand_feet[:, 1]

        self.phase = np.zeros(n)  # [0, 1)
        self.walking: np.ndarray = np.zeros(n, dtype=bool)
        self.command = np.zeros((n, 3))  # slewed; zero below the rest threshold
        self.last_action = np.zeros((n, ACTION_SIZE))
        self._slewed = np.zeros((n, 3))
        self._stride = np.zeros((n, 3))  # command as the open-loop trot sees it
        self._idle = np.zeros(n)  # s since the command became zero

    def reset(self, rows: np.ndarray | slice = slice(None)) -> None:
        """Stand at rest with both pairs of feet on the floor."""
        for array in (self.phase, self.walking, self._idle, self.command, self.last_action):
            array[rows] = 0
        self._slewed[rows] = 0.0
        self._stride[rows] = 0.0

    def accept(self, command: np.ndarray) -> None:
        """Take the commands (n, 3) m/s, m/s, rad/s in base_link; decide who walks."""
        wanted = np.clip(command, self._command_low, self._command_high)
        self._slewed += np.clip(wanted - self._slewed, -self._slew, self._slew)
        active: np.ndarray = np.any(np.abs(self._slewed) >= self._rest, axis=1)
        self.command = np.where(active[:, None], self._slewed, 0.0)
        self._idle = np.where(active, 0.0, self._idle + PERIOD)
        # Stop only as a pair touches down, when all four feet are on the floor.
        to_touchdown = np.abs(self.phase - np.round(2 * self.phase) / 2)
        touchdown = to_touchdown < 0.5 * self._trot.frequency * PERIOD
        stop = ~active & (self._idle >= self._trot.settle) & touchdown
        self.walking = active | (self.walking & ~stop)
        self.phase[~self.walking] = np.round(2 * self.phase[~self.walking]) / 2 % 1.0

    def observe(
        self,
        up_in_base: np.ndarray,
        gyro: np.ndarray,
        joints: np.ndarray,
        joint_velocities: np.ndarray,
    ) -> np.ndarray:
        """Policy input: (n, 3), (n, 3) rad/s, (n, 12) rad, (n, 12) rad/s -> OBSERVATION (n, 47)."""
        angle = 2 * np.pi * self.phase
        clock = np.stack([np.sin(angle), np.cos(angle)], axis=1) * self.walking[:, None]
        seen = Seen(
            up_in_base,
            gyro,
            joints - self.stand,
            joint_velocities,
            self.last_action,
            self.command,
            clock,
        )
        return OBSERVED.values(seen).astype(np.float32)

    def leg_phase(self) -> np.ndarray:
        """(n, 4) in [0, 1): a leg swings in the first half of its cycle."""
        return (self.phase[:, None] + PHASE_OFFSET) % 1.0

    def trot(self) -> np.ndarray:
        """Joint targets of the open-loop trot: (n, 12) rad."""
        phase = self.leg_phase()
        swings = phase < 0.5
        part = (phase % 0.5) / 0.5  # how far into the swing or the stance
        # Where the foot is along its stride, -1 to 1: forward in the air, back on the floor.
        along = np.where(swings, -np.cos(np.pi * part), 1 - 2 * part) * self.walking[:, None]
        half_stride = along / (4 * self._trot.frequency)  # s: times speed gives m
        vx, vy, wz = (self._stride[:, i : i + 1] for i in range(3))
        lift = np.where(swings, np.sin(np.pi * part), 0.0) * self.walking[:, None]
        step = np.stack(
            [
                (vx - wz * self._feet_y) * half_stride,
                (vy + wz * self._feet_x) * half_stride,
                self._trot.lift * lift,
            ],
            axis=-1,
        )
        joints = self._kinematics.joints_for(self.stand_feet + step)
        return joints.reshape(len(joints), ACTION_SIZE)

    def targets(self, action: np.ndarray) -> np.ndarray:
        """Joint targets: action (n, 12) -> (n, 12) rad, inside the joint limits."""
        return np.clip(self.trot() + self._trot.action_scale * action, self._low, self._high)

    def advance(self, action: np.ndarray) -> None:
        """Go on by one period after the targets of this action (n, 12) were sent."""
        self.last_action = np.array(action, dtype=float)
        self._stride += self._trot.stride_filter * (self.command - self._stride)
        step = self._trot.frequency * PERIOD * self.walking
        self.phase = (self.phase + step) % 1.0


class Gait:
    """One robot's gait at runtime: call `step` every `PERIOD`."""

    def __init__(
        self, robot: Robot, policy: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        """Without a policy: the one that the package ships."""
        self._policy = policy or shipped_policy("gait", robot.name, OBSERVATION, ACTION)
        self._stepper = Stepper(1, GaitConfig.of(robot))
        self._trim = np.array(robot.legs.velocity_trim)

    @property
    def stand(self) -> np.ndarray:
        """(12,) rad: the standing pose."""
        return self._stepper.stand.copy()

    @property
    def walking(self) -> bool:
        """Whether the feet step; it goes on for a moment after a command of zero."""
        return bool(self._stepper.walking[0])

    def reset(self) -> None:
        """Forget the past: the robot stands."""
        self._stepper.reset()

    def step(
        self,
        command: np.ndarray,
        up_in_base: np.ndarray,
        gyro: np.ndarray,
        joints: np.ndarray,
        joint_velocities: np.ndarray,
    ) -> np.ndarray:
        """Joint targets (12,) rad in the order of JOINTS.

        command (3,) m/s, m/s, rad/s and gyro (3,) rad/s in base_link; up_in_base (3,) is the
        world's z axis; joints (12,) rad and joint_velocities (12,) rad/s as in JOINTS.
        """
        wanted = np.asarray(command, dtype=float)
        self._stepper.accept((wanted - self._trim * wanted.any())[None])
        observation = self._stepper.observe(
            *(np.asarray(x)[None] for x in (up_in_base, gyro, joints, joint_velocities))
        )
        action = self._policy(observation)
        targets = self._stepper.targets(action)
        self._stepper.advance(action)
        return targets[0]
