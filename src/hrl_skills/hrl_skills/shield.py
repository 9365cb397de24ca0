"""The shield between skills and `cmd_vel`: no command may bring the footprint near an obstacle.

For each candidate command it predicts how the gait would follow that command for one tick and
then brake, and it passes the first candidate on whose way every scan point keeps its distance.
"""

from dataclasses import dataclass, replace

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.control import TICK
from hrl_core.robot import Robot
from hrl_core.sensed import Scan
from hrl_skills.steering import PENDING

# Shares of vx, vy, wz that are tried in turn: slower, without turning, without driving, one
# way only, stop.
CANDIDATES = np.array(
    [
        [1.0, 1.0, 1.0],
        [0.6, 0.6, 1.0],
        [1.0, 1.0, 0.0],
        [0.3, 0.3, 1.0],
        [0.0, 1.0, 1.0],
        [1.0, 0.0, 1.0],
        [0.5, 0.5, 0.0],
        [0.0, 0.0, 1.0],
        [0.0, 0.0, 0.4],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0],
    ]
)
AROUND = 48  # points around each circle of the footprint, where nothing is measured
FAR = 1e3  # m, coordinate of a point that is not there


@dataclass(frozen=True, kw_only=True)
class ShieldConfig:
    """How near anything may come; how the gait answers is in the robot file."""

    margin: float = 0.06  # m, between the footprint's circles and any scan point
    # m; points deeper in the footprint's front half are the robot's own arm or item
    inside: float = 0.03
    reach: float = 1.1  # m; points further from the footprint cannot matter before the next scan
    checked: tuple[int, ...] = (2, 4, 7, 10, 14)  # ticks ahead at which the footprint is compared
    smooth: float = 0.06  # m; neighbouring beams that differ less see the same surface
    # m from the footprint: how near something may be in a direction in which nothing is measured
    unseen: float = 0.12
    scan_max_age: float = 0.35  # s
    valid_beams: float = 0.5  # share of the beams that must have measured


class Shield:
    """The geometry of it, batched over n robots and without a memory: see RobotShield.

    The footprint, the braking and the gait's response come from the robot file.
    """

    def __init__(self, robot: Robot, config: ShieldConfig | None = None) -> None:
        self.config = config or ShieldConfig()
        self._circles = np.array(robot.base.footprint_x, np.float32)
        self._radius = robot.base.footprint_radius
        self._slew = np.array(robot.base.acceleration_max) * TICK
        self._response, self._least = robot.base.response, np.array(robot.base.response.least)
        if max(self._response.delay) > PENDING:
            raise ConfigError(
                f"robot {robot.name!r}: base.response.delay = {self._response.delay}; allowed are "
                f"at most {PENDING} ticks"
            )
        self._lidar = robot.lidar
        self._base_from_lidar = np.array(robot.lidar.mount.position[:2], np.float32)
        self._around = self._outline(self.config.unseen)
        self._bearings = np.arctan2(*(self._around - self._base_from_lidar).T[::-1])

    def _outline(self, away: float) -> np.ndarray:
        """Points (m, 2) m in base_link at a distance [m] from the footprint, all around."""
        radius = self._radius + away
        turn = np.linspace(-np.pi, np.pi, AROUND, endpoint=False)
        circle = radius * np.column_stack([np.cos(turn), np.sin(turn)])
        points = np.concatenate([circle + [x, 0.0] for x in self._circles])
        return points[self.clearance(points) > away - 1e-3]

    def usable(self, scan: Scan | None, now: float) -> bool:
        """Whether a scan is young and whole enough to walk by."""
        if scan is None or now - scan.stamp > self.config.scan_max_age:
            return False
        measured = ~np.isnan(scan.ranges)
        if not scan.angle_increment > 0:
            return False
        return bool(measured.mean() >= self.config.valid_beams)

    def points_in_base(self, scan: Scan) -> np.ndarray:
        """What a scan says must not be walked into, in base_link (m, 2) m: `hits` and `unseen`."""
        return np.concatenate([self.hits(scan), self.unseen(scan)])

    def hits(self, scan: Scan) -> np.ndarray:
        """Hits of a scan in base_link (m, 2) m, each range averaged with its like neighbours.

        The shield goes by the nearest of many beams; without the average it would take the noise
        of a shelf's face for an obstacle in front of it.
        """
        neighbours = np.stack([np.roll(scan.ranges, 1), scan.ranges, np.roll(scan.ranges, -1)])
        with np.errstate(invalid="ignore"):
            alike = np.abs(neighbours - scan.ranges) < self.config.smooth
        total = np.where(alike, neighbours, 0.0).sum(0)
        ranges = np.where(alike[1], total / np.maximum(alike.sum(0), 1), scan.ranges)
        return self._lidar.level(replace(scan, ranges=ranges)).points() + self._base_from_lidar

    def unseen(self, scan: Scan) -> np.ndarray:
        """Points (m, 2) m in base_link around the footprint where the scan says nothing.

        What is not seen is not free: obstacles could be there, so that the robot can but creep.
        """
        return self._around[~self._lidar.level(scan).sees(self._bearings)]

    def clearance(self, points: np.ndarray) -> np.ndarray:
        """Distance of points (..., 2) in base_link from the footprint, negative inside: (...) m."""
        x, y = points[..., 0], points[..., 1]
        aside = np.abs(x - self._circles[0])
        for centre in self._circles[1:]:  # quicker than an axis of three
            np.minimum(aside, np.abs(x - centre), out=aside)
        return np.sqrt(aside * aside + y * y) - self._radius

    def protect(
        self, command: np.ndarray, pending: np.ndarray, velocity: np.ndarray, points: np.ndarray
    ) -> np.ndarray:
        """The command (n, 3) or the nearest candidate that keeps clear of the points.

        `pending` (n, PENDING, 3): commands sent before, newest first; `velocity` (n, 3) measured;
        `points` (n, m, 2) in base_link, FAR where there is none. Anything not finite stops.
        """
        command = np.where(np.isfinite(command).all(-1, keepdims=True), command, 0.0)
        result = command.copy()
        points = np.asarray(points, np.float32)
        now = self.clearance(points)
        own = (now < -self.config.inside) & (points[..., 0] > 0)
        near = (now < self.config.reach) & ~own
        rows = np.flatnonzero(near.any(1))
        if not len(rows):
            return result
        # Only the points that count, packed to the left, so that the arrays stay small.
        count = near[rows].sum(1)
        packed = np.argsort(~near[rows], axis=1, kind="stable")[:, : count.max()]
        points = np.take_along_axis(points[rows], packed[..., None], 1)
        present = np.arange(count.max()) < count[:, None]
        points = np.where(present[..., None], points, FAR)
        # A point that is closer than the margin already may only come no closer.
        needed = np.minimum(self.clearance(points), self.config.margin)

        spare_best = np.full(len(rows), -np.inf)
        undecided = np.arange(len(rows))
        for shares in CANDIDATES:
            if not len(undecided):
                break
            active = rows[undecided]
            candidate = self._next(command[active] * shares, pending[active, 0])
            if (shares == 1).all():
                candidate = command[active]
            spare = self._spare(
                candidate, pending[active], velocity[active], points[undecided], needed[undecided]
            )
            better = spare > spare_best[undecided] + 1e-4
            result[active[better]] = candidate[better]
            spare_best[undecided] = np.maximum(spare_best[undecided], spare)
            undecided = undecided[spare < 0]
        changed = (result != command).any(1)
        idle = (np.abs(result) < self._least).all(1)
        result[changed & idle] = 0.0
        return result

    def _next(self, wanted: np.ndarray, last: np.ndarray) -> np.ndarray:
        """What the gait's slew limits make of a command (n, 3) after the last one."""
        return last + np.clip(wanted - last, -self._slew, self._slew)

    def _spare(
        self,
        command: np.ndarray,
        pending: np.ndarray,
        velocity: np.ndarray,
        points: np.ndarray,
        needed: np.ndarray,
    ) -> np.ndarray:
        """Smallest clearance beyond the needed one (n,) m if the command is given, then braking."""
        spare = np.full(len(command), np.inf)
        for pose in self._braking_poses(command, pending, velocity):
            c, s = np.cos(pose[:, 2, None]), np.sin(pose[:, 2, None])
            x, y = points[..., 0] - pose[:, 0, None], points[..., 1] - pose[:, 1, None]
            moved = np.empty_like(points)
            moved[..., 0], moved[..., 1] = c * x + s * y, c * y - s * x
            spare = np.minimum(spare, (self.clearance(moved) - needed).min(1))
        return spare

    def _braking_poses(
        self, command: np.ndarray, pending: np.ndarray, velocity: np.ndarray
    ) -> list[np.ndarray]:
        """Base poses (n, 3) in the present base_link frame, at the ticks of `checked`."""
        checked = self.config.checked
        share, delay = np.array(self._response.share), np.array(self._response.delay)
        # Where nothing was commanded, the body sways and goes nowhere.
        resting = np.abs(pending).sum(axis=(1, 2)) == 0
        still = (np.abs(velocity) < self._response.sway) | resting[:, None]
        velocity = np.where(still, 0.0, velocity)
        queue = [pending[:, k] for k in reversed(range(PENDING))] + [command]  # oldest first
        for _ in range(checked[-1]):  # braking
            last = queue[-1]
            queue.append(last - np.clip(last, -self._slew, self._slew))
        commands = np.stack(queue)
        x, y, yaw = np.zeros((3, len(command)))
        poses = []
        for tick in range(checked[-1]):
            answered = commands[PENDING + tick - delay, :, np.arange(3)].T
            velocity = velocity + share * (answered - velocity)
            vx, vy, wz = velocity.T
            middle = yaw + 0.5 * TICK * wz
            c, s = np.cos(middle), np.sin(middle)
            x, y, yaw = x + TICK * (c * vx - s * vy), y + TICK * (s * vx + c * vy), yaw + TICK * wz
            if tick + 1 in checked:
                poses.append(np.column_stack([x, y, yaw]).astype(np.float32))
        return poses
