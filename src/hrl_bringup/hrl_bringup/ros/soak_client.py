"""The client of a soak: gives missions that may outlive it, and makes what a world may send."""

import random
import time
from collections.abc import Callable, Mapping, Sequence

from rclpy.action.client import ActionClient
from rclpy.task import Future

from hrl_bringup.ros.broken_messages import broken_message
from hrl_bringup.ros.operator_node import ANSWER, SETTLING, Operator
from hrl_core import topics
from hrl_core.ros import convert
from hrl_core.ros.qos import interface, publisher_qos
from hrl_core.topics import Topic
from hrl_msgs.action import RunMission
from hrl_msgs.msg import Order
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.trial import Order as PlannedOrder

LIDAR = "lidar"


def sensor_topics(cameras: Sequence[str]) -> dict[str, Topic]:
    """Every topic of a driver's sensors by its name."""
    of_cameras = [
        make(camera)
        for camera in cameras
        for make in (topics.image, topics.depth, topics.camera_info)
    ]
    found = (topics.SCAN, topics.IMU, topics.JOINT_STATES, topics.ODOMETRY, *of_cameras)
    return {topic.name: topic for topic in found}


class SoakClient(Operator):
    """`on_truth` gets everything that the plant says."""

    def __init__(
        self,
        environment: Mapping[str, str],
        watch: Callable[[], None],
        on_truth: Callable[[Truth], None],
        sensors: Mapping[str, Topic],
    ):
        self.ticks_missed: dict[str, int] = {}  # of all processes of a node together
        self.lockstep_misses = 0  # of all processes of the plant together
        self._last_misses = 0
        self.heard: dict[str, float] = {}  # wall time of each node's last diagnostics
        self._last_missed: dict[str, int] = {}
        self._tell_truth = on_truth
        super().__init__(environment, watch, lambda line: None)
        self._sensors = sensors
        self._publishers = {
            name: self._node.create_publisher(interface(topic.type), name, publisher_qos(topic))
            for name, topic in sensors.items()
        }
        stop = topics.E_STOP
        self._e_stop = self._node.create_publisher(
            interface(stop.type), stop.name, publisher_qos(stop)
        )
        name, kind = topics.INJECT_FAULT
        self._fault = self._node.create_client(interface(kind), name)

    # Missions

    def give(self, mission: str, orders: Sequence[PlannedOrder]) -> Future:
        """Send a mission; the future is done when its goal was accepted or refused."""
        goal = RunMission.Goal(mission_id=mission)
        goal.orders = [
            Order(id=str(k), item=o.item, from_bin=o.from_bin, to_station=o.to_station)
            for k, o in enumerate(orders, 1)
        ]
        return self._mission.send_goal_async(goal)

    def start_anew(self) -> None:
        """Forget everything about missions, as a client that was started again."""
        self._mission.destroy()
        self._mission = ActionClient(self._node, RunMission, "run_mission")

    @property
    def ready(self) -> bool:
        """Whether a master is there to take missions."""
        return self._mission.server_is_ready()

    def pause(self, paused: bool) -> None:
        """Hold the plant, or let it run."""
        self._pause(paused)

    def let_run(self) -> None:
        """The same as pause(False), without waiting for an answer."""
        name, kind = topics.PAUSE_PLANT
        self._services[name].call_async(interface(kind).Request(data=False))

    def settle(self) -> None:
        """Let what was put down come to rest before it is judged."""
        truth = self.truth
        end = SETTLING + (0.0 if truth is None else truth.time)
        self._wait(
            lambda: self.truth is not None and self.truth.time >= end,
            ANSWER,
            lambda: "the plant has stopped",
        )

    def spin(self) -> None:
        """Take in what has come, and watch once."""
        self._spin_once()

    # Troubles

    def press_e_stop(self, pressed: bool) -> None:
        self._e_stop.publish(interface(topics.E_STOP.type)(data=pressed))

    def silence(self, sensor: str, seconds: float) -> None:
        """Let a camera or the LiDAR fall silent for some seconds of ROS time."""
        kind = "lidar_outage" if sensor == LIDAR else "camera_outage"
        request = interface(topics.INJECT_FAULT[1]).Request(
            kind=kind, target="" if sensor == LIDAR else sensor, start=0.0, duration=seconds
        )
        self._fault.call_async(request)

    def send_broken(self, topic: str, rng: random.Random) -> None:
        """Publish a broken message on a topic of a sensor."""
        stamp = convert.stamp_msg(0.0 if self.truth is None else self.truth.time)
        self._publishers[topic].publish(broken_message(self._sensors[topic], stamp, rng))

    # Callbacks

    def _on_truth(self, message) -> None:
        super()._on_truth(message)
        assert self.truth is not None, "it was taken in just now"
        self._tell_truth(self.truth)
        misses = message.lockstep_misses
        self.lockstep_misses += _more(misses, self._last_misses)
        self._last_misses = misses

    def _on_diagnostics(self, message) -> None:
        for status in message.status:
            name = status.name.rpartition("/")[2]
            self.heard[name] = time.monotonic()
            for value in status.values:
                if value.key == topics.TICKS_MISSED:
                    missed = int(value.value)
                    more = _more(missed, self._last_missed.get(name, 0))
                    self.ticks_missed[name] = self.ticks_missed.get(name, 0) + more
                    self._last_missed[name] = missed


def _more(count: int, before: int) -> int:
    """How much was counted since; less than before: another process counts from zero."""
    return count - before if count >= before else count
