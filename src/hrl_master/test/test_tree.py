"""The leaves of the behaviour tree, each ticked alone, and the tree that they make."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from py_trees.behaviour import Behaviour
from py_trees.common import Status

from hrl_core.outcomes import Code
from hrl_core.site import Belt, load_site
from hrl_master.behaviour_tree import build
from hrl_master.beliefs import EdgeBelief, Inspection, Loss, PastAttempt, Sighting
from hrl_master.replay import part_of_tree, same_decision, tree_at, tree_text
from hrl_master.scene import Seen
from hrl_master.tree import actions as do
from hrl_master.tree import conditions as ask
from hrl_master.tree.context import Context
from hrl_master.tree.leaves import Action, Blackboard, Condition

SITE = load_site("small_warehouse")
HELPERS = {"leave_face": "back_out", "align": "align"}


def begin(board: Blackboard, story) -> None:
    """What the tree does at a decision, before it is ticked."""
    options, situation = story.decider.options, story.decider.observe(story.scene)
    board.begin(Context(options, options.config, situation, options.candidates(situation)))


def tick(make: Callable[[Blackboard], Behaviour], story) -> tuple[Behaviour, str]:
    """A leaf alone after a tick, and the kind and target of what it chose."""
    board = Blackboard()
    begin(board, story)
    leaf = make(board)
    leaf.tick_once()
    if board.choice is None:
        return leaf, ""
    chosen = board.context.candidates[board.choice.index]
    assert board.choice.reason in leaf.feedback_message
    return leaf, f"{chosen.kind} {chosen.target}"


def believe(story, **changes):
    """Change what is remembered, after all that the present scene tells."""
    story.decider.observe(story.scene)
    story.decider.beliefs = replace(story.decider.beliefs, **changes)
    return story


def tried(story, *rows: tuple[str, str, Code]):
    """Skill, face and code of what is remembered to have been tried."""
    stamp = story.scene.stamp
    tries = tuple(
        PastAttempt(skill, face, face, "", int(code), code is Code.SUCCEEDED, stamp, stamp)
        for skill, face, code in rows
    )
    return believe(story, attempts=(*story.decider.beliefs.attempts, *tries))


def standing(story, face: str, distance: float = SITE.standoff, **changes):
    story.change(map_from_base=SITE.pose_in_front(face, distance), **changes)
    return story


def sighted(story, face: str):
    stamp = story.scene.stamp
    return believe(story, sightings={"can": Sighting((0.0, 0.0, 0.0), face, stamp, 0.9)})


def lost(story, face: str = "packing"):
    return believe(story, lost=Loss(story.scene.stamp, face, (0.0, 0.0)))


def shut(story):
    """No way leads to the station that the item is to be brought to."""
    story.change(holding=True)
    stamp, edges = story.scene.stamp, story.decider.options.graph.edges
    return believe(story, edges={edge: EdgeBelief(False, stamp, "scan") for edge in edges})


def looked(story, *faces: str):
    return believe(
        story, inspections={face: Inspection(story.scene.stamp, "camera", ()) for face in faces}
    )


def detour(story):
    """A walk to the station failed, and the southern way is shut."""
    story.change(holding=True)
    tried(story, ("walk", "packing", Code.WALK_BLOCKED))
    stamp = story.scene.stamp
    south = [edge for edge in story.decider.options.graph.edges if "south" in edge]
    return believe(story, edges={edge: EdgeBelief(False, stamp, "scan") for edge in south})


def changed(story, **changes):
    story.change(**changes)
    return story


def failed(story, count: int, skill: str, face: str, code: Code = Code.STEP_LIMIT):
    return tried(story, *[(skill, face, code)] * count)


def unsure(story):
    """As after a pose estimate of RViz, whose variance is 0.25 m², where there is room to turn."""
    return changed(story, position_std=0.5, map_from_base=np.array([6.0, 3.0, 0.0]))


def waited(story, count: int):
    return tried(story, *[("wait", "", Code.SUCCEEDED)] * count)


def at_conveyor(story):
    """The item is to be put down on a conveyor, and the robot stands before it."""
    stations = [
        station.model_copy(update={"belt": Belt()}) if station.name == "packing" else station
        for station in SITE.stations
    ]
    site = SITE.model_copy(update={"stations": tuple(stations)})
    story.__init__(helpers=HELPERS, site=site)
    return standing(story, "packing", holding=True)


# A situation in which each condition holds, and a part of what it finds.
HOLDS = {
    ask.Delivered: (lambda s: believe(s, delivered=True), "delivered and checked"),
    ask.HasFallen: (lambda s: failed(s, 1, "walk", "A2", Code.FELL), "has fallen"),
    ask.LiesOnFloor: (lambda s: sighted(s, "floor"), "lies on the floor"),
    ask.StandsAskew: (lambda s: lost(sighted(s, "packing")), "can stands on packing"),
    ask.SoughtInVain: (lambda s: failed(lost(s), 2, "walk", "packing"), "lost at packing"),
    ask.InNoBin: (
        lambda s: failed(looked(s, *SITE.bins), 3, "grasp", "A2"), "can is in no bin"
    ),
    ask.StationGivenUp: (
        lambda s: failed(changed(s, holding=True), 3, "walk", "packing"), "cannot be reached"
    ),
    ask.PlacedInVain: (
        lambda s: failed(changed(s, holding=True), 3, "place", "packing"), "could not be placed"
    ),
    ask.BlindForLong: (lambda s: waited(changed(s, scan_age=5.0), 10), "no scan for 5.0 s for 30"),
    ask.CutOffForLong: (lambda s: waited(shut(s), 8), "every way to packing is blocked"),
    ask.Blind: (lambda s: changed(s, map_from_base=None), "not localised"),
    ask.Disoriented: (
        lambda s: failed(unsure(s), 2, "walk", "look_around", Code.SUCCEEDED), "looks for a marker"
    ),
    ask.ItemLost: (lost, "can got lost: looks for it"),
    ask.AtStandoff: (lambda s: standing(s, "A2"), "at the standoff of A2"),
    ask.CameraOut: (lambda s: believe(s, seen_at=s.scene.stamp - 7.0), "cameras see nothing"),
    ask.MustLeave: (
        lambda s: failed(standing(s, "A2"), 1, "grasp", "A2"), "stands close in front"
    ),
    ask.Searches: (lambda s: looked(s, "A2"), "looks for can elsewhere"),
    ask.Near: (lambda s: standing(s, "A2", SITE.staging), "A2 can be approached from here"),
    ask.CutOff: (shut, "every way to packing is blocked"),
    ask.WalkFailed: (
        lambda s: failed(s, 1, "walk", "A2", Code.WALK_BLOCKED),
        "the way to A2 failed (WALK_BLOCKED)",
    ),
    ask.HasDetour: (detour, "a way to packing that is"),
    ask.FailedTwice: (lambda s: failed(s, 2, "walk", "A2"), "that failed: 2"),
    ask.TooFar: (lambda s: s, "too far to walk at once"),
}  # fmt: skip
SETTINGS = {ask.TooFar: {"direct_walk": 1.5}}

# For each action: how it is made, where it chooses and what, where it fails and what it says then.
CHOOSES = {
    do.Finish: (do.Finish, lambda s: believe(s, delivered=True), "finish packing",
                lambda s: s, "there is no finish"),
    do.HandOver: (do.HandOver, lambda s: s, "hand_over can",
                  lambda s: believe(s, delivered=True), "there is no hand_over"),
    do.GiveUp: (do.GiveUp, lambda s: s, "hand_over can",
                lambda s: believe(s, delivered=True), "there is no hand_over"),
    do.Wait: (lambda b: do.Wait(b, "", 2), lambda s: waited(s, 1), "wait 3 s",
              lambda s: waited(s, 2), "waits in a row: 2 of 2"),
    do.WaitOnce: (lambda b: do.WaitOnce(b, "", 8), lambda s: failed(s, 1, "walk", "A2"),
                  "wait 3 s", lambda s: waited(failed(s, 1, "walk", "A2"), 1), "has waited since"),
    do.WaitAtStation: (lambda b: do.WaitAtStation(b, "", 8), lost, "wait 3 s",
                       lambda s: lost(s, "A1"), "it got lost at no station"),
    do.Place: (do.Place, lambda s: standing(s, "packing", holding=True), "place packing",
               lambda s: s, "holds nothing"),
    do.Align: (do.Align, at_conveyor, "align packing",
               lambda s: standing(s, "packing", holding=True), "there is no align packing"),
    do.Grasp: (do.Grasp, lambda s: standing(s, "A2"), "grasp can",
               lambda s: s, "distance to the standoff"),
    do.BackOut: (do.BackOut, lambda s: standing(s, "A2"), "back_out A2",
                 lambda s: s, "stands close in front of nothing"),
    do.LookAround: (do.LookAround, lambda s: changed(s, map_from_base=np.array([6.0, 3.0, 0.0])),
                    "look_around look_around", lambda s: standing(s, "A2"), "m to turn"),
    do.LookWhereMostIsSeen: (do.LookWhereMostIsSeen, lambda s: looked(s, "A1", "A2"), "walk ",
                             lambda s: looked(s, *SITE.bins), "no bin is left"),
    do.Approach: (do.Approach, lambda s: standing(s, "A2", SITE.staging), "approach A2",
                  lambda s: s, "limit 2.6 m"),
    do.WalkUp: (do.WalkUp, lambda s: s, "walk_up A2 standoff",
                lambda s: failed(s, 1, "approach", "A2"), "has failed before"),
    do.Walk: (do.Walk, lambda s: s, "walk A2",
              lambda s: standing(s, "A2", SITE.staging), "from there already"),
    do.WalkToLoss: (do.WalkToLoss, lost, "walk packing",
                    lambda s: lost(s, ""), "it got lost at no known place"),
    do.AlongGraph: (do.AlongGraph, detour, "walk ",
                    lambda s: changed(s, map_from_base=None), "no waypoint is in sight"),
    do.ByWaypoint: (do.ByWaypoint, lambda s: s, "walk ",
                    lambda s: changed(s, scan_age=2.0), "no waypoint is left"),
    do.Towards: (do.Towards, lambda s: s, "walk ",
                 lambda s: changed(s, scan_age=2.0), "no waypoint is left"),
}  # fmt: skip


@pytest.mark.parametrize("condition", HOLDS, ids=lambda c: c.__name__)
def test_a_condition_succeeds_where_it_holds_and_says_what_it_found(condition, story):
    prepare, found = HOLDS[condition]
    s = prepare(story(helpers=HELPERS, **SETTINGS.get(condition, {})))
    leaf, chosen = tick(condition, s)
    assert leaf.status is Status.SUCCESS, leaf.feedback_message
    assert found in leaf.feedback_message and not chosen


@pytest.mark.parametrize("condition", HOLDS, ids=lambda c: c.__name__)
def test_no_condition_but_the_way_there_holds_when_an_order_begins(condition, story):
    leaf, _ = tick(condition, story(helpers=HELPERS))
    assert leaf.status is Status.FAILURE and leaf.feedback_message


@pytest.mark.parametrize("action", CHOOSES, ids=lambda c: c.__name__)
def test_an_action_chooses_its_candidate_and_fails_with_the_reason_where_it_may_not(action, story):
    make, prepare, chosen, elsewhere, why_not = CHOOSES[action]
    leaf, choice = tick(make, prepare(story(helpers=HELPERS)))
    assert leaf.status is Status.SUCCESS, leaf.feedback_message
    assert choice.startswith(chosen)
    leaf, choice = tick(make, elsewhere(story(helpers=HELPERS)))
    assert leaf.status is Status.FAILURE and not choice
    assert why_not in leaf.feedback_message


def test_the_tables_above_hold_all_leaves_and_the_tree_uses_each():
    for module, base, table in ((ask, Condition, HOLDS), (do, Action, CHOOSES)):
        leaves = {
            thing for thing in vars(module).values()
            if isinstance(thing, type) and issubclass(thing, base) and thing is not base
        }  # fmt: skip
        assert leaves == set(table)
        used = {type(node) for node in build(Blackboard()).iterate()}
        assert leaves <= used
        assert all(leaf.__doc__ and leaf.__doc__.startswith("Succeeds") for leaf in leaves)


def test_an_action_gives_what_a_condition_found_as_its_reason(story):
    board = Blackboard()
    begin(board, failed(story(), 1, "walk", "A2", Code.WALK_BLOCKED))
    stopped = ask.WalkFailed(board)
    wait = do.Wait(board, stopped, 8)
    for leaf in (stopped, wait):
        leaf.tick_once()
    assert board.choice is not None
    assert board.choice.reason == "the way to A2 failed (WALK_BLOCKED)"


def test_a_hand_over_tells_the_last_three_failures(story):
    s = failed(failed(story(), 1, "walk", "A1"), 3, "grasp", "A2", Code.NOT_HELD)
    leaf, _ = tick(lambda board: do.HandOver(board, "no more"), s)
    assert leaf.feedback_message.endswith("no more" + "; grasp A2: NOT_HELD" * 3)


def test_without_a_fix_of_the_position_a_walk_is_blind(story):
    leaf, _ = tick(ask.Blind, changed(story(), position_std=0.5))
    assert leaf.status is Status.SUCCESS
    assert leaf.feedback_message == "position known to 0.50 m, limit 0.3"


def test_a_robot_that_knows_roughly_where_it_is_looks_all_round_before_it_waits(story):
    s = story()
    unsure(s)
    assert [s.go(map_from_base=s.scene.map_from_base).target for _ in range(4)] == [
        "look_around", "look_around", "look_around", "3 s",
    ]  # fmt: skip
    s.change(position_std=0.02)
    assert s.ask().target == "A2 standoff"


def test_a_robot_that_cannot_turn_waits(story):
    s = unsure(story())
    s.go(Code.WALK_BLOCKED)
    decision = s.ask()
    assert decision.skill == "wait" and "position known to 0.50 m" in decision.reason
    tight = changed(
        story(), position_std=0.5, map_from_base=SITE.pose_in_front("A2", SITE.standoff)
    )
    assert tight.ask().skill == "wait"


def test_two_trees_do_not_share_a_blackboard(story):
    s = story()
    first, second = (tree_at(s.decider, s.decider.observe(s.scene))[0] for _ in range(2))
    before = tree_text(first)
    tree_at(changed(s, map_from_base=None).decider, s.decider.observe(s.scene))
    assert tree_text(first) == before == tree_text(second)


def test_the_tree_at_a_situation_tells_what_held_and_what_was_not_asked(story):
    s = story()
    s.change(seen={"can": Seen("item", lying(), 0.1, 0.9)})
    root, decision = tree_at(s.decider, s.decider.observe(s.scene))
    assert same_decision(decision, s.ask())
    text = "\n".join(tree_text(root))
    assert "lies on the floor" in text and text.count("lies on the floor") == 2
    statuses = {node.name: node.status for node in root.iterate() if not node.children}
    assert statuses["fallen?"] is Status.FAILURE and statuses["on the floor?"] is Status.SUCCESS
    assert statuses["blind?"] is Status.INVALID and statuses["hand over"] is Status.SUCCESS


def lying() -> np.ndarray:
    frame = np.eye(4)
    frame[:3, 3] = [4.0, 2.0, 0.04]
    return frame


def test_what_the_tree_had_to_do_with_a_decision_is_said(story):
    s = story()
    decision = s.ask()
    other = replace(decision, target="B1")
    assert part_of_tree(decision, decision, "behaviour_tree") == []
    (told,) = part_of_tree(other, decision, "learned")
    assert "the tree told it walk A2 standoff" in told and told.endswith("it chose walk B1")
    (aside,) = part_of_tree(decision, decision, "fixed_sequence")
    assert aside.startswith("fixed_sequence decided, not the tree")
    assert aside.endswith("it chose the same")
