import shutil

import pytest

from hrl_bringup import skill_listing
from hrl_core.config import ConfigError
from hrl_core.policy.card import Comparison, Figure, add_training_seed, load_card, save_card
from hrl_skills.library import POLICIES


def figure(value: float, **changes) -> Figure:
    given = {
        "metric": "success rate, with cameras",
        "interval": (value - 0.05, value + 0.05),
        "trials": 500,
        "command": "./hrl evaluate grasp --trials 500 --seed 9",
    }
    return Figure(value=value, **{**given, **changes})


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """The shipped cards, that of grasp with figures, a comparison and a seed."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    folder = tmp_path / "policies" / "spot" / "grasp"
    card = load_card(folder / "card.yaml")
    on = "hard half (high mass)"
    comparison = Comparison(on=on, learned=figure(0.91), script=figure(0.62))
    update = {"figures": (figure(0.94),), "comparisons": (comparison,)}
    save_card(folder, card.model_copy(update=update))
    add_training_seed(folder, folder, figure(0.93))
    monkeypatch.setattr(skill_listing, "policy_folder", lambda name, robot: folder.parent / name)
    return folder


def test_the_list_tells_what_each_skill_achieves(measured, capsys):
    skill_listing.show_skills("spot")
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 100
    names = [line.split()[0] for line in lines if line.strip()]
    assert {"gait", "walk", "approach", "grasp", "place", "align", "back_out"} <= set(names)
    grasp = next(line for line in lines if line.startswith("grasp"))
    for word in ("94.0 % (89.0 to 99.0)", " 500 ", "91.0 : 62.0", " 300 "):
        assert word in grasp


def test_a_card_is_shown_completely_in_100_columns(measured, capsys):
    skill_listing.show_skill("grasp", "spot")
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= 100
    words = " ".join(out.split())
    card = load_card(measured / "card.yaml")
    parts = [*card.observation, *card.action]
    expected = [card.sha256, card.training.command, card.licence, *card.limits]
    expected += [figure.command for figure in card.figures]
    expected += [part.name for part in parts]
    for text in expected:
        assert " ".join(text.split()) in words
    assert "94.0 % (89.0 to 99.0)" in words
    assert "hard half (high mass) 91.0 % (86.0 to 96.0) 62.0 % (57.0 to 67.0)" in words


def test_an_unknown_skill_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown skill 'fly'; known: .*'gait'.*'grasp'"):
        skill_listing.show_skill("fly", "spot")
