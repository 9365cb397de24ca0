"""How the skills that only walk are trained: batch, length, and what their cards say."""

from collections.abc import Callable
from dataclasses import dataclass

from hrl_core.control import TICK
from hrl_core.policy.policy import ActionField, Field
from hrl_skills import align, approach, approach_observation, back_out, walk, walk_observation
from hrl_training.rl.ppo import PPOConfig, VectorEnv
from hrl_training.tasks.navigation.align_env import AlignEnv
from hrl_training.tasks.navigation.approach_env import ApproachEnv
from hrl_training.tasks.navigation.back_out_env import BackOutEnv
from hrl_training.tasks.navigation.walk_env import WalkEnv
from hrl_training.tasks.training import TrainingRun, save_policy, train_ppo


@dataclass(frozen=True)
class Recipe:
    """What one skill's training has of its own."""

    environment: Callable[..., VectorEnv]
    ppo: PPOConfig
    observation: tuple[Field, ...]
    action: tuple[ActionField, ...]
    max_steps: int
    limits: tuple[str, ...]  # for the card
    environments: int = 256


COMMON = {
    "horizon": 32,
    "epochs": 4,
    "minibatches": 4,
    "learning_rate": 1e-3,
    "final_learning_rate": 1e-4,
    "anneal_until": 1.0,
    "entropy_weight": 0.002,
    "gradient_norm": 0.7,
    "initial_std": 0.5,
}
LICENCE = "trained in a planar model identified from this project's own gait; Apache-2.0"
LIMITS = (
    "flat floor; speeds and slew limits of the robot file, response of the shipped gait",
    "meant to run behind the shield; obstacles that the scan misses are not avoided",
)
RECIPES = {
    "walk": Recipe(
        WalkEnv,
        PPOConfig(steps=6_000_000, discount=0.99, **COMMON),
        walk_observation.OBSERVATION,
        walk_observation.ACTION,
        walk.MAX_STEPS,
        (
            *LIMITS,
            "goals up to 15 m away over known ground; needs a way at least 0.64 m wide",
            "people who stop for the robot at 0.2 m or more",
        ),
    ),
    "approach": Recipe(
        ApproachEnv,
        PPOConfig(steps=4_000_000, discount=0.98, **COMMON),
        approach_observation.OBSERVATION,
        approach_observation.ACTION,
        approach.MAX_STEPS,
        (
            *LIMITS,
            "starts up to 3 m away in front of the target, turned away by up to 100 deg",
            "a clear way beside what stands about; it plans none round a row of things",
        ),
    ),
    "align": Recipe(
        AlignEnv,
        PPOConfig(steps=2_000_000, discount=0.98, **COMMON),
        approach_observation.OBSERVATION,
        approach_observation.ACTION,
        align.MAX_STEPS,
        (
            *LIMITS,
            "starts within 1 m of the standoff, turned away by up to 50 deg",
            "the localisation has to be known to 1.5 cm where the marker is out of sight",
        ),
    ),
    "back_out": Recipe(
        BackOutEnv,
        PPOConfig(steps=400_000, horizon=32, discount=0.97, hidden=(32, 32)),
        back_out.OBSERVATION,
        back_out.ACTION,
        back_out.MAX_STEPS,
        ("flat floor; what stands behind the robot is left to the shield",),
        environments=128,
    ),
}


def train(run: TrainingRun) -> None:
    """Train the policy of a skill and write its weights and card."""
    recipe = RECIPES[run.skill]
    env = recipe.environment(recipe.environments, run.seed, run.load_tasks(), robot=run.robot)
    save_policy(
        run,
        train_ppo(run, env, recipe.ppo),
        observation=recipe.observation,
        action=recipe.action,
        max_steps=recipe.max_steps,
        rate=1 / TICK,
        limits=recipe.limits,
        licence=LICENCE,
    )
