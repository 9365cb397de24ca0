"""Approvals over ROS: asked with pictures, answered, expired, withdrawn, written down."""

import subprocess
import sys

import pytest

from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.outcomes import Code
from tests.ros.helpers import wait_for
from tests.ros.master_site import MasterSite
from tests.ros.skill_client import ABORTED, CANCELED, SUCCEEDED

PATIENCE = 15.0  # s of ROS time, 6 s of the clock


@pytest.fixture(scope="module")
def site(probe, start_node_for_module, tmp_path_factory):
    """With one master for all these tests."""
    site = MasterSite(probe, start_node_for_module, tmp_path_factory.mktemp("account"))
    site.start_master(risk_tiers="['grasp:A2=3']", approval_timeout=PATIENCE)
    yield site
    site.close()


@pytest.fixture(autouse=True)
def anew(site):
    site.begin()
    for messages in (site.approvals.messages, site.skills.begun, site.skills.done):
        messages.clear()


def test_a_grasp_that_needs_approval_runs_only_after_a_yes(site):
    handle = site.send("asks")
    asked = site.approvals.wait(lambda m: m.cameras, 60)
    assert (asked.what, asked.tier, asked.state) == ("grasp can", 3, asked.PENDING)
    assert "risk tier 3, from 3 on a person has to approve" in asked.why
    assert bytes(asked.pictures[0].data[:3]) == b"\xff\xd8\xff"
    assert [a.id for a in site.call(topics.LIST_APPROVALS).approvals] == [asked.id]
    assert "grasp" not in site.skills.begun
    wrong = site.call(topics.ANSWER_APPROVAL, id="nonsense", approve=True, by="Ada")
    assert not wrong.ok and f"unknown approval 'nonsense'; pending: {asked.id}" in wrong.detail
    command = [sys.executable, "-m", "hrl_bringup.ros.approvals_node", "approve", asked.id]
    command += ["--by", "Ada", "--comment", "clear"]
    with site.robot.standing_time():
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert answer.stdout == "grasp can approved by Ada: clear\n", answer.stderr
    status, result = site.result(handle)
    assert (status, result.code) == (SUCCEEDED, Code.SUCCEEDED), result.detail
    late = site.call(topics.ANSWER_APPROVAL, id=asked.id, approve=False, by="Bob")
    assert not late.ok and "has ended already: approved by Ada" in late.detail
    answers = site.rows("SELECT verdict, by, comment, counted FROM answers")
    assert [tuple(row) for row in answers] == [
        ("approved", "Ada", "clear", 1),
        ("denied", "Bob", "", 0),
    ]


def test_no_answer_and_denials_mean_no_and_three_of_them_hand_over(site):
    handle = site.send("alone")
    site.approvals.wait(lambda m: m.state == m.EXPIRED, 60)
    for _ in range(2):
        known = {m.id for m in site.approvals.messages if m.state != m.PENDING}
        asked = site.approvals.wait(lambda m, known=known: m.id not in known, 60)
        assert site.call(topics.ANSWER_APPROVAL, id=asked.id, approve=False, by="Bob").ok
        site.approvals.wait(lambda m, asked=asked: m.id == asked.id and m.state == m.DENIED)
    status, result = site.result(handle)
    assert (status, result.code) == (ABORTED, Code.MISSION_FAILED), result.detail
    assert result.results[0].code == Code.HANDED_OVER
    assert "denied by Bob" in result.results[0].detail
    assert "grasp" not in site.skills.begun
    query = "SELECT verdict FROM answers JOIN approvals ON id = approval WHERE mission = 'alone'"
    assert [row["verdict"] for row in site.rows(query)] == ["expired", "denied", "denied"]
    package = site.handovers.wait(lambda m: m.mission_id == "alone")
    assert not package.holding and package.cameras == ["camera", "hand_camera"]


def test_a_mission_that_is_cancelled_while_it_waits_for_an_answer_ends_at_once(site):
    handle = site.send("cancelled")
    site.approvals.wait(lambda m: m.state == m.PENDING, 60)
    handle.cancel_goal_async()
    status, result = site.result(handle)
    assert (status, result.code) == (CANCELED, Code.CANCELED)
    site.approvals.wait(lambda m: m.state == m.WITHDRAWN)
    assert "grasp" not in site.skills.begun


def test_an_order_that_begins_with_something_in_the_gripper_is_handed_over(site):
    site.robot.hold_something()
    known = site.robot.time + 10 * TICK  # by then every node has heard of it
    wait_for(lambda: site.robot.time > known, "ten more ticks")
    status, result = site.result(site.send("full"))
    assert status == ABORTED and result.results[0].code == Code.HANDED_OVER
    assert "already holds something that this order did not fetch" in result.results[0].detail
    assert site.skills.begun == []
    assert site.handovers.wait(lambda m: m.mission_id == "full").holding
