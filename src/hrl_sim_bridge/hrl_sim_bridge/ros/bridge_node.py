"""The plant over ROS: commands, services and ticks; in real time or in lockstep."""

# pyright: reportOptionalMemberAccess=false
# What `load` has made is there while the node runs: pyright does not see that.

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.control import Command
from hrl_core.robot import load_robot
from hrl_core.ros import convert
from hrl_core.ros.commands import check_age, twist_from_msg
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.qos import interface
from hrl_driver.profile import load_driver
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.plant.seat import SittingGait
from hrl_sim_bridge.plant.trajectory import Follower
from hrl_sim_bridge.ros.bridge_parameters import BridgeParameters
from hrl_sim_bridge.ros.convert import initial_pose_msg, trajectory_from_msg
from hrl_sim_bridge.ros.driver_ears import DriverEars
from hrl_sim_bridge.ros.lockstep import Lockstep
from hrl_sim_bridge.ros.pace import Pace
from hrl_sim_bridge.ros.sensor_publisher import SensorPublisher, send
from hrl_sim_bridge.ros.voices import DriverVoice, OwnVoice, Sending, Voice
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World

RESEND = 0.5  # s of wall time; a node that joins late has missed the first tick
DRAIN = 64  # callbacks at most between two ticks


class BridgeNode(HrlNode):
    """Runs the plant between the callbacks of one executor; physics never runs inside of one."""

    parameters_model = BridgeParameters
    parameters: BridgeParameters

    def __init__(self):
        super().__init__("plant")
        self._plant: Plant | None = None
        self._events = 0  # messages and requests so far

    def load(self) -> None:
        p = self.parameters
        self._robot = load_robot(p.robot)
        self._world_name = p.world
        self._driver = load_driver(p.driver) if p.driver else None
        self._gait = None if self._driver is None else SittingGait(self._robot)
        world = load_world(p.world)
        self._plant = self._make_plant(world, draw_trial(world, p.seed))
        names = p.lockstep_nodes + (("driver",) if self._driver is not None else ())
        self._lockstep = Lockstep(names if p.lockstep else (), p.node_timeout)
        self._arm, self._gripper = Follower(), Follower()
        self._twist: np.ndarray | None = None
        self._pace = Pace(p.realtime_factor)
        self._paused = p.paused
        self._steps_left = 0  # of plant/step
        self._stepped: Future | None = None  # when they are done
        self._fresh = True  # the trial's first tick was not published yet
        self._begun: Future | None = None  # when it was, and all nodes have taken it in
        self._driven = False  # somebody commanded the base
        self._told = 0  # how many subscribers the initial pose had when it was published
        self._make_topics()

    def unload(self) -> None:
        self._plant.close()
        if self._ears is not None:
            self._ears.close()
        for service in self._services_made:
            self.destroy_service(service)

    def _make_plant(self, world: World, trial: Trial) -> Plant:
        if self._driver is None:
            return Plant(world, trial, self._robot)
        age = self._driver.commands.base.lives
        options = PlantOptions(gait=self._gait, command_age=age)
        return Plant(world, trial, self._robot, options=options)

    def _make_topics(self) -> None:
        # The order counts: the executor takes messages in this order, and when a node says that
        # it has done a tick, its commands have to be here already.
        self._ears: DriverEars | None = None
        arm = {name: name for name in self._robot.arm.joints}
        finger = {self._robot.arm.gripper_joint: self._robot.arm.gripper_joint}
        if self._driver is None or self._gait is None:
            self.subscribe(topics.CMD_VEL, self._on_twist)
            for topic, follower, joints in (
                (topics.ARM, self._arm, arm),
                (topics.GRIPPER, self._gripper, finger),
            ):
                self.subscribe(topic, partial(self._on_trajectory, topic, follower, joints))
            voice: Voice = OwnVoice(self, self._robot)
        else:
            self._ears = DriverEars(
                self, self._robot, self._driver, self._gait, self._arm, self._gripper,
                self._take_twist, self._on_trajectory, lambda: self._plant.time,
            )  # fmt: skip
            voice = DriverVoice(self, self._robot, self._driver)
        self.subscribe(topics.TICK_DONE, self._on_tick_done)
        self._sensors = SensorPublisher(self, self._robot, self.parameters.overview_rate, voice)
        self._initial_pose = self.publish_on(topics.INITIAL_POSE)
        # A request for steps stays open until they are done; it must not bar other callbacks.
        group = ReentrantCallbackGroup()
        self._services_made = [
            self.create_service(interface(kind), name, callback, callback_group=group)
            for (name, kind), callback in (
                (topics.RESET_PLANT, self._on_reset),
                (topics.PAUSE_PLANT, self._on_pause),
                (topics.STEP_PLANT, self._on_step),
                (topics.INJECT_FAULT, self._on_fault),
            )
        ]

    def halt(self) -> None:
        self._twist = np.zeros(3)

    def on_e_stop(self) -> None:
        self._stand_still()

    def status(self) -> tuple[str, dict[str, object]]:
        if self._plant is None:
            return "inactive", {}
        figures = {
            "time_s": self._plant.time,
            "realtime_factor": f"{self._pace.factor:.2f}",
            "lockstep_misses": self._lockstep.misses,
        }
        return "paused" if self._paused else "runs", figures

    def faults(self) -> dict[str, str]:
        if self._plant is None or self._lockstep.waits <= 1.0:
            return {}
        return {f"waits for {name}": f"waits for {name}" for name in self._lockstep.missing()}

    def ros_time(self) -> Time:
        """The plant makes it."""
        return convert.stamp_msg(0.0 if self._plant is None else self._plant.time)

    # Main loop

    def run(self, executor: SingleThreadedExecutor, stopping: Callable[[], bool]) -> None:
        self._executor, self._stopping = executor, stopping
        while not stopping():
            if not self.active:
                executor.spin_once()
            elif self._fresh:
                self._begin_trial()
            elif self._paused and not self._steps_left:
                executor.spin_once()
                self._pace.restart()
            else:
                self._tick(self._command())
                self._count_step()

    def _begin_trial(self) -> None:
        """Publish the first tick until every node that is waited for has taken it in."""
        self._fresh = False
        plant = self._plant
        plant.step(Command())
        messages = self._sense()
        self._lockstep.begin(plant.time)
        began = sent = time.monotonic()
        self._tell_initial_pose()
        send(messages)
        while (late := self._lockstep.missing()) and not self._interrupted():
            self._executor.spin_once()
            now = time.monotonic()
            if now - began > self.parameters.startup_timeout:
                self.get_logger().warning(f"{late} did not appear; going on without")
                break
            if now - sent > RESEND:
                sent = now
                self._tell_initial_pose()
                send(messages)
                self.get_logger().info(f"waiting for {late}", throttle_duration_sec=5.0)
        # Whoever heard it at another try starts from it again: the number of tries makes no
        # difference to the trial.
        self._tell_initial_pose()
        self._pace.restart()
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    def _tell_initial_pose(self) -> None:
        self._told = self._initial_pose.get_subscription_count()
        plant = self._plant
        self._initial_pose.publish(initial_pose_msg(plant.trial, plant.time))

    def _tick(self, command: Command) -> None:
        """One control tick: act, advance, sense, publish, wait."""
        self._plant.step(command)
        self._driven = self._driven or command.twist is not None
        if not self._driven and self._initial_pose.get_subscription_count() > self._told:
            self._tell_initial_pose()  # somebody joined late, and it still holds
        send(self._sense())
        self._lockstep.begin(self._plant.time)
        self._pace.tick()
        self._wait_for_nodes()
        self._wait_for_time()

    def _sense(self) -> list[Sending]:
        assert self._plant is not None, "ticks come after load"
        return self._sensors.sense(self._plant, self._pace.factor, self._lockstep.misses)

    def _interrupted(self) -> bool:
        return self._stopping() or not self.active or self._fresh

    def _wait_for_nodes(self) -> None:
        while self._lockstep.missing() and not self._interrupted():
            self._executor.spin_once()
            if late := self._lockstep.give_up():
                self.get_logger().warning(
                    f"{late} did not finish tick {self._plant.time:.1f} s within "
                    f"{self.parameters.node_timeout} s"
                )

    def _wait_for_time(self) -> None:
        """Run callbacks until it is time for the next tick, and whatever is ready in any case."""
        while (spare := self._pace.spare()) > 0 and not self._interrupted():
            self._executor.spin_once(timeout_sec=spare)
        for _ in range(DRAIN):
            before = self._events
            self._executor.spin_once(timeout_sec=0)
            if before == self._events:
                break

    # Commands

    def _command(self) -> Command:
        """What has come since the last tick."""
        now = self._plant.time
        twist, self._twist = self._twist, None
        if self.e_stop:
            return Command(twist=np.zeros(3))
        gripper = self._gripper.target(now)
        return Command(twist, self._arm.target(now), None if gripper is None else float(gripper[0]))

    def _stand_still(self) -> None:
        self._twist = np.zeros(3)
        self._arm.drop()
        self._gripper.drop()

    def _on_twist(self, message) -> None:
        self._events += 1
        stamp = convert.seconds(message.header.stamp)
        try:
            check_age(stamp, self._plant.time)
        except ConfigError as error:  # as if it had not come: silence stops the base
            self.refuse(topics.CMD_VEL.name, error)
            return
        try:
            self._twist = twist_from_msg(message)
        except ConfigError as error:
            self._refuse(topics.CMD_VEL.name, error)
        self._lockstep.commanded(stamp)

    def _take_twist(self, twist: np.ndarray) -> None:
        """A velocity that came without a stamp is of now."""
        self._events += 1
        self._twist = twist
        self._lockstep.commanded(self._plant.time)

    def _on_trajectory(self, topic, follower: Follower, joints: dict[str, str], message) -> None:
        """`joints`: names in messages, and those of the robot file."""
        self._events += 1
        where = [self._robot.joints.index(name) for name in joints.values()]
        present = self._plant.joints().position[where]
        try:
            follower.follow(trajectory_from_msg(message, tuple(joints), present, self._plant.time))
        except ConfigError as error:
            self._refuse(topic.name, error)

    def _refuse(self, name: str, error: ConfigError) -> None:
        """A wrong command leaves the robot standing."""
        self.refuse(name, error)
        self._stand_still()

    def _on_tick_done(self, message) -> None:
        self._events += 1
        if self.parameters.lockstep:
            self._lockstep.done(message.node, convert.seconds(message.stamp), message.idle)

    # Services

    async def _on_reset(self, request, response):
        self._events += 1
        try:
            world = self._plant.world
            if request.world and request.world != self._world_name:
                world = load_world(request.world)
            trial = draw_trial(world, request.seed, request.disturb or "file")
            if world is not self._plant.world:
                self._plant.close()
                self._plant = self._make_plant(world, trial)
                self._world_name = request.world
            else:
                self._plant.reset(trial)
        except ConfigError as error:
            response.detail = str(error)
            return response
        self._stand_still()
        self._end_steps(False, "the plant was reset")
        self._lockstep.restart()
        self._fresh, self._paused, self._driven = True, request.paused, False
        if self.active:
            self._begun = Future()
            await self._begun
        response.ok, response.detail = True, f"{self._world_name}, seed {request.seed}"
        return response

    def _on_pause(self, request, response):
        self._events += 1
        self._paused = request.data
        self._end_steps(False, "plant/pause was called")
        response.success, response.message = True, "paused" if request.data else "runs"
        return response

    async def _on_step(self, request, response):
        self._events += 1
        if not self._paused:
            response.detail = "the plant runs; pause it first (plant/pause)"
        elif self._steps_left:
            response.detail = f"{self._steps_left} ticks of another request are left"
        elif request.ticks:
            self._steps_left, self._stepped = request.ticks, (stepped := Future())
            response.ok, response.detail = await stepped  # pyright: ignore[reportGeneralTypeIssues]
        else:
            response.ok = True
        response.stamp = convert.stamp_msg(self._plant.time)
        return response

    def _count_step(self) -> None:
        if self._steps_left:
            self._steps_left -= 1
            if not self._steps_left:
                self._end_steps(True, "done")

    def _end_steps(self, ok: bool, detail: str) -> None:
        self._steps_left = 0
        if self._stepped is not None and not self._stepped.done():
            self._stepped.set_result((ok, detail))

    def _on_fault(self, request, response):
        self._events += 1
        known = [kind.value for kind in FaultKind]
        try:
            if request.kind not in known:
                raise ConfigError(f"kind = {request.kind!r}: allowed are {known}")
            for name in ("start", "duration"):
                value = getattr(request, name)
                if not (np.isfinite(value) and value >= 0):
                    raise ConfigError(f"{name} = {value}: allowed are 0 and more [s]")
            start = self._plant.time + request.start
            fault = Fault(FaultKind(request.kind), request.target, start, request.duration)
            self._plant.inject(fault)
        except ConfigError as error:
            response.detail = str(error)
            return response
        response.ok, response.detail = True, f"{request.kind} from {start:.1f} s on"
        return response


def main() -> int:
    return run_node(BridgeNode)


if __name__ == "__main__":
    sys.exit(main())
