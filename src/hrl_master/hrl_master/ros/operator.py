"""Where a person meets the master: approvals that wait for an answer, orders handed over."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rclpy.task import Future

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_master.approvals import Answer, Request
from hrl_master.approver_keys import Approvers
from hrl_master.handover import HandOver, Picture, write_package
from hrl_master.ledger import Ledger
from hrl_master.ledger_file import LedgerError, LedgerFault
from hrl_master.mission import Mission
from hrl_master.ros.convert import approval_msg, handover_msg, statement_of
from hrl_master.ros.snapshots import take_snapshots


class Operator:
    """Topics `approvals` and `handovers`, services `approvals/list` and `approvals/answer`."""

    def __init__(self, node: HrlNode, ledger: Ledger, pictures: bool, approvers: Approvers | None):
        """`pictures`: add what the cameras see; see hrl_master.ros.snapshots. `approvers`: those
        whose answers count; None: everybody's do.
        """
        self._node, self._ledger, self._pictures = node, ledger, pictures
        self._approvers = approvers
        self._mission: Mission | None = None  # whose request is pending
        self._shown: dict[str, Picture] = {}  # with the request
        self._answered = Future()  # with the answer; None: the mission has to end
        self._approvals = node.publish_on(topics.APPROVALS)
        self._handovers = node.publish_on(topics.HANDOVERS)
        self._services = [
            node.create_service(interface(kind), name, callback)
            for (name, kind), callback in (
                (topics.LIST_APPROVALS, self._on_list),
                (topics.ANSWER_APPROVAL, self._on_answer),
            )
        ]

    @property
    def approvers(self) -> str:
        """Names of those whose answers count; empty: everybody's do."""
        return ", ".join(self._approvers.names) if self._approvers else ""

    def destroy(self) -> None:
        for service in self._services:
            self._node.destroy_service(service)

    async def ask(self, mission: Mission) -> None:
        """Wait for the answer to a mission's pending request; ROS time has to go on meanwhile."""
        request = mission.pending
        assert request is not None, "the mission asks"
        self._mission, self._shown, self._answered = mission, {}, Future()
        self._node.get_logger().warning(
            f"approval {request.id} is needed: {request.what}: {request.why}"
        )
        self._approvals.publish(approval_msg(request, {}))  # pictures may take a while
        self._shown = await self._snapshots()
        _keep(mission, self._shown, approval=request.id)
        if not self._answered.done():
            self._approvals.publish(approval_msg(request, self._shown))
            await self._answered
        self._mission = None
        answer = self._answered.result() or Answer("withdrawn", "master", "the mission has to end")
        self._node.get_logger().warning(f"approval {request.id}: {request.what} {answer}")
        self._approvals.publish(approval_msg(request, self._shown, answer))

    def check(self, now: float) -> None:
        """Let the request expire; call it often. `now`: s of ROS time."""
        request = self._mission.pending if self._mission else None
        if request is not None and now >= request.expires and not self._answered.done():
            waited = request.expires - request.asked
            with contextlib.suppress(LedgerFault):  # then at the next look
                self._give(Answer("expired", "nobody", f"no answer within {waited:.0f} s"), now)

    def withdraw(self) -> None:
        """The mission has to end: nothing is waited for any more."""
        if self._mission is not None and not self._answered.done():
            self._answered.set_result(None)

    async def hand_over(self, mission: Mission, package: HandOver, look: bool = True) -> None:
        """Give a package to a person: a folder beside the ledger, and a message.

        `look`: add pictures; ROS time has to go on meanwhile.
        """
        pictures = await self._snapshots() if look else {}
        _keep(mission, pictures, order=package.order_number)
        self.publish_package(package, pictures)

    def publish_package(self, package: HandOver, pictures: dict[str, Picture]) -> None:
        folder = handovers_beside(self._ledger)
        try:
            place = str(write_package(folder, package, pictures).resolve())
        except OSError as error:  # the message and the ledger have it all the same
            place = ""
            self._node.get_logger().error(f"cannot write the package to {folder}: {error}")
        self._node.get_logger().warning(
            f"handed over: {package.summary} Next: {package.recommendation} ({place})"
        )
        self._handovers.publish(handover_msg(package, pictures, place))

    async def _snapshots(self) -> dict[str, Picture]:
        return await take_snapshots(self._node) if self._pictures else {}

    def _give(self, answer: Answer, now: float) -> None:
        """Take down the one answer that counts, then let the master go on."""
        assert self._mission is not None
        self._mission.answer(answer, now)
        self._answered.set_result(answer)

    # Services

    def _on_list(self, request, response):
        pending = self._mission.pending if self._mission else None
        if pending is not None and not self._answered.done():
            response.approvals = [approval_msg(pending, self._shown)]
        return response

    def _on_answer(self, request, response):
        answer = Answer(
            "approved" if request.approve else "denied",
            request.by.strip() or "somebody",
            request.comment,
        )
        now = self._node.get_clock().now().nanoseconds / 1e9
        pending = self._mission.pending if self._mission else None
        try:
            if pending is not None and pending.id == request.id and not self._answered.done():
                self.check(now)  # it may just have expired
                if not self._answered.done():
                    if objection := self._objection(pending, request):
                        self._ledger.answer(pending.id, answer, counted=False, stamp=now)
                        response.detail = f"approval {pending.id} still waits: {objection}"
                        self._node.refuse(topics.ANSWER_APPROVAL[0], ConfigError(response.detail))
                        return response
                    if self._approvers is not None:
                        answer = replace(answer, answered_by=request.by)
                    self._give(answer, now)
                    response.ok, response.detail = True, f"{pending.what} {answer}"
                    return response
            response.detail = self._refusal(request.id, answer, now)
        except LedgerError as error:
            response.detail = f"the answer cannot be taken down: {error}"
        return response

    def _objection(self, pending: Request, request) -> str:
        """Why an answer does not count, by its signature; empty: it does."""
        if self._approvers is None:
            return ""
        question = approval_msg(pending, {})
        statement = statement_of(question, request.approve, request.by, request.comment)
        return self._approvers.objection(statement, bytes(request.signature))

    def _refusal(self, approval: str, answer: Answer, now: float) -> str:
        """Take down an answer that does not count, and say why."""
        before = self._ledger.answers(approval)
        if before is None:
            pending = self._mission.pending if self._mission else None
            known = f"pending: {pending.id}" if pending is not None else "nothing is pending"
            return f"unknown approval {approval!r}; {known}"
        self._ledger.answer(approval, answer, counted=False, stamp=now)
        return f"approval {approval} has ended already: " + (before or "it was not answered")


def _keep(mission: Mission, pictures: Mapping[str, Picture], **of) -> None:
    """Keep pictures in the ledger, now or as soon as it can take them."""
    for camera, shot in pictures.items():
        mission.owe(
            lambda to, camera=camera, shot=shot: to.picture(
                mission.id, camera, shot.stamp, shot.jpeg, **of
            )
        )
    with contextlib.suppress(LedgerFault):
        mission.settle()


def handovers_beside(ledger: Ledger) -> Path:
    """Folder of the packages of a ledger's missions."""
    return ledger.path.parent / "handovers"
