"""A trial at the level of skills: each runs in a millisecond, by its layout and measured outcomes.

It gives the master the same Scene that build_scene gives on the robot and takes the same
decisions, so that beliefs, candidates, features and the mission are the ones that run there. What
really happens (`items`, `faults`, poses) stays inside and in `judge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import numpy as np

from hrl_core.geometry import compose, transform_from, transform_from_planar, wrap_angle
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import Robot, load_robot
from hrl_core.site import Site
from hrl_master.mission import LEAVE_FACE, Decision
from hrl_master.scene import SECTORS, Scene
from hrl_perception.sectors import scan_sectors
from hrl_sim_bridge.faults import FaultKind
from hrl_sim_bridge.floorplan import Rectangle
from hrl_sim_bridge.solvable import solvable
from hrl_sim_bridge.trial import Trial
from hrl_sim_bridge.truth import Truth
from hrl_sim_bridge.world import World
from hrl_skills.walk import DISTANCE_MAX, GOAL_ROOM, free_radius
from hrl_training.fast.circumstances import chancer, conditions_of
from hrl_training.fast.floor import Floor, Way, in_sight, ranges
from hrl_training.fast.happenings import Happenings, people_at, standing
from hrl_training.fast.outcomes import OutcomeModel
from hrl_training.fast.sight import Sight

BEAMS = 180
TICK = 0.1  # s, that a refused goal takes
PACE = 0.6  # s between two looks of the camera on the way
BLOCKED = 20.0  # s without a way until walk says so
STEP_LIMIT = 60.0  # s, of walk
APPROACH_RANGE = 3.5  # m, beyond it nothing was measured
# m, m, rad off the goal, RMS of 490 trials each (`./hrl evaluate walk|approach --trials 500`)
ARRIVED = {"walk": np.array([0.037, 0.037, 0.03]), "approach": np.array([0.016, 0.016, 0.017])}
POSE_SD = np.array([0.01, 0.01, 0.006])  # m, m, rad, of the localisation
SCAN_LOST = 0.5  # s without a scan until a skill gives up
GRIPPED, OPENED = (-0.8, 9.0), (0.0, 0.0)  # rad, N m
IN_REACH = 0.16  # m off the standoff; further away a grasp or place cannot succeed
FALL_ON_WET = 0.03  # of walks over a wet patch; rarer than on a floor that is wet all over
SLOWER_ON_WET = 1.3
RESTLESS_ON_WET = 0.6  # of approaches to a wet place; they stand near enough all the same
LOWEST = 0.05  # m, an item on the floor


@dataclass(frozen=True)
class FastJudgement:
    """How a mission went by the simulator's truth."""

    delivered: bool
    wrong_item: bool
    item_on_floor: bool
    solvable: bool
    fell: bool


@dataclass
class _Robot:
    """What is true of the robot."""

    pose: np.ndarray  # (3,) in map
    holding: str | None = None
    fell: bool = False


@dataclass
class _FastTruth:
    """As much of hrl_sim_bridge.truth.Truth as the judge of solvability asks for."""

    map_from_base: np.ndarray
    held: str | None
    items: Mapping[str, np.ndarray]
    happened: tuple
    touched_items: tuple[str, ...] = field(default=())


@lru_cache(maxsize=1)
def the_robot() -> Robot:
    return load_robot()


class FastWorld:
    """One robot in one trial. `floor`: of the same site, to share what it has computed."""

    def __init__(
        self,
        world: World,
        trial: Trial,
        model: OutcomeModel,
        rng: np.random.Generator | None = None,
        floor: Floor | None = None,
    ) -> None:
        self.world, self.trial = world, trial
        self.site: Site = world.site
        self.time = 0.0
        self._model = model
        self._rng = rng or np.random.default_rng([trial.seed, 0xFA57])
        self._floor = floor or Floor(self.site)
        self._obstacles = [
            Rectangle(f"obstacle/{k}", each.pose, each.size[:2])
            for k, each in enumerate(trial.obstacles)
        ]
        self._happenings = Happenings(self.site, trial)
        self._sight = Sight(self.site, the_robot())
        self._robot = _Robot(trial.start.copy())
        self._put_down: dict[str, tuple[np.ndarray, str]] = {}  # by the robot: place, face
        self._delivered_well = False
        mount = the_robot().lidar.mount
        self._base_from_lidar = np.array([*mount.position[:2], 0.0])
        self._range_max = the_robot().lidar.range_max
        self._scan_at = 0.0  # stamp of the newest scan
        self._stand(2 * TICK)

    # What the master gets

    def scene(self) -> Scene:
        """What build_scene would give now."""
        pose = self._robot.pose + POSE_SD * self._rng.standard_normal(3)
        position, effort = GRIPPED if self._robot.holding else OPENED
        age = self.time - self._scan_at
        return Scene(
            stamp=self.time,
            map_from_base=pose,
            position_std=0.01,
            sectors=self._sectors() if age <= 1.0 else np.full(SECTORS, np.nan),
            seen=self._sight.seen(self.time),
            gripper_position=position,
            gripper_effort=effort,
            holding=self._robot.holding is not None,
            tilt=1.2 if self._robot.fell else 0.02,
            base_from_lidar=self._base_from_lidar,
            scan_age=age,
        )

    def chance(self, decision: Decision) -> float | None:
        """What the skill says of its chances; None: it says nothing."""
        if decision.skill not in self._model.skills:
            return None
        if self._outage(FaultKind.LIDAR_OUTAGE, "", self.time, self.time + 1e-3) is not None:
            return 0.0
        told = chancer(decision.skill)
        return None if told is None else told(self._conditions(decision, planned=False))

    def run(self, decision: Decision) -> tuple[Outcome, float]:
        """Carry out a decision; the outcome and how long it took [s]."""
        began = self.time
        if decision.skill == "wait":
            self._stand(decision.parameters["duration_s"])
            outcome = _outcome(Code.SUCCEEDED, "waited")
        elif self._robot.fell:
            outcome = self._refuse(Code.FELL, "the robot has fallen")
        elif self._outage(FaultKind.LIDAR_OUTAGE, "", began - 1e-3, began + 1e-3) is not None:
            outcome = self._refuse(Code.NOT_READY, f"scan is {self.time - self._scan_at:.2f} s old")
        else:
            purpose = decision.purpose if decision.purpose == LEAVE_FACE else decision.skill
            outcome = getattr(self, f"_{purpose}")(decision)
        self._happenings.note(self.time)
        return outcome, self.time - began

    def judge(self) -> FastJudgement:
        """By the truth: is the ordered item where it belongs, and could it have been?"""
        order, places = self.trial.order, self._items()
        on = {name: face for name, (_, face) in self._put_down.items()}
        truth = _FastTruth(
            transform_from_planar(self._robot.pose),
            self._robot.holding,
            {name: transform_from(place) for name, (place, _) in places.items()},
            tuple(self._happenings.happened),
        )
        stations = {station.name for station in self.site.stations}
        return FastJudgement(
            delivered=on.get(order.item) == order.to_station and self._delivered_well,
            wrong_item=any(face in stations for name, face in on.items() if name != order.item),
            item_on_floor=on.get(order.item) == "",
            solvable=solvable(self.world, self.trial, cast(Truth, truth)).ok,
            fell=self._robot.fell,
        )

    # Skills

    def _walk(self, decision: Decision) -> Outcome:
        assert decision.pose is not None, "a walk has a pose"
        goal = np.asarray(decision.pose, float)
        away = float(np.hypot(*(goal[:2] - self._robot.pose[:2])))
        if away > DISTANCE_MAX or free_radius(self.site, goal[:2]) < GOAL_ROOM:
            return self._refuse(Code.GOAL_INVALID, f"goal {goal.round(2).tolist()}")
        conditions = self._conditions(decision)
        seconds = self._model.draw_success("walk", conditions, self._rng)
        way, waited, closed = self._find_way(goal, seconds)
        share = way.length / max(conditions["way_m"], 0.5) if closed else 1.0
        # The way that it really took is the planned one, or one with a detour.
        pace = self._model.skills["walk"].weights[0]
        seconds = seconds * min(share, 1.0) + pace * max(0.0, way.length - conditions["way_m"])
        slips = self._happenings.slippery(way.points, self.time)
        if slips:
            seconds *= SLOWER_ON_WET
        if slips and self._rng.random() < FALL_ON_WET:
            self._robot.fell = True
            return self._travel(way, 0.5 * seconds, None, Code.FELL, "the robot leans 1.20 rad")
        if closed:
            end = float(np.arctan2(*(way.points[-1] - way.points[-2])[::-1]))
            pose = np.array([*way.points[-1], end if way.length > 0.3 else self._robot.pose[2]])
            seconds += BLOCKED
            return self._travel(way, seconds, pose, Code.WALK_BLOCKED, "no way is free for 20 s")
        if self._rng.random() > self._likely("walk", conditions):
            code, spent = self._model.draw_failure("walk", self._rng)
            short = way.until(max(0.0, way.length - (0.8 if code is Code.WALK_BLOCKED else 0.1)))
            return self._travel(short, max(spent, seconds), None, code, "not done")
        if seconds + waited > STEP_LIMIT:
            short = way.until(way.length * (STEP_LIMIT - waited) / seconds)
            return self._travel(short, STEP_LIMIT, None, Code.STEP_LIMIT, "not done in 60.0 s")
        pose = self._arrive("walk", goal)
        return self._travel(way, seconds + waited, pose, Code.SUCCEEDED, "at rest at the goal")

    def _approach(self, decision: Decision) -> Outcome:
        goal = self.site.pose_in_front(decision.target, self.site.standoff)
        conditions = self._conditions(decision)
        way = Way(
            np.stack([self._robot.pose[:2], 0.5 * (self._robot.pose + goal)[:2], goal[:2]]), 1
        )
        seconds = self._model.draw_success("approach", conditions, self._rng)
        solids = [*self._obstacles, *standing(self._happenings.blockages, self.time)]
        closed = self._floor.meets(way, solids) is not None
        free = self._floor.way(self._robot.pose[:2], goal[:2], ())
        hidden = free is None or free.length > 1.5 * way.length + 0.5
        if closed or hidden or way.length > APPROACH_RANGE:
            short = way.until(0.3 * way.length)
            spent = 10.0 + 0.3 * seconds  # s: approach gives up where it comes no nearer for ten
            return self._travel(short, spent, None, Code.APPROACH_BLOCKED, "no nearer for 10 s")
        wet = self._happenings.slippery(way.points, self.time)
        if wet and self._rng.random() < RESTLESS_ON_WET:
            pose = self._arrive("approach", goal)
            spent = 10.0 + seconds
            return self._travel(way, spent, pose, Code.APPROACH_BLOCKED, "no nearer for 10 s")
        if self._rng.random() > self._likely("approach", conditions):
            code, spent = self._model.draw_failure("approach", self._rng)
            return self._travel(way, spent, self._arrive("approach", goal), code, "not done")
        pose = self._arrive("approach", goal)
        return self._travel(way, seconds, pose, Code.SUCCEEDED, "at the standoff")

    def _grasp(self, decision: Decision) -> Outcome:
        item, face = decision.target, decision.face
        place, at = self._items().get(item, (np.zeros(3), ""))
        conditions = self._conditions(decision)
        covered = item in self._happenings.covered(self.time)
        cameras = [self._outage(FaultKind.CAMERA_OUTAGE, c, self.time, self.time + 4.0)
                   for c in ("camera", "hand_camera")]  # fmt: skip
        off = self._off_standoff(face)
        if at != face or covered or all(c is not None for c in cameras) or off > IN_REACH:
            spent = self._model.draw_ending("grasp", Code.ITEM_NOT_FOUND, self._rng)
            self._stand(spent, hand=face)
            return _outcome(Code.ITEM_NOT_FOUND, f"{item} is not in {face}")
        if self._rng.random() > self._likely("grasp", conditions):
            code, spent = self._model.draw_failure("grasp", self._rng)
            self._stand(spent)
            return _outcome(code, "not lifted")
        self._stand(self._model.draw_success("grasp", conditions, self._rng))
        self._robot.holding = item
        self._happenings.carry(item, self.time)
        in_hand = transform_from((0.0, 0.0, 0.0))
        self._see_in_hand(item)
        return _outcome(Code.SUCCEEDED, "held", in_hand)

    def _place(self, decision: Decision) -> Outcome:
        item, station = self._robot.holding, decision.target
        if item is None:
            return self._refuse(Code.NOTHING_HELD, "the gripper holds nothing")
        conditions = self._conditions(decision)
        if self._off_standoff(station) > IN_REACH:
            self._stand(self._model.draw_failure("place", self._rng)[1])
            return _outcome(Code.SURFACE_OUT_OF_REACH, f"{station} is out of reach")
        seconds = self._model.draw_success("place", conditions, self._rng)
        good = self._rng.random() <= self._likely("place", conditions)
        self._stand(seconds)
        if self._robot.holding is None:
            return _outcome(Code.LOST_WHILE_PLACING, f"{item} slipped out of the gripper")
        spread = 0.015 if good else 0.08  # m
        point = self.site.target_point(station)
        point = point + [*spread * self._rng.standard_normal(2), 0.05]
        self._robot.holding = None
        self._put_down[item] = point, station
        self._delivered_well = good
        self._sight.note(item, "item", self._item_pose(point, station), self.time)
        if not good:
            return _outcome(Code.PLACED_OFF_TARGET, f"{item} stands off its target")
        return _outcome(Code.SUCCEEDED, f"{item} stands on {station}")

    def _leave_face(self, decision: Decision) -> Outcome:
        yaw = self._robot.pose[2]
        distance = decision.parameters["distance_m"]
        pose = self._robot.pose - [distance * np.cos(yaw), distance * np.sin(yaw), 0.0]
        way = Way(
            np.stack([self._robot.pose[:2], 0.5 * (self._robot.pose + pose)[:2], pose[:2]]), 1
        )
        seconds = 1.5 + distance / 0.3  # s; backwards it walks at no more than 0.3 m/s
        return self._travel(way, seconds, pose, Code.SUCCEEDED, f"{distance:.2f} m further away")

    # Moving and seeing

    def _find_way(self, goal: np.ndarray, seconds: float) -> tuple[Way, float, bool]:
        """The way that walk takes, for how long [s] it waits on it, whether it stays closed.

        Walk plans around what it sees; what is out of its sight it meets on the way.
        """
        start = self._robot.pose[:2]
        known: list[Rectangle] = [*self._obstacles]
        first = self._floor.way(start, goal[:2], known) or self._floor.way(start, goal[:2], ())
        if first is None:
            return Way(np.stack([start, start + 1e-3, start]), 0.0), 0.0, True
        gone, waited, way = np.zeros((0, 2)), 0.0, first
        for _ in range(4):
            times = (
                self.time
                + waited
                + seconds * (_lengths(gone) + way.lengths) / max(_lengths(gone) + way.length, 0.5)
            )
            self._happenings.pass_along(way, times)
            blockages = self._happenings.blockages
            names = {each.name for each in known}
            met = [
                (s, b)
                for b in blockages
                if b.rectangle.name not in names
                and (s := self._floor.meets(way, [b.rectangle])) is not None
                and b.stands(float(np.interp(s, way.lengths, times)))
            ]
            if not met:
                return _joined(gone, way), waited, False
            met_at, blockage = min(met, key=lambda pair: pair[0])
            until = self._seen_from(way, met_at, blockage, times)
            here = way.until(until)
            now = float(np.interp(until, way.lengths, times))
            round_about = self._floor.way(here.points[-1], goal[:2], [*known, blockage.rectangle])
            gone = np.concatenate([gone, here.points])
            if round_about is not None:
                known.append(blockage.rectangle)
                way = round_about
                continue
            left = blockage.end - now
            if left > BLOCKED:
                return Way(gone if len(gone) > 1 else np.stack([start, start]), 0.0), 0.0, True
            waited += left
            way = self._floor.way(here.points[-1], goal[:2], known) or here
        return _joined(gone, way), waited, False

    def _seen_from(self, way: Way, met_at: float, blockage: Any, times: np.ndarray) -> float:
        """How far along the way [m] the robot is when it sees that something closes it."""
        lengths = way.lengths
        before = lengths <= met_at
        centre = np.tile(blockage.rectangle.pose[:2], (int(before.sum()), 1))
        seen = in_sight(way.points[before], centre, self._floor.edges)
        seen &= times[before] >= blockage.start
        first = np.flatnonzero(seen)
        latest = max(met_at - 0.3, 0.0)
        return min(float(lengths[first[0]]), latest) if len(first) else latest

    def _travel(
        self, way: Way, seconds: float, pose: np.ndarray | None, code: Code, detail: str
    ) -> Outcome:
        """Go along a way, to a pose (3,) at its end if given; a lost scan ends it before."""
        began = self.time
        lost = self._outage(FaultKind.LIDAR_OUTAGE, "", began, began + seconds)
        if lost is not None and lost + SCAN_LOST < began + seconds:
            way = way.until(way.length * (lost - began) / max(seconds, TICK))
            seconds, pose = lost + SCAN_LOST - began, None
            code, detail = Code.SENSOR_LOST, "scan is 0.60 s old, limit 0.5 s"
        if pose is None:
            ahead = way.points[-1] - way.points[max(len(way.points) - 2, 0)]
            yaw = np.arctan2(ahead[1], ahead[0]) if way.length > 0.2 else self._robot.pose[2]
            pose = np.array([*way.points[-1], yaw])
        moving = min(seconds, way.length * 1.2 + 1.0)
        count = max(int(moving / PACE), 2)
        share = np.linspace(0.0, 1.0, count)
        lengths = way.lengths
        x, y = (np.interp(share * lengths[-1], lengths, way.points[:, k]) for k in range(2))
        yaw = (
            np.arctan2(np.gradient(y), np.gradient(x))
            if way.length > 0.2
            else np.full(count, self._robot.pose[2])
        )
        poses = np.concatenate([np.stack([x, y, yaw], axis=-1), pose[None]])
        stamps = np.append(began + share * moving, began + seconds)
        self._advance(seconds, poses, stamps)
        self._robot.pose = np.array([*pose[:2], wrap_angle(pose[2])])
        return _outcome(code, detail, transform_from_planar(self._robot.pose))

    def _stand(self, seconds: float, hand: str = "") -> None:
        """Let time pass with the robot standing; `hand`: a face that its hand looks into."""
        pose = self._robot.pose
        stamps = self.time + np.array([0.0, seconds])
        self._advance(seconds, np.stack([pose, pose]), stamps)
        if hand:
            for name, (place, face) in self._items().items():
                if face == hand and name not in self._happenings.covered(self.time):
                    self._sight.note(name, "item", self._item_pose(place, face), self.time)

    def _advance(self, seconds: float, poses: np.ndarray, stamps: np.ndarray) -> None:
        end = self.time + seconds
        held = self._robot.holding
        if held is not None:
            slip = self._happenings.drop(held, end)
            if slip is not None:
                where = poses[np.searchsorted(stamps, slip).clip(0, len(poses) - 1)]
                ahead = where[:2] + 0.5 * np.array([np.cos(where[2]), np.sin(where[2])])
                self._put_down[held] = np.array([*ahead, LOWEST]), ""
                self._robot.holding = None
                self._sight.forget(held)
        self._floor.put([*self._obstacles, *standing(self._happenings.blockages, end)])
        self._look(poses, stamps)
        lost = self._outage(FaultKind.LIDAR_OUTAGE, "", self.time, end)
        self._scan_at = end if lost is None or self._scanned(end) else max(self._scan_at, lost)
        self.time = end
        if self._robot.holding is not None:
            self._see_in_hand(self._robot.holding)

    def _look(self, poses: np.ndarray, stamps: np.ndarray) -> None:
        begin, end = float(stamps[0]), float(stamps[-1])
        if self._outage(FaultKind.CAMERA_OUTAGE, "camera", begin, end) is not None:
            awake = np.array([
                self._outage(FaultKind.CAMERA_OUTAGE, "camera", t, t + 1e-3) is None for t in stamps
            ])  # fmt: skip
            poses, stamps = poses[awake], stamps[awake]
        if not len(poses):
            return
        covered = self._happenings.covered(end)
        places = {n: p for n, p in self._items().items() if n != self._robot.holding}
        things = [self._sight.faces(covered)]
        items = self._sight.items(places, covered)
        if items is not None:
            things.append(items)
        self._sight.look(poses, stamps, things, self._floor, self._rng)

    def _scanned(self, time: float) -> bool:
        return self._outage(FaultKind.LIDAR_OUTAGE, "", time - 1e-3, time) is None

    def _sectors(self) -> np.ndarray:
        """Ranges per sector as the scanner would see them, (SECTORS,) m."""
        lidar = compose(self._robot.pose, self._base_from_lidar)
        start, step = -np.pi, 2 * np.pi / BEAMS
        angles = start + step * np.arange(BEAMS)
        edges = np.concatenate([self._floor.edges, people_at(self.trial.people, self.time)])
        found = ranges(lidar[:2], angles + lidar[2], edges, self._range_max)
        found = found + 0.015 * self._rng.standard_normal(BEAMS)
        return scan_sectors(found, start, step, SECTORS, self._range_max)

    def _see_in_hand(self, item: str) -> None:
        yaw = self._robot.pose[2]
        place = self._robot.pose[:2] + 0.6 * np.array([np.cos(yaw), np.sin(yaw)])
        frame = transform_from_planar(np.array([*place, yaw + np.pi]), 0.7)
        self._sight.note(item, "item", frame, self.time)

    # Helpers

    def _items(self) -> dict[str, tuple[np.ndarray, str]]:
        """Where every item is: place (3,) m in map, bin or station, "" on the floor."""
        places = self._happenings.items(self.time)
        places.update(self._put_down)
        return places

    def _item_pose(self, place: np.ndarray, face: str) -> np.ndarray:
        frame = self.site.face(face).copy()
        frame[:3, 3] = place
        return frame

    def _outage(self, kind: FaultKind, target: str, begin: float, end: float) -> float | None:
        return self._happenings.outage(kind, target, begin, end)

    def _off_standoff(self, face: str) -> float:
        goal = self.site.pose_in_front(face, self.site.standoff)
        turned = abs(float(wrap_angle(goal[2] - self._robot.pose[2])))
        return float(np.hypot(*(goal - self._robot.pose)[:2])) + 0.3 * turned

    def _arrive(self, skill: str, goal: np.ndarray) -> np.ndarray:
        return goal + ARRIVED[skill] * np.clip(self._rng.standard_normal(3), -2, 2)

    def _refuse(self, code: Code, detail: str) -> Outcome:
        self._stand(TICK)
        return _outcome(code, detail)

    def _likely(self, skill: str, conditions: Mapping[str, float]) -> float:
        """Chance of success where nothing special is in the way."""
        told, of = chancer(skill), self._model.skills[skill]
        return of.successes / of.trials if told is None else told(conditions)

    def _conditions(self, decision: Decision, planned: bool = True) -> dict[str, float]:
        """What the layout tells; `planned`: with the way of a walk, which takes its time."""
        known = [*self._obstacles, *standing(self._happenings.blockages, self.time)]
        return conditions_of(
            decision,
            self.site,
            self._floor if planned else None,
            known,
            self._robot.pose,
            self._sight,
            self.time,
        )


def _outcome(code: Code, detail: str, pose: np.ndarray | None = None) -> Outcome:
    return Outcome(code, detail, Verdict(code is Code.SUCCEEDED, detail), pose)


def _lengths(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()) if len(points) else 0.0


def _joined(gone: np.ndarray, way: Way) -> Way:
    return Way(np.concatenate([gone, way.points]), way.narrowest)
