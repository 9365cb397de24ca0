"""Planar poses (3,) [x m, y m, yaw rad] and transforms (4, 4). `a_from_b` maps b to a."""

import numpy as np


def wrap_angle(angle):
    """Wrap an angle or array of angles [rad] to [-pi, pi)."""
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi


def compose(a_from_b: np.ndarray, b_from_c: np.ndarray) -> np.ndarray:
    """Compose planar poses (..., 3) -> (..., 3)."""
    c, s = np.cos(a_from_b[..., 2]), np.sin(a_from_b[..., 2])
    x = a_from_b[..., 0] + c * b_from_c[..., 0] - s * b_from_c[..., 1]
    y = a_from_b[..., 1] + s * b_from_c[..., 0] + c * b_from_c[..., 1]
    return np.stack([x, y, wrap_angle(a_from_b[..., 2] + b_from_c[..., 2])], axis=-1)


def invert(a_from_b: np.ndarray) -> np.ndarray:
    """Invert a planar pose (..., 3) -> (..., 3)."""
    c, s = np.cos(a_from_b[..., 2]), np.sin(a_from_b[..., 2])
    x = -c * a_from_b[..., 0] - s * a_from_b[..., 1]
    y = s * a_from_b[..., 0] - c * a_from_b[..., 1]
    return np.stack([x, y, wrap_angle(-a_from_b[..., 2])], axis=-1)


def transform_from_planar(pose: np.ndarray, z: float = 0.0) -> np.ndarray:
    """Lift a planar pose (3,) to a transform (4, 4) at height z [m]."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    return np.array([[c, -s, 0, pose[0]], [s, c, 0, pose[1]], [0, 0, 1, z], [0, 0, 0, 1.0]])


def planar_from_transform(transform: np.ndarray) -> np.ndarray:
    """Project a transform (4, 4) to a planar pose (3,); yaw is that of its x axis."""
    return np.array([transform[0, 3], transform[1, 3], yaw_of(transform)])


def yaw_of(transform: np.ndarray) -> float:
    """Yaw [rad] of the x axis of a transform (4, 4) or rotation (3, 3)."""
    return float(np.arctan2(transform[1, 0], transform[0, 0]))


def inverse(transform: np.ndarray) -> np.ndarray:
    """Invert a rigid transform (4, 4)."""
    result = np.eye(4)
    result[:3, :3] = transform[:3, :3].T
    result[:3, 3] = -result[:3, :3] @ transform[:3, 3]
    return result


def transform_from(position, rotation: np.ndarray | None = None) -> np.ndarray:
    """Build a transform (4, 4) from a position (3,) [m] and a rotation (3, 3)."""
    result = np.eye(4)
    result[:3, 3] = position
    if rotation is not None:
        result[:3, :3] = rotation
    return result


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Rotation (3, 3) from fixed-axis roll, pitch, yaw [rad] (the convention of URDF)."""
    cr, sr, cp, sp = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch)
    cy, sy = np.cos(yaw), np.sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def rpy_from_rotation(rotation: np.ndarray) -> tuple[float, float, float]:
    """Roll, pitch and yaw [rad] about fixed axes of a rotation (3, 3); yaw is 0 where x is up."""
    pitch = float(np.arctan2(-rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0])))
    if np.hypot(rotation[0, 0], rotation[1, 0]) < 1e-9:
        return float(np.arctan2(-rotation[1, 2], rotation[1, 1])), pitch, 0.0
    roll = float(np.arctan2(rotation[2, 1], rotation[2, 2]))
    return roll, pitch, float(np.arctan2(rotation[1, 0], rotation[0, 0]))


def rotation_from_quaternion(xyzw) -> np.ndarray:
    """Rotation (3, 3) from a quaternion (4,) in ROS order x, y, z, w; need not be normalised."""
    x, y, z, w = np.asarray(xyzw, float) / np.linalg.norm(xyzw)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """Quaternion (4,) in ROS order x, y, z, w from a rotation (3, 3); w >= 0."""
    m = rotation
    # The largest of the four squared components gives a division that is never near zero.
    squared = np.array(
        [
            1 + m[0, 0] - m[1, 1] - m[2, 2],
            1 - m[0, 0] + m[1, 1] - m[2, 2],
            1 - m[0, 0] - m[1, 1] + m[2, 2],
            1 + m[0, 0] + m[1, 1] + m[2, 2],
        ]
    )
    k = int(np.argmax(squared))
    q = np.array(
        [
            [squared[0], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[0, 1] + m[1, 0], squared[1], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], squared[2], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squared[3]],
        ]
    )[k]
    q = q / np.linalg.norm(q)
    return q if q[3] >= 0 else -q
