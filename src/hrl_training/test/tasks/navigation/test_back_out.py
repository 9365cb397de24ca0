"""back_out on a floor plan."""

import numpy as np
import pytest

from hrl_core.geometry import compose, invert
from hrl_core.known import known
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_core.sensed import Sensed
from hrl_core.site import load_site
from hrl_skills.back_out import MAX_STEPS
from hrl_skills.library import make_skill
from hrl_skills.skill import GoalRejected, RunGoal
from hrl_training.tasks.navigation.planar_rig import PlanarRig

SITE, ROBOT = load_site("small_warehouse"), load_robot()
AT_FACE = SITE.pose_in_front("C2", SITE.standoff)


def rig_at(pose, **options) -> PlanarRig:
    return PlanarRig(SITE, ROBOT, np.array(pose), **options)


def goal(distance: float) -> RunGoal:
    return RunGoal("C2", parameters={"distance_m": distance})


@pytest.mark.parametrize("distance", [0.3, 0.9])
def test_it_leaves_a_face_straight_backwards_and_comes_to_rest(distance):
    rig = rig_at(AT_FACE, seed=3)
    tick, steps = rig.run(make_skill("back_out", SITE, ROBOT), goal(distance))
    assert known(tick.outcome).code is Code.SUCCEEDED and known(tick.outcome).verdict.confirmed
    moved = compose(invert(AT_FACE), rig.map_from_base)
    assert moved[0] == pytest.approx(-distance, abs=0.1) and abs(moved[1]) < 0.1
    assert steps < MAX_STEPS and rig.nearest > 0
    evidence = known(tick.outcome).verdict.evidence
    assert evidence["gone_m"] == pytest.approx(evidence["gone_in_scan_m"], abs=0.1)


def test_with_a_wall_behind_it_ends_blocked_without_a_contact():
    behind = compose(AT_FACE, np.array([-1.0, 0.0, 0.0]))[:2]
    wall = np.array([*(behind - [0.5, 0.05]), *(behind + [0.5, 0.05])])
    rig = rig_at(AT_FACE, boxes=[wall])
    tick, _ = rig.run(make_skill("back_out", SITE, ROBOT), goal(0.9))
    assert (
        known(tick.outcome).code is Code.WALK_BLOCKED
        and "the nearest obstacle is" in known(tick.outcome).detail
    )
    assert rig.nearest > 0


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"distance_m": 5.0}, "distance_m = 5.0; allowed are 0.1 to 1.5 m"),
        ({"distance_m": float("nan")}, "distance_m = nan"),
        ({"speed": 1.0}, r"parameters \['speed'\]; allowed are \['distance_m'\]"),
    ],
)
def test_a_wrong_goal_is_rejected_with_what_is_allowed(parameters, message):
    with pytest.raises(GoalRejected, match=message):
        make_skill("back_out", SITE, ROBOT).start(
            RunGoal("C2", parameters=parameters), rig_at(AT_FACE).sensed()
        )


def test_its_conditions_are_the_same_finite_numbers_whatever_is_sensed():
    skill, sensed = make_skill("back_out", SITE, ROBOT), rig_at(AT_FACE).sensed()
    known = skill.conditions(goal(0.6), sensed)
    bare = skill.conditions(goal(0.6), Sensed(sensed.stamp, odometry=sensed.odometry))
    assert list(known) == list(bare)
    assert np.isfinite([*known.values(), *bare.values()]).all()
    assert known["face_seen"] == 1.0 and known["room_left_m"] > 0.5
