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
from hrl_core.control import TICK
from hrl_core.odometry_watch import OdometryWatch
from hrl_core.robot import Robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.gate import EPSILON, TickGate
from hrl_core.ros.node import HrlNode
from hrl_core.sensed import Imu, Joints, Localisation, Odometry, Sensed

LATE = 3 * TICK  # s; joints of another publisher that are older than so are not merged
POLL = TICK / 5  # s of ROS time between two looks whether a tick is due
PUBLISHERS = 8  # of joint states at most: each may send its part at once
TICKS = "control ticks"
RESET = 1.0  # s by which a stamp goes back before a robot's clock counts as set back
PATIENCE = 1.0  # s of wall time; half of what the plant waits for a node

# Topics by name; in lockstep a tick needs all of these.
SOURCES = {topic.name: topic for topic in (*topics.SENSORS, topics.POSE, topics.DETECTIONS)}


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

    In lockstep a tick is complete when every source has come with its stamp. Otherwise there is
    one tick in each control period: with the joint states that come nearest to when it is due, or
    half a period later without any, whatever their rate. Joints may come from several publishers.
    `more_periods`: sources that the node takes itself and tells of by `note`, period [s] by name.
    `on_restart(stamp, why)` is called when ROS time has gone back: the plant was reset, or the
    robot's clock set back. `on_repeat` is
    called when the sensors of the last tick come again: the plant missed an answer to them.
    """

    def __init__(
        self,
        node: HrlNode,
        robot: Robot,
        on_tick: Callable[[float], None],
        on_restart: Callable[[float, str], None] = lambda stamp, why: None,
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
        self._sensors = sensor_convert.sensors_of(robot)
        # Joints may come in parts, and odometry may contradict itself.
        self._conversions = {
            **{sensor.topic.name: sensor.from_msg for sensor in self._sensors},
            topics.JOINT_STATES.name: self._merged_joints,
            topics.ODOMETRY.name: self._watched_odometry,
        }
        self._messages: dict[str, object] = {}
        self._converted: dict[str, tuple[object, Any]] = {}  # message and what was made of it
        self._refused: dict[str, str] = {}  # why the newest of a source cannot be used
        self._odometry_watch = OdometryWatch()
        self._joints: dict[tuple[str, ...], Any] = {}  # newest message by the names in it
        self._due = float("-inf")  # s, when the next tick is due on the robot's clock
        self._ticked = 0.0  # s, this node's time at the last tick
        self._listened = float("-inf")  # s, stamp of the last tick since the valve was opened
        self.missed = 0  # control periods that went by without a tick while it was open
        self._rates = {name: 1.0 / (period or TICK) for name, period in periods.items()}  # Hz
        self._odometry: deque[Odometry] = deque(maxlen=100)  # to find the one of a pose
        self._first: Future | None = None  # who waits for the first tick after `resume`
        self.heard = self._resumed = time.monotonic()  # wall time
        for name in sources:
            # What waited behind a closed valve may be of a time before the plant was reset.
            depth = PUBLISHERS if name == "joint_states" and not self._lockstep else 1
            node.subscribe(
                SOURCES[name],
                lambda message, name=name: self._take(name, message),
                self._valve,
                depth=depth,
            )
        self._timer = node.create_timer(POLL, self._on_time, callback_group=self._valve)
        node.made.append(lambda: node.destroy_timer(self._timer))
        if self._lockstep:
            self._timer.cancel()

    def pause(self) -> None:
        """Take in nothing until `resume`."""
        self._open(False)

    def reopen(self) -> None:
        """Take in sensor data again and keep what is there: nothing newer has come since."""
        self._open(True)
        self.heard = self._resumed = time.monotonic()

    def resume(self) -> Future:
        """Take in sensor data anew; the future is done at the first tick."""
        self._forget()
        self.reopen()
        self._first = Future()
        return self._first

    def _open(self, listening: bool) -> None:
        self._valve.open, self._listened = listening, float("-inf")
        for name in self._sources:
            self._node.inputs.listen(SOURCES[name].name, listening)
        self._node.inputs.listen(TICKS, listening)
        if not listening:
            self._timer.cancel()
        elif not self._lockstep:
            self._timer.reset()

    def note(self, name: str, stamp: float) -> None:
        """Something of a source came."""
        self._notice_time(name, stamp)
        self.gate.note(name, stamp)
        if self._lockstep:
            self.check()

    def check(self) -> None:
        """In lockstep, let a tick begin whose sensors stay away; call it every now and then."""
        if self._lockstep and self._valve.open and self.gate.opens():
            self._begin_tick(self.gate.opened)

    def faults(self) -> dict[str, str]:
        """What is wrong with the sensors: a sentence by topic."""
        inputs, faults = self._node.inputs, {}
        for name in sorted(self._sources):
            topic = SOURCES[name].name
            if name == "imu" and not inputs.publishers(topic):
                self.gate.leave_out(name)
                continue  # a robot without one: odometry tells of the tilt
            faults[topic] = inputs.lack(topic, self._rates[name])
        faults[TICKS] = inputs.slowness(TICKS, 1.0 / TICK)
        return {name: sentence for name, sentence in faults.items() if sentence}

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
        unheard = self._sources - self._messages.keys()
        said = {sensor.field: self._read(sensor.topic.name) for sensor in self._sensors}
        return Sensed(
            **{**said, "imu": said["imu"] or self._tilt(said["odometry"])},
            stamp=self.stamp if np.isfinite(self.stamp) else 0.0,
            localisation=self._localisation(),
            detections=self._get("detections", convert.detections_from_msg) or {},
            refused={
                **{name: self._node.inputs.why(SOURCES[name].name) for name in unheard},
                **self._refused,
            },
        )

    def _take(self, name: str, message) -> None:
        stamp = convert.seconds(message.header.stamp)
        self._notice_time(name, stamp)
        newest = self._newest(name, message)
        if stamp < newest - EPSILON or (stamp <= newest and not self._lockstep):
            return  # out of order; in lockstep the same tick may come again
        repeated = name == "odom" and abs(stamp - self.gate.opened) < EPSILON
        self.heard = time.monotonic()
        self._messages[name] = message
        if name == "joint_states":
            self._joints[tuple(message.name)] = message
        if name == "odom" and (odometry := self._read(name)) is not None:
            self._odometry.append(odometry)
        self.note(name, stamp)
        if self._lockstep:
            if repeated:
                self._on_repeat()
        elif name == "joint_states" and stamp > max(
            self._due - TICK / 2, self.gate.opened + TICK / 2, self.gate.tick - TICK
        ):
            if self._settled or self._sources <= self._messages.keys():
                self._begin_timely_tick(stamp)

    def _newest(self, name: str, message) -> float:
        """Stamp [s] of a source's newest message before this one; -inf: none."""
        if name != "joint_states":
            return self.gate.newest(name)
        part = self._joints.get(tuple(message.name))
        return float("-inf") if part is None else convert.seconds(part.header.stamp)

    def _on_time(self) -> None:
        """Let a tick begin for which no joint states came in time."""
        if not np.isfinite(self.gate.tick) or not (self._settled or np.isfinite(self._due)):
            return
        stamp = max(self.gate.tick, self.gate.opened + self._node_time() - self._ticked)
        if stamp >= self._due + TICK / 2:
            self._begin_timely_tick(stamp)

    def _begin_timely_tick(self, stamp: float) -> None:
        # One that is late by less than a period does not shift those after it.
        self._due = TICK + (self._due if stamp < self._due + TICK else stamp)
        self._begin_tick(stamp)

    def _node_time(self) -> float:
        """ROS time of this node [s]; a robot's stamps may be of another clock."""
        return self._node.get_clock().now().nanoseconds / 1e9

    @property
    def _settled(self) -> bool:
        """Whether it is pointless to wait any longer for sensors that were not heard at all."""
        return time.monotonic() - self._resumed > PATIENCE

    def _begin_tick(self, stamp: float) -> None:
        now = self._node_time()
        if np.isfinite(self._listened):
            # A stamp may be wrong, and a tick may begin a little early or late: by both clocks.
            gap = min(stamp - self._listened, now - self._ticked)
            self.missed += max(0, round(gap / TICK) - 1)
        self.gate.opened, self._ticked, self._listened = stamp, now, stamp
        self._node.inputs.came(TICKS)
        if self._first is not None and not self._first.done():
            self._first.set_result(None)
        self._on_tick(stamp)

    def _notice_time(self, name: str, stamp: float) -> None:
        """Start anew where a source's time has gone back."""
        newest = self.gate.newest(name)
        if stamp <= newest - (TICK - EPSILON if self._lockstep else RESET):
            why = (
                f"ROS time went back: header.stamp of {name} by {newest - stamp:.2f} s, to "
                f"{stamp:.2f} s; the plant was reset, or a clock was set back"
            )
            self._forget()
            self._on_restart(stamp, why)

    def _forget(self) -> None:
        self._messages.clear()
        self._converted.clear()
        self._refused.clear()
        self._odometry_watch.restart()
        self._odometry.clear()
        self._joints.clear()
        self._due = self._listened = float("-inf")
        self.gate.restart()
        if not self._node.inputs.publishers(topics.IMU.name):
            self.gate.leave_out("imu")  # ticks come faster than patience ends

    def _read(self, name: str) -> Any:
        """What the newest message of a sensor says; None: there is none, or it is unusable."""
        return self._get(name, self._conversions[name])

    def _watched_odometry(self, message) -> Odometry:
        """Odometry whose twist agrees with its poses; raises ConfigError."""
        odometry = sensor_convert.odometry_from_msg(message)
        if (wrong := self._odometry_watch.check(odometry)) is not None:
            raise ConfigError(wrong)
        return odometry

    def _get(self, name: str, conversion: Callable) -> Any:
        """The newest of a source, converted once; None: there is none, or it is unusable."""
        message = self._messages.get(name)
        if message is None:
            return None
        kept = self._converted.get(name)
        if kept is None or kept[0] is not message:
            topic = SOURCES[name].name
            try:
                kept = (message, conversion(message))
            except ConfigError as error:
                self._node.refuse(topic, error)
                self._refused[name] = str(error)
                kept = (message, None)
            else:
                self._refused.pop(name, None)
                self._node.inputs.used(topic)
            self._converted[name] = kept
        return kept[1]

    def _merged_joints(self, message) -> Joints:
        """All joints from the newest messages of the publishers; raises ConfigError."""
        newest = convert.seconds(message.header.stamp)
        parts = [
            part
            for part in self._joints.values()
            if part is not message and newest - convert.seconds(part.header.stamp) < LATE
        ]
        return sensor_convert.joints_from_msgs([message, *parts], self._robot)

    def _tilt(self, odometry: Odometry | None) -> Imu | None:
        """What odometry tells of the tilt, where no IMU was heard that measures it."""
        if odometry is None or "imu" not in self._sources:
            return None
        rates = np.array([0.0, 0.0, odometry.twist[2]])
        return Imu(odometry.stamp, rates, odometry.odom_from_base[2, :3])

    def _localisation(self) -> Localisation | None:
        """map -> odom from the pose in map and the odometry of the same time."""
        if not self._odometry:
            return None

        def localise(message) -> Localisation:
            stamp = convert.seconds(message.header.stamp)
            nearest = min(self._odometry, key=lambda o: abs(o.stamp - stamp))
            return Localisation(stamp, *convert.map_from_odom(message, nearest))

        return self._get("pose", localise)
