"""Joint trajectories -> the target of the coming control tick."""

from dataclasses import dataclass

import numpy as np

from hrl_core.control import TICK


@dataclass(frozen=True)
class Trajectory:
    """Positions (n, k) rad to be reached at times (n,) s after `begin` [s, ROS time]."""

    begin: float
    times: np.ndarray
    positions: np.ndarray

    @property
    def end(self) -> float:
        return self.begin + float(self.times[-1])

    def at(self, time: float) -> np.ndarray:
        """Positions (k,) at a ROS time [s]; straight lines between the points."""
        since = time - self.begin
        return np.array([np.interp(since, self.times, column) for column in self.positions.T])


class Follower:
    """Gives the target of each tick until the trajectory has ended; a new one takes its place."""

    def __init__(self) -> None:
        self._trajectory: Trajectory | None = None

    def follow(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory

    def drop(self) -> None:
        """Stay at the target of the last tick."""
        self._trajectory = None

    def target(self, time: float) -> np.ndarray | None:
        """Positions (k,) rad for the end of the tick that begins at `time` [s]; None: no change."""
        trajectory = self._trajectory
        if trajectory is None or time + TICK < trajectory.begin:
            return None
        if time + TICK >= trajectory.end - 1e-6:
            self._trajectory = None
        return trajectory.at(time + TICK)
