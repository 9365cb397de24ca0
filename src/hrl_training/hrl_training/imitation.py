"""Behaviour cloning with injected noise: the teacher labels what the noise leads to.

PPO from scratch never grasped (the noise that exploration needs is as large as the clearance of
the jaws); cloning a teacher whose actions are disturbed while it acts does in a minute
(after Laskey et al., DART, 2017).
"""

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import Progress
from torch import nn

from hrl_skills import grasp, place
from hrl_skills.manipulation import ACTION
from hrl_skills.policy import Policy
from hrl_skills.skill import TICK
from hrl_training.envs.manipulation_env import BANK_KEYS, ManipulationEnv
from hrl_training.teachers import GraspTeacher, PlaceTeacher
from hrl_training.training_run import TrainingRun, save_policy

ENVIRONMENTS = 64
STEPS = 48_000  # control steps over all environments
NOISE = np.array([0.2] * 5 + [0.06])  # sd of the action noise
NOISY_SHARE = 0.5  # of the steps
EPOCHS, BATCH, LEARNING_RATE = 40, 512, 1e-3
HIDDEN = 128
BANK = 400  # held items that place starts from
LIMITS = (
    "boxes and cylinders of half width 2.4 to 4.4 cm, height 6 to 13 cm, 0.1 to 0.8 kg, "
    "friction 0.5 to 1.2, boards 0.25 to 0.75 m high",
    "the robot stands 0.68 to 0.82 m in front of the face; neighbours 15 cm away or more",
)
LICENCE = "trained on MuJoCo Menagerie's Spot (BSD-3-Clause); the weights are Apache-2.0"


@dataclass
class Clone:
    """A cloned policy and what it cost: what a card wants to know."""

    tensors: dict[str, torch.Tensor]
    steps: int
    seconds: float

    def exported(self) -> dict[str, torch.Tensor]:
        """The tensors that hrl_skills.policy runs."""
        return self.tensors


def train_grasp(run: TrainingRun) -> None:
    """Clone the grasp teacher and write weights and card."""
    _train(run, "grasp", None)


def train_place(run: TrainingRun) -> None:
    """Clone the place teacher, starting from items that the grasp teacher holds."""
    _train(run, "place", held_items(BANK, run.seed + 1))


def _train(run: TrainingRun, task: str, bank: dict | None) -> None:
    begun = time.monotonic()
    env = ManipulationEnv(task, ENVIRONMENTS, run.seed, bank)
    steps = run.steps or STEPS
    observations, actions, seen = collect(env, steps, run.seed, run.minutes)
    tensors = fit(observations, actions, run.seed)
    skill = grasp if task == "grasp" else place
    seconds = time.monotonic() - begun
    save_policy(
        run,
        Clone(tensors, len(actions), seconds),
        observation=skill.OBSERVATION,
        action=ACTION,
        max_steps=skill.MAX_STEPS,
        rate=1 / TICK,
        limits=LIMITS,
        licence=LICENCE,
    )
    print(f"{task}: teacher with noise: {dict(seen)}; {seconds:.0f} s")
    policy = Policy({name: tensor.numpy() for name, tensor in tensors.items()})
    print(f"{task}: policy, 200 fresh episodes: {dict(rollouts(task, policy, 200, 10_000, bank))}")


def make_teacher(env: ManipulationEnv):
    """The teacher of the environment's task as a function of what `sense` returns."""
    if env.task == "grasp":
        teacher = GraspTeacher(env.kinematics, env.count)
        return teacher, lambda hand, item: teacher.act(hand, item, env.held)
    placing = PlaceTeacher(env.count)
    return placing, lambda hand, item: placing.act(hand, item, env.target_in_base())


def collect(
    env: ManipulationEnv, steps: int, seed: int, minutes: float = np.inf
) -> tuple[np.ndarray, np.ndarray, Counter]:
    """Observations and the teacher's clean actions along disturbed ways; counts how they end."""
    rng = np.random.default_rng(seed)
    teacher, label = make_teacher(env)
    observations, actions, ends = [], [], Counter()
    deadline = time.monotonic() + 60 * minutes
    with Progress() as progress:
        bar = progress.add_task(f"{env.task}: teacher", total=steps)
        for _ in range(max(1, steps // env.count)):
            observation, hand, item = env.sense()
            action = label(hand, item)
            observations.append(observation)
            actions.append(action.astype(np.float32))
            noisy = rng.random((env.count, 1)) < NOISY_SHARE
            noise = rng.normal(size=action.shape) * NOISE * noisy
            ended = env.step(hand, action + noise)
            ends.update(_counts(ended))
            teacher.reset(ended.any)
            env.reset(ended.any)
            progress.advance(bar, env.count)
            if time.monotonic() > deadline:
                break
    return np.concatenate(observations), np.concatenate(actions), ends


def fit(observations: np.ndarray, actions: np.ndarray, seed: int) -> dict[str, torch.Tensor]:
    """Fit a 128-128 ReLU network by least squares; returns the tensors of the policy file."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    x, y = torch.from_numpy(observations), torch.from_numpy(actions)
    mean, std = x.mean(0), x.std(0).clamp(min=0.05)
    z = ((x - mean) / std).clamp(-8, 8)
    network = nn.Sequential(
        nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
        nn.Linear(HIDDEN, y.shape[1]),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS, 1e-5)
    with Progress() as progress:
        bar = progress.add_task("clone", total=EPOCHS)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(z)).split(BATCH):
                # Beyond its range an action is clipped: only the part within it is to be learned.
                loss = ((network(z[rows]).clamp(-1.3, 1.3) - y[rows]) ** 2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
            progress.advance(bar)
    tensors = {"observation_mean": mean, "observation_std": std}
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    for k, layer in enumerate(linear):
        tensors[f"layers.{k}.weight"] = layer.weight.detach().clone()
        tensors[f"layers.{k}.bias"] = layer.bias.detach().clone()
    return tensors


def rollouts(task: str, policy, episodes: int, seed: int, bank: dict | None = None) -> Counter:
    """How fresh episodes of a policy end; every environment gives equally many."""
    count = 50
    env = ManipulationEnv(task, count, seed, bank, near=0.0)
    left = np.full(count, episodes // count)
    ends: Counter = Counter()
    while (left > 0).any():
        observation, hand, _ = env.sense()
        ended = env.step(hand, np.clip(policy(observation), -1, 1))
        ends.update(_counts(ended, left > 0))
        left -= ended.any
        env.reset(ended.any)
    return ends


def held_items(count: int, seed: int) -> dict:
    """States in which the grasp teacher holds an item: the bank that place starts from."""
    env = ManipulationEnv("grasp", ENVIRONMENTS, seed, near=0.0)
    teacher, label = make_teacher(env)
    found: list[dict] = []
    with Progress() as progress:
        bar = progress.add_task("place: items to hold", total=count)
        while sum(len(part["qpos"]) for part in found) < count:
            _, hand, item = env.sense()
            ended = env.step(hand, label(hand, item))
            rows = np.flatnonzero(ended.success)
            if len(rows):
                found.append(env.snapshot(rows))
                progress.advance(bar, len(rows))
            teacher.reset(ended.any)
            env.reset(ended.any)
    return {key: np.concatenate([part[key] for part in found]) for key in BANK_KEYS}


def _counts(ended, rows: np.ndarray | None = None) -> dict[str, int]:
    mask = True if rows is None else rows
    return {
        name: int((getattr(ended, name) & mask).sum()) for name in ("success", "failure", "timeout")
    }
