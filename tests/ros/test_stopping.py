"""Who watches whom: what stops a robot when a button is pressed, or a node or a sensor is gone."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.outcomes import Code
from hrl_core.ros.convert import seconds
from hrl_core.ros.qos import interface, publisher_qos
from tests.ros.fake_robot import FakeRobot
from tests.ros.helpers import wait_for
from tests.ros.skill_client import ABORTED, Client, goal, stage, stands_still

E_STOP_WITHIN = 0.2  # s of ROS time, from the message to the zero command


@pytest.fixture
def robot(probe):
    robot = FakeRobot(probe, period=TICK)  # sensors that are late end a goal, too
    yield robot
    robot.stop()


@pytest.fixture(scope="module")
def server(start_node_for_module):
    return start_node_for_module("hrl_skills.ros.skill_node", "walk", skill="walk")


@pytest.fixture
def walking(robot, probe, listen, server):
    """A robot that walks slowly: client, its goal's handle, commands."""
    stage(robot, "walk")
    robot.pace = 0.15
    client, commands = Client(probe, "walk"), listen(topics.CMD_VEL)
    wait_for(lambda: client.ready() and "accepts goals" in server.output, "the server", 60)
    handle = client.accepted_soon(goal("walk"))
    wait_for(lambda: commands.messages and not stands_still(commands.messages[-1]), "the walk")
    yield client, handle, commands
    handle.cancel_goal_async()


def aborted(client, handle, code: Code) -> str:
    status, result = client.result(handle)
    assert (status, result.code) == (ABORTED, code), result.detail
    return result.detail


@pytest.mark.parametrize("purpose", ["event", "latched"])
def test_an_emergency_stop_of_any_publisher_stops_at_once(purpose, walking, robot, probe):
    from std_msgs.msg import Bool

    client, handle, commands = walking
    qos = publisher_qos(replace(topics.E_STOP, purpose=purpose))
    button = probe.create_publisher(Bool, topics.E_STOP.name, qos)
    try:
        wait_for(lambda: button.get_subscription_count() >= 1, "the server to hear the button")
        with robot.standing_time():  # however slow this computer is
            pressed = robot.time
            button.publish(Bool(data=True))
            commands.wait(lambda m: stands_still(m) and seconds(m.header.stamp) >= pressed - 0.1)
        aborted(client, handle, Code.E_STOP)
        after = [m for m in commands.messages if seconds(m.header.stamp) > pressed + E_STOP_WITHIN]
        assert all(stands_still(m) for m in after) and stands_still(commands.messages[-1])
        button.publish(Bool(data=False))
        client.accepted_soon(goal("walk")).cancel_goal_async()
    finally:
        probe.destroy_publisher(button)


def test_nobody_at_the_emergency_stop_is_seen_in_diagnostics(walking, listen):
    def tells(message) -> bool:
        values = {v.key: v.value for s in message.status if s.name == "/walk" for v in s.values}
        return values.get("e_stop") == "not pressed; published by nobody"

    listen(topics.DIAGNOSTICS).wait(tells)


def test_a_client_that_never_said_that_it_lives_is_not_missed_and_one_that_did_is(
    walking, probe, publish
):
    client, handle, commands = walking
    ended = handle.get_result_async()
    time.sleep(2.0)
    assert not ended.done(), ended.result().result.result
    publish(topics.GOAL_ALIVE, handle.goal_id)
    assert "limit 1.0 s" in aborted(client, handle, Code.CLIENT_LOST)
    assert stands_still(commands.messages[-1])


def test_a_base_that_does_not_follow_is_said_with_those_who_listen(walking, robot):
    client, handle, _ = walking
    robot.pace = 0.0
    detail = aborted(client, handle, Code.BASE_NOT_FOLLOWING)
    assert "the base does not follow: commanded 0." in detail
    assert "odometry 0.00 m/s over 4 s" in detail
    assert "/probe listens to cmd_vel as geometry_msgs/msg/TwistStamped" in detail


def test_a_driver_that_takes_another_type_is_named():
    from hrl_skills.ros.listeners import listeners

    driver = SimpleNamespace(
        node_namespace="/", node_name="driver", topic_type="geometry_msgs/msg/Twist"
    )
    node = SimpleNamespace(get_subscriptions_info_by_topic=lambda name: [driver])
    assert listeners(cast(Any, node), topics.CMD_VEL) == (
        "nobody listens to cmd_vel as geometry_msgs/msg/TwistStamped, "
        "but /driver as geometry_msgs/msg/Twist"
    )


def test_a_twist_in_another_frame_than_it_says_is_a_lost_odometry(walking, robot, server):
    client, handle, commands = walking
    client.result(handle) if handle.cancel_goal_async() else None
    robot.stand_at(np.array([4.5, 5.0, np.pi]))
    robot.pace, robot.twist_in_odom = 1.0, True
    handle = client.accepted_soon(goal("walk"))
    detail = aborted(client, handle, Code.SENSOR_LOST)
    assert "odom cannot be used: twist.twist disagrees with pose.pose: over 1.0 s" in detail
    assert "allowed are differences of 0.25 m/s" in detail
    assert stands_still(commands.messages[-1])


def test_a_jump_of_the_odometry_is_said_and_ends_the_goal(walking, robot):
    client, handle, commands = walking
    robot.pose = robot.pose + np.array([0.0, 0.8, 0.0])
    detail = aborted(client, handle, Code.SENSOR_LOST)
    assert "odom cannot be used: pose.pose jumped by 0.8" in detail
    assert stands_still(commands.messages[-1])
    client.accepted_soon(goal("walk")).cancel_goal_async()  # the next goal starts anew


def test_a_stamp_that_is_a_little_old_is_no_reset_and_a_reset_says_by_how_much(
    walking, robot, probe
):
    client, handle, commands = walking
    kind = interface(topics.ODOMETRY.type)
    late = probe.create_publisher(kind, topics.ODOMETRY.name, publisher_qos(topics.ODOMETRY))
    try:
        wait_for(late.get_subscription_count, "the server")
        for _ in range(5):
            message = robot.messages()[topics.ODOMETRY.name]
            message.header.stamp.nanosec = max(0, message.header.stamp.nanosec - 50_000_000)
            late.publish(message)
        before = len(commands.messages)
        wait_for(lambda: len(commands.messages) > before + 10, "the walk to go on")
    finally:
        probe.destroy_publisher(late)
    with robot.standing_time():
        robot.time -= 5.0
    detail = aborted(client, handle, Code.SENSOR_LOST)
    assert "ROS time went back: header.stamp of" in detail and "by 4." in detail
