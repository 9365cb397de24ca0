"""What walk and approach share on the robot: look at the scan, drive through the shield, halt."""

from collections import deque
from typing import Protocol

import numpy as np

from hrl_core.geometry import planar_from_transform
from hrl_core.outcomes import Code
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_perception.sectors import scan_sectors
from hrl_skills.shield import FAR, Shield
from hrl_skills.skill import GoalRejected
from hrl_skills.steering import Steering

SECTOR_RANGE = 5.0  # m, up to here a policy sees obstacles
LOOK_BACK = 3  # ticks between the two scans that a policy sees: how things move
REST_TICKS = 13  # after the last command: 0.6 s of steps in place, touchdown, and the body calm
REST_VELOCITY = np.array([0.06, 0.06, 0.08])  # m/s, m/s, rad/s, of the mean over REST_MEAN ticks
REST_MEAN = 5
CREEP = np.array([0.25, 0.2, 0.4])  # m/s, m/s, rad/s
CREEP_GAIN = 1.2  # per s
# The steepest ring looks over what is lower than itself: close to the scanner a table vanishes
# from the scan. The shield remembers what stood there a moment ago.
BLIND = 0.6  # m from the scanner
REMEMBERED = (0.6, 1.2)  # m from the scanner, of points worth remembering
MEMORY = 12  # scans
MEMORY_EVERY = 3  # ticks between them


class SteeringPolicy(Protocol):
    """Anything that turns observations (n, d) into actions (n, 3) in [-1, 1]."""

    def __call__(self, observation: np.ndarray) -> np.ndarray: ...


class Pilot:
    """The base of one robot under a skill: sectors in, shielded twists out."""

    def __init__(self, robot: Robot, sectors: int, forward_max: float | None = None) -> None:
        self.steering = Steering(1, robot.base, forward_max)
        self.shield = Shield(robot)
        self._count = sectors
        self._sectors: deque[np.ndarray] = deque(maxlen=1 + LOOK_BACK)
        self._twists: deque[np.ndarray] = deque(maxlen=REST_MEAN)
        self._memory: deque[np.ndarray] = deque(maxlen=MEMORY)  # points in odom
        self._ticks = 0
        self._base_from_lidar = np.array(robot.lidar.mount.position[:2])
        self.seeing = False  # whether the latest scan can be walked by
        self._idle = 0  # ticks since the last command that was not zero
        self.points = np.full((1, 2), FAR)  # (m, 2) m, the latest scan in base_link

    def start(self, sensed: Sensed) -> None:
        """Forget the last goal; raises GoalRejected when a sensor is missing."""
        missing = [name for name in ("scan", "odometry") if getattr(sensed, name) is None]
        if missing:
            raise GoalRejected(Code.NOT_READY, f"not received yet: {', '.join(missing)}")
        self.steering.reset()
        self._sectors.clear()
        self._twists.clear()
        self._memory.clear()
        self._idle = 0

    def look(self, sensed: Sensed) -> None:
        """Take in scan and odometry; called once at the beginning of every tick."""
        assert sensed.odometry is not None
        self._twists.append(sensed.odometry.twist)
        scan = sensed.scan
        self.seeing = self.shield.usable(scan, sensed.stamp)
        if scan is None or not self.seeing:
            return
        self.points = self._with_memory(self.shield.points_in_base(scan), odom_from_base(sensed))
        if not len(self.points):
            self.points = np.full((1, 2), FAR)
        ranges = scan_sectors(
            scan.ranges, scan.angle_min, scan.angle_increment, self._count, SECTOR_RANGE
        )
        self._sectors.append(ranges)

    def _with_memory(self, points: np.ndarray, odom_from_base: np.ndarray) -> np.ndarray:
        """Points in base_link with those remembered that lie where the scanner is blind."""
        c, s = np.cos(odom_from_base[2]), np.sin(odom_from_base[2])
        turn = np.array([[c, -s], [s, c]])
        distance = np.hypot(*(points - self._base_from_lidar).T)
        remembered = np.zeros((0, 2))
        if self._memory:
            remembered = (np.concatenate(self._memory) - odom_from_base[:2]) @ turn
            blind = np.hypot(*(remembered - self._base_from_lidar).T) < BLIND
            remembered = remembered[blind]
        if self._ticks % MEMORY_EVERY == 0:
            near = (distance > REMEMBERED[0]) & (distance < REMEMBERED[1])
            self._memory.append(points[near] @ turn.T + odom_from_base[:2])
        self._ticks += 1
        return np.concatenate([points, remembered])

    @property
    def velocity(self) -> np.ndarray:
        """Measured twist (1, 3) m/s, m/s, rad/s."""
        return self._twists[-1][None]

    @property
    def sectors(self) -> np.ndarray:
        """Sector ranges now (1, count) m."""
        return self._sectors[-1][None] if self._sectors else np.full((1, self._count), SECTOR_RANGE)

    @property
    def sectors_before(self) -> np.ndarray:
        """Sector ranges LOOK_BACK ticks ago (1, count) m."""
        return self._sectors[0][None] if self._sectors else self.sectors

    @property
    def clearance(self) -> float:
        """Distance from the footprint to the nearest point that is not the robot's own [m]."""
        distance = self.shield.clearance(self.points)
        return float(distance[distance > -self.shield.config.inside].min(initial=FAR))

    @property
    def at_rest(self) -> bool:
        """Whether the robot stands: no command for a while and no velocity on average."""
        calm = np.abs(np.mean(self._twists, axis=0)) < REST_VELOCITY
        return self._idle >= REST_TICKS and bool(calm.all())

    @property
    def idle(self) -> int:
        """Ticks since the last command that was not zero."""
        return self._idle

    def drive(self, action: np.ndarray) -> np.ndarray:
        """Action (1, 3) of a policy -> the twist (3,) to send: limited, slewed and shielded."""
        return self._send(self.steering.twist(action))

    def creep(self, pose: np.ndarray) -> np.ndarray:
        """The twist (3,) that goes slowly and straight to a pose (3,) in base_link."""
        return self._send(self.steering.slewed(np.clip(CREEP_GAIN * pose, -CREEP, CREEP)[None]))

    def halt(self) -> np.ndarray:
        """The twist (3,) that brings the robot to rest within the slew limits."""
        return self._send(self.steering.slewed(np.zeros((1, 3))))

    def _send(self, wanted: np.ndarray) -> np.ndarray:
        if not self.seeing:
            twist = np.zeros((1, 3))  # blind: stop at once
        else:
            twist = self.shield.protect(
                wanted, self.steering.pending, self.velocity, self.points[None]
            )
        self.steering.commit(twist)
        self._idle = 0 if twist.any() else self._idle + 1
        return twist[0]


def odom_from_base(sensed: Sensed) -> np.ndarray:
    """Planar pose (3,) of base_link in odom."""
    assert sensed.odometry is not None
    return planar_from_transform(sensed.odometry.odom_from_base)
