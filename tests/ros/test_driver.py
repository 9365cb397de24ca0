"""The node between a robot's driver and our topics: the plant as a Spot's driver."""

from array import array
from collections.abc import Callable

import numpy as np
import pytest
import yaml

from hrl_core import topics
from hrl_core.config import config_dir
from hrl_core.robot import load_robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.qos import interface
from hrl_core.topics import Topic
from hrl_driver.checks import findings
from hrl_driver.profile import load_driver
from hrl_driver.ros.look import look_at
from tests.ros.helpers import ask, wait_for

PLANT, NODE = "hrl_sim_bridge.ros.bridge_node", "hrl_driver.ros.driver_node"
PATIENCE = 60.0  # s of wall time for what takes a second on a quiet computer
STOP = Topic("spot/status/estop", "spot_msgs/msg/EStopStateArray", "", "latched")
STANDS, SITS = 0.42, 0.30  # m of the body, at least and at most


@pytest.fixture(scope="module")
def spot(start_node_for_module):
    """The plant as Spot's driver, in real time, and its node."""
    start = start_node_for_module
    plant = start(PLANT, "plant", driver="spot_ros2", world="open_bay", overview_rate=0.0)
    node = start(NODE, "driver", driver="spot_ros2", use_sim_time=True)
    wait_for(lambda: "the robot is up" in node.output, "the robot to be up", 120)
    return plant, node


def twist(x: float, stamp):
    message = interface(topics.CMD_VEL.type)()
    message.header.frame_id, message.header.stamp = topics.BASE, stamp
    message.twist.linear.x = x
    return message


def trajectory(names, positions, stamp):
    message = interface(topics.ARM.type)(joint_names=list(names))
    point = interface("trajectory_msgs/msg/JointTrajectoryPoint")(positions=list(positions))
    point.time_from_start.nanosec = 100_000_000
    message.header.stamp, message.points = stamp, [point]
    return message


def test_what_spots_driver_says_comes_in_our_words(spot, listen, probe):
    robot = load_robot()
    listeners = {
        topic.name: listen(topic)
        for topic in (topics.JOINT_STATES, topics.ODOMETRY, topics.SCAN, topics.E_STOP, topics.TF,
                      topics.image("hand_camera"), topics.depth("hand_camera"))
    }  # fmt: skip
    states = listeners["joint_states"].wait(timeout=PATIENCE)
    joints = sensor_convert.joints_from_msg(states, robot)
    assert np.abs(joints.position[robot.arm_slice] - robot.arm.poses["stow"]).max() < 0.1
    odometry = listeners["odom"].wait(timeout=PATIENCE)
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("odom", "base_link")
    scan = sensor_convert.scan_from_msg(listeners["scan"].wait(timeout=PATIENCE))
    assert np.isfinite(scan.ranges).sum() > 300 and scan.ranges.min() > 0.3
    assert not listeners["e_stop"].wait(timeout=PATIENCE).data
    picture = listeners["hand_camera/image_raw"].wait(timeout=PATIENCE)
    depth = sensor_convert.depth_from_msg(listeners["hand_camera/depth/image_raw"].wait())
    assert (picture.encoding, picture.header.frame_id) == ("bgr8", "hand_color_image_sensor")
    assert 0.05 < np.median(depth[depth > 0]) < 3.0  # m, of 16UC1
    names = {"base_link", "hand_color_image_sensor"}
    listeners["tf"].wait(lambda m: names & {t.child_frame_id for t in m.transforms}, PATIENCE)
    assert not probe.count_publishers("imu")  # it has none, and none is made up


def test_the_base_follows_while_it_is_told_and_stops_by_itself(spot, listen, publish):
    truth, odometry = listen(topics.PLANT_TRUTH), listen(topics.ODOMETRY)

    def walks():
        stamp = odometry.messages[-1].header.stamp if odometry.messages else None
        if stamp is not None:
            publish(topics.CMD_VEL, twist(0.4, stamp))
        moves = truth.messages and truth.messages[-1].velocity.linear.x > 0.2
        # In base_link, whatever its heading in odom.
        return moves and odometry.messages[-1].twist.twist.linear.x > 0.1

    wait_for(walks, "the robot to walk, by the truth and by odometry", PATIENCE)
    truth.wait(lambda m: m is truth.messages[-1] and abs(m.velocity.linear.x) < 0.05, PATIENCE)


def test_arm_and_gripper_follow_through_joint_states_and_a_service(spot, listen, publish):
    robot = load_robot()
    states = listen(topics.JOINT_STATES)
    now = states.wait(timeout=PATIENCE).header.stamp
    target = np.array(robot.arm.poses["stow"]) + [0.2, 0, 0, 0, 0, 0]
    sent = []

    def reached():
        joints = sensor_convert.joints_from_msg(states.messages[-1], robot)
        if len(sent) < len(states.messages):  # once for each state that came
            sent.append(publish(topics.ARM, trajectory(robot.arm.joints, target, now)))
            publish(topics.GRIPPER, trajectory([robot.arm.gripper_joint], [-0.8], now))
        arm = np.abs(joints.position[robot.arm_slice] - target).max() < 0.05
        return arm and abs(joints.position[robot.gripper_index] + 0.8) < 0.1

    wait_for(reached, "the arm to turn and the gripper to open", PATIENCE)


# The doctor


def driver_file(tmp_path, changes: Callable[[dict], None]) -> str:
    content = yaml.safe_load((config_dir() / "drivers" / "spot_ros2.yaml").read_text())
    changes(content)
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(content))
    return str(file)


def sensors(part: str, **values) -> Callable[[dict], None]:
    return lambda content: content["sensors"][part].update(values)


def first(part: str, **values) -> Callable[[dict], None]:
    return lambda content: content["sensors"][part][0].update(values)


# What the file says otherwise than the plant, the subject that is named, words of the sentence.
MISMATCHES: dict[str, tuple[Callable[[dict], None], str, str]] = {
    "topic": (sensors("odometry", topic="odometri"), "spot/odometri", "there is spot/odometry"),
    "type": (
        first("scans", type="LaserScan"), "spot/velodyne/points", "published as sensor_msgs/msg/P",
    ),
    "rate": (sensors("odometry", rate=50.0), "spot/odometry", "50 Hz are needed"),
    "frame": (sensors("odometry", frame="vision"), "spot/odometry", "says 'spot/vision'"),
    "quality": (first("scans", quality="latched"), "spot/velodyne/points", "is offered reliable"),
    "transform": (
        first("scans", data_frame="velodyne"), "tf spot/velodyne",
        "does not lead from spot/body to spot/velodyne",
    ),
    "joints": (
        lambda c: c["sensors"]["joint_states"]["joints"].update(fl_hx="fl.hx"), "joints",
        "lack spot/fl.hx",
    ),
    "emergency stop": (
        sensors("e_stop", topic="estop"), "spot/estop", "nobody publishes spot/estop",
    ),
    "encoding": (
        lambda c: c["sensors"]["cameras"]["hand_camera"].update(image_encoding="rgb8"),
        "spot/camera/hand/image", "has encoding bgr8",
    ),
    "command": (
        lambda c: c["commands"]["base"].update(type="TwistStamped"), "spot/cmd_vel",
        "listened to as geometry_msgs/msg/Twist",
    ),
    "service": (
        lambda c: c["power"].update(end=["kneel"]), "spot/kneel", "nobody offers the service",
    ),
    "stamps": (
        sensors("odometry", topic="late/odometry", quality="reliable"), "spot/late/odometry",
        "s behind now",
    ),
    "calibration": (
        lambda c: c["sensors"]["cameras"]["hand_camera"].update(camera_info="uncalibrated"),
        "spot/uncalibrated", "calibrate the camera",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def relays(spot, probe):
    """Odometry whose stamps are late, and a camera whose calibration says nothing."""
    made = []

    def relay(source: str, target: str, kind: str, spoil) -> None:
        publisher = probe.create_publisher(interface(kind), target, 10)

        def on(message) -> None:
            spoil(message)
            publisher.publish(message)

        made.append((probe.create_subscription(interface(kind), source, on, 10), publisher))

    def late(message) -> None:
        message.header.stamp = convert.stamp_msg(convert.seconds(message.header.stamp) - 5.0)

    def uncalibrated(message) -> None:
        message.k = array("d", [0.0] * 9)

    relay("spot/odometry", "spot/late/odometry", topics.ODOMETRY.type, late)
    info = "sensor_msgs/msg/CameraInfo"
    relay("spot/camera/hand/camera_info", "spot/uncalibrated", info, uncalibrated)
    yield
    for subscription, publisher in made:
        probe.destroy_subscription(subscription)
        probe.destroy_publisher(publisher)


def wrong_with(file: str) -> dict[str, str]:
    driver = load_driver(file)
    found = findings(driver, load_robot(), look_at(driver, 30.0))
    return {subject: sentence for subject, sentence in found.items() if sentence}


def settled(file: str, wanted: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    """What is wrong, once discovery has found all that is there."""
    wrong = wrong_with(file)
    for _ in range(3):
        if wanted(wrong):
            break
        wrong = wrong_with(file)
    return wrong


def test_doctor_finds_nothing_wrong_with_the_plant_as_the_driver(spot):
    assert settled("spot_ros2", lambda wrong: not wrong) == {}


@pytest.mark.parametrize("name", MISMATCHES)
def test_doctor_names_the_mismatch(spot, relays, tmp_path, name):
    changes, subject, words = MISMATCHES[name]
    wrong = settled(driver_file(tmp_path, changes), lambda wrong: list(wrong) == [subject])
    assert list(wrong) == [subject] and words in wrong[subject], wrong


# Faults, after which the robot sits


def test_the_robots_stop_is_ours_it_sits_and_a_person_starts_it_again(spot, listen, probe):
    truth, stops = listen(topics.PLANT_TRUTH), listen(topics.E_STOP)
    state = interface("spot_msgs/msg/EStopState")
    publisher = probe.create_publisher(interface(STOP.type), STOP.name, 1)
    restart = probe.create_client(interface(topics.RESTART_DRIVER[1]), topics.RESTART_DRIVER[0])
    try:
        wait_for(publisher.get_subscription_count, "the node to hear the stop", PATIENCE)

        def press(state_: int) -> None:
            publisher.publish(interface(STOP.type)(estop_states=[state(state=state_)]))

        press(state.STATE_ESTOPPED)
        stops.wait(lambda m: m.data, PATIENCE)
        truth.wait(lambda m: m.base.position.z < SITS, PATIENCE)
        refused = ask(restart, restart.srv_type.Request(), PATIENCE)
        assert not refused.success and "emergency stop" in refused.message
        press(state.STATE_NOT_ESTOPPED)
        stops.wait(lambda m: m is stops.messages[-1] and not m.data, PATIENCE)
        assert truth.messages[-1].base.position.z < SITS  # nobody has said that it may stand up

        def up():
            ask(restart, restart.srv_type.Request(), PATIENCE)  # once more: there is no fault
            return truth.messages[-1].base.position.z > STANDS

        wait_for(up, "the robot to stand", PATIENCE)
        assert not truth.messages[-1].fallen
    finally:
        probe.destroy_publisher(publisher)
        probe.destroy_client(restart)


def test_the_robot_sits_when_the_node_ends(spot, listen):
    truth = listen(topics.PLANT_TRUTH)
    truth.wait(lambda m: m is truth.messages[-1] and m.base.position.z > STANDS, PATIENCE)
    assert spot[1].end(patience=PATIENCE) == 0
    truth.wait(lambda m: m.base.position.z < SITS, PATIENCE)
