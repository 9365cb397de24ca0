"""Skill approach: stand in front of a bin or station, facing it, at the standoff, at rest."""

from dataclasses import dataclass

import numpy as np

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.control import STOP, TICK, Command
from hrl_core.faces import odom_from_face, odom_from_mapped_face, seen
from hrl_core.geometry import compose, inverse, invert, planar_from_transform
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import Site
from hrl_skills.approach_observation import ACTION, FORWARD_MAX, OBSERVATION, SECTORS, observe
from hrl_skills.base_controller import BaseController, SteeringPolicy, odom_from_base
from hrl_skills.conditions import clearance, face_in_base, grip, sensing, sight
from hrl_skills.library import shipped_policy
from hrl_skills.skill import ApproachGoal, Contract, GoalRejected, Tick, failed

MAX_STEPS = 300


SEEN = 0.5  # s; a detection younger than this is a look at the target
TRACKED = 15.0  # s; an older detection is worth less than the site's map
SLOW = np.array([0.12, 0.12, 0.2])  # m/s, m/s, rad/s
HOVER_TICKS = 20  # about there for so long in all: come to rest, though the aim is closer
STUCK_TICKS = 100  # without coming STUCK_GAIN nearer: blocked; people mostly move on before
STUCK_GAIN, STUCK_NEAR = 0.03, 0.05  # m; nearer than the latter it is not stuck
UNSEEN_TICKS = 25  # at rest at the goal without a look at the target
# From the standoff the stowed arm hides a high marker, and a low one is below the picture. Then a
# target counts whose place is still known this well from earlier looks or the map, if the scan sees
# its face where it should be or, where no ring meets the face, the map agrees with earlier looks.
LOOK_TICKS = 6  # at rest, waiting for a look that somebody may have hidden
RING_MARGIN = 0.04  # m, by which a ring must meet the face for sure


@dataclass(frozen=True)
class Precision:
    """How well the robot has to stand; pairs are m and rad, off the standoff pose."""

    tolerance: tuple[float, float]  # what success promises
    aim: tuple[float, float]  # here the robot stops steering and comes to rest
    good: tuple[float, float]  # at rest and better than this: done
    known: tuple[float, float]  # standard deviations of the target's place, without a look
    scan: float  # m, between the face in the scan and the standoff
    drifts: float  # times `good`; farther off while it comes to rest, it steers again
    hovers: float  # times `good`; nearer for HOVER_TICKS in all, it comes to rest
    attempts: int  # times to come to rest and find the robot off its goal

    def near(self, goal_in_base: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Where (n,) to stop steering: goals (n, 3) in base_link, measured twists (n, 3)."""
        at_goal = np.hypot(goal_in_base[:, 0], goal_in_base[:, 1]) < self.aim[0]
        facing = np.abs(goal_in_base[:, 2]) < self.aim[1]
        return at_goal & facing & (np.abs(velocity) < SLOW).all(1)

    @property
    def allowed(self) -> str:
        """The tolerance in words."""
        return f"{self.tolerance[0]} m, {np.rad2deg(self.tolerance[1]):.0f} deg"


PRECISION = Precision(
    tolerance=(0.05, float(np.deg2rad(5.0))),
    aim=(0.03, 0.045),
    good=(0.04, 0.07),
    known=(0.02, 0.035),
    scan=0.10,
    drifts=2.0,
    hovers=1.0,
    attempts=5,
)


class Approach:
    """The skill; `policy` may be any steering policy with this observation."""

    name = "approach"
    max_steps = MAX_STEPS
    precision = PRECISION
    contract = Contract(topics.ACTIONS["approach"], codes_of(1), needs=("detections",))

    def __init__(self, site: Site, robot: Robot, policy: SteeringPolicy | None = None) -> None:
        self._site = site
        self._robot = robot
        self.controller = BaseController(robot, SECTORS, FORWARD_MAX)
        self._policy = policy or shipped_policy(self.name, robot.name, OBSERVATION, ACTION)

    def start(self, goal: ApproachGoal, sensed: Sensed) -> None:
        """Accepts a bin or station of the site; `standoff` 0 stands for the site's own."""
        try:
            self._site.face(goal.target)
        except ConfigError as error:
            raise GoalRejected(Code.GOAL_INVALID, f"target: {error}") from error
        standoff = goal.standoff or self._site.standoff
        nearest = self._robot.base.front + self.controller.shield.geometry.config.margin
        if not nearest <= standoff <= 3.0:
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"standoff {standoff} m; allowed are {nearest:.2f} to 3.00 m, or 0 for "
                f"{self._site.standoff} m",
            )
        self.controller.start(sensed)
        self._target, self._standoff = goal.target, standoff
        if self._odom_from_target(sensed) is None:
            raise GoalRejected(
                Code.NOT_READY, f"{goal.target} is not detected and the robot is not localised"
            )
        self._steer_again()
        self._attempts = self._unseen = self._ticks = 0
        self._best, self._best_tick = np.inf, 0
        self._first: float | None = None

    def tick(self, sensed: Sensed) -> Tick:
        self.controller.look(sensed)
        self._ticks += 1
        goal = self._goal_in_base(sensed)
        if goal is None:
            return self._end(
                np.inf,
                failed(Code.TARGET_NOT_SEEN, f"{self._target} and the localisation are lost"),
            )
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        aim = self._aim(goal)
        self._hovered += self._close_enough(
            float(np.hypot(*aim[:2])), abs(float(aim[2])), self.precision.hovers
        )
        near = self.precision.near(aim[None], self.controller.velocity)[0]
        near &= self._attempts == 0 or not self.controller.idle  # else it was not good enough here
        if near or self._hovered >= HOVER_TICKS:
            self._settling = True
        if self._settling:
            if self.controller.idle and not self._close_enough(
                distance, yaw, self.precision.drifts
            ):
                self._steer_again()
            elif self.controller.at_rest:
                return self._judge(goal, sensed)
            else:
                return self._step(self.controller.halt(), "settle", distance)
        if (blocked := self._blocked(distance, yaw)) is not None:
            return self._end(distance, blocked)
        observation = observe(
            aim[None],
            np.array([float(seen(sensed, self._target, SEEN) is not None)]),
            self.controller.velocity,
            self.controller.steering.command,
            self.controller.steering.previous,
            self.controller.sectors,
        )
        return self._step(self.controller.drive(self._policy(observation)), "steer", distance)

    def stop(self) -> Command:
        return STOP

    def conditions(self, goal: ApproachGoal, sensed: Sensed) -> dict[str, float]:
        """Where the standoff pose is, how well its face is seen, and the room here and there."""
        standoff = goal.standoff or self._site.standoff
        face = planar_from_transform(face_in_base(self._site, sensed, goal.target))
        left = compose(face, np.array([standoff, 0.0, np.pi]))
        return {
            "distance_m": float(np.hypot(*left[:2])),
            "bearing_rad": float(abs(np.arctan2(*invert(face)[1::-1]))),  # off the face's normal
            "turn_rad": float(abs(left[2])),
            "target_ahead_rad": float(abs(np.arctan2(face[1], face[0]))),
            "standoff_m": standoff,
            "target_height_m": float(self._site.face(goal.target)[2, 3]),
            "clearance_m": clearance(self.controller.shield.geometry, sensed),
            "goal_clearance_m": clearance(self.controller.shield.geometry, sensed, left),
            **sight("target", sensed, goal.target),
            **grip(self._robot, sensed),
            **sensing(sensed),
        }

    def _odom_from_target(self, sensed: Sensed) -> np.ndarray | None:
        """Pose (4, 4) of the target: as detected, else where the map says it is."""
        return odom_from_face(self._site, sensed, self._target, TRACKED)

    def _goal_in_base(self, sensed: Sensed) -> np.ndarray | None:
        """Planar goal pose (3,) in base_link."""
        odom_from_target = self._odom_from_target(sensed)
        if odom_from_target is None:
            return None
        in_front = compose(
            planar_from_transform(odom_from_target), np.array([self._standoff, 0.0, np.pi])
        )
        return compose(invert(odom_from_base(sensed)), in_front)

    def _aim(self, goal: np.ndarray) -> np.ndarray:
        """Where (3,) in base_link to stop steering, to come to rest at the goal."""
        return goal

    def _close_enough(self, distance: float, yaw: float, slack: float = 1.0) -> bool:
        position_good, yaw_good = self.precision.good
        return distance < slack * position_good and yaw < slack * yaw_good

    def _judge(self, goal: np.ndarray, sensed: Sensed) -> Tick:
        """At rest: succeed if a fresh look at the target and the scan say so, else try again."""
        distance = float(np.hypot(*goal[:2]))
        if seen(sensed, self._target, SEEN) is not None:
            self._unseen = 0
        else:
            self._unseen += 1
            if self._unseen > LOOK_TICKS and self._known_well(sensed):
                return self._judge_pose(goal, sensed)
            if self._unseen > UNSEEN_TICKS:
                outcome = failed(
                    Code.TARGET_NOT_SEEN,
                    f"{self._target} was not seen for {TICK * self._unseen:.1f} s from where it "
                    f"should be {self._standoff:.2f} m ahead",
                )
                return self._end(distance, outcome)
            return self._step(self.controller.halt(), "look", distance)
        return self._judge_pose(goal, sensed)

    def _judge_pose(self, goal: np.ndarray, sensed: Sensed) -> Tick:
        """The target's place is sure: succeed if the robot stands right to it."""
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        if self._close_enough(distance, yaw):
            return self._end(distance, self._success(goal, sensed))
        self._attempts += 1
        if self._attempts >= self.precision.attempts:
            outcome = failed(
                Code.APPROACH_OFF_TARGET,
                f"at rest {distance:.3f} m and {np.rad2deg(yaw):.1f} deg off after "
                f"{self._attempts} attempts (allowed {self.precision.allowed})",
                position_error_m=distance,
                yaw_error_deg=float(np.rad2deg(yaw)),
            )
            return self._end(distance, outcome)
        self._steer_again()
        return self._step(self.controller.halt(), "settle", distance)

    def _steer_again(self) -> None:
        self._settling, self._hovered = False, 0

    def _known_well(self, sensed: Sensed) -> bool:
        """Whether the target's place is known without a look, and another source confirms it."""
        position_sd, yaw_sd = self._deviations(sensed)
        position_known, yaw_known = self.precision.known
        if position_sd >= position_known or yaw_sd >= yaw_known:
            return False
        if self._face_in_rings():
            return self._face_in_scan() is not None
        return self._map_agrees(sensed)

    def _map_agrees(self, sensed: Sensed) -> bool:
        """Whether the target was seen earlier, and where the map says that it is."""
        detection = seen(sensed, self._target, TRACKED)
        mapped = odom_from_mapped_face(self._site, sensed, self._target)
        if detection is None or mapped is None:
            return False
        off = compose(
            invert(planar_from_transform(detection.odom_from_object)),
            planar_from_transform(mapped),
        )
        position_limit, yaw_limit = self.precision.tolerance
        return bool(np.hypot(*off[:2]) < position_limit and abs(off[2]) < yaw_limit)

    def _deviations(self, sensed: Sensed) -> tuple[float, float]:
        """Standard deviations of the target's planar place relative to the robot: m, rad."""
        detection = seen(sensed, self._target, TRACKED)
        if detection is not None:
            variance = np.diag(detection.covariance)
            return float(np.sqrt(variance[:2].max())), float(np.sqrt(variance[5]))
        if sensed.localisation is None:
            return np.inf, np.inf
        variance = np.diag(sensed.localisation.covariance)
        position = variance[:2].max() + self._standoff**2 * variance[2]
        return float(np.sqrt(position)), float(np.sqrt(variance[2]))

    def _success(self, goal: np.ndarray, sensed: Sensed) -> Outcome:
        assert sensed.odometry is not None
        position_sd, yaw_sd = self._deviations(sensed)
        detection = sensed.detections.get(self._target)
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        evidence = {
            "position_error_m": distance,
            "yaw_error_deg": float(np.rad2deg(yaw)),
            "target_sd_m": position_sd,
            "target_sd_deg": float(np.rad2deg(yaw_sd)),
        }
        if detection is not None:
            evidence["detection_age_s"] = sensed.stamp - detection.stamp
        face = self._face_in_scan()
        agrees = True
        if face is not None:
            evidence["face_in_scan_m"] = face
            agrees = abs(face - self._standoff) < self.precision.scan
        sentence = (
            f"{distance:.3f} m and {np.rad2deg(yaw):.1f} deg from {self._standoff:.2f} m in front "
            f"of {self._target} (allowed {self.precision.allowed})"
        )
        if not agrees:
            sentence += f", but the scan sees its face at {face:.2f} m"
            return Outcome(Code.APPROACH_OFF_TARGET, sentence, Verdict(False, sentence, evidence))
        odom_from_target = self._odom_from_target(sensed)
        assert odom_from_target is not None, "a goal that was reached has a place"
        pose = inverse(odom_from_target) @ sensed.odometry.odom_from_base
        return Outcome(Code.SUCCEEDED, sentence, Verdict(True, sentence, evidence), pose)

    def _face_in_scan(self) -> float | None:
        """Distance of what the scan sees straight ahead [m]; None where it sees nothing.

        Nothing, too, where every ring of the scanner looks over the face or under its board.
        """
        if not self._face_in_rings():
            return None
        x, y = self.controller.shield.points.T
        ahead = x[(np.abs(y) < 0.2) & (x > 0.3) & (x < self._standoff + 1.0)]
        return float(np.median(ahead)) if len(ahead) >= 5 else None

    def _face_in_rings(self) -> bool:
        """Whether a ring of the scanner meets the target's face from the standoff."""
        lidar, name = self._robot.lidar, self._target
        place = self._site.shelf_of(name) if name in self._site.bins else self._site.station(name)
        away = self._standoff - lidar.mount.position[0]
        height = self._robot.legs.standing_height + lidar.mount.position[2]
        heights = height + away * np.tan(lidar.elevations)
        low = lidar.height_band[0]
        return bool(
            ((heights > low + RING_MARGIN) & (heights < place.board_height - RING_MARGIN)).any()
        )

    def _blocked(self, distance: float, yaw: float) -> Outcome | None:
        error = distance + 0.35 * yaw
        if error < self._best - STUCK_GAIN or error < STUCK_NEAR:
            self._best, self._best_tick = error, self._ticks
        if self._ticks - self._best_tick < STUCK_TICKS:
            return None
        return failed(
            Code.APPROACH_BLOCKED,
            f"no nearer than {distance:.2f} m for {TICK * STUCK_TICKS:.0f} s; the nearest obstacle "
            f"is {self.controller.shield.clearance:.2f} m from the footprint",
            position_error_m=distance,
            clearance_m=self.controller.shield.clearance,
        )

    def _step(self, twist: np.ndarray, phase: str, distance: float) -> Tick:
        if self._first is None:
            self._first = max(distance, STUCK_NEAR)
        progress = float(np.clip(1 - distance / self._first, 0.0, 1.0))
        return Tick(Command(twist=twist), phase, progress, distance)

    def _end(self, distance: float, outcome: Outcome) -> Tick:
        return Tick(STOP, "done", float(outcome.succeeded), distance, outcome)
