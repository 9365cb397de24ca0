"""What is true in the fast world, how time passes there, and what the robot sees meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hrl_core.control import TICK
from hrl_core.floor.rays import edge_ranges
from hrl_core.floor.rectangles import Rectangle
from hrl_core.geometry import compose, transform_from_planar, wrap_angle
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import Robot, load_robot
from hrl_core.site import Site
from hrl_master.scene import SECTORS
from hrl_perception.sectors import scan_sectors
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.faults import FaultKind
from hrl_training.fast.disturbances import Disturbances, people_at, standing
from hrl_training.fast.floor import Floor, Way
from hrl_training.fast.visibility import Sight

BEAMS = 180
PACE = 0.6  # s between two looks of the camera on the way
# m, m, rad off the goal, RMS of 490 trials each (`./hrl evaluate walk|approach --trials 500`)
ARRIVED = {
    "walk": np.array([0.037, 0.037, 0.03]),
    "approach": np.array([0.016, 0.016, 0.017]),
    "align": np.array([0.007, 0.007, 0.01]),
}
SCAN_LOST = 0.5  # s without a scan until a skill gives up
LOWEST = 0.05  # m, an item on the floor


@dataclass
class RobotState:
    """What is true of the robot."""

    pose: np.ndarray  # (3,) in map
    holding: str | None = None
    fell: bool = False


@lru_cache(maxsize=1)
def the_robot() -> Robot:
    return load_robot()


class FastPlant:
    """One robot in one trial: where it and everything else is, and what its sensors have seen."""

    def __init__(self, site: Site, trial: Trial, rng: np.random.Generator, floor: Floor) -> None:
        self.site, self.trial, self.rng, self.floor = site, trial, rng, floor
        self.time = 0.0
        self.obstacles = [each.rectangle(f"obstacle/{k}") for k, each in enumerate(trial.obstacles)]
        self.disturbances = Disturbances(site, trial)
        self.sight = Sight(site, the_robot())
        self.robot = RobotState(trial.start.copy())
        self.put_down: dict[str, tuple[np.ndarray, str]] = {}  # by the robot: place, face
        self._carried_at: dict[str, float] = {}  # s, when a conveyor will have taken an item
        self.delivered_well = False
        mount = the_robot().lidar.mount
        self.base_from_lidar = np.array([*mount.position[:2], 0.0])
        self._range_max = the_robot().lidar.range_max
        self.scan_at = 0.0  # stamp of the newest scan
        self.stand(2 * TICK)

    # Moving and seeing

    def travel(
        self, way: Way, seconds: float, pose: np.ndarray | None, code: Code, detail: str
    ) -> Outcome:
        """Go along a way, to a pose (3,) at its end if given; a lost scan ends it before."""
        began = self.time
        lost = self.outage(FaultKind.LIDAR_OUTAGE, "", began, began + seconds)
        if lost is not None and lost + SCAN_LOST < began + seconds:
            way = way.until(way.length * (lost - began) / max(seconds, TICK))
            seconds, pose = lost + SCAN_LOST - began, None
            code, detail = Code.SENSOR_LOST, "scan is 0.60 s old, limit 0.5 s"
        if pose is None:
            ahead = way.points[-1] - way.points[max(len(way.points) - 2, 0)]
            yaw = np.arctan2(ahead[1], ahead[0]) if way.length > 0.2 else self.robot.pose[2]
            pose = np.array([*way.points[-1], yaw])
        moving = min(seconds, way.length * 1.2 + 1.0)
        count = max(int(moving / PACE), 2)
        share = np.linspace(0.0, 1.0, count)
        lengths = way.lengths
        x, y = (np.interp(share * lengths[-1], lengths, way.points[:, k]) for k in range(2))
        yaw = (
            np.arctan2(np.gradient(y), np.gradient(x))
            if way.length > 0.2
            else np.full(count, self.robot.pose[2])
        )
        poses = np.concatenate([np.stack([x, y, yaw], axis=-1), pose[None]])
        stamps = np.append(began + share * moving, began + seconds)
        self._advance(seconds, poses, stamps)
        self.robot.pose = np.array([*pose[:2], wrap_angle(pose[2])])
        return outcome_of(code, detail, transform_from_planar(self.robot.pose))

    def stand(self, seconds: float, hand: str = "") -> None:
        """Let time pass with the robot standing; `hand`: a face that its hand looks into."""
        pose = self.robot.pose
        stamps = self.time + np.array([0.0, seconds])
        self._advance(seconds, np.stack([pose, pose]), stamps)
        if hand:
            for name, (place, face) in self.items().items():
                if face == hand and name not in self.disturbances.covered(self.time):
                    self.sight.note(name, "item", self.item_pose(place, face), self.time)

    def refuse(self, code: Code, detail: str) -> Outcome:
        self.stand(TICK)  # that a refused goal takes
        return outcome_of(code, detail)

    def _advance(self, seconds: float, poses: np.ndarray, stamps: np.ndarray) -> None:
        end = self.time + seconds
        held = self.robot.holding
        if held is not None:
            slip = self.disturbances.drop(held, end)
            if slip is not None:
                where = poses[np.searchsorted(stamps, slip).clip(0, len(poses) - 1)]
                ahead = where[:2] + 0.5 * np.array([np.cos(where[2]), np.sin(where[2])])
                self.put_down[held] = np.array([*ahead, LOWEST]), ""
                self.robot.holding = None
                self.sight.forget(held)
        self.floor.put([*self.obstacles, *standing(self.disturbances.blockages, end)])
        self._look(poses, stamps)
        lost = self.outage(FaultKind.LIDAR_OUTAGE, "", self.time, end)
        self.scan_at = end if lost is None or self._scanned(end) else max(self.scan_at, lost)
        self.time = end
        if self.robot.holding is not None:
            self.see_in_hand(self.robot.holding)

    def _look(self, poses: np.ndarray, stamps: np.ndarray) -> None:
        begin, end = float(stamps[0]), float(stamps[-1])
        if self.outage(FaultKind.CAMERA_OUTAGE, "camera", begin, end) is not None:
            awake = np.array(
                [
                    self.outage(FaultKind.CAMERA_OUTAGE, "camera", t, t + 1e-3) is None
                    for t in stamps
                ]
            )
            poses, stamps = poses[awake], stamps[awake]
        if not len(poses):
            return
        covered = self.disturbances.covered(end)
        places = {n: p for n, p in self.items().items() if n != self.robot.holding}
        things = [self.sight.faces(covered)]
        items = self.sight.items(places, covered)
        if items is not None:
            things.append(items)
        self.sight.look(poses, stamps, things, self.floor, self.rng)

    def _scanned(self, time: float) -> bool:
        return self.outage(FaultKind.LIDAR_OUTAGE, "", time - 1e-3, time) is None

    def sectors(self) -> np.ndarray:
        """Ranges per sector as the scanner would see them, (SECTORS,) m."""
        lidar = compose(self.robot.pose, self.base_from_lidar)
        start, step = -np.pi, 2 * np.pi / BEAMS
        angles = start + step * np.arange(BEAMS)
        edges = np.concatenate([self.floor.edges, people_at(self.trial.people, self.time)])
        found = edge_ranges(lidar[:2], angles + lidar[2], edges, self._range_max)
        found = found + 0.015 * self.rng.standard_normal(BEAMS)
        return scan_sectors(found, start, step, SECTORS, self._range_max)

    def see_in_hand(self, item: str) -> None:
        yaw = self.robot.pose[2]
        place = self.robot.pose[:2] + 0.6 * np.array([np.cos(yaw), np.sin(yaw)])
        frame = transform_from_planar(np.array([*place, yaw + np.pi]), 0.7)
        self.sight.note(item, "item", frame, self.time)

    # Facts

    def known(self) -> list[Rectangle]:
        """What stands about now and the map lacks."""
        return [*self.obstacles, *standing(self.disturbances.blockages, self.time)]

    def items(self) -> dict[str, tuple[np.ndarray, str]]:
        """Where every item is: place (3,) m in map, bin or station, "" on the floor."""
        places = self.disturbances.items(self.time)
        places.update(self.put_down)
        gone = [item for item, at in self._carried_at.items() if at <= self.time]
        return {item: place for item, place in places.items() if item not in gone}

    def put(self, item: str, place: np.ndarray, station: str) -> None:
        """Put an item down on a station; a conveyor carries it away in time."""
        self.put_down[item] = place, station
        self._carried_at[item] = self.time + self.site.station(station).clear_after

    def item_pose(self, place: np.ndarray, face: str) -> np.ndarray:
        frame = self.site.face(face).copy()
        frame[:3, 3] = place
        return frame

    def outage(self, kind: FaultKind, target: str, begin: float, end: float) -> float | None:
        return self.disturbances.outage(kind, target, begin, end)

    def off_standoff(self, face: str) -> float:
        goal = self.site.pose_in_front(face, self.site.standoff)
        turned = abs(float(wrap_angle(goal[2] - self.robot.pose[2])))
        return float(np.hypot(*(goal - self.robot.pose)[:2])) + 0.3 * turned

    def arrive(self, skill: str, goal: np.ndarray) -> np.ndarray:
        return goal + ARRIVED[skill] * np.clip(self.rng.standard_normal(3), -2, 2)


def outcome_of(code: Code, detail: str, pose: np.ndarray | None = None) -> Outcome:
    return Outcome(code, detail, Verdict(code is Code.SUCCEEDED, detail), pose)
