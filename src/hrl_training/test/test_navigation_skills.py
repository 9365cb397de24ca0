"""Walk and approach on a floor plan: they arrive, end with their codes, and see as in training."""

from typing import Any

import numpy as np
import pytest

from hrl_core.geometry import compose, invert, transform_from_planar
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_core.sensed import Detection, Localisation, Odometry, Scan, Sensed
from hrl_core.site import load_site
from hrl_skills import approach, walk
from hrl_skills.approach import Approach
from hrl_skills.pilot import SECTOR_RANGE, SteeringPolicy
from hrl_skills.shield import Shield
from hrl_skills.skill import STOP, ApproachGoal, Command, GoalRejected, Skill, WalkGoal
from hrl_skills.steering import Steering
from hrl_skills.walk import Walk
from hrl_training.envs.approach_env import ApproachEnv
from hrl_training.envs.planar_env import RAYS
from hrl_training.envs.walk_env import WalkEnv
from hrl_training.planar_rig import PlanarRig
from hrl_training.scripts import script_policy

SITE, ROBOT = load_site("small_warehouse"), load_robot()
STAGING = SITE.pose_in_front("B2", SITE.staging)


def rig_at(pose, **options) -> PlanarRig:
    return PlanarRig(SITE, ROBOT, np.array(pose), **options)


def still(observation: np.ndarray) -> np.ndarray:
    return np.zeros((len(observation), 3))


def skill_for(goal: WalkGoal | ApproachGoal, policy: SteeringPolicy) -> Skill:
    return (Walk if isinstance(goal, WalkGoal) else Approach)(SITE, ROBOT, policy)


def error(rig: PlanarRig, goal: np.ndarray) -> tuple[float, float]:
    left = compose(invert(rig.map_from_base), goal)
    return float(np.hypot(*left[:2])), abs(float(left[2]))


@pytest.mark.parametrize("policy", [None, script_policy("approach", ROBOT)])
def test_approach_stands_at_the_standoff_facing_the_bin(policy):
    start = compose(STAGING, np.array([0.0, 0.5, 0.6]))
    rig = rig_at(start, seed=1)
    tick, steps = rig.run(Approach(SITE, ROBOT, policy), ApproachGoal("B2", 0.0))
    assert tick.outcome is not None and tick.outcome.code is Code.SUCCEEDED
    assert tick.outcome.verdict.confirmed and steps < approach.MAX_STEPS
    distance, yaw = error(rig, SITE.pose_in_front("B2", SITE.standoff))
    assert distance < 0.06 and yaw < np.deg2rad(6)
    assert rig.nearest > 0


@pytest.mark.parametrize("policy", [None, script_policy("walk", ROBOT)])
def test_walk_leaves_a_shelf_and_stops_at_a_staging_pose(policy):
    rig = rig_at(SITE.pose_in_front("C2", SITE.standoff), seed=2)
    goal = SITE.pose_in_front("packing", SITE.staging)
    tick, _ = rig.run(Walk(SITE, ROBOT, policy), WalkGoal(goal))
    assert tick.outcome is not None and tick.outcome.code is Code.SUCCEEDED
    distance, yaw = error(rig, goal)
    assert distance < 0.2 and yaw < np.deg2rad(9)
    assert rig.nearest > 0


def test_walk_ends_blocked_where_a_goal_is_closed_in():
    goal = np.array([6.7, 2.4, 0.0])
    fence = [np.array([5.6, 0.0, 5.7, 4.2]), np.array([5.6, 4.1, 9.0, 4.2])]
    rig = rig_at([1.2, 1.6, 0.0], boxes=fence)
    tick, _ = rig.run(Walk(SITE, ROBOT, script_policy("walk", ROBOT)), WalkGoal(goal))
    assert tick.outcome is not None and tick.outcome.code is Code.WALK_BLOCKED
    assert "m from the goal" in tick.outcome.detail


def test_walk_ends_when_the_localisation_is_lost():
    rig = rig_at([1.2, 1.6, 0.0])
    skill = Walk(SITE, ROBOT, still)
    skill.start(WalkGoal(STAGING), rig.sensed())
    rig.localisation_sd = np.array([0.9, 0.9, 0.1])
    for _ in range(walk.LOST_TICKS - 1):
        assert skill.tick(rig.sensed()).outcome is None
    tick = skill.tick(rig.sensed())
    assert tick.outcome is not None and tick.outcome.code is Code.NOT_LOCALISED
    assert "0.90 m" in tick.outcome.detail


def test_walk_ends_off_target_when_it_cannot_stay_at_its_goal(monkeypatch):
    monkeypatch.setattr(walk, "POSITION_GOOD", 0.0)
    rig = rig_at(STAGING)
    tick, _ = rig.run(Walk(SITE, ROBOT, still), WalkGoal(STAGING))
    assert tick.outcome is not None and tick.outcome.code is Code.WALK_OFF_TARGET


def test_approach_ends_when_its_target_is_never_seen():
    rig = rig_at(STAGING, markers=False)
    policy = script_policy("approach", ROBOT)
    tick, _ = rig.run(Approach(SITE, ROBOT, policy), ApproachGoal("B2", 0.0))
    assert tick.outcome is not None and tick.outcome.code is Code.TARGET_NOT_SEEN


def test_approach_ends_blocked_behind_an_obstacle():
    x, y, _ = SITE.pose_in_front("B2", 1.0)
    rig = rig_at(SITE.pose_in_front("B2", 2.5), boxes=[np.array([x - 2, y - 0.1, x + 2, y + 0.1])])
    policy = script_policy("approach", ROBOT)
    tick, _ = rig.run(Approach(SITE, ROBOT, policy), ApproachGoal("B2", 0.0))
    assert tick.outcome is not None and tick.outcome.code is Code.APPROACH_BLOCKED
    assert rig.nearest > 0


def test_approach_does_not_claim_success_where_the_scan_sees_no_face_at_the_standoff():
    rig = rig_at(SITE.pose_in_front("B2", 1.0))
    rig.boxes[0, 5, 1] += 0.3  # the shelf has been pushed back, its marker not
    tick, _ = rig.run(
        Approach(SITE, ROBOT, script_policy("approach", ROBOT)), ApproachGoal("B2", 0)
    )
    assert tick.outcome is not None and tick.outcome.code is Code.APPROACH_OFF_TARGET
    assert not tick.outcome.verdict.confirmed


@pytest.mark.parametrize(
    ("goal", "code", "message"),
    [
        (ApproachGoal("B9", 0.75), Code.GOAL_INVALID, "unknown target 'B9'"),
        (ApproachGoal("B2", 0.4), Code.GOAL_INVALID, "standoff 0.4 m; allowed are 0.71 to 3.00"),
        (ApproachGoal("B2", np.nan), Code.GOAL_INVALID, "standoff nan"),
        (WalkGoal(np.array([1.0, np.nan, 0.0])), Code.GOAL_INVALID, "three finite numbers"),
        (WalkGoal(np.array([5.6, 6.5, 0.0])), Code.GOAL_INVALID, "negative: inside"),
        (WalkGoal(np.array([12.0, 2.0, 0.0])), Code.GOAL_INVALID, "floor of 9.0 x 7.0 m"),
    ],
)
def test_a_goal_that_makes_no_sense_is_rejected_with_what_is_allowed(goal, code, message):
    skill = skill_for(goal, still)
    with pytest.raises(GoalRejected, match=message) as refused:
        skill.start(goal, rig_at(STAGING).sensed())
    assert refused.value.code is code


@pytest.mark.parametrize("skill", [Walk(SITE, ROBOT, still), Approach(SITE, ROBOT, still)])
def test_a_skill_without_sensors_is_not_ready(skill):
    goal = WalkGoal(STAGING) if skill.name == "walk" else ApproachGoal("B2", 0.0)
    with pytest.raises(GoalRejected, match="scan, odometry") as refused:
        skill.start(goal, Sensed(0.0))
    assert refused.value.code is Code.NOT_READY


def test_a_robot_whose_scan_stops_stands_still():
    rig = rig_at([1.2, 1.6, 0.0])
    skill = Walk(SITE, ROBOT, lambda observation: np.ones((1, 3)))
    skill.start(WalkGoal(STAGING), rig.sensed())
    twists = []
    for number in range(12):
        tick = skill.tick(rig.sensed())
        assert tick.command.twist is not None
        twists.append(tick.command.twist)
        rig.step(tick.command)
        rig.scan_works = number < 4
    assert twists[4].any()
    np.testing.assert_array_equal(twists[-1], np.zeros(3))


@pytest.mark.parametrize("seed", range(2))
def test_random_commands_behind_the_shield_never_touch_anything(seed):
    rig = rig_at(SITE.pose_in_front("A2", 0.75), markers=False, seed=seed)
    rng = np.random.default_rng(seed)
    shield, steering = Shield(ROBOT), Steering(1, ROBOT.base)
    action = np.zeros((1, 3))
    rig.step(STOP)
    for tick in range(200):
        if tick % 15 == 0:
            action = rng.uniform(-1.5, 1.5, (1, 3))
        sensed = rig.sensed()
        assert sensed.scan is not None and sensed.odometry is not None
        points = shield.points_in_base(sensed.scan)[None]
        velocity = sensed.odometry.twist[None]
        twist = shield.protect(steering.twist(action), steering.pending, velocity, points)
        steering.commit(twist)
        rig.step(Command(twist=twist[0]))
    assert rig.nearest > 0.0


def sensed_like(env, row: int, stamp: float, target: str | None) -> Sensed:
    """What the robot would sense in the state of one environment of a batch."""
    pose, goal = env.plant.pose[row], env.goal[row]
    covariance = np.eye(6) * 1e-6
    detections = {}
    if target is not None:
        face = compose(goal, np.array([SITE.standoff, 0.0, np.pi]))
        detections[target] = Detection(
            stamp, "bin", target, 0, transform_from_planar(face), covariance, 1.0
        )
    step = 2 * np.pi / RAYS
    return Sensed(
        stamp=stamp,
        scan=Scan(stamp, env.ranges[row], -np.pi + 0.5 * step, step, SECTOR_RANGE),
        odometry=Odometry(stamp, transform_from_planar(pose), env.measured_velocity[row]),
        localisation=Localisation(stamp, np.zeros(3), np.eye(3) * 1e-4),
        detections=detections,
    )


@pytest.mark.parametrize("make", [ApproachEnv, WalkEnv])
def test_training_and_the_skill_see_the_same_observation(make, monkeypatch):
    env = make(1, seed=4)
    env.reset()
    if isinstance(env, WalkEnv):  # its plan is another one than the skill's
        monkeypatch.setattr(env.layouts, "left", lambda which, points: np.full(len(points), 1.5))
    goal_in_reach = np.array([3.0, 3.0, 0.0]) + [0.0, -1.2, 0.3]
    env.plant.pose[0] = [2.0, 1.6, 0.1]
    env.goal[0] = goal_in_reach
    is_walk = make is WalkEnv
    seen: list[np.ndarray] = []

    def spy(observation: np.ndarray) -> np.ndarray:
        seen.append(observation)
        return np.full((1, 3), 0.3)

    target = None if is_walk else "B2"
    goal = WalkGoal(goal_in_reach) if is_walk else ApproachGoal("B2", 0.0)
    skill: Any = skill_for(goal, spy)
    env.ranges[0] = 3.0
    env.sectors[0] = 3.0
    for past in env._past:
        past[0] = 3.0
    skill.start(goal, sensed_like(env, 0, 0.0, target))
    for step in range(4):
        env.goal_error[0] = 0.0
        if isinstance(env, ApproachEnv):
            env._seen[0] = True
        expected = env._observe()
        skill.tick(sensed_like(env, 0, 0.1 * step, target))
        carrot = slice(9, 12) if is_walk else slice(0, 0)  # two planners: the grid's and the plan's
        for observation in (expected, seen[-1]):
            observation[:, carrot] = 0.0
        np.testing.assert_allclose(seen[-1], expected, atol=2e-5)
        env.step(np.full((1, 3), 0.3))
        env.steering.commit(skill._pilot.steering.command)
        env.steering._history[:, 1:] = skill._pilot.steering._history[:, 1:]


@pytest.mark.parametrize("module", [approach, walk])
def test_the_mirror_image_of_a_scene_gives_the_mirrored_observation(module):
    rng = np.random.default_rng(0)
    flip = np.array([1.0, -1.0, -1.0])
    goal, velocity, command, previous = (rng.uniform(-1, 1, (5, 3)) for _ in range(4))
    sectors = [rng.uniform(0.1, 5, (5, module.SECTORS)) for _ in range(2)]
    if module is approach:
        extra = [np.ones(5)]
        mirrored_extra, scans = extra, sectors[:1]
    else:
        extra = [rng.uniform(-2, 2, (5, 2)), np.linspace(0.0, 2 * walk.NEAR, 5)]
        mirrored_extra, scans = [extra[0] * flip[:2], extra[1]], sectors
    seen = module.observe(goal, *extra, velocity, command, previous, *scans)
    mirrored = module.observe(
        goal * flip,
        *mirrored_extra,
        velocity * flip,
        command * flip,
        previous * flip,
        *(scan[:, ::-1] for scan in scans),
    )
    order, sign = module.MIRROR[0]
    np.testing.assert_allclose(mirrored, seen[:, order] * sign, atol=1e-6)
    assert seen.shape[1] == module.OBSERVATION_SIZE
