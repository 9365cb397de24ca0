"""Where items stand by what past searches have shown, against cases worked by hand."""

import json

import pytest

from hrl_core.config import ConfigError
from hrl_master.memory.prior import SitePrior, load_prior
from hrl_master.memory.searches import Search
from hrl_master.memory.site_memory import NOWHERE, SiteMemory

BINS = ("A1", "A2", "A3", "A4", "A5")


def fixed(values, weights=None):
    return {"values": values, "weights": weights or [1 / len(values)] * len(values)}


def prior(**changes) -> SitePrior:
    content = {
        "wrong": fixed([0.4]), "nowhere": fixed([0.1]), "share": fixed([0.0]),
        "change": 0.0, "seen": 1.0,
    }  # fmt: skip
    return SitePrior.model_validate(content | changes)


def found(where: str, *empty: str) -> Search:
    return Search("can", "A1", where, empty)


def test_without_searches_every_other_bin_is_as_likely_and_the_rates_are_those_of_the_prior():
    where = SiteMemory(BINS, prior=prior()).where("can", "A1")
    assert where["A1"] == pytest.approx(0.5)
    assert where[NOWHERE] == pytest.approx(0.1)
    assert [where[name] for name in BINS[1:]] == pytest.approx([0.1] * 4)
    assert sum(where.values()) == pytest.approx(1)


def test_a_stay_in_a_bin_makes_it_the_habitual_one_as_bayes_says():
    # Share 0.6: the bin itself is seen with 0.4 (0.6 + 0.4 / 4) = 0.28 if it is the habitual one,
    # else with 0.4 * 0.4 / 4 = 0.04; of four bins as likely before it is that with 0.28 / 0.40.
    memory = SiteMemory(BINS, [found("A3")], prior(share=fixed([0.6])))
    habitual = 0.7
    where = memory.where("can", "A1")
    assert where["A3"] == pytest.approx(habitual * 0.28 + (1 - habitual) * 0.04)
    assert where["A2"] == pytest.approx(0.1 * 0.28 + 0.9 * 0.04)


def test_rates_follow_what_was_found_between_the_classes_of_the_prior():
    memory = SiteMemory(BINS, [found("A1")], prior(wrong=fixed([0.1, 0.7])))
    # At home with 0.8 and 0.2 in the two classes: 0.8 / (0.8 + 0.2) for the tidy one.
    assert memory.where("can", "A1")["A1"] == pytest.approx(0.8 * 0.8 + 0.2 * 0.2)


def test_an_order_that_ended_early_says_nothing_of_bins_that_it_did_not_look_into():
    nowhere = fixed([0.05, 0.45])
    early = SiteMemory(BINS, [found("", "A1")], prior(nowhere=nowhere))
    # Not at home: 1 - 0.55 and 1 - 0.15 in the two classes.
    tidy, scarce = 0.45, 0.85
    expected = (tidy * 0.05 + scarce * 0.45) / (tidy + scarce)
    assert early.where("can", "A1")[NOWHERE] == pytest.approx(expected)
    complete = SiteMemory(BINS, [found("", *BINS)], prior(nowhere=nowhere))
    assert complete.where("can", "A1")[NOWHERE] > early.where("can", "A1")[NOWHERE] + 0.05
    nothing = SiteMemory(BINS, [found("")], prior(nowhere=nowhere))
    assert nothing.where("can", "A1")[NOWHERE] == pytest.approx(0.25)


def test_new_habits_are_followed_and_what_is_not_searched_for_fades():
    many = ("A1", *(f"B{k}" for k in range(30)))
    memory = SiteMemory(many, [found("B3")] * 30, load_prior())
    before = memory.where("can", "A1")["B3"]
    for _ in range(4):
        memory.add(found("B5"))
    after = memory.where("can", "A1")
    assert after["B5"] > after["B3"], "four orders outweigh thirty old ones"
    for _ in range(5000):
        memory.add(Search("jar", "B2", "B2", ()))
    assert before > 0.4 and memory.where("can", "A1")["B5"] < 0.5 * after["B5"]


def test_other_items_and_other_homes_have_memories_of_their_own():
    memory = SiteMemory(BINS, [found("A3")] * 5, prior(share=fixed([0.6])))
    fresh = SiteMemory(BINS, prior=prior(share=fixed([0.6])))
    assert memory.where("jar", "A1") == fresh.where("jar", "A1")
    assert memory.where("can", "A2") == fresh.where("can", "A2")
    memory.add(Search("can", "A1", "Z9", ("Z8",)))  # bins that the site does not have any more
    assert memory.where("can", "A1")["A3"] > 0.2


def test_a_prior_that_is_none_is_refused_with_its_file(tmp_path):
    path = tmp_path / "prior.json"
    content = prior().model_dump() | {"wrong": {"values": [0.1], "weights": [0.5]}}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"(?s)prior\.json.*weights sum to 0\.5"):
        load_prior(path)
