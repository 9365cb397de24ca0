"""The node between a robot's driver and our topics."""

import sys
from collections.abc import Callable, Coroutine

from pydantic import Field
from rclpy.callback_groups import ReentrantCallbackGroup
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import load_robot
from hrl_core.ros.convert import seconds, stamp_msg
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import NodeParameters
from hrl_core.topics import Topic
from hrl_driver.names import Frames
from hrl_driver.profile import Driver, load_driver
from hrl_driver.ros.commands import ArmOut, BaseOut, GripperOut
from hrl_driver.ros.power import PowerServices
from hrl_driver.ros.sensors import CameraIn, ImuIn, JointsIn, OdometryIn, ScansIn
from hrl_driver.ros.tf import DriverTransforms
from hrl_driver.watch import Phase, Watch, pressed_in
from hrl_msgs.msg import TickDone

NEEDED = (topics.JOINT_STATES.name, topics.ODOMETRY.name)
SET_BACK = 1.0  # s that a stamp goes back before time counts as set back


class DriverParameters(NodeParameters):
    """Parameters of the driver's node."""

    driver: str = Field(default="plant", description="file in config/drivers, or a .yaml file")
    robot: str = Field(default="spot", description="robot in config/robots, or a .yaml file")


class DriverNode(HrlNode):
    """Passes on what the driver senses, and our commands where the robot is up and well."""

    parameters_model = DriverParameters
    parameters: DriverParameters
    farewell = 3.0  # sitting down is asked for, not waited for

    def __init__(self):
        super().__init__("driver")
        self._power: PowerServices | None = None
        self._base: BaseOut | None = None
        self._ending = False  # the services of the end are being called

    def load(self) -> None:
        p = self.parameters
        robot, self._driver = load_robot(p.robot), load_driver(p.driver)
        self._check_names(self._driver)
        driver, sensors = self._driver, self._driver.sensors
        self._watch = Watch(NEEDED, driver.power.lost_after)
        self._stamp = float("-inf")  # s, of the newest odometry
        self._told: bool | None = None  # of the driver's emergency stop, on e_stop
        frames = Frames(driver)
        # The order counts: in lockstep a velocity is what ends a tick's commands.
        self._outputs = (
            ArmOut(self, driver, robot, self._passes),
            GripperOut(self, driver, robot, self._passes),
        )
        self._base = BaseOut(self, driver, self._passes)
        self._transforms = DriverTransforms(self, driver, frames)
        self._inputs: list[object] = [
            JointsIn(self, driver, self._heard),
            OdometryIn(self, driver, frames, self._transforms, self._heard),
        ]
        if sensors.imu is not None:
            self._inputs.append(ImuIn(self, driver, sensors.imu, frames, self._transforms))
        self._scans = ScansIn(self, driver, robot, frames, self._transforms)
        self._inputs += [
            CameraIn(self, driver, frames, name, camera) for name, camera in sensors.cameras.items()
        ]
        self._stops = self.publish_on(topics.E_STOP)
        if (stop := sensors.e_stop) is not None:
            topic = Topic(driver.resolved(stop.topic), stop.type, "", "state")
            self.subscribe_state(topic, self._on_stop)
        self._tick_done = self.publish_on(topics.TICK_DONE)
        self._power = PowerServices(self, driver)
        group = ReentrantCallbackGroup()
        self._restart = self.create_service(
            Trigger, topics.RESTART_DRIVER[0], self._on_restart, callback_group=group
        )

    def unload(self) -> None:
        self.destroy_service(self._restart)

    def begin(self) -> None:
        self._start()

    def halt(self) -> None:
        if self._base is None or self._power is None or self._ending:
            return
        self._base.stop()
        if self._watch.phase is not Phase.FAULT and self._driver.power.end:
            self._watch.start()
            self._ending = True
            self._begin_task(self._end())

    @property
    def busy(self) -> bool:
        return self._ending

    def on_e_stop(self) -> None:
        if self._base is not None:
            self._base.stop()

    def watch(self) -> None:
        if not self.active:
            return
        if self._watch.look(self._now()):
            assert self._base is not None and self._power is not None, "load made them"
            self._base.stop()
            self._begin_task(self._power.call(self._driver.power.fault, self._in(Phase.FAULT)))

    def status(self) -> tuple[str, dict[str, object]]:
        if not self.active:
            return "inactive", {}
        return self._watch.phase.value, {"driver": self._driver.name}

    def faults(self) -> dict[str, str]:
        if not self.active:
            return {}
        assert self._power is not None, "load made it"
        faults = {"power": self._power.doing}
        if self._watch.phase is Phase.FAULT:
            again = topics.RESTART_DRIVER[0]
            faults["robot"] = f"{self._watch.fault}: nothing is passed on until {again} is called"
        needed = {self._driver.resolved(s.topic): s.rate for s in self._sources()}
        faults |= {name: self.inputs.lack(name, rate) for name, rate in needed.items()}
        return {name: sentence for name, sentence in faults.items() if sentence}

    # Up and down

    def _start(self) -> None:
        self._watch.start()
        self._begin_task(self._bring_up())

    async def _bring_up(self) -> None:
        assert self._power is not None, "load made it"
        if await self._power.call(self._driver.power.start, self._in(Phase.WAITS)):
            self._watch.ready(self._now())
            self.get_logger().info("the robot is up: commands are passed on")

    async def _end(self) -> None:
        assert self._power is not None, "load made it"
        await self._power.call(self._driver.power.end, lambda: False)
        self._ending = False

    def _on_restart(self, request, response):
        if self._watch.phase is not Phase.FAULT:
            response.message = f"there is no fault: {self._watch.phase.value}"
        elif self._watch.pressed:
            response.message = "the robot's emergency stop is pressed: release it first"
        else:
            self._start()
            response.success, response.message = True, "is brought up"
        return response

    # Input

    def _heard(self, name: str, stamp: float) -> None:
        now = self._now()
        self._watch.hear(name, now)
        if name != topics.ODOMETRY.name:
            return
        if stamp < self._stamp - SET_BACK:
            self._transforms.forget_after(stamp)
        self._stamp = stamp
        self._scans.try_again()
        if self.parameters.lockstep and self._watch.phase is not Phase.WAITS:
            self._tick_done.publish(
                TickDone(stamp=stamp_msg(stamp), node=self.get_name(), idle=True)
            )

    def _on_stop(self, message) -> None:
        stop = self._driver.sensors.e_stop
        assert stop is not None, "it is subscribed to"
        try:
            pressed = pressed_in(message, stop.field, stop.pressed)
        except AttributeError as error:
            raise ConfigError(f"field {stop.field!r} of the driver file: {error}") from error
        if pressed != self._told:  # and not at every message: another's press must last
            self._told = pressed
            self._stops.publish(Bool(data=pressed))
        self._watch.pressed = pressed

    # Helpers

    def _in(self, phase: Phase) -> Callable[[], bool]:
        """Whether it is in a phase and goes on; a later one has services of its own."""
        return lambda: self.active and self._watch.phase is phase

    def _passes(self) -> bool:
        return self.active and self._watch.passes and not self.e_stop

    def _sources(self):
        sensors = self._driver.sensors
        yield from sensors.joint_states.sources
        yield from (sensors.odometry, *sensors.scans)
        if sensors.imu is not None:
            yield sensors.imu

    def _begin_task(self, coroutine: Coroutine) -> None:
        assert self.executor is not None, "run_node has added it to one"
        self.executor.create_task(coroutine)

    def _now(self) -> float:
        return seconds(self.get_clock().now().to_msg())

    def _check_names(self, driver: Driver) -> None:
        """Raise ConfigError where a topic of the driver's is one of ours."""
        ours = {
            self.resolve_topic_name(topic.name)
            for topic in (
                *topics.SENSORS,
                topics.CMD_VEL,
                topics.ARM,
                topics.GRIPPER,
                topics.E_STOP,
            )
        }
        if not driver.frame_prefix:
            ours |= {self.resolve_topic_name(t.name) for t in (topics.TF, topics.TF_STATIC)}
        theirs = (*driver.sensor_topics(), *driver.command_topics())
        both = sorted(ours & {self.resolve_topic_name(name) for name in theirs})
        if both:
            raise ConfigError(
                f"driver {driver.name!r}: {both} are topics of the driver and of ours: start the "
                "driver in a namespace and name it in the driver file, or our nodes in one"
            )


def main() -> int:
    return run_node(DriverNode)


if __name__ == "__main__":
    sys.exit(main())
