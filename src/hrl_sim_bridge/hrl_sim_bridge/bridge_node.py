"""The plant over ROS: clock, sensors, tf, commands, services; in real time or in lockstep."""

import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
from pydantic import Field
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future
from rosgraph_msgs.msg import Clock

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.robot import load_robot
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.node import HrlNode, run_node
from hrl_core.ros.parameters import NodeParameters
from hrl_core.ros.qos import interface
from hrl_sim_bridge.convert import (
    initial_pose_msg,
    jpeg_msg,
    moving_transforms,
    static_transforms,
    trajectory_from_msg,
    truth_msg,
    twist_from_msg,
)
from hrl_sim_bridge.faults import Fault, FaultKind
from hrl_sim_bridge.lockstep import Lockstep
from hrl_sim_bridge.pace import Pace
from hrl_sim_bridge.plant import Plant
from hrl_sim_bridge.trajectory import Follower
from hrl_sim_bridge.world import load_world
from hrl_skills.skill import TICK, Command

RESEND = 0.5  # s of wall time; a node that joins late has missed the first tick
DRAIN = 64  # callbacks at most between two ticks
JPEG_QUALITY = 80
CAMERA_TOPICS = (topics.image, topics.depth, topics.camera_info)


class BridgeParameters(NodeParameters):
    """Parameters of the plant."""

    world: str = Field(
        default="small_warehouse", description="world in config/worlds, or a .yaml file"
    )
    robot: str = Field(default="spot", description="robot in config/robots, or a .yaml file")
    seed: int = Field(default=0, ge=0, description="world and seed give one exact trial")
    paused: bool = Field(default=False, description="start paused")
    realtime_factor: float = Field(
        default=1.0, ge=0, le=100, description="ROS time over wall time; 0: as fast as it can"
    )
    lockstep_nodes: tuple[str, ...] = Field(
        default=("perception", "master"),
        description="nodes that are waited for at every tick in lockstep; skills with a goal too",
    )
    node_timeout: float = Field(
        default=2.0, gt=0, le=60, description="s of wall time that a node may take for a tick"
    )
    startup_timeout: float = Field(
        default=60.0, gt=0, le=600, description="s of wall time for all lockstep_nodes to appear"
    )
    overview_rate: float = Field(
        default=0.0, ge=0, le=10, description="Hz of ROS time of the outside picture; 0: none"
    )


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
        world = load_world(p.world)
        self._plant = Plant(world, world.sample(p.seed), self._robot)
        self._lockstep = Lockstep(p.lockstep_nodes if p.lockstep else (), p.node_timeout)
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
        self._camera_ticks = {
            name: max(1, round(1 / (camera.rate * TICK)))
            for name, camera in self._robot.cameras.items()
        }
        self._make_topics()

    def unload(self) -> None:
        self._plant.close()
        for service in self._services_made:
            self.destroy_service(service)

    def _make_topics(self) -> None:
        # The order counts: the executor takes messages in this order, and when a node says that
        # it has done a tick, its commands have to be here already.
        self.subscribe(topics.CMD_VEL, self._on_twist)
        self.subscribe(topics.ARM, self._on_arm)
        self.subscribe(topics.GRIPPER, self._on_gripper)
        self.subscribe(topics.TICK_DONE, self._on_tick_done)
        self._clock_topic = self.publish_on(topics.CLOCK)
        self._scan = self.publish_on(topics.SCAN)
        self._imu = self.publish_on(topics.IMU)
        self._joints = self.publish_on(topics.JOINT_STATES)
        self._odometry = self.publish_on(topics.ODOMETRY)
        self._tf = self.publish_on(topics.TF)
        self._truth = self.publish_on(topics.PLANT_TRUTH)
        self._overview = self.publish_on(topics.OVERVIEW)
        self._initial_pose = self.publish_on(topics.INITIAL_POSE)
        self._pictures = {
            name: [self.publish_on(topic(name)) for topic in CAMERA_TOPICS]
            for name in self._robot.cameras
        }
        self._tf_static = self.publish_on(topics.TF_STATIC)
        self._tf_static.publish(static_transforms(self._robot))
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

    def status(self) -> tuple[bool, str, dict[str, object]]:
        if self._plant is None:
            return True, "inactive", {}
        figures = {
            "time_s": self._plant.time,
            "realtime_factor": f"{self._pace.factor:.2f}",
            "lockstep_misses": self._lockstep.misses,
        }
        late = self._lockstep.missing() if self._lockstep.waits > 1.0 else []
        message = f"waits for {late}" if late else "paused" if self._paused else "runs"
        return not late, message, figures

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
        self._send(messages)
        while (late := self._lockstep.missing()) and not self._interrupted():
            self._executor.spin_once()
            now = time.monotonic()
            if now - began > self.parameters.startup_timeout:
                self.get_logger().warning(f"{late} did not appear; going on without")
                break
            if now - sent > RESEND:
                sent = now
                self._tell_initial_pose()
                self._send(messages)
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
        self._send(self._sense())
        self._lockstep.begin(self._plant.time)
        self._pace.tick()
        self._wait_for_nodes()
        self._wait_for_time()

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

    # Sensors

    def _sense(self) -> list[tuple]:
        """(publisher, message) of everything that is due at this tick, in the order to send."""
        plant, stamp = self._plant, self._plant.time
        odometry, scan = plant.odometry(), plant.scan()
        frames = [f for name in self._pictures if (f := self._picture(name)) is not None]
        transforms = interface(topics.TF.type)(
            transforms=moving_transforms(self._robot, odometry, frames)
        )
        messages: list[tuple] = [
            (self._clock_topic, Clock(clock=convert.stamp_msg(stamp))),
            (self._tf, transforms),
        ]
        for frame in frames:
            messages += zip(
                self._pictures[frame.name], sensor_convert.frame_msgs(frame), strict=True
            )
        joints = sensor_convert.joints_msg(plant.joints(), self._robot)
        messages += [
            (self._imu, sensor_convert.imu_msg(plant.imu())),
            (self._joints, joints),
            (self._odometry, sensor_convert.odometry_msg(odometry)),
        ]
        if scan is not None:
            messages.append((self._scan, sensor_convert.scan_msg(scan)))
        messages.append(
            (self._truth, truth_msg(plant.truth(), self._pace.factor, self._lockstep.misses))
        )
        if self._due(self.parameters.overview_rate):
            messages.append((self._overview, jpeg_msg(_jpeg(plant.overview()), stamp)))
        return messages

    def _send(self, messages: list[tuple]) -> None:
        for publisher, message in messages:
            publisher.publish(message)

    def _picture(self, name: str):
        """A camera's picture if it is due; in lockstep always, so that trials are the same."""
        tick = round(self._plant.time / TICK) - 1  # the first tick has pictures
        if tick % self._camera_ticks[name]:
            return None
        wanted = any(p.get_subscription_count() for p in self._pictures[name])
        if not wanted and not self.parameters.lockstep:
            return None
        return self._plant.image(name)

    def _due(self, rate: float) -> bool:
        """Whether something of a rate [Hz] falls on this tick."""
        if rate == 0:
            return False
        return round(self._plant.time / TICK) % max(1, round(1 / (rate * TICK))) == 0

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
        try:
            self._twist = twist_from_msg(message)
        except ConfigError as error:
            self._refuse(topics.CMD_VEL.name, error)
        self._lockstep.commanded(convert.seconds(message.header.stamp))

    def _on_arm(self, message) -> None:
        self._on_trajectory(
            topics.ARM, message, self._arm, self._robot.arm.joints, self._robot.arm_slice
        )

    def _on_gripper(self, message) -> None:
        k = self._robot.gripper_index
        joints = (self._robot.arm.gripper_joint,)
        self._on_trajectory(topics.GRIPPER, message, self._gripper, joints, slice(k, k + 1))

    def _on_trajectory(self, topic, message, follower: Follower, joints, where: slice) -> None:
        self._events += 1
        present = self._plant.joints().position[where]
        try:
            follower.follow(trajectory_from_msg(message, joints, present, self._plant.time))
        except ConfigError as error:
            self._refuse(topic.name, error)

    def _refuse(self, name: str, error: ConfigError) -> None:
        """A wrong command leaves the robot standing."""
        self.get_logger().error(f"{name} refused: {error}", throttle_duration_sec=1.0)
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
            trial = world.sample(request.seed, request.disturb or "file")
            if world is not self._plant.world:
                self._plant.close()
                self._plant = Plant(world, trial, self._robot)
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


def _jpeg(rgb: np.ndarray) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


def main() -> int:
    return run_node(BridgeNode)


if __name__ == "__main__":
    sys.exit(main())
