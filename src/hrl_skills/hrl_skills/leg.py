"""Kinematics of a quadruped's legs: three joints (hip x, hip y, knee) per leg.

Every array keeps the leg order front left, front right, hind left, hind right. A leg's hip frame
has its origin at the hip x joint and the axes of base_link.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEGS = ("fl", "fr", "hl", "hr")
SIDE = np.array([1.0, -1.0, 1.0, -1.0])  # left legs sit at +y


@dataclass(frozen=True, kw_only=True)
class LegGeometry:
    """Lengths of one leg; those of Spot are from MuJoCo Menagerie's spot_arm.xml."""

    hip_x: float = 0.29785  # m, base origin to the hip x joint, front and hind
    hip_y: float = 0.055  # m, base origin to the hip x joint, left and right
    hip_to_thigh: float = 0.1108  # m, sideways from the hip x to the hip y joint
    knee_forward: float = 0.025  # m, the knee lies this far in front of the thigh's axis
    thigh: float = 0.32  # m, hip y joint to knee, along the thigh's axis
    shank: float = 0.3365  # m, knee to the centre of the foot
    foot_radius: float = 0.036  # m

    @property
    def hip_in_base(self) -> np.ndarray:
        """(4, 3) m: the hip x joints in base_link."""
        x = self.hip_x * np.array([1.0, 1.0, -1.0, -1.0])
        return np.stack([x, self.hip_y * SIDE, np.zeros(4)], axis=-1)

    @property
    def _thigh_length(self) -> float:
        return float(np.hypot(self.knee_forward, self.thigh))

    @property
    def _thigh_tilt(self) -> float:
        """rad: between the thigh's axis and the straight line from hip to knee."""
        return float(np.arctan2(self.knee_forward, self.thigh))

    def feet_in_hips(self, joints: np.ndarray) -> np.ndarray:
        """Feet in the hip frames: (..., 4, 3) rad -> (..., 4, 3) m."""
        hip_x, hip_y, knee = joints[..., 0], joints[..., 1], joints[..., 2]
        upper = hip_y - self._thigh_tilt
        x = -self._thigh_length * np.sin(upper) - self.shank * np.sin(hip_y + knee)
        z = -self._thigh_length * np.cos(upper) - self.shank * np.cos(hip_y + knee)
        y = self.hip_to_thigh * SIDE
        cos, sin = np.cos(hip_x), np.sin(hip_x)
        return np.stack([x, y * cos - z * sin, y * sin + z * cos], axis=-1)

    def joints_for(self, feet_in_hips: np.ndarray) -> np.ndarray:
        """Knee-backward joint angles that reach the feet: (..., 4, 3) m -> (..., 4, 3) rad.

        A foot out of reach gives the angles of the nearest stretched leg.
        """
        x, y, z = feet_in_hips[..., 0], feet_in_hips[..., 1], feet_in_hips[..., 2]
        side = self.hip_to_thigh * SIDE
        depth = -np.sqrt(np.maximum(y**2 + z**2 - side**2, 1e-4))  # m, z in the leg's plane
        hip_x = np.arctan2(y, -z) - np.arctan2(side, -depth)

        upper, lower = self._thigh_length, self.shank
        cos_knee = (x**2 + depth**2 - upper**2 - lower**2) / (2 * upper * lower)
        bend = -np.arccos(np.clip(cos_knee, -0.999, 0.999))
        lean = np.arctan2(lower * np.sin(bend), upper + lower * np.cos(bend))
        hip_y = np.arctan2(-x, -depth) - lean + self._thigh_tilt
        return np.stack([hip_x, hip_y, bend - self._thigh_tilt], axis=-1)
