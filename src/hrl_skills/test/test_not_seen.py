"""What no sensor sees is not free, however the LiDAR is mounted and wherever the arm is."""

import numpy as np
import pytest

from hrl_core.control import Command
from hrl_core.outcomes import Code
from hrl_core.robot import Robot, load_robot
from hrl_core.sensed import Imu, Joints, Odometry, Scan, Sensed
from hrl_skills.base_controller import BaseController
from hrl_skills.planner import ObstacleGrid
from hrl_skills.robot_shield import RobotShield
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.shield import Shield
from hrl_skills.skill import Contract, Tick

ROBOT = load_robot()
READY = ROBOT.arm.poses["ready"]  # the hand over a shelf
WALL = np.column_stack([np.full(61, 0.78), np.linspace(-0.6, 0.6, 61)])  # 13 cm before the nose
REST = np.zeros((1, 2, 3)), np.zeros((1, 3))  # nothing pending, no velocity


def mounted(*rpy: float) -> Robot:
    data = ROBOT.model_dump()
    data["lidar"]["mount"]["rpy"] = rpy
    return Robot(**data)


def view(robot: Robot, points: np.ndarray, first: float = -180.0, last: float = 180.0) -> Scan:
    """What the robot's LiDAR measures of points (m, 2) m in base_link, between two angles [deg]."""
    mount = robot.lidar.mount.parent_from_sensor()
    level = np.column_stack([points, np.full(len(points), mount[2, 3])])
    seen = (level - mount[:3, 3]) @ mount[:3, :3]
    angles = np.deg2rad(np.arange(first, last, 1.0))
    ranges = np.full(len(angles), np.inf)
    beam = np.round(np.rad2deg(np.arctan2(seen[:, 1], seen[:, 0])) - first).astype(int) % 360
    for k, distance in zip(beam, np.hypot(seen[:, 0], seen[:, 1]), strict=True):
        if k < len(ranges):
            ranges[k] = min(ranges[k], distance)
    return Scan(0.0, ranges, float(angles[0]), float(np.deg2rad(1.0)), 12.0)


def passed(robot: Robot, scan: Scan, twist: tuple[float, float, float]) -> np.ndarray:
    shield = Shield(robot)
    points = shield.points_in_base(scan)[None]
    return shield.protect(np.array([twist]), *REST, points)[0]


@pytest.mark.parametrize(
    "rpy",
    [(0, 0, 0), (0, 0, np.pi), (0, 0, np.pi / 2), (0, 0, -2.0), (np.pi, 0, 0), (0, np.pi, 0)],
)
def test_a_wall_ahead_stops_however_the_lidar_is_turned(rpy):
    robot = mounted(*rpy)
    scan = view(robot, WALL)
    found = Shield(robot).hits(scan)
    assert np.median(found[:, 0]) == pytest.approx(0.78, abs=0.02)
    assert passed(robot, scan, (0.8, 0.0, 0.0))[0] < 0.2
    assert passed(robot, scan, (-0.4, 0.0, 0.0))[0] == -0.4


def test_a_lidar_that_leans_is_refused():
    with pytest.raises(ValueError, match="may lean by at most 0.2 rad"):
        mounted(0.5, 0.0, 0.0)


@pytest.mark.parametrize(
    ("first", "last", "twist"),
    [
        (-90, 91, (-0.4, 0.0, 0.0)),
        (90, 271, (0.9, 0.0, 0.0)),
        (-180, 1, (0.0, 0.35, 0.0)),
        (0, 181, (0.0, -0.35, 0.0)),
    ],
)
def test_the_robot_creeps_at_most_where_nothing_is_seen(first, last, twist):
    far = np.array([[20.0, 0.0]])
    scan, away = view(ROBOT, far, first, last), -0.4 * np.array(twist)
    assert np.abs(passed(ROBOT, scan, twist)).max() < 0.2
    np.testing.assert_allclose(passed(ROBOT, scan, tuple(away)), away)


def test_a_blind_sector_is_not_free_and_a_beam_that_hit_nothing_is():
    ahead = slice(150, 211)
    free = view(ROBOT, np.array([[20.0, 0.0]]))
    assert passed(ROBOT, free, (0.9, 0.0, 0.0))[0] == 0.9
    blind = view(ROBOT, np.array([[20.0, 0.0]]))
    blind.ranges[ahead] = np.nan
    assert passed(ROBOT, blind, (0.9, 0.0, 0.0))[0] < 0.2
    single = view(ROBOT, np.array([[20.0, 0.0]]))
    single.ranges[::3] = np.nan
    assert passed(ROBOT, single, (0.9, 0.0, 0.0))[0] == 0.9


@pytest.mark.parametrize(("first", "last", "kept"), [(-135, 136, 9), (-90, 91, 9), (-180, 180, 0)])
def test_the_grid_of_walk_keeps_what_is_outside_the_view(first, last, kept):
    grid = ObstacleGrid((9.0, 7.0), np.zeros((1, 2)), ROBOT)
    box = np.array([[1.5, 3.5 + dy] for dy in np.linspace(-0.2, 0.2, 9)])  # 1.5 m behind
    grid.add_points(box)
    cells = tuple(grid.grid.cells(box).T)
    scan = view(ROBOT, np.array([[20.0, 0.0]]), first, last)
    for _ in range(40):
        grid.add_scan(scan, np.array([3.0, 3.5, 0.0]))
    assert (grid.evidence[cells] > grid.config.occupied).sum() == kept


def sensed(arm: np.ndarray) -> Sensed:
    position = np.zeros(len(ROBOT.joints))
    position[ROBOT.arm_slice] = arm
    return Sensed(
        stamp=0.0,
        scan=view(ROBOT, np.array([[20.0, 0.0]])),
        joints=Joints(0.0, position, np.zeros_like(position), np.zeros_like(position)),
        odometry=Odometry(0.0, np.eye(4), np.zeros(3)),
        imu=Imu(0.0, np.zeros(3), np.array([0.0, 0.0, 1.0])),
    )


@pytest.mark.parametrize(
    ("arm", "most"), [("stow", 0.9), ("carry", 0.9), ("ready", ROBOT.base.creep[0])]
)
def test_with_the_arm_out_the_base_creeps_whoever_commands_it(arm, most):
    shield = RobotShield(ROBOT)
    shield.look(sensed(np.array(ROBOT.arm.poses[arm])))
    assert shield.protect(np.array([0.9, 0.0, 0.0]))[0] == pytest.approx(most)


class Charge:
    """A skill that drives straight ahead."""

    name = "charge"
    max_steps = 200
    contract = Contract()

    def __init__(self) -> None:
        self.controller = BaseController(ROBOT, 72)

    def start(self, goal, sensed: Sensed) -> None: ...

    def tick(self, sensed: Sensed) -> Tick:
        return Tick(Command(twist=np.array([0.9, 0.0, 0.0])), "charge", 0.0, 0.0)

    def stop(self) -> Command:
        return Command(twist=np.zeros(3))

    def conditions(self, goal, sensed: Sensed) -> dict[str, float]:
        return {}


def run(follows: float) -> list[Tick]:
    """Ticks of a skill that drives, begun with the arm out; the arm follows by a share per tick."""
    runner, arm = SkillRunner(Charge(), RobotShield(ROBOT), Limits()), np.array(READY)
    runner.start(None, sensed(arm))
    ticks = []
    while runner.running and (not ticks or ticks[-1].phase != "charge"):
        ticks.append(runner.tick(sensed(arm)))
        if ticks[-1].command.arm is not None:
            arm = arm + follows * (ticks[-1].command.arm - arm)
    return ticks


def test_a_skill_that_drives_begins_when_the_arm_is_in():
    *before, first = run(follows=0.5)
    assert len(before) > 5
    assert all(tick.phase == "tuck_arm" and not np.any(tick.command.twist) for tick in before)
    assert first.phase == "charge" and first.command.twist is not None
    assert first.command.twist[0] == 0.9


def test_an_arm_that_stays_out_ends_the_skill_before_the_base_moves():
    *before, last = run(follows=0.0)
    assert not any(np.any(tick.command.twist) for tick in before)
    assert last.outcome is not None and last.outcome.code == Code.NOT_READY
    assert "the hand is still outside the footprint after 12.0 s" in last.outcome.detail
