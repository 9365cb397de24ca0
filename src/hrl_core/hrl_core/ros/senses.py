"""The newest message of every sensor, converted when asked for, and the control ticks they make."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.task import Future

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import Robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.gate import EPSILON, TickGate
from hrl_core.ros.node import HrlNode
from hrl_core.sensed import Localisation, Odometry, Sensed

TICK = 0.1  # s of ROS time, control period
LATE = 3 * TICK  # s; without joint states for so long, other sensors make the ticks
PATIENCE = 1.0  # s of wall time; half of what the plant waits for a node

# Message by source; in lockstep a tick needs all of these.
SOURCES = {
    "scan": topics.SCAN,
    "imu": topics.IMU,
    "joint_states": topics.JOINT_STATES,
    "odom": topics.ODOMETRY,
    "pose": topics.POSE,
    "detections": topics.DETECTIONS,
}


class Valve(MutuallyExclusiveCallbackGroup):
    """Subscriptions that the executor looks at only while the valve is open.

    A node that has nothing to do sleeps: several hundred messages a second would wake it in vain.
    The newest message of each waits in the middleware.
    """

    def __init__(self):
        super().__init__()
        self.open = True

    def can_execute(self, entity) -> bool:
        return self.open and super().can_execute(entity)


class Senses:
    """Subscribes to what `sources` names and calls `on_tick(stamp)` once per control tick.

    In lockstep a tick is complete when every source has come with its stamp. Otherwise time
    belongs to the robot: a tick begins with the first joint states of a new control period.
    `more_periods`: sources that the node takes itself and tells of by `note`, period [s] by name.
    `on_restart(stamp)` is called when ROS time has gone back: the plant was reset. `on_repeat` is
    called when the sensors of the last tick come again: the plant missed an answer to them.
    """

    def __init__(
        self,
        node: HrlNode,
        robot: Robot,
        on_tick: Callable[[float], None],
        on_restart: Callable[[float], None] = lambda stamp: None,
        on_repeat: Callable[[], None] = lambda: None,
        sources: tuple[str, ...] = tuple(SOURCES),
        more_periods: Mapping[str, float] | None = None,
    ):
        self._node = node
        self._robot = robot
        self._lockstep = node.parameters.lockstep
        self._on_tick = on_tick
        self._on_restart = on_restart
        self._on_repeat = on_repeat
        self._valve = Valve()
        period = 1.0 / robot.lidar.rate
        periods = {name: period if name == "scan" else 0.0 for name in sources}
        self.gate = TickGate({**periods, **(more_periods or {})}, PATIENCE)
        self._sources = frozenset(sources)
        self._messages: dict[str, object] = {}
        self._converted: dict[str, tuple[object, object]] = {}
        self._odometry: deque[Odometry] = deque(maxlen=100)  # to find the one of a pose
        self._first: Future | None = None  # who waits for the first tick after `resume`
        self.heard = self._resumed = time.monotonic()  # wall time
        for name in sources:
            # What waited behind a closed valve may be of a time before the plant was reset.
            node.subscribe(
                SOURCES[name],
                lambda message, name=name: self._take(name, message),
                self._valve,
                newest_only=True,
            )

    def pause(self) -> None:
        """Take in nothing until `resume`."""
        self._valve.open = False

    def reopen(self) -> None:
        """Take in sensor data again and keep what is there: nothing newer has come since."""
        self._valve.open = True
        self.heard = self._resumed = time.monotonic()

    def resume(self) -> Future:
        """Take in sensor data anew; the future is done at the first tick."""
        self._forget()
        self._valve.open = True
        self.heard = self._resumed = time.monotonic()
        self._first = Future()
        return self._first

    def note(self, name: str, stamp: float) -> None:
        """Something of a source came."""
        self._notice_time(name, stamp)
        self.gate.note(name, stamp)
        if self._lockstep:
            self.check()

    def check(self) -> None:
        """Let a tick begin whose sensors stay away; call it every now and then."""
        if not self._valve.open:
            return
        if self._lockstep:
            if self.gate.opens():
                self._begin_tick(self.gate.opened)
        elif self.gate.tick > self.gate.opened + LATE and self._settled:
            self._begin_tick(self.gate.tick)

    @property
    def stamp(self) -> float:
        """ROS time [s] of the last tick; -inf before the first."""
        return self.gate.opened

    @property
    def silence(self) -> float:
        """Wall time [s] since the last message of any sensor."""
        return time.monotonic() - self.heard

    def sensed(self) -> Sensed:
        """Everything that is known at the last tick."""
        odometry = self._odometry_now()
        return Sensed(
            stamp=self.stamp if np.isfinite(self.stamp) else 0.0,
            scan=self._get("scan", sensor_convert.scan_from_msg),
            joints=self._get(
                "joint_states", lambda m: sensor_convert.joints_from_msg(m, self._robot)
            ),
            odometry=odometry,
            imu=self._get("imu", sensor_convert.imu_from_msg),
            localisation=self._localisation(),
            detections=self._get("detections", convert.detections_from_msg) or {},
        )

    def _take(self, name: str, message) -> None:
        stamp = convert.seconds(message.header.stamp)
        self._notice_time(name, stamp)
        repeated = name == "odom" and abs(stamp - self.gate.opened) < EPSILON
        self.heard = time.monotonic()
        self._messages[name] = message
        if name == "odom" and (odometry := self._odometry_now()) is not None:
            self._odometry.append(odometry)
        self.note(name, stamp)
        if self._lockstep:
            if repeated:
                self._on_repeat()
        elif name == "joint_states" and stamp > self.gate.opened + TICK - 5 * EPSILON:
            if self._settled or self._sources <= self._messages.keys():
                self._begin_tick(stamp)

    @property
    def _settled(self) -> bool:
        """Whether it is pointless to wait any longer for sensors that were not heard at all."""
        return time.monotonic() - self._resumed > PATIENCE

    def _begin_tick(self, stamp: float) -> None:
        self.gate.opened = stamp
        if self._first is not None and not self._first.done():
            self._first.set_result(None)
        self._on_tick(stamp)

    def _notice_time(self, name: str, stamp: float) -> None:
        """Start anew where a source's time has gone back."""
        if stamp <= self.gate.newest(name) - TICK / 2:
            self._forget()
            self._on_restart(stamp)

    def _forget(self) -> None:
        self._messages.clear()
        self._converted.clear()
        self._odometry.clear()
        self.gate.restart()

    def _odometry_now(self) -> Odometry | None:
        return self._get("odom", sensor_convert.odometry_from_msg)

    def _get(self, name: str, conversion: Callable) -> Any:
        """The newest of a source, converted once; None: there is none, or it is unusable."""
        message = self._messages.get(name)
        if message is None:
            return None
        kept = self._converted.get(name)
        if kept is None or kept[0] is not message:
            try:
                kept = (message, conversion(message))
            except ConfigError as error:
                self._node.get_logger().error(f"{name}: {error}", throttle_duration_sec=5.0)
                kept = (message, None)
            self._converted[name] = kept
        return kept[1]

    def _localisation(self) -> Localisation | None:
        """map -> odom from the pose in map and the odometry of the same time."""
        if not self._odometry:
            return None

        def localise(message) -> Localisation:
            stamp = convert.seconds(message.header.stamp)
            nearest = min(self._odometry, key=lambda o: abs(o.stamp - stamp))
            return Localisation(stamp, *convert.map_from_odom(message, nearest))

        return self._get("pose", localise)
