"""Training runs: what they write, how they go on, what they start from."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hrl_core.config import ConfigError
from hrl_core.policy.card import PolicyError, hash_of, load_card, save_card
from hrl_core.policy.policy import load_policy, save_weights
from hrl_skills.gait import ACTION, OBSERVATION, OBSERVATION_SIZE
from hrl_skills.library import POLICIES
from hrl_skills.success_model import FILE as SUCCESS_MODEL
from hrl_training.cli import train as training
from hrl_training.rl.run import TrainingInterrupted
from hrl_training.tasks.gait import train as gait_training
from hrl_training.tasks.manipulation import train as imitation
from hrl_training.tasks.training import TrainingRun

SHIPPED = POLICIES / "spot" / "gait"


@pytest.fixture(autouse=True)
def few_environments(monkeypatch):
    monkeypatch.setattr(gait_training, "ENVIRONMENTS", 8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of a short training with a seed of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gait_training, "ENVIRONMENTS", 8)
        return training.train("gait", seed=5, out=tmp_path_factory.mktemp("gait"), steps=400)


def test_training_writes_weights_and_a_card_that_load(trained):
    policy = load_policy("gait", "spot", OBSERVATION, ACTION, trained)
    assert policy(np.zeros(OBSERVATION_SIZE)).shape == (12,)
    assert policy.card is not None
    assert policy.card.robot == "spot"
    noted = policy.card.training
    assert noted.seed == 5
    assert noted.command == "./hrl train gait --seed 5 --steps 400"
    assert noted.tasks == "gait.yaml"
    assert noted.tasks_sha256 == hash_of(TrainingRun(skill="gait", seed=0, out=trained).task_file)
    assert noted.init_sha256 is None
    assert noted.resumed == 0


def test_curves_of_the_reward_are_written_for_tensorboard(trained):
    events = EventAccumulator(str(trained / "curves"))
    events.Reload()
    rewards = events.Scalars("reward")
    assert [event.step for event in rewards] == [192, 384, 576]
    assert all(np.isfinite(event.value) for event in rewards)


@pytest.mark.slow
def test_training_resumes_from_its_checkpoint_as_it_was_asked_for(trained, tmp_path):
    training.train("gait", seed=3, out=tmp_path, steps=200)
    before = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]["steps"]
    training.train("gait", out=tmp_path, steps=600, resume=True)
    card = load_policy("gait", "spot", OBSERVATION, ACTION, tmp_path).card
    assert card is not None
    assert before < 600 <= card.training.steps
    assert card.training.command == "./hrl train gait --seed 3 --steps 600"
    assert card.training.resumed == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 4}, r"checkpoint.pt is of seed 5; seed 4 needs a new run in another --out"),
        ({"init": SHIPPED}, r"is of init None; init .*policies/spot/gait needs a new run"),
    ],
)
def test_a_resume_of_another_run_is_refused(trained, options, message):
    with pytest.raises(ConfigError, match=message):
        training.train("gait", out=trained, resume=True, **options)


def test_resuming_without_a_whole_checkpoint_says_what_is_wrong(tmp_path):
    with pytest.raises(ConfigError, match=r"checkpoint.pt does not exist; train first"):
        training.train("gait", out=tmp_path, steps=200, resume=True)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ConfigError, match=r"checkpoint.pt: not a checkpoint"):
        training.train("gait", out=tmp_path, steps=200, resume=True)


@pytest.mark.slow
def test_a_resume_with_a_changed_task_file_is_refused(tmp_path):
    tasks = tmp_path / "mine.yaml"
    tasks.write_text("skill: gait\n")
    folder = training.train("gait", out=tmp_path / "out", steps=200, tasks=tasks)
    assert load_card(folder / "card.yaml").training.tasks == "mine.yaml"
    tasks.write_text("skill: gait\nsmall: 0.1\n")
    with pytest.raises(ConfigError, match=r"mine.yaml has changed since the run began"):
        training.train("gait", out=folder, steps=400, resume=True)


def test_the_task_file_reaches_the_environment(tmp_path, monkeypatch):
    class Reached(Exception):
        pass

    def note(run):
        raise Reached(run.load_tasks().small)

    monkeypatch.setattr(gait_training, "train", note)
    tasks = tmp_path / "mine.yaml"
    tasks.write_text("skill: gait\nsmall: 0.75\n")
    with pytest.raises(Reached, match="0.75"):
        training.train("gait", out=tmp_path, tasks=tasks)
    tasks.write_text("skill: walk\n")
    with pytest.raises(ConfigError, match=r"mine.yaml:1: skill = 'walk'"):
        training.train("gait", out=tmp_path, tasks=tasks)


def test_a_policy_to_start_from_is_taken_over_exactly(tmp_path, monkeypatch):
    taken = []

    def no_update(run, ppo, title):
        taken.append(ppo.exported())
        ppo.steps = 1

    monkeypatch.setattr("hrl_training.tasks.training.train", no_update)
    training.train("gait", out=tmp_path, steps=200, init=Path("shipped"))
    expected = torch.load(SHIPPED / "weights.pt", weights_only=True)
    assert taken[0].keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(taken[0][name], tensor), name
    assert load_card(tmp_path / "card.yaml").training.init_sha256 == hash_of(SHIPPED / "weights.pt")


@pytest.mark.slow
def test_a_policy_of_another_size_to_start_from_is_refused(trained, tmp_path):
    tensors = torch.load(trained / "weights.pt", weights_only=True)
    tensors["layers.0.weight"] = tensors["layers.0.weight"][:64].clone()
    tensors["layers.0.bias"] = tensors["layers.0.bias"][:64].clone()
    tensors["layers.1.weight"] = tensors["layers.1.weight"][:, :64].clone()
    digest = save_weights(tmp_path, tensors)
    card = load_card(trained / "card.yaml")
    save_card(tmp_path, card.model_copy(update={"sha256": digest}))
    with pytest.raises(ConfigError, match=r"--init .*layers.\d.\w+ has shape .*; allowed is"):
        training.train("gait", out=tmp_path / "out", init=tmp_path)
    with pytest.raises(PolicyError, match=r"nowhere/card.yaml"):
        training.train("gait", out=tmp_path / "out", init=tmp_path / "nowhere")


@pytest.mark.slow
def test_a_signal_ends_a_run_with_a_whole_checkpoint(tmp_path, monkeypatch):
    def interrupt(self, name, *_):
        if name == "reward":
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("torch.utils.tensorboard.writer.SummaryWriter.add_scalar", interrupt)
        with pytest.raises(TrainingInterrupted, match="stopped after 192 of 600 steps"):
            training.train("gait", out=tmp_path, steps=600)
    training.train("gait", out=tmp_path, resume=True)
    card = load_card(tmp_path / "card.yaml")
    assert card.training.steps == 768
    assert card.training.command == "./hrl train gait --seed 0 --steps 600"


@pytest.mark.slow
def test_the_command_says_how_to_go_on_after_an_interruption(tmp_path):
    command = [sys.executable, "-m", "hrl_training.cli.train", "gait", "--out", str(tmp_path / "o")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        curves = tmp_path / "o" / "curves"
        while process.poll() is None and not list(curves.glob("*")):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == training.INTERRUPTED
    assert f"with: ./hrl train gait --resume --out {tmp_path / 'o'}" in errors.decode()
    assert (tmp_path / "o" / "checkpoint.pt").is_file()


def test_what_is_installed_is_the_next_version(trained, tmp_path, monkeypatch):
    shutil.copytree(SHIPPED, tmp_path / "spot" / "gait")
    (tmp_path / "spot" / "gait" / SUCCESS_MODEL).write_text("of the weights before")
    before = load_card(SHIPPED / "card.yaml").version.split(".")
    monkeypatch.setattr(training, "policy_folder", lambda skill, robot: tmp_path / robot / skill)
    for _ in range(2):  # a second time it is there already
        folder = training.install("gait", "spot", trained)
        card = load_policy("gait", "spot", OBSERVATION, ACTION, folder).card
        assert card is not None
        assert card.sha256 == hash_of(trained / "weights.pt")
        assert card.version.split(".") == [before[0], str(int(before[1]) + 1), "0"]
        assert not (folder / SUCCESS_MODEL).exists()


def test_what_does_not_load_is_not_installed(trained, tmp_path, monkeypatch):
    broken = shutil.copytree(trained, tmp_path / "broken")
    (broken / "weights.pt").write_bytes(b"broken")
    monkeypatch.setattr(training, "policy_folder", lambda skill, robot: tmp_path / robot / skill)
    with pytest.raises(PolicyError, match="weights.pt: sha256 is"):
        training.install("gait", "spot", broken)
    assert not (tmp_path / "spot").exists()


def test_an_unknown_skill_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown skill 'fly'; known: .*'gait'"):
        training.train("fly")


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="minutes 0 "):
        training.train("gait", minutes=0)


def test_a_gpu_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch finds no GPU here; allowed are auto and cpu"):
        training.train("gait", out=tmp_path, device="cuda")
    assert TrainingRun(skill="gait", seed=0, out=tmp_path).torch_device().type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert TrainingRun(skill="gait", seed=0, out=tmp_path).torch_device().type == "cuda"
    run = TrainingRun(skill="gait", seed=0, out=tmp_path, device="cpu")
    assert run.torch_device().type == "cpu"


@pytest.mark.parametrize("made", [None, {"from": "before the kill"}])
def test_a_resumed_grasp_begins_with_its_clone_whenever_it_was_killed(tmp_path, monkeypatch, made):
    class Reached(Exception):
        pass

    def note(run, env, config, clone, spent):
        raise Reached(clone)

    run = TrainingRun(skill="grasp", seed=0, out=tmp_path)
    run.save_checkpoint({"clone": made})
    monkeypatch.setattr(imitation, "ManipulationEnv", lambda *_, **__: None)
    monkeypatch.setattr(imitation, "ManipulationVec", lambda _: None)
    monkeypatch.setattr(imitation, "_clone", lambda *_: {"from": "a new clone"})
    monkeypatch.setattr(imitation, "train_ppo", note)
    with pytest.raises(Reached, match="before the kill" if made else "a new clone"):
        training.train("grasp", out=tmp_path, resume=True)
