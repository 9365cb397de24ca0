"""A skill that is killed and comes back, a plant that stands still: what a mission makes of it."""

import numpy as np
import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from tests.ros.fake_robot import SENSORS
from tests.ros.helpers import wait_for
from tests.ros.master_site import MasterSite
from tests.ros.skill_client import stands_still


@pytest.fixture
def walking(probe, start_node, tmp_path, listen):
    """A site whose walks are walked by the real skill, and what starts that."""
    fake = ("approach", "grasp", "place")
    site = MasterSite(probe, start_node, tmp_path, fake, period=0.1)
    commands = listen(topics.CMD_VEL)

    def start():
        commands.messages.clear()
        return start_node("hrl_skills.ros.skill_node", "walk", skill="walk", use_sim_time=True)

    yield site, start, commands
    site.close()


def kill(node) -> None:
    node.kill()
    node.process.returncode = 0


def test_a_crash_costs_one_strike_and_the_restart_none(walking):
    site, start, commands = walking
    walk = start()
    site.robot.pace = 0.3
    site.start_master(skill_timeout=3.0)
    handle = site.send("crash")
    wait_for(lambda: commands.messages and not stands_still(commands.messages[-1]), "the walk")
    kill(walk)
    site.robot.twist[:] = 0.0  # as a base does that hears no cmd_vel any more
    begun = "SELECT skill, made_at FROM decisions WHERE number = 1"
    again = wait_for(lambda: site.rows(begun), "the next decision", 60)[0]
    stood = site.robot.pose.copy()
    start()
    wait_for(lambda: np.hypot(*(site.robot.pose - stood)[:2]) > 0.3, "the next walk", 60)
    (outcome,) = site.rows("SELECT code, detail, ended_at FROM outcomes")
    assert outcome["code"] == Code.INTERNAL_ERROR
    assert "walk has given no sign for" in outcome["detail"]
    # It asks the dead skill once for its chances; the limit is 1 s, and the computer is busy.
    assert again["skill"] == "walk" and again["made_at"] - outcome["ended_at"] < 3.0
    wait_for(handle.cancel_goal_async().done, "the answer to the cancel")
    assert site.result(handle)[1].code == Code.CANCELED


def test_a_skill_that_stays_away_costs_its_order_within_the_limit(walking):
    site, start, commands = walking
    walk = start()
    site.robot.pace = 0.3
    site.start_master(skill_timeout=3.0, server_timeout=4.0)
    handle = site.send("away")
    wait_for(lambda: commands.messages and not stands_still(commands.messages[-1]), "the walk")
    kill(walk)
    _, result = site.result(handle)
    assert result.results[0].code == Code.HANDED_OVER
    assert result.results[0].detail == "no server for walk within 4 s"


@pytest.fixture
def site(probe, start_node, tmp_path):
    site = MasterSite(probe, start_node, tmp_path)
    site.skills.held.add("walk")
    yield site
    site.close()


def test_a_mission_ends_where_ros_time_stands_still(site, listen):
    diagnostics = listen(topics.DIAGNOSTICS)
    site.start_master(time_patience=7.0)
    handle = site.send("paused")
    wait_for(lambda: site.skills.begun == ["walk"], "the walk")
    with site.robot.standing_time():
        diagnostics.wait(
            lambda m: any(
                v.key == topics.FAULT + "ROS time" and "stands still at" in v.value
                for v in m.status[0].values
            )
        )
        _, result = site.result(handle)
    assert result.code == Code.MISSION_FAILED and "ROS time stands still at" in result.detail
    assert [order.code for order in result.results] == [Code.HANDED_OVER]
    assert site.handovers.wait(lambda m: m.mission_id == "paused").holding is False
    assert site.ended("paused")[0] == Code.HANDED_OVER
    site.skills.held.clear()
    assert site.send("later").accepted  # time goes on, and so does the master
    assert site.ended("later")[0] == Code.SUCCEEDED


def test_a_mission_ends_where_nothing_is_sensed_any_more(site):
    site.start_master(time_patience=3.0)
    handle = site.send("blind")
    wait_for(lambda: site.skills.begun == ["walk"], "the walk")
    site.robot.silent |= {topic.name for topic in SENSORS}
    site.skills.let_go("walk")
    _, result = site.result(handle)
    assert result.code == Code.MISSION_FAILED
    assert "nothing was sensed for 3 s of wall time" in result.detail
    assert [order.code for order in result.results] == [Code.HANDED_OVER]
