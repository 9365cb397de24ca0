"""The driver file, config/drivers/<driver>.yaml: how a robot's driver speaks."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hrl_core.config import Config, find_config, load_yaml
from hrl_core.quantities import above, span, within

Name = Annotated[str, Field(pattern=r"^/?[A-Za-z][A-Za-z0-9_/]*$")]  # of a topic or service
Rate = Annotated[float, above(0, 1000, "Hz")]
Seconds = Annotated[float, above(0, 60, "s")]
# How commands go: by a topic of a type, or by an action of control_msgs.
TOPIC_TYPES = ("Twist", "TwistStamped", "JointState", "JointTrajectory")
ACTION_TYPES = ("FollowJointTrajectory", "GripperCommand")
ACTIONS = "control_msgs/action/"
Quality = Literal["best_effort", "reliable", "latched"]


class Units(Config):
    """How a number of the driver's becomes ours: scale * number + offset."""

    scale: Annotated[float, within(-1000, 1000, "of ours for one of the driver's")] = 1.0
    offset: Annotated[float, within(-1000, 1000, "of ours")] = 0.0

    @model_validator(mode="after")
    def _turns_back(self) -> "Units":
        if abs(self.scale) < 1e-6:
            raise ValueError(f"scale = {self.scale}: allowed is anything but 0")
        return self

    def to_ours(self, value: float) -> float:
        return self.scale * value + self.offset

    def to_theirs(self, value: float) -> float:
        return (value - self.offset) / self.scale


class Source(Config):
    """A topic that the driver publishes."""

    topic: Name
    rate: Rate = 10.0  # the least that it comes with
    quality: Quality = "best_effort"  # that the driver offers; more than that is never asked for
    frame: str = ""  # of its data, without the prefix; empty: it has none, or any


class Joint(Units):
    """A joint as the driver names it, and its numbers."""

    name: str


class JointStates(Config):
    """Joint states, of one publisher or several."""

    sources: tuple[Source, ...] = Field(min_length=1)
    prefix: str = ""  # of every joint name
    # Ours: the driver's. What is not here has the same name and numbers
    joints: dict[str, str | Joint] = {}


class Odometry(Source):
    """Odometry; its twist may be given in another frame than its child_frame_id."""

    twist_in: Literal["stated", "base", "odom"] = "stated"


class ScanSource(Source):
    """A LiDAR: a planar scan or a cloud."""

    type: Literal["LaserScan", "PointCloud2"] = "LaserScan"
    # Frame of the numbers where header.frame_id says another name for it
    data_frame: str = ""
    # Where it looks from lidar_link; a cloud does not say where it looked and saw nothing
    view: Annotated[tuple[float, float], span(-3.1416, 3.1416, "rad")] = (-3.1416, 3.1416)


class CameraSource(Config):
    """An RGB-D camera: colour, depth registered to it, calibration."""

    image: Name
    depth: Name
    camera_info: Name
    frame: str  # its optical frame, without the prefix
    image_encoding: str = "rgb8"
    depth_encoding: Literal["16UC1", "32FC1"] = "32FC1"
    compressed: bool = False  # image_transport: <image>/compressed, <depth>/compressedDepth
    rate: Rate = 5.0
    quality: Quality = "best_effort"

    def topics(self) -> tuple[str, str, str]:
        """Colour, depth and calibration, as they are sent."""
        if not self.compressed:
            return self.image, self.depth, self.camera_info
        return f"{self.image}/compressed", f"{self.depth}/compressedDepth", self.camera_info


class EStopSource(Source):
    """Where the driver tells of its emergency stop, and what says that it is pressed."""

    type: str  # such as std_msgs/msg/Bool
    field: str = "data"  # with dots; [] after a list: any of its elements
    pressed: tuple[bool | int, ...] = (True,)


class Sensors(Config):
    """What the driver publishes; null: it has none."""

    joint_states: JointStates
    odometry: Odometry
    imu: Source | None = None
    scans: tuple[ScanSource, ...] = Field(min_length=1)
    cameras: dict[str, CameraSource] = {}
    e_stop: EStopSource | None = None
    tf: Name = "tf"
    tf_static: Name = "tf_static"


class BaseCommand(Config):
    """How the base is told its velocity."""

    topic: Name
    type: Literal["Twist", "TwistStamped"]
    lives: Seconds  # a command is obeyed so long
    rate: Rate = 20.0  # that the newest command is repeated with while it holds

    @model_validator(mode="after")
    def _repeated_in_time(self) -> "BaseCommand":
        if self.rate * self.lives <= 1.0:
            raise ValueError(
                f"rate = {self.rate} Hz: a command that lives {self.lives} s needs more than "
                f"{1 / self.lives:.1f} Hz"
            )
        return self


class ArmCommand(Config):
    """How the arm is told its joints: a topic, or the action of a trajectory controller."""

    topic: Name
    type: Literal["JointTrajectory", "JointState", "FollowJointTrajectory"]


class GripperCommand(Units):
    """How the gripper is told its opening: a topic, an action, or a service that takes a number."""

    topic: Name  # or the action's or service's name
    type: Literal["JointTrajectory", "GripperCommand", "service"]
    joints: tuple[str, ...] = ()  # of a trajectory, without the prefix; all get the same number
    service: str = ""  # its type, such as spot_msgs/srv/SetGripperAngle
    field: str = ""  # of the request
    max_effort: Annotated[float, within(0, 500, "N or N m")] = 0.0  # of the action; 0: its own
    # Less than this from the last one is not sent again by an action or a service
    step: Annotated[float, above(0, 1, "rad")] = 0.02

    @model_validator(mode="after")
    def _complete(self) -> "GripperCommand":
        if self.type == "service" and not (self.service and self.field):
            raise ValueError("type service needs `service` (its type) and `field` (of the request)")
        if self.type == "JointTrajectory" and not self.joints:
            raise ValueError("type JointTrajectory needs `joints`")
        return self


class Commands(Config):
    """How the robot is told what to do."""

    base: BaseCommand
    arm: ArmCommand
    gripper: GripperCommand


class Power(Config):
    """Services (std_srvs/srv/Trigger) that are called one after the other."""

    start: tuple[Name, ...] = ()  # before a command is passed on
    fault: tuple[Name, ...] = ()  # when its sensors are lost or its stop is pressed
    end: tuple[Name, ...] = ()  # when the node ends
    timeout: Seconds = 20.0  # of one call; a robot may take its time to stand up
    lost_after: Seconds = 2.0  # without joint states or odometry is a fault


class Driver(Config):
    """Everything about one driver."""

    name: str
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/]*$")] = ""  # of relative names below
    frame_prefix: str = ""  # of every frame of the driver's
    frames: dict[str, str] = {}  # ours: the driver's, without the prefix
    sensors: Sensors
    commands: Commands
    power: Power = Power()

    def resolved(self, name: str) -> str:
        """A topic's or service's name from where our nodes are."""
        return name if name.startswith("/") or not self.namespace else f"{self.namespace}/{name}"

    def frame(self, ours: str) -> str:
        """The driver's name, with prefix, of a frame of ours or of the driver's without it."""
        return self.frame_prefix + self.frames.get(ours, ours)

    def sensor_topics(self) -> tuple[str, ...]:
        """Every topic that the driver publishes, resolved."""
        sensors = self.sensors
        sources = [*sensors.joint_states.sources, sensors.odometry, *sensors.scans]
        sources += [source for source in (sensors.imu, sensors.e_stop) if source is not None]
        names = [source.topic for source in sources] + [sensors.tf, sensors.tf_static]
        for camera in sensors.cameras.values():
            names += camera.topics()
        return tuple(map(self.resolved, names))

    def command_topics(self) -> tuple[str, ...]:
        """Every topic that the driver listens to, resolved."""
        commands = self.commands
        told = (commands.base, commands.arm, commands.gripper)
        return tuple(self.resolved(each.topic) for each in told if each.type in TOPIC_TYPES)

    def actions(self) -> dict[str, str]:
        """Type by resolved name of every action that the driver offers."""
        told = (self.commands.arm, self.commands.gripper)
        return {self.resolved(e.topic): ACTIONS + e.type for e in told if e.type in ACTION_TYPES}

    def services(self) -> dict[str, str]:
        """Type by resolved name of every service that the driver offers."""
        power, gripper = self.power, self.commands.gripper
        names = (*power.start, *power.fault, *power.end)
        services = {self.resolved(name): "std_srvs/srv/Trigger" for name in names}
        if gripper.type == "service":
            services[self.resolved(gripper.topic)] = gripper.service
        return services


def load_driver(name: str | Path) -> Driver:
    """Load config/drivers/<name>.yaml or the file given; raises ConfigError."""
    return load_yaml(find_config("drivers", str(name)), Driver)
