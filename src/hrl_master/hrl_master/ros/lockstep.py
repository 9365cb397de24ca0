"""The master's side of lockstep: it says on `tick_done` when the plant may go on."""

from collections.abc import Callable

from rclpy.task import Future

from hrl_core import topics
from hrl_core.ros.convert import seconds, stamp_msg
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.node import HrlNode
from hrl_master.ros.skill_client import SkillClient
from hrl_msgs.msg import TickDone

NEVER = float("-inf")  # s


class TickHolder:
    """Holds the plant at the tick after a skill has ended until the next one has begun.

    While a skill runs, the master is done with a tick when the skill is. Without lockstep it says
    nothing, but hears all the same when a skill has ended. Times: s of ROS time.
    """

    def __init__(self, node: HrlNode, perception: str, on_restart: Callable[[str], None]):
        """`perception`: the node whose ticks say what time it is.

        `on_restart`: called with a sentence when ROS time has gone back.
        """
        self._node, self._perception, self._on_restart = node, perception, on_restart
        self._lockstep = node.parameters.lockstep
        self._tick = NEVER  # that perception has finished
        self._hold: float | None = None  # newest tick that may be acknowledged; None: every
        self._acknowledged = NEVER
        self.running: SkillClient | None = None
        self._skill_began = NEVER  # tick of its goal
        self._skill_tick = NEVER  # newest tick that the running skill has finished
        self._accepted: float | None = None  # when it took its goal
        self._alarm: tuple[float, Future] | None = None  # the time that is waited for
        self._tick_done = node.publish_on(topics.TICK_DONE)
        node.subscribe(topics.TICK_DONE, self._on_tick_done)

    # Holding

    def hold(self) -> None:
        """Let time go no further than to the tick after the present one."""
        self._hold = self._tick

    def let_go(self) -> None:
        """Let time go on."""
        self._hold = None
        self._acknowledge()

    @property
    def holds(self) -> bool:
        return self._hold is not None

    def is_due(self, stamp: float) -> bool:
        """Whether a decision may be made by what was sensed at a tick."""
        return self._hold is None or stamp > self._hold + EPSILON

    # The skill that runs

    def skill_starts(self, client: SkillClient, stamp: float) -> None:
        """A goal is about to be sent."""
        self._skill_began, self._skill_tick, self._accepted = stamp, NEVER, None
        self.running = client

    def skill_accepted(self) -> None:
        self._accepted = self._node.get_clock().now().nanoseconds / 1e9
        if self.running is not None:  # else it has ended already
            self.let_go()

    def skill_answered(self) -> None:
        """The goal has its outcome."""
        if self.running is not None:  # no tick has told of the end: rejected, or lost
            self.running = None
            self.hold()
            self._acknowledge()

    def silence(self, now: float) -> float:
        """How long the running skill has given no sign since it took its goal [s]."""
        return 0.0 if self._accepted is None else now - max(self._skill_tick, self._accepted)

    # Standing still

    async def wait_until(self, stamp: float) -> None:
        """Let time go on to a time, or until `wake`; the plant is then held."""
        self._alarm = stamp, Future()
        self.let_go()
        await self._alarm[1]
        self._alarm = None

    def ring(self, stamp: float) -> None:
        """End a wait that is over by now; call it often."""
        if self._alarm is not None and stamp >= self._alarm[0] - EPSILON:
            if not self._alarm[1].done():
                self._hold = stamp if self._lockstep else None
                self._alarm[1].set_result(None)

    def wake(self) -> None:
        """End a wait early."""
        if self._alarm is not None and not self._alarm[1].done():
            self._alarm[1].set_result(None)

    # Ticks

    def _on_tick_done(self, message: TickDone) -> None:
        stamp = seconds(message.stamp)
        if message.node == self._perception:
            if stamp < self._tick - EPSILON:
                self._on_restart(
                    f"ROS time went back: stamp of {message.node} on {topics.TICK_DONE.name} by "
                    f"{self._tick - stamp:.2f} s, to {stamp:.2f} s; the plant was reset, or a "
                    "clock was set back"
                )
                self._hold, self._acknowledged = None, NEVER
            self._tick = stamp
            self.ring(stamp)
            if stamp == self._acknowledged:
                self._publish()  # the plant asks again: it has missed it
        elif self.running is not None and message.node == self.running.skill:
            if stamp < self._skill_began - EPSILON:
                return  # of an earlier goal
            self._skill_tick = stamp
            self._hold = None  # it has begun
            if message.idle:
                self.running, self._hold = None, stamp
        else:
            return
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Tell the plant that the work of the present tick is done, if it is."""
        stamp = self._tick
        if not self._lockstep or stamp <= self._acknowledged:
            return
        if self._hold is not None and stamp > self._hold + EPSILON:
            return  # a decision is due
        if self.running is not None and self._skill_tick < stamp - EPSILON:
            return  # the skill's command is due
        self._acknowledged = stamp
        self._publish()

    def _publish(self) -> None:
        self._tick_done.publish(
            TickDone(stamp=stamp_msg(self._acknowledged), node=self._node.get_name(), idle=True)
        )
