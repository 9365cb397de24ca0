"""Skill back_out: leave a shelf or station backwards by a distance, along a straight line, to rest.

A narrow aisle has no room to turn in front of a shelf; behind the robot is the way it came.
"""

import numpy as np

from hrl_core.control import STOP, TICK, Command
from hrl_core.geometry import compose, invert
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.policy.policy import ActionField, Field
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import Site
from hrl_skills.base_controller import BaseController, SteeringPolicy, map_from_base, odom_from_base
from hrl_skills.conditions import FREE, grip, sensing
from hrl_skills.library import shipped_policy
from hrl_skills.skill import Contract, GoalRejected, RunGoal, Tick, failed
from hrl_skills.steering import VELOCITY_SCALE

OBSERVATION = (
    Field("left", 1, "m still to go, from -0.5 to 1"),
    Field("aside", 1, "m to the left of the line, times 5"),
    Field("heading", 1, "rad to the left of the first heading, times 5"),
    Field("velocity", 3, "m/s, m/s, rad/s, times 1.5"),
    Field("command", 3, "m/s, m/s, rad/s, times 1.5, of the last tick"),
)
ACTION = (
    ActionField("vx", "share of the velocity limit"),
    ActionField("vy", "share of the velocity limit"),
    ActionField("wz", "share of the velocity limit"),
)
MAX_STEPS = 120
DISTANCE, NEAREST, FARTHEST = 0.6, 0.1, 1.5  # m: default and bounds of a goal
AIM, TOLERANCE = 0.03, 0.08  # m; here it stops driving; at rest and better than this: done
HEADING_TOLERANCE = 0.15  # rad
STUCK_TICKS, STUCK_GAIN = 40, 0.02  # without coming so much nearer: blocked
SCAN_TOLERANCE = 0.10  # m, between what scan and odometry say of the way
SECTORS = 36


def observe(way: np.ndarray, velocity: np.ndarray, command: np.ndarray) -> np.ndarray:
    """Policy input (n, 9): `way` (n, 3) m left, m aside, rad heading; twists (n, 3)."""
    left, aside, heading = way.T
    columns = [np.clip(left, -0.5, 1.0), 5 * np.clip(aside, -1, 1), 5 * np.clip(heading, -1, 1)]
    twists = np.concatenate([velocity, command], axis=1) * VELOCITY_SCALE
    return np.concatenate([np.stack(columns, axis=1), twists], axis=1).astype(np.float32)


class BackOut:
    """The skill; `policy` may be any steering policy with this observation."""

    name = "back_out"
    max_steps = MAX_STEPS
    contract = Contract(
        codes=(Code.WALK_BLOCKED, Code.WALK_OFF_TARGET),
        provides=("leave_narrow",),
        parameters={"distance_m": f"how far, m, {NEAREST} to {FARTHEST}, default {DISTANCE}"},
    )

    def __init__(self, site: Site, robot: Robot, policy: SteeringPolicy | None = None) -> None:
        self._robot = robot
        self.controller = BaseController(robot, SECTORS)
        self._policy = policy or shipped_policy("back_out", robot.name, OBSERVATION, ACTION)

    def start(self, goal: RunGoal, sensed: Sensed) -> None:
        """Accepts a distance; `target` may name the face that is left."""
        self.contract.check(goal)
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
        self._best, self._best_tick = np.inf, 0

    def tick(self, sensed: Sensed) -> Tick:
        self.controller.look(sensed)
        if self._ticks == 0:
            self._face = face_ahead(self.controller.shield.points)
        self._ticks += 1
        way = self._way(sensed)
        left = float(way[0])
        if self._settling or left < AIM:
            self._settling = True
            if self.controller.at_rest:
                return Tick(STOP, "done", 1.0, abs(left), self._judge(way, sensed))
            return self._step(self.controller.halt(), "settle", left)
        if left < self._best - STUCK_GAIN:
            self._best, self._best_tick = left, self._ticks
        elif self._ticks - self._best_tick >= STUCK_TICKS:
            return Tick(STOP, "blocked", 0.0, left, self._blocked(left))
        observation = observe(way[None], self.controller.velocity, self.controller.steering.command)
        return self._step(self.controller.drive(self._policy(observation)), "back", left)

    def stop(self) -> Command:
        return STOP

    def conditions(self, goal: RunGoal, sensed: Sensed) -> dict[str, float]:
        """How far, how much room is behind, and how well the robot senses."""
        points = np.zeros((0, 2))
        if sensed.scan is not None:
            points = self.controller.shield.geometry.points_in_base(sensed.scan)
        room = room_behind(points, self._robot)
        distance = distance_of(goal)
        face = face_ahead(points)
        return {
            "distance_m": distance,
            "room_left_m": float(np.clip(room - distance, -1.0, 1.0)),
            "face_seen": float(face is not None),
            **grip(self._robot, sensed),
            **sensing(sensed),
        }

    def _way(self, sensed: Sensed) -> np.ndarray:
        """What is left: m to go, m to the left of the line, rad to the left of it."""
        moved = compose(invert(self._start), odom_from_base(sensed))
        return np.array([self._distance + moved[0], moved[1], moved[2]])

    def _judge(self, way: np.ndarray, sensed: Sensed) -> Outcome:
        """At rest: odometry says how far it came, and the scan how far the face is away now."""
        gone, heading = self._distance - float(way[0]), float(abs(way[2]))
        evidence = {"gone_m": gone, "aside_m": float(way[1]), "heading_rad": heading}
        sentence = (
            f"at rest {gone:.3f} m further back (asked {self._distance:.2f} m, limit "
            f"{TOLERANCE} m), turned by {heading:.3f} rad (limit {HEADING_TOLERANCE} rad)"
        )
        good = abs(float(way[0])) < TOLERANCE and heading < HEADING_TOLERANCE
        face = face_ahead(self.controller.shield.points)
        if face is not None and self._face is not None:
            evidence["gone_in_scan_m"] = seen = face - self._face
            sentence += f"; the face in the scan is {seen:.3f} m further away"
            good &= abs(seen - gone) < SCAN_TOLERANCE
        code = Code.SUCCEEDED if good else Code.WALK_OFF_TARGET
        return Outcome(code, sentence, Verdict(good, sentence, evidence), map_from_base(sensed))

    def _blocked(self, left: float) -> Outcome:
        return failed(
            Code.WALK_BLOCKED,
            f"no nearer than {left:.2f} m for {TICK * STUCK_TICKS:.0f} s; the nearest obstacle is "
            f"{self.controller.shield.clearance:.2f} m from the footprint",
            left_m=left,
            clearance_m=self.controller.shield.clearance,
        )

    def _step(self, twist: np.ndarray, phase: str, left: float) -> Tick:
        progress = float(np.clip(1.0 - left / self._distance, 0.0, 1.0))
        return Tick(Command(twist=twist), phase, progress, abs(left))


def distance_of(goal: RunGoal) -> float:
    """How far [m] a goal asks for."""
    return goal.parameters.get("distance_m", DISTANCE)


def face_ahead(points: np.ndarray) -> float | None:
    """Distance [m] of what the scan (m, 2) sees straight ahead; None where it sees too little."""
    x, y = points.T
    ahead = x[(np.abs(y) < 0.2) & (x > 0.3) & (x < 3.0)]
    return float(np.median(ahead)) if len(ahead) >= 5 else None


def room_behind(points: np.ndarray, robot: Robot) -> float:
    """Free way [m] for the footprint straight back among points (m, 2), up to FREE."""
    base = robot.base
    x, y = points.T
    in_the_way = (np.abs(y) < base.footprint_radius) & (x < min(base.footprint_x))
    rear = min(base.footprint_x) - base.footprint_radius
    return float(np.clip(rear - x[in_the_way].max(initial=-np.inf), 0.0, FREE))
