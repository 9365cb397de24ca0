"""Scripts for grasp and place: state machines that read what the learned policies read.

They teach the policies (see imitation) and are what those are compared with; no skill ships them.
"""

from collections.abc import Callable

import numpy as np

from hrl_core.policy.policy import Field
from hrl_core.robot import Arm, Robot
from hrl_skills import grasp_observation, place_observation
from hrl_skills.arm import ArmKinematics
from hrl_skills.manipulation import finger_opening, from_yaw_frame, gripper_action, hand_step

PREGRASP = 0.12  # m, back along the hand's direction
ALIGN, DESCEND, LIFT = 1.0, 0.5, 0.7  # shares of the largest step per tick
DRAW = 0.5  # the same: back while lifting, since far out and high up the arm ends
FLATTEST, STEEPEST = 0.1, 1.4  # rad
PLACED_FURTHER = 0.12  # m, than where it was grasped: so far out an item may have to be put down
RELEASE = 0.006  # m, over the surface
PUSHING = 0.03  # m, the hand told to go deeper than it comes: the item stands already


def script_policy(skill: str, robot: Robot) -> "Script":
    """The script of grasp or place for one robot, with the interface of a learned policy."""
    return make_script(skill, robot, 1)


def make_script(skill: str, robot: Robot, count: int) -> "Script":
    """The script of grasp or place for `count` robots at once."""
    arm = robot.arm
    if skill == "grasp":
        kinematics = ArmKinematics(arm)
        return Script(
            count,
            grasp_observation.OBSERVATION,
            lambda script, seen: _grasp(script, seen, arm, kinematics),
        )
    return Script(
        count, place_observation.OBSERVATION, lambda script, seen: _place(script, seen, arm)
    )


class Script:
    """Observation (n, d) -> action (n, 6), with the phase that each of n robots is in."""

    def __init__(
        self,
        count: int,
        fields: tuple[Field, ...],
        act: Callable[["Script", dict[str, np.ndarray]], np.ndarray],
    ) -> None:
        self.phase, self.ticks = np.zeros(count, int), np.zeros(count, int)
        self._ends = np.cumsum([part.size for part in fields])[:-1]
        self._names = [part.name for part in fields]
        self._act = act

    def reset(self, rows: np.ndarray | slice = slice(None)) -> None:
        """Begin anew, in all rows or in some."""
        self.phase[rows] = self.ticks[rows] = 0

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        return np.clip(self._act(self, self.seen(observation)), -1.0, 1.0)

    def seen(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        """An observation's fields (n, size) by name."""
        parts = np.split(observation.astype(float), self._ends, axis=1)
        return dict(zip(self._names, parts, strict=True))

    def advance(self, done: np.ndarray) -> None:
        """Count this tick, and enter the next phase where `done` (n,)."""
        self.ticks = np.where(done, 0, self.ticks + 1)
        self.phase = self.phase + done


def _grasp(
    script: Script, seen: dict[str, np.ndarray], arm: Arm, kinematics: ArmKinematics
) -> np.ndarray:
    """Align before the item, descend, close, lift."""
    phase, ticks, largest = script.phase, script.ticks, hand_step(arm)
    pitch = seen["pitch"][:, 0] + arm.hand.middle_pitch
    to_goal = steepest(seen, arm, kinematics) - pitch
    turn = np.arctan2(seen["item_turn"][:, 1], seen["item_turn"][:, 0]) / 4
    opening = finger_opening(
        arm.gripper, seen["item_size"][:, 3] / 50.0 + 0.03, seen["room"] / 20.0 + 0.06
    )
    forward = np.stack([np.cos(pitch), 0 * pitch, -np.sin(pitch)], axis=1)
    step = seen["grasp_from_tool"] / 6.0
    step = np.where((phase == 0)[:, None], step - PREGRASP * forward, step)
    distance = np.linalg.norm(step, axis=1)

    speed = step / largest[:3] * np.where(phase == 0, 0.6, 0.5)[:, None]
    speed = _limited(speed, np.where(phase == 0, ALIGN, DESCEND))
    moving = phase <= 1
    action = np.zeros((len(phase), 6))
    action[:, :3] = np.where(moving[:, None], speed, 0)
    action[:, 3] = np.where(moving, 0.6 * to_goal / largest[3], 0)
    action[:, 4] = np.where(moving, -0.6 * turn / largest[4], 0)
    action[:, 5] = np.where(phase >= 2, 1.0, gripper_action(arm, opening))
    action[:, 0] = np.where(phase == 3, -DRAW, action[:, 0])
    action[:, 2] = np.where(phase == 3, LIFT, action[:, 2])

    aligned = (np.abs(turn) < 0.1) & (np.abs(to_goal) < 0.12)
    held = seen["held"][:, 0] > 0.5
    script.advance(
        ((phase == 0) & (((distance < 0.02) & aligned) | (ticks > 30)))
        | ((phase == 1) & ((distance < 0.012) | (ticks > 14)))
        | ((phase == 2) & (held | (ticks > 12)))
    )
    return action


def steepest(seen: dict[str, np.ndarray], arm: Arm, kinematics: ArmKinematics) -> np.ndarray:
    """Largest pitch (n,) rad at which the arm reaches the point before the grasp.

    And a point further out: with the pitch of its grasp the item has to be put down somewhere.
    """
    yaw = seen["joints"][:, 0] + arm.hand.middle_joints[0]
    point = (
        seen["tool"] / 3.0
        + np.array(arm.hand.middle_tool)
        + from_yaw_frame(seen["item_from_tool"] / 5.0, yaw)
    )
    point[:, 2] += seen["item_size"][:, 2] / 50.0  # 3 cm below the top
    direction = np.arctan2(point[:, 1], point[:, 0] - round(arm.shoulder[0], 2))
    level = np.column_stack([np.cos(direction), np.sin(direction), 0 * direction])
    best = np.full(len(point), np.nan)
    for pitch in np.arange(FLATTEST, STEEPEST + 0.01, 0.1):
        back = PREGRASP * (np.cos(pitch) * level - np.array([0.0, 0.0, np.sin(pitch)]))
        here, there = (
            kinematics.residual(np.column_stack([at, np.full((len(point), 2), [pitch, 1.57])]))
            for at in (point - back, point + PLACED_FURTHER * level)
        )
        useful = (here < 0.002) & ((there < 0.01) | np.isnan(best))
        best = np.where(useful, pitch, best)
    return np.where(np.isnan(best), FLATTEST, best)


def _place(script: Script, seen: dict[str, np.ndarray], arm: Arm) -> np.ndarray:
    """Above the target, down, open, back along the hand."""
    phase, ticks, largest = script.phase, script.ticks, hand_step(arm)
    pitch = seen["pitch"][:, 0] + arm.hand.middle_pitch
    height = seen["height"][:, 0] / 10.0
    opening = finger_opening(
        arm.gripper, seen["width"][:, 0] / 50.0 + 0.03, seen["room"] / 20.0 + 0.06
    )
    step = seen["target_from_item"] / 5.0
    step[:, 2] = np.where(phase == 0, 0.04, 0.0) - height
    speed = _limited(step / largest[:3] * 0.5, np.where(phase == 0, 0.7, 0.35))
    back = -0.7 * np.stack([np.cos(pitch), 0 * pitch, -np.sin(pitch)], axis=1)
    action = np.zeros((len(phase), 6))
    action[:, :3] = np.where((phase <= 1)[:, None], speed, 0)
    action[:, :3] = np.where((phase == 3)[:, None], back, action[:, :3])
    # Upright again, should the item hang askew in the jaws.
    yaw = seen["joints"][:, 0] + arm.hand.middle_joints[0]
    lean = np.cos(yaw) * seen["item_up"][:, 0] + np.sin(yaw) * seen["item_up"][:, 1]
    action[:, 3] = np.where(phase <= 1, -0.5 * lean / largest[3], 0)
    action[:, 5] = np.where(phase >= 2, gripper_action(arm, opening), 1.0)
    pushing = seen["lead"][:, 2] / 10.0 < -PUSHING
    level = np.linalg.norm(step[:, :2], axis=1)
    script.advance(
        ((phase == 0) & ((np.linalg.norm(step, axis=1) < 0.02) | (ticks > 25)))
        | ((phase == 1) & (((height < RELEASE) & (level < 0.02)) | pushing | (ticks > 25)))
        | ((phase == 2) & (ticks > 4))
    )
    return action


def _limited(speed: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Speeds (n, 3), shortened so that no part exceeds `limit` (n,)."""
    return speed * np.minimum(1, limit / np.maximum(np.abs(speed).max(1), 1e-6))[:, None]
