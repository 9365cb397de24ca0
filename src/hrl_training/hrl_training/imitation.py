"""Training of grasp and place: clone a script along disturbed ways, then improve the clone by PPO.

PPO from scratch never grasped (the noise that exploration needs is as large as the clearance of
the jaws); cloning a script whose actions are disturbed while it acts does in a minute
(after Laskey et al., DART, 2017). What the script does not handle (noise, sway, slip) the clone
then learns by itself, and to be quicker.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from typing import cast

import numpy as np
import torch
from rich.progress import Progress
from torch import nn

from hrl_skills import grasp, place
from hrl_skills.manipulation import ACTION
from hrl_skills.policy import Policy
from hrl_skills.skill import TICK
from hrl_training.envs.manipulation_draws import Episodes
from hrl_training.envs.manipulation_env import Ended, ManipulationEnv
from hrl_training.envs.manipulation_vec import ManipulationVec
from hrl_training.evaluation.tasks import GraspTasks, PlaceTasks, load_tasks
from hrl_training.ppo import PPO, PPOConfig
from hrl_training.scripts_manipulation import make_script
from hrl_training.training_run import TrainingInterrupted, TrainingRun, save_policy, train_ppo

ENVIRONMENTS = 64
CLONING_STEPS = 48_000  # control steps over all environments
NOISE = np.array([0.2] * 5 + [0.06])  # sd of the action noise
NOISY_SHARE = 0.5  # of the steps
EPOCHS, BATCH, LEARNING_RATE = 25, 512, 1e-3
HIDDEN = 128
BANK = 400  # held items that place starts from
EPISODES = 200  # fresh ones, to look at the result
CONFIG = PPOConfig(
    steps=200_000,
    horizon=32,
    epochs=4,
    minibatches=4,
    learning_rate=2e-4,
    final_learning_rate=3e-5,
    anneal_until=1.0,
    normalise_until=0.1,
    critic_first=0.08,
    entropy_weight=0.0,
    discount=0.98,
    initial_std=0.15,
    lowest_log_std=-2.5,
    narrow_from=0.5,
    final_std=0.09,
    hidden=(HIDDEN, HIDDEN),
)
LIMITS = (
    "boxes and cylinders of half width 2 to 4 cm, height 7 to 13 cm, 0.1 to 1.5 kg, "
    "friction 0.6 to 1.2, boards 0.2 to 1.0 m high",
    "the robot stands 0.75 m in front of the face, give or take 5 cm and 0.08 rad",
    "neighbours and walls 5 cm away or more, none in front of the item",
)
LICENCE = "trained on MuJoCo Menagerie's Spot (BSD-3-Clause); the weights are Apache-2.0"


def train_grasp(run: TrainingRun) -> None:
    """Train the grasp policy and write weights and card."""
    _train(run, None)


def train_place(run: TrainingRun) -> None:
    """Train the place policy, starting from items that the grasp script holds."""
    tasks = cast(PlaceTasks, run.load_tasks())
    _train(run, held_items(BANK, run.seed + 1, _grasps_before(tasks)))


def _grasps_before(tasks: PlaceTasks) -> GraspTasks:
    """Grasps of the items that are to be placed, off boards as high as the stations."""
    grasps = cast(GraspTasks, load_tasks("grasp"))
    bins = grasps.bin.model_copy(
        update={"board_height": tasks.board_height, "walls": 0.0, "neighbours": (0, 0)}
    )
    return grasps.model_copy(update={"item": tasks.item, "stand": tasks.stand, "bin": bins})


def _train(run: TrainingRun, bank: Episodes | None) -> None:
    tasks = cast(GraspTasks | PlaceTasks, run.load_tasks())

    def make_env(seed: int) -> ManipulationEnv:
        return ManipulationEnv(run.skill, ENVIRONMENTS, seed, bank, tasks=tasks)

    state = run.load_checkpoint()
    begins = replace(run, resume=False) if state is None or "clone" in state else run
    clone, spent = None, 0.0
    if begins.init is None and not begins.resume:
        if state is None or state["clone"] is None:
            begun = time.monotonic()
            clone = _clone(begins, make_env(run.seed))
            spent = time.monotonic() - begun
        else:
            clone = state["clone"]
    ppo = train_ppo(begins, ManipulationVec(make_env(run.seed + 1)), CONFIG, clone, spent)
    _save(run, ppo)
    policy = Policy({name: tensor.cpu().numpy() for name, tensor in ppo.exported().items()})
    ends = rollouts(run.skill, policy, EPISODES, 10_000, bank, tasks)
    print(f"{run.skill}: policy, {EPISODES} fresh episodes: {dict(ends)}")


def _clone(run: TrainingRun, env: ManipulationEnv) -> dict[str, torch.Tensor]:
    """A policy that acts as the script does; a kill before it is done costs all of it."""
    run.save_checkpoint({"clone": None})
    steps = min(CLONING_STEPS, run.steps or CLONING_STEPS)
    with run.interruptible(), run.curves() as curves:

        def stop() -> bool:
            return run.interrupted

        observations, actions, seen = collect(env, steps, run.seed, stop)
        print(f"{run.skill}: script with noise: {dict(seen)}")
        tensors = fit(observations, actions, run.seed, curves, stop)
        if run.interrupted:
            raise TrainingInterrupted("stopped while cloning")
    run.save_checkpoint({"clone": tensors})
    return tensors


def _save(run: TrainingRun, ppo: PPO) -> None:
    skill = grasp if run.skill == "grasp" else place
    save_policy(
        run,
        ppo,
        observation=skill.OBSERVATION,
        action=ACTION,
        max_steps=skill.MAX_STEPS,
        rate=1 / TICK,
        limits=LIMITS,
        licence=LICENCE,
    )


def never() -> bool:
    return False


def collect(
    env: ManipulationEnv, steps: int, seed: int, stop: Callable[[], bool] = never
) -> tuple[np.ndarray, np.ndarray, Counter]:
    """Observations and the script's clean actions along disturbed ways; counts how they end."""
    rng = np.random.default_rng(seed)
    script = make_script(env.task, env.robot, env.count)
    observations, actions, ends = [], [], Counter()
    with Progress() as progress:
        bar = progress.add_task(f"{env.task}: script", total=steps)
        for _ in range(max(1, steps // env.count)):
            observation, hand, _ = env.sense()
            action = script(observation)
            observations.append(observation)
            actions.append(action.astype(np.float32))
            noisy = rng.random((env.count, 1)) < NOISY_SHARE
            noise = rng.normal(size=action.shape) * NOISE * noisy
            ended = env.step(hand, action + noise)
            ends.update(_counts(ended))
            script.reset(ended.any)
            env.reset(ended.any)
            progress.advance(bar, env.count)
            if stop():
                break
    return np.concatenate(observations), np.concatenate(actions), ends


def fit(
    observations: np.ndarray,
    actions: np.ndarray,
    seed: int,
    curves: Callable[[dict[str, float], int], None],
    stop: Callable[[], bool] = never,
) -> dict[str, torch.Tensor]:
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
        for epoch in range(EPOCHS):
            losses = []
            for rows in torch.randperm(len(z)).split(BATCH):
                # Beyond its range an action is clipped: only the part within it is to be learned.
                loss = ((network(z[rows]).clamp(-1.3, 1.3) - y[rows]) ** 2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(float(loss.detach()))
            schedule.step()
            curves({"clone_loss": float(np.mean(losses))}, epoch)
            progress.advance(bar)
            if stop():
                break
    tensors = {"observation_mean": mean, "observation_std": std}
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    for k, layer in enumerate(linear):
        tensors[f"layers.{k}.weight"] = layer.weight.detach().clone()
        tensors[f"layers.{k}.bias"] = layer.bias.detach().clone()
    return tensors


def rollouts(
    task: str,
    policy: Callable[[np.ndarray], np.ndarray],
    episodes: int,
    seed: int,
    bank: Episodes | None = None,
    tasks: GraspTasks | PlaceTasks | None = None,
) -> Counter:
    """How fresh episodes of a policy end; every environment gives equally many."""
    count = 50
    env = ManipulationEnv(task, count, seed, bank, near=0.0, tasks=tasks)
    left = np.full(count, episodes // count)
    ends: Counter = Counter()
    while (left > 0).any():
        observation, hand, _ = env.sense()
        ended = env.step(hand, np.clip(policy(observation), -1, 1))
        ends.update(_counts(ended, left > 0))
        left -= ended.any
        env.reset(ended.any)
    return ends


def held_items(count: int, seed: int, tasks: GraspTasks | None = None) -> Episodes:
    """States in which the grasp script holds an item: the bank that place starts from."""
    env = ManipulationEnv("grasp", ENVIRONMENTS, seed, near=0.0, tasks=tasks)
    script = make_script("grasp", env.robot, ENVIRONMENTS)
    found: list[Episodes] = []
    with Progress() as progress:
        bar = progress.add_task("place: items to hold", total=count)
        while sum(len(part.mass) for part in found) < count:
            observation, hand, _ = env.sense()
            ended = env.step(hand, script(observation))
            rows = np.flatnonzero(ended.success)
            if len(rows):
                found.append(env.snapshot(rows))
                progress.advance(bar, len(rows))
            script.reset(ended.any)
            env.reset(ended.any)
    return Episodes(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in found])
            for field in fields(Episodes)
        }
    )


def _counts(ended: Ended, rows: np.ndarray | None = None) -> dict[str, int]:
    mask = True if rows is None else rows
    return {
        name: int((getattr(ended, name) & mask).sum()) for name in ("success", "failure", "timeout")
    }
