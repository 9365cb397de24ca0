"""Guards by hand, collapse of made-up matrices, and trainings that repeat, resume and learn."""

import math

import numpy as np
import pytest
import torch

from hrl_core.config import ConfigError
from hrl_training.mlsh import command
from hrl_training.mlsh.arms import adapt, arms, masters
from hrl_training.mlsh.experiment import Experiment, load_experiment
from hrl_training.mlsh.guards import distinction, judge, task_information, usage
from hrl_training.mlsh.masters.recurrent import RecurrentConfig, RecurrentMaster
from hrl_training.mlsh.networks import RowAdam
from hrl_training.mlsh.rollout import Fixed, roll_out
from hrl_training.mlsh.tasks.four_rooms import FourRooms
from hrl_training.mlsh.trainer import Collapsed, Trainer

CARD = load_experiment("bandits")
LITTLE = {"episodes": 2, "warmup": 2, "joint": 1, "cycles": 2, "check_every": 0, "option_epochs": 1}
SMALL = Experiment.model_validate({**CARD.model_dump(), **LITTLE})


def weights(trainer: Trainer) -> np.ndarray:
    networks = (trainer.options.networks, trainer.master.networks)
    return np.concatenate(
        [p.detach().numpy().ravel() for each in networks for p in each.parameters()]
    )


def finished(trainer: Trainer) -> Trainer:
    while trainer.progress < 1:
        trainer.improve()
    return trainer


def test_usage_counts_the_decisions_that_were_made():
    option = torch.tensor([[[0, 1]], [[1, 1]]])  # two decisions of two copies, a task each
    made = torch.tensor([[[True, True]], [[True, False]]])
    assert usage(option, made, 2, 2)[0].tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_task_information_rewards_options_that_tell_tasks_apart():
    told = task_information(torch.tensor([[[0.75, 0.25], [0.25, 0.75]]]))[0]
    expected = [math.log(0.75 / 0.5), math.log(0.25 / 0.5)]
    assert told[0].tolist() == pytest.approx(expected)
    same = task_information(torch.tensor([[[0.9, 0.1], [0.9, 0.1]]]))
    assert torch.allclose(same, torch.zeros_like(same), atol=1e-6)


def test_distinction_is_the_log_of_the_share_that_the_others_give():
    every = torch.log(torch.tensor([[[0.6], [0.2]]]))  # of one action under two options
    assert distinction(every[:, 0], every).item() == pytest.approx(math.log(0.6 / 0.4))
    assert distinction(every[:, 1], every).item() == pytest.approx(math.log(0.2 / 0.4))


def test_forced_returns_decide_whether_options_have_become_one():
    split = judge(np.array([[40.0, 2.0], [3.0, 39.0]]))
    assert not split.collapsed and split.worst == 39.0
    both_serve_the_first = judge(np.array([[40.0, 2.0], [38.0, 4.0]]))
    assert both_serve_the_first.collapsed and both_serve_the_first.neglected == 1
    third_is_a_copy = judge(np.array([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [8.0, 0.0, 0.0]]))
    assert third_is_a_copy.collapsed
    assert (third_is_a_copy.neglected, third_is_a_copy.redundant) == (2, 2)


def test_a_row_of_adam_that_forgets_steps_as_a_fresh_one():
    kept, fresh = (torch.nn.Parameter(torch.ones(2, 1, 1)) for _ in range(2))
    old, new = RowAdam([kept], 0.1), RowAdam([fresh], 0.1)
    for gradient in (1.0, -3.0):
        kept.grad = torch.full_like(kept, gradient)
        old.step()
    old.forget([1])
    before = kept.detach().clone()
    kept.grad, fresh.grad = torch.full_like(kept, 2.0), torch.full_like(fresh, 2.0)
    old.step()
    new.step()
    moved = (kept - before).detach().ravel()
    assert moved[1] == pytest.approx(float(fresh[1].detach().item() - 1.0), abs=1e-6)
    assert moved[0] != pytest.approx(float(moved[1]), abs=1e-3)


def test_the_same_seed_trains_the_same_and_a_resumed_run_as_one_that_was_not_stopped():
    whole, again, first = (Trainer(SMALL, 2, 5) for _ in range(3))
    for _ in range(4):  # in the middle of a cycle
        first.improve()
    resumed = Trainer(SMALL, 2, 77)
    resumed.load_state(first.state())
    found = [weights(finished(each)) for each in (whole, again, resumed)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], weights(finished(Trainer(SMALL, 2, 6))))


def test_a_checkpoint_of_another_card_is_refused_with_the_value():
    other = SMALL.model_copy(update={"option_steps": 5})
    with pytest.raises(ConfigError, match="option_steps is 5; the checkpoint has 10"):
        Trainer(other, 2, 5).load_state(Trainer(SMALL, 2, 5).state())


def test_a_collapse_stops_the_training_or_is_repaired_and_both_say_so(monkeypatch):
    lost, good = judge(np.array([[40.0, 2.0], [36.0, 4.0]])), judge(np.eye(2) * 40)
    monkeypatch.setattr(Trainer, "verdicts", lambda self: [good, lost])
    checked = SMALL.model_copy(update={"check_every": 1})
    stopping = Trainer(checked.model_copy(update={"on_collapse": "stop"}), 2, 0)
    with pytest.raises(
        Collapsed, match="run 1 of the batch: no option gets more than 4.00 of kind 1"
    ):
        finished(stopping)
    repairing = Trainer(checked, 2, 0)
    before = None
    while not repairing.repairs:
        before = repairing.options.networks.policy.weights[0].detach().clone()
        repairing.improve()
    after = repairing.options.networks.policy.weights[0].detach()
    assert "option 1 begins anew and is taught kind 1" in repairing.repairs[0]
    fresh = repairing.options.count * 1 + 1  # of seed 1
    assert before is not None and (after[fresh] - before[fresh]).abs().max() > 0.5


def test_an_option_hands_back_after_its_steps_or_in_a_doorway():
    class North:
        count, seeds = 4, 1

        def act(self, observation, option):
            return option, torch.zeros(option.shape)

    north = Fixed(torch.zeros(1, 50, dtype=torch.long))
    tasks = np.full((1, 1), FourRooms().tasks_of(0, "train")[0])
    plain = roll_out(FourRooms(), np.random.default_rng(0), tasks, 50, north, North(), 25)
    doors = roll_out(FourRooms(True), np.random.default_rng(0), tasks, 50, north, North(), 25)
    assert plain.decisions.made.sum(0).max() == 4
    assert doors.decisions.made.sum(0).max() > 4
    every = plain.decisions.reward.sum(0).view(-1)
    np.testing.assert_allclose(every, plain.reward.sum(0).view(-1), atol=1e-6)


def test_a_recurrent_master_learns_on_training_tasks_and_remembers_over_episodes():
    trainer = Trainer(SMALL, 2, 0)
    config = RecurrentConfig(iterations=2, tasks=4, trial=2, epochs=1)
    master = RecurrentMaster(trainer.family, trainer.options, config, 0)
    before = [p.detach().clone() for p in master.parameters()]
    master.train(SMALL.option_steps)
    pairs = zip(master.parameters(), before, strict=True)
    assert any((now - old).abs().max() > 1e-4 for now, old in pairs)
    tasks, rng = np.zeros((2, 3), int), np.random.default_rng(0)
    kept = []
    for _ in range(2):
        roll_out(trainer.family, rng, tasks, 1, master, trainer.options, SMALL.option_steps)
        kept.append(master.memory)
    assert kept[0].abs().max() > 0 and not torch.equal(*kept)
    master.forget()
    assert master.memory is None


@pytest.mark.slow
def test_sub_policies_of_the_bandits_learn_to_tell_the_points_apart():
    card = arms(CARD)["privileged"].model_copy(update={"cycles": 40})
    trainer = finished(Trainer(card, 2, 1000))
    assert not any(verdict.collapsed for verdict in trainer.verdicts())
    assert min(verdict.worst for verdict in trainer.verdicts()) > 30  # of 43.7
    tasks = trainer.family.draw(np.random.default_rng(0), (2, 4), "test", True)
    for name in [name for name in masters(CARD) if name != "recurrent"]:
        returns = adapt(name, CARD, trainer.options, tasks, 120, 0)
        assert returns[-20:].mean() > 1.2 * returns[:5].mean(), name


def test_an_unknown_family_and_a_wrong_card_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="known: .*bandits.*four_rooms.*aisles"):
        command.main(["--tasks", "ants"])
    card = tmp_path / "card.yaml"
    card.write_text(SMALL.model_dump_json().replace('"option_steps":10', '"option_steps":99'))
    with pytest.raises(ConfigError, match="option_steps 99: allowed are 1 to 50"):
        command.main(["--tasks", str(card)])


@pytest.mark.slow
def test_a_training_leaves_options_and_a_card_and_goes_on(tmp_path):
    card = tmp_path / "small.yaml"
    card.write_text(SMALL.model_dump_json())
    words = ["--tasks", str(card), "--seeds", "2", "--out", str(tmp_path / "out")]
    assert command.main([*words]) in (0, command.COLLAPSED)
    for name in ("options.pt", "card.yaml", "checkpoint.pt", "curves"):
        assert (tmp_path / "out" / name).exists()
    assert command.main([*words, "--resume"]) in (0, command.COLLAPSED)
    with pytest.raises(ConfigError, match="asked is"):
        command.main([*words, "--resume", "--seed", "4"])
