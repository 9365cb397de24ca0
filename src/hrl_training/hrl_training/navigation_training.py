"""How walk and approach are trained: size of the batch, length, and what their cards say."""

from hrl_skills import approach, walk
from hrl_skills.skill import TICK
from hrl_training.envs.approach_env import ApproachEnv
from hrl_training.envs.walk_env import WalkEnv
from hrl_training.evaluation.tasks import ApproachTasks, WalkTasks
from hrl_training.ppo import PPOConfig
from hrl_training.training_run import TrainingRun, save_policy, train_ppo

ENVIRONMENTS = 256
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
APPROACH = PPOConfig(steps=4_000_000, discount=0.98, **COMMON)
WALK = PPOConfig(steps=6_000_000, discount=0.99, **COMMON)
LICENCE = "trained in a planar model identified from this project's own gait; Apache-2.0"
LIMITS = (
    "flat floor; speeds and slew limits of the robot file, response of the shipped gait",
    "meant to run behind the shield; obstacles that the scan misses are not avoided",
)


def train_approach(run: TrainingRun) -> None:
    """Train the approach policy and write its weights and card."""
    tasks = run.load_tasks()
    assert isinstance(tasks, ApproachTasks), "the task file of approach"
    ppo = train_ppo(run, ApproachEnv(ENVIRONMENTS, run.seed, tasks=tasks), APPROACH)
    save_policy(
        run,
        ppo,
        observation=approach.OBSERVATION,
        action=approach.ACTION,
        max_steps=approach.MAX_STEPS,
        rate=1 / TICK,
        limits=(
            *LIMITS,
            "starts up to 3 m away in front of the target, turned away by up to 100 deg",
            "a clear way beside what stands about; it plans none round a row of things",
        ),
        licence=LICENCE,
    )


def train_walk(run: TrainingRun) -> None:
    """Train the walk policy and write its weights and card."""
    tasks = run.load_tasks()
    assert isinstance(tasks, WalkTasks), "the task file of walk"
    ppo = train_ppo(run, WalkEnv(ENVIRONMENTS, run.seed, tasks=tasks), WALK)
    save_policy(
        run,
        ppo,
        observation=walk.OBSERVATION,
        action=walk.ACTION,
        max_steps=walk.MAX_STEPS,
        rate=1 / TICK,
        limits=(
            *LIMITS,
            "goals up to 15 m away over known ground; needs a way at least 0.64 m wide",
            "people who stop for the robot at 0.2 m or more",
        ),
        licence=LICENCE,
    )
