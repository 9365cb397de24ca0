"""The robot that the tools talk to, over ROS: its master, its skills, its senses.

The node is spun in a thread of its own; the methods belong to the event loop of the server.
"""

# pyright: reportOptionalMemberAccess=false

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_core.ros.qos import interface, publisher_qos, subscriber_qos
from hrl_core.site import Site, load_site
from hrl_core.topics import Topic
from hrl_master.approver_keys import ApproverKey
from hrl_master.orders import LEAVE_FACE, Decision
from hrl_master.orders import Order as MasterOrder
from hrl_master.ros.convert import goal_msg, order_msg, question_msg, statement_of
from hrl_master.ros.snapshots import jpeg_of
from hrl_mcp.robot import Answer, Chance, Order, Question, Skill, Step, StepReply, Unavailable, View
from hrl_mcp.ros.convert import question_from_msg, seen_from_msgs, skill_from_msg, step_reply
from hrl_msgs.msg import Approval, NamedValue

MASTER = "master"
FOUND, ANSWERED, SENSED = 5.0, 10.0, 3.0  # s of wall time: to be found, to answer, to be sensed
SILENT = 6.0  # s of wall time without diagnostics, which come once a second
LOOK = 0.5  # s of wall time between two looks whether the master lives


class RobotClient:
    """See hrl_mcp.robot.Robot."""

    def __init__(self, ledger: Path | None = None):
        """`ledger`: empty: where the master says that it is."""
        self._ledger = ledger
        self._context = Context()
        rclpy.init(
            args=["--ros-args", "--enclave", "/hrl/mcp"],
            context=self._context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node("mcp", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._missions: dict[str, Any] = {}  # handles of the goals that were given here
        self._questions: dict[str, Approval] = {}  # that wait for an answer
        self._heard = 0.0  # steady clock, of the master's last diagnostics
        self._rejected: list[Any] = []
        self._orders = ActionClient(
            self._node, interface(topics.ACTIONS["run_mission"]), "run_mission"
        )
        self._services = {
            name: self._node.create_client(interface(kind), name)
            for name, kind in (topics.CHOOSE_STEP, topics.LIST_APPROVALS, topics.ANSWER_APPROVAL)
        }
        self._parameters = self._node.create_client(GetParameters, f"{MASTER}/get_parameters")
        self._listen(topics.APPROVALS, self._on_approval)
        self._listen(topics.DIAGNOSTICS, self._on_diagnostics)
        self._listen(topics.REJECTIONS, self._rejected.append)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> "RobotClient":
        return self

    def __exit__(self, *_) -> None:
        self._executor.shutdown()
        self._thread.join(5.0)
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    # What the tools ask

    async def site(self) -> Site:
        return load_site((await self._of_master("site"))[0])

    async def ledger(self) -> Path:
        if self._ledger is not None:
            return self._ledger
        (path,) = await self._of_master("ledger")
        if not path or not Path(path).is_file():
            raise Unavailable(f"the master's ledger {path!r} is not on this computer: see --ledger")
        return Path(path)

    async def skills(self) -> list[Skill]:
        _, kind = topics.DESCRIBE_SKILL
        names = [n for n, kinds in self._node.get_service_names_and_types() if kind in kinds]
        asked = [self._ask_once(name, interface(kind), interface(kind).Request()) for name in names]
        found = await asyncio.gather(*asked, return_exceptions=True)
        skills = [skill_from_msg(each) for each in found if not isinstance(each, BaseException)]
        if not skills:
            raise Unavailable("no skill server answers")
        return sorted(skills, key=lambda skill: skill.name)

    async def begin(self, order: Order, mission: str, guided: bool) -> Answer:
        await self._found(self._orders.server_is_ready, "the master")
        goal = interface(topics.ACTIONS["run_mission"]).Goal(mission_id=mission, guided=guided)
        goal.orders = [order_msg(MasterOrder(order.item, order.from_bin, order.to_station))]
        self._rejected.clear()
        sent = await self._in_ros(self._orders.send_goal_async, goal)
        handle = await self._result(sent, ANSWERED)
        if not handle.accepted:
            why = await self._reason()
            return Answer(False, why.detail, Code(why.code).name) if why else Answer(False, "")
        self._missions[mission] = handle
        return Answer(True, "the master has taken it")

    async def end_of(self, mission: str) -> Answer:
        asked = await self._in_ros(self._missions[mission].get_result_async)
        ended = await self._while_master_lives(asked)
        self._missions.pop(mission, None)
        told = ended.result
        detail = "; ".join(each.detail for each in told.results) or told.detail
        return Answer(told.code == Code.SUCCEEDED, detail, Code(told.code).name)

    async def stop(self, mission: str) -> Answer:
        meant = [mission] if mission else list(self._missions)
        stopped = []
        for name in meant:
            if (handle := self._missions.get(name)) is not None:
                asked = await self._in_ros(handle.cancel_goal_async)
                answer = await self._result(asked, ANSWERED)
                self._missions.pop(name, None)
                stopped += [name] if answer.goals_canceling else []
        if not stopped:
            return Answer(
                False, f"no mission {mission} that was given here runs".replace("  ", " ")
            )
        return Answer(True, ", ".join(stopped))

    async def choose(self, step: Step) -> StepReply:
        request = interface(topics.CHOOSE_STEP[1]).Request(
            mission_id=step.mission,
            id=step.id,
            skill=step.skill,
            target=step.target,
            parameters=[NamedValue(name=k, value=v) for k, v in step.parameters.items()],
            by=step.by,
            why=step.why,
            dry_run=step.dry_run,
        )
        client = self._services[topics.CHOOSE_STEP[0]]
        await self._found(client.service_is_ready, "the master")
        return step_reply(await self._while_master_lives(client.call_async(request)))

    async def chance(
        self, skill: str, target: str, item: str, parameters: Mapping[str, float]
    ) -> Chance:
        site = await self.site()
        pose = item_of = None
        if skill == "walk":
            if target in site.waypoints:
                pose = np.array(site.waypoints[target].pose)
            else:
                pose = site.pose_in_front(target, site.staging)
        if skill == "grasp":
            item, target = item or target, target if item else ""
            item_of = target or "unknown"
        decision = Decision(
            skill, item if skill == "grasp" else target, "", face=item_of or "", pose=pose,
            parameters=parameters, purpose=LEAVE_FACE if pose is None else "",
        )  # fmt: skip
        order = MasterOrder(item, item_of or target, target)
        name, kind = topics.ESTIMATE_SUCCESS
        service = name.format(skill=skill)
        request = question_msg(goal_msg(decision, order, 0.0))
        answer = await self._ask_once(service, interface(kind), request)
        conditions = {each.name: each.value for each in answer.conditions}
        return Chance(answer.probability if answer.ok else None, answer.detail, conditions)

    async def look(self, camera: str) -> View:
        wanted = [topics.POSE, topics.ODOMETRY, topics.DETECTIONS]
        wanted += [topics.image(camera)] if camera else []
        async with self._next(wanted) as heard:
            messages = await heard
        seen = seen_from_msgs(messages)
        if not seen:
            raise Unavailable(f"nothing was sensed within {SENSED:.0f} s")
        picture = messages.get(topics.image(camera).name) if camera else None
        return View(seen, None if picture is None else jpeg_of(picture))

    async def question(self, but: frozenset[str]) -> Question:
        while True:
            for message in list(self._questions.values()):
                if message.id not in but and message.mission_id in self._missions:
                    return question_from_msg(message)
            await asyncio.sleep(0.1)

    async def answer(self, question: str, approve: bool, by: str, key: str) -> Answer:
        message, kind = self._questions.get(question), interface(topics.ANSWER_APPROVAL[1])
        if message is None:
            return Answer(False, f"approval {question} waits for no answer any more")
        request = kind.Request(id=question, approve=approve, by=by, comment="asked by MCP")
        if key:
            signer = ApproverKey(Path(key))
            request.by = signer.name
            statement = statement_of(message, approve, request.by, request.comment)
            request.signature = list(signer.sign(statement))
        client = self._services[topics.ANSWER_APPROVAL[0]]
        await self._found(client.service_is_ready, "the master")
        answer = await self._result(client.call_async(request), ANSWERED)
        return Answer(answer.ok, answer.detail)

    # The parts

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _listen(self, topic: Topic, callback) -> None:
        self._node.create_subscription(
            interface(topic.type), topic.name, callback, publisher_qos(topic)
        )

    def _on_approval(self, message: Approval) -> None:
        if message.state == Approval.PENDING:
            self._questions[message.id] = message
        else:
            self._questions.pop(message.id, None)

    def _on_diagnostics(self, message) -> None:
        if any(status.name.rpartition("/")[2] == MASTER for status in message.status):
            self._heard = time.monotonic()

    async def _reason(self):
        """Why the last mission was rejected; None: nobody said."""
        end = time.monotonic() + FOUND
        while time.monotonic() < end:
            for message in list(self._rejected):
                if message.action == "run_mission":
                    return message
            await asyncio.sleep(0.05)
        return None

    async def _of_master(self, *names: str) -> list[str]:
        """Parameters of the master that are text."""
        await self._found(self._parameters.service_is_ready, "the master")
        request = GetParameters.Request(names=list(names))
        answer = await self._result(self._parameters.call_async(request), ANSWERED)
        return [value.string_value for value in answer.values]

    async def _in_ros(self, function, *arguments) -> Any:
        """Call what must not be called beside the thread that spins, as an action's client."""
        return await self._result(self._executor.create_task(function, *arguments), ANSWERED)

    async def _found(self, ready, who: str) -> None:
        end = time.monotonic() + FOUND
        while not ready():
            if time.monotonic() > end:
                raise Unavailable(f"{who} is not there: is ROS_DOMAIN_ID right?")
            await asyncio.sleep(0.05)

    async def _ask_once(self, service: str, kind, request):
        """The answer of a service that is seldom called."""
        client = self._node.create_client(kind, service)
        try:
            await self._found(client.service_is_ready, service)
            return await self._result(client.call_async(request), ANSWERED)
        finally:
            self._executor.create_task(self._node.destroy_client, client)

    async def _result(self, asked: Future, patience: float) -> Any:
        try:
            return await asyncio.wait_for(_awaitable(asked), patience)
        except asyncio.TimeoutError:
            raise Unavailable(f"no answer within {patience:.0f} s") from None

    async def _while_master_lives(self, asked: Future) -> Any:
        """The result of what may take long; raises Unavailable where the master has gone."""
        before, answer = self._masters(), asyncio.ensure_future(_awaitable(asked))
        began = time.monotonic()
        try:
            while not (await asyncio.wait({answer}, timeout=LOOK))[0]:
                silent = time.monotonic() - max(self._heard, began)
                if silent > SILENT or self._masters() - before:
                    raise Unavailable(
                        "the master went away in the middle of it: whether it was done is in the "
                        "ledger, and a new master goes on with the mission"
                    )
            return answer.result()
        finally:
            answer.cancel()

    def _masters(self) -> set[bytes]:
        """What identifies the masters that are there; one that was started again is another."""
        found = self._node.get_publishers_info_by_topic(topics.DECISIONS.name)
        return {bytes(each.endpoint_gid) for each in found if each.node_name == MASTER}

    @asynccontextmanager
    async def _next(self, wanted: list[Topic]) -> AsyncIterator[Any]:
        """An awaitable of the next message of each topic by its name; those that come in time."""
        loop, complete = asyncio.get_running_loop(), asyncio.Event()
        messages: dict[str, Any] = {}

        def keep(name: str, message) -> None:
            messages[name] = message
            if len(messages) == len(wanted):
                loop.call_soon_threadsafe(complete.set)

        async def heard() -> dict[str, Any]:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(complete.wait(), SENSED)
            return messages

        subscriptions = [
            self._node.create_subscription(
                interface(topic.type),
                topic.name,
                lambda message, name=topic.name: keep(name, message),
                subscriber_qos(topic, reliable_sensors=False),
            )
            for topic in wanted
        ]
        try:
            yield heard()
        finally:
            for subscription in subscriptions:
                self._executor.create_task(self._node.destroy_subscription, subscription)


async def _awaitable(asked: Future) -> Any:
    """The result of a future of ROS, in the server's event loop."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def settle(_) -> None:
        if not done.done():
            done.set_result(None)

    asked.add_done_callback(lambda future: loop.call_soon_threadsafe(settle, future))
    await done
    return asked.result()
