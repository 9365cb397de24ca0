"""Pictures of items and places from sampled poses of robot and arm, with the truth beside them.

The robot is put where the sample says without time passing, which is quicker than letting it walk
there. Pictures, noise and kinematics are the plant's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import mujoco
import numpy as np

from hrl_core.geometry import (
    compose,
    inverse,
    quaternion_from_rotation,
    rotation_from_rpy,
    transform_from_planar,
)
from hrl_core.robot import Robot
from hrl_core.sensed import CameraFrame, Joints
from hrl_core.site import FACE_FROM_MARKER
from hrl_perception.sightings import front_patch, top_patch
from hrl_sim_bridge.plant.cameras import Cameras
from hrl_sim_bridge.plant.plant import Plant, PlantOptions
from hrl_sim_bridge.plant.robot_model import HULLS, SCENE
from hrl_sim_bridge.plant.sensors import Body
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.world import World

TRIES = 200_000  # samples before giving up on a row
OBLIQUE = np.cos(np.radians(60))  # faces seen more obliquely do not count as in view
MARGIN = 0.8  # of a marker's size: from its centre to the corner of its patch, nearly


@dataclass(frozen=True)
class View:
    """A picture and where the thing `name` truly is, in base_link (4, 4)."""

    frame: CameraFrame
    name: str
    base_from_object: np.ndarray


class ViewSampler:
    """Draws views of one trial of a world; use it in a `with` statement."""

    def __init__(self, world: World, robot: Robot, seed: int) -> None:
        self._world, self._robot = world, robot
        self._rng = np.random.default_rng(seed)
        trial = replace(draw_trial(world, seed), obstacles=(), people=())
        self._plant = Plant(world, trial, robot, options=PlantOptions(skin=False))
        self._items = self._plant.truth().items
        self._bins = {placed.name: placed.bin for placed in trial.stock}
        model = self._plant.model
        self._data = mujoco.MjData(model)
        self._data.qpos[:] = self._plant.data.qpos
        self._body = Body(robot, model)
        self._cameras = Cameras(robot, model, world.noise.camera, seed)
        self._tick = 0
        self._visible = np.zeros(6, np.uint8)
        self._visible[[SCENE, HULLS]] = 1

    def __enter__(self) -> "ViewSampler":
        return self

    def __exit__(self, *_) -> None:
        self._cameras.close()
        self._plant.close()

    def items(self, camera: str, band: tuple[float, float], count: int) -> Iterator[View]:
        """Views of items whose centre is within `band` [m] of the camera."""
        on_hand = self._robot.cameras[camera].mount.parent != "base_link"
        rng, arms = self._rng, self._robot.arm.poses
        for _ in self._until(count):
            name = str(rng.choice(sorted(self._items)))
            in_front = self._world.site.pose_in_front(self._bins[name], rng.uniform(0.15, 1.3))
            aside = [0.0, rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4)]
            looks = self._robot.arm.hand.looks
            arm = rng.uniform(*looks) if on_hand else arms[rng.choice(sorted(arms))]
            self._pose(compose(in_front, np.array(aside)), arm)
            item = self._world.site.items[name]
            map_from_item = self._items[name]
            size = self._world.site.markers[item.marker].size
            patches = [map_from_item @ patch(item) for patch in (front_patch, top_patch)]
            if any(self._sees(camera, patch, size, band) for patch in patches):
                yield self._take(camera, name, map_from_item)

    def places(self, camera: str, band: tuple[float, float], count: int) -> Iterator[View]:
        """Views of markers of bins and stations within `band` [m] of the camera."""
        rng, site = self._rng, self._world.site
        names = site.targets
        for _ in self._until(count):
            name = str(rng.choice(names))
            distance, angle = rng.uniform(*band), rng.uniform(-0.8, 0.8)
            before = compose(site.pose_in_front(name, 0.0), np.array([0.0, 0.0, angle]))
            pose = compose(before, np.array([-distance, 0.0, rng.uniform(-0.5, 0.5)]))
            if not (0.5 < pose[0] < site.size[0] - 0.5 and 0.5 < pose[1] < site.size[1] - 0.5):
                continue
            self._pose(pose, self._robot.arm.poses["stow"])
            face = np.eye(4)
            face[:3, :3] = FACE_FROM_MARKER
            if self._sees(camera, site.faces[name] @ face, site.shelf_marker_size, band):
                yield self._take(camera, name, site.faces[name])

    def _until(self, count: int) -> Iterator[None]:
        """Run a loop's body until `count` pictures were taken."""
        first = self._tick
        for _ in range(TRIES):
            if self._tick - first >= count:
                return
            yield

    def _pose(self, map_from_base: np.ndarray, arm) -> None:
        """Put the robot at a planar pose (3,), leaning a little, with the arm's joints (6,)."""
        rng, body, robot = self._rng, self._body, self._robot
        pose = transform_from_planar(map_from_base)
        lean = pose[:3, :3] @ rotation_from_rpy(rng.normal(0, 0.02), rng.normal(0, 0.02), 0.0)
        height = robot.legs.standing_height + rng.normal(0, 0.005)
        quaternion = quaternion_from_rotation(lean)[[3, 0, 1, 2]]
        self._data.qpos[body.root_position] = [*map_from_base[:2], height, *quaternion]
        joints = self._data.qpos[body.position].copy()
        joints[robot.arm_slice] = arm
        self._data.qpos[body.position] = joints
        mujoco.mj_kinematics(self._plant.model, self._data)

    def _sees(
        self, name: str, map_from_marker: np.ndarray, size: float, band: tuple[float, float]
    ) -> bool:
        """Whether a camera has an unhidden marker in the picture, at a distance within `band`."""
        camera, model = self._robot.cameras[name], self._plant.model
        mujoco.mj_camlight(model, self._data)
        position = self._data.cam(name).xpos
        # MuJoCo's camera looks along -z with y up; the optical frame along z with y down.
        rotation = self._data.cam(name).xmat.reshape(3, 3) * [1, -1, -1]
        centre, normal = map_from_marker[:3, 3], map_from_marker[:3, 2]
        away = position - centre
        distance = float(np.linalg.norm(away))
        if not band[0] <= distance <= band[1] or normal @ away < OBLIQUE * distance:
            return False
        ray = rotation.T @ -away
        if ray[2] <= 0:
            return False
        pixel = (camera.matrix() @ (ray / ray[2]))[:2]
        edge = MARGIN * size * camera.matrix()[0, 0] / ray[2]
        if np.any(pixel < edge) or np.any(pixel > np.array([camera.width, camera.height]) - edge):
            return False
        hit = np.zeros(1, np.int32)
        start = centre + 0.01 * normal
        reach = mujoco.mj_ray(model, self._data, start, away, self._visible, True, -1, hit)
        return reach < 0 or reach > 1

    def _take(self, camera: str, name: str, map_from_object: np.ndarray) -> View:
        body, noise = self._body, self._world.noise.joints
        self._tick += 1
        position = self._data.qpos[body.position]
        position = position + noise.position * self._rng.standard_normal(len(position))
        joints = Joints(float(self._tick), position, 0 * position, 0 * position)
        frame = self._cameras.frame(camera, self._data, joints, self._tick)
        map_from_base = body.map_from_base(self._data)
        return View(frame, name, inverse(map_from_base) @ map_from_object)
