"""What each skill does in the fast world: by the layout, its conditions and measured outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hrl_core.floor.clearance import signed_clearance
from hrl_core.floor.rays import in_sight
from hrl_core.floor.rectangles import Rectangle
from hrl_core.geometry import transform_from
from hrl_core.outcomes import Code, Outcome
from hrl_master.orders import ALIGN, LEAVE_FACE, LEAVE_NARROW, Decision
from hrl_sim_bridge.worlds.faults import FaultKind
from hrl_skills.walk import DISTANCE_MAX, goal_room
from hrl_training.fast.floor import Way
from hrl_training.fast.plant import FastPlant, outcome_of, the_robot
from hrl_training.fast.skill_conditions import conditions_of, success_estimate
from hrl_training.fast.skill_outcomes import OutcomeModel

BLOCKED = 20.0  # s without a way until walk says so
STEP_LIMIT = 60.0  # s, of walk
APPROACH_RANGE = 3.5  # m, beyond it nothing was measured
IN_REACH = 0.16  # m off the standoff; further away a grasp or place cannot succeed
FALL_ON_WET = 0.03  # of walks over a wet patch; rarer than on a floor that is wet all over
ALIGN_TIME = 5.0  # s, of an align besides its way
SLOWER_ON_WET = 1.3
RESTLESS_ON_WET = 0.6  # of approaches to a wet place; they stand near enough all the same

Skill = Callable[[Decision], Outcome]


class FastSkills:
    """The skills of one robot; `table`: by the name of a skill or the purpose of a helper."""

    def __init__(self, plant: FastPlant, model: OutcomeModel) -> None:
        self._plant, self._model = plant, model
        self.table: dict[str, Skill] = {
            "walk": self.walk,
            "approach": self.approach,
            "grasp": self.grasp,
            "place": self.place,
            ALIGN: self.align,
            LEAVE_FACE: self.leave_face,
            LEAVE_NARROW: self.leave_face,
        }
        if missing := sorted(model.skills.keys() - self.table.keys()):
            raise ValueError(f"outcomes of {missing} are fitted; known are {sorted(self.table)}")

    def run(self, decision: Decision) -> Outcome:
        """Carry out a decision; the plant's time goes on."""
        name = decision.purpose if decision.purpose in self.table else decision.skill
        if name not in self.table:
            raise ValueError(f"skill {name!r} is unknown here; known: {sorted(self.table)}")
        return self.table[name](decision)

    def conditions(self, decision: Decision, planned: bool = True) -> dict[str, float]:
        """What the layout tells; `planned`: with the way of a walk, which takes its time."""
        plant = self._plant
        return conditions_of(
            decision,
            plant.site,
            plant.floor if planned else None,
            plant.known(),
            plant.robot.pose,
            plant.sight,
            plant.time,
        )

    def walk(self, decision: Decision) -> Outcome:
        plant = self._plant
        assert decision.pose is not None, "a walk has a pose"
        goal = np.asarray(decision.pose, float)
        away = float(np.hypot(*(goal[:2] - plant.robot.pose[:2])))
        needed = goal_room(the_robot().base)
        if away > DISTANCE_MAX or signed_clearance(plant.site, goal[:2]) < needed:
            return plant.refuse(Code.GOAL_INVALID, f"goal {goal.round(2).tolist()}")
        conditions = self.conditions(decision)
        seconds = self._model.draw_success("walk", conditions, plant.rng)
        way, waited, closed = self._find_way(goal, seconds)
        share = way.length / max(conditions["way_m"], 0.5) if closed else 1.0
        # The way that it really took is the planned one, or one with a detour.
        pace = self._model.skills["walk"].weights[0]
        seconds = seconds * min(share, 1.0) + pace * max(0.0, way.length - conditions["way_m"])
        slips = plant.disturbances.slippery(way.points, plant.time)
        if slips:
            seconds *= SLOWER_ON_WET
        if slips and plant.rng.random() < FALL_ON_WET:
            plant.robot.fell = True
            return plant.travel(way, 0.5 * seconds, None, Code.FELL, "the robot leans 1.20 rad")
        if closed:
            end = float(np.arctan2(*(way.points[-1] - way.points[-2])[::-1]))
            pose = np.array([*way.points[-1], end if way.length > 0.3 else plant.robot.pose[2]])
            seconds += BLOCKED
            return plant.travel(way, seconds, pose, Code.WALK_BLOCKED, "no way is free for 20 s")
        if plant.rng.random() > self._likely("walk", conditions):
            code, spent = self._model.draw_failure("walk", plant.rng)
            short = way.until(max(0.0, way.length - (0.8 if code is Code.WALK_BLOCKED else 0.1)))
            return plant.travel(short, max(spent, seconds), None, code, "not done")
        if seconds + waited > STEP_LIMIT:
            short = way.until(way.length * (STEP_LIMIT - waited) / seconds)
            return plant.travel(short, STEP_LIMIT, None, Code.STEP_LIMIT, "not done in 60.0 s")
        pose = plant.arrive("walk", goal)
        return plant.travel(way, seconds + waited, pose, Code.SUCCEEDED, "at rest at the goal")

    def approach(self, decision: Decision) -> Outcome:
        plant = self._plant
        goal = plant.site.pose_in_front(decision.target, plant.site.standoff)
        conditions = self.conditions(decision)
        way = _straight(plant.robot.pose, goal)
        seconds = self._model.draw_success("approach", conditions, plant.rng)
        closed = plant.floor.meets(way, plant.known()) is not None
        free = plant.floor.way(plant.robot.pose[:2], goal[:2], ())
        hidden = free is None or free.length > 1.5 * way.length + 0.5
        if closed or hidden or way.length > APPROACH_RANGE:
            short = way.until(0.3 * way.length)
            spent = 10.0 + 0.3 * seconds  # s: approach gives up where it comes no nearer for ten
            return plant.travel(short, spent, None, Code.APPROACH_BLOCKED, "no nearer for 10 s")
        wet = plant.disturbances.slippery(way.points, plant.time)
        if wet and plant.rng.random() < RESTLESS_ON_WET:
            pose = plant.arrive("approach", goal)
            spent = 10.0 + seconds
            return plant.travel(way, spent, pose, Code.APPROACH_BLOCKED, "no nearer for 10 s")
        if plant.rng.random() > self._likely("approach", conditions):
            code, spent = self._model.draw_failure("approach", plant.rng)
            return plant.travel(way, spent, plant.arrive("approach", goal), code, "not done")
        pose = plant.arrive("approach", goal)
        return plant.travel(way, seconds, pose, Code.SUCCEEDED, "at the standoff")

    def align(self, decision: Decision) -> Outcome:
        plant = self._plant
        goal = plant.site.pose_in_front(decision.target, plant.site.standoff)
        way = _straight(plant.robot.pose, goal)
        seconds = ALIGN_TIME + 3.0 * way.length
        pose = plant.arrive("align", goal)
        return plant.travel(way, seconds, pose, Code.SUCCEEDED, "aligned with the standoff")

    def grasp(self, decision: Decision) -> Outcome:
        plant = self._plant
        item, face = decision.target, decision.face
        place, at = plant.items().get(item, (np.zeros(3), ""))
        conditions = self.conditions(decision)
        covered = item in plant.disturbances.covered(plant.time)
        cameras = [
            plant.outage(FaultKind.CAMERA_OUTAGE, c, plant.time, plant.time + 4.0)
            for c in ("camera", "hand_camera")
        ]
        off = plant.off_standoff(face)
        if at != face or covered or all(c is not None for c in cameras) or off > IN_REACH:
            spent = self._model.draw_ending("grasp", Code.ITEM_NOT_FOUND, plant.rng)
            plant.stand(spent, hand=face)
            return outcome_of(Code.ITEM_NOT_FOUND, f"{item} is not in {face}")
        if plant.rng.random() > self._likely("grasp", conditions):
            code, spent = self._model.draw_failure("grasp", plant.rng)
            plant.stand(spent)
            return outcome_of(code, "not lifted")
        plant.stand(self._model.draw_success("grasp", conditions, plant.rng))
        plant.robot.holding = item
        plant.disturbances.carry(item, plant.time)
        in_hand = transform_from((0.0, 0.0, 0.0))
        plant.see_in_hand(item)
        return outcome_of(Code.SUCCEEDED, "held", in_hand)

    def place(self, decision: Decision) -> Outcome:
        plant = self._plant
        item, station = plant.robot.holding, decision.target
        if item is None:
            return plant.refuse(Code.NOTHING_HELD, "the gripper holds nothing")
        conditions = self.conditions(decision)
        if plant.off_standoff(station) > IN_REACH:
            plant.stand(self._model.draw_failure("place", plant.rng)[1])
            return outcome_of(Code.SURFACE_OUT_OF_REACH, f"{station} is out of reach")
        seconds = self._model.draw_success("place", conditions, plant.rng)
        good = plant.rng.random() <= self._likely("place", conditions)
        plant.stand(seconds)
        if plant.robot.holding is None:
            return outcome_of(Code.LOST_WHILE_PLACING, f"{item} slipped out of the gripper")
        spread = 0.015 if good else 0.08  # m
        point = plant.site.target_point(station)
        point = point + [*spread * plant.rng.standard_normal(2), 0.05]
        plant.robot.holding = None
        plant.put(item, point, station)
        plant.delivered_well = good
        plant.sight.note(item, "item", plant.item_pose(point, station), plant.time)
        if not good:
            return outcome_of(Code.PLACED_OFF_TARGET, f"{item} stands off its target")
        return outcome_of(Code.SUCCEEDED, f"{item} stands on {station}")

    def leave_face(self, decision: Decision) -> Outcome:
        plant = self._plant
        yaw = plant.robot.pose[2]
        distance = decision.parameters["distance_m"]
        pose = plant.robot.pose - [distance * np.cos(yaw), distance * np.sin(yaw), 0.0]
        way = _straight(plant.robot.pose, pose)
        seconds = 1.5 + distance / 0.3  # s; backwards it walks at no more than 0.3 m/s
        return plant.travel(way, seconds, pose, Code.SUCCEEDED, f"{distance:.2f} m further away")

    # How a way is found and what it costs

    def _find_way(self, goal: np.ndarray, seconds: float) -> tuple[Way, float, bool]:
        """The way that walk takes, for how long [s] it waits on it, whether it stays closed.

        Walk plans around what it sees; what is out of its sight it meets on the way.
        """
        plant = self._plant
        start = plant.robot.pose[:2]
        known: list[Rectangle] = [*plant.obstacles]
        first = plant.floor.way(start, goal[:2], known) or plant.floor.way(start, goal[:2], ())
        if first is None:
            return Way(np.stack([start, start + 1e-3, start]), 0.0), 0.0, True
        gone, waited, way = np.zeros((0, 2)), 0.0, first
        for _ in range(4):
            before = _length_of(gone)
            ahead = before + way.lengths
            times = plant.time + waited + seconds * ahead / max(before + way.length, 0.5)
            plant.disturbances.pass_along(way, times)
            blockages = plant.disturbances.blockages
            names = {each.name for each in known}
            met = [
                (s, b)
                for b in blockages
                if b.rectangle.name not in names
                and (s := plant.floor.meets(way, [b.rectangle])) is not None
                and b.stands(float(np.interp(s, way.lengths, times)))
            ]
            if not met:
                return _joined(gone, way), waited, False
            met_at, blockage = min(met, key=lambda pair: pair[0])
            until = self._seen_from(way, met_at, blockage, times)
            here = way.until(until)
            now = float(np.interp(until, way.lengths, times))
            round_about = plant.floor.way(here.points[-1], goal[:2], [*known, blockage.rectangle])
            gone = np.concatenate([gone, here.points])
            if round_about is not None:
                known.append(blockage.rectangle)
                way = round_about
                continue
            left = blockage.end - now
            if left > BLOCKED:
                return Way(gone if len(gone) > 1 else np.stack([start, start]), 0.0), 0.0, True
            waited += left
            way = plant.floor.way(here.points[-1], goal[:2], known) or here
        return _joined(gone, way), waited, False

    def _seen_from(self, way: Way, met_at: float, blockage: Any, times: np.ndarray) -> float:
        """How far along the way [m] the robot is when it sees that something closes it."""
        plant = self._plant
        lengths = way.lengths
        before = lengths <= met_at
        centre = np.tile(blockage.rectangle.pose[:2], (int(before.sum()), 1))
        seen = in_sight(way.points[before], centre, plant.floor.edges)
        seen &= times[before] >= blockage.start
        first = np.flatnonzero(seen)
        latest = max(met_at - 0.3, 0.0)
        return min(float(lengths[first[0]]), latest) if len(first) else latest

    def _likely(self, skill: str, conditions: Mapping[str, float]) -> float:
        """Chance of success where nothing special is in the way."""
        told, of = success_estimate(skill), self._model.skills[skill]
        return of.successes / of.trials if told is None else told(conditions)


def _straight(start: np.ndarray, end: np.ndarray) -> Way:
    """From one planar pose (3,) to another, as wide as one likes."""
    return Way(np.stack([start[:2], 0.5 * (start + end)[:2], end[:2]]), 1)


def _length_of(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()) if len(points) else 0.0


def _joined(gone: np.ndarray, way: Way) -> Way:
    return Way(np.concatenate([gone, way.points]), way.narrowest)
