"""The robot's RGB-D cameras: rendered pictures with noise, and where each camera was."""

import cv2
import mujoco
import numpy as np

from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from, yaw_of
from hrl_core.robot import Robot
from hrl_core.sensed import CameraFrame, Joints
from hrl_core.site import Site
from hrl_sim_bridge.plant.render import Overview, Renderer, stands_inside
from hrl_sim_bridge.plant.robot_model import body_of_link
from hrl_sim_bridge.plant.sensors import Body, generator
from hrl_sim_bridge.worlds.world import CameraNoise

NOISE_BANK = 1 << 20  # random numbers


class Cameras:
    """All cameras of one robot; OpenGL starts with the first picture."""

    def __init__(self, robot: Robot, model: mujoco.MjModel, noise: CameraNoise, seed: int) -> None:
        self._robot, self._model, self._noise, self._seed = robot, model, noise, seed
        self._renderer: Renderer | None = None
        self._overview = Overview()
        self._grey_noise: np.ndarray | None = None
        self._depth_noise: np.ndarray | None = None
        self._posed = mujoco.MjData(model)  # for forward kinematics of measured joints
        self._body = Body(robot, model)

    def check(self, name: str) -> None:
        """Raise ConfigError for a camera that the robot file lacks."""
        if name not in self._robot.cameras:
            raise ConfigError(f"unknown camera {name!r}; known: {sorted(self._robot.cameras)}")

    def frame(self, name: str, data: mujoco.MjData, joints: Joints, tick: int) -> CameraFrame:
        """Take a picture; `joints` say where the robot believes the camera is."""
        camera = self._robot.cameras[name]
        rgb, depth = self._open(data).rgbd(data, name, camera)
        rng = generator(self._seed, name, tick)
        return CameraFrame(
            stamp=joints.stamp,
            name=name,
            rgb=self._noisy_rgb(rgb, rng),
            depth=self._noisy_depth(depth, camera.max_depth, rng),
            matrix=camera.matrix(),
            base_from_optical=self.base_from_link(camera.mount.parent, joints)
            @ camera.parent_from_optical(),
        )

    def overview(self, data: mujoco.MjData, map_from_base: np.ndarray, site: Site) -> np.ndarray:
        """Picture (h, w, 3) uint8 of the robot from above and aside; no wall is in the way."""
        view = self._overview.camera(map_from_base[:3, 3], yaw_of(map_from_base))
        walls = stands_inside(view, site)
        return self._open(data).picture(data, view, self._overview.size, walls)

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _open(self, data: mujoco.MjData) -> Renderer:
        if self._renderer is None:
            cameras = self._robot.cameras
            sizes = [(camera.width, camera.height) for camera in cameras.values()]
            width, height = np.max([*sizes, self._overview.size], axis=0)
            self._renderer = Renderer(self._model, (int(width), int(height)))
            # What OpenGL draws for the first time differs in the last bit of the depth.
            for name, camera in cameras.items():
                self._renderer.rgbd(data, name, camera)
        return self._renderer

    def base_from_link(self, link: str, joints: Joints) -> np.ndarray:
        """Pose (4, 4) of a link in base_link by forward kinematics of the measured joints."""
        if link == "base_link":
            return np.eye(4)
        posed, body = self._posed, self._body
        posed.qpos[body.root_position] = [0, 0, 0, 1, 0, 0, 0]
        posed.qpos[body.position] = joints.position
        mujoco.mj_kinematics(self._model, posed)
        found = posed.body(body_of_link(self._robot, link))
        return transform_from(found.xpos.copy(), found.xmat.reshape(3, 3).copy())

    def _noisy_rgb(self, rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add grey noise; it is drawn once, and every picture takes a random stretch of it."""
        if self._grey_noise is None:
            bank = generator(self._seed, "camera").normal(0, self._noise.grey, NOISE_BANK)
            self._grey_noise = np.repeat(np.round(bank).astype(np.int16)[:, None], 3, axis=1)
        n = rgb.shape[0] * rgb.shape[1]
        start = rng.integers(NOISE_BANK - n)
        noise = self._grey_noise[start : start + n].reshape(rgb.shape)
        return cv2.add(rgb, noise, dtype=cv2.CV_8U)  # saturates at 0 and 255

    def _noisy_depth(
        self, depth: np.ndarray, max_depth: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Scale by a factor for the picture and one per pixel; 0 beyond the camera's reach."""
        if self._depth_noise is None:
            bank = generator(self._seed, "hand_camera").standard_normal(NOISE_BANK)
            self._depth_noise = (self._noise.depth * bank).astype(np.float32)
        common = np.float32(1 + self._noise.depth_common * rng.standard_normal())
        start = rng.integers(NOISE_BANK - depth.size)
        factor = self._depth_noise[start : start + depth.size].reshape(depth.shape) + common
        factor *= depth
        factor[depth > max_depth] = 0.0
        return factor
