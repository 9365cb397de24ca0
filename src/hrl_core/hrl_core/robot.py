"""The robot file, config/robots/<robot>.yaml: with the plant, all that knows the robot."""

from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from hrl_core.config import Config, find_config, load_yaml
from hrl_core.geometry import rotation_from_rpy, transform_from


class Mount(Config):
    """Pose of a sensor in its parent frame."""

    parent: str
    position: tuple[float, float, float]  # m
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rad, fixed axes

    def parent_from_sensor(self) -> np.ndarray:
        """Transform (4, 4) from the sensor's body frame (x forward, z up) to its parent."""
        return transform_from(self.position, rotation_from_rpy(*self.rpy))


class Camera(Config):
    """Pinhole RGB-D camera; its optical frame looks along the x axis of the mount."""

    mount: Mount
    width: int = Field(gt=0, le=1920)
    height: int = Field(gt=0, le=1080)
    fovy: float = Field(gt=0.1, lt=2.8)  # rad, vertical
    rate: float = Field(gt=0, le=30)  # Hz
    max_depth: float = Field(gt=0)  # m

    def matrix(self) -> np.ndarray:
        """Camera matrix (3, 3) in pixels; pixel centres lie at whole numbers."""
        f = 0.5 * self.height / np.tan(0.5 * self.fovy)
        return np.array([[f, 0, (self.width - 1) / 2], [0, f, (self.height - 1) / 2], [0, 0, 1.0]])

    def parent_from_optical(self) -> np.ndarray:
        """Transform (4, 4) from the optical frame (z forward, x right, y down) to the parent."""
        optical = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], float)
        return self.mount.parent_from_sensor() @ transform_from((0, 0, 0), optical)


class Lidar(Config):
    """Scanner with several rings, flattened to a planar scan of the nearest return per azimuth."""

    mount: Mount
    beams: int = Field(gt=3)
    elevations: tuple[float, ...]  # rad, of the rings
    height_band: tuple[float, float]  # m above the floor; other returns are not obstacles
    range_min: float = Field(ge=0)  # m
    range_max: float = Field(gt=0)  # m
    rate: float = Field(gt=0, le=50)  # Hz


class Legs(Config):
    """Leg joints, in order, with the gains that the gait was trained for."""

    joints: tuple[str, ...]
    nominal: tuple[float, ...]  # rad
    standing_height: float  # m, base_link above the floor
    stiffness: float  # N m/rad
    damping: float  # N m s/rad
    armature: float  # kg m^2
    effort_limit: tuple[float, ...]  # N m, per joint of one leg
    # m/s, m/s, rad/s that the gait moves beside what is asked; taken off every command but zero
    velocity_trim: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Arm(Config):
    """Arm: yaw, two pitches, forearm roll (kept at zero), wrist pitch, wrist roll, gripper."""

    joints: tuple[str, ...]
    lower: tuple[float, ...]  # rad
    upper: tuple[float, ...]  # rad
    velocity_limit: float = Field(gt=0)  # rad/s, every joint
    shoulder: tuple[float, float, float]  # m, in base_link
    upper_arm: float  # m
    forearm: tuple[float, float]  # m, along and across
    tool: tuple[float, float, float]  # m, grasp centre in the last link's frame
    hand_link: str
    gripper_joint: str
    gripper_open: float  # rad
    gripper_closed: float  # rad
    gripper_effort_limit: float  # N m
    poses: dict[str, tuple[float, ...]]  # rad; stow, ready, carry, look

    @model_validator(mode="after")
    def _same_length(self) -> "Arm":
        n = len(self.joints)
        for name, values in {"lower": self.lower, "upper": self.upper, **self.poses}.items():
            if len(values) != n:
                raise ValueError(f"{name} has {len(values)} values; {n} joints are named")
        return self


class Base(Config):
    """What the base can do, and the circles that cover its footprint."""

    velocity_min: tuple[float, float, float]  # m/s, m/s, rad/s
    velocity_max: tuple[float, float, float]
    acceleration_max: tuple[float, float, float]  # m/s^2, m/s^2, rad/s^2
    footprint_x: tuple[float, ...]  # m, centres of the circles in base_link
    footprint_radius: float = Field(gt=0)  # m


class Capsule(Config):
    """A collision capsule on a body of the plant's model."""

    body: str
    ends: tuple[tuple[float, float, float], tuple[float, float, float]]  # m in the body's frame
    radius: float = Field(gt=0)  # m


class Box(Config):
    """A collision box in the middle of a body of the plant's model."""

    body: str
    size: tuple[float, float, float]  # m, full extents


class PlantModel(Config):
    """How the plant simulates this robot; a real robot needs none of it."""

    mjcf: str  # <python package>:<file inside it>, or a path
    base: str  # body that is base_link
    feet: tuple[str, ...]  # geoms that carry the load, one per leg
    foot_time_constant: float = Field(gt=0)  # s, of the contact
    capsules: tuple[Capsule, ...] = ()
    boxes: tuple[Box, ...] = ()
    touching: tuple[str, ...]  # bodies whose own collision meshes touch the world
    not_touching: tuple[str, ...] = ()  # of these, meshes that do not
    arm_stiffness: float  # N m/rad
    arm_damping: float  # N m s/rad
    arm_effort_limit: tuple[float, ...]  # N m, per arm joint
    gripper_stiffness: float  # N m/rad
    gripper_damping: float  # N m s/rad
    gripper_armature: float  # kg m^2


class Robot(Config):
    """Everything that the skills and the plant know of one robot."""

    name: str
    legs: Legs
    arm: Arm
    base: Base
    cameras: dict[str, Camera]
    lidar: Lidar
    imu: Mount
    model: PlantModel | None = None

    @property
    def joints(self) -> tuple[str, ...]:
        """All joints in the order of Joints.position: legs, arm, gripper."""
        return (*self.legs.joints, *self.arm.joints, self.arm.gripper_joint)

    @property
    def arm_slice(self) -> slice:
        """Indices of the arm's joints (without the gripper) in Joints.position."""
        return slice(len(self.legs.joints), len(self.legs.joints) + len(self.arm.joints))

    @property
    def gripper_index(self) -> int:
        return len(self.legs.joints) + len(self.arm.joints)


def load_robot(name: str | Path = "spot") -> Robot:
    """Load config/robots/<name>.yaml or the file given; raises ConfigError."""
    return load_yaml(find_config("robots", str(name)), Robot)
