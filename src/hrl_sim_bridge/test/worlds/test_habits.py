"""Habits of a site: what a seed draws from them, and what is refused."""

from collections import Counter

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hrl_core.config import ConfigError, config_dir
from hrl_sim_bridge.judging.solvable import solvable
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Order
from hrl_sim_bridge.worlds.checks import problems
from hrl_sim_bridge.worlds.habits import draw_habits
from hrl_sim_bridge.worlds.layouts import parse_layout, write_layout
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World

NAME = "aisles:4+habits7"
TRIALS = 300


@pytest.fixture(scope="module")
def world() -> World:
    return load_world(NAME)


def with_habits(world: World, habits: dict) -> World:
    data = world.model_dump()
    data["trial"]["habits"] = habits
    data["trial"]["obstacles"]["count"] = (0, 0)  # they take long to draw
    return World.model_validate(data)


def test_items_stand_where_the_habits_say_as_often(world):
    item = "jar" if "jar" in world.site.items else [*world.site.items][0]
    other = next(name for name in world.site.items if name != item)
    home, home_of_other, wrong, *_ = world.site.bins
    habit = {
        "home": home, "misplaced": 0.5, "wrong_bin": wrong, "in_wrong_bin": 0.7, "missing": 0.2,
    }  # fmt: skip
    site = with_habits(world, {"items": {item: habit, other: {"home": home_of_other}}})
    trials = [draw_trial(site, seed, "none") for seed in range(TRIALS)]
    where = Counter(trial.item(item).bin for trial in trials)
    for name, share in ((home, 0.3), (wrong, 0.35), ("", 0.2)):
        error = 3 * np.sqrt(share * (1 - share) / TRIALS)
        assert abs(where[name] / TRIALS - share) < error, (name, where)
    rest = sum(count for name, count in where.items() if name not in (home, wrong, ""))
    assert 0.1 < rest / TRIALS < 0.2 and len(where) > 4
    ordered = [trial for trial in trials if trial.order.item == item]
    assert {trial.order.from_bin for trial in ordered} == {home}  # what a stock list says
    for trial in ordered:
        assert solvable(site, trial).ok == bool(trial.item(item).bin)
    assert {trial.item(other).bin for trial in trials} == {home_of_other}


def test_nothing_stands_inside_another(world):
    for seed in range(40):
        stock = draw_trial(world, seed).stock
        places = np.array([placed.map_from_item[:3, 3] for placed in stock])
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        assert apart[~np.eye(len(places), dtype=bool)].min() > 0.1


def test_a_way_is_closed_as_often_whatever_disturbs(world):
    waypoint = next(name for name in world.site.waypoints if name != "dock")
    habits = world.trial.habits.model_dump() | {"blocked": {waypoint: 0.4}}
    site = with_habits(world, habits)
    closed = [
        any(fault.target == waypoint for fault in draw_trial(site, seed, "none").faults)
        for seed in range(TRIALS)
    ]
    assert abs(np.mean(closed) - 0.4) < 3 * np.sqrt(0.24 / TRIALS)


def test_habits_change_with_the_number_of_the_mission(world):
    item, *_ = world.site.items
    first, second, *_ = world.site.bins
    habits = {
        "items": {item: {"home": first}},
        "then": [{"after": 10, "items": {item: {"home": second}}}],
    }
    site = with_habits(world, habits)
    homes = [draw_trial(site, seed).order.from_bin for seed in (0, 9, 10, 999, 1000, 1010)]
    assert homes == [first, first, second, second, first, second]


def test_trials_of_worlds_without_habits_are_what_they_were():
    """Figures of the draws as they were before there were habits."""
    trial = draw_trial(load_world("aisles:4"), 7, "many", (2, 3))
    assert trial.order == Order("can", "D2", "shipping")
    assert trial.disturbances == ("missing_item", "slippery_floor")
    places = [trial.start, *(placed.map_from_item[:3, 3] for placed in trial.stock)]
    assert np.concatenate(places).sum() == pytest.approx(50.22386712916326, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), habits=st.integers(0, 10**6))
def test_drawn_habits_are_allowed_and_their_trials_repeat(world, seed, habits):
    site = with_habits(world, draw_habits(world.site, habits))
    assert not [*problems(site)]
    first, second = (draw_trial(site, seed) for _ in range(2))
    assert first.order == second.order and first.faults == second.faults
    assert [placed.bin for placed in first.stock] == [placed.bin for placed in second.stock]


def test_a_written_layout_is_the_one_of_the_short_form(tmp_path, world):
    assert parse_layout("mixed@30x20:3+habits7")[1::2] == (3, 7)
    write_layout("aisles", 4, tmp_path / "hall.yaml", habits=7)
    written = load_world(tmp_path / "hall.yaml")
    assert written.model_dump() == world.model_dump()


A1 = {"home": "A1"}


@pytest.mark.parametrize(
    ("habits", "sentence"),
    [
        ({"items": {}}, "at least 1 item"),
        ({"items": {"box": {**A1, "misplaced": 0.7, "missing": 0.4}}}, "add up to 1.10; allowed"),
        ({"items": {"box": {**A1, "misplaced": 1.2}}}, "less than or equal to 1"),
        ({"items": {"box": {**A1, "wrong_bin": "A1"}}}, "wrong_bin is home"),
        ({"items": {"box": {**A1, "in_wrong_bin": 0.5}}}, "in_wrong_bin needs a wrong_bin"),
        ({"items": {"box": {"home": "Z9"}}}, "no bin of the stock; allowed"),
        ({"items": {"ghost": A1}}, "unknown; known"),
        ({"items": {"box": A1, "can": A1}}, "allowed is one item to a home"),
        ({"items": {"box": A1}, "blocked": {"nowhere": 0.5}}, "no waypoint beside the start"),
        ({"items": {"box": A1}, "then": [{"after": 0}]}, "greater than or equal to 1"),
        ({"items": {"box": A1}, "then": [{"after": 5, "items": {"can": A1}}]}, "one item to a h"),
    ],
)  # fmt: skip
def test_wrong_habits_are_refused_with_the_place(tmp_path, habits, sentence):
    data = yaml.safe_load((config_dir() / "worlds" / "small_warehouse.yaml").read_text())
    names = [*data["site"]["items"]]
    swap = {"box": names[0], "can": names[1], "ghost": "ghost"}
    for each in (habits, *habits.get("then", [])):
        if "items" in each:
            each["items"] = {swap[k]: v for k, v in each["items"].items()}
    data["trial"]["habits"] = habits
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=sentence) as error:
        load_world(path)
    assert "wrong.yaml:" in str(error.value) and "trial.habits" in str(error.value)


def test_a_short_form_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="perhaps with \\+habitsN"):
        load_world("aisles:4+habits")
