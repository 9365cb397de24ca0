"""Kinematics of the arm type that the robot file describes, batched and in closed form.

Yaw, two pitches, forearm roll kept at zero, wrist pitch, wrist roll: the shoulder's yaw and a
planar chain of three pitches reach any position with a given pitch; the wrist turns about the hand.
"""

import numpy as np

from hrl_core.robot import Arm

# A hand pose (n, 5): position of the tool in base_link [m], pitch [rad, down], roll [rad].


def hand_rotation(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) of the hand in base_link from yaw, downward pitch and roll (n,) rad."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


class ArmKinematics:
    """Forward and inverse kinematics of one arm."""

    def __init__(self, arm: Arm):
        self._shoulder = np.array(arm.shoulder)
        self._tool = np.array(arm.tool)
        self._upper = arm.upper_arm
        along, across = arm.forearm
        self._fore = float(np.hypot(along, across))
        self._fore_tilt = float(np.arctan2(across, along))  # rad, the wrist above the elbow's axis
        self._lower_limit, self._upper_limit = np.array(arm.lower), np.array(arm.upper)

    def forward(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints (n, 6) rad -> tool position (n, 3) m and hand rotation (n, 3, 3) in base_link.

        The forearm roll is taken as zero: it is held there.
        """
        yaw, shoulder = joints[:, 0], joints[:, 1]
        forearm = shoulder + joints[:, 2] - self._fore_tilt  # downward pitch of elbow -> wrist
        pitch = shoulder + joints[:, 2] + joints[:, 4]
        radius = self._upper * np.cos(shoulder) + self._fore * np.cos(forearm)
        height = -self._upper * np.sin(shoulder) - self._fore * np.sin(forearm)
        wrist = self._shoulder + np.stack(
            [radius * np.cos(yaw), radius * np.sin(yaw), height], axis=-1
        )
        rotation = hand_rotation(yaw, pitch, joints[:, 5])
        return wrist + rotation @ self._tool, rotation

    def hand_pose(self, joints: np.ndarray) -> np.ndarray:
        """Hand poses (n, 5) of joints (n, 6)."""
        position, _ = self.forward(joints)
        pitch = joints[:, 1] + joints[:, 2] + joints[:, 4]
        return np.concatenate([position, pitch[:, None], joints[:, 5:6]], axis=1)

    def inverse(self, hand: np.ndarray) -> np.ndarray:
        """Joints (n, 6) rad, elbow up, for hand poses (n, 5); out of reach: the nearest on the ray.

        The wrist is found by a few rounds, since the tool lies a little beside the yaw's plane.
        """
        pitch, roll = hand[:, 3], hand[:, 4]
        offset = hand[:, :3] - self._shoulder
        wrist = offset
        for _ in range(4):
            yaw = np.arctan2(wrist[:, 1], wrist[:, 0])
            wrist = offset - hand_rotation(yaw, pitch, roll) @ self._tool
        radius = np.hypot(wrist[:, 0], wrist[:, 1])
        yaw = np.arctan2(wrist[:, 1], wrist[:, 0])
        reach = np.hypot(radius, wrist[:, 2])
        near = np.clip(reach, 0.2, self._upper + self._fore - 0.004)
        scale = near / np.maximum(reach, 1e-6)
        radius, height = radius * scale, wrist[:, 2] * scale
        cosine = (self._upper**2 + near**2 - self._fore**2) / (2 * self._upper * near)
        shoulder = np.arctan2(-height, radius) - np.arccos(np.clip(cosine, -1, 1))
        forearm = np.arctan2(
            -(height + self._upper * np.sin(shoulder)), radius - self._upper * np.cos(shoulder)
        )
        elbow = _wrap(forearm + self._fore_tilt - shoulder)
        wrist_pitch = _wrap(pitch - shoulder - elbow)
        joints = np.stack([yaw, shoulder, elbow, np.zeros_like(yaw), wrist_pitch, roll], axis=1)
        return np.clip(joints, self._lower_limit, self._upper_limit)

    def residual(self, hand: np.ndarray) -> np.ndarray:
        """Distance (n,) m between hand poses (n, 5) asked for and those that the arm reaches."""
        reached, _ = self.forward(self.inverse(hand))
        return np.linalg.norm(reached - hand[:, :3], axis=1)


def _wrap(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi
