"""Section `model` of a robot file: how the plant simulates the robot."""

from typing import Annotated

from hrl_core.config import Config
from hrl_core.quantities import Effort, Length, Point, above, within


class Capsule(Config):
    """A collision capsule on a body of the plant's model."""

    body: str
    ends: tuple[Point, Point]  # in the body's frame
    radius: Length


class Box(Config):
    """A collision box in the middle of a body of the plant's model."""

    body: str
    size: tuple[Length, Length, Length]  # full extents


class PlantModel(Config):
    """How the plant simulates this robot; a real robot needs none of it."""

    mjcf: str  # <python package>:<file inside it>, or a path
    base: str  # body that is base_link
    feet: tuple[str, ...]  # geoms that carry the load, one per leg
    foot_time_constant: Annotated[float, above(0, 10, "s")]  # of the contact
    capsules: tuple[Capsule, ...] = ()
    boxes: tuple[Box, ...] = ()
    touching: tuple[str, ...]  # bodies whose own collision meshes touch the world
    not_touching: tuple[str, ...] = ()  # of these, meshes that do not
    arm_stiffness: Annotated[float, above(0, 10000, "N m/rad")]
    arm_damping: Annotated[float, within(0, 1000, "N m s/rad")]
    arm_effort_limit: tuple[Effort, ...]  # per arm joint
    gripper_stiffness: Annotated[float, above(0, 10000, "N m/rad")]
    gripper_damping: Annotated[float, within(0, 1000, "N m s/rad")]
    gripper_armature: Annotated[float, within(0, 1, "kg m^2")]
