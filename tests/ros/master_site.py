"""A master alone, on its ledger, over a robot and skills without physics."""

from contextlib import closing
from typing import Any

import numpy as np

from hrl_core import topics
from hrl_core.ros.convert import stamp_msg
from hrl_core.ros.qos import interface, publisher_qos
from hrl_core.ros.sensor_convert import frame_msgs
from hrl_core.sensed import CameraFrame
from hrl_master.ledger import Ledger
from tests.ros.fake_robot import PERIOD, FakeRobot
from tests.ros.helpers import Listener, ask, wait_for, wait_for_answers

ITEM, BIN, STATION = "can", "A2", "packing"
SKILLS = ("walk", "approach", "grasp", "place")


class MasterSite:
    """Robot, skills and cameras of the tests, and masters on one ledger."""

    def __init__(self, probe, start_node, folder, skills=SKILLS, period=PERIOD):
        """`skills`: those that are served without physics. `period`: s of wall time per tick."""
        from rclpy.action import ActionClient

        from tests.ros.fake_skills import FakeSkills

        self.probe, self._start = probe, start_node
        self.master: Any = None  # the node, where a test keeps it
        self.ledger = folder / "ledger.sqlite"
        self.robot = FakeRobot(probe, period=period)
        self.begin()
        self.skills = FakeSkills(probe, self.robot, ITEM, skills)
        self.approvals = Listener(probe, topics.APPROVALS)
        self.handovers = Listener(probe, topics.HANDOVERS)
        self.rejections = Listener(probe, topics.REJECTIONS)
        self.client = ActionClient(probe, interface(topics.ACTIONS["run_mission"]), "run_mission")
        self._services = {
            name: probe.create_client(interface(kind), name)
            for name, kind in (topics.ANSWER_APPROVAL, topics.LIST_APPROVALS)
        }
        self._clock = self._publisher(topics.CLOCK)
        self._cameras = [self._publisher(topics.image(camera)) for camera in topics.CAMERAS]
        frame = CameraFrame(
            0.0,
            "camera",
            np.full((48, 64, 3), 90, np.uint8),
            np.ones((48, 64), np.float32),
            np.eye(3),
            np.eye(4),
        )
        self._image = frame_msgs(frame)[0]
        self._timer = probe.create_timer(0.02, self._on_timer)

    def begin(self) -> None:
        """Robot and item stand where they stood at first."""
        self.robot.stand_at(np.array([1.2, 1.6, 0.0]))
        self.robot.see_item(ITEM, BIN)

    def start_master(self, **parameters):
        """A master on the ledger, once it takes missions."""
        master = self._start(
            "hrl_master.ros.master_node", "master", ledger=self.ledger, use_sim_time=True,
            **{"skill_timeout": 600.0, **parameters},
        )  # fmt: skip

        def up() -> bool:
            assert master.process.poll() is None, master.output
            return self.client.server_is_ready()

        wait_for(up, "the master", 60)
        wait_for_answers(self.client, interface(topics.ACTIONS["run_mission"]).Goal(), "the master")
        return master

    def send(self, mission: str = ""):
        """Give the order; returns the handle."""
        from hrl_msgs.msg import Order

        orders = [Order(item=ITEM, from_bin=BIN, to_station=STATION)]
        goal = interface(topics.ACTIONS["run_mission"]).Goal(mission_id=mission, orders=orders)
        sent = self.client.send_goal_async(goal)
        return wait_for(lambda: sent.done() and sent.result(), "an answer to a mission")

    def result(self, handle):
        done = handle.get_result_async()
        wait_for(done.done, "the end of the mission", 60)
        return done.result().status, done.result().result

    def call(self, service, **fields):
        name, kind = service
        return ask(self._services[name], interface(kind).Request(**fields))

    def rows(self, query: str):
        with closing(Ledger(self.ledger, must_exist=True)) as ledger:
            return ledger.rows(query)

    def ended(self, mission: str):
        """The code and detail of the mission's order, once it has ended."""
        query = "SELECT code, detail FROM orders WHERE code IS NOT NULL AND mission = '{}'"
        row = wait_for(lambda: self.rows(query.format(mission)), f"the end of {mission}", 60)[0]
        return row["code"], row["detail"]

    def close(self) -> None:
        """Destroy everything in the probe's thread: it must not wait for what goes meanwhile."""
        closed = self.probe.executor.create_task(self._close)
        wait_for(closed.done, "the end of the site")

    def _close(self) -> None:
        self.probe.destroy_timer(self._timer)
        for publisher in (self._clock, *self._cameras):
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
        self._image.header.stamp = stamp_msg(self.robot.time)
        self._clock.publish(interface(topics.CLOCK.type)(clock=self._image.header.stamp))
        for camera in self._cameras:
            if camera.get_subscription_count():
                camera.publish(self._image)
