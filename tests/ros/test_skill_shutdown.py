"""A skill server that ends while it runs a goal leaves the robot standing."""

import signal

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from tests.ros.fake_robot import FakeRobot
from tests.ros.helpers import wait_for
from tests.ros.skill_client import ABORTED, Client, goal, stage, stands_still


@pytest.fixture
def robot(probe):
    robot = FakeRobot(probe)
    yield robot
    robot.stop()


@pytest.mark.parametrize(
    "skill, number",
    [
        ("walk", signal.SIGINT),
        ("approach", signal.SIGTERM),
        ("grasp", signal.SIGTERM),
        ("place", signal.SIGINT),
    ],
)
def test_the_end_of_the_server_stops_the_robot_and_ends_the_goal(
    skill, number, robot, probe, listen, start_node
):
    stage(robot, skill)
    process = start_node("hrl_skills.ros.skill_node", skill, skill=skill)
    client, commands = Client(probe, skill), listen(topics.CMD_VEL)
    wait_for(lambda: client.ready() and "accepts goals" in process.output, "the server", 60)
    handle = client.accepted_soon(goal(skill))
    result = handle.get_result_async()
    wait_for(lambda: len(client.feedback) >= 2, "feedback")
    assert process.end(number) == 0, process.output
    wait_for(result.done, "the result of the goal")
    assert result.result().status == ABORTED
    assert result.result().result.result.code == Code.SHUTDOWN
    assert stands_still(commands.messages[-1])
    assert "Traceback" not in process.output
