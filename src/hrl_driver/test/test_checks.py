"""Each mismatch between a driver file and a graph is one sentence with what to change."""

import re
from collections.abc import Callable

import pytest

from hrl_core.robot import load_robot
from hrl_driver.checks import Graph, Heard, expected_topics, findings
from hrl_driver.names import Joints
from hrl_driver.profile import Driver, load_driver

ODOMETRY, SCAN, STATES = "spot/odometry", "spot/velodyne/points", "spot/joint_states"
PICTURE, INFO = "spot/camera/hand/image", "spot/camera/hand/camera_info"
STOP = "spot/status/estop"


@pytest.fixture(scope="module")
def robot():
    return load_robot()


@pytest.fixture
def spot() -> Driver:
    return load_driver("spot_ros2")


@pytest.fixture
def graph(spot, robot) -> Graph:
    """A graph that is as the driver file says."""
    joints = Joints(spot.sensors.joint_states)
    kinds = {"spot/cmd_vel": "geometry_msgs/msg/Twist"}
    kinds["spot/arm_joint_commands"] = "sensor_msgs/msg/JointState"
    return Graph(
        heard={
            each.name: Heard({each.type}, {each.quality}, 9, 20.0, {each.frame})
            for each in expected_topics(spot)
        },
        all_topics={each.name: each.type for each in expected_topics(spot)},
        listeners={name: {kind} for name, kind in kinds.items()},
        services=spot.services(),
        joints={joints.theirs(name) for name in robot.joints},
        focal={INFO: 300.0},
        encodings={PICTURE: "bgr8"},
        children={"base_link"},
    )


def heard(name: str, **changes) -> Callable[[Graph], None]:
    def change(graph: Graph) -> None:
        for field, value in changes.items():
            setattr(graph.heard[name], field, value)

    return change


def set_to(name: str, key: str, value) -> Callable[[Graph], None]:
    return lambda graph: getattr(graph, name).__setitem__(key, value)


def renamed(graph: Graph) -> None:
    graph.heard[ODOMETRY] = Heard()
    graph.all_topics["spot/odometry_2"] = graph.all_topics.pop(ODOMETRY)


MISMATCHES = {
    "topic": (renamed, ODOMETRY, r"nobody publishes .*there is spot/odometry_2\), or change sens"),
    "type": (heard(SCAN, types={"a/msg/B"}), SCAN, "is published as a/msg/B: .* says sensor_msgs"),
    "rate": (heard(STATES, rate=3.04), STATES, "comes at 3.0 Hz: 10 Hz are needed; raise it"),
    "frame": (
        heard(ODOMETRY, frames={"odom"}), ODOMETRY,
        "frame_id = 'odom': the driver file says 'spot/odom'; change frame beside sensors.odometry",
    ),
    "quality": (
        heard(STATES, qualities={"best_effort"}), STATES,
        "is offered best_effort: the driver file relies on latched; change quality beside sensors",
    ),
    "silent": (heard(SCAN, count=0), SCAN, "is silent: see that the driver is connected"),
    "late": (heard(ODOMETRY, age=12.34), ODOMETRY, r"stamps 12.3 s behind now: .*\(chrony\)"),
    "early": (heard(ODOMETRY, age=-3.0), ODOMETRY, "stamps 3.0 s ahead of now"),
    "transform": (
        lambda graph: setattr(graph, "why_no_transform", lambda a, b: "no link" if "hand" in b
                              else ""),
        "tf spot/hand_color_image_sensor",
        r"does not lead from spot/body to spot/hand_.* \(no link\): change frames or frame_prefix",
    ),
    "joint": (
        lambda graph: graph.joints.remove("spot/arm_f1x"), "joints",
        "joint states lack spot/arm_f1x: .*; change sensors.joint_states.joints or prefix",
    ),
    "calibration": (set_to("focal", INFO, 0.0), INFO, r"has k\[0\] = 0: calibrate the camera"),
    "encoding": (set_to("encodings", PICTURE, "mono8"), PICTURE, "encoding mono8: .* says bgr8"),
    "no emergency stop": (heard(STOP, types=set()), STOP, "nobody publishes spot/status/estop"),
    "field of the stop": (
        lambda graph: setattr(graph, "wrong_field", "it has no state"), STOP,
        "it has no state; change sensors.e_stop.field",
    ),
    "listener": (
        set_to("listeners", "spot/cmd_vel", set()), "spot/cmd_vel",
        "nobody listens to spot/cmd_vel: start the driver, or change commands.base.topic",
    ),
    "type of a listener": (
        set_to("listeners", "spot/cmd_vel", {"geometry_msgs/msg/TwistStamped"}), "spot/cmd_vel",
        "listened to as geometry_msgs/msg/TwistStamped: .* change commands.base.type",
    ),
    "service": (
        lambda graph: graph.services.pop("spot/sit"), "spot/sit",
        "nobody offers the service spot/sit: start the driver",
    ),
    "type of a service": (
        set_to("services", "spot/sit", "a/srv/B"), "spot/sit", "is a a/srv/B: the driver file says",
    ),
}  # fmt: skip


def test_a_graph_as_the_driver_file_says_has_no_mismatch(spot, robot, graph):
    found = findings(spot, robot, graph)
    assert not any(found.values()) and len(found) > 20


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_mismatch_is_told_and_nothing_else(spot, robot, graph, name):
    make, subject, sentence = MISMATCHES[name]
    make(graph)
    wrong = {about: text for about, text in findings(spot, robot, graph).items() if text}
    assert list(wrong) == [subject]
    assert re.search(sentence, wrong[subject]), wrong[subject]


def test_a_driver_file_without_an_emergency_stop_or_a_camera_is_told(robot, graph, spot):
    sensors = spot.sensors.model_copy(update={"e_stop": None, "cameras": {}})
    found = findings(spot.model_copy(update={"sensors": sensors}), robot, graph)
    assert "cannot know of the robot's emergency stop" in found["emergency stop"]
    assert "add sensors.cameras.hand_camera" in found["camera hand_camera"]
