"""Pictures: RGB and depth of the robot's cameras in one pass, and views for people."""

from functools import cache

import mujoco
import numpy as np

from hrl_core.geometry import wrap_angle
from hrl_core.known import known
from hrl_core.robot import Camera
from hrl_core.site import Site
from hrl_sim_bridge.plant.robot_model import HULLS, SCENE, SKIN, TAGS, WALLS

FOR_ROBOT = (SCENE, WALLS, TAGS, HULLS)
FOR_PEOPLE = (SCENE, WALLS, TAGS, SKIN)
WITHOUT_WALLS = (SCENE, TAGS, SKIN)
MAX_GEOMS = 2000
OVERVIEW_SIZE = (640, 480)  # pixels, width and height
# Follows from above, behind and aside, so that the hand is seen at work.
OVERVIEW_DISTANCE, OVERVIEW_ELEVATION, OVERVIEW_TURN = 3.4, -35.0, 55.0  # m, degrees, degrees


class Renderer:
    """One OpenGL context for all cameras of a model; close it, or EGL complains at exit."""

    def __init__(self, model: mujoco.MjModel, size: tuple[int, int]) -> None:
        """size: the largest picture (width, height) in pixels."""
        width, height = size
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._context = mujoco.GLContext(width, height)
        known(self._context).make_current()
        self._set_model(model)

    def _set_model(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._mjr)
        self._mjr.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mujoco.MjvScene(model, maxgeom=MAX_GEOMS)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = 0
        near, far = model.vis.map.znear, model.vis.map.zfar
        extent = model.stat.extent
        self._near, self._far = near * extent, far * extent

    def close(self) -> None:
        if self._context is not None:
            self._mjr.free()
            self._context.free()
            self._context = None

    def picture(
        self, data: mujoco.MjData, camera: mujoco.MjvCamera, size: tuple[int, int], walls: bool
    ) -> np.ndarray:
        """RGB picture (h, w, 3) uint8 for people."""
        rgb = np.empty((size[1], size[0], 3), np.uint8)
        self._render(data, camera, rgb, None, FOR_PEOPLE if walls else WITHOUT_WALLS)
        return np.ascontiguousarray(rgb[::-1])

    def rgbd(self, data: mujoco.MjData, camera: str, size: Camera) -> tuple[np.ndarray, np.ndarray]:
        """RGB (h, w, 3) uint8 and depth (h, w) float32 m along the optical axis, in one pass."""
        rgb = np.empty((size.height, size.width, 3), np.uint8)
        buffer = np.empty((size.height, size.width), np.float32)
        view = mujoco.MjvCamera()
        view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        view.fixedcamid = self._model.camera(camera).id
        self._render(data, view, rgb, buffer, FOR_ROBOT)
        # Reversed depth: 1 at the near plane, 0 at the far plane, linear in 1 / distance.
        near, far = np.float32(self._near), np.float32(self._far)
        depth = near * far / (buffer * (far - near) + near)
        return rgb[::-1], depth[::-1]

    def _render(self, data, camera, rgb, depth, shown: tuple[int, ...]) -> None:
        known(self._context).make_current()
        height, width = rgb.shape[:2]
        mujoco.mjv_updateScene(
            self._model,
            data,
            _options(shown),
            None,
            camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        viewport = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(viewport, self._scene, self._mjr)
        mujoco.mjr_readPixels(rgb, depth, viewport, self._mjr)


def follow(target: np.ndarray, yaw: float) -> mujoco.MjvCamera:
    """Camera behind and above a robot at `target` (3,) m in map that looks along `yaw` [rad]."""
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.lookat = target
    camera.distance = OVERVIEW_DISTANCE
    camera.elevation = OVERVIEW_ELEVATION
    camera.azimuth = np.degrees(yaw) + OVERVIEW_TURN
    return camera


class Overview:
    """The camera that follows the robot; it turns slowly, so that the picture stays calm."""

    def __init__(self, size: tuple[int, int] = OVERVIEW_SIZE) -> None:
        self.size = size
        self._yaw: float | None = None

    def camera(self, position: np.ndarray, yaw: float) -> mujoco.MjvCamera:
        """View of a robot at `position` (3,) m in map that looks along `yaw` [rad]."""
        if self._yaw is None:
            self._yaw = yaw
        self._yaw += 0.06 * float(wrap_angle(yaw - self._yaw))
        return follow(position, self._yaw)


def stands_inside(camera: mujoco.MjvCamera, site: Site) -> bool:
    """Whether a free camera looks from within the walls of a site."""
    elevation, azimuth = np.radians([camera.elevation, camera.azimuth])
    back = camera.distance * np.cos(elevation)
    x, y = camera.lookat[:2] - back * np.array([np.cos(azimuth), np.sin(azimuth)])
    return bool(0 < x < site.size[0] and 0 < y < site.size[1])


@cache
def _options(groups: tuple[int, ...]) -> mujoco.MjvOption:
    options = mujoco.MjvOption()
    options.geomgroup[:] = 0
    options.geomgroup[list(groups)] = 1
    options.sitegroup[:] = 0
    return options
