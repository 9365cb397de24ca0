"""Before a conveyor the master aligns, it leaves narrow places, and misses nothing there."""

import numpy as np
import pytest

from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_core.site import load_site
from hrl_master.config import GuardrailConfig
from hrl_master.guardrails import Guardrails
from hrl_master.orders import ALIGN, LEAVE_NARROW, Attempt, Decision, Order
from hrl_master.places import free_place
from hrl_master.reasons import Check
from hrl_master.scene import Seen

SITE, ORDER = load_site("conveyor_line"), Order("can", "A2", "line")
HELPERS = {ALIGN: "align", LEAVE_NARROW: "back_out"}
BEFORE = SITE.pose_in_front("line", SITE.standoff)


@pytest.fixture
def before_line(story):
    made = story(order=ORDER, helpers=HELPERS, site=SITE)
    made.change(map_from_base=BEFORE, holding=True)
    return made


def tell(story, decision: Decision, worked: bool) -> None:
    verdict = Verdict(worked, "")
    code = Code.SUCCEEDED if worked else Code.APPROACH_OFF_TARGET
    attempt = Attempt(decision, Outcome(code, "", verdict), Check(worked, ""))
    story.change()
    story.decider.record(attempt, story.scene)


@pytest.mark.parametrize("worked", [True, False])
def test_it_aligns_once_before_it_places_whatever_comes_of_it(before_line, worked):
    first = before_line.ask()
    assert (first.skill, first.target, first.purpose) == ("align", "line", ALIGN)
    tell(before_line, first, worked)
    assert before_line.ask().skill == "place"


def test_without_a_skill_that_aligns_it_places(story):
    made = story(order=ORDER, site=SITE)
    made.change(map_from_base=BEFORE, holding=True)
    assert made.ask().skill == "place"


def test_it_backs_out_of_the_niche_and_not_from_a_plain_shelf(story):
    made = story(order=ORDER, helpers=HELPERS, site=SITE)
    made.change(map_from_base=BEFORE)
    left = made.ask()
    assert (left.skill, left.target, left.purpose) == ("back_out", "line", LEAVE_NARROW)
    made.change(map_from_base=SITE.pose_in_front("B1", SITE.standoff))
    assert made.ask().skill == "walk"


def test_its_own_check_of_an_align_is_narrower_than_that_of_an_approach(before_line):
    guardrails, done = (
        Guardrails(SITE, GuardrailConfig()),
        Outcome(Code.SUCCEEDED, "", Verdict(True, "")),
    )
    decision = before_line.ask()
    for off, ok in ((0.02, True), (0.06, False)):
        before_line.change(map_from_base=BEFORE + [off, 0.0, 0.0])
        scene = before_line.scene
        assert guardrails.after(decision, done, scene, scene, ORDER).ok is ok


def test_the_belt_frees_the_place_of_what_was_seen_there(before_line):
    height = 0.1 + 0.5 * SITE.items["jar"].size[2]
    there = SITE.face("line").copy()
    there[:3, 3] += there[:3, :3] @ [-SITE.target_setback, 0.0, height]
    before_line.change(seen={"jar": Seen("item", there, 0.1, 0.9)})
    taken = free_place(SITE, before_line.decider.observe(before_line.scene))
    assert taken is not None and abs(taken[1]) > 0.1
    for _ in range(12):  # 24 s, out of sight
        before_line.change(seen={})
    np.testing.assert_array_equal(
        free_place(SITE, before_line.decider.observe(before_line.scene)), [0.0, 0.0]
    )
