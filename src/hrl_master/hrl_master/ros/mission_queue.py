"""Missions that people give, add to and end: services `missions/queue`, `/add` and `/cancel`."""

import time
import uuid
from collections.abc import Callable, Sequence

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_master.ledger import Ledger
from hrl_master.ledger_file import LedgerError
from hrl_master.orders import Order

NOBODY = "by is empty: say who gives or ends a mission"


class MissionQueue:
    """The ledger keeps what waits: a master that is killed loses none of it."""

    def __init__(
        self,
        node: HrlNode,
        ledger: Ledger,
        orders_of: Callable[[Sequence], list[Order]],
        end: Callable[[str, str], bool],
        add: Callable[[str, list[Order]], tuple[str, list[int]]],
    ):
        """`orders_of`: messages -> orders that can be run; raises ConfigError. `end(mission, why)`:
        end the mission that runs; whether it is that one. `add(mission, orders)`: have the mission
        that runs take orders; its id and their numbers; raises ConfigError, LedgerError.
        """
        self._node, self._ledger, self._orders_of, self._end = node, ledger, orders_of, end
        self._add = add
        self._looks = True  # something may wait
        self._services = [
            node.create_service(interface(kind), name, callback)
            for (name, kind), callback in (
                (topics.QUEUE_MISSION, self._on_queue),
                (topics.ADD_ORDERS, self._on_add),
                (topics.CANCEL_MISSION, self._on_cancel),
            )
        ]

    def destroy(self) -> None:
        for service in self._services:
            self._node.destroy_service(service)

    def first(self) -> tuple[str, list[Order]] | None:
        """The mission whose turn it is; raises LedgerFault where the ledger cannot be read.

        None while a person's stop is taken down as pressed: a master that has just begun may not
        have heard of it.
        """
        if not self._looks:
            return None
        waiting = self._ledger.waiting()
        self._looks = bool(waiting)
        return None if not waiting or self._ledger.stopped() else waiting[0]

    def refuse(self, mission: str, why: str) -> None:
        """A mission that cannot be run does not hold up the others."""
        self._node.get_logger().error(f"mission {mission} is not run: {why}")
        self._ledger.cancel_queued(mission, "master", why)

    def _on_queue(self, request, response):
        try:
            if not request.by.strip():
                raise ConfigError(NOBODY)
            if not self._node.active:
                raise ConfigError("master is not active; activate it first")
            orders = self._orders_of(request.orders)
            mission = request.mission_id or (
                f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{uuid.uuid4().hex[:6]}"
            )
            self._ledger.queue_mission(mission, orders, request.by.strip())
        except (ConfigError, LedgerError) as error:
            response.detail = str(error)
            return response
        self._looks = True
        response.ok, response.mission_id = True, mission
        response.detail = f"mission {mission} waits for its turn"
        return response

    def _on_add(self, request, response):
        try:
            if not request.by.strip():
                raise ConfigError(NOBODY)
            orders = self._orders_of(request.orders)
            mission, numbers = self._add(request.mission_id, orders)
        except (ConfigError, LedgerError) as error:
            response.detail = str(error)
            return response
        response.ok, response.mission_id, response.numbers = True, mission, numbers
        response.detail = f"mission {mission} has taken {len(numbers)} more"
        try:
            told = "; ".join(str(order) for order in orders)
            self._ledger.person_did(request.by.strip(), "order", mission, told)
        except LedgerError as error:  # the orders are in it all the same
            self._node.get_logger().error(str(error))
        return response

    def _on_cancel(self, request, response):
        mission, by = request.mission_id, request.by.strip()
        try:
            if not by:
                raise ConfigError(NOBODY)
            if mission in (waiting for waiting, _ in self._ledger.waiting()):
                self._ledger.cancel_queued(mission, by, f"cancelled by {by}")
                response.ok, response.detail = True, f"mission {mission} does not wait any more"
            elif self._end(mission, f"cancelled by {by}"):
                self._ledger.person_did(by, "cancel", mission)
                response.ok, response.detail = True, f"mission {mission} ends"
            else:
                response.detail = f"mission {mission!r} neither runs nor waits"
        except (ConfigError, LedgerError) as error:
            response.detail = str(error)
        return response
