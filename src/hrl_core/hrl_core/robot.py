"""The robot file, config/robots/<robot>.yaml: with the plant, all that knows the robot."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from hrl_core.config import Config, find_config, load_yaml
from hrl_core.geometry import rotation_from_rpy, transform_from
from hrl_core.graspable import ItemLimits
from hrl_core.plant_model import PlantModel
from hrl_core.quantities import (
    Accelerations,
    Angle,
    AngleRange,
    Coordinate,
    Delay,
    Effort,
    Hand,
    Length,
    LengthRange,
    Point,
    Share,
    Speed,
    Speeds,
    SpeedsBack,
    Threshold,
    Turn,
    Velocity,
    above,
    ordered,
    within,
)
from hrl_core.sensed import Scan
from hrl_core.site import Item

DEFAULT_ROBOT = "spot"  # where nobody names another
MOST_TILT = 0.2  # rad; a scan that leans more is none of the surroundings


class Mount(Config):
    """Pose of a sensor in its parent frame."""

    parent: str
    position: Point
    rpy: tuple[Angle, Angle, Angle] = (0.0, 0.0, 0.0)  # fixed axes

    def parent_from_sensor(self) -> np.ndarray:
        """Transform (4, 4) from the sensor's body frame (x forward, z up) to its parent."""
        return transform_from(self.position, rotation_from_rpy(*self.rpy))


class Camera(Config):
    """Pinhole RGB-D camera; its optical frame looks along the x axis of the mount."""

    mount: Mount
    width: int = Field(gt=0, le=1920)
    height: int = Field(gt=0, le=1080)
    fovy: Annotated[float, above(0.1, 2.8, "rad")]  # vertical
    rate: Annotated[float, above(0, 30, "Hz")]
    max_depth: Annotated[float, above(0, 50, "m")]
    # off the base's x axis, from and to: where it sees a face's whole marker past the robot
    clear_view: AngleRange = (-math.pi, math.pi)
    # m in base_link: what is put down higher is out of its picture
    highest: Annotated[float, Field(allow_inf_nan=True), within(-3, math.inf, "m")] = math.inf

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
    elevations: tuple[Angle, ...] = Field(min_length=1)  # of the rings
    height_band: Annotated[
        tuple[Coordinate, Coordinate], AfterValidator(ordered)
    ]  # above the floor; other returns are not obstacles
    range_min: Annotated[float, within(0, 3, "m")]
    range_max: Annotated[float, above(0, 200, "m")]
    rate: Annotated[float, above(0, 50, "Hz")]
    # m from the scanner: nearer than this its rings look over low things, as tables
    blind: Length
    # m from the scanner, from and to: points worth remembering until they are in the blind part
    remembered: LengthRange

    @model_validator(mode="after")
    def _level(self) -> "Lidar":
        if abs(self._up) < math.cos(MOST_TILT):
            raise ValueError(
                f"mount.rpy = {self.mount.rpy}: the plane of a planar scan may lean by at most "
                f"{MOST_TILT} rad"
            )
        return self

    @property
    def _up(self) -> float:
        return float(self.mount.parent_from_sensor()[2, 2])

    def level(self, scan: Scan) -> Scan:
        """A scan in lidar_link as seen in base_link's directions, also where it hangs head down.

        The one place that knows how the LiDAR is turned: who uses a scan's bearings, asks here.
        """
        rotation = self.mount.parent_from_sensor()[:2, :2]
        yaw = math.atan2(rotation[1, 0], rotation[0, 0])
        if self._up > 0:
            return scan if yaw == 0 else replace(scan, angle_min=scan.angle_min + yaw)
        last = scan.angle_min + scan.angle_increment * (len(scan.ranges) - 1)
        return replace(scan, ranges=scan.ranges[::-1], angle_min=yaw - last)

    @model_validator(mode="after")
    def _ordered(self) -> "Lidar":
        if self.range_min >= self.range_max:
            raise ValueError(f"range_min {self.range_min} m: allowed is less than range_max")
        return self


class LegGeometry(Config):
    """Lengths of a leg with three joints: hip x, hip y and a knee that bends backward."""

    hip_x: Length  # base origin to the hip x joint, front and hind
    hip_y: Length  # base origin to the hip x joint, left and right
    hip_to_thigh: Annotated[float, within(0, 3, "m")]  # sideways from the hip x to the hip y joint
    knee_forward: Coordinate  # the knee lies this far in front of the thigh's axis
    thigh: Length  # hip y joint to knee, along the thigh's axis
    shank: Length  # knee to the centre of the foot
    foot_radius: Length


class Trot(Config):
    """The open-loop trot under the gait's policy, and the commands that it was trained for."""

    frequency: Annotated[float, above(0, 10, "Hz")]  # of a whole cycle: two steps
    lift: Annotated[float, above(0, 0.5, "m")]  # height of a swing
    action_scale: Annotated[float, above(0, 2, "rad")]  # of joint target per unit of action
    command_low: Velocity
    command_high: Velocity
    rest: Threshold  # below it stands
    stride_filter: Share  # share of the command that a stride takes up per step
    settle: Annotated[float, within(0, 5, "s")]  # of steps in place: feet come under the hips


class Legs(Config):
    """Leg joints, in order, with the gains that the gait was trained for."""

    joints: tuple[str, ...]
    lower: tuple[Angle, Angle, Angle]  # per joint of one leg, inside the hard stops
    upper: tuple[Angle, Angle, Angle]
    geometry: LegGeometry
    trot: Trot
    nominal: tuple[Angle, ...]
    standing_height: Length  # base_link above the floor
    stiffness: Annotated[float, above(0, 10000, "N m/rad")]
    damping: Annotated[float, within(0, 1000, "N m s/rad")]
    armature: Annotated[float, within(0, 1, "kg m^2")]
    effort_limit: tuple[Effort, Effort, Effort]  # per joint of one leg
    # What the gait moves beside what is asked; taken off every command but zero
    velocity_trim: Velocity = (0.0, 0.0, 0.0)


class Gripper(Config):
    """A fixed jaw and a finger that turns; they close along the hand's z axis, jaw below, to 0 rad.

    What skills must know of them to put them round an item, and how they feel what they hold.
    """

    speed: Turn  # told; faster knocks items over
    jaw: Annotated[float, above(0, 0.3, "m")]  # fixed jaw below the tool along the hand's z axis
    jaw_thickness: Annotated[float, above(0, 0.2, "m")]
    finger_thickness: Annotated[float, above(0, 0.2, "m")]
    half_width: Annotated[float, above(0, 0.3, "m")]  # across the direction in which it closes
    root: Annotated[float, above(0, 0.3, "m")]  # depth of the finger's root: wide items stay off it
    tip: Annotated[float, above(0, 0.3, "m")]  # of the jaws below the tool: they stay off the board
    depth: LengthRange  # least and most that the tool is below an item's top
    # Least and most between the fixed jaw and an item to close on.
    clearance: LengthRange
    free: Annotated[float, above(0, 0.3, "m")]  # most that the finger opens beyond an item
    # What the finger's tip is off the tool at openings.
    tips: tuple[Length, ...] = Field(min_length=2)
    openings: tuple[Angle, ...] = Field(min_length=2)
    squeeze: Annotated[
        float, above(0, 1, "rad")
    ]  # told to close further than what it holds lets it
    # Off closed: closed when it is less than `closed`, holding when more than `held`, and what
    # was held is gone when less than `kept`
    closed: Annotated[float, above(0, 1, "rad")]
    held: Annotated[float, above(0, 1, "rad")]
    kept: Annotated[float, above(0, 1, "rad")]
    # Of a grip that has just closed (the servo reaches it at rest only when something stops
    # the finger), of one that a skill begins with, of one that has not lost what it held
    held_effort: Effort
    carried_effort: Effort
    kept_effort: Effort
    let_go: Annotated[
        float, above(0, 2, "rad")
    ]  # that it opens beyond its grip, to be off the item
    opens_within: Annotated[float, above(0, 10, "s")]  # that this takes at most

    @model_validator(mode="after")
    def _measured_in_pairs(self) -> "Gripper":
        if len(self.tips) != len(self.openings) or list(self.tips) != sorted(self.tips):
            raise ValueError(
                f"tips {self.tips} and openings {self.openings} must be as many, tips growing"
            )
        return self


class HandUse(Config):
    """Where and how fast skills move the hand; hand poses are x, y, z, pitch (down), roll."""

    low: Hand  # in base_link: least of a policy's hand
    high: Hand
    speed: tuple[Speed, Speed, Speed, Turn, Turn]  # at a policy's action of 1
    lead: Annotated[float, above(0, 0.5, "m")]  # of the commanded hand over the measured one
    grasp_roll: Angle  # jaws level
    most_turn: Annotated[
        float, above(0, 1.6, "rad")
    ]  # grasps turn with an item's label, so far at most
    # sine of the jaws' tilt by a roll; tilted further, the finger meets the board
    most_tilt: Share
    pitches: tuple[Angle, ...] = Field(min_length=1)  # of hands that grasp
    # Before an item to look at it: behind and above, in base_link at most.
    ready_back: Annotated[float, above(0, 1, "m")]
    ready_up: Annotated[float, above(0, 1, "m")]
    ready_furthest: Length
    ready_pitch: Angle
    ready_roll: Angle
    held_pitch: Angle  # taken for that of a grasp that nobody measured
    held_depth: Coordinate  # tool below the item's top then
    # Safe motions: of joints, of the hand on a line; share of both while it holds
    # something; share of the speed gained per tick, since a jerk shakes wide items out of the jaws;
    # share of the way left that a tick may cover.
    joint_speed: Turn
    line_speed: Speed
    gentle: Share
    ramp: Share
    braking: Share
    clear_x: Length  # in base_link; behind it a hand is clear of a shelf ahead
    # Arm joints from and to which the hand's camera looks ahead and down
    looks: tuple[tuple[Angle, ...], tuple[Angle, ...]]
    # A policy sees joints, gripper, tool (in base_link), pitch and roll from here.
    middle_joints: tuple[Angle, ...]
    middle_gripper: Angle
    middle_tool: Point
    middle_pitch: Angle
    middle_roll: Angle


class Arm(Config):
    """Arm: yaw, two pitches, forearm roll (kept at zero), wrist pitch, wrist roll, gripper."""

    joints: tuple[str, ...]
    lower: tuple[Angle, ...]
    upper: tuple[Angle, ...]
    velocity_limit: Turn  # every joint
    shoulder: Point  # in base_link
    upper_arm: Length
    forearm: tuple[Length, Coordinate]  # along and across
    tool: Point  # grasp centre in the last link's frame
    hand_link: str
    gripper_joint: str
    gripper_open: Angle
    gripper_closed: Angle
    gripper_effort_limit: Effort
    gripper: Gripper
    hand: HandUse
    items: ItemLimits | None = None  # that it can grasp; None: nobody has said
    poses: dict[str, tuple[Angle, ...]]  # stow, ready, carry, look

    def refusal(self, name: str, item: Item) -> str:
        """Why an item of the catalogue cannot be grasped, in a sentence; empty: it can."""
        return "" if self.items is None else self.items.refusal(name, item)

    @property
    def half_open(self) -> float:
        """Opening [rad] of the gripper at a policy's action of 0."""
        return 0.5 * (self.gripper_closed - self.gripper_open)

    @model_validator(mode="after")
    def _same_length(self) -> "Arm":
        n = len(self.joints)
        for name, values in {
            "lower": self.lower,
            "upper": self.upper,
            **self.poses,
            "hand.middle_joints": self.hand.middle_joints,
            "hand.looks[0]": self.hand.looks[0],
            "hand.looks[1]": self.hand.looks[1],
        }.items():
            if len(values) != n:
                raise ValueError(f"{name} has {len(values)} values; {n} joints are named")
        return self


class VelocityResponse(Config):
    """How the base follows velocity commands x, y, yaw, as the shield foresees it."""

    share: tuple[Share, Share, Share]  # of what is missing, gained per tick
    delay: tuple[Delay, Delay, Delay]  # until a command is answered
    # What is left of a command and below this is no motion: the gait would creep
    least: Threshold
    sway: Annotated[
        float, within(0, 1, "m/s or rad/s")
    ]  # a measured velocity below it counts as standing


class Base(Config):
    """What the base can do, and the circles that cover its footprint."""

    velocity_min: SpeedsBack
    velocity_max: Speeds
    acceleration_max: Accelerations
    footprint_x: tuple[Coordinate, ...] = Field(min_length=1)  # centres of circles in base_link
    footprint_radius: Length
    way: Annotated[
        float, above(0, 5, "m")
    ]  # width of ways between mapped things that it is sent on
    passage: Annotated[float, above(0, 5, "m")]  # between returns of the scan that it walks through
    turning_room: Annotated[float, above(0, 5, "m")]  # round base_link, to turn on the spot
    response: VelocityResponse
    creep: Speeds  # of slow straight motions
    creep_gain: Annotated[float, above(0, 10, "1/s")]  # of those towards a pose
    slowest: Annotated[float, above(0, 1, "m/s")]  # ahead, that the gait walks well
    rest_time: Annotated[float, above(0, 10, "s")]  # from the last command until the body is calm
    rest_velocity: Threshold  # of the mean of a body at rest

    @property
    def front(self) -> float:
        """Front of the footprint [m] in base_link."""
        return max(self.footprint_x) + self.footprint_radius

    @property
    def turning_circle(self) -> float:
        """Width [m] of the circle round base_link in which it turns on the spot."""
        return 2 * (max(abs(x) for x in self.footprint_x) + self.footprint_radius)


class Robot(Config):
    """Everything that the skills and the plant know of one robot."""

    name: str  # of its kind: which policies are its own
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


def load_robot(name: str | Path = DEFAULT_ROBOT) -> Robot:
    """Load config/robots/<name>.yaml or the file given; raises ConfigError."""
    return load_yaml(find_config("robots", str(name)), Robot)
