"""Whether whoever gave the running goal is still there, if it said at all that it is."""

import time
from dataclasses import dataclass

from unique_identifier_msgs.msg import UUID

from hrl_core import topics
from hrl_core.ros.node import HrlNode

CLIENT_SILENCE = 1.0  # s of wall time, and of ROS time, that a client may give no sign
REMEMBERED = 10.0  # s of wall time; a sign may come before its goal, which waits for sensors


@dataclass(frozen=True)
class Sign:
    """When a goal was last said to be wanted."""

    wall: float  # s
    ros: float  # s


class ClientWatch:
    """Hears on GOAL_ALIVE which goals are still wanted.

    A killed process stays in the graph of DDS for up to 20 s, so only what it says tells that it
    lives. A goal that was never named there is not watched: its client need not know of it. Both
    clocks count: where the plant waits for a slow master, ROS time stands, and nothing is lost.
    """

    def __init__(self, node: HrlNode):
        self._node = node
        self._signs: dict[bytes, Sign] = {}  # by goal
        node.subscribe(topics.GOAL_ALIVE, self._on_alive)

    def silence(self, goal_id: UUID) -> float:
        """How long [s] the client of a goal has given no sign; 0: it is there, or not watched."""
        sign = self._signs.get(bytes(goal_id.uuid))
        if sign is None:
            return 0.0
        return max(0.0, min(time.monotonic() - sign.wall, self._now() - sign.ros))

    def _on_alive(self, message: UUID) -> None:
        wall = time.monotonic()
        self._signs = {k: s for k, s in self._signs.items() if wall - s.wall < REMEMBERED}
        self._signs[bytes(message.uuid)] = Sign(wall, self._now())

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds / 1e9
