"""Kinematics of a quadruped's legs: three joints (hip x, hip y, knee) per leg.

Every array keeps the leg order front left, front right, hind left, hind right. A leg's hip frame
has its origin at the hip x joint and the axes of base_link.
"""

import numpy as np

from hrl_core.robot import LegGeometry

LEGS = ("fl", "fr", "hl", "hr")
SIDE = np.array([1.0, -1.0, 1.0, -1.0])  # left legs sit at +y


class LegKinematics:
    """Forward and inverse kinematics of the four legs of a robot."""

    def __init__(self, geometry: LegGeometry) -> None:
        self.geometry = geometry
        self._thigh_length = float(np.hypot(geometry.knee_forward, geometry.thigh))
        # rad: between the thigh's axis and the straight line from hip to knee
        self._thigh_tilt = float(np.arctan2(geometry.knee_forward, geometry.thigh))

    @property
    def hip_in_base(self) -> np.ndarray:
        """(4, 3) m: the hip x joints in base_link."""
        x = self.geometry.hip_x * np.array([1.0, 1.0, -1.0, -1.0])
        return np.stack([x, self.geometry.hip_y * SIDE, np.zeros(4)], axis=-1)

    def feet_in_hips(self, joints: np.ndarray) -> np.ndarray:
        """Feet in the hip frames: (..., 4, 3) rad -> (..., 4, 3) m."""
        hip_x, hip_y, knee = joints[..., 0], joints[..., 1], joints[..., 2]
        upper = hip_y - self._thigh_tilt
        shank = self.geometry.shank
        x = -self._thigh_length * np.sin(upper) - shank * np.sin(hip_y + knee)
        z = -self._thigh_length * np.cos(upper) - shank * np.cos(hip_y + knee)
        y = self.geometry.hip_to_thigh * SIDE
        cos, sin = np.cos(hip_x), np.sin(hip_x)
        return np.stack([x, y * cos - z * sin, y * sin + z * cos], axis=-1)

    def joints_for(self, feet_in_hips: np.ndarray) -> np.ndarray:
        """Knee-backward joint angles that reach the feet: (..., 4, 3) m -> (..., 4, 3) rad.

        A foot out of reach gives the angles of the nearest stretched leg.
        """
        x, y, z = feet_in_hips[..., 0], feet_in_hips[..., 1], feet_in_hips[..., 2]
        side = self.geometry.hip_to_thigh * SIDE
        depth = -np.sqrt(np.maximum(y**2 + z**2 - side**2, 1e-4))  # m, z in the leg's plane
        hip_x = np.arctan2(y, -z) - np.arctan2(side, -depth)

        upper, lower = self._thigh_length, self.geometry.shank
        cos_knee = (x**2 + depth**2 - upper**2 - lower**2) / (2 * upper * lower)
        bend = -np.arccos(np.clip(cos_knee, -0.999, 0.999))
        lean = np.arctan2(lower * np.sin(bend), upper + lower * np.cos(bend))
        hip_y = np.arctan2(-x, -depth) - lean + self._thigh_tilt
        return np.stack([hip_x, hip_y, bend - self._thigh_tilt], axis=-1)
