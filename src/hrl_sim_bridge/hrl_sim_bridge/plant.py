"""The plant: one trial of a world with a robot on its feet, advanced tick by tick.

Free of ROS. A command goes in, 25 physics steps and 5 steps of the gait later the sensors can be
read. The same trial and the same commands give the same data, bit for bit.
"""

from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np

from hrl_core.robot import Robot
from hrl_core.sensed import CameraFrame, Imu, Joints, Odometry, Scan
from hrl_sim_bridge import sensors
from hrl_sim_bridge.actuators import Actuators
from hrl_sim_bridge.cameras import Cameras
from hrl_sim_bridge.disturbances import Disturbances
from hrl_sim_bridge.faults import Fault, FaultKind
from hrl_sim_bridge.people import Walker
from hrl_sim_bridge.robot_model import add_payload, plant_model, robot_spec, set_options
from hrl_sim_bridge.sensors import Body, LidarSensor, OdometryDrift, generator
from hrl_sim_bridge.trial import Trial
from hrl_sim_bridge.truth import ContactWatch, Truth, read_truth
from hrl_sim_bridge.warehouse import add_warehouse
from hrl_sim_bridge.world import World
from hrl_skills.gait import PERIOD, Gait
from hrl_skills.skill import TICK, Command

GAIT_STEPS = round(TICK / PERIOD)
SETTLE_TICKS = 10  # the robot stands for a second before time 0


class GaitController(Protocol):
    """What walks the robot: `hrl_skills.gait.Gait`."""

    def reset(self) -> None: ...
    def step(
        self,
        command: np.ndarray,
        up_in_base: np.ndarray,
        gyro: np.ndarray,
        joints: np.ndarray,
        joint_velocities: np.ndarray,
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class PlantOptions:
    """How to simulate; nothing here changes what the robot is or where it stands."""

    timestep: float = 0.004  # s
    skin: bool = True  # fine meshes for the overview; without, starting is quicker
    gait: GaitController | None = None  # None: the trained gait


class Plant:
    """A robot in a warehouse. Not thread-safe; OpenGL stays in the thread that reads pictures."""

    def __init__(
        self, world: World, trial: Trial, robot: Robot, *, options: PlantOptions | None = None
    ) -> None:
        self.world, self.robot = world, robot
        self.options = options or PlantOptions()
        self._gait = self.options.gait or Gait(robot)
        self._substeps = round(PERIOD / self.options.timestep)
        if abs(self._substeps * self.options.timestep - PERIOD) > 1e-9:
            raise ValueError(
                f"timestep = {self.options.timestep}: allowed are whole parts of {PERIOD} s"
            )
        self._cameras: Cameras | None = None
        self.reset(trial)

    @property
    def time(self) -> float:
        """Time [s] since the reset, a multiple of the tick."""
        return round(self._ticks * TICK, 6)

    def reset(self, trial: Trial) -> None:
        """Start a trial from its beginning."""
        self.close()
        self.trial = trial
        spec = robot_spec(self.robot, skin=self.options.skin)
        set_options(spec, self.options.timestep)
        if trial.payload:
            add_payload(self.robot, spec, trial.payload)
        spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP  # items at rest cost nothing
        add_warehouse(spec, self.world.site, trial)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self._body = Body(self.robot, self.model)
        self._actuators = Actuators(self.robot, self.model, PERIOD)
        self._lidar = LidarSensor(self.robot, self.model)
        self._watch = ContactWatch(self.robot, self.model)
        self._cameras = Cameras(self.robot, self.model, self.world.noise.camera, trial.seed)
        self._walkers = [Walker(person) for person in trial.people]
        self._pushes = list(trial.pushes)
        self._disturbances = Disturbances(
            self.model, self.data, self.world.site, self.robot, trial, self._watch
        )
        self._gait_noise = generator(trial.seed, "gait")
        self._noise_sd = self._gait_noise_sd()
        self._ticks = -SETTLE_TICKS
        self._put_robot()
        for _ in range(SETTLE_TICKS):
            self.step(Command())
        self._watch.reset()
        self._drift = OdometryDrift(
            self.world.noise.odometry, trial.seed, self._body.map_from_base(self.data)
        )

    def step(self, command: Command) -> None:
        """Advance by one control tick of 0.1 s.

        Raises CommandRefused for a wrong command; no time passes then, and the robot will hold.
        """
        time = self._ticks * TICK
        self._actuators.accept(command, time)
        self._actuators.base.begin_tick(time)
        self._move_people()
        self._disturbances.advance(time)
        while self._pushes and self._pushes[0].time <= time:
            self.data.qvel[self._body.root_linear][:2] += self._pushes.pop(0).velocity
        moving = self._actuators.joints.begin_tick()
        if not moving:
            self._actuators.write_arm(self.data, 1.0)
        noise = self._gait_noise.standard_normal((GAIT_STEPS, len(self._noise_sd))) * self._noise_sd
        for k in range(GAIT_STEPS):
            self._walk(noise[k])
            self._advance_physics(k, moving)
            self._watch.update(self.data)
        self._ticks += 1
        self._fresh = False
        if self._ticks > 0:
            self._drift.advance(*self._body.planar(self.data))

    def inject(self, fault: Fault) -> None:
        """Let something go wrong from fault.start [s, plant time] on; raises ConfigError."""
        self._disturbances.add(fault)

    def scan(self) -> Scan | None:
        """LiDAR at this tick; None during an outage."""
        if self._disturbances.active(FaultKind.LIDAR_OUTAGE):
            return None
        self._refresh()
        ranges = self._lidar.ranges(self.model, self.data, self._body.map_from_base(self.data))
        return self._lidar.read(ranges, self.world.noise.scan, self._rng("scan"), self.time)

    def joints(self) -> Joints:
        """Joint states at this tick."""
        return sensors.joints(
            self._body, self.data, self.world.noise.joints, self._rng("joints"), self.time
        )

    def imu(self) -> Imu:
        """IMU at this tick."""
        return sensors.imu(self._body, self.data, self.world.noise.imu, self._rng("imu"), self.time)

    def odometry(self) -> Odometry:
        """Drifting odometry at this tick."""
        return self._drift.read(
            self._body.map_from_base(self.data),
            self._body.twist(self.data),
            self._rng("odometry"),
            self.time,
        )

    def image(self, camera: str) -> CameraFrame | None:
        """RGB-D picture at this tick; None during an outage. Raises ConfigError for the name."""
        cameras = self._open_cameras()
        cameras.check(camera)
        if self._disturbances.active(FaultKind.CAMERA_OUTAGE, camera):
            return None
        self._refresh()
        return cameras.frame(camera, self.data, self.joints(), self._ticks)

    def overview(self) -> np.ndarray:
        """Picture (h, w, 3) uint8 for people, from a camera that follows the robot."""
        self._refresh()
        pose = self._body.map_from_base(self.data)
        return self._open_cameras().overview(self.data, pose, self.world.site)

    def map_picture(self) -> np.ndarray:
        """Picture (h, w, 3) uint8 of the whole site from above, x right and y up."""
        self._refresh()
        return self._open_cameras().from_above(self.data, self.world.site)

    def truth(self) -> Truth:
        """What is really so, for judge, benchmarks and reports only."""
        self._refresh()
        names = self.trial.item_names
        happened = self._disturbances.happened
        return read_truth(
            self.time, self._body, self.model, self.data, names, self._watch, happened
        )

    def close(self) -> None:
        """Free OpenGL; pictures can be taken again afterwards."""
        if self._cameras is not None:
            self._cameras.close()

    def _open_cameras(self) -> Cameras:
        assert self._cameras is not None  # reset makes them
        return self._cameras

    def _put_robot(self) -> None:
        robot, data, body = self.robot, self.data, self._body
        x, y, yaw = self.trial.start
        # A little above the floor: the feet sink in by 5 mm.
        height = robot.legs.standing_height + 0.005
        pose = [x, y, height, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
        arm = [*robot.arm.poses["stow"], robot.arm.gripper_closed]
        data.qpos[body.root_position] = pose
        data.qpos[body.position] = [*robot.legs.nominal, *arm]
        data.ctrl[body.actuator] = [*robot.legs.nominal, *arm]
        feet = [self.model.geom(name).id for name in plant_model(robot).feet]
        self.model.geom_friction[feet, 0] = self.trial.floor_friction
        self._actuators.reset(np.array(arm))
        self._gait.reset()
        mujoco.mj_forward(self.model, data)
        self._fresh = True

    def _gait_noise_sd(self) -> np.ndarray:
        """Noise (6 + 2 legs,) of what the gait reads: up, angular velocity, encoders."""
        imu, joints = self.world.noise.imu, self.world.noise.joints
        sizes = (3, 3, len(self.robot.legs.joints), len(self.robot.legs.joints))
        return np.repeat([imu.up, imu.angular_velocity, joints.position, joints.velocity], sizes)

    def _walk(self, noise: np.ndarray) -> None:
        """One step of the gait, from the robot's own noisy IMU and encoders; noise (30,)."""
        body, qpos, qvel = self._body, self.data.qpos, self.data.qvel
        legs = len(self.robot.legs.joints)
        self.data.ctrl[self._actuators.legs] = self._gait.step(
            self._actuators.base.advance(),
            body.rotation(self.data)[2] + noise[:3],
            qvel[body.root_angular] + noise[3:6],
            qpos[body.leg_position] + noise[6 : 6 + legs],
            qvel[body.leg_velocity] + noise[6 + legs :],
        )

    def _advance_physics(self, gait_step: int, moving: bool) -> None:
        model, data, n = self.model, self.data, self._substeps
        if not moving:
            mujoco.mj_step(model, data, n)
            return
        for k in range(n):
            self._actuators.write_arm(data, (gait_step * n + k + 1) / (GAIT_STEPS * n))
            mujoco.mj_step(model, data)

    def _move_people(self) -> None:
        if not self._walkers:
            return
        pose = np.array(self._body.planar(self.data))
        for k, walker in enumerate(self._walkers):
            if self._ticks >= 0:
                walker.advance(TICK, self.robot.base, pose)
            mocap = self.model.body(f"person/{k}").mocapid[0]
            self.data.mocap_pos[mocap] = [*walker.position, 0.0]

    def _refresh(self) -> None:
        """Bring poses up to this instant: after a step they lag one physics step behind."""
        if not self._fresh:
            mujoco.mj_kinematics(self.model, self.data)
            mujoco.mj_comPos(self.model, self.data)
            mujoco.mj_camlight(self.model, self.data)
            self._fresh = True

    def _rng(self, stream: str) -> np.random.Generator:
        return generator(self.trial.seed, stream, self._ticks)
