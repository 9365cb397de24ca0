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

from hrl_core.control import TICK
from hrl_core.policy.policy import Policy
from hrl_core.robot import Robot
from hrl_skills import grasp, place
from hrl_skills.manipulation import ACTION
from hrl_training.rl.ppo import PPO, PPOConfig
from hrl_training.rl.run import train
from hrl_training.tasks.manipulation.cloning import CLONE, Cloning, Demonstration
from hrl_training.tasks.manipulation.ends import counts_of
from hrl_training.tasks.manipulation.env import ManipulationEnv
from hrl_training.tasks.manipulation.episode_draws import Episodes
from hrl_training.tasks.manipulation.ppo_env import ManipulationVec
from hrl_training.tasks.manipulation.script import make_script
from hrl_training.tasks.ranges import GraspTasks, PlaceTasks
from hrl_training.tasks.registry import load_tasks
from hrl_training.tasks.training import TrainingRun, save_policy, train_ppo

ENVIRONMENTS = 64
CLONING_STEPS = 48_000  # control steps over all environments
EPOCHS = 25  # of cloning
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
    _train(run, held_items(BANK, run.seed + 1, _grasps_before(tasks), run.robot))


def make_grasp_env(count: int, seed: int, tasks: GraspTasks) -> ManipulationVec:
    """The environment that PPO improves the clone in."""
    return ManipulationVec(ManipulationEnv("grasp", count, seed, tasks=tasks))


def make_place_env(
    count: int, seed: int, tasks: PlaceTasks, bank: Episodes | None = None
) -> ManipulationVec:
    """The same for place; `bank`: items in the hand to begin with, made from the seed if None."""
    bank = held_items(BANK, seed + 1, _grasps_before(tasks)) if bank is None else bank
    return ManipulationVec(ManipulationEnv("place", count, seed, bank, tasks=tasks))


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
        return ManipulationEnv(run.skill, ENVIRONMENTS, seed, bank, tasks=tasks, robot=run.robot)

    state = run.load_checkpoint()
    begins = replace(run, resume=False) if state is None or CLONE in state else run
    clone, spent = None, 0.0
    if begins.init is None and not begins.resume:
        if state is None or state[CLONE] is None:
            begun = time.monotonic()
            clone = _clone(begins, make_env(run.seed))
            spent = time.monotonic() - begun
        else:
            clone = state[CLONE]
    ppo = train_ppo(begins, ManipulationVec(make_env(run.seed + 1)), CONFIG, clone, spent)
    _save(run, ppo)
    policy = Policy({name: tensor.cpu().numpy() for name, tensor in ppo.exported().items()})
    ends = rollouts(run.skill, policy, EPISODES, 10_000, bank, tasks, run.robot)
    print(f"{run.skill}: policy, {EPISODES} fresh episodes: {dict(ends)}")


def _clone(run: TrainingRun, env: ManipulationEnv) -> dict[str, torch.Tensor]:
    """A policy that acts as the script does; a kill before it is done costs all of it."""
    steps = min(CLONING_STEPS, run.steps or CLONING_STEPS)
    shown = Demonstration(env, steps, run.seed)
    train(run, shown, f"{run.skill}: script")
    print(f"{run.skill}: script with noise: {dict(shown.ends)}")
    clone = Cloning(*shown.pairs(), run.seed, EPOCHS, HIDDEN)
    train(run, clone, f"{run.skill}: clone")
    return clone.exported()


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


def rollouts(
    task: str,
    policy: Callable[[np.ndarray], np.ndarray],
    episodes: int,
    seed: int,
    bank: Episodes | None = None,
    tasks: GraspTasks | PlaceTasks | None = None,
    robot: Robot | None = None,
) -> Counter:
    """How fresh episodes of a policy end; every environment gives equally many."""
    count = 50
    env = ManipulationEnv(task, count, seed, bank, near=0.0, tasks=tasks, robot=robot)
    left = np.full(count, episodes // count)
    ends: Counter = Counter()
    while (left > 0).any():
        observation, hand, _ = env.sense()
        ended = env.step(hand, np.clip(policy(observation), -1, 1))
        ends.update(counts_of(ended, left > 0))
        left -= ended.any
        env.reset(ended.any)
    return ends


def held_items(
    count: int, seed: int, tasks: GraspTasks | None = None, robot: Robot | None = None
) -> Episodes:
    """States in which the grasp script holds an item: the bank that place starts from."""
    env = ManipulationEnv("grasp", ENVIRONMENTS, seed, near=0.0, tasks=tasks, robot=robot)
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
