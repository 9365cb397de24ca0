"""Skill approach: stand in front of a bin or station, facing it, at the standoff, at rest."""

import numpy as np

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.geometry import (
    compose,
    inverse,
    invert,
    planar_from_transform,
    transform_from_planar,
)
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.robot import Robot
from hrl_core.sensed import Detection, Sensed
from hrl_core.site import Site
from hrl_skills.conditions import clearance, face_in_base, grip, sensing, sight
from hrl_skills.pilot import Pilot, SteeringPolicy, odom_from_base
from hrl_skills.policy import ActionField, Field, load_policy
from hrl_skills.skill import STOP, ApproachGoal, Command, Contract, GoalRejected, Tick, failed
from hrl_skills.steering import (
    GOAL_MIRROR,
    TWIST_MIRROR,
    VELOCITY_SCALE,
    goal_features,
    mirror_of,
    nearness,
)

SECTORS = 36
FORWARD_MAX = 0.6  # m/s; faster gains nothing over 3 m
MAX_STEPS = 300

OBSERVATION = (
    Field("goal", 8, "features of the goal pose in base_link, see goal_features"),
    Field("target_seen", 1, "1 if the target's marker was seen in the last 0.5 s, else 0"),
    Field("velocity", 3, "m/s, m/s, rad/s, times 1.5"),
    Field("command", 3, "m/s, m/s, rad/s, times 1.5, of the last tick"),
    Field("previous_command", 3, "m/s, m/s, rad/s, times 1.5, of the tick before"),
    Field("sectors", SECTORS, "exp(-range / 1 m)"),
)
OBSERVATION_SIZE = sum(part.size for part in OBSERVATION)
ACTION = (
    ActionField("vx", "share of the velocity limit, forward to 0.6 m/s"),
    ActionField("vy", "share of the velocity limit"),
    ActionField("wz", "share of the velocity limit"),
)
MIRROR = (
    mirror_of([*GOAL_MIRROR, 1, *3 * TWIST_MIRROR], [SECTORS]),
    (np.arange(3), np.array(TWIST_MIRROR)),
)

SEEN = 0.5  # s; a detection younger than this is a look at the target
TRACKED = 15.0  # s; an older detection is worth less than the site's map
POSITION_TOLERANCE = 0.05  # m
YAW_TOLERANCE = np.deg2rad(5.0)
POSITION_AIM, YAW_AIM = 0.03, 0.045  # m, rad; here the robot stops steering and comes to rest
POSITION_GOOD, YAW_GOOD = 0.04, 0.07  # m, rad; at rest and better than this: done
SLOW = np.array([0.12, 0.12, 0.2])  # m/s, m/s, rad/s
HOVER_TICKS = 20  # good enough for so long in all: come to rest, though the aim is closer
ATTEMPTS = 5  # times to come to rest and find the robot off its goal
STUCK_TICKS = 100  # without coming STUCK_GAIN nearer: blocked; people mostly move on before
STUCK_GAIN = 0.03  # m
UNSEEN_TICKS = 25  # at rest at the goal without a look at the target
# From the standoff the stowed arm hides a high marker, and a low one is below the picture. Then a
# target counts whose place is still known this well from earlier looks or the map, if the scan sees
# its face where it should be or, where no ring meets the face, the map agrees with earlier looks.
LOOK_TICKS = 6  # at rest, waiting for a look that somebody may have hidden
KNOWN_POSITION_SD, KNOWN_YAW_SD = 0.02, 0.035  # m, rad
RING_MARGIN = 0.04  # m, by which a ring must meet the face for sure
SCAN_TOLERANCE = 0.10  # m, between the face in the scan and the standoff


def observe(
    goal_in_base: np.ndarray,
    target_seen: np.ndarray,
    velocity: np.ndarray,
    command: np.ndarray,
    previous_command: np.ndarray,
    sectors: np.ndarray,
) -> np.ndarray:
    """Policy input (n, OBSERVATION_SIZE) from goals (n, 3), flags (n,), twists (n, 3), sectors."""
    columns = np.stack([*goal_features(goal_in_base), target_seen], axis=1)
    twists = np.concatenate([velocity, command, previous_command], axis=1) * VELOCITY_SCALE
    return np.concatenate([columns, twists, nearness(sectors)], axis=1).astype(np.float32)


def near_goal(goal_in_base: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Where (n,) to stop steering: goals (n, 3) in base_link, measured twists (n, 3)."""
    at_goal = np.hypot(goal_in_base[:, 0], goal_in_base[:, 1]) < POSITION_AIM
    facing = np.abs(goal_in_base[:, 2]) < YAW_AIM
    return at_goal & facing & (np.abs(velocity) < SLOW).all(1)


class Approach:
    """The skill; `policy` may be any steering policy with this observation."""

    name = "approach"
    max_steps = MAX_STEPS
    contract = Contract(topics.ACTIONS["approach"], codes_of(1), needs=("detections",))

    def __init__(self, site: Site, robot: Robot, policy: SteeringPolicy | None = None) -> None:
        self._site = site
        self._robot = robot
        self._pilot = Pilot(robot, SECTORS, FORWARD_MAX)
        self._policy = policy or load_policy("approach", OBSERVATION, ACTION)
        base = robot.base
        self._reach = max(base.footprint_x) + base.footprint_radius  # m, front of the footprint

    def start(self, goal: ApproachGoal, sensed: Sensed) -> None:
        """Accepts a bin or station of the site; `standoff` 0 stands for the site's own."""
        try:
            self._site.face(goal.target)
        except ConfigError as error:
            raise GoalRejected(Code.GOAL_INVALID, f"target: {error}") from error
        standoff = goal.standoff or self._site.standoff
        nearest = self._reach + self._pilot.shield.config.margin
        if not nearest <= standoff <= 3.0:
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"standoff {standoff} m; allowed are {nearest:.2f} to 3.00 m, or 0 for "
                f"{self._site.standoff} m",
            )
        self._pilot.start(sensed)
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
        self._pilot.look(sensed)
        self._ticks += 1
        goal = self._goal_in_base(sensed)
        if goal is None:
            return self._end(
                np.inf,
                failed(Code.TARGET_NOT_SEEN, f"{self._target} and the localisation are lost"),
            )
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        self._hovered += self._close_enough(distance, yaw)
        if near_goal(goal[None], self._pilot.velocity)[0] or self._hovered >= HOVER_TICKS:
            self._settling = True
        if self._settling:
            if self._pilot.idle and not self._close_enough(distance, yaw, 2.0):
                self._steer_again()
            elif self._pilot.at_rest:
                return self._judge(goal, sensed)
            else:
                return self._step(self._pilot.halt(), "settle", distance)
        if (blocked := self._blocked(distance, yaw)) is not None:
            return self._end(distance, blocked)
        observation = observe(
            goal[None],
            np.array([float(self._detection(sensed, SEEN) is not None)]),
            self._pilot.velocity,
            self._pilot.steering.command,
            self._pilot.steering.previous,
            self._pilot.sectors,
        )
        return self._step(self._pilot.drive(self._policy(observation)), "steer", distance)

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
            "clearance_m": clearance(self._pilot.shield, sensed),
            "goal_clearance_m": clearance(self._pilot.shield, sensed, left),
            **sight("target", sensed, goal.target),
            **grip(self._robot, sensed),
            **sensing(sensed),
        }

    def _detection(self, sensed: Sensed, max_age: float) -> Detection | None:
        detection = sensed.detections.get(self._target)
        if detection is None or sensed.stamp - detection.stamp > max_age:
            return None
        return detection

    def _odom_from_target(self, sensed: Sensed) -> np.ndarray | None:
        """Pose (4, 4) of the target: as detected, else where the map says it is."""
        detection = self._detection(sensed, TRACKED)
        if detection is not None:
            return detection.odom_from_object
        return None if sensed.localisation is None else self._odom_from_mapped(sensed)

    def _goal_in_base(self, sensed: Sensed) -> np.ndarray | None:
        """Planar goal pose (3,) in base_link."""
        odom_from_target = self._odom_from_target(sensed)
        if odom_from_target is None:
            return None
        in_front = compose(
            planar_from_transform(odom_from_target), np.array([self._standoff, 0.0, np.pi])
        )
        return compose(invert(odom_from_base(sensed)), in_front)

    def _close_enough(self, distance: float, yaw: float, slack: float = 1.0) -> bool:
        return distance < slack * POSITION_GOOD and yaw < slack * YAW_GOOD

    def _judge(self, goal: np.ndarray, sensed: Sensed) -> Tick:
        """At rest: succeed if a fresh look at the target and the scan say so, else try again."""
        distance = float(np.hypot(*goal[:2]))
        if self._detection(sensed, SEEN) is not None:
            self._unseen = 0
        else:
            self._unseen += 1
            if self._unseen > LOOK_TICKS and self._known_well(sensed):
                return self._judge_pose(goal, sensed)
            if self._unseen > UNSEEN_TICKS:
                outcome = failed(
                    Code.TARGET_NOT_SEEN,
                    f"{self._target} was not seen for {0.1 * self._unseen:.1f} s from where it "
                    f"should be {self._standoff:.2f} m ahead",
                )
                return self._end(distance, outcome)
            return self._step(self._pilot.halt(), "look", distance)
        return self._judge_pose(goal, sensed)

    def _judge_pose(self, goal: np.ndarray, sensed: Sensed) -> Tick:
        """The target's place is sure: succeed if the robot stands right to it."""
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        if self._close_enough(distance, yaw):
            return self._end(distance, self._success(goal, sensed))
        self._attempts += 1
        if self._attempts >= ATTEMPTS:
            outcome = failed(
                Code.APPROACH_OFF_TARGET,
                f"at rest {distance:.3f} m and {np.rad2deg(yaw):.1f} deg off after "
                f"{self._attempts} attempts; allowed are {POSITION_TOLERANCE} m and 5 deg",
                position_error_m=distance,
                yaw_error_deg=float(np.rad2deg(yaw)),
            )
            return self._end(distance, outcome)
        self._steer_again()
        return self._step(self._pilot.halt(), "settle", distance)

    def _steer_again(self) -> None:
        self._settling, self._hovered = False, 0

    def _known_well(self, sensed: Sensed) -> bool:
        """Whether the target's place is known without a look, and another source confirms it."""
        position_sd, yaw_sd = self._deviations(sensed)
        if position_sd >= KNOWN_POSITION_SD or yaw_sd >= KNOWN_YAW_SD:
            return False
        if self._face_in_rings():
            return self._face_in_scan() is not None
        return self._map_agrees(sensed)

    def _map_agrees(self, sensed: Sensed) -> bool:
        """Whether the target was seen earlier, and where the map says that it is."""
        detection = self._detection(sensed, TRACKED)
        if detection is None or sensed.localisation is None:
            return False
        off = compose(
            invert(planar_from_transform(detection.odom_from_object)),
            planar_from_transform(self._odom_from_mapped(sensed)),
        )
        return bool(np.hypot(*off[:2]) < POSITION_TOLERANCE and abs(off[2]) < YAW_TOLERANCE)

    def _odom_from_mapped(self, sensed: Sensed) -> np.ndarray:
        """Pose (4, 4) of the target where the map says that it is."""
        assert sensed.localisation is not None
        map_from_odom = transform_from_planar(sensed.localisation.map_from_odom)
        return inverse(map_from_odom) @ self._site.face(self._target)

    def _deviations(self, sensed: Sensed) -> tuple[float, float]:
        """Standard deviations of the target's planar place relative to the robot: m, rad."""
        detection = self._detection(sensed, TRACKED)
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
            agrees = abs(face - self._standoff) < SCAN_TOLERANCE
        sentence = (
            f"{distance:.3f} m and {np.rad2deg(yaw):.1f} deg from {self._standoff:.2f} m in front "
            f"of {self._target} (allowed {POSITION_TOLERANCE} m, 5 deg)"
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
        x, y = self._pilot.points.T
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
        if error < self._best - STUCK_GAIN or error < POSITION_TOLERANCE:
            self._best, self._best_tick = error, self._ticks
        if self._ticks - self._best_tick < STUCK_TICKS:
            return None
        return failed(
            Code.APPROACH_BLOCKED,
            f"no nearer than {distance:.2f} m for {0.1 * STUCK_TICKS:.0f} s; the nearest obstacle "
            f"is {self._pilot.clearance:.2f} m from the footprint",
            position_error_m=distance,
            clearance_m=self._pilot.clearance,
        )

    def _step(self, twist: np.ndarray, phase: str, distance: float) -> Tick:
        if self._first is None:
            self._first = max(distance, POSITION_TOLERANCE)
        progress = float(np.clip(1 - distance / self._first, 0.0, 1.0))
        return Tick(Command(twist=twist), phase, progress, distance)

    def _end(self, distance: float, outcome: Outcome) -> Tick:
        return Tick(STOP, "done", float(outcome.succeeded), distance, outcome)
