"""Skill walk: to a pose in the map up to 15 m away, around what the scan sees, to rest."""

import numpy as np

from hrl_core import topics
from hrl_core.geometry import compose, invert, transform_from_planar
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.robot import Robot
from hrl_core.sensed import Localisation, Sensed
from hrl_core.site import Shelf, Site, Station
from hrl_skills.conditions import FREE, clearance, grip, pose_in_base, sensing
from hrl_skills.manoeuvre import REACH, Manoeuvre, plan_manoeuvre
from hrl_skills.pilot import Pilot, SteeringPolicy, odom_from_base
from hrl_skills.planner import CELL, ObstacleGrid, Routes
from hrl_skills.policy import ActionField, Field, load_policy
from hrl_skills.skill import STOP, TICK, Command, Contract, GoalRejected, Tick, WalkGoal, failed
from hrl_skills.steering import (
    GOAL_MIRROR,
    TWIST_MIRROR,
    VELOCITY_SCALE,
    goal_features,
    mirror_of,
    nearness,
)

SECTORS = 72
MAX_STEPS = 600

OBSERVATION = (
    Field("goal", 8, "features of the pose to steer to in base_link, see goal_features"),
    Field("goal_distance", 1, "m of the way, up to 15, divided by 8"),
    Field("carrot", 3, "direction (2) and distance up to 2 m of the carrot in base_link"),
    Field("velocity", 3, "m/s, m/s, rad/s, times 1.5"),
    Field("command", 3, "m/s, m/s, rad/s, times 1.5, of the last tick"),
    Field("previous_command", 3, "m/s, m/s, rad/s, times 1.5, of the tick before"),
    Field("sectors", SECTORS, "exp(-range / 1 m)"),
    Field("sectors_before", SECTORS, "exp(-range / 1 m), 0.3 s ago"),
)
OBSERVATION_SIZE = sum(part.size for part in OBSERVATION)
ACTION = (
    ActionField("vx", "share of the velocity limit"),
    ActionField("vy", "share of the velocity limit"),
    ActionField("wz", "share of the velocity limit"),
)
MIRROR = (
    mirror_of([*GOAL_MIRROR, 1, 1, -1, 1, *3 * TWIST_MIRROR], [SECTORS, SECTORS]),
    (np.arange(3), np.array(TWIST_MIRROR)),
)

DISTANCE_MAX = 15.0  # m
NEAR = 3.0  # m of the way's cost to the goal, from which on the goal's own pose counts
GOAL_ROOM = 0.30  # m, from a goal to the nearest shelf, station or wall of the map
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
MANOEUVRE_TICKS = 10  # between two such plans
MANOEUVRE_LEFT = 5.0  # m of the way's cost; with more left, the way leads round what is between
NEW_WAY = 1.0  # m, by which the way that is left grows when it is another way
FORGET_TICKS = 30  # without any way: what was seen is forgotten, once, and the map drawn anew
HOVER_TICKS = 20  # good enough for so long in all: come to rest, though the aim is closer
LOST_TICKS = 10  # without a trustworthy localisation
POSITION_SD_MAX, YAW_SD_MAX = 0.4, 0.3  # m, rad, of a trustworthy localisation


def observe(
    goal_in_base: np.ndarray,
    carrot_in_base: np.ndarray,
    left: np.ndarray,
    velocity: np.ndarray,
    command: np.ndarray,
    previous_command: np.ndarray,
    sectors: np.ndarray,
    sectors_before: np.ndarray,
) -> np.ndarray:
    """Policy input (n, OBSERVATION_SIZE): goals (n, 3), carrots (n, 2), the way that is left (n,)
    m, twists (n, 3), sectors.

    Far along the way from its goal a robot steers to the carrot only: where the goal itself lies
    would draw it to the wrong side of shelves.
    """
    near = left < NEAR
    carrot_in_base = np.where(near[:, None], goal_in_base[:, :2], carrot_in_base)
    x, y = carrot_in_base.T
    reach = np.hypot(x, y)
    far = np.maximum(reach, 1e-2)
    onward = np.column_stack([x, y, np.arctan2(y, x)])
    distance = np.where(near, np.hypot(goal_in_base[:, 0], goal_in_base[:, 1]), left)
    columns = [
        *goal_features(np.where(near[:, None], goal_in_base, onward)),
        np.minimum(distance, DISTANCE_MAX) / 8.0,
        x / far,
        y / far,
        np.minimum(reach, 2.0),
    ]
    twists = np.concatenate([velocity, command, previous_command], axis=1) * VELOCITY_SCALE
    scans = [nearness(sectors), nearness(sectors_before)]
    return np.concatenate([np.stack(columns, 1), twists, *scans], axis=1).astype(np.float32)


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
        self._pilot = Pilot(robot, SECTORS)
        self._policy = policy or load_policy("walk", OBSERVATION, ACTION)
        self._footprint = np.array(robot.base.footprint_x)
        self._base_from_lidar = np.array([*robot.lidar.mount.position[:2], 0.0])

    def start(self, goal: WalkGoal, sensed: Sensed) -> None:
        """Accepts a pose on the site's floor, up to DISTANCE_MAX away and clear of its shelves."""
        target = np.asarray(goal.map_from_goal, float)
        if target.shape != (3,) or not np.isfinite(target).all():
            raise GoalRejected(
                Code.GOAL_INVALID, f"pose {target.tolist()}; allowed are three finite numbers"
            )
        room = free_radius(self._site, target[:2])
        if room < GOAL_ROOM:
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"pose ({target[0]:.2f}, {target[1]:.2f}) m lies {room:.2f} m from the nearest "
                f"shelf, station or wall (negative: inside); allowed is {GOAL_ROOM} m or more on "
                f"the floor of {self._site.size[0]} x {self._site.size[1]} m",
            )
        self._pilot.start(sensed)
        if not _trustworthy(sensed.localisation):
            raise GoalRejected(Code.NOT_LOCALISED, _doubt(sensed.localisation))
        self._map_from_goal = target
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
        self._pilot.look(sensed)
        self._ticks += 1
        self._lost = 0 if _trustworthy(sensed.localisation) else self._lost + 1
        if self._lost >= LOST_TICKS or sensed.localisation is None:
            return self._end(np.inf, failed(Code.NOT_LOCALISED, _doubt(sensed.localisation)))
        base = _map_from_base(sensed)
        if self._pilot.seeing:
            assert sensed.scan is not None
            self._grid.add_scan(sensed.scan, compose(base, self._base_from_lidar))
        goal = self._goal_in_base(sensed)
        distance, yaw = float(np.hypot(*goal[:2])), abs(float(goal[2]))
        self._hovered += distance < POSITION_GOOD and yaw < YAW_GOOD
        if near_goal(goal[None], self._pilot.velocity)[0] or self._hovered >= HOVER_TICKS:
            self._settling = True
        if self._settling:
            if self._pilot.at_rest:
                return self._judge(goal, sensed)
            if self._pilot.idle and (distance > 1.5 * POSITION_GOOD or yaw > 1.5 * YAW_GOOD):
                self._steer_again()
            else:
                return self._step(self._pilot.halt(), "settle", distance)
        return self._steer(sensed, base, goal, distance)

    def stop(self) -> Command:
        return STOP

    def conditions(self, goal: WalkGoal, sensed: Sensed) -> dict[str, float]:
        """The way as it would be planned now, the room around the robot and around the goal."""
        left = pose_in_base(sensed, np.asarray(goal.map_from_goal, float))
        length, narrowest = DISTANCE_MAX, 0.0  # where no way is known
        if sensed.localisation is not None and sensed.scan is not None:
            base, grid = _map_from_base(sensed), self._new_grid()
            grid.add_scan(sensed.scan, compose(base, self._base_from_lidar))
            way = grid.way(base[:2], np.asarray(goal.map_from_goal, float)[:2])
            length, narrowest = way or (DISTANCE_MAX, 0.0)
        return {
            "way_m": length,
            "detour_m": max(0.0, length - float(np.hypot(*left[:2]))),
            "narrowest_m": min(narrowest, FREE),
            "turn_to_goal_rad": float(abs(np.arctan2(left[1], left[0]))),
            "turn_at_goal_rad": float(abs(left[2])),
            "clearance_m": clearance(self._pilot.shield, sensed),
            "goal_room_m": min(free_radius(self._site, goal.map_from_goal[:2]), FREE),
            **grip(self._robot, sensed),
            **sensing(sensed),
        }

    def _steer(self, sensed: Sensed, base: np.ndarray, goal: np.ndarray, distance: float) -> Tick:
        before = self._routes
        if self._routes is None or self._ticks % REPLAN_TICKS == 0:
            self._routes = self._grid.routes(self._map_from_goal[:2])
        found = self._grid.carrot(self._routes, base[:2])
        if found is None:
            self._no_way += 1
            if self._no_way >= NO_WAY_TICKS:
                return self._end(distance, self._blocked(distance, "no way is free"))
            if self._no_way == FORGET_TICKS and not self._forgot:
                self._grid, self._routes, self._forgot = self._new_grid(), None, True
            return self._step(self._pilot.halt(), "wait", distance)
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
                return self._end(distance, self._blocked(distance, "no progress"))
            # Too narrow or too crooked a place for the robot's length: another way round.
            self._shut_places += 1
            ahead = carrot - base[:2]
            self._grid.shut(base[:2] + SHUT_AHEAD * ahead / max(float(np.hypot(*ahead)), 0.1))
            self._routes, self._best, self._best_tick = None, np.inf, self._ticks
            return self._step(self._pilot.halt(), "wait", distance)
        self._plan_manoeuvre(base, carrot, left)
        onward = left
        if self._manoeuvre is not None:
            pose = self._manoeuvre.next_pose(base)
            goal = compose(invert(base), pose)
            if self._ticks - self._best_tick >= HELD_TICKS:  # the policy holds back
                return self._step(self._pilot.creep(goal), "creep", distance, left)
            carrot, onward = pose[:2], float(np.hypot(*goal[:2]))
        carrot_in_base = compose(invert(base), np.array([*carrot, 0.0]))[:2]
        observation = observe(
            goal[None],
            carrot_in_base[None],
            np.array([onward]),
            self._pilot.velocity,
            self._pilot.steering.command,
            self._pilot.steering.previous,
            self._pilot.sectors,
            self._pilot.sectors_before,
        )
        return self._step(self._pilot.drive(self._policy(observation)), "steer", distance, left)

    def _plan_manoeuvre(self, base: np.ndarray, carrot: np.ndarray, left: float) -> None:
        """Near the goal a way in x, y and yaw to it; where the robot is held, one to the carrot."""
        end = self._map_from_goal
        if np.hypot(*(end - base)[:2]) > REACH or left > MANOEUVRE_LEFT:
            end = np.array([*carrot, np.arctan2(*(carrot - base[:2])[::-1])])
            if self._ticks - self._best_tick < HELD_TICKS:
                self._manoeuvre = None
                return
        if self._ticks - self._planned_tick >= MANOEUVRE_TICKS:
            self._planned_tick = self._ticks
            self._manoeuvre = plan_manoeuvre(self._grid, self._footprint, base, end)

    def _steer_again(self) -> None:
        self._settling, self._hovered = False, 0
        self._best, self._best_tick = np.inf, self._ticks
        self._manoeuvre: Manoeuvre | None = None
        self._planned_tick = self._ticks - MANOEUVRE_TICKS

    def _goal_in_base(self, sensed: Sensed) -> np.ndarray:
        """Planar goal pose (3,) in base_link."""
        return compose(invert(_map_from_base(sensed)), self._map_from_goal)

    def _new_grid(self) -> ObstacleGrid:
        """A grid that begins with the shelves, stations and walls of the site's map."""
        lidar = self._robot.lidar
        return ObstacleGrid(
            self._site.size,
            site_outline(self._site, 0.5 * CELL),
            self._robot.legs.standing_height + lidar.mount.position[2],
            lidar.elevations,
            lidar.height_band,
        )

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
            "clearance_m": self._pilot.clearance,
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
        return self._step(self._pilot.halt(), "settle", distance)

    def _blocked(self, distance: float, why: str) -> Outcome:
        seconds = TICK * (NO_WAY_TICKS if why.startswith("no way") else STUCK_TICKS)
        return failed(
            Code.WALK_BLOCKED,
            f"{why} for {seconds:.0f} s, {distance:.2f} m from the goal; the nearest obstacle is "
            f"{self._pilot.clearance:.2f} m from the footprint",
            position_error_m=distance,
            clearance_m=self._pilot.clearance,
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


def _solid(place: Shelf | Station) -> tuple[np.ndarray, np.ndarray]:
    """Planar pose (3,) of the middle and size (2,) m of a shelf or station."""
    middle = compose(np.array(place.pose), np.array([-0.5 * place.depth, 0.0, 0.0]))
    return middle, np.array([place.depth, place.width])


def free_radius(site: Site, point: np.ndarray) -> float:
    """Distance [m] from a point (2,) in map to the nearest wall, shelf or station; < 0 inside."""
    walls = np.minimum(point, np.array(site.size) - point).min()
    distances = [float(walls)]
    for place in (*site.shelves, *site.stations):
        middle, size = _solid(place)
        local = np.abs(compose(invert(middle), np.array([*point, 0.0]))[:2]) - 0.5 * size
        outside = np.hypot(*np.maximum(local, 0.0))
        distances.append(float(outside + min(local.max(), 0.0)))
    return min(distances)


def site_outline(site: Site, spacing: float) -> np.ndarray:
    """Points (m, 2) m in map along walls, shelves and stations."""
    width, height = site.size
    outlines = [(np.array([0.5 * width, 0.5 * height, 0.0]), np.array([width, height]))]
    outlines += [_solid(place) for place in (*site.shelves, *site.stations)]
    points = []
    for middle, size in outlines:
        corners = 0.5 * size * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            share = np.linspace(0, 1, max(2, int(np.hypot(*(b - a)) / spacing)))[:, None]
            local = a + share * (b - a)
            c, s = np.cos(middle[2]), np.sin(middle[2])
            points.append(local @ np.array([[c, s], [-s, c]]) + middle[:2])
    return np.concatenate(points)
