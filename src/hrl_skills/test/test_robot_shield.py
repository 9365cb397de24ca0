"""The shield of a running skill: one object, that remembers what was seen and sent."""

import numpy as np
import pytest

from hrl_core.control import Command
from hrl_core.robot import load_robot
from hrl_core.sensed import Imu, Joints, Odometry, Scan, Sensed
from hrl_core.site import load_site
from hrl_skills.approach import Approach
from hrl_skills.robot_shield import RobotShield
from hrl_skills.runner import Limits, SkillRunner
from hrl_skills.skill import Contract, Tick

ROBOT = load_robot()
AHEAD = np.array([0.9, 0.0, 0.0])


def sensed(stamp: float, ranges: float | np.ndarray = 5.0) -> Sensed:
    """At rest in the middle of a round room, or with 360 ranges [m] of the scanner."""
    zeros = np.zeros(len(ROBOT.joints))
    return Sensed(
        stamp=stamp,
        scan=Scan(stamp, ranges * np.ones(360), -np.pi, np.pi / 180, 12.0),
        joints=Joints(stamp, zeros, zeros, zeros),
        odometry=Odometry(stamp, np.eye(4), np.zeros(3)),
        imu=Imu(stamp, np.zeros(3), np.array([0.0, 0.0, 1.0])),
    )


def with_table(distance: float) -> np.ndarray:
    """A table on the left of the scanner, at a distance [m]."""
    ranges = np.full(360, 5.0)
    ranges[255:286] = distance
    return ranges


class Charge:
    """A skill that drives straight ahead, whatever is there."""

    name = "charge"
    max_steps = 10
    contract = Contract()

    def start(self, goal, sensed: Sensed) -> None: ...

    def tick(self, sensed: Sensed) -> Tick:
        return Tick(Command(twist=AHEAD), "", 0.0, 0.0)

    def stop(self) -> Command:
        return Command(twist=np.zeros(3))

    def conditions(self, goal, sensed: Sensed) -> dict[str, float]:
        return {}


def test_a_skill_that_knows_nothing_of_the_shield_does_not_drive_into_what_is_ahead():
    runner = SkillRunner(Charge(), RobotShield(ROBOT), Limits())
    near = ROBOT.base.front - ROBOT.lidar.mount.position[0] + 0.05  # m from the scanner
    runner.start(None, sensed(0.0, near))
    twist = runner.tick(sensed(0.1, near)).command.twist
    assert twist is not None and twist[0] <= 0


def test_a_skill_that_drives_is_handed_the_runners_shield():
    skill, shield = Approach(load_site("small_warehouse"), ROBOT), RobotShield(ROBOT)
    SkillRunner(skill, shield, Limits())
    assert skill.controller.shield is shield


def test_what_the_shield_gave_in_a_tick_is_given_again_as_it_is(monkeypatch):
    shield, asked = RobotShield(ROBOT), []
    protect = shield.geometry.protect
    monkeypatch.setattr(
        shield.geometry, "protect", lambda *given: asked.append(given) or protect(*given)
    )
    shield.look(sensed(0.0, 1.2))
    given = shield.protect(AHEAD)
    assert shield.protect(given) is given and len(asked) == 1
    shield.protect(np.array([0.0, 0.3, 0.0]))
    assert len(asked) == 2  # another command is another question


def test_commands_of_earlier_ticks_are_answered_still():
    """After full speed the same command brings the robot closer than after a stand."""
    near = ROBOT.base.front - ROBOT.lidar.mount.position[0] + 0.45
    rested, moving = RobotShield(ROBOT), RobotShield(ROBOT)
    for tick in range(3):
        moving.look(sensed(0.1 * tick))
        moving.protect(AHEAD)
    rested.look(sensed(0.3, near))
    moving.look(sensed(0.3, near))
    assert moving.protect(AHEAD)[0] < AHEAD[0]
    moving.reset()
    moving.look(sensed(0.4, near))
    assert moving.protect(AHEAD) == pytest.approx(rested.protect(AHEAD))


def test_a_table_that_vanishes_from_the_scan_close_to_the_scanner_still_stands_there():
    shield = RobotShield(ROBOT)
    shield.look(sensed(0.0, with_table(0.65)))
    assert shield.clearance < 0.5
    moved = sensed(0.1)
    assert moved.odometry is not None
    moved.odometry.odom_from_base[1, 3] = 0.1  # towards the table: nearer than `blind`
    shield.look(moved)
    assert shield.clearance < 0.4
    shield.reset()
    shield.look(sensed(0.2))
    assert shield.clearance > 1.0


def test_without_a_usable_scan_it_stops():
    shield = RobotShield(ROBOT)
    shield.look(sensed(0.0, np.nan))
    np.testing.assert_array_equal(shield.protect(AHEAD), np.zeros(3))
