"""What missions in the fast world leave in the ledger of a site that has habits."""

import numpy as np
import pytest

from hrl_master.ledger import Ledger
from hrl_master.memory.searches import Search
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World
from hrl_training.fast.missions import FastSite, run_mission

ITEM, HOME, WRONG = "can", "A2", "B1"


def site_with(**habit) -> FastSite:
    data = load_world("small_warehouse").model_dump()
    data["trial"]["habits"] = {"items": {ITEM: {"home": HOME, **habit}}}
    return FastSite(World.model_validate(data), "with habits")


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        yield ledger


def searches_of(site: FastSite, ledger: Ledger) -> tuple[bool, list[Search]]:
    """Whether one mission delivered, and what it left."""
    trial, tree = draw_trial(site.world, 3, "none"), site.policy("behaviour_tree")
    row = run_mission(site, trial, tree, rng=np.random.default_rng(1), ledger=ledger)
    return row.delivered, ledger.searches(site.world.site.name)


def test_an_item_at_home_was_found_there(ledger):
    delivered, (search,) = searches_of(site_with(), ledger)
    assert delivered
    assert (search.item, search.home, search.found) == (ITEM, HOME, HOME)
    assert HOME not in search.empty


def test_an_item_in_its_wrong_bin_was_found_there_and_not_at_home(ledger):
    site = site_with(misplaced=1.0, wrong_bin=WRONG)
    delivered, (search,) = searches_of(site, ledger)
    assert delivered and search.found == WRONG and search.home == HOME
    assert HOME in search.empty and WRONG not in search.empty
    assert any(ways.free for ways in ledger.seen_ways(site.world.site.name))
    grasps = [each for each in ledger.skills_at(site.world.site.name) if each.skill == "grasp"]
    assert WRONG in {each.place for each in grasps}


def test_an_item_that_is_nowhere_was_looked_for_in_vain(ledger):
    site = site_with(missing=1.0)
    delivered, (search,) = searches_of(site, ledger)
    assert not delivered and search.found == ""
    assert HOME in search.empty and {*search.empty} <= {*site.world.site.bins}


def test_what_is_forgotten_is_kept_but_not_read(ledger):
    site = site_with()
    name = site.world.site.name
    searches_of(site, ledger)
    ledger.forget_site(name, "moved")
    assert not (ledger.searches(name) or ledger.seen_ways(name) or ledger.skills_at(name))
    assert ledger.rows("SELECT COUNT(*) AS n FROM searches")[0]["n"] == 1
    _, searches = searches_of(site, ledger)
    assert len(searches) == 1
    assert ledger.verify().fault == ""
    assert ledger.searches("another site") == []
