"""The plant: one trial of a world with a robot on its feet, advanced tick by tick.

Free of ROS. A command goes in, 25 physics steps and 5 steps of the gait later the sensors can be
read. The same trial and the same commands give the same data, bit for bit.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import mujoco
import numpy as np

from hrl_core.control import COMMAND_AGE, TICK, Command
from hrl_core.robot import Robot
from hrl_core.sensed import CameraFrame, Imu, Joints, Odometry, Scan, Sensed
from hrl_sim_bridge.plant.actuators import Actuators
from hrl_sim_bridge.plant.belts import Belts
from hrl_sim_bridge.plant.cameras import Cameras
from hrl_sim_bridge.plant.disturbances import Disturbances
from hrl_sim_bridge.plant.people import Walker
from hrl_sim_bridge.plant.robot_model import add_payload, plant_model, robot_spec, set_options
from hrl_sim_bridge.plant.sensors import Body, Sensors, generator, time_of
from hrl_sim_bridge.plant.truth import ContactWatch, Truth, read_truth
from hrl_sim_bridge.plant.warehouse import add_warehouse
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.world import World
from hrl_skills.gait import PERIOD, Gait

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
    command_age: float = COMMAND_AGE  # s; the base does not obey a velocity that is older


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
        return time_of(self._ticks)

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
        self._actuators = Actuators(self.robot, self.model, PERIOD, self.options.command_age)
        self._watch = ContactWatch(self.robot, self.model)
        self._cameras = Cameras(self.robot, self.model, self.world.noise.camera, trial.seed)
        self._walkers = [Walker(person) for person in trial.people]
        self._pushes = list(trial.pushes)
        self._disturbances = Disturbances(
            self.model, self.data, self.world.site, self.robot, trial, self._watch
        )
        self._belts = Belts(self.model, self.data, self.world.site, trial.item_names, self._watch)
        self._sensors = Sensors(
            self.robot,
            self.model,
            self.data,
            self.world.noise,
            trial.seed,
            self._refresh,
            self._disturbances.active,
        )
        self._gait_noise = generator(trial.seed, "gait")
        self._noise_sd = self._gait_noise_sd()
        self._ticks = -SETTLE_TICKS
        self._put_robot()
        for _ in range(SETTLE_TICKS):
            self.step(Command())
        self._watch.reset()
        self._sensors.start()

    def step(self, command: Command) -> None:
        """Advance by one control tick of 0.1 s.

        Raises CommandRefused for a wrong command; no time passes then, and the robot will hold.
        """
        time = self._ticks * TICK
        self._actuators.accept(command, time)
        self._actuators.base.begin_tick(time)
        self._move_people()
        self._disturbances.advance(time)
        self._belts.advance(TICK)
        while self._pushes and self._pushes[0].time <= time:
            self.data.qvel[self._body.root_linear][:2] += self._pushes.pop(0).velocity
        moving = self._actuators.joints.begin_tick()
        if not moving:
            self._actuators.write_arm(self.data, 1.0)
        noise = self._gait_noise.standard_normal((GAIT_STEPS, len(self._noise_sd))) * self._noise_sd
        for k in range(GAIT_STEPS):
            self._belts.drive()
            self._walk(noise[k])
            self._advance_physics(k, moving)
            self._watch.update(self.data)
        self._ticks += 1
        self._fresh = False
        self._sensors.advance()

    def inject(self, fault: Fault) -> None:
        """Let something go wrong from fault.start [s, plant time] on; raises ConfigError."""
        self._disturbances.add(fault)

    def sensed(self) -> Sensed:
        """What all sensors but the cameras say at this tick; None: one that is out."""
        return self._sensors.sensed(self._ticks)

    @property
    def sensors(self) -> tuple[str, ...]:
        """The sensors but the cameras, by their fields of Sensed."""
        return tuple(self._sensors.readings)

    def read(self, sensor: str) -> object:
        """What one of them says at this tick; None: it is out."""
        return self._sensors.readings[sensor](self._ticks)

    def scan(self) -> Scan | None:
        """LiDAR at this tick; None during an outage."""
        return self._sensors.scan(self._ticks)

    def cloud(self) -> np.ndarray | None:
        """All returns of the LiDAR (n, 3) m in lidar_link at this tick; None during an outage."""
        return self._sensors.cloud(self._ticks)

    def base_from_link(self, link: str) -> np.ndarray:
        """Pose (4, 4) of a link in base_link as the measured joints say."""
        return self._open_cameras().base_from_link(link, self.joints())

    def joints(self) -> Joints:
        """Joint states at this tick."""
        return self._sensors.joints(self._ticks)

    def imu(self) -> Imu:
        """IMU at this tick."""
        return self._sensors.imu(self._ticks)

    def odometry(self) -> Odometry:
        """Drifting odometry at this tick."""
        return self._sensors.odometry(self._ticks)

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

    def truth(self) -> Truth:
        """What is really so, for judge, benchmarks and reports only."""
        self._refresh()
        names = self.trial.item_names
        happened = self._disturbances.happened
        truth = read_truth(
            self.time, self._body, self.model, self.data, names, self._watch, happened
        )
        belts = self._belts
        return replace(
            truth,
            items=truth.items | belts.last_poses,
            belts_busy=belts.busy,
            carried=dict(belts.carried),
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
