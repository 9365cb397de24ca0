"""The plant over ROS: sensors, commands, services. Each test begins with a reset."""

import math

import numpy as np
import pytest

from hrl_core import topics
from hrl_core.ros.convert import seconds, stamp_msg
from hrl_core.ros.qos import interface
from tests.ros.helpers import ask, wait_for

PLANT = "hrl_sim_bridge.ros.bridge_node"


def stamp(message) -> float:
    return seconds(message.header.stamp)


@pytest.fixture
def call(probe):
    """call(service of hrl_core.topics, **request) -> response"""
    clients = {}

    def call(service, **request):
        name, kind = service
        if name not in clients:
            clients[name] = probe.create_client(interface(kind), name)
        return ask(clients[name], interface(kind).Request(**request))

    yield call
    for client in clients.values():
        probe.destroy_client(client)


@pytest.fixture(scope="module")
def node(start_node_for_module):
    """The plant of all these tests, paused, as fast as it can."""
    return start_node_for_module(PLANT, "plant", paused=True, realtime_factor=0.0)


@pytest.fixture
def plant(node, listen, call):
    """The truth of the paused plant at the start of a trial."""
    truth = listen(topics.PLANT_TRUTH)
    call(topics.RESET_PLANT, world="", seed=0, paused=True)

    def heard() -> bool:
        end = seconds(call(topics.STEP_PLANT, ticks=1).stamp)
        return bool(truth.messages) and stamp(truth.messages[-1]) == end

    wait_for(heard, "the plant's truth", 60)
    return truth


def twist(vx: float, wz: float = 0.0, frame: str = "base_link"):
    message = interface(topics.CMD_VEL.type)()
    message.header.frame_id = frame
    message.twist.linear.x, message.twist.angular.z = vx, wz
    return message


def arm(names, positions, end: float = 0.5):
    from rclpy.duration import Duration
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    point = JointTrajectoryPoint(
        positions=positions, time_from_start=Duration(seconds=end).to_msg()
    )
    return JointTrajectory(joint_names=names, points=[point])


def said(reports, topic: str, part: str) -> bool:
    """Whether the plant's diagnostics tell of a refusal from a topic, and of why."""
    values = [value for m in list(reports.messages) for value in m.status[0].values]
    return any(v.key == f"{topics.FAULT}refused from {topic}" and part in v.value for v in values)


def until_it_moves(truth, call, publish) -> None:
    """Command the robot until it walks: the plant's side of discovery may take a second or two."""

    def moves() -> bool:
        publish(topics.CMD_VEL, twist(0.4))
        call(topics.STEP_PLANT, ticks=1)
        return truth.messages[-1].velocity.linear.x > 0.1

    wait_for(moves, "the robot to walk")


def test_a_paused_plant_advances_by_the_ticks_that_are_asked_for(plant, call, listen):
    truth = plant
    clock = listen(topics.CLOCK)
    start = stamp(truth.messages[-1])
    answer = call(topics.STEP_PLANT, ticks=3)
    assert answer.ok and seconds(answer.stamp) == pytest.approx(start + 0.3)
    truth.wait(lambda m: stamp(m) == seconds(answer.stamp))
    assert call(topics.PAUSE_PLANT, data=False).success
    truth.wait(lambda m: stamp(m) > start + 1.0)
    clock.wait(lambda m: seconds(m.clock) > start + 1.0)
    answer = call(topics.STEP_PLANT, ticks=3)
    assert not answer.ok and "pause it first" in answer.detail


def test_sensors_come_with_one_stamp_at_their_rates_and_frames(plant, call, listen):
    sensors = [
        listen(topic)
        for topic in (topics.SCAN, topics.IMU, topics.JOINT_STATES, topics.ODOMETRY, topics.TF)
    ]
    pictures = [
        listen(kind(name))
        for name in topics.CAMERAS
        for kind in (topics.image, topics.depth, topics.camera_info)
    ]
    fixed = listen(topics.TF_STATIC)

    def heard() -> bool:
        call(topics.STEP_PLANT, ticks=2)
        return all(len(listener.messages) >= 4 for listener in (*sensors, *pictures))

    wait_for(heard, "all sensors", 60)
    end = seconds(call(topics.STEP_PLANT, ticks=4).stamp)
    for listener in sensors[:-1]:
        last = listener.wait(lambda m: stamp(m) == end)
        assert stamp(last) - stamp(listener.messages[-2]) == pytest.approx(0.1)
        assert last.header.frame_id == listener.topic.frame
    moving = sensors[-1].wait(lambda m: seconds(m.transforms[0].header.stamp) == end)
    assert moving.transforms[0].header.frame_id == "odom"
    assert moving.transforms[0].child_frame_id == "base_link"
    for listener in pictures:
        listener.wait(lambda m: stamp(m) >= end - 0.15)
        assert stamp(listener.messages[-1]) - stamp(listener.messages[-2]) == pytest.approx(0.2)
        assert listener.messages[-1].header.frame_id == listener.topic.frame
    fixed.wait()
    children = {t.child_frame_id for m in fixed.messages for t in m.transforms}
    assert {"lidar_link", "camera_optical_frame"} <= children


def test_the_base_walks_as_commanded_and_stands_when_commands_stay_away(plant, call, publish):
    truth = plant
    until_it_moves(truth, call, publish)
    start = truth.messages[-1].base.position
    for _ in range(15):
        publish(topics.CMD_VEL, twist(0.5))
        call(topics.STEP_PLANT, ticks=1)
    walked = truth.messages[-1].base.position
    assert math.hypot(walked.x - start.x, walked.y - start.y) > 0.3
    end = seconds(call(topics.STEP_PLANT, ticks=20).stamp)
    speed = truth.wait(lambda m: stamp(m) == end).velocity.linear
    assert math.hypot(speed.x, speed.y) < 0.1


@pytest.mark.parametrize(
    "wrong, part",
    [
        (twist(float("nan")), "nan"),
        (twist(0.5, frame="map"), "'map'"),
    ],
)
def test_a_wrong_velocity_is_refused_and_the_robot_stands(
    plant, call, publish, listen, wrong, part
):
    truth, reports = plant, listen(topics.DIAGNOSTICS)
    until_it_moves(truth, call, publish)

    def refused() -> bool:
        publish(topics.CMD_VEL, wrong)
        return said(reports, "cmd_vel", part)

    wait_for(refused, "the refusal")
    end = seconds(call(topics.STEP_PLANT, ticks=15).stamp)
    speed = truth.wait(lambda m: stamp(m) == end).velocity.linear
    assert math.hypot(speed.x, speed.y) < 0.1


@pytest.mark.parametrize(
    "stamped, part",
    [(-0.5, "header.stamp is 0.50 s old: allowed are 0.3 s"), (100.0, "100.00 s ahead")],
)
def test_a_velocity_of_another_time_is_not_obeyed(plant, call, publish, listen, stamped, part):
    truth, reports = plant, listen(topics.DIAGNOSTICS)
    until_it_moves(truth, call, publish)

    def refused() -> bool:
        end = seconds(call(topics.STEP_PLANT, ticks=1).stamp)
        message = twist(0.5)
        message.header.stamp = stamp_msg(end + stamped)
        publish(topics.CMD_VEL, message)
        return said(reports, "cmd_vel", part)

    wait_for(refused, "the refusal")
    for _ in range(15):
        refused()
    end = seconds(call(topics.STEP_PLANT, ticks=1).stamp)
    speed = truth.wait(lambda m: stamp(m) == end).velocity.linear
    assert math.hypot(speed.x, speed.y) < 0.1


def test_the_arm_follows_a_trajectory_and_wrong_ones_are_refused(plant, call, publish, listen):
    from hrl_core.robot import load_robot

    robot, joints = load_robot(), listen(topics.JOINT_STATES)
    reports = listen(topics.DIAGNOSTICS)
    ready = list(robot.arm.poses["ready"])
    names = list(robot.arm.joints)

    def reached() -> bool:
        publish(topics.ARM, arm(names[::-1], ready[::-1], end=1.5))
        call(topics.STEP_PLANT, ticks=1)  # so that it has surely come
        end = seconds(call(topics.STEP_PLANT, ticks=25).stamp)
        now = joints.wait(lambda m: stamp(m) == end).position[robot.arm_slice]
        return np.allclose(now, ready, atol=0.05)

    wait_for(reached, "the arm at the end of its trajectory")
    for wrong, part in (
        (arm(names[:-1], ready[:-1]), "joint_names"),
        (arm(names, ready[:-1]), "points[0].positions has 5 values"),
        (arm(names, [float("inf"), *ready[1:]]), "inf"),
        (arm(names, ready, end=-1.0), "time_from_start"),
    ):

        def refused(wrong=wrong, part=part):
            publish(topics.ARM, wrong)
            return said(reports, topics.ARM.name, part)

        wait_for(refused, f"a refusal with {part}")


def test_a_reset_gives_the_same_trial_again(plant, call, publish, listen):
    truth = plant
    runs = []
    until_it_moves(truth, call, publish)
    for _ in range(2):
        truth.messages.clear()
        answer = call(topics.RESET_PLANT, world="", seed=7, paused=True)
        assert answer.ok, answer.detail
        truth.wait(lambda m: stamp(m) == 0.1)
        for _ in range(8):
            publish(topics.CMD_VEL, twist(0.4, 0.3))
            call(topics.STEP_PLANT, ticks=1)
        truth.wait(lambda m: stamp(m) == pytest.approx(0.9))
        poses = {round(stamp(m), 6): m.base for m in truth.messages}
        runs.append([(t, p.position.x, p.position.y, p.orientation.z) for t, p in poses.items()])
    assert len(runs[0]) == 9 and runs[0] == runs[1]
    answer = call(topics.RESET_PLANT, world="atlantis", seed=0, paused=True)
    assert not answer.ok and "'atlantis'" in answer.detail


def test_faults_are_injected_and_wrong_ones_refused(plant, call, listen):
    answer = call(topics.INJECT_FAULT, kind="earthquake")
    assert not answer.ok and "'earthquake'" in answer.detail and "lidar_outage" in answer.detail
    answer = call(topics.INJECT_FAULT, kind="camera_outage", target="left_eye")
    assert not answer.ok and "hand_camera" in answer.detail
    answer = call(topics.INJECT_FAULT, kind="lidar_outage", duration=-1.0)
    assert not answer.ok and "duration = -1.0" in answer.detail
    scan, odometry = listen(topics.SCAN), listen(topics.ODOMETRY)

    def heard() -> bool:
        call(topics.STEP_PLANT, ticks=1)
        return bool(scan.messages and odometry.messages)

    wait_for(heard, "scan and odometry")
    assert call(topics.INJECT_FAULT, kind="lidar_outage", start=0.0, duration=0.5).ok
    call(topics.STEP_PLANT, ticks=1)
    before = len(scan.messages)
    end = seconds(call(topics.STEP_PLANT, ticks=3).stamp)
    odometry.wait(lambda m: stamp(m) == end)
    assert len(scan.messages) == before
    end = seconds(call(topics.STEP_PLANT, ticks=3).stamp)
    scan.wait(lambda m: stamp(m) == end)
