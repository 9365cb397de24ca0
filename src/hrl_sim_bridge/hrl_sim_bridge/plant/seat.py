"""A gait that can sit down: the legs fold in a controlled way, and stretch again."""

import numpy as np

from hrl_core.robot import Robot
from hrl_skills.gait import PERIOD, Gait
from hrl_skills.leg import LegKinematics

LOWERED = 0.22  # m, the body of a sitting robot
DURATION = 2.0  # s, of sitting down or standing up


class SittingGait:
    """The robot's gait while it stands; `sits` lets it sit down where it is."""

    def __init__(self, robot: Robot):
        self._gait = Gait(robot)
        legs = LegKinematics(robot.legs.geometry)
        self._stand = np.array(robot.legs.nominal)
        feet = legs.feet_in_hips(self._stand.reshape(4, 3)) + [0.0, 0.0, LOWERED]
        self._low = np.array(robot.legs.lower * 4)
        self._high = np.array(robot.legs.upper * 4)
        self._seat = np.clip(legs.joints_for(feet).ravel(), self._low, self._high)
        self.sits = False
        self._share = 0.0  # 0: stands; 1: sits

    @property
    def stands(self) -> bool:
        return not self.sits and self._share == 0.0

    def reset(self) -> None:
        self._gait.reset()
        self.sits, self._share = False, 0.0

    def step(
        self,
        command: np.ndarray,
        up_in_base: np.ndarray,
        gyro: np.ndarray,
        joints: np.ndarray,
        joint_velocities: np.ndarray,
    ) -> np.ndarray:
        """Joint targets (12,) rad; as `Gait.step`."""
        change = PERIOD / DURATION
        self._share = min(1.0, max(0.0, self._share + (change if self.sits else -change)))
        if self._share == 0.0:
            return self._gait.step(command, up_in_base, gyro, joints, joint_velocities)
        self._gait.reset()
        return self._stand + self._share * (self._seat - self._stand)
