"""What skills that drive share on the robot: look at the scan, drive through the shield, halt."""

from collections import deque
from typing import Protocol, runtime_checkable

import numpy as np

from hrl_core.control import TICK
from hrl_core.geometry import compose, planar_from_transform, transform_from_planar
from hrl_core.outcomes import Code
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_perception.sectors import scan_sectors
from hrl_skills.robot_shield import RobotShield
from hrl_skills.skill import GoalRejected
from hrl_skills.steering import Steering

SECTOR_RANGE = 5.0  # m, up to here a policy sees obstacles
LOOK_BACK = 3  # ticks between the two scans that a policy sees: how things move
REST_MEAN = 5  # ticks, over which the velocity of a body at rest is averaged


class SteeringPolicy(Protocol):
    """Anything that turns observations (n, d) into actions (n, 3) in [-1, 1]."""

    def __call__(self, observation: np.ndarray) -> np.ndarray: ...


class BaseController:
    """The base of one robot under a skill: sectors in, shielded twists out."""

    def __init__(self, robot: Robot, sectors: int, forward_max: float | None = None) -> None:
        self.steering = Steering(1, robot.base, forward_max)
        self.shield = RobotShield(robot)  # until a runner hands over its own
        self.trim = np.zeros(3)  # m/s, m/s, rad/s; what makes up for a drift, till the next start
        self._count = sectors
        self._sectors: deque[np.ndarray] = deque(maxlen=1 + LOOK_BACK)
        self._twists: deque[np.ndarray] = deque(maxlen=REST_MEAN)
        self._base, self._lidar = robot.base, robot.lidar
        self._creep = np.array(robot.base.creep)
        self._rest_ticks = round(robot.base.rest_time / TICK)
        self._idle = 0  # ticks since the last command that was not zero

    def start(self, sensed: Sensed) -> None:
        """Forget the last goal; raises GoalRejected when a sensor is missing."""
        missing = [name for name in ("scan", "odometry") if getattr(sensed, name) is None]
        if missing:
            raise GoalRejected(Code.NOT_READY, f"not received yet: {', '.join(missing)}")
        self.steering.reset()
        self.shield.reset()
        self.trim = np.zeros(3)
        self._sectors.clear()
        self._twists.clear()
        self._idle = 0

    def look(self, sensed: Sensed) -> None:
        """Take in scan and odometry; called once at the beginning of every tick."""
        assert sensed.odometry is not None
        self._twists.append(sensed.odometry.twist)
        self.shield.look(sensed)
        if sensed.scan is None or not self.shield.seeing:
            return
        scan = self._lidar.level(sensed.scan)
        ranges = scan_sectors(
            scan.ranges, scan.angle_min, scan.angle_increment, self._count, SECTOR_RANGE
        )
        self._sectors.append(ranges)

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
    def at_rest(self) -> bool:
        """Whether the robot stands: no command for a while and no velocity on average."""
        calm = np.abs(np.mean(self._twists, axis=0)) < self._base.rest_velocity
        return self._idle >= self._rest_ticks and bool(calm.all())

    @property
    def idle(self) -> int:
        """Ticks since the last command that was not zero."""
        return self._idle

    def drive(self, action: np.ndarray) -> np.ndarray:
        """Action (1, 3) of a policy -> the twist (3,) to send: limited, slewed and shielded."""
        return self._send(self.steering.twist(action), self.trim)

    def creep(self, pose: np.ndarray) -> np.ndarray:
        """The twist (3,) that goes slowly and straight to a pose (3,) in base_link."""
        wanted = np.clip(self._base.creep_gain * pose, -self._creep, self._creep)
        return self._send(self.steering.slewed(wanted[None]))

    def halt(self) -> np.ndarray:
        """The twist (3,) that brings the robot to rest within the slew limits."""
        return self._send(self.steering.slewed(np.zeros((1, 3))))

    def _send(self, wanted: np.ndarray, trim: np.ndarray | float = 0.0) -> np.ndarray:
        twist = self.shield.protect(wanted[0] + trim)
        self.steering.commit((twist - trim)[None])  # a policy knows of no drift
        self._idle = 0 if twist.any() else self._idle + 1
        return twist


@runtime_checkable
class Drives(Protocol):
    """A skill that drives the base by a controller, which the runner hands its shield."""

    controller: BaseController


def odom_from_base(sensed: Sensed) -> np.ndarray:
    """Planar pose (3,) of base_link in odom."""
    assert sensed.odometry is not None
    return planar_from_transform(sensed.odometry.odom_from_base)


def map_from_base(sensed: Sensed) -> np.ndarray | None:
    """Pose (4, 4) of base_link in map; None: the robot is not localised."""
    if sensed.localisation is None:
        return None
    return transform_from_planar(compose(sensed.localisation.map_from_odom, odom_from_base(sensed)))
