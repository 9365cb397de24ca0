"""A skill of another package, beside ours: served, described, asked, used by the master."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_core.ros.convert import stamp_msg
from hrl_core.ros.qos import interface, publisher_qos
from tests.ros.fake_robot import FakeRobot
from tests.ros.helpers import ask, wait_for, wait_for_answers
from tests.ros.skill_client import BIN, SUCCEEDED

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hrl_retreat"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The example as pip installs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(EXAMPLE, folder / "source")  # pip leaves its build there
    options = ["--no-deps", "--no-build-isolation", "--use-pep517", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", folder / "lib", source],
        check=True,
        timeout=120,
    )
    return folder / "lib"


@pytest.fixture
def start_with_example(installed, start_node, monkeypatch):
    """start_node(...), in an environment in which the example is installed."""
    import os

    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    return start_node


@pytest.fixture
def robot(probe):
    robot = FakeRobot(probe)
    robot.stand_at(robot.site.pose_in_front(BIN, robot.site.standoff))
    robot.see_place(BIN)
    clock = probe.create_publisher(
        interface(topics.CLOCK.type), topics.CLOCK.name, publisher_qos(topics.CLOCK)
    )
    timer = probe.create_timer(
        0.02, lambda: clock.publish(interface(topics.CLOCK.type)(clock=stamp_msg(robot.time)))
    )
    yield robot
    probe.destroy_timer(timer)
    probe.destroy_publisher(clock)
    robot.stop()


def call(probe, service, **fields):
    """Call a service of retreat and return its answer."""
    name, kind = service
    client = probe.create_client(interface(kind), name.format(skill="retreat"))
    answer = ask(client, interface(kind).Request(**fields))
    probe.destroy_client(client)
    return answer


def test_its_server_describes_it_estimates_and_runs_it(start_with_example, probe, robot):
    from rclpy.action import ActionClient

    from hrl_msgs.msg import NamedValue

    start_with_example("hrl_skills.ros.skill_node", "retreat", skill="retreat", use_sim_time=True)
    description = call(probe, topics.DESCRIBE_SKILL)
    assert description.action_type == topics.RUN_SKILL
    assert description.provides == ["leave_face"] and description.max_steps == 120
    assert "RETREAT_BLOCKED=501" in description.outcome_codes
    assert description.description.startswith("Skill retreat")
    assert description.parameters[0].startswith("distance_m: how far, m")

    far = [NamedValue(name="distance_m", value=5.0)]
    answer = call(probe, topics.ESTIMATE_SUCCESS, parameters=far)
    assert answer.ok and answer.probability == 0.0
    assert "GOAL_INVALID" in answer.detail and "allowed are 0.1 to 1.5 m" in answer.detail
    answer = call(probe, topics.ESTIMATE_SUCCESS)
    assert not answer.ok and "has no success_model.yaml" in answer.detail
    known = {each.name: each.value for each in answer.conditions}
    assert known["distance_m"] == 0.6 and known["localisation_sd_m"] == pytest.approx(0.01)

    client = ActionClient(probe, interface(topics.RUN_SKILL), "retreat")
    wait_for(client.server_is_ready, "the action retreat", 60)
    wait_for_answers(client, interface(topics.RUN_SKILL).Goal(parameters=far), "retreat")
    before = robot.pose[1]
    near = [NamedValue(name="distance_m", value=0.4)]
    sent = client.send_goal_async(interface(topics.RUN_SKILL).Goal(target=BIN, parameters=near))
    handle = wait_for(lambda: sent.done() and sent.result(), "the answer to the goal")
    assert handle.accepted
    done = handle.get_result_async()
    wait_for(done.done, "the result", 60)
    result = done.result().result.result
    assert (done.result().status, result.code) == (SUCCEEDED, Code.SUCCEEDED), result.detail
    assert result.verdict.confirmed and result.pose.header.frame_id == "map"
    assert before - robot.pose[1] == pytest.approx(0.4, abs=0.1)
    client.destroy()


def test_the_master_finds_it_and_leaves_a_face_with_it_before_it_walks(
    start_with_example, probe, robot, listen
):
    from rclpy.action import ActionClient

    from hrl_msgs.msg import Order

    decisions = listen(topics.DECISIONS)
    start_with_example("hrl_skills.ros.skill_node", "retreat", skill="retreat", use_sim_time=True)
    master = start_with_example(
        "hrl_master.ros.master_node", "master", server_timeout=1.0, use_sim_time=True
    )
    client = ActionClient(probe, interface(topics.ACTIONS["run_mission"]), "run_mission")
    wait_for(client.server_is_ready, "the master", 60)
    wait_for(lambda: "found the skill retreat" in master.output, "the master to find it", 60)
    wait_for(lambda: robot.listeners == 2, "skill and master to hear all sensors")
    wait_for_answers(client, interface(topics.ACTIONS["run_mission"]).Goal(), "the master")
    orders = [Order(item="can", from_bin="A1", to_station="packing")]
    goal = interface(topics.ACTIONS["run_mission"]).Goal(mission_id="out", orders=orders)
    sent = client.send_goal_async(goal)
    handle = wait_for(lambda: sent.done() and sent.result(), "the answer to the mission")
    assert handle.accepted
    first = decisions.wait(lambda m: not m.finished)
    assert (first.skill, first.target) == ("retreat", BIN), first.reason
    ended = decisions.wait(lambda m: m.finished and m.index == 0, 60)
    assert ended.last_result.code == Code.SUCCEEDED and ended.last_result.verdict.confirmed
    assert f"further from {BIN}" in ended.last_result.verdict.sentence
    # Nobody serves a walk here; what matters is that it comes next.
    assert decisions.wait(lambda m: not m.finished and m.index == 1).skill == "walk"
    handle.cancel_goal_async()
    done = handle.get_result_async()
    wait_for(done.done, "the end of the mission", 60)
    client.destroy()
