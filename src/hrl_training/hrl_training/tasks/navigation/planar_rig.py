"""One robot on the floor plan of a site, sensed as the real plant is: for fast runs of the skills.

The plan is that of the planar environments: the identified response of the gait, no legs, no
cameras. Skills see the same `Sensed` as over ROS.
"""

from collections.abc import Sequence

import numpy as np

from hrl_core.control import TICK, Command
from hrl_core.floor.clearance import footprint_clearance
from hrl_core.floor.rays import box_ranges
from hrl_core.floor.rectangles import bounding_box, front_corners, wall_boxes
from hrl_core.geometry import compose, invert, transform_from_planar, wrap_angle
from hrl_core.robot import Robot
from hrl_core.sensed import Detection, Joints, Localisation, Odometry, Scan, Sensed
from hrl_core.site import Site
from hrl_skills.skill import Skill, Tick
from hrl_training.tasks.navigation.gait_response import load_gait_response
from hrl_training.tasks.navigation.planar_plant import PlanarPlant

WALL = 0.1  # m, thickness
CAMERA_RANGE = 4.5  # m, to a marker
CAMERA_HALF_FIELD = 0.6  # rad
SCAN_NOISE, SCAN_DROPOUT = 0.015, 0.005  # m, share
VELOCITY_NOISE = 0.02  # m/s, rad/s
LOCALISATION_SD = np.array([0.02, 0.02, 0.01])  # m, m, rad
DETECTION_SD = np.array([0.006, 0.006, 0.012])  # m, m, rad


def site_boxes(site: Site) -> list[np.ndarray]:
    """Walls, shelves and stations as boxes x0, y0, x1, y1 m; they must be aligned with the axes."""
    furniture = [bounding_box(front_corners(place)) for place in site.furniture]
    return [*wall_boxes(site.size, WALL), *furniture]


class PlanarRig:
    """`boxes` (4,) x0, y0, x1, y1 and `people` (3,) x, y, radius stand about besides the site."""

    def __init__(
        self,
        site: Site,
        robot: Robot,
        start: np.ndarray,
        *,
        boxes: Sequence[np.ndarray] = (),
        people: Sequence[np.ndarray] = (),
        markers: bool = True,
        seed: int = 0,
    ) -> None:
        self._site, self._robot = site, robot
        self._rng = np.random.default_rng(seed)
        self.plant = PlanarPlant(1, load_gait_response(robot.name), self._rng)
        self.plant.reset(np.array([0]), np.asarray(start, float)[None])
        self.boxes = np.array([*site_boxes(site), *boxes])[None]
        self.people = np.array(people, float).reshape(1, -1, 3)
        self.markers = markers
        self.localisation_sd = LOCALISATION_SD  # what the localisation says of itself
        self.scan_works = True
        self.hidden_within = 0.0  # m from base_link; the markers of nearer faces are not seen
        self.stamp = 0.0
        self.nearest = np.inf  # m, smallest clearance of the footprint so far
        self._map_from_odom = np.asarray(start, float) + [0.3, -0.2, 0.4]  # skills must not mind
        self._offset = self._rng.normal(size=3) * LOCALISATION_SD
        self._detections: dict[str, Detection] = {}
        self._scan: Scan | None = None

    @property
    def map_from_base(self) -> np.ndarray:
        """True planar pose (3,)."""
        return self.plant.pose[0]

    def step(self, command: Command) -> None:
        """One tick of 0.1 s."""
        twist = np.zeros(3) if command.twist is None else command.twist
        self.plant.step(twist[None])
        self.stamp = round(self.stamp + TICK, 6)
        base = self._robot.base
        gaps = footprint_clearance(
            self.plant.pose,
            self.boxes,
            self.people,
            np.array(base.footprint_x),
            base.footprint_radius,
        )
        self.nearest = min(self.nearest, float(gaps[0][0]), float(gaps[1][0]))

    def sensed(self) -> Sensed:
        odom_from_base = compose(invert(self._map_from_odom), self.map_from_base)
        if self.scan_works:
            self._scan = self._read_scan()
        if self.markers:
            self._look(odom_from_base)
        twist = self.plant.velocity[0] + self._rng.normal(size=3) * VELOCITY_NOISE
        zeros = np.zeros(len(self._robot.joints))
        return Sensed(
            stamp=self.stamp,
            scan=self._scan,
            joints=Joints(self.stamp, zeros, zeros, zeros),
            odometry=Odometry(self.stamp, transform_from_planar(odom_from_base), twist),
            localisation=Localisation(
                self.stamp,
                self._map_from_odom + self._offset,
                np.diag(self.localisation_sd**2),
            ),
            detections=dict(self._detections),
        )

    def _read_scan(self) -> Scan:
        lidar = self._robot.lidar
        step = 2 * np.pi / lidar.beams
        angles = -np.pi + step * np.arange(lidar.beams)
        mount = np.array([*lidar.mount.position[:2], lidar.mount.rpy[2]])
        origin = compose(self.map_from_base, mount)
        ranges = box_ranges(
            origin[None, :2], (origin[2] + angles)[None], self.boxes, self.people, lidar.range_max
        )[0].astype(float)
        ranges += self._rng.normal(size=lidar.beams) * SCAN_NOISE
        ranges[ranges > lidar.range_max - 0.1] = np.inf
        ranges[self._rng.random(lidar.beams) < SCAN_DROPOUT] = np.nan
        return Scan(self.stamp, np.maximum(ranges, 0.0), -np.pi, step, lidar.range_max)

    def _look(self, odom_from_base: np.ndarray) -> None:
        """Detections of the markers in the camera's field, at every tick."""
        base = self.map_from_base
        for name in self._site.targets:
            face = self._site.face(name)
            offset = face[:2, 3] - base[:2]
            bearing = wrap_angle(np.arctan2(offset[1], offset[0]) - base[2])
            in_front = float(face[:2, 0] @ -offset) > 0.3
            in_range = self.hidden_within < np.hypot(*offset) < CAMERA_RANGE
            if abs(bearing) > CAMERA_HALF_FIELD or not in_range or not in_front:
                continue
            error = transform_from_planar(self._rng.normal(size=3) * DETECTION_SD)
            odom_from_map = compose(odom_from_base, invert(base))
            self._detections[name] = Detection(
                stamp=self.stamp,
                kind="bin" if name in self._site.bins else "station",
                name=name,
                marker_id=0,
                odom_from_object=transform_from_planar(odom_from_map) @ face @ error,
                covariance=np.eye(6) * 1e-4,
                confidence=0.9,
            )

    def run(self, skill: Skill, goal) -> tuple[Tick, int]:
        """Run a skill to its end or its step limit: the last tick and the number of steps."""
        skill.start(goal, self.sensed())
        step = 0
        while True:
            tick = skill.tick(self.sensed())
            self.step(tick.command)
            step += 1
            if tick.outcome is not None or step == skill.max_steps:
                return tick, step
