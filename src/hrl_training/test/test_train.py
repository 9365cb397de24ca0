import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_skills.gait import ACTION, OBSERVATION, OBSERVATION_SIZE
from hrl_skills.policy import load_policy
from hrl_training import train as training
from hrl_training.envs import gait_training


@pytest.fixture
def few_environments(monkeypatch):
    monkeypatch.setattr(gait_training, "ENVIRONMENTS", 8)


def test_training_writes_weights_and_a_card_that_load(tmp_path, few_environments):
    folder = training.train("gait", seed=5, out=tmp_path / "gait", steps=400)
    policy = load_policy("gait", OBSERVATION, ACTION, folder)
    assert policy(np.zeros(OBSERVATION_SIZE)).shape == (12,)
    assert policy.card is not None
    assert policy.card.training.seed == 5
    assert policy.card.training.command == "./hrl train gait --seed 5 --steps 400"


def test_training_resumes_from_its_checkpoint(tmp_path, few_environments):
    training.train("gait", out=tmp_path, steps=200)
    training.train("gait", out=tmp_path, steps=600, resume=True)
    card = load_policy("gait", OBSERVATION, ACTION, tmp_path).card
    assert card is not None
    assert card.training.steps >= 600


def test_resuming_without_a_checkpoint_says_what_is_missing(tmp_path, few_environments):
    with pytest.raises(ConfigError, match=r"checkpoint.pt does not exist; train first"):
        training.train("gait", out=tmp_path, steps=200, resume=True)


def test_an_unknown_skill_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown skill 'fly'; known: .*'gait'"):
        training.train("fly")


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="minutes 0 "):
        training.train("gait", minutes=0)
