"""Many walking robots on a floor plan: they answer commands as the identified gait does."""

import numpy as np

from hrl_core.control import TICK
from hrl_core.geometry import wrap_angle
from hrl_training.tasks.navigation.gait_response import GaitResponse

STEPS_ON = 6  # periods in which the gait steps in place after the last command; then it stands
AWAY = 90.0  # m, where boxes and people are put that a scene does not use
AWAY_BOX = np.array([AWAY, AWAY, AWAY + 0.1, AWAY + 0.1], np.float32)  # x0, y0, x1, y1


class PlanarPlant:
    """n robots, each a bit different."""

    def __init__(self, n: int, response: GaitResponse, rng: np.random.Generator) -> None:
        self._rng = rng
        axes = (response.vx, response.vy, response.wz)
        self._alpha = np.array([axis.alpha for axis in axes])
        self._gain = np.array([axis.gain for axis in axes])
        self._delay = np.array([axis.delay for axis in axes])
        self._noise = np.array([axis.noise for axis in axes])
        self._correlation = np.array([axis.noise_correlation for axis in axes])
        self.pose = np.zeros((n, 3))  # m, m, rad
        self.velocity = np.zeros((n, 3))  # m/s, m/s, rad/s in base_link
        self.mean_velocity = np.zeros((n, 3))  # of the body, without its sway
        self._sway = np.zeros((n, 3))
        self._alphas = np.tile(self._alpha, (n, 1))
        self._gains = np.tile(self._gain, (n, 1))
        self._delays = np.tile(self._delay, (n, 1))
        self._commands = np.zeros((n, 2 + self._delay.max(), 3))  # newest first
        self._idle = np.zeros(n, int)  # periods since the last command that was not zero

    def reset(self, rows: np.ndarray, pose: np.ndarray) -> None:
        """Put robots at rest at poses (len(rows), 3), with a fresh draw of their response."""
        shape = (len(rows), 3)
        self.pose[rows] = pose
        for array in (self.velocity, self.mean_velocity, self._sway, self._commands):
            array[rows] = 0.0
        self._idle[rows] = STEPS_ON
        spread = self._rng.uniform(0.75, 1.25, shape)
        self._alphas[rows] = np.clip(self._alpha * spread, 0.1, 0.95)
        self._gains[rows] = self._gain * self._rng.uniform(0.9, 1.1, shape)
        more = self._rng.integers(-1, 2, shape) * (self._delay > 0)
        self._delays[rows] = np.clip(self._delay + more, 0, self._commands.shape[1] - 1)

    def step(self, command: np.ndarray) -> None:
        """One period of 0.1 s under commands (n, 3)."""
        n = len(command)
        self._commands[:, 1:] = self._commands[:, :-1].copy()
        self._commands[:, 0] = command
        answered = np.take_along_axis(self._commands, self._delays[:, None], axis=1)[:, 0]
        self.mean_velocity += self._alphas * (self._gains * answered - self.mean_velocity)
        white = self._rng.normal(size=(n, 3)) * self._noise * np.sqrt(1 - self._correlation**2)
        self._idle = np.where(command.any(1), 0, self._idle + 1)
        stepping = (self._idle < STEPS_ON)[:, None]  # who stands does not sway
        self._sway = np.where(stepping, self._correlation * self._sway + white, 0.0)
        self.velocity = self.mean_velocity + self._sway
        yaw = self.pose[:, 2] + 0.5 * TICK * self.velocity[:, 2]
        c, s = np.cos(yaw), np.sin(yaw)
        self.pose[:, 0] += TICK * (c * self.velocity[:, 0] - s * self.velocity[:, 1])
        self.pose[:, 1] += TICK * (s * self.velocity[:, 0] + c * self.velocity[:, 1])
        self.pose[:, 2] = wrap_angle(self.pose[:, 2] + TICK * self.velocity[:, 2])
