"""AprilTag 36h11 patches as textured geoms of a MuJoCo model."""

import cv2
import mujoco
import numpy as np

from hrl_sim_bridge.plant.robot_model import TAGS

MODULES = 8  # across the black square: six of data, one of border on each side
PIXELS = 16  # per module; more is not detected better
PATCH = (MODULES + 2) / MODULES  # side of the patch with its white margin over the black square's
THICKNESS = 0.0004  # m, of a patch
# Lit by itself, as print is under warehouse lamps on every side.
EMISSION = 0.4
_DICTIONARY = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)


def tag_picture(marker: int) -> np.ndarray:
    """Grey picture (n, n) uint8 of a marker with one white module all round."""
    picture = cv2.aruco.generateImageMarker(_DICTIONARY, marker, MODULES * PIXELS, borderBits=1)
    return np.pad(picture, PIXELS, constant_values=255)


def tag_material(spec: mujoco.MjSpec, marker: int) -> str:
    """Add texture and material of a marker; returns the material's name."""
    name = f"tag/{marker}"
    picture = np.repeat(tag_picture(marker)[:, :, None], 3, axis=2)
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D)
    texture.nchannel = 3
    texture.height, texture.width = picture.shape[:2]
    texture.data = picture.tobytes()
    material = spec.add_material(name=name, specular=0, shininess=0, emission=EMISSION)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    return name


def add_tag(body, name: str, material: str, size: float, body_from_marker: np.ndarray) -> None:
    """Add a patch to a body: black square `size` [m], pose (4, 4) of x right, y up, z out of it."""
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, body_from_marker[:3, :3].ravel())
    half = 0.5 * size * PATCH
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,  # MuJoCo allows planes on static bodies only
        size=[half, half, 0.5 * THICKNESS],
        pos=body_from_marker[:3, 3] - 0.5 * THICKNESS * body_from_marker[:3, 2],
        quat=quaternion,
        material=material,
        group=TAGS,
        contype=0,
        conaffinity=0,
        mass=0,
    )
