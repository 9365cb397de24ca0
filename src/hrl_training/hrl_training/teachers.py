"""Scripted teachers for grasp and place: state machines on the robot's own estimates.

They train the policies and are their baselines; no skill runs them.
"""

import numpy as np

from hrl_skills.arm import ArmKinematics
from hrl_skills.manipulation import (
    STEP,
    Hand,
    ItemEstimate,
    grasp_point,
    to_yaw_frame,
    yaw_to_jaws,
)

PREGRASP = 0.12  # m, back along the hand's direction
STEEPEST = 1.4  # rad


class GraspTeacher:
    """Align before the item, descend, close, lift."""

    def __init__(self, kinematics: ArmKinematics, count: int):
        self._kinematics = kinematics
        self._phase, self._ticks = np.zeros(count, int), np.zeros(count, int)

    def reset(self, mask: np.ndarray) -> None:
        self._phase[mask] = self._ticks[mask] = 0

    def act(self, hand: Hand, item: ItemEstimate, held: np.ndarray) -> np.ndarray:
        """Actions (n, 6) for what the robot believes."""
        phase, ticks = self._phase, self._ticks
        pitch_goal = self._steepest(item)
        turn = yaw_to_jaws(item, hand.rotation)
        turn = np.where(item.cylinder, 0.0, (turn + np.pi / 4) % (np.pi / 2) - np.pi / 4)
        grasp = grasp_point(item, hand.rotation)
        forward = hand.rotation[:, :, 0]
        goal = np.where((phase == 0)[:, None], grasp - PREGRASP * forward, grasp)
        step = to_yaw_frame(goal - hand.position, hand.yaw)
        distance = np.linalg.norm(step, axis=1)

        speed = step / STEP[:3] * np.where(phase == 0, 0.6, 0.5)[:, None]
        limit = np.where(phase == 0, 1.0, 0.6)
        speed *= np.minimum(1, limit / np.maximum(np.abs(speed).max(1), 1e-6))[:, None]
        moving = phase <= 1
        action = np.zeros((len(phase), 6))
        action[:, :3] = np.where(moving[:, None], speed, 0)
        action[:, 3] = np.where(moving, 0.6 * (pitch_goal - hand.pitch) / STEP[3], 0)
        action[:, 4] = np.where(moving, -0.6 * turn / STEP[4], 0)
        action[:, 5] = np.where(phase >= 2, 1.0, -1.0)
        action[:, 2] = np.where(phase == 3, 0.8, action[:, 2])

        aligned = (np.abs(turn) < 0.1) & (np.abs(pitch_goal - hand.pitch) < 0.12)
        done = (
            ((phase == 0) & (((distance < 0.02) & aligned) | (ticks > 30)))
            | ((phase == 1) & ((distance < 0.012) | (ticks > 14)))
            | ((phase == 2) & (held | (ticks > 12)))
        )
        self._ticks = np.where(done, 0, ticks + 1)
        self._phase = phase + done
        return np.clip(action, -1, 1)

    def _steepest(self, item: ItemEstimate) -> np.ndarray:
        """Largest pitch (n,) rad at which the arm reaches the point before the grasp."""
        best = np.full(len(item.position), 0.5)
        point = item.position.copy()
        point[:, 2] += item.size[:, 2] - 0.03
        for pitch in np.arange(0.6, STEEPEST + 0.01, 0.1):
            direction = np.arctan2(point[:, 1], point[:, 0] - 0.29)
            back = PREGRASP * np.stack(
                [np.cos(direction) * np.cos(pitch), np.sin(direction) * np.cos(pitch),
                 np.full_like(direction, -np.sin(pitch))], axis=1,
            )  # fmt: skip
            pose = np.column_stack([point - back, np.full((len(point), 2), [pitch, 1.57])])
            best = np.where(self._kinematics.residual(pose) < 0.002, pitch, best)
        return best


class PlaceTeacher:
    """Above the target, down, open, back along the hand."""

    RELEASE = 0.006  # m over the surface
    PUSHING = 0.03  # m, the hand told to go deeper than it comes: the item stands already

    def __init__(self, count: int):
        self._phase, self._ticks = np.zeros(count, int), np.zeros(count, int)

    def reset(self, mask: np.ndarray) -> None:
        self._phase[mask] = self._ticks[mask] = 0

    def act(self, hand: Hand, item: ItemEstimate, target: np.ndarray) -> np.ndarray:
        """Actions (n, 6); `target` (n, 3) m: where the item's centre belongs, in base_link."""
        phase, ticks = self._phase, self._ticks
        height = item.bottom() - (target[:, 2] - item.size[:, 2])
        wanted = target - item.position
        wanted[:, 2] = np.where(phase == 0, 0.04, 0.0) - height
        step = to_yaw_frame(wanted, hand.yaw)
        speed = step / STEP[:3] * 0.5
        limit = np.where(phase == 0, 0.7, 0.35)
        speed *= np.minimum(1, limit / np.maximum(np.abs(speed).max(1), 1e-6))[:, None]
        back = to_yaw_frame(-hand.rotation[:, :, 0], hand.yaw) * 0.7
        action = np.zeros((len(phase), 6))
        action[:, :3] = np.where((phase <= 1)[:, None], speed, 0)
        action[:, :3] = np.where((phase == 3)[:, None], back, action[:, :3])
        # Upright again, should the item hang askew in the jaws.
        lean = item.rotation[:, :, 2]
        forward = np.cos(hand.yaw) * lean[:, 0] + np.sin(hand.yaw) * lean[:, 1]
        action[:, 3] = np.where(phase <= 1, -0.5 * forward / STEP[3], 0)
        action[:, 5] = np.where(phase >= 2, -1.0, 1.0)
        level = np.linalg.norm(step[:, :2], axis=1)
        pushing = hand.position[:, 2] - hand.command[:, 2] > self.PUSHING
        done = (
            ((phase == 0) & ((np.linalg.norm(step, axis=1) < 0.02) | (ticks > 25)))
            | ((phase == 1) & (((height < self.RELEASE) & (level < 0.02)) | pushing | (ticks > 25)))
            | ((phase == 2) & (ticks > 4))
        )
        self._ticks = np.where(done, 0, ticks + 1)
        self._phase = phase + done
        return np.clip(action, -1, 1)
