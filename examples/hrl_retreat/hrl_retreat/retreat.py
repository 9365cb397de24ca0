"""Skill retreat: go straight back from a shelf or station by a distance, at one speed, to rest."""

import numpy as np

from hrl_core.control import STOP, TICK, Command
from hrl_core.geometry import compose, invert
from hrl_core.outcomes import Code, Outcome, Verdict, own_code
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import Site
from hrl_skills.back_out import face_ahead
from hrl_skills.base_controller import BaseController, map_from_base, odom_from_base
from hrl_skills.conditions import clearance, sensing
from hrl_skills.skill import Contract, GoalRejected, RunGoal, Tick, failed

# 500 to 899 are free for the skills of other packages.
BLOCKED = own_code(501, "RETREAT_BLOCKED")
OFF_TARGET = own_code(502, "RETREAT_OFF_TARGET")

MAX_STEPS = 120
DISTANCE, NEAREST, FARTHEST = 0.6, 0.1, 1.5  # m: default and bounds of a goal
SPEED = 0.2  # m/s
BRAKES = 0.08  # m, that it goes on after it begins to stop
TOLERANCE = 0.12  # m; at rest and better than this: done
SCAN_TOLERANCE = 0.10  # m, between what scan and odometry say of the way
STUCK_TICKS, STUCK_GAIN = 40, 0.02  # without coming so much (m) further: blocked
SECTORS = 36


class Retreat:
    """The skill."""

    name = "retreat"
    max_steps = MAX_STEPS
    contract = Contract(
        codes=(BLOCKED, OFF_TARGET),
        provides=("leave_face",),
        parameters={"distance_m": f"how far, m, {NEAREST} to {FARTHEST}, default {DISTANCE}"},
    )

    def __init__(self, site: Site, robot: Robot) -> None:
        self.controller = BaseController(robot, SECTORS)

    def start(self, goal: RunGoal, sensed: Sensed) -> None:
        """Accepts a distance; `target` may name the face that is left."""
        distance = distance_of(goal)
        if not NEAREST <= distance <= FARTHEST:
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"distance_m = {distance}; allowed are {NEAREST} to {FARTHEST} m",
            )
        self.controller.start(sensed)
        self._distance, self._start = distance, odom_from_base(sensed)
        self._face: float | None = None  # m, in front when it began
        self._ticks, self._settling = 0, False
        self._best, self._best_tick = 0.0, 0

    def tick(self, sensed: Sensed) -> Tick:
        self.controller.look(sensed)
        if self._ticks == 0:
            self._face = face_ahead(self.controller.shield.points)
        self._ticks += 1
        gone = -float(compose(invert(self._start), odom_from_base(sensed))[0])
        if self._settling or gone > self._distance - BRAKES:
            self._settling = True
            if self.controller.at_rest:
                return Tick(STOP, "done", 1.0, 0.0, self._judge(gone, sensed))
            return self._step(self.controller.halt(), "settle", gone)
        if gone > self._best + STUCK_GAIN:
            self._best, self._best_tick = gone, self._ticks
        elif self._ticks - self._best_tick >= STUCK_TICKS:
            told = f"no further than {gone:.2f} m for {TICK * STUCK_TICKS:.0f} s"
            return Tick(STOP, "blocked", 0.0, 0.0, failed(BLOCKED, told, gone_m=gone))
        slowest = self.controller.steering.low[0]  # m/s; a share of it goes into the action
        back = np.array([[SPEED / slowest, 0.0, 0.0]])
        return self._step(self.controller.drive(back), "retreat", gone)

    def stop(self) -> Command:
        return STOP

    def conditions(self, goal: RunGoal, sensed: Sensed) -> dict[str, float]:
        """How far, how much room is there, and how well the robot senses."""
        distance = distance_of(goal)
        there = np.array([-distance, 0.0, 0.0])
        return {
            "distance_m": distance,
            "room_m": clearance(self.controller.shield.geometry, sensed, there),
            **sensing(sensed),
        }

    def _judge(self, gone: float, sensed: Sensed) -> Outcome:
        """At rest: odometry says how far it came, and the scan how far the face is away now."""
        evidence = {"gone_m": gone}
        sentence = (
            f"at rest {gone:.3f} m further back (asked {self._distance:.2f} m, limit {TOLERANCE} m)"
        )
        good = abs(gone - self._distance) < TOLERANCE
        face = face_ahead(self.controller.shield.points)
        if face is not None and self._face is not None:
            evidence["gone_in_scan_m"] = seen = face - self._face
            sentence += f"; the face in the scan is {seen:.3f} m further away"
            good &= abs(seen - gone) < SCAN_TOLERANCE
        code = Code.SUCCEEDED if good else OFF_TARGET
        return Outcome(code, sentence, Verdict(good, sentence, evidence), map_from_base(sensed))

    def _step(self, twist: np.ndarray, phase: str, gone: float) -> Tick:
        progress = float(np.clip(gone / self._distance, 0.0, 1.0))
        return Tick(Command(twist=twist), phase, progress, max(0.0, self._distance - gone))


def distance_of(goal: RunGoal) -> float:
    """How far [m] a goal asks for."""
    return goal.parameters.get("distance_m", DISTANCE)
