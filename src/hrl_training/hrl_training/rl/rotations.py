"""Rotations of many bodies at once, quaternions in MuJoCo's order w, x, y, z."""

import numpy as np

from hrl_core.geometry import wrap_angle


def small_rotation(roll: np.ndarray, pitch: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) from small roll and pitch and any yaw (n,) rad."""
    half = 0.5 * np.stack([roll, pitch], 1)
    c, s = np.cos(0.5 * wrap_angle(yaw)), np.sin(0.5 * wrap_angle(yaw))
    quaternion = np.column_stack(
        [c, c * half[:, 0] - s * half[:, 1], s * half[:, 0] + c * half[:, 1], s]
    )
    return rotation_of_quaternion(quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True))


def rotation_of_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) from quaternions (n, 4) in MuJoCo's order w, x, y, z."""
    w, x, y, z = quaternion.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def yaw_quaternion(yaw: np.ndarray) -> np.ndarray:
    """Quaternions (n, 4) w, x, y, z of yaws (n,) rad."""
    return np.column_stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)])


def turned(quaternion: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Quaternions (n, 4) after a turn about the world's z axis by yaws (n,) rad."""
    c, s = np.cos(yaw / 2), np.sin(yaw / 2)
    w, x, y, z = quaternion.T
    return np.column_stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w])


def small_quaternion(angles: np.ndarray) -> np.ndarray:
    """Quaternions (n, 4), w first, of small roll, pitch and yaw (n, 3) rad."""
    quaternion = np.column_stack([np.ones(len(angles)), 0.5 * angles])
    return quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
