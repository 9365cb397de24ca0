"""Where the planner looks and when it asks a person, on memories made by hand."""

import time
from dataclasses import replace

import numpy as np
import pytest

from hrl_core.outcomes import Code
from hrl_core.site import load_site
from hrl_master.memory.site_memory import NOWHERE, SiteMemory
from hrl_master.scene import Seen
from hrl_master.search_plan import Search, SearchTimes, plan_search

SITE = load_site("small_warehouse")
BINS = tuple(SITE.bins)
TIMES = SearchTimes(walk=4, pace=1, approach=5, grasp=8, place=10, hand_look=9)


def told(s, **chances: float):
    """The situation, with where the item tends to be; what is left is nowhere."""
    where = {**dict.fromkeys(BINS, 0.0), **chances, NOWHERE: 1 - sum(chances.values())}
    return replace(s.decider.observe(s.scene), whereabouts=where)


def test_it_goes_straight_to_the_habitual_bin_and_says_why(story):
    s = story(policy="planner")
    decision = s.decider.decide(told(s, A2=0.1, B1=0.85))
    assert (decision.skill, decision.target) == ("walk", "B1 standoff")
    assert "B1, 0.85, " in decision.reason and decision.reason.endswith(" s")


def test_it_hands_over_what_is_nowhere_and_the_dearer_a_person_the_later(story):
    s = story(policy="planner", person_time=300.0)
    decision = s.decider.decide(told(s, A2=0.01))
    assert decision.skill == "hand_over" and "in no bin with 0.99" in decision.reason
    dear = story(policy="planner", person_time=7200.0)
    assert dear.decider.decide(told(dear, A2=0.01)).skill == "walk"


def test_an_item_in_sight_comes_before_whatever_is_remembered(story):
    s = story(policy="planner")
    frame = SITE.face("A2").copy()
    frame[:3, 3] += frame[:3, :3] @ np.array([-0.1, 0.0, 0.15])
    s.change(seen={"can": Seen("item", frame, 0.1, 0.9)})
    decision = s.decider.decide(told(s, B1=0.95))
    assert decision.face == "A2" and "tends" not in decision.reason


def test_recoveries_within_an_order_are_the_trees(story):
    planner, tree = story(policy="planner"), story()
    for s in (planner, tree):
        s.go(Code.WALK_BLOCKED)
    assert planner.ask().reason == tree.ask().reason


def test_without_a_memory_it_decides_as_with_an_empty_one(story):
    s = story(policy="planner")
    bare = s.decider.observe(s.scene)
    empty = replace(bare, whereabouts=SiteMemory(BINS).where("can", "A2"))
    assert bare.whereabouts is None
    first, second = s.decider.decide(bare), s.decider.decide(empty)
    assert (first.skill, first.target, first.reason) == (second.skill, second.target, second.reason)


def line(weights, nowhere=0.0, here=10.0) -> Search:
    """Three bins 10 m apart, none in view from another, 10 m from the station."""
    ways = 10.0 * np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    return Search(
        weights=np.array(weights), nowhere=nowhere, left=np.ones(3, bool), firsts=np.arange(3),
        here=np.full(3, here), ways=ways, views=np.eye(3, dtype=bool),
        to_station=np.full(3, 10.0), home=-1,
    )  # fmt: skip


def test_a_plan_costs_what_it_comes_to_by_hand():
    # One look of 4 + 10 s; found with 0.8 (37 s to bring it), else a person of 500 s is needless
    # no more: it is nowhere.
    plan = plan_search(line([0.8, 0.0, 0.0], 0.2), TIMES, 500.0, 1.0)
    assert plan.bin == 0
    assert plan.seconds == pytest.approx(14 + 0.8 * 37)
    assert plan.stopping == pytest.approx(0.8 * 500)


def test_the_likeliest_of_equally_far_bins_comes_first_and_a_worthless_search_ends():
    assert plan_search(line([0.2, 0.3, 0.5]), TIMES, 500.0, 1.0).bin == 2
    assert plan_search(line([0.01, 0.0, 0.0], 0.99), TIMES, 500.0, 1.0).bin == -1


def test_a_decision_takes_milliseconds(story):
    s = story(policy="planner")
    situation = told(s, A2=0.4, B1=0.3)
    s.decider.decide(situation)
    began = time.process_time()
    for _ in range(10):
        s.decider.decide(situation)
    assert (time.process_time() - began) / 10 < 0.05
