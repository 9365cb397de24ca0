"""Families of tasks: the interface of gymnasium, splits apart, stratified, the same for a seed."""

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from hrl_training.mlsh.tasks.bandits import Bandits
from hrl_training.mlsh.tasks.family import SPLITS, TaskGym
from hrl_training.mlsh.tasks.four_rooms import FourRooms

# The halls of the aisles take seconds to draw.
FAMILIES = ["bandits", "four_rooms", pytest.param("aisles", marks=pytest.mark.slow)]


def family_of(name):
    if name == "aisles":
        from hrl_training.mlsh.tasks.aisles import Aisles

        return Aisles()
    return Bandits() if name == "bandits" else FourRooms()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_passes_the_checks_of_gymnasium(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*(infinity|render|spec).*")
        check_env(TaskGym(family_of(name)), skip_render_check=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_stratified_draw_holds_every_kind_and_splits_are_apart(name):
    family, rng = family_of(name), np.random.default_rng(0)
    for split in SPLITS:
        tasks = family.draw(rng, (3, 2 * family.kinds), split, True)
        counts = [np.bincount(row, minlength=family.kinds) for row in family.kind(tasks)]
        assert np.all(np.array(counts) == 2)
    if name != "bandits":  # there a task is one of two, and only the points differ
        every = [
            {*np.concatenate([family.tasks_of(kind, split) for kind in range(family.kinds)])}
            for split in SPLITS
        ]
        assert not (every[0] & every[1] or every[0] & every[2] or every[1] & every[2])


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_gives_the_same_episode(name):
    family = family_of(name)

    def episode() -> list[np.ndarray]:
        rng = np.random.default_rng(3)
        seen = [family.reset(rng, np.zeros(2, int))]
        for k in range(10):
            action = np.full((2, 3), 0.4) if family.continuous else np.array([k % 4, 1])
            seen.append(family.step(action)[0])
        return seen

    for first, second in zip(episode(), episode(), strict=True):
        np.testing.assert_array_equal(first, second)
        assert np.isfinite(first).all()


def test_the_right_point_of_the_bandits_pays_a_step_within_its_radius():
    family = Bandits()
    seen = family.reset(np.random.default_rng(1), np.array([1]))
    paid = 0.0
    for _ in range(family.horizon):
        away = (seen[0, 4:6] - seen[0, :2]) * 200  # to the second point
        side = int(np.abs(away).argmax())
        action = 0 if np.abs(away).max() < 10 else 1 + 2 * side + int(away[side] < 0)
        seen, reward, _ = family.step(np.array([action]))
        paid += float(reward[0]) * family.return_scale
    assert paid > 35


def test_the_best_return_of_a_cell_beside_the_start_is_near_one_and_of_far_cells_less():
    family = FourRooms()
    near = int(family.following[family.start, 0])
    best = [family.best_return(int(cell)) for cell in family.tasks_of(0, "test")]
    assert 0.9 < family.best_return(near) < 1.0
    assert 0.6 < min(best) < max(best) < 0.95
