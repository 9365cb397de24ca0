import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from hrl_core.policy.policy import Policy
from hrl_training.rl.actor_critic import ActorCritic, RunningNorm
from hrl_training.rl.policy_gradient import generalised_advantages
from hrl_training.rl.ppo import PPO, PPOConfig, Step, continuation
from hrl_training.rl.run import updates

SMALL = PPOConfig(steps=4096, horizon=8, hidden=(16,), minibatches=2)


class Target:
    """A toy: the action should equal the observation; every fifth step is a time-out or an end."""

    observation_size = 2
    critic_size = 2
    action_size = 2
    mirror = (
        (np.array([0, 1]), np.array([-1.0, 1.0])),
        (np.array([0, 1]), np.array([-1.0, 1.0])),
    )

    def __init__(self, terminates: bool = False, reward: float | None = None) -> None:
        self.num_envs = 64
        self.terminates = terminates
        self.reward = reward
        self._rng = np.random.default_rng(0)
        self._age = 0

    def reset(self):
        return self._observe()

    def step(self, action):
        error = ((action - self._seen) ** 2).sum(1)
        reward = -error if self.reward is None else np.full(self.num_envs, self.reward)
        self._age += 1
        over = np.full(self.num_envs, self._age % 5 == 0)
        never = np.zeros(self.num_envs, dtype=bool)
        terminated, truncated = (over, never) if self.terminates else (never, over)
        observation, critic = self._observe()
        return Step(
            observation,
            critic,
            reward.astype(np.float32),
            terminated,
            truncated,
            critic,
            {"error": float(error.mean())},
        )

    def _observe(self):
        self._seen = self._rng.uniform(-1, 1, (self.num_envs, 2)).astype(np.float32)
        return self._seen, self._seen


def finish(ppo: PPO) -> None:
    """Train until the budget is used up."""
    for _ in updates(ppo):
        pass


def test_advantages_agree_with_a_hand_worked_example():
    rewards = torch.tensor([[1.0], [2.0], [3.0]])
    values = torch.tensor([[0.5], [1.0], [2.0], [4.0]])
    alive = torch.tensor([[1.0], [0.0], [1.0]])
    # gamma 0.5, lambda 0.5
    # t=2: error 3 + 0.5 * 4 - 2 = 3
    # t=1: ends: error 2 - 1 = 1, nothing from t=2
    # t=0: error 1 + 0.5 * 1 - 0.5 = 1; plus 0.25 * 1 = 1.25
    found = generalised_advantages(rewards, values, 0.5 * alive, 0.25 * alive)
    assert torch.stack(found).ravel().tolist() == [1.25, 1.0, 3.0]


def test_running_statistics_equal_those_of_all_rows():
    rows = torch.randn(300, 3) * torch.tensor([1.0, 5.0, 0.1]) + 2
    norm = RunningNorm(3)
    for part in rows.split(100):
        norm.absorb(part)
    torch.testing.assert_close(norm.mean, rows.mean(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm.variance, rows.var(0, correction=0), atol=1e-3, rtol=1e-3)


def test_it_learns_a_toy():
    ppo = PPO(Target(), replace(SMALL, steps=20_000, learning_rate=1e-2), seed=0)
    errors = [figures["error"] for figures in updates(ppo)]
    assert errors[-1] < 0.25 * errors[0]


@pytest.mark.parametrize(("terminates", "worth"), [(False, 2.0), (True, 1.6125)])
def test_a_time_out_keeps_its_future_and_an_end_does_not(terminates, worth):
    # Reward 1 for ever is worth 1 / (1 - 0.5) = 2. With an end after five steps, the mean over
    # 1 to 5 steps to go, which the observation does not tell, is (1 + 1.5 + ... + 1.9375) / 5.
    config = replace(SMALL, steps=30_000, discount=0.5, learning_rate=1e-2)
    ppo = PPO(Target(terminates, reward=1.0), config, seed=0)
    finish(ppo)
    value = ppo.model.value(2 * torch.rand(500, 2) - 1).mean().item()
    assert value == pytest.approx(worth, abs=0.05)


def test_the_same_seed_gives_the_same_weights():
    weights = []
    for _ in range(2):
        ppo = PPO(Target(), SMALL, seed=3)
        finish(ppo)
        weights.append(torch.cat([p.detach().ravel() for p in ppo.model.parameters()]))
    assert torch.equal(*weights)


def test_the_exported_policy_acts_like_the_trained_one():
    ppo = PPO(Target(), SMALL, seed=0)
    finish(ppo)
    observation = torch.randn(9, 2)
    exported = Policy({name: value.numpy() for name, value in ppo.model.exported().items()})
    expected = ppo.model.mean(observation).detach().numpy()
    np.testing.assert_allclose(exported(observation.numpy()), expected, atol=1e-5)


def test_a_policy_with_a_mirror_is_symmetric_before_and_after_training():
    model = ActorCritic(2, 2, 2, Target.mirror)
    with torch.no_grad():
        for parameter in model.actor.parameters():
            parameter.normal_()
    observation = torch.randn(6, 2)
    flip = torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(model.mean(observation * flip), model.mean(observation) * flip)


def test_training_goes_on_from_a_saved_state():
    first = PPO(Target(), SMALL, seed=0)
    first.config = replace(SMALL, steps=2048)
    finish(first)
    second = PPO(Target(), SMALL, seed=0)
    second.load_state(first.state())
    assert second.steps == 2048
    torch.testing.assert_close(second.model.log_std, first.model.log_std)
    finish(second)
    assert second.steps == SMALL.steps


@functools.cache
def learned() -> dict[str, torch.Tensor]:
    """An exported policy that reaches its targets."""
    ppo = PPO(Target(), replace(SMALL, steps=20_000, learning_rate=1e-2), seed=0)
    finish(ppo)
    return ppo.exported()


def test_another_training_takes_over_policy_and_statistics_exactly():
    tensors = learned()
    other = PPO(Target(), continuation(SMALL), seed=1)
    other.model.adopt(tensors)
    found = other.exported()
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_what_does_not_fit_is_not_taken_over():
    tensors = dict(learned())
    other = PPO(Target(), replace(SMALL, hidden=(8,)), seed=1)
    with pytest.raises(ValueError, match=r"has shape \(.*16.*\); allowed is \(.*8.*\)"):
        other.model.adopt(tensors)
    tensors["mirror_action_sign"] = -tensors["mirror_action_sign"]
    with pytest.raises(ValueError, match=r"mirror_action_sign is \[1, -1\], not \[-1, 1\]"):
        PPO(Target(), SMALL, seed=1).model.adopt(tensors)


def test_a_new_critic_learns_first_and_the_policy_it_judges_does_not_get_worse():
    ppo = PPO(Target(), replace(continuation(SMALL), steps=12_000), seed=1)
    ppo.model.adopt(learned())
    errors, actors = [], []
    for figures in updates(ppo):
        errors.append(figures["error"])
        actors.append(torch.cat([p.detach().clone().ravel() for p in ppo.model.actor.parameters()]))
    frozen = round(0.25 * len(actors))
    assert frozen > 2
    assert all(torch.equal(actors[0], actor) for actor in actors[1:frozen])
    assert not torch.equal(actors[0], actors[-1])
    assert np.mean(errors[-5:]) <= 1.1 * np.mean(errors[:frozen])
    observed = ppo.exported()
    assert torch.equal(observed["observation_mean"], learned()["observation_mean"])


def test_a_resumed_continuation_keeps_its_statistics():
    config = continuation(SMALL)
    first = PPO(Target(), replace(config, steps=1024), seed=1)
    first.model.adopt(learned())
    finish(first)
    state = first.state()
    second = PPO(Target(), replace(PPOConfig.of(state["config"]), steps=2048), seed=1)
    second.load_state(state)
    finish(second)
    std = first.exported()["observation_std"]
    assert torch.equal(second.exported()["observation_std"], std)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_computes_what_the_cpu_computes():
    exported = []
    for device in ("cpu", "cuda"):
        ppo = PPO(Target(), SMALL, seed=3, device=device)
        finish(ppo)
        exported.append({name: tensor.cpu() for name, tensor in ppo.exported().items()})
    for name, tensor in exported[0].items():
        torch.testing.assert_close(exported[1][name], tensor, atol=1e-3, rtol=1e-2)


def test_the_learning_rate_falls_linearly_to_its_final_value():
    ppo = PPO(Target(), SMALL, seed=0)
    rates = [ppo.optimiser.param_groups[0]["lr"] for _ in updates(ppo)]
    assert rates[0] == SMALL.learning_rate
    assert rates[-1] == pytest.approx(SMALL.final_learning_rate)
    assert all(later <= earlier for earlier, later in zip(rates, rates[1:], strict=False))


def test_exploration_narrows_to_the_final_spread_where_asked():
    config = replace(SMALL, narrow_from=0.5, final_std=0.05, lowest_log_std=-4.0)
    ppo = PPO(Target(), config, seed=0)
    spreads = [figures["std"] for figures in updates(ppo)]
    assert spreads[len(spreads) // 2 - 1] > 0.25
    assert spreads[-1] == pytest.approx(0.05, rel=1e-3)
