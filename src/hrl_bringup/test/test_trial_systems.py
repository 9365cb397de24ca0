"""The stock system of a trial: as right as it was asked for, and what the master makes of it."""

import pytest

pytest.importorskip("httpx")  # of requirements/services.txt

from hrl_bringup.bench_systems import looks_in_vain, measure_fast, seeds_with  # noqa: E402
from hrl_bringup.trial_systems import stock_of  # noqa: E402
from hrl_bringup.trials import Trials, TrialsOptions  # noqa: E402
from hrl_core.config import ConfigError  # noqa: E402
from hrl_sim_bridge.judging.solvable import final_bins  # noqa: E402
from hrl_sim_bridge.trials.draws import draw_trial  # noqa: E402
from hrl_sim_bridge.worlds.loading import load_world  # noqa: E402

WORLD = load_world("small_warehouse")
(MISLAID,) = seeds_with(WORLD, "misplaced_item", 0, 1)
(MISSING,) = seeds_with(WORLD, "missing_item", 0, 1)


def booked(fraction: float, seed: int) -> dict[str, str | None]:
    stock = stock_of(fraction, WORLD, draw_trial(WORLD, seed, "one"))
    return {item: next(iter(bins), None) for item, bins in stock.items()}


def test_a_right_system_has_booked_every_move_and_a_wrong_one_none():
    for seed in (MISLAID, MISSING):
        trial = draw_trial(WORLD, seed, "one")
        there, moved = final_bins(trial), trial.order.item
        assert booked(1.0, seed) == there
        wrong = booked(0.0, seed)
        assert all(wrong[item] != there[item] for item in there)
        assert wrong[moved] == trial.item(moved).bin  # nobody booked that it has gone from there
        assert {*wrong.values()} <= {*WORLD.site.bins}


def test_so_many_entries_are_right_as_was_asked_for_by_the_seed_alone():
    right = total = 0
    for seed in range(120):
        there = final_bins(draw_trial(WORLD, seed, "one"))
        stock = booked(0.7, seed)
        assert stock == booked(0.7, seed)
        right += sum(stock[item] == there[item] for item in there)
        total += len(there)
    assert abs(right / total - 0.7) < 0.08


@pytest.mark.parametrize("other", [{"over_ros": True}, {"ray": "head:6379"}])
def test_a_stock_system_is_of_missions_in_process(other):
    with pytest.raises(ConfigError, match="--systems runs in this computer's processes"):
        Trials(TrialsOptions(("small_warehouse",), 1, 0, "spot", systems=0.5, **other))


@pytest.mark.slow
def test_what_a_right_stock_saves_and_a_wrong_one_does_not_spoil():
    options = Trials(TrialsOptions(("small_warehouse",), 1, 0, "spot", disturb="one"))
    mission = options.missions[0][0]
    (without,), (right,), (wrong,) = (
        measure_fast(mission, [MISLAID], fraction) for fraction in (None, 1.0, 0.0)
    )
    assert without.delivered and right.delivered and wrong.delivered
    assert looks_in_vain(WORLD, right) == 0 < looks_in_vain(WORLD, without)
