"""Skill walk: to a pose in the map up to 15 m away, around what the scan sees, to rest."""

import numpy as np

from hrl_core import topics
from hrl_core.control import STOP, TICK, Command
from hrl_core.floor.clearance import signed_clearance
from hrl_core.floor.rectangles import site_outline
from hrl_core.floor.routes import Routes
from hrl_core.geometry import compose, invert, transform_from_planar
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.robot import Base, Robot
from hrl_core.sensed import Localisation, Scan, Sensed
from hrl_core.site import Site
from hrl_skills.base_controller import BaseController, SteeringPolicy, odom_from_base
from hrl_skills.conditions import FREE, clearance, grip, pose_in_base, sensing
from hrl_skills.library import shipped_policy
from hrl_skills.local_planner import REACH, LocalPlan, plan_locally
from hrl_skills.planner import CELL, ObstacleGrid
from hrl_skills.skill import Contract, GoalRejected, Tick, WalkGoal, failed
from hrl_skills.walk_observation import ACTION, DISTANCE_MAX, OBSERVATION, SECTORS, observe

MAX_STEPS = 600

GOAL_MARGIN = 0.03  # m, round the footprint's circle at a goal, to shelf, station or wall
POSITION_TOLERANCE = 0.15  # m
YAW_TOLERANCE = np.deg2rad(8.0)
POSITION_AIM, YAW_AIM = 0.07, 0.07  # m, rad; here the robot stops steering and comes to rest
POSITION_GOOD, YAW_GOOD = 0.125, 0.105  # m, rad; at rest and better than this: done
SLOW = np.array([0.15, 0.15, 0.25])  # m/s, m/s, rad/s
ATTEMPTS = 6  # times to come to rest and find the robot off its goal
REPLAN_TICKS = 5
NO_WAY_TICKS = 200  # without any way to the goal: blocked; people mostly move on before
STUCK_TICKS = 80  # without coming STUCK_GAIN nearer along the way: what is ahead is shut
SHUT_PLACES = 2  # and then: blocked
SHUT_AHEAD = 0.8  # m
DITHERED = 3  # times that a way was found longer; then the narrow place that closes it is shut
STUCK_GAIN = 0.1  # m
HELD_TICKS = 30  # the same: the place is tight, and the way is planned in x, y and yaw
LOCAL_PLAN_TICKS = 10  # between two such plans
LOCAL_PLAN_LEFT = 5.0  # m of the way's cost; with more left, the way leads round what is between
NEW_WAY = 1.0  # m, by which the way that is left grows when it is another way
FORGET_TICKS = 30  # without any way: what was seen is forgotten, once, and the map drawn anew
HOVER_TICKS = 20  # good enough for so long in all: come to rest, though the aim is closer
LOST_TICKS = 10  # without a trustworthy localisation
POSITION_SD_MAX, YAW_SD_MAX = 0.4, 0.3  # m, rad, of a trustworthy localisation
ON_THE_SPOT = 0.3  # m; a goal that is nearer is a turn


def near_goal(goal_in_base: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Where (n,) to stop steering: goals (n, 3) in base_link, measured twists (n, 3)."""
    at_goal = np.hypot(goal_in_base[:, 0], goal_in_base[:, 1]) < POSITION_AIM
    facing = np.abs(goal_in_base[:, 2]) < YAW_AIM
    return at_goal & facing & (np.abs(velocity) < SLOW).all(1)


class Walk:
    """The skill; `policy` may be any steering policy with this observation."""

    name = "walk"
    max_steps = MAX_STEPS
    contract = Contract(topics.ACTIONS["walk"], codes_of(4), needs=("pose",))

    def __init__(self, site: Site, robot: Robot, policy: SteeringPolicy | None = None) -> None:
        self._site = site
        self._robot = robot
        self.controller = BaseController(robot, SECTORS)
        self._policy = policy or shipped_policy("walk", robot.name, OBSERVATION, ACTION)
        self._base_from_lidar = np.array([*robot.lidar.mount.position[:2], 0.0])

    def start(self, goal: WalkGoal, sensed: Sensed) -> None:
        """Accepts a pose on the site's floor, up to DISTANCE_MAX away and clear of its shelves."""
        target = np.asarray(goal.map_from_goal, float)
        if target.shape != (3,) or not np.isfinite(target).all():
            raise GoalRejected(
                Code.GOAL_INVALID, f"pose {target.tolist()}; allowed are three finite numbers"
            )
        room = float(signed_clearance(self._site, target[:2]))
        if room < (needed := goal_room(self._robot.base)):
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"pose ({target[0]:.2f}, {target[1]:.2f}) m lies {room:.2f} m from the nearest "
                f"shelf, station or wall (negative: inside); allowed is {needed} m or more on "
                f"the floor of {self._site.size[0]} x {self._site.size[1]} m",
            )
        self.controller.start(sensed)
        self._map_from_goal = target
        if not self._knows_the_way(sensed):
            raise GoalRejected(Code.NOT_LOCALISED, _doubt(sensed.localisation))
        left = self._goal_in_base(sensed)
        if (distance := float(np.hypot(*left[:2]))) > DISTANCE_MAX:
            raise GoalRejected(
                Code.GOAL_INVALID, f"goal is {distance:.1f} m away; allowed are {DISTANCE_MAX} m"
            )
        self._grid = self._new_grid()
        self._routes: Routes | None = None
        self._ticks = self._lost = self._no_way = self._attempts = 0
        self._closings = self._shut_places = 0
        self._forgot = False
        self._steer_again()
        self._first: float | None = None
        self._left = np.inf

    def tick(self, sensed: Sensed) -> Tick:
        self.controller.look(sensed)
        self._ticks += 1
        self._lost = 0 if self._knows_the_way(sensed) else self._lost + 1
        if self._lost >= LOST_TICKS or sensed.localisation is None:
            return self._end(np.inf, failed(Code.NOT_LOCALISED, _doubt(sensed.localisation)))
        base = _map_from_base(sensed)
        if self.controller.shield.seeing:
            assert sensed.scan is not None
            self._grid.add_scan(
                self._robot.lidar.level(sensed.scan), compose(base, self._base_from_lidar)
            )
        goal = self._goal_in_base(sensed)
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        self._hovered += distance < POSITION_GOOD and yaw < YAW_GOOD
        if near_goal(goal[None], self.controller.velocity)[0] or self._hovered >= HOVER_TICKS:
            self._settling = True
        if self._settling:
            if self.controller.at_rest:
                return self._judge(goal, sensed)
            if self.controller.idle and (distance > 1.5 * POSITION_GOOD or yaw > 1.5 * YAW_GOOD):
                self._steer_again()
            else:
                return self._step(self.controller.halt(), "settle", distance)
        return self._steer(sensed, base, goal, distance)

    def stop(self) -> Command:
        return STOP

    def conditions(self, goal: WalkGoal, sensed: Sensed) -> dict[str, float]:
        """The way as it would be planned now, the room around the robot and around the goal."""
        left = pose_in_base(sensed, np.asarray(goal.map_from_goal, float))
        length, narrowest = DISTANCE_MAX, 0.0  # where no way is known
        if sensed.localisation is not None and sensed.scan is not None:
            base, grid = _map_from_base(sensed), self._new_grid()
            grid.add_scan(
                self._robot.lidar.level(sensed.scan), compose(base, self._base_from_lidar)
            )
            way = grid.way(base[:2], np.asarray(goal.map_from_goal, float)[:2])
            length, narrowest = way or (DISTANCE_MAX, 0.0)
        return {
            "way_m": length,
            "detour_m": max(0.0, length - float(np.hypot(*left[:2]))),
            "narrowest_m": min(narrowest, FREE),
            "turn_to_goal_rad": float(abs(np.arctan2(left[1], left[0]))),
            "turn_at_goal_rad": float(abs(left[2])),
            "clearance_m": clearance(self.controller.shield.geometry, sensed),
            "goal_room_m": min(float(signed_clearance(self._site, goal.map_from_goal[:2])), FREE),
            **grip(self._robot, sensed),
            **sensing(sensed),
        }

    def _knows_the_way(self, sensed: Sensed) -> bool:
        """Whether it is localised well enough; to turn on the spot any guess will do."""
        if sensed.localisation is None or _trustworthy(sensed.localisation):
            return sensed.localisation is not None
        return float(np.hypot(*self._goal_in_base(sensed)[:2])) < ON_THE_SPOT

    def _steer(self, sensed: Sensed, base: np.ndarray, goal: np.ndarray, distance: float) -> Tick:
        before = self._routes
        if self._routes is None or self._ticks % REPLAN_TICKS == 0:
            self._routes = self._grid.routes(self._map_from_goal[:2])
        found = self._grid.carrot(self._routes, base[:2])
        if found is None:
            self._no_way += 1
            if self._no_way >= NO_WAY_TICKS:
                return self._end(distance, self._blocked(distance, "no way is free", NO_WAY_TICKS))
            if self._no_way == FORGET_TICKS and not self._forgot:
                self._grid, self._routes, self._forgot = self._new_grid(), None, True
            return self._step(self.controller.halt(), "wait", distance)
        self._no_way = 0
        carrot, left = found
        error = left + 0.3 * abs(float(goal[2]))
        if left > self._left + NEW_WAY:
            self._best = np.inf  # a longer way round: progress counts anew
            self._closings += 1
            if self._closings >= DITHERED and before is not None:
                self._grid.shut_narrow(before, base[:2])
        self._left = left
        if error < self._best - STUCK_GAIN:
            self._best, self._best_tick = error, self._ticks
        elif self._ticks - self._best_tick >= STUCK_TICKS:
            if self._shut_places == SHUT_PLACES:
                return self._end(distance, self._blocked(distance, "no progress", STUCK_TICKS))
            # Too narrow or too crooked a place for the robot's length: another way round.
            self._shut_places += 1
            ahead = carrot - base[:2]
            self._grid.shut(base[:2] + SHUT_AHEAD * ahead / max(float(np.hypot(*ahead)), 0.1))
            self._routes, self._best, self._best_tick = None, np.inf, self._ticks
            return self._step(self.controller.halt(), "wait", distance)
        self._plan_locally(base, carrot, left)
        onward = left
        if self._plan is not None:
            pose = self._plan.next_pose(base)
            goal = compose(invert(base), pose)
            if self._ticks - self._best_tick >= HELD_TICKS:  # the policy holds back
                return self._step(self.controller.creep(goal), "creep", distance, left)
            carrot, onward = pose[:2], float(np.hypot(*goal[:2]))
        carrot_in_base = compose(invert(base), np.array([*carrot, 0.0]))[:2]
        observation = observe(
            goal[None],
            carrot_in_base[None],
            np.array([onward]),
            self.controller.velocity,
            self.controller.steering.command,
            self.controller.steering.previous,
            self.controller.sectors,
            self.controller.sectors_before,
        )
        return self._step(self.controller.drive(self._policy(observation)), "steer", distance, left)

    def _plan_locally(self, base: np.ndarray, carrot: np.ndarray, left: float) -> None:
        """Near the goal a way in x, y and yaw to it; where the robot is held, one to the carrot."""
        end = self._map_from_goal
        if np.hypot(*(end - base)[:2]) > REACH or left > LOCAL_PLAN_LEFT:
            end = np.array([*carrot, np.arctan2(*(carrot - base[:2])[::-1])])
            if self._ticks - self._best_tick < HELD_TICKS:
                self._plan = None
                return
        if self._ticks - self._planned_tick >= LOCAL_PLAN_TICKS:
            self._planned_tick = self._ticks
            self._plan = plan_locally(self._grid, self._robot.base, base, end)

    def _steer_again(self) -> None:
        self._settling, self._hovered = False, 0
        self._best, self._best_tick = np.inf, self._ticks
        self._plan: LocalPlan | None = None
        self._planned_tick = self._ticks - LOCAL_PLAN_TICKS

    def _goal_in_base(self, sensed: Sensed) -> np.ndarray:
        """Planar goal pose (3,) in base_link."""
        return compose(invert(_map_from_base(sensed)), self._map_from_goal)

    def _add_scan(self, grid: ObstacleGrid, scan: Scan, map_from_base: np.ndarray) -> None:
        grid.add_scan(self._robot.lidar.level(scan), compose(map_from_base, self._base_from_lidar))

    def _new_grid(self) -> ObstacleGrid:
        """A grid that begins with the shelves, stations and walls of the site's map."""
        return ObstacleGrid(self._site.size, site_outline(self._site, 0.5 * CELL), self._robot)

    def _judge(self, goal: np.ndarray, sensed: Sensed) -> Tick:
        """At rest: done if the localisation says so, else try again."""
        assert sensed.localisation is not None
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        position_sd, yaw_sd = _deviations(sensed.localisation)
        evidence = {
            "position_error_m": distance,
            "yaw_error_deg": float(np.rad2deg(yaw)),
            "localisation_sd_m": position_sd,
            "localisation_sd_deg": float(np.rad2deg(yaw_sd)),
            "clearance_m": self.controller.shield.clearance,
        }
        sentence = (
            f"at rest {distance:.3f} m and {np.rad2deg(yaw):.1f} deg from the goal "
            f"(allowed {POSITION_TOLERANCE} m, 8 deg)"
        )
        if distance < POSITION_GOOD and yaw < YAW_GOOD:
            outcome = Outcome(
                Code.SUCCEEDED,
                sentence,
                Verdict(True, sentence, evidence),
                transform_from_planar(_map_from_base(sensed)),
            )
            return self._end(distance, outcome)
        self._attempts += 1
        if self._attempts >= ATTEMPTS:
            detail = f"{sentence} after {self._attempts} attempts"
            return self._end(distance, failed(Code.WALK_OFF_TARGET, detail, **evidence))
        self._steer_again()
        return self._step(self.controller.halt(), "settle", distance)

    def _blocked(self, distance: float, why: str, ticks: int) -> Outcome:
        """`why`: what was so for so many ticks."""
        seconds = TICK * ticks
        return failed(
            Code.WALK_BLOCKED,
            f"{why} for {seconds:.0f} s, {distance:.2f} m from the goal; the nearest obstacle is "
            f"{self.controller.shield.clearance:.2f} m from the footprint",
            position_error_m=distance,
            clearance_m=self.controller.shield.clearance,
        )

    def _step(
        self, twist: np.ndarray, phase: str, distance: float, left: float | None = None
    ) -> Tick:
        if self._first is None and left is not None:
            self._first = max(left, POSITION_TOLERANCE)
        remaining = distance if left is None else left
        progress = 0.0 if self._first is None else 1.0 - remaining / self._first
        return Tick(Command(twist=twist), phase, float(np.clip(progress, 0.0, 1.0)), distance)

    def _end(self, distance: float, outcome: Outcome) -> Tick:
        return Tick(STOP, "done", float(outcome.succeeded), distance, outcome)


def _map_from_base(sensed: Sensed) -> np.ndarray:
    """Planar pose (3,) of base_link in map, as localised."""
    assert sensed.localisation is not None
    return compose(sensed.localisation.map_from_odom, odom_from_base(sensed))


def _deviations(localisation: Localisation) -> tuple[float, float]:
    """Standard deviations of a localisation: the larger of x and y [m], yaw [rad]."""
    variance = np.diag(localisation.covariance)
    return float(np.sqrt(variance[:2].max())), float(np.sqrt(variance[2]))


def _trustworthy(localisation: Localisation | None) -> bool:
    if localisation is None:
        return False
    position_sd, yaw_sd = _deviations(localisation)
    return position_sd <= POSITION_SD_MAX and yaw_sd <= YAW_SD_MAX


def _doubt(localisation: Localisation | None) -> str:
    if localisation is None:
        return "no localisation received"
    position_sd, yaw_sd = _deviations(localisation)
    return (
        f"localisation is uncertain by {position_sd:.2f} m and {yaw_sd:.2f} rad; "
        f"allowed are {POSITION_SD_MAX} m and {YAW_SD_MAX} rad"
    )


def goal_room(base: Base) -> float:
    """Room [m] that a goal needs, from its point to the nearest shelf, station or wall."""
    return round(base.footprint_radius + GOAL_MARGIN, 6)
