"""What is wrong between a driver file and what a live graph says: a sentence each, with a cure."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hrl_core import topics
from hrl_core.robot import Robot
from hrl_driver.names import Frames, Joints
from hrl_driver.profile import Driver, Quality

SLOW = 0.8  # of the rate that is needed; less is said
LATE = 0.5  # s between a stamp and now; further apart are clocks that differ
WANTED: dict[Quality, tuple[str, ...]] = {  # what satisfies who relies on a quality
    "best_effort": ("best_effort", "reliable", "latched"),
    "reliable": ("reliable", "latched"),
    "latched": ("latched",),
}


@dataclass(frozen=True)
class Expected:
    """A topic as the driver file has it."""

    name: str  # resolved
    type: str
    key: str  # of the driver file, where its name is
    frame: str = ""  # with the prefix; empty: any
    rate: float = 0.0  # Hz; 0: whenever it likes
    quality: Quality = "best_effort"
    stamped: bool = True


@dataclass
class Heard:
    """What a topic of the graph is and says."""

    types: set[str] = field(default_factory=set)
    qualities: set[str] = field(default_factory=set)  # of its publishers
    count: int = 0
    rate: float = 0.0  # Hz, by its stamps
    frames: set[str] = field(default_factory=set)
    age: float = 0.0  # s, how far the newest stamp was behind now when it came


@dataclass
class Graph:
    """What a look at a live graph has found."""

    heard: dict[str, Heard] = field(default_factory=dict)  # by topic; a type: somebody publishes
    all_topics: dict[str, str] = field(default_factory=dict)  # type by name
    listeners: dict[str, set[str]] = field(default_factory=dict)  # types by topic
    services: dict[str, str] = field(default_factory=dict)  # type by name
    actions: dict[str, str] = field(default_factory=dict)
    joints: set[str] = field(default_factory=set)  # as the driver names them
    focal: dict[str, float] = field(default_factory=dict)  # pixels, by topic of camera_info
    encodings: dict[str, str] = field(default_factory=dict)  # by topic of a picture
    children: set[str] = field(default_factory=set)  # child frames of odometry, by our names
    why_no_transform: Callable[[str, str], str] = lambda target, source: ""
    wrong_field: str = ""  # why the field of the emergency stop is not found


def expected_topics(driver: Driver) -> Iterator[Expected]:
    """Every topic that the driver should publish."""
    sensors, resolved = driver.sensors, driver.resolved

    def one(key: str, source, kind: str) -> Expected:
        frame = source.frame and driver.frame(source.frame)
        name = resolved(source.topic)
        return Expected(name, kind, f"{key}.topic", frame, source.rate, source.quality)

    for k, source in enumerate(sensors.joint_states.sources):
        yield one(f"sensors.joint_states.sources.{k}", source, topics.JOINT_STATES.type)
    yield one("sensors.odometry", sensors.odometry, topics.ODOMETRY.type)
    if sensors.imu is not None:
        yield one("sensors.imu", sensors.imu, topics.IMU.type)
    for k, source in enumerate(sensors.scans):
        yield one(f"sensors.scans.{k}", source, f"sensor_msgs/msg/{source.type}")
    for name, camera in sensors.cameras.items():
        kinds = [topics.image(name).type, topics.depth(name).type, topics.camera_info(name).type]
        if camera.compressed:
            kinds[:2] = ["sensor_msgs/msg/CompressedImage"] * 2
        parts = ("image", "depth", "camera_info")
        for topic, kind, part in zip(camera.topics(), kinds, parts, strict=True):
            key, frame = f"sensors.cameras.{name}.{part}", driver.frame(camera.frame)
            yield Expected(resolved(topic), kind, key, frame, camera.rate, camera.quality)
    if sensors.e_stop is not None:
        stop = sensors.e_stop
        name = resolved(stop.topic)
        yield Expected(
            name, stop.type, "sensors.e_stop.topic", "", 0.0, stop.quality, stamped=False
        )
    for key, name in (("tf", sensors.tf), ("tf_static", sensors.tf_static)):
        yield Expected(resolved(name), topics.TF.type, f"sensors.{key}", stamped=False)


def findings(driver: Driver, robot: Robot, graph: Graph) -> dict[str, str]:
    """By what it is about: what is wrong and what to change; "": nothing is."""
    found = {
        expected.name: _topic(expected, graph.heard.get(expected.name, Heard()), graph, driver)
        for expected in expected_topics(driver)
    }
    for part in (_commands, _services, _joints, _transforms, _cameras, _e_stop):
        for subject, sentence in part(driver, robot, graph):
            found[subject] = "; ".join(text for text in (found.get(subject), sentence) if text)
    return found


def _topic(expected: Expected, heard: Heard, graph: Graph, driver: Driver) -> str:
    name, key = expected.name, expected.key
    if not heard.types:
        near = _near(name, [n for n, kind in graph.all_topics.items() if kind == expected.type])
        return f"nobody publishes {name}: start the driver{near}, or change {key}"
    if expected.type not in heard.types:
        types = ", ".join(sorted(heard.types))
        return f"{name} is published as {types}: the driver file says {expected.type}; change it"
    if not heard.qualities & {*WANTED[expected.quality]}:
        offered = ", ".join(sorted(heard.qualities))
        return (
            f"{name} is offered {offered}: the driver file relies on {expected.quality}; change "
            f"quality beside {key}, or the driver"
        )
    if not heard.count:
        return f"{name} is silent: see that the driver is connected to the robot"
    if expected.frame and heard.frames != {expected.frame}:
        frames = ", ".join(repr(frame) for frame in sorted(heard.frames))
        return (
            f"{name} has header.frame_id = {frames}: the driver file says {expected.frame!r}; "
            f"change frame beside {key}, or frame_prefix"
        )
    if expected.rate and heard.rate < SLOW * expected.rate:
        return (
            f"{name} comes at {heard.rate:.1f} Hz: {expected.rate:g} Hz are needed; raise it in "
            "the driver"
        )
    if expected.stamped and abs(heard.age) > LATE:
        where = "behind" if heard.age > 0 else "ahead of"
        return (
            f"{name} has stamps {abs(heard.age):.1f} s {where} now: let both computers keep one "
            "time (chrony)"
        )
    return ""


def _commands(driver: Driver, robot: Robot, graph: Graph) -> Iterator[tuple[str, str]]:
    commands = driver.commands
    kinds = {
        "Twist": "geometry_msgs/msg/Twist",
        "TwistStamped": topics.CMD_VEL.type,
        "JointState": topics.JOINT_STATES.type,
        "JointTrajectory": topics.ARM.type,
    }
    for part in ("base", "arm", "gripper"):
        command = getattr(commands, part)
        if command.type not in kinds:
            continue
        name, wanted = driver.resolved(command.topic), kinds[command.type]
        types = graph.listeners.get(name, set())
        sentence = ""
        if not types:
            sentence = (
                f"nobody listens to {name}: start the driver, or change commands.{part}.topic"
            )
        elif wanted not in types:
            sentence = (
                f"{name} is listened to as {', '.join(sorted(types))}: the driver file says "
                f"{wanted}; change commands.{part}.type"
            )
        yield name, sentence


def _services(driver: Driver, robot: Robot, graph: Graph) -> Iterator[tuple[str, str]]:
    for what, wanted, there in (
        ("service", driver.services(), graph.services),
        ("action", driver.actions(), graph.actions),
    ):
        for name, kind in wanted.items():
            sentence = ""
            if name not in there:
                near = _near(name, [n for n, other in there.items() if other == kind])
                sentence = f"nobody offers the {what} {name}: start the driver{near}, or change it"
            elif there[name] != kind:
                sentence = f"the {what} {name} is a {there[name]}: the driver file says {kind}"
            yield name, sentence


def _joints(driver: Driver, robot: Robot, graph: Graph) -> Iterator[tuple[str, str]]:
    joints = Joints(driver.sensors.joint_states)
    ours = {joints.ours(name) for name in graph.joints}
    missing = [joints.theirs(name) for name in robot.joints if name not in ours]
    sentence = ""
    if missing and graph.joints:
        sentence = (
            f"joint states lack {', '.join(missing)}: there are {', '.join(sorted(graph.joints))}; "
            "change sensors.joint_states.joints or prefix"
        )
    yield "joints", sentence


def _transforms(driver: Driver, robot: Robot, graph: Graph) -> Iterator[tuple[str, str]]:
    frames, sensors = Frames(driver), driver.sensors
    needed = {camera.frame for camera in sensors.cameras.values()}
    needed |= {source.data_frame or source.frame for source in sensors.scans}
    needed |= {sensors.imu.frame} if sensors.imu is not None else set()
    needed |= {child for child in graph.children if child not in (topics.ODOM, topics.BASE)}
    for frame in sorted(needed - {""}):
        ours = frames.ours(frame)
        why = graph.why_no_transform(topics.BASE, ours) if ours != topics.BASE else ""
        base, full = driver.frame(topics.BASE), driver.frame(frame)
        yield (
            f"tf {full}",
            why
            and f"tf does not lead from {base} to {full} ({why}): change frames or frame_prefix, "
            "or let robot_state_publisher run with the robot's URDF",
        )


def _cameras(driver: Driver, robot: Robot, graph: Graph) -> Iterator[tuple[str, str]]:
    for name in robot.cameras:
        camera = driver.sensors.cameras.get(name)
        if camera is None:
            yield (
                f"camera {name}",
                f"the driver file has no camera {name}: add sensors.cameras.{name}",
            )
            continue
        info = driver.resolved(camera.camera_info)
        if info in graph.focal and not graph.focal[info] > 0:
            yield info, f"{info} has k[0] = {graph.focal[info]:g}: calibrate the camera"
        for topic, wanted in (
            (camera.image, camera.image_encoding),
            (camera.depth, camera.depth_encoding),
        ):
            topic = driver.resolved(topic)
            is_ = graph.encodings.get(topic, wanted)
            if is_ != wanted:
                yield topic, f"{topic} has encoding {is_}: the driver file says {wanted}; change it"


def _e_stop(driver: Driver, robot: Robot, graph: Graph) -> Iterator[tuple[str, str]]:
    stop = driver.sensors.e_stop
    if stop is None:
        yield (
            "emergency stop",
            "the driver file has no sensors.e_stop: our nodes cannot know of the robot's emergency "
            "stop; name its topic, or publish e_stop from the button",
        )
    elif graph.wrong_field:
        yield driver.resolved(stop.topic), f"{graph.wrong_field}; change sensors.e_stop.field"


def _near(name: str, known: list[str]) -> str:
    """What may have been meant, in a sentence; empty: nothing is like it."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" (there is {near[0]})" if near else ""
