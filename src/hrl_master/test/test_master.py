"""The master's policy, guardrails and mission over scenes made by hand; no ROS, no plant."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.known import known
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.robot import load_robot
from hrl_core.sensed import Joints, Sensed
from hrl_core.site import load_site
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.mission import Mission
from hrl_master.orders import LEAVE_FACE, Order, check_together
from hrl_master.scene import SECTORS, GripperConfig, Scene, Seen, build_scene

SITE = load_site("small_warehouse")
ORDER = Order("can", "A2", "packing")
CLOCK = itertools.count(1.0)  # s
SUCCESS = Outcome(Code.SUCCEEDED, "done", Verdict(True, "done"), pose=np.eye(4))


def make_scene(pose=(1.2, 1.6, 0.0), holding=False, seen=None) -> Scene:
    return Scene(
        stamp=next(CLOCK),
        map_from_base=np.array(pose, float),
        position_std=0.02,
        sectors=np.full(SECTORS, 12.0),
        seen=seen or {},
        gripper_position=-0.5 if holding else 0.0,
        gripper_effort=4.0 if holding else 0.0,
        holding=holding,
        tilt=0.0,
        base_from_lidar=np.array([-0.25, 0.0, 0.0]),
        scan_age=0.0,
    )


def make_mission(helpers=None, **config) -> Mission:
    master = MasterConfig(**config)
    guardrails = Guardrails(SITE, GuardrailConfig())
    decider = make_decider(SITE, master, guardrails, helpers)
    return Mission([ORDER], decider, guardrails, master)


def run_skill(decision, scene: Scene) -> Scene:
    """The scene after a skill that worked as it should."""
    scene = replace(scene, stamp=next(CLOCK))
    if decision.skill == "walk":
        return replace(scene, map_from_base=decision.pose)
    if decision.skill == "approach":
        return replace(scene, map_from_base=SITE.pose_in_front(decision.target, SITE.standoff))
    if decision.purpose == LEAVE_FACE:
        away = SITE.standoff + decision.parameters["distance_m"]
        return replace(scene, map_from_base=SITE.pose_in_front(decision.target, away))
    if decision.skill == "grasp":
        return make_scene(scene.map_from_base, holding=True)
    face = SITE.face(decision.target).copy()
    face[:3, 3] = SITE.target_point(decision.target)
    return make_scene(scene.map_from_base, seen={"can": Seen("item", face, 0.5, 1.0)})


def test_an_order_is_fetched_carried_and_placed_in_four_decisions():
    mission, scene, skills = make_mission(), make_scene(), []
    while (decision := mission.next_decision(scene)) is not None:
        after = run_skill(decision, scene)
        assert mission.report(decision, SUCCESS, scene, after).ok
        skills.append((decision.skill, decision.target))
        scene = after
    assert skills == [
        ("walk", "A2 standoff"),
        ("grasp", "can"),
        ("walk", "packing standoff"),
        ("place", "packing"),
    ]
    assert mission.results[0][1] is Code.SUCCEEDED


def test_a_skill_that_leaves_faces_is_used_before_the_walk_away_from_one():
    mission = make_mission(helpers={LEAVE_FACE: "back_out"})
    scene, skills = make_scene(SITE.pose_in_front("B1", SITE.standoff)), []
    while (decision := mission.next_decision(scene)) is not None:
        after = run_skill(decision, scene)
        assert mission.report(decision, SUCCESS, scene, after).ok
        skills.append((decision.skill, decision.target))
        scene = after
    assert skills == [
        ("back_out", "B1"),
        ("walk", "A2 standoff"),
        ("grasp", "can"),
        ("back_out", "A2"),
        ("walk", "packing standoff"),
        ("place", "packing"),
    ]


def test_after_a_failed_grasp_the_robot_leaves_the_face_and_comes_anew():
    mission = make_mission(helpers={LEAVE_FACE: "back_out"})
    scene = make_scene(SITE.pose_in_front("A2", SITE.standoff))
    failure = Outcome(Code.NOT_HELD, "nothing", Verdict(False, "nothing"))
    grasp = mission.next_decision(scene)
    assert grasp is not None
    mission.report(grasp, failure, scene, scene)
    decision = mission.next_decision(scene)
    assert decision is not None
    assert (decision.skill, decision.target) == ("back_out", "A2")
    # A helper that does not get away is not believed, and the mission goes on without it.
    check = mission.report(decision, SUCCESS, scene, scene)
    assert not check.ok and "0.00 m further from A2, at least 0.30 m" in check.sentence
    assert known(mission.next_decision(scene)).skill == "approach"


def test_a_grasp_that_says_it_worked_is_not_believed_when_the_gripper_is_empty():
    mission = make_mission()
    scene = make_scene(SITE.pose_in_front("A2", SITE.standoff))
    decision = mission.next_decision(scene)
    assert decision is not None and decision.skill == "grasp"
    check = mission.report(decision, SUCCESS, scene, scene)
    assert not check.ok and "holds nothing" in check.sentence
    assert (
        known(mission.next_decision(scene)).skill == "approach"
    )  # it stands anew before it tries again


def blocked() -> Outcome:
    return Outcome(Code.WALK_BLOCKED, "no way", Verdict(False, "no way"))


def test_walks_that_fail_again_and_again_end_with_a_person_and_the_reasons():
    mission, scene, done = make_mission(), make_scene(), []
    while (decision := mission.next_decision(scene)) is not None:
        done.append(decision.skill)
        outcome = blocked() if decision.skill == "walk" else SUCCESS
        scene = replace(scene, stamp=next(CLOCK))
        mission.report(decision, outcome, scene, scene)
    order, code, detail, *_ = mission.results[0]
    assert order == ORDER and code is Code.HANDED_OVER and "no way" in detail
    assert set(done) == {"walk", "wait"} and len(done) <= 20


def test_after_two_blocked_walks_the_next_one_goes_by_a_waypoint():
    mission, scene, walks = make_mission(), make_scene(), []
    while len(walks) < 3:
        decision = mission.next_decision(scene)
        assert decision is not None
        scene = replace(scene, stamp=next(CLOCK))
        outcome = blocked() if decision.skill == "walk" else SUCCESS
        mission.report(decision, outcome, scene, scene)
        walks += [decision.target] * (decision.skill == "walk")
    assert walks[:2] == ["A2 standoff", "A2"] and walks[2] in SITE.waypoints


def test_nothing_runs_while_the_robot_lies_or_is_lost():
    guardrails = Guardrails(SITE, GuardrailConfig())
    mission = make_mission()
    decision = mission.next_decision(make_scene())
    assert decision is not None
    assert not guardrails.before(decision, replace(make_scene(), tilt=1.2), ORDER).ok
    lost = replace(make_scene(), position_std=1.0)
    assert "limit 0.3" in guardrails.before(decision, lost, ORDER).sentence
    assert not guardrails.before(decision, replace(lost, map_from_base=None), ORDER).ok


def test_a_robot_that_stays_lost_looks_round_waits_and_then_asks_for_help():
    mission, done = make_mission(), []
    scene = replace(make_scene(), position_std=1.0)
    while (decision := mission.next_decision(scene)) is not None:
        done.append(decision.target)
        scene = replace(scene, stamp=scene.stamp + 3.0)
        mission.report(decision, SUCCESS, scene, scene)
    assert done == ["look_around"] * 3 + ["3 s"] * 10 and mission.results[0][1] is Code.HANDED_OVER
    assert "position known to 1.00 m" in mission.results[0][2]


def test_orders_with_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown item 'cup'; known: \['box_small'"):
        Order("cup", "A1", "packing").check(SITE)
    with pytest.raises(ConfigError, match="unknown bin 'Z9'"):
        Order("can", "Z9", "packing").check(SITE)
    with pytest.raises(ConfigError, match="unknown station 'moon'"):
        Order("can", "A1", "moon").check(SITE)


def test_an_unknown_policy_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'dice' .*; known: \['behaviour_tree', "):
        make_mission(policy="dice")


@pytest.mark.parametrize(
    ("position", "effort", "holding"),
    [(-0.5, 4.0, True), (-0.02, 4.0, False), (-0.5, 0.1, False), (-0.5, -4.0, False)],
)
def test_holding_needs_an_open_gripper_that_presses(position, effort, holding):
    robot = load_robot()
    values = np.zeros(len(robot.joints))
    position_all, effort_all = values.copy(), values.copy()
    position_all[robot.gripper_index], effort_all[robot.gripper_index] = position, effort
    sensed = Sensed(1.0, joints=Joints(1.0, position_all, values, effort_all))
    assert build_scene(sensed, SITE, robot, GripperConfig()).holding is holding


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Order("jar", "A3", "packing", "7"), "orders 0 and 1 have the same id '7'"),
        (Order("can", "A3", "packing", "8"), "orders 0 and 1 both want 'can'"),
    ],
)
def test_two_orders_that_cannot_both_be_meant_are_refused(second, message):
    first = Order("can", "A2", "packing", "7")
    check_together([first, Order("jar", "A3", "packing", "8")])
    with pytest.raises(ConfigError, match=message):
        check_together([first, second])
