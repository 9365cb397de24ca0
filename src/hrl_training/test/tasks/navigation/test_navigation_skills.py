"""Walk and approach on a floor plan: they arrive, end with their codes, and see as in training."""

from typing import Any

import numpy as np
import pytest

from hrl_core.control import STOP, Command
from hrl_core.geometry import compose, invert, transform_from_planar
from hrl_core.outcomes import Code
from hrl_core.robot import load_robot
from hrl_core.sensed import Detection, Localisation, Odometry, Scan, Sensed
from hrl_core.site import load_site
from hrl_skills import align, approach, approach_observation, walk, walk_observation
from hrl_skills.align import Align
from hrl_skills.approach import Approach
from hrl_skills.base_controller import SECTOR_RANGE, SteeringPolicy
from hrl_skills.planner import Routes
from hrl_skills.shield import Shield
from hrl_skills.skill import ApproachGoal, GoalRejected, RunGoal, Skill, WalkGoal
from hrl_skills.steering import Steering
from hrl_skills.walk import Walk
from hrl_training.tasks.navigation.approach_env import ApproachEnv
from hrl_training.tasks.navigation.planar_env import RAYS
from hrl_training.tasks.navigation.planar_rig import PlanarRig
from hrl_training.tasks.navigation.script import script_policy
from hrl_training.tasks.navigation.walk_env import WalkEnv

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


@pytest.mark.parametrize("hidden_within", [0.0, 0.9])
def test_align_stands_precisely_also_where_the_marker_is_hidden_at_the_end(hidden_within):
    rig = rig_at(compose(STAGING, np.array([0.1, 0.2, 0.2])), seed=1)
    rig.hidden_within = hidden_within
    rig.localisation_sd = np.array([0.01, 0.01, 0.006])  # what it is in physics
    tick, steps = rig.run(Align(SITE, ROBOT), RunGoal("B2"))
    assert tick.outcome is not None and tick.outcome.code is Code.SUCCEEDED, tick.outcome
    assert tick.outcome.verdict.confirmed and steps < align.MAX_STEPS
    distance, yaw = error(rig, SITE.pose_in_front("B2", SITE.standoff))
    # A centimetre more than it promises: the map of this rig is off by two.
    assert distance < 0.02 + 0.01 and yaw < np.deg2rad(2 + 1)
    assert rig.nearest > 0


class DriftingRig(PlanarRig):
    """Goes on by 4 cm while it steps in place, as a loaded gait does."""

    idle = 0  # ticks since the last command that was not zero

    def step(self, command: Command) -> None:
        super().step(command)
        moves = command.twist is not None and command.twist.any()
        self.idle = 0 if moves else self.idle + 1
        if 0 < self.idle <= 6:
            self.plant.pose[0] = compose(self.plant.pose[0], np.array([0.04 / 6, 0.0, 0.0]))


@pytest.mark.parametrize("learns", [True, False])
def test_align_learns_how_the_robot_drifts_as_it_comes_to_rest(learns, monkeypatch):
    monkeypatch.setattr(align, "LEARN", align.LEARN if learns else 0.0)
    start = compose(SITE.pose_in_front("B2", SITE.standoff), np.array([-0.3, 0.05, 0.1]))
    rig = DriftingRig(SITE, ROBOT, start, seed=4)
    tick, steps = rig.run(Align(SITE, ROBOT), RunGoal("B2"))
    assert tick.outcome is not None
    assert (tick.outcome.code is Code.SUCCEEDED and steps < 200) is learns, (steps, tick)


@pytest.mark.parametrize(
    "goal, message",
    [(RunGoal("B9"), "B9"), (RunGoal("B2", parameters={"speed": 1.0}), "'speed'"),
     (RunGoal("B2", parameters={"standoff_m": 0.2}), "allowed are")],
)  # fmt: skip
def test_a_wrong_goal_of_align_is_rejected(goal, message):
    with pytest.raises(GoalRejected, match=message):
        Align(SITE, ROBOT).start(goal, rig_at(STAGING).sensed())


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


@pytest.mark.parametrize(
    ("make", "goal_in_reach"),
    [
        (ApproachEnv, np.array([3.0, 1.8, 0.3])),
        (WalkEnv, np.array([3.0, 1.8, 0.3])),
        (WalkEnv, np.array([7.4, 3.4, 1.0])),  # so far away that it steers to the carrot
    ],
)
def test_training_and_the_skill_see_the_same_observation(make, goal_in_reach, monkeypatch):
    env = make(1, seed=4)
    env.reset()
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
    far = np.hypot(*(goal_in_reach - env.plant.pose[0])[:2]) > walk_observation.NEAR
    env.ranges[0] = np.inf if far else 3.0
    env.sectors[0] = SECTOR_RANGE if far else 3.0
    for past in env._past:
        past[0] = env.sectors[0]
    skill.start(goal, sensed_like(env, 0, 0.0, target))
    steered: list[tuple[np.ndarray, float]] = []
    if isinstance(env, WalkEnv):
        # Two planners, a finer grid and a coarser one: what the skill's finds is given to both.
        found = skill._grid.carrot

        def find(routes: Routes, position: np.ndarray) -> tuple[np.ndarray, float]:
            steered.append(found(routes, position))
            return steered[-1]

        monkeypatch.setattr(skill._grid, "carrot", find)
        monkeypatch.setattr(env.layouts, "carrots", lambda *_: steered[-1][0][None])
        monkeypatch.setattr(env.layouts, "left", lambda *_: np.array([steered[-1][1]]))
    for step in range(4):
        env.goal_error[0] = 0.0
        if isinstance(env, ApproachEnv):
            env._seen[0] = True
        skill.tick(sensed_like(env, 0, 0.1 * step, target))
        np.testing.assert_allclose(seen[-1], env._observe(), atol=2e-5)
        env.step(np.full((1, 3), 0.3))
        env.steering.commit(skill.controller.steering.command)
        env.steering._history[:, 1:] = skill.controller.steering._history[:, 1:]
    assert all((left > walk_observation.NEAR) == far for _, left in steered)


@pytest.mark.parametrize("module", [approach_observation, walk_observation])
def test_the_mirror_image_of_a_scene_gives_the_mirrored_observation(module):
    rng = np.random.default_rng(0)
    flip = np.array([1.0, -1.0, -1.0])
    goal, velocity, command, previous = (rng.uniform(-1, 1, (5, 3)) for _ in range(4))
    sectors = [rng.uniform(0.1, 5, (5, module.SECTORS)) for _ in range(2)]
    if module is approach_observation:
        extra = [np.ones(5)]
        mirrored_extra, scans = extra, sectors[:1]
    else:
        extra = [rng.uniform(-2, 2, (5, 2)), np.linspace(0.0, 2 * walk_observation.NEAR, 5)]
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
