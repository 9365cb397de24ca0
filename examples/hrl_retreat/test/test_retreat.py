"""retreat on a floor plan, as a skill that nobody but its own package knows."""

import numpy as np
import pytest

from hrl_core.geometry import compose, invert
from hrl_core.known import known
from hrl_core.outcomes import FOREIGN, Code
from hrl_core.robot import load_robot
from hrl_core.sensed import Sensed
from hrl_core.site import load_site
from hrl_retreat.retreat import BLOCKED, MAX_STEPS, OFF_TARGET, Retreat
from hrl_skills.skill import GoalRejected, RunGoal
from hrl_training.tasks.navigation.planar_rig import PlanarRig

SITE, ROBOT = load_site("small_warehouse"), load_robot()
AT_FACE = SITE.pose_in_front("C2", SITE.standoff)


def goal(distance: float) -> RunGoal:
    return RunGoal("C2", parameters={"distance_m": distance})


def test_it_goes_straight_back_and_comes_to_rest():
    rig = PlanarRig(SITE, ROBOT, AT_FACE, seed=3)
    tick, steps = rig.run(Retreat(SITE, ROBOT), goal(0.6))
    assert known(tick.outcome).code is Code.SUCCEEDED, known(tick.outcome).detail
    moved = compose(invert(AT_FACE), rig.map_from_base)
    assert moved[0] == pytest.approx(-0.6, abs=0.15) and abs(moved[1]) < 0.1
    assert steps < MAX_STEPS and rig.nearest > 0


def test_with_a_wall_behind_it_ends_blocked_without_a_contact():
    behind = compose(AT_FACE, np.array([-1.0, 0.0, 0.0]))[:2]
    wall = np.array([*(behind - [0.5, 0.05]), *(behind + [0.5, 0.05])])
    rig = PlanarRig(SITE, ROBOT, AT_FACE, boxes=[wall])
    tick, _ = rig.run(Retreat(SITE, ROBOT), goal(0.9))
    assert known(tick.outcome).code is BLOCKED and rig.nearest > 0


@pytest.mark.parametrize("distance", [5.0, float("nan")])
def test_a_wrong_goal_is_rejected_with_what_is_allowed(distance):
    rig = PlanarRig(SITE, ROBOT, AT_FACE)
    with pytest.raises(GoalRejected, match=f"{distance}; allowed are 0.1 to 1.5 m"):
        Retreat(SITE, ROBOT).start(goal(distance), rig.sensed())


def test_its_conditions_are_the_same_finite_numbers_whatever_is_sensed():
    skill, sensed = Retreat(SITE, ROBOT), PlanarRig(SITE, ROBOT, AT_FACE).sensed()
    full = skill.conditions(goal(0.6), sensed)
    bare = skill.conditions(goal(0.6), Sensed(sensed.stamp, odometry=sensed.odometry))
    assert list(full) == list(bare) and np.isfinite([*full.values(), *bare.values()]).all()
    assert full["room_m"] > 0.0


def test_its_codes_lie_in_the_range_of_other_packages():
    assert {int(BLOCKED), int(OFF_TARGET)} <= set(FOREIGN)
    assert Code(501).name == "RETREAT_BLOCKED"
