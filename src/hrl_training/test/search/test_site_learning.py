"""The abstract simulator of searches, the fit of the prior to it, and the curves over orders."""

from itertools import groupby

import numpy as np
import pytest

from hrl_master.memory.prior import load_prior
from hrl_master.memory.site_memory import NOWHERE, SiteMemory
from hrl_training.search.abstract import AbstractOrder, AbstractSite, TrueHabits, whereabouts
from hrl_training.search.curves import main
from hrl_training.search.fit_prior import fit_prior, fit_weights
from hrl_training.search.series import SeriesOptions, abstract_series, changed, site_world

OPTIONS = SeriesOptions(person_time=900.0, orders=60, change_after=30)


@pytest.fixture(scope="module")
def world():
    return site_world("16x12", 3, OPTIONS)


def test_a_search_costs_its_walks_and_shows_where_the_item_was_and_was_not(world):
    site = AbstractSite(world)
    item, habit = next(iter(world.trial.habits.items.items()))
    order = AbstractOrder(item, habit.home, habit.home, site.stations[0], "dock")
    end = site.run(order, None, 900.0)
    graph, times = site.map.graph, site.times
    ways = [
        graph.distances()[graph.index[a], graph.index[habit.home]] for a in ("dock", order.station)
    ]
    steps = sum(times.walk + times.pace * way for way in ways) + times.grasp + times.place
    assert end.delivered and end.seconds == pytest.approx(steps)
    assert end.shown.found == habit.home and end.shown.empty == ()
    vain = site.run(AbstractOrder(item, habit.home, NOWHERE, site.stations[0], "dock"), None, 900.0)
    assert not vain.delivered and not vain.needless and {*vain.shown.empty} == {*site.bins}


def test_the_oracle_is_told_the_shares_of_the_world_file(world):
    bins = tuple(world.site.bins)
    for item, habit in world.trial.habits.items.items():
        where = whereabouts(habit, bins)
        assert sum(where.values()) == pytest.approx(1)
        assert where[NOWHERE] == habit.missing
        told = TrueHabits(world.trial.habits, bins).where(item, habit.home)
        assert told == where


def test_habits_that_change_keep_the_homes_and_move_the_wrong_bins(world):
    before = world.trial.habits.items
    after = changed(world.trial.habits)
    assert all(after[item].home == before[item].home for item in before)
    assert any(after[item].wrong_bin != before[item].wrong_bin for item in before)


def test_all_masters_get_the_same_orders_and_the_memory_begins_empty(world):
    rows = list(abstract_series(0, world, 3, OPTIONS))
    first = {row.master: row.seconds for row in rows if row.order == 0}
    assert first["memory"] == first["average"]
    for _, same in groupby(rows, key=lambda row: row.order):
        assert len({row.kind for row in same}) == 1
    mean = {m: np.mean([r.seconds for r in rows if r.master == m]) for m in ("tree", "oracle")}
    assert mean["oracle"] < mean["tree"]


def test_the_fit_finds_the_weights_that_items_were_drawn_with():
    rng = np.random.default_rng(1)
    likelihood = np.full((400, 2, 2, 2), 1e-6)
    for row, kind in zip(likelihood, rng.random((400, 3)) < (0.2, 0.5, 0.9), strict=True):
        row[tuple(kind.astype(int))] = 1.0
    weights = fit_weights(likelihood)
    assert [w[1] for w in weights] == pytest.approx([0.2, 0.5, 0.9], abs=0.06)


@pytest.mark.slow
def test_a_fit_is_the_same_to_the_last_byte_and_knows_that_habits_are_common():
    fits = [fit_prior(sites=2, orders=60, seed=0) for _ in range(2)]
    assert fits[0].model_dump_json() == fits[1].model_dump_json()
    assert 0.15 < fits[0].wrong.mean < 0.5
    assert fits[0].change == load_prior().change


@pytest.mark.slow
def test_the_command_writes_curves_of_both_worlds(tmp_path, capsys):
    arguments = ["--sites", "1", "--orders", "8", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "from order 4 on" in capsys.readouterr().out
    assert (tmp_path / "site_curves.png").stat().st_size > 5000
    assert (tmp_path / "site_curves.json").stat().st_size > 500


def test_a_memory_told_of_all_orders_comes_near_the_true_habits(world):
    site = AbstractSite(world)
    habits = world.trial.habits.of_mission(0)
    memory, rng = SiteMemory(site.bins), np.random.default_rng(5)
    for _ in range(200):
        memory.add(site.run(site.draw(habits, rng), None, 900.0).shown)
    for item, habit in habits.items.items():
        where = memory.where(item, habit.home)
        true = whereabouts(habit, site.bins)
        assert abs(where[habit.home] - true[habit.home]) < 0.25
        if true[habit.wrong_bin] > 0.2:
            assert max(site.bins, key=lambda b: where[b] * (b != habit.home)) == habit.wrong_bin
