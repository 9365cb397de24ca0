"""Killed masters, approvals, hand-overs: the master alone, over a robot without physics."""

import os
import signal
import threading
from contextlib import closing

import numpy as np
import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_core.ros.convert import stamp_msg
from hrl_core.ros.qos import interface, publisher_qos
from hrl_core.ros.sensor_convert import frame_msgs
from hrl_core.sensed import CameraFrame
from hrl_master.ledger import Ledger
from tests.ros.fake_robot import FakeRobot
from tests.ros.helpers import Listener, wait_for
from tests.ros.skill_client import ABORTED, CANCELED, SUCCEEDED

ITEM, BIN, STATION = "can", "A2", "packing"


class Site:
    """Robot, skills and cameras of the tests, and masters on one ledger."""

    def __init__(self, probe, start_node, folder):
        from rclpy.action import ActionClient

        from tests.ros.fake_skills import FakeSkills

        self.probe, self._start = probe, start_node
        self.ledger = folder / "ledger.sqlite"
        self.robot = FakeRobot(probe)
        self.robot.stand_at(np.array([1.2, 1.6, 0.0]))
        self.robot.see_item(ITEM, BIN)
        self.skills = FakeSkills(probe, self.robot, ITEM)
        self.approvals = Listener(probe, topics.APPROVALS)
        self.handovers = Listener(probe, topics.HANDOVERS)
        self.rejections = Listener(probe, topics.REJECTIONS)
        self.client = ActionClient(probe, interface(topics.ACTIONS["run_mission"]), "run_mission")
        self._services = {
            name: probe.create_client(interface(kind), name)
            for name, kind in (topics.ANSWER_APPROVAL, topics.LIST_APPROVALS)
        }
        self._publishers = [self._publisher(topics.CLOCK), self._publisher(topics.image("camera"))]
        frame = CameraFrame(0.0, "camera", np.full((48, 64, 3), 90, np.uint8),
                            np.ones((48, 64), np.float32), np.eye(3), np.eye(4))  # fmt: skip
        self._image = frame_msgs(frame)[0]
        self._lock = threading.Lock()  # the timer runs in the probe's thread
        self._timer = probe.create_timer(0.02, self._on_timer)

    def start_master(self, **parameters):
        """A master on the ledger, once it takes missions."""
        master = self._start(
            "hrl_master.master_node", "master", ledger=self.ledger, use_sim_time=True,
            skill_timeout=600.0, **parameters,
        )  # fmt: skip

        def up() -> bool:
            assert master.process.poll() is None, master.output
            return self.client.server_is_ready()

        wait_for(up, "the master", 60)
        return master

    def send(self, mission: str = ""):
        """Give the order; returns the handle."""
        from hrl_msgs.msg import Order

        orders = [Order(item=ITEM, from_bin=BIN, to_station=STATION)]
        goal = interface(topics.ACTIONS["run_mission"]).Goal(mission_id=mission, orders=orders)
        sent = self.client.send_goal_async(goal)
        return wait_for(lambda: sent.done() and sent.result(), "the answer to the mission")

    def result(self, handle):
        done = handle.get_result_async()
        wait_for(done.done, "the end of the mission", 60)
        return done.result().status, done.result().result

    def call(self, service, **fields):
        name, kind = service
        client = self._services[name]
        wait_for(client.service_is_ready, name)
        asked = client.call_async(interface(kind).Request(**fields))
        wait_for(asked.done, f"the answer of {name}")
        return asked.result()

    def rows(self, query: str):
        with closing(Ledger(self.ledger, must_exist=True)) as ledger:
            return ledger.rows(query)

    def ended(self, mission: str):
        """The code and detail of the mission's order, once it has ended."""
        query = "SELECT code, detail FROM orders WHERE code IS NOT NULL AND mission = '{}'"
        row = wait_for(lambda: self.rows(query.format(mission)), f"the end of {mission}", 60)[0]
        return row["code"], row["detail"]

    def close(self) -> None:
        with self._lock:
            self.probe.destroy_timer(self._timer)
            publishers, self._publishers = self._publishers, []
            for publisher in publishers:
                self.probe.destroy_publisher(publisher)
        for client in self._services.values():
            self.probe.destroy_client(client)
        for listener in (self.approvals, self.handovers, self.rejections):
            listener.close()
        self.client.destroy()
        self.skills.close()
        self.robot.stop()

    def _publisher(self, topic):
        return self.probe.create_publisher(interface(topic.type), topic.name, publisher_qos(topic))

    def _on_timer(self) -> None:
        with self._lock:
            for publisher in self._publishers[:1]:
                publisher.publish(interface(topics.CLOCK.type)(clock=stamp_msg(self.robot.time)))
            for camera in self._publishers[1:]:
                if camera.get_subscription_count():
                    self._image.header.stamp = stamp_msg(self.robot.time)
                    camera.publish(self._image)


@pytest.fixture
def site(probe, start_node, tmp_path):
    site = Site(probe, start_node, tmp_path)
    yield site
    site.close()


def kill(master) -> None:
    """Kill a master the hard way; its end is no fault of the test."""
    os.killpg(master.process.pid, signal.SIGKILL)
    master.process.wait()
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
    reason = site.rejections.wait(lambda m: m.action == "run_mission").detail
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
    assert package.cameras == ["camera"]
    assert bytes(package.pictures[0].data[:3]) == b"\xff\xd8\xff"
    files = {path.name for path in (site.ledger.parent / "handovers" / "doubt_order0").iterdir()}
    assert files == {"README.md", "package.json", "camera.jpg"}
    assert len(site.rows("SELECT 1 FROM pictures WHERE order_number = 0")) == 1


def test_a_place_that_needs_approval_runs_only_after_a_yes(site):
    site.start_master(risk_tiers="['place:packing=3']", approval_timeout=1000.0)
    handle = site.send("asks")
    asked = site.approvals.wait(lambda m: m.cameras, 60)
    assert (asked.what, asked.tier, asked.state) == ("place packing", 3, asked.PENDING)
    assert "risk tier 3, from 3 on a person has to approve" in asked.why
    assert bytes(asked.pictures[0].data[:3]) == b"\xff\xd8\xff"
    assert [a.id for a in site.call(topics.LIST_APPROVALS).approvals] == [asked.id]
    assert "place" not in site.skills.begun
    wrong = site.call(topics.ANSWER_APPROVAL, id="nonsense", approve=True, by="Ada")
    assert not wrong.ok and f"unknown approval 'nonsense'; pending: {asked.id}" in wrong.detail
    right = site.call(topics.ANSWER_APPROVAL, id=asked.id, approve=True, by="Ada", comment="clear")
    assert right.ok, right.detail
    status, result = site.result(handle)
    assert (status, result.code) == (SUCCEEDED, Code.SUCCEEDED), result.detail
    late = site.call(topics.ANSWER_APPROVAL, id=asked.id, approve=False, by="Bob")
    assert not late.ok and "has ended already: approved by Ada" in late.detail
    answers = site.rows("SELECT verdict, by, comment, counted FROM answers")
    assert [tuple(row) for row in answers] == [
        ("approved", "Ada", "clear", 1),
        ("denied", "Bob", "", 0),
    ]


def test_no_answer_means_no_and_three_of_them_hand_over(site):
    site.start_master(risk_tiers="['grasp=3']", approval_timeout=3.0, evidence_pictures=False)
    status, result = site.result(site.send())
    assert (status, result.code) == (ABORTED, Code.MISSION_FAILED), result.detail
    assert result.results[0].code == Code.HANDED_OVER
    assert "no answer within 3 s" in result.results[0].detail
    assert "grasp" not in site.skills.begun
    states = [m.state for m in site.approvals.messages]
    assert states.count(states and site.approvals.messages[0].EXPIRED) == 3
    assert len(site.rows("SELECT 1 FROM answers WHERE verdict = 'expired'")) == 3


def test_a_mission_that_is_cancelled_while_it_waits_for_an_answer_ends_at_once(site):
    site.start_master(risk_tiers="['walk=3']", approval_timeout=1000.0, evidence_pictures=False)
    handle = site.send()
    site.approvals.wait(lambda m: m.state == m.PENDING)
    handle.cancel_goal_async()
    status, result = site.result(handle)
    assert (status, result.code) == (CANCELED, Code.CANCELED)
    site.approvals.wait(lambda m: m.state == m.WITHDRAWN)
    assert site.skills.begun == []
    assert [row["verdict"] for row in site.rows("SELECT verdict FROM answers")] == ["withdrawn"]


def test_a_ledger_that_cannot_be_opened_ends_the_master_with_the_reason(start_node, tmp_path):
    (tmp_path / "text").write_text("not a database" * 100)
    master = start_node("hrl_master.master_node", "master", ledger=tmp_path / "text")
    assert master.process.wait(30) == 2
    assert f"ledger {tmp_path}/text: file is not a database" in master.output
