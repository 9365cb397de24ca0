"""Node of the operators' console: gathers what is known, serves it, passes on what people do."""

# pyright: reportOptionalMemberAccess=false
# What `load` has made is there while the node runs: pyright does not see that.

import asyncio
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future as Answer
from functools import partial
from typing import Any

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Bool

from hrl_bringup.reports.ledger_facts import Rates
from hrl_bringup.security.tokens import Tokens
from hrl_console import gateway as names
from hrl_console.gateway import Reply
from hrl_console.ledger_watch import LedgerWatch
from hrl_console.ros.console_parameters import ConsoleParameters
from hrl_console.ros.decisions import Decisions
from hrl_console.ros.foxglove import Foxglove
from hrl_console.ros.senses import Health, Requests, RobotSense, beliefs_of
from hrl_console.ros.skills import RunningSkill
from hrl_console.serving import Served
from hrl_console.views import site_view
from hrl_core import topics
from hrl_core.config import ConfigError, config_dir, load_yaml
from hrl_core.robot import load_robot
from hrl_core.ros.compressed import compressed_picture
from hrl_core.ros.convert import seconds
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.qos import interface, subscriber_qos
from hrl_core.site import load_site
from hrl_core.topics import Topic
from hrl_master.ledger_file import LedgerError
from hrl_msgs.msg import Order

PERIOD = 0.1  # s of wall time between two states
SLOW = 1.0  # likewise, for what changes seldom
PATIENCE = 8.0  # s of wall time for the master to answer
BACK = 1.0  # s that ROS time has to go back for another trial


class ConsoleNode(HrlNode):
    """The gateway that hrl_console.gateway describes; the server has a thread of its own.

    It keeps nothing that is not elsewhere: missions, decisions and what people did come from the
    ledger, approvals and hand-overs from the master's latched topics.
    """

    parameters_model = ConsoleParameters
    parameters: ConsoleParameters

    def __init__(self):
        super().__init__("console")
        self._served: Served | None = None
        self._foxglove: Foxglove | None = None
        self._beats: list = []
        self._watched: list[Any] = []  # subscriptions, while somebody looks
        self._jpegs: dict[str, tuple[int, bytes]] = {}  # with a number
        self._taken: dict[str, float] = {}  # s of the steady clock
        self._time: float | None = None
        self._beliefs: dict[str, Any] = {"blocked": [], "items": []}

    def load(self) -> None:
        p = self.parameters
        self._tokens = Tokens(p.tokens_path)
        robot = load_robot(p.robot)
        self._site = load_site(p.site, robot.base.turning_circle)
        self._site_view = site_view(self._site, robot)
        self._robot, self._requests, self._health = RobotSense(robot), Requests(), Health()
        self._decisions, self._skill = Decisions(p.site), RunningSkill(self)
        self._ledger = LedgerWatch(p.ledger_path, load_yaml(config_dir() / "rates.yaml", Rates))
        self._stop = self.publish_on(topics.E_STOP)
        for topic, callback in (
            (topics.POSE, self._on_pose),
            (topics.PEOPLE, self._robot.on_people),
            (topics.DECISIONS, self._on_decision),
            (topics.SCENE, self._on_scene),
            (topics.APPROVALS, self._requests.on_approval),
            (topics.HANDOVERS, self._requests.on_handover),
            (topics.DIAGNOSTICS, self._health.on_diagnostics),
        ):
            self.subscribe(topic, callback)
        self._master = {
            name: self.create_client(interface(kind), name)
            for name, kind in (
                topics.QUEUE_MISSION,
                topics.CANCEL_MISSION,
                topics.ANSWER_APPROVAL,
                topics.LIST_APPROVALS,
            )
        }

    def unload(self) -> None:
        self._ledger.close()
        self._skill.close()
        for client in self._master.values():
            self.destroy_client(client)

    def begin(self) -> None:
        p = self.parameters
        self._served = Served(
            self, self._tokens, p.host, p.port, p.certificate, p.key, tuple(filter(None, p.names))
        )
        self.get_logger().info(f"the console is at {self._served.url}")
        if self._ledger.stopped_here():  # before this one was started: it still holds
            self._stop.publish(Bool(data=True))
        if p.foxglove_port:
            self._foxglove = Foxglove(self, p.foxglove_port)
        for period, callback in ((PERIOD, self._publish), (SLOW, self._look)):
            self._beats.append(self.create_timer(period, callback, clock=self.steady_clock))

    def halt(self) -> None:
        while self._beats:
            self.destroy_timer(self._beats.pop())
        self._watch_sensors(False)
        for each in (self._served, self._foxglove):
            if each is not None:
                each.close()
        self._served = self._foxglove = None

    def status(self) -> tuple[str, dict[str, object]]:
        if self._served is None:
            return "inactive", {}
        return f"console at {self._served.url}", {"viewers": self._served.viewers}

    def faults(self) -> dict[str, str]:
        if not self.loaded:
            return {}
        faults = {"ledger": self._ledger.fault} if self._ledger.fault else {}
        if not self._tokens.people:
            faults["tokens"] = (
                f"nobody can log in: {self._tokens.path} has no token; "
                "./hrl console token NAME makes one"
            )
        return faults

    # What is known

    def _publish(self) -> None:
        """Ten times a second; where nobody looks nothing is gathered."""
        served = self._served
        looked_at = served is not None and served.viewers > 0
        self._watch_sensors(looked_at)
        if served is None or not looked_at:
            return
        ledger = self._ledger.sections
        served.publish(
            {
                **ledger,
                names.SITE: self._site_view,
                names.ROBOT: self._robot.section(self._time, self.e_stop),
                names.TRAIL: self._robot.trail,
                names.BELIEFS: self._beliefs,
                names.SKILL: self._skill.section(ledger[names.DECISION]),
                names.DECISION: self._decisions.section(ledger[names.DECISION]),
                names.APPROVALS: self._requests.approvals,
                names.HANDOVERS: self._requests.handovers,
                names.DIAGNOSTICS: self._health.section,
                names.CAMERAS: {camera: number for camera, (number, _) in self._jpegs.items()},
            }
        )

    def _look(self) -> None:
        """Once a second: what may have come, gone, or grown old."""
        self._skill.look()
        self._health.look()
        self._requests.look()
        client = self._master[topics.LIST_APPROVALS[0]]
        if self._requests.approvals and client.service_is_ready():
            asked = client.call_async(interface(topics.LIST_APPROVALS[1]).Request())
            asked.add_done_callback(self._on_pending)

    def _on_pending(self, asked) -> None:
        if asked.exception() is None:
            self._requests.only({each.id for each in asked.result().approvals})

    def _on_pose(self, message) -> None:
        now = seconds(message.header.stamp)
        if self._time is not None and now < self._time - BACK:
            self._robot.restart()
        self._time = now
        self._robot.on_pose(message)

    def _on_decision(self, message) -> None:
        self._skill.on_decision(message)
        self._ledger.look()

    def _on_scene(self, message) -> None:
        self._beliefs = beliefs_of(message, self._site)
        self._decisions.on_scene(message)

    def _watch_sensors(self, wanted: bool) -> None:
        """Pictures and scans are many: they are subscribed to while somebody looks."""
        if wanted == bool(self._watched):
            return
        while self._watched:
            self.destroy_subscription(self._watched.pop())
        if wanted:
            self._watch(topics.SCAN, self._robot.on_scan)
            for camera in topics.CAMERAS:
                self._watch(topics.image(camera), partial(self._on_image, camera), raw=True)

    def _watch(self, topic: Topic, callback: Callable, raw: bool = False) -> None:
        qos = subscriber_qos(topic, self.parameters.reliable_sensors)
        guarded = self._guarded(topic.name, callback)
        self._watched.append(
            self.create_subscription(interface(topic.type), topic.name, guarded, qos, raw=raw)
        )

    def _on_image(self, camera: str, cdr: bytes) -> None:
        now = time.monotonic()
        if now - self._taken.get(camera, 0.0) < 1.0 / self.parameters.picture_rate:
            return
        self._taken[camera] = now
        picture = compressed_picture(deserialize_message(cdr, Image), self.parameters.jpeg_quality)
        number = self._jpegs[camera][0] + 1 if camera in self._jpegs else int(time.time())
        self._jpegs = {**self._jpegs, camera: (number, bytes(picture.data))}

    # What the server calls, in its thread

    def picture(self, camera: str) -> bytes | None:
        return self._jpegs[camera][1] if camera in self._jpegs else None

    def evidence(self, of: str, camera: str) -> bytes | None:
        return self._requests.picture(of, camera)

    async def order(self, by: str, mission: str, orders: list[dict[str, str]]) -> Reply:
        given = [Order(id=str(k + 1), **order) for k, order in enumerate(orders)]
        return await self._call(topics.QUEUE_MISSION, mission_id=mission, orders=given, by=by)

    async def cancel(self, by: str, mission: str) -> Reply:
        return await self._call(topics.CANCEL_MISSION, mission_id=mission, by=by)

    async def answer(
        self, by: str, approval: str, approve: bool, comment: str, signature: bytes
    ) -> Reply:
        return await self._call(
            topics.ANSWER_APPROVAL,
            id=approval,
            approve=approve,
            by=by,
            comment=comment,
            signature=list(signature),
        )

    async def stop(self, by: str) -> Reply:
        """First press it, then write it down: a ledger that is locked stops no stop."""
        elsewhere = self.e_stop
        self._stop.publish(Bool(data=True))
        note = "it was pressed already" if elsewhere else ""
        try:
            await asyncio.to_thread(self._ledger.write_down, by, "stop", note)
        except (LedgerError, ConfigError) as error:
            return Reply(True, f"The emergency stop is pressed; the ledger does not know: {error}")
        return Reply(True, "The emergency stop is pressed.")

    async def release(self, by: str) -> Reply:
        """First write it down. What was pressed elsewhere has to be released there."""
        try:
            if not await asyncio.to_thread(self._ledger.stopped_here):
                return Reply(False, "The stop was not pressed here: release it where it was.")
            await asyncio.to_thread(self._ledger.write_down, by, "release")
        except (LedgerError, ConfigError) as error:
            return Reply(False, f"Not released, since it cannot be written down: {error}")
        self._stop.publish(Bool(data=False))
        return Reply(True, "The emergency stop is released.")

    async def _call(self, service: tuple[str, str], **fields) -> Reply:
        """Ask the master; its answer is the person's."""
        name, kind = service
        client, answer = self._master[name], Answer()
        if not client.service_is_ready():
            return Reply(False, "No master is there: nothing was done. Try again.")

        def ask() -> None:  # in the executor's thread, as all that is ROS
            asked = client.call_async(interface(kind).Request(**fields))
            asked.add_done_callback(lambda done: answer.done() or answer.set_result(done.result()))

        self.executor.create_task(ask)
        try:
            response = await asyncio.wait_for(asyncio.wrap_future(answer), PATIENCE)
        except asyncio.TimeoutError:
            return Reply(
                False, f"The master has not answered for {PATIENCE:.0f} s: look whether it is done."
            )
        self._ledger.look()
        return Reply(response.ok, response.detail)


def main(args: list[str] | None = None) -> int:
    return run_node(ConsoleNode, args)


if __name__ == "__main__":
    sys.exit(main())
