"""Draws of walk and approach: a site, a start, a goal, what stands about and who walks by.

A draw is only taken if it can be solved: start and goal have room for the footprint, and a way
PASSAGE wide leads from one to the other, past the obstacles and past every person at both ends of
their route and at most points of it. What has no room is left out or drawn anew.
"""

from dataclasses import dataclass

import numpy as np

from hrl_core.floor.clearance import clearance, footprint_circles, signed_clearance
from hrl_core.floor.paths import point_and_direction, point_on
from hrl_core.floor.rectangles import Rectangle
from hrl_core.geometry import compose
from hrl_core.robot import Base, Robot
from hrl_core.site import Site
from hrl_sim_bridge.plant.warehouse import PERSON_RADIUS
from hrl_sim_bridge.trials.trial import Obstacle, Person
from hrl_skills.shield import ShieldConfig
from hrl_skills.skill import ApproachGoal, RunGoal, WalkGoal
from hrl_skills.walk import goal_room
from hrl_training.tasks.navigation.paths import ClearanceMap
from hrl_training.tasks.navigation.sites import BEHIND, aisle_site, bay_site
from hrl_training.tasks.ranges import AlignTasks, FaceTasks, WalkTasks
from hrl_training.trials.ranges import Draw

PASSAGE = 0.9  # m, width of the way that is always left; the footprint is 0.54 m wide
ROOM = 0.08  # m, free round the footprint at start and goal
ROOM_AT_FACE = 0.03  # m, the same where the robot stands at a shelf
SWERVE = 0.25  # m, least room between the footprint at start or goal and an obstacle
HEIGHT = (0.4, 1.0)  # m, of obstacles
OFF_WAY = 0.6  # m, sd of an obstacle's distance from the shortest way of a walk
BESIDE = (0.40, 0.9)  # m, from the straight way of an approach to an obstacle beside it
PERSON_TO_START = 1.6  # m, between the start and where a person is then
PERSON_OFF = 0.4  # m, sd of the distance between the middle of a route and the robot's way
PERSON_REACH = 3.0  # m, of a route to both sides of the way
PERSON_ROOM = 0.15  # m, free round a person
SHORTEST_ROUTE = 1.0  # m
# Nobody turns round on the goal: with the robot before them they would stand there for ever.
PERSON_TO_GOAL = 1.6  # m, between the goal and the ends of a route
PERSON_POINTS = 7  # of a route, at which the way past the person is checked
FACE_GOALS = 0.6  # share of walks that end before a face; the others at a place in an aisle
TRIES, SITES = 40, 60  # draws of a start and goal per site; sites


def least_width(base: Base) -> float:
    """Footprint and the shield's margins [m]: what the shortest way is taken for."""
    return round(2 * (base.footprint_radius + ShieldConfig().margin), 6)


@dataclass(frozen=True)
class NavigationTask:
    """One draw. Poses (3,) of base_link in map; `way` (k, 2) m is the shortest one."""

    site: Site
    start: np.ndarray
    goal: WalkGoal | ApproachGoal | RunGoal
    map_from_goal: np.ndarray
    obstacles: tuple[Obstacle, ...]
    people: tuple[Person, ...]
    way: np.ndarray
    target: str | None  # the face to look at


class _Scene:
    """A site that fills up: what is free on it, and for whom."""

    def __init__(self, site: Site, robot: Robot) -> None:
        self.site, self.floor = site, ClearanceMap.of(site)
        self.boxes: list[Rectangle] = []
        self._footprint_x = np.array(robot.base.footprint_x)
        self._radius = robot.base.footprint_radius
        self.goal_room = goal_room(robot.base)
        self.least_width = least_width(robot.base)

    def circles(self, pose: np.ndarray) -> np.ndarray:
        """Centres (3, 2) m of the footprint's circles at a pose (3,)."""
        return footprint_circles(pose, self._footprint_x)

    def room(self, pose: np.ndarray) -> float:
        """Clearance [m] of the footprint at a pose (3,)."""
        return float(clearance(self.site, self.boxes, self.circles(pose)).min()) - self._radius

    def gap(self, box: Rectangle, pose: np.ndarray) -> float:
        """Distance [m] of a box from the footprint at a pose (3,)."""
        return float(box.distance(self.circles(pose)).min()) - self._radius

    def add(self, box: Rectangle) -> None:
        self.boxes.append(box)
        self.floor = self.floor.with_boxes([box])


def draw_walk(tasks: WalkTasks, draw: Draw, robot: Robot) -> NavigationTask:
    """A hall, a start anywhere or where a grasp or place ended, a goal at the drawn distance.

    A distance that no hall of many has is drawn anew.
    """
    at_face = draw.happens("start_at_face", tasks.start_at_face)
    distance = draw.uniform("distance", tasks.distance)
    for k in range(SITES):
        if k >= SITES // 3:
            distance = draw.uniform("distance", tasks.distance)
        site = aisle_site(tasks, draw)
        scene = _Scene(site, robot)
        for _ in range(TRIES):
            start = _walk_start(scene, draw.rng, at_face)
            goal = None if start is None else _walk_goal(scene, draw.rng, start, distance)
            if start is None or goal is None:
                continue
            if scene.floor.path(start[:2], goal[:2], PASSAGE) is None:
                continue
            draw.factors["distance"] = round(float(np.hypot(*(goal - start)[:2])), 3)
            return _fill(tasks, draw, scene, start, goal, WalkGoal(goal), None)
    raise ValueError(
        f"no site of {SITES} has a start and a goal {distance:.1f} m apart with a way between "
        f"them; check distance {tasks.distance}, aisle_width {tasks.aisle_width}"
    )


def _walk_start(scene: _Scene, rng: np.random.Generator, at_face: bool) -> np.ndarray | None:
    site = scene.site
    if at_face:
        pose = site.pose_in_front(str(rng.choice(site.targets)), site.standoff)
        pose = compose(pose, rng.normal(size=3) * [0.02, 0.02, 0.03])
        return pose if scene.room(pose) > ROOM_AT_FACE else None
    pose = np.array([*rng.uniform(0, site.size), rng.uniform(-np.pi, np.pi)])
    return pose if scene.room(pose) > ROOM else None


def _walk_goal(
    scene: _Scene, rng: np.random.Generator, start: np.ndarray, distance: float
) -> np.ndarray | None:
    """A staging pose or a place on the floor, about `distance` [m] from the start."""
    site = scene.site
    if rng.random() < FACE_GOALS:
        poses = [site.pose_in_front(name, site.staging) for name in site.targets]
        # Hind legs and the turn before a face need room in a narrow aisle.
        poses = [p for p in poses if scene.room(p) > min(ROOM, BEHIND - 0.65)]
    else:
        bearing = rng.uniform(-np.pi, np.pi, TRIES)
        places = start[:2] + distance * np.column_stack([np.cos(bearing), np.sin(bearing)])
        along_aisle = rng.choice([0.0, np.pi], TRIES)
        anyhow = rng.uniform(-np.pi, np.pi, TRIES)
        yaw = np.where(rng.random(TRIES) < 0.5, along_aisle, anyhow)
        poses = [np.array([*place, y]) for place, y in zip(places, yaw, strict=True)]
    rng.shuffle(poses)
    for pose in poses:
        away = np.hypot(*(pose - start)[:2])
        if abs(away - distance) > 0.1 * distance + 0.1:
            continue
        room = signed_clearance(site, pose[:2])
        if room > scene.goal_room + 0.02 and scene.room(pose) > ROOM:
            return pose
    return None


def draw_approach(tasks: FaceTasks, draw: Draw, robot: Robot) -> NavigationTask:
    """A bay with a face, and a start before it by distance, bearing and turn."""
    align = isinstance(tasks, AlignTasks)
    for _ in range(SITES):
        site, target = bay_site(tasks, draw)
        scene = _Scene(site, robot)
        goal = site.pose_in_front(target, site.standoff)
        distance = draw.uniform("distance", tasks.distance)
        bearing = draw.uniform("bearing", tasks.bearing)
        turn = draw.uniform("turn", tasks.turn)
        draw.factors |= {"aslant": round(abs(bearing), 5), "turned": round(abs(turn), 5)}
        place = compose(
            goal, np.array([-distance * np.cos(bearing), distance * np.sin(bearing), 0.0])
        )[:2]
        face = site.face(target)[:2, 3]
        facing = float(np.arctan2(*(face - place)[::-1]))
        start = np.array([*place, facing + turn])
        if scene.room(goal) < ROOM_AT_FACE or scene.room(start) < ROOM:
            continue
        told = RunGoal(target) if align else ApproachGoal(target, site.standoff)
        return _fill(tasks, draw, scene, start, goal, told, target)
    raise ValueError(
        f"no start of {SITES} has room for the footprint; check distance {tasks.distance}, "
        f"bearing {tasks.bearing}, turn {tasks.turn}"
    )


def _fill(
    tasks: WalkTasks | FaceTasks,
    draw: Draw,
    scene: _Scene,
    start: np.ndarray,
    map_from_goal: np.ndarray,
    goal: WalkGoal | ApproachGoal | RunGoal,
    target: str | None,
) -> NavigationTask:
    """Put obstacles and people on the way; note how many had room."""
    beside = isinstance(tasks, FaceTasks)
    wanted = draw.count("obstacles", tasks.obstacles)
    obstacles: list[Obstacle] = []
    for _ in range(TRIES):
        if len(obstacles) == wanted:
            break
        box = _obstacle(tasks, draw, scene, start, map_from_goal, beside)
        if box is not None:
            size = np.array([*box.size, draw.rng.uniform(*HEIGHT)])
            obstacles.append(Obstacle(box.pose, size))
            scene.add(box)
    draw.factors["obstacles"] = len(obstacles)
    way = scene.floor.path(start[:2], map_from_goal[:2], scene.least_width)
    assert way is not None, "a wide way implies a narrow one"
    wanted = draw.count("people", tasks.people)
    speed = draw.uniform("person_speed", tasks.person_speed)
    people: list[Person] = []
    for _ in range(TRIES):
        if len(people) == wanted:
            break
        route = _route(scene, draw.rng, way, start, map_from_goal)
        if route is None:
            continue
        begin = float(draw.rng.uniform(0, np.linalg.norm(route[1] - route[0])))
        if np.linalg.norm(point_on(route, begin) - start[:2]) > PERSON_TO_START:
            people.append(Person(route, speed, begin))
    draw.factors["people"] = len(people)
    if not people:
        del draw.factors["person_speed"]  # nobody walked at it
    return NavigationTask(
        scene.site, start, goal, map_from_goal, tuple(obstacles), tuple(people), way, target
    )


def _obstacle(
    tasks: WalkTasks | FaceTasks,
    draw: Draw,
    scene: _Scene,
    start: np.ndarray,
    goal: np.ndarray,
    beside: bool,
) -> Rectangle | None:
    """A box on or beside the way that leaves a passage; None: this one had no room."""
    rng = draw.rng
    size = rng.uniform(*tasks.obstacle_width, 2)
    straight = np.stack([start[:2], goal[:2]])
    way = straight if beside else scene.floor.path(start[:2], goal[:2], scene.least_width)
    assert way is not None, "a passage is always left"
    middle, direction = point_and_direction(way, rng.uniform(0.1, 0.9))
    across = np.array([-direction[1], direction[0]])
    if beside:
        off = rng.choice([-1, 1]) * (rng.uniform(*BESIDE) + 0.5 * size.max())
    else:
        off = rng.normal(0.0, OFF_WAY)
    pose = np.array([*(middle + off * across), rng.uniform(-np.pi, np.pi)])
    box = Rectangle(f"obstacle_{len(scene.boxes)}", pose, size)
    reach = 0.5 * float(np.hypot(*size))
    if clearance(scene.site, scene.boxes, pose[:2]) < reach + 0.02:
        return None
    if min(scene.gap(box, start), scene.gap(box, goal)) < SWERVE:
        return None
    if beside and _to_segment(box, straight) < BESIDE[0]:
        return None
    if scene.floor.with_boxes([box]).path(start[:2], goal[:2], PASSAGE) is None:
        return None
    return box


def _to_segment(box: Rectangle, segment: np.ndarray) -> float:
    """Distance [m] of a box from a segment (2, 2) m."""
    points = segment[0] + np.linspace(0, 1, 40)[:, None] * (segment[1] - segment[0])
    return float(box.distance(points).min())


def _route(
    scene: _Scene, rng: np.random.Generator, way: np.ndarray, start: np.ndarray, goal: np.ndarray
) -> np.ndarray | None:
    """Ends (2, 2) m of somebody's way along or across the robot's, which they never close."""
    middle, direction = point_and_direction(way, rng.uniform(0.2, 0.95))
    across = np.array([-direction[1], direction[0]])
    middle = middle + rng.normal(0.0, PERSON_OFF) * across
    direction = across if rng.random() < 0.5 else direction
    ends = [
        _reach(scene.floor, middle, sign * direction, rng.uniform(0.5, PERSON_REACH))
        for sign in (-1, 1)
    ]
    route = np.array(ends)
    if np.linalg.norm(route[1] - route[0]) < SHORTEST_ROUTE:
        return None
    if np.linalg.norm(route - goal[:2], axis=1).min() < PERSON_TO_GOAL:
        return None
    points = route[0] + np.linspace(0, 1, PERSON_POINTS)[:, None] * (route[1] - route[0])
    open_at = [
        scene.floor.with_discs(point[None], PERSON_RADIUS).path(start[:2], goal[:2], PASSAGE)
        is not None
        for point in points
    ]
    return route if open_at[0] and open_at[-1] and np.mean(open_at) > 0.5 else None


def _reach(
    floor: ClearanceMap, start: np.ndarray, direction: np.ndarray, most: float
) -> np.ndarray:
    """How far a person gets from a point (2,) m in a direction, at most `most` [m]."""
    steps = np.arange(0.0, most, 0.1)
    line = start + steps[:, None] * direction
    blocked = np.flatnonzero(floor.at(line) < PERSON_RADIUS + PERSON_ROOM)
    return line[max(0, blocked[0] - 1) if len(blocked) else -1]
