"""The shield of one robot while a skill runs: what it has seen, what was sent, what may be sent."""

from collections import deque

import numpy as np

from hrl_core.geometry import planar_from_transform
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_skills.arm import ArmKinematics
from hrl_skills.shield import FAR, Shield
from hrl_skills.steering import PENDING

MEMORY = 12  # scans
MEMORY_EVERY = 3  # ticks between them
TUCKED = 0.05  # m inside the footprint that the tool of a tucked arm is: half of what it holds


class RobotShield:
    """The one object that every command of a running skill goes through.

    It remembers two things since the goal began. Points: close to the scanner its steepest ring
    looks over what is lower than itself, and a table vanishes from the scan; what stood there a
    moment ago still counts. Commands: the last twists that were sent, which the gait has not
    answered yet.

    The runner makes it, and asks it for every command. A controller that must know what really
    will be sent, since slew limits and policy go on from there, is handed the same object and asks
    first: what was given in this tick is given again as it is, so that nothing is shielded twice
    and nothing passes by.
    """

    def __init__(self, robot: Robot) -> None:
        self.geometry = Shield(robot)
        self.seeing = False  # whether the latest scan can be walked by
        self.points = np.full((1, 2), FAR)  # (m, 2) m, the latest scan in base_link, and remembered
        self.arm_out = False  # whether the hand is not over the footprint
        self._unseen = np.zeros((0, 2))  # m in base_link, where the latest scan says nothing
        self.robot, self._lidar = robot, robot.lidar
        self._arm = ArmKinematics(robot.arm)
        self._base_from_lidar = np.array(robot.lidar.mount.position[:2])
        self._memory: deque[np.ndarray] = deque(maxlen=MEMORY)  # points (m, 2) m in odom
        self._scans = 0  # usable ones so far
        self._sent = np.zeros((1, PENDING, 3))  # the twists of the last ticks, newest first
        self._given: np.ndarray | None = None  # (3,) the twist of this tick
        self._sensed: Sensed | None = None  # of this tick

    def reset(self) -> None:
        """Forget the last goal."""
        self._memory.clear()
        self._sent = np.zeros((1, PENDING, 3))
        self._given = self._sensed = None

    def look(self, sensed: Sensed) -> None:
        """Begin a tick: take in scan and odometry. Again with the same data it does nothing."""
        if sensed is self._sensed:
            return
        if self._sensed is not None:
            sent = np.zeros(3) if self._given is None else self._given
            self._sent = np.concatenate([sent[None, None], self._sent[:, :-1]], axis=1)
        self._sensed, self._given = sensed, None
        self.arm_out = self.has_arm_out(sensed)
        scan = sensed.scan
        self.seeing = self.geometry.usable(scan, sensed.stamp)
        if scan is None or not self.seeing:
            return
        assert sensed.odometry is not None, "no skill starts without odometry"
        odom_from_base = planar_from_transform(sensed.odometry.odom_from_base)
        self._unseen = self.geometry.unseen(scan)
        self.points = self._with_memory(self.geometry.hits(scan), odom_from_base)
        if not len(self.points):
            self.points = np.full((1, 2), FAR)

    def protect(self, wanted: np.ndarray) -> np.ndarray:
        """The twist (3,) to send for one that is wanted (3,); without a usable scan, a stop."""
        assert self._sensed is not None and self._sensed.odometry is not None, "look() comes first"
        if self._given is not None and np.array_equal(wanted, self._given):
            return self._given
        twist = np.zeros((1, 3))
        if self.seeing:
            if self.arm_out:  # the footprint does not cover it: slow enough to do no harm
                wanted = self._slow(wanted)
            velocity = self._sensed.odometry.twist[None]
            points = np.concatenate([self.points, self._unseen])
            twist = self.geometry.protect(wanted[None], self._sent, velocity, points[None])
        given = twist[0]
        self._given = given
        return given

    def has_arm_out(self, sensed: Sensed) -> bool:
        """Whether the joints have the tool outside the footprint, or so near that an item is."""
        if sensed.joints is None:
            return False
        tool, _ = self._arm.forward(sensed.joints.position[None, self.robot.arm_slice])
        return bool(self.geometry.clearance(tool[:, :2])[0] > -TUCKED)

    def _slow(self, twist: np.ndarray) -> np.ndarray:
        """The twist (3,) in its direction, at the speed of slow straight motions at most."""
        share = np.abs(twist) / self.robot.base.creep
        return twist / max(1.0, float(share.max()))

    @property
    def clearance(self) -> float:
        """Distance from the footprint to the nearest point that is not the robot's own [m]."""
        distance = self.geometry.clearance(self.points)
        return float(distance[distance > -self.geometry.config.inside].min(initial=FAR))

    def _with_memory(self, points: np.ndarray, odom_from_base: np.ndarray) -> np.ndarray:
        """Points in base_link with those remembered that lie where the scanner is blind."""
        c, s = np.cos(odom_from_base[2]), np.sin(odom_from_base[2])
        turn = np.array([[c, -s], [s, c]])
        distance = np.hypot(*(points - self._base_from_lidar).T)
        remembered = np.zeros((0, 2))
        if self._memory:
            remembered = (np.concatenate(self._memory) - odom_from_base[:2]) @ turn
            blind = np.hypot(*(remembered - self._base_from_lidar).T) < self._lidar.blind
            remembered = remembered[blind]
        if self._scans % MEMORY_EVERY == 0:
            nearest, furthest = self._lidar.remembered
            near = (distance > nearest) & (distance < furthest)
            self._memory.append(points[near] @ turn.T + odom_from_base[:2])
        self._scans += 1
        return np.concatenate([points, remembered])
