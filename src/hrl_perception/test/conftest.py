"""Pictures of markers without a simulator: textures warped by their homography, exact depth."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from hrl_core.robot import Mount, Robot, load_robot
from hrl_core.sensed import CameraFrame
from hrl_core.site import FACE_FROM_MARKER, Site, load_site

SUPERSAMPLING = 4
# Where these tests look from, wherever the robot file puts its camera.
MOUNT = Mount(parent="base_link", position=(0.0, 0.22, 0.47), rpy=(0.0, 0.44, -0.2))
MODULE = 16  # px of a marker's texture per module


@pytest.fixture(scope="session")
def site() -> Site:
    return load_site("small_warehouse")


@pytest.fixture(scope="session")
def robot() -> Robot:
    return load_robot("spot")


@pytest.fixture(scope="session")
def take_picture(site, robot) -> Callable[..., CameraFrame]:
    def take(
        marker_poses: list[tuple[int, np.ndarray]],
        *,
        camera: str = "camera",
        stamp: float = 0.0,
        depth_noise: float = 0.003,
        background: float = 6.0,
        seed: int = 0,
    ) -> CameraFrame:
        """Picture of markers (id, base_from_marker (4, 4)), nearest last, before a grey wall."""
        rng = np.random.default_rng(seed)
        intrinsics = robot.cameras[camera]
        matrix, size = intrinsics.matrix(), (intrinsics.width, intrinsics.height)
        base_from_optical = intrinsics.model_copy(update={"mount": MOUNT}).parent_from_optical()
        grey = np.full(size[::-1], 120.0)
        depth = np.full(size[::-1], background)
        for marker_id, base_from_marker in marker_poses:
            optical_from_marker = np.linalg.inv(base_from_optical) @ base_from_marker
            side = site.markers[marker_id].size * 10 / 8  # with one white module all round
            texture, weight = warp(optical_from_marker, marker_id, side, matrix, size)
            grey = grey * (1 - weight) + texture
            plane = plane_depth(optical_from_marker, matrix, size)
            depth = np.where(weight > 0.5, plane, depth)
        grey = np.clip(grey + rng.normal(0, 2, grey.shape), 0, 255).astype(np.uint8)
        depth = depth * (1 + rng.normal(0, depth_noise, depth.shape))
        return CameraFrame(
            stamp=stamp,
            name=camera,
            rgb=np.repeat(grey[:, :, None], 3, axis=2),
            depth=depth.astype(np.float32),
            matrix=matrix,
            base_from_optical=base_from_optical,
        )

    return take


@pytest.fixture(scope="session")
def facing() -> Callable[..., np.ndarray]:
    def facing(position, yaw: float = np.pi, pitch: float = 0.0) -> np.ndarray:
        """base_from_marker (4, 4) of an upright marker whose face looks along `yaw` [rad]."""
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        result = np.eye(4)
        result[:3, :3] = about_z @ about_y @ FACE_FROM_MARKER
        result[:3, 3] = position
        return result

    return facing


def warp(optical_from_marker, marker_id: int, side: float, matrix, size):
    """The marker's grey values times its coverage, and its coverage (h, w) 0 to 1."""
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    image = cv2.aruco.generateImageMarker(dictionary, marker_id, 8 * MODULE)
    image = np.pad(image, MODULE, constant_values=255).astype(np.float32)
    n = image.shape[0]
    # Texture pixel (column, row) to metres in the marker's plane, then to pixels of the picture.
    scale = side / n
    plane_from_texture = np.array(
        [
            [scale, 0, (0.5 - n / 2) * scale],
            [0, -scale, (n / 2 - 0.5) * scale],
            [0, 0, 1],
        ]
    )
    pixel_from_plane = matrix @ optical_from_marker[:3][:, [0, 1, 3]]
    corners = np.array([[0, 0, 1], [n, 0, 1], [n, n, 1], [0, n, 1.0]])
    pixels = corners @ (pixel_from_plane @ plane_from_texture).T
    pixels = pixels[:, :2] / pixels[:, 2:]
    left, top = np.clip(pixels.min(axis=0).astype(int) - 2, 0, size)
    right, bottom = np.clip(pixels.max(axis=0).astype(int) + 3, 0, size)
    result = np.zeros((2, size[1], size[0]))
    if right > left and bottom > top:
        s, inside = SUPERSAMPLING, (right - left, bottom - top)
        fine = np.array([[s, 0, (s - 1) / 2 - s * left], [0, s, (s - 1) / 2 - s * top], [0, 0, 1]])
        layers = np.dstack([image, np.ones_like(image)])
        homography = fine @ pixel_from_plane @ plane_from_texture
        warped = cv2.warpPerspective(layers, homography, (inside[0] * s, inside[1] * s))
        small = cv2.resize(warped, inside, interpolation=cv2.INTER_AREA)
        result[:, top:bottom, left:right] = small.transpose(2, 0, 1)
    return result


def plane_depth(optical_from_marker, matrix, size) -> np.ndarray:
    """Depth (h, w) m of the marker's plane at every pixel."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rays = np.dstack(
        [
            (columns - matrix[0, 2]) / matrix[0, 0],
            (rows - matrix[1, 2]) / matrix[1, 1],
            np.ones(columns.shape),
        ]
    )
    normal, position = optical_from_marker[:3, 2], optical_from_marker[:3, 3]
    return (normal @ position) / (rays @ normal)
