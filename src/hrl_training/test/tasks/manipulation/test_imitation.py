import numpy as np
import pytest

from hrl_core.robot import load_robot
from hrl_skills import grasp
from hrl_skills.library import load_policy_of
from hrl_training.cli import train as training
from hrl_training.tasks.manipulation import train as imitation
from hrl_training.tasks.manipulation.script import make_script


@pytest.fixture
def small(monkeypatch):
    for name, value in (("ENVIRONMENTS", 4), ("EPOCHS", 1), ("EPISODES", 50), ("BANK", 4)):
        monkeypatch.setattr(imitation, name, value)
    monkeypatch.setattr(imitation, "rollouts", lambda *_: {})


def test_grasp_trains_to_the_same_weights_from_the_same_seed(tmp_path, small):
    folders = [training.train("grasp", seed=3, out=tmp_path / n, steps=128) for n in "ab"]
    first, second = (load_policy_of("grasp", "spot", folder) for folder in folders)
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor, second.tensors[name])


@pytest.mark.slow
def test_a_training_killed_while_cloning_begins_anew_and_one_killed_later_keeps_its_clone(
    tmp_path, small, monkeypatch
):
    whole = training.train("grasp", seed=3, out=tmp_path / "whole", steps=128)
    wanted = load_policy_of("grasp", "spot", whole).tensors

    def killed(*_, **__):
        raise KeyboardInterrupt

    for name in ("Cloning", "train_ppo"):
        out = tmp_path / name
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(imitation, name, killed)
            training.train("grasp", seed=3, out=out, steps=128)
        training.train("grasp", out=out, resume=True)
        found = load_policy_of("grasp", "spot", out).tensors
        for key, tensor in wanted.items():
            np.testing.assert_array_equal(found[key], tensor)


def test_a_script_keeps_phases_and_forgets_them_when_it_is_reset():
    script = make_script("grasp", load_robot(), 2)
    observation = np.zeros((2, sum(field.size for field in grasp.OBSERVATION)), np.float32)
    for _ in range(40):
        assert np.abs(script(observation)).max() <= 1.0
    assert (script.phase > 0).all()
    script.reset(np.array([True, False]))
    assert script.phase[0] == 0 < script.phase[1]
