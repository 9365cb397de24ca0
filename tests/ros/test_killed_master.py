"""A master that is killed in the middle of a mission, and started again on its ledger."""

import time

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_master.ledger import Ledger
from hrl_master.orders import Order
from tests.ros.helpers import wait_for
from tests.ros.master_site import MasterSite
from tests.ros.skill_client import stands_still


@pytest.fixture
def site(probe, start_node, tmp_path):
    site = MasterSite(probe, start_node, tmp_path)
    yield site
    site.close()


def kill(master) -> None:
    """Kill a master the hard way; its end is no fault of the test."""
    master.kill()
    master.process.returncode = 0


def test_a_killed_master_goes_on_after_its_restart_and_brings_the_order_once(site):
    first = site.start_master()
    site.skills.held.add("walk")
    assert site.send("killed").accepted
    wait_for(lambda: site.skills.begun == ["walk"], "the walk")
    kill(first)
    assert [row["number"] for row in site.rows("SELECT number FROM decisions")] == [0]
    assert site.rows("SELECT * FROM outcomes") == []

    site.skills.held.clear()
    second = site.start_master()
    assert site.ended("killed") == (Code.SUCCEEDED, "delivered and checked"), second.output
    assert site.skills.done.count("grasp") == site.skills.done.count("place") == 1
    cut = site.rows("SELECT code, detail FROM outcomes WHERE decision = 0")[0]
    assert cut["code"] == Code.SHUTDOWN and "the master was killed while it ran" in cut["detail"]

    wait_for(lambda: "has ended: SUCCEEDED" in second.output, "the end in the log")
    assert not site.send("killed").accepted  # the client asks again: it was done already
    reason = site.rejections.wait(lambda m: "was given before" in m.detail).detail
    assert "'killed' was given before and is not run again: it ended: delivered" in reason
    assert site.skills.begun.count("place") == 1


def test_a_master_killed_while_it_places_hands_over_with_a_package(site):
    first = site.start_master()
    site.skills.held.add("place")
    site.send("doubt")
    wait_for(lambda: "place" in site.skills.begun, "the place", 60)
    kill(first)

    site.skills.held.clear()
    site.start_master()
    code, detail = site.ended("doubt")
    assert code == Code.HANDED_OVER and "whether can was delivered is not known" in detail
    assert site.skills.begun.count("place") == 1
    package = site.handovers.wait(lambda m: m.mission_id == "doubt")
    assert package.holding and "Take what the gripper holds out" in package.recommendation
    assert package.cameras == ["camera", "hand_camera"]
    assert bytes(package.pictures[0].data[:3]) == b"\xff\xd8\xff"
    files = {path.name for path in (site.ledger.parent / "handovers" / "doubt_order0").iterdir()}
    assert files == {"README.md", "package.json", "camera.jpg", "hand_camera.jpg"}
    assert len(site.rows("SELECT 1 FROM pictures WHERE order_number = 0")) == 2


def test_a_mission_of_a_killed_master_is_closed_where_no_skill_is_there_any_more(
    start_node, tmp_path, monkeypatch
):
    path, order = tmp_path / "ledger.sqlite", Order("can", "A2", "packing")
    with Ledger(path) as ledger, monkeypatch.context() as patch:
        patch.setattr("hrl_master.ledger.process_name", lambda: "this 1 gone")
        ledger.begin_mission("left", [order, order], {})
    master = start_node("hrl_master.ros.master_node", "master", ledger=path, resume_patience=0.5)
    wait_for(lambda: "mission left has ended: HANDED_OVER" in master.output, "the end", 60)
    with Ledger(path) as ledger:
        rows = ledger.rows("SELECT code, detail FROM orders")
        assert [row["code"] for row in rows] == [Code.HANDED_OVER] * 2
        assert "no server for ['walk'," in rows[0]["detail"]
    assert len(list((tmp_path / "handovers").iterdir())) == 2


def test_a_skill_whose_master_is_killed_stops(probe, start_node, tmp_path, listen):
    site = MasterSite(probe, start_node, tmp_path, skills=("approach", "grasp", "place"))
    try:
        site.robot.pace = 0.15
        walk = start_node("hrl_skills.ros.skill_node", "walk", skill="walk", use_sim_time=True)
        commands = listen(topics.CMD_VEL)
        master = site.start_master()
        site.send("killed")
        wait_for(lambda: commands.messages and not stands_still(commands.messages[-1]), "the walk")
        time.sleep(2.0)  # the limit is 1 s: the master that lives is heard
        assert "ended" not in walk.output
        kill(master)
        wait_for(lambda: "CLIENT_LOST" in walk.output, "the end of the walk")
        assert "gives no sign on goal_alive any more" in walk.output
        assert stands_still(commands.messages[-1])
    finally:
        site.close()


def test_a_ledger_that_cannot_be_opened_ends_the_master_with_the_reason(start_node, tmp_path):
    (tmp_path / "text").write_text("not a database" * 100)
    master = start_node("hrl_master.ros.master_node", "master", ledger=tmp_path / "text")
    assert master.process.wait(30) == 2
    assert f"ledger {tmp_path}/text: file is not a database" in master.output
