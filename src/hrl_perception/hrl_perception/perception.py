"""From pictures and odometry to where things are and where the robot is."""

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np

from hrl_core.geometry import (
    compose,
    inverse,
    invert,
    planar_from_transform,
    transform_from,
    transform_from_planar,
)
from hrl_core.robot import Robot
from hrl_core.sensed import CameraFrame, Detection, Joints, Localisation, Odometry, Scan
from hrl_core.site import Site
from hrl_perception.localisation import LocalisationOptions, Localiser, OdometryNoise
from hrl_perception.markers import MarkerDetector, MarkerOptions
from hrl_perception.people import People
from hrl_perception.sightings import sights
from hrl_perception.tracker import Tracker, TrackerOptions, in_frame

HISTORY = 1.0  # s of odometry kept; older pictures are refused


@dataclass(frozen=True, kw_only=True)
class PerceptionOptions:
    """Options of the parts."""

    markers: MarkerOptions = field(default_factory=MarkerOptions)
    odometry: OdometryNoise = field(default_factory=OdometryNoise)
    localisation: LocalisationOptions = field(default_factory=LocalisationOptions)
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    match_scans: bool = True  # correct the pose by the scan as well as by markers


class Perception:
    """Markers, tracks and localisation of one robot at one site. Deterministic."""

    def __init__(self, site: Site, robot: Robot, options: PerceptionOptions | None = None):
        options = options or PerceptionOptions()
        self._options = options
        self._site = site
        self._robot = robot
        self._detector = MarkerDetector(site, options.markers)
        self._localiser = Localiser(site, options.odometry, options.localisation)
        self._tracker = Tracker(options.odometry, options.tracker)
        self._people = People(site, robot)
        self._history: deque[Odometry] = deque()
        self._latest_picture: dict[str, float] = {}
        self._latest_scan = -np.inf
        self._base_from_tool: np.ndarray | None = None

    def reset(self, map_from_base: np.ndarray, covariance: np.ndarray, odometry: Odometry) -> None:
        """Start over at a planar pose (3,) in map, known to a covariance (3, 3) m, m, rad."""
        self._start_over()
        planar = planar_from_transform(odometry.odom_from_base)
        self._localiser.reset(map_from_base, covariance, planar)

    def update(
        self,
        odometry: Odometry,
        frames: list[CameraFrame],
        joints: Joints | None,
        scan: Scan | None,
        stamp: float,
    ) -> tuple[Localisation, dict[str, Detection]]:
        """One tick: take in what has come since the last one; say what is known at `stamp`."""
        self._move(odometry, stamp)
        for frame in sorted(frames, key=lambda frame: (frame.stamp, frame.name)):
            self._look(frame)
        if scan is not None and self._options.match_scans and scan.stamp > self._latest_scan:
            self._latest_scan = scan.stamp
            self._match(scan)
        localisation = self._localiser.localisation(stamp)
        if self._localiser.known:
            map_from_odom = transform_from_planar(localisation.map_from_odom)
            self._tracker.anchor(map_from_odom, localisation.covariance, odometry.odom_from_base)
        return localisation, self._tracker.detections(stamp)

    def people(self, scan: Scan) -> np.ndarray:
        """Who moves about, after `update`: (n, 3) x, y m, heading rad in map; see People."""
        odom_from_base = self._odom_from_base_at(scan.stamp)
        if odom_from_base is None or not self._localiser.known:
            return np.empty((0, 3))
        map_from_odom = self._localiser.localisation(scan.stamp).map_from_odom
        return self._people.see(scan, compose(map_from_odom, planar_from_transform(odom_from_base)))

    def _start_over(self) -> None:
        self._localiser.forget()
        self._tracker.clear()
        self._history.clear()
        self._latest_picture.clear()
        self._latest_scan = -np.inf
        self._base_from_tool = None

    def _move(self, odometry: Odometry, stamp: float) -> None:
        if self._history and odometry.stamp < self._history[-1].stamp:
            # Time went back: the plant was reset, nothing known holds any more.
            self._start_over()
        odom_from_base = planar_from_transform(odometry.odom_from_base)
        motion = np.zeros(3)
        if self._history:
            previous = planar_from_transform(self._history[-1].odom_from_base)
            motion = compose(invert(previous), odom_from_base)
        self._history.append(odometry)
        while odometry.stamp - self._history[0].stamp > HISTORY:
            self._history.popleft()
        self._localiser.move(odom_from_base)
        odom_from_tool = None
        if self._base_from_tool is not None:
            odom_from_tool = odometry.odom_from_base @ self._base_from_tool
        self._tracker.move(stamp, motion, odometry.odom_from_base, odom_from_tool)

    def _look(self, frame: CameraFrame) -> None:
        if frame.stamp <= self._latest_picture.get(frame.name, -np.inf):
            return
        self._latest_picture[frame.name] = frame.stamp
        odom_from_base = self._odom_from_base_at(frame.stamp)
        if odom_from_base is None:
            return
        self._notice_hand(frame)
        odom_from_optical = odom_from_base @ frame.base_from_optical
        present = planar_from_transform(self._history[-1].odom_from_base)
        level_from_odom = inverse(transform_from_planar(present))
        observations = self._detector.detect(frame)
        # odom is level, as base_link need not be.
        for sighting in sights(self._site, observations, odom_from_optical, frame.stamp):
            kind = sighting.marker.kind
            if kind != "item":
                believed = self._localiser.see(in_frame(sighting, level_from_odom))
                if kind == "landmark" or not believed:
                    continue
            self._tracker.see(sighting)
        self._tracker.check_empty(frame, odom_from_optical)

    def _match(self, scan: Scan) -> None:
        odom_from_base = self._odom_from_base_at(scan.stamp)
        if odom_from_base is None:
            return
        lidar = np.array(self._robot.lidar.mount.position[:2])
        points = self._robot.lidar.level(scan).points() + lidar
        # The scan is of the moment it was taken; the filter is at the present.
        then = planar_from_transform(odom_from_base)
        now = planar_from_transform(self._history[-1].odom_from_base)
        now_from_then = transform_from_planar(compose(invert(now), then))
        shift = now_from_then[:2, 3]
        viewpoint = now_from_then[:2, :2] @ lidar + shift
        self._localiser.match(points @ now_from_then[:2, :2].T + shift, viewpoint)

    def _notice_hand(self, frame: CameraFrame) -> None:
        """A camera on the hand tells where the hand is."""
        camera, arm = self._robot.cameras.get(frame.name), self._robot.arm
        if camera is not None and camera.mount.parent == arm.hand_link:
            base_from_hand = frame.base_from_optical @ inverse(camera.parent_from_optical())
            self._base_from_tool = base_from_hand @ transform_from(arm.tool)

    def _odom_from_base_at(self, stamp: float) -> np.ndarray | None:
        """odom_from_base (4, 4) when a picture was taken, between two odometries; None: too old."""
        after = next((o for o in self._history if o.stamp >= stamp - 1e-6), self._history[-1])
        before = next((o for o in reversed(self._history) if o.stamp <= stamp + 1e-6), None)
        if before is None:
            return None
        if after.stamp <= before.stamp:
            return before.odom_from_base
        share = (stamp - before.stamp) / (after.stamp - before.stamp)
        turn = before.odom_from_base[:3, :3].T @ after.odom_from_base[:3, :3]
        rotation = before.odom_from_base[:3, :3] @ cv2.Rodrigues(share * cv2.Rodrigues(turn)[0])[0]
        step = after.odom_from_base[:3, 3] - before.odom_from_base[:3, 3]
        return transform_from(before.odom_from_base[:3, 3] + share * step, rotation)
