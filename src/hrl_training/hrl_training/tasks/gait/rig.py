"""Full Spot walking by its gait alone, without plant services or sensors, to measure the gait."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from hrl_core.robot import Robot
from hrl_sim_bridge.plant.render import Overview, Renderer
from hrl_sim_bridge.plant.robot_model import SCENE, plant_model, robot_spec, set_options
from hrl_skills.gait import PERIOD, Gait

ARM_SPEED = 1.0  # rad/s, as the skills move the arm
DIRECTIONAL = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
REACHES = ("stow", "ready", "carry")


def robot_on_floor(robot: Robot, skin: bool = False) -> mujoco.MjModel:
    """The plant's robot on an empty floor; with `skin` it is fit for pictures."""
    spec = robot_spec(robot, skin=skin, cameras=False)
    set_options(spec)
    floor = spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.05])
    floor.contype, floor.conaffinity = 1, 0
    if skin:
        _add_tiles(spec, floor)
    return spec.compile()


def _add_tiles(spec: mujoco.MjSpec, floor: mujoco.MjsGeom) -> None:
    """Squares, by which people see how fast the robot is; and light."""
    spec.add_texture(
        name="tiles",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.62, 0.64, 0.66],
        rgb2=[0.52, 0.54, 0.56],
        width=256,
        height=256,
    )
    tiles = spec.add_material(name="tiles", texrepeat=[1, 1], texuniform=True)
    tiles.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "tiles"
    floor.material, floor.group = "tiles", SCENE
    spec.worldbody.add_light(pos=[0, 0, 4], dir=[0.3, 0.2, -1], type=DIRECTIONAL)


class GaitRig:
    """One robot on flat floor in the plant's model."""

    def __init__(
        self, robot: Robot, policy: Callable[[np.ndarray], np.ndarray], skin: bool = False
    ) -> None:
        """skin: fit for pictures."""
        self.robot = robot
        self.model = robot_on_floor(robot, skin)
        self.data = mujoco.MjData(self.model)
        self.gait = Gait(robot, policy)
        legs, arm = robot.legs.joints, (*robot.arm.joints, robot.arm.gripper_joint)
        self._leg_qpos = [self.model.joint(name).qposadr[0] for name in legs]
        self._leg_qvel = [self.model.joint(name).dofadr[0] for name in legs]
        self._leg_ctrl = [self.model.actuator(name).id for name in legs]
        self._arm_qvel = [self.model.joint(name).dofadr[0] for name in arm]
        self._arm_qpos = [self.model.joint(name).qposadr[0] for name in arm]
        self._arm_ctrl = [self.model.actuator(name).id for name in arm]
        self._substeps = round(PERIOD / self.model.opt.timestep)
        self._hand = self.model.body(robot.arm.hand_link).id
        self._hand_mass = float(self.model.body_mass[self._hand])
        self._hand_com = self.model.body_ipos[self._hand].copy()
        self._overview = Overview()
        self._renderer: Renderer | None = None
        self.reset()

    def reset(self, payload: float = 0.0, friction: float = 0.8) -> None:
        """Stand with the arm stowed; payload kg in the gripper."""
        model, data = self.model, self.data
        mass = self._hand_mass + payload
        tool = np.array(self.robot.arm.tool)
        model.body_mass[self._hand] = mass
        model.body_ipos[self._hand] = (self._hand_mass * self._hand_com + payload * tool) / mass
        mujoco.mj_setConst(model, data)
        model.geom_friction[:, 0] = friction
        mujoco.mj_resetData(model, data)
        stow = [*self.robot.arm.poses["stow"], self.robot.arm.gripper_closed]
        data.qpos[:7] = [0, 0, self.robot.legs.standing_height + 0.005, 1, 0, 0, 0]
        data.qpos[self._leg_qpos] = data.ctrl[self._leg_ctrl] = self.gait.stand
        data.qpos[self._arm_qpos] = data.ctrl[self._arm_ctrl] = stow
        self.arm_target = np.array(stow)
        self.gait.reset()
        mujoco.mj_forward(model, data)

    @property
    def base_from_world(self) -> np.ndarray:
        """(3, 3): turns vectors of the world into base_link."""
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, self.data.qpos[3:7])
        return rotation.reshape(3, 3).T

    @property
    def pose(self) -> np.ndarray:
        """(3,) m, m, rad: the base on the floor."""
        forward = self.base_from_world[0]
        return np.array([*self.data.qpos[:2], np.arctan2(forward[1], forward[0])])

    @property
    def velocity(self) -> np.ndarray:
        """(3,) m/s, m/s, rad/s in base_link: what a command asks for."""
        linear = self.base_from_world @ self.data.qvel[:3]
        return np.array([linear[0], linear[1], self.data.qvel[5]])

    @property
    def fallen(self) -> bool:
        return bool(self.base_from_world[2, 2] < 0.6 or self.data.qpos[2] < 0.25)

    def kick(self, velocity: np.ndarray) -> None:
        """Change the velocity of the base at once: (3,) m/s in the world."""
        self.data.qvel[:3] += velocity

    def step(self, command: np.ndarray) -> None:
        """One gait period, with the arm on its way to `arm_target` (7,) rad."""
        data = self.data
        self._leg_command(np.asarray(command, dtype=float))
        step = np.clip(self.arm_target - data.ctrl[self._arm_ctrl], -1, 1)
        limit = ARM_SPEED * PERIOD
        data.ctrl[self._arm_ctrl] += np.clip(step, -limit, limit)
        # The arm's drives cancel its weight, as the plant's do.
        data.qfrc_applied[self._arm_qvel] = data.qfrc_bias[self._arm_qvel]
        for _ in range(self._substeps):
            mujoco.mj_step(self.model, data)

    def reach(self, pose: str) -> None:
        """Send the arm to a pose of the robot file."""
        self.arm_target[:-1] = self.robot.arm.poses[pose]

    def overview(self) -> np.ndarray:
        """Picture (h, w, 3) uint8 for people, from a camera that follows the robot."""
        if self._renderer is None:
            self._renderer = Renderer(self.model, self._overview.size)
        base = self.data.body(plant_model(self.robot).base)
        view = self._overview.camera(base.xpos, float(self.pose[2]))
        return self._renderer.picture(self.data, view, self._overview.size, walls=True)

    def close(self) -> None:
        """Free OpenGL, if pictures were taken."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _leg_command(self, command: np.ndarray) -> None:
        data = self.data
        data.ctrl[self._leg_ctrl] = self.gait.step(
            command,
            self.base_from_world[:, 2],
            data.qvel[3:6],
            data.qpos[self._leg_qpos],
            data.qvel[self._leg_qvel],
        )
