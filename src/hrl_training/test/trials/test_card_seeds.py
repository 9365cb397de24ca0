import shutil
from types import SimpleNamespace

import pytest

from hrl_core.policy.card import load_card, save_card
from hrl_skills.library import policy_folder
from hrl_training.cli import evaluate


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """The shipped policy and one of another training seed."""
    shipped = shutil.copytree(policy_folder("grasp", "spot"), tmp_path / "shipped")
    other = shutil.copytree(policy_folder("grasp", "spot"), tmp_path / "grasp-seed2")
    card = load_card(other / "card.yaml")
    training = card.training.model_copy(update={"seed": 2})
    save_card(other, card.model_copy(update={"training": training}))
    result = {
        "summary": {
            "skill": "grasp",
            "vision": True,
            "trials": 40,
            "seed": 900,
            "tasks": {"file": "grasp.yaml"},
            "success_rate": 0.9,
            "interval": (0.77, 0.96),
        },
        "rows": [],
    }
    evaluation = SimpleNamespace(run=lambda: None, result=lambda: result, interrupted=False)
    monkeypatch.setattr(evaluate, "Evaluation", lambda *_: evaluation)
    monkeypatch.setattr(evaluate, "show", lambda *_: None)
    monkeypatch.setattr(evaluate, "policy_folder", lambda skill, robot: shipped)
    return shipped, other, evaluation


def test_evaluating_another_training_seed_notes_it_in_the_shipped_card(cards):
    shipped, other, _ = cards
    command = ["grasp", "--trials", "40", "--seed", "900", "--weights", str(other), "--card-seed"]
    before = load_card(shipped / "card.yaml")
    assert evaluate.main(command) == 0
    card = load_card(shipped / "card.yaml")
    noted = next(each for each in card.training.seeds if each.seed == 2)
    assert noted.figure.metric == "success rate, with cameras"
    assert (noted.figure.value, noted.figure.trials, noted.figure.seed) == (0.9, 40, 900)
    assert noted.figure.command == f"./hrl evaluate grasp --trials 40 --seed 900 --weights {other}"
    assert card.figures == before.figures


def test_an_interrupted_evaluation_notes_nothing(cards):
    shipped, other, evaluation = cards
    evaluation.interrupted = True
    before = (shipped / "card.yaml").read_bytes()
    command = ["grasp", "--weights", str(other), "--card", "--card-seed"]
    assert evaluate.main(command) == evaluate.INTERRUPTED
    assert (shipped / "card.yaml").read_bytes() == before
