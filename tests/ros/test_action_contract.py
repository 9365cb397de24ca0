"""What every skill server promises, tested on the real skills over a robot without physics."""

import re
import uuid

import numpy as np
import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_core.ros.qos import interface, publisher_qos
from hrl_skills.success_model import load_success_model
from tests.ros.fake_robot import FakeRobot
from tests.ros.helpers import ask, wait_for
from tests.ros.skill_client import (
    ABORTED,
    BIN,
    CANCELED,
    ITEM,
    SKILLS,
    Client,
    goal,
    stage,
    stands_still,
)


@pytest.fixture(scope="module")
def robot(probe):
    robot = FakeRobot(probe)
    yield robot
    robot.stop()


@pytest.fixture(scope="module", params=SKILLS)
def client(request, probe, robot, start_node_for_module):
    """A running server of each skill in turn, and its client."""
    process = start_node_for_module(
        "hrl_skills.ros.skill_node", request.param, skill=request.param, silence=1.5
    )
    client = Client(probe, request.param)

    def up():
        assert process.process.poll() is None, process.output
        return client.ready() and "accepts goals" in process.output

    wait_for(up, f"the {request.param} server", 60)
    yield client
    process.end()


@pytest.fixture
def staged(client, robot, listen):
    """The client, with the robot on stage and its commands listened to."""
    stage(robot, client.skill)
    commands, rejections = listen(topics.CMD_VEL), listen(topics.REJECTIONS)
    since = robot.time
    wait_for(lambda: robot.time > since + 0.5, "fresh sensor data")
    return client, commands, rejections


def test_a_goal_is_accepted_and_gives_feedback_at_every_step_until_it_is_cancelled(staged, robot):
    client, commands, _ = staged
    handle = client.accepted(goal(client.skill))
    wait_for(lambda: len(client.feedback) >= 4, "feedback")
    steps = [progress.step for progress in client.feedback]
    assert steps == list(range(1, len(steps) + 1))
    assert all(p.max_steps >= 100 and 0 <= p.progress <= 1 for p in client.feedback)
    asked = robot.time
    handle.cancel_goal_async()
    status, result = client.result(handle)
    assert status == CANCELED and result.code == Code.CANCELED, result.detail
    assert stands_still(commands.messages[-1])
    stamp = commands.messages[-1].header.stamp
    assert stamp.sec + stamp.nanosec * 1e-9 <= asked + 0.5


def test_a_cancel_right_behind_the_goal_is_obeyed(staged, probe):
    from action_msgs.srv import CancelGoal
    from unique_identifier_msgs.msg import UUID

    client, commands, _ = staged
    goal_id = UUID(uuid=list(uuid.uuid4().bytes))
    sent = client.send(goal(client.skill), goal_uuid=goal_id)
    request = CancelGoal.Request()
    request.goal_info.goal_id = goal_id
    client.cancel.call_async(request)
    handle = wait_for(lambda: sent.done() and sent.result(), "the answer to a goal")
    status, result = client.result(handle)
    assert (status, result.code) == (CANCELED, Code.CANCELED), result.detail
    assert result.steps <= 2
    wait_for(lambda: commands.messages and stands_still(commands.messages[-1]), "the stop")


def test_it_estimates_its_success_while_it_is_idle(staged, probe):
    from hrl_master.ros.convert import question_msg

    client, _, _ = staged
    name, kind = topics.ESTIMATE_SUCCESS
    service = probe.create_client(interface(kind), name.format(skill=client.skill))
    answer = ask(service, question_msg(goal(client.skill)))
    values = [condition.value for condition in answer.conditions]
    assert len(values) > 8 and np.isfinite(values).all()
    chances = load_success_model(client.skill, "spot")
    assert answer.ok == (chances is not None), answer.detail
    if chances is not None:
        assert answer.probability == chances.probability(
            {condition.name: condition.value for condition in answer.conditions}
        )
        assert answer.trials == chances.trials
    wrong = ask(service, question_msg(next(wrong_goals(client.skill))[0]))
    assert wrong.ok and wrong.probability == 0.0 and "GOAL_INVALID" in wrong.detail
    handle = client.accepted(goal(client.skill))
    busy = ask(service, question_msg(goal(client.skill)))
    assert not busy.ok and "runs a goal" in busy.detail
    handle.cancel_goal_async()
    client.result(handle)
    probe.destroy_client(service)


def test_a_second_goal_is_rejected_with_its_reason_and_the_first_goes_on(staged):
    client, _, rejections = staged
    handle = client.accepted(goal(client.skill))
    wait_for(lambda: len(client.feedback) >= 2, "feedback")
    second = client.client.send_goal_async(goal(client.skill))
    assert not wait_for(lambda: second.done() and second.result(), "an answer").accepted
    reason = rejections.wait()
    assert reason.code == Code.NOT_READY and "already runs" in reason.detail
    assert reason.action == client.skill and any(reason.goal_id.uuid)
    count = len(client.feedback)
    wait_for(lambda: len(client.feedback) > count, "more feedback of the first goal")
    handle.cancel_goal_async()
    client.result(handle)


def test_the_bound_ends_a_goal(staged):
    client, commands, _ = staged
    request = goal(client.skill)
    request.max_steps = 3
    status, result = client.result(client.accepted(request))
    assert (status, result.code) == (ABORTED, Code.STEP_LIMIT), result.detail
    assert result.steps == 3 and "3 steps" in result.detail
    assert not result.verdict.confirmed
    assert stands_still(commands.messages[-1])


@pytest.mark.parametrize("sensor", ["scan", "joint_states", "odom", "imu"])
def test_a_lost_sensor_ends_a_goal_by_its_name(staged, robot, sensor):
    client, commands, _ = staged
    handle = client.accepted(goal(client.skill))
    wait_for(lambda: len(client.feedback) >= 2, "feedback")
    robot.silent.add(sensor)
    status, result = client.result(handle)
    assert (status, result.code) == (ABORTED, Code.SENSOR_LOST), result.detail
    assert sensor in result.detail and "limit" in result.detail
    assert stands_still(commands.messages[-1])


def test_silence_of_all_sensors_ends_a_goal_in_the_time_of_the_first(staged, robot):
    client, commands, rejections = staged
    handle = client.accepted(goal(client.skill))
    robot.silent.update(topic.name for topic in (topics.SCAN, topics.IMU, topics.JOINT_STATES))
    robot.silent.update(topic.name for topic in (topics.ODOMETRY, topics.POSE, topics.DETECTIONS))
    status, result = client.result(handle)
    assert (status, result.code) == (ABORTED, Code.SENSOR_LOST), result.detail
    assert re.match(r"joint_states is 0.[34]\d s old, limit 0.3 s", result.detail), result.detail
    assert stands_still(commands.messages[-1])
    sent = client.send(goal(client.skill))
    assert not wait_for(lambda: sent.done() and sent.result(), "an answer").accepted
    assert rejections.wait().code == Code.NOT_READY


def test_a_fall_ends_a_goal(staged, robot):
    client, commands, _ = staged
    handle = client.accepted(goal(client.skill))
    wait_for(lambda: len(client.feedback) >= 2, "feedback")
    robot.up = np.array([0.0, np.sin(1.2), np.cos(1.2)])
    status, result = client.result(handle)
    assert (status, result.code) == (ABORTED, Code.FELL), result.detail
    assert "1.2" in result.detail
    assert stands_still(commands.messages[-1])


def test_the_emergency_stop_ends_a_goal_and_bars_the_next(staged, probe):
    from std_msgs.msg import Bool

    client, commands, rejections = staged
    handle = client.accepted(goal(client.skill))
    wait_for(lambda: len(client.feedback) >= 2, "feedback")
    button = probe.create_publisher(Bool, topics.E_STOP.name, publisher_qos(topics.E_STOP))
    try:
        button.publish(Bool(data=True))
        status, result = client.result(handle)
        assert (status, result.code) == (ABORTED, Code.E_STOP), result.detail
        assert stands_still(commands.messages[-1])
        sent = client.send(goal(client.skill))
        assert not wait_for(lambda: sent.done() and sent.result(), "an answer").accepted
        assert rejections.wait().code == Code.E_STOP
        button.publish(Bool(data=False))
        handle = client.accepted_soon(goal(client.skill))
        handle.cancel_goal_async()
        client.result(handle)
    finally:
        probe.destroy_publisher(button)


def wrong_goals(skill: str):
    """(goal, what the reason has to say)"""
    nan = float("nan")
    if skill == "walk":
        wrong = goal(skill)
        wrong.pose.header.frame_id = "odom"
        yield wrong, "'odom'"
        wrong = goal(skill)
        wrong.pose.pose.position.x = nan
        yield wrong, "nan"
        wrong = goal(skill)
        wrong.pose.pose.orientation.w = 0.0
        yield wrong, "unit quaternion"
        wrong = goal(skill)
        wrong.pose.pose.position.x = 400.0
        yield wrong, "400"
    elif skill == "approach":
        yield interface(topics.ACTIONS[skill]).Goal(target="Z9"), "'Z9'"
        yield interface(topics.ACTIONS[skill]).Goal(target=BIN, standoff=nan), "nan"
        yield interface(topics.ACTIONS[skill]).Goal(target=BIN, standoff=-1.0), "-1"
    elif skill == "grasp":
        yield interface(topics.ACTIONS[skill]).Goal(item="unicorn", bin=BIN), "'unicorn'"
        yield interface(topics.ACTIONS[skill]).Goal(item=ITEM, bin="Z9"), "'Z9'"
    else:
        wrong = goal(skill)
        wrong.station = "moon"
        yield wrong, "'moon'"
        wrong = goal(skill)
        wrong.item = "unicorn"
        yield wrong, "'unicorn'"
        wrong = goal(skill)
        wrong.offset.x = nan
        yield wrong, "nan"
        wrong = goal(skill)
        wrong.item_in_hand.position.z = nan
        wrong.item_in_hand.orientation.w = 1.0
        yield wrong, "nan"
    wrong = goal(skill)
    wrong.max_steps = 100000
    yield wrong, "100000"


def test_a_wrong_goal_is_rejected_with_the_value_and_what_is_allowed(staged):
    client, commands, rejections = staged
    for wrong, part in wrong_goals(client.skill):
        rejections.messages.clear()
        sent = client.send(wrong)
        assert not wait_for(lambda sent=sent: sent.done() and sent.result(), "an answer").accepted
        reason = rejections.wait()
        assert reason.code == Code.GOAL_INVALID, reason.detail
        assert part in reason.detail, reason.detail
    assert not commands.messages


def test_the_server_describes_its_skill(client, probe):
    name, kind = topics.DESCRIBE_SKILL
    service = probe.create_client(interface(kind), name.format(skill=client.skill))
    description = ask(service, interface(kind).Request())
    assert description.name == client.skill and description.max_steps >= 100
    assert description.rate == 10.0 and description.description
    assert "STEP_LIMIT" in description.outcome_codes
    assert description.observation and description.action and description.version
    assert f"skill: {client.skill}" in description.card
