import numpy as np
import pytest

from hrl_core.policy.policy import load_policy
from hrl_core.robot import load_robot
from hrl_skills.gait import ACTION, OBSERVATION, Gait
from hrl_skills.library import policy_folder
from hrl_training.tasks.gait.env import WEIGHTS, GaitEnv, GaitTask

CALM = GaitTask(disturbed=False)


def env_at(command: tuple[float, float, float], n: int = 8, task: GaitTask = CALM) -> GaitEnv:
    env = GaitEnv(n, seed=0, task=task, threads=1)
    env.fixed_commands = True
    env.target[:] = command
    return env


def run(env: GaitEnv, ticks: int) -> np.ndarray:
    """Walk with the shipped policy; True where a robot has fallen."""
    policy = load_policy("gait", "spot", OBSERVATION, ACTION, policy_folder("gait", "spot"))
    observation, _ = env.reset()
    fallen = np.zeros(env.num_envs, dtype=bool)
    for _ in range(ticks):
        step = env.step(policy(observation))
        observation = step.observation
        fallen |= step.terminated
    return fallen


def test_the_same_seed_gives_the_same_course():
    courses = []
    for _ in range(2):
        env = GaitEnv(6, seed=4, threads=1)
        observation, _ = env.reset()
        rng = np.random.default_rng(0)
        seen = [observation]
        for _ in range(60):
            step = env.step(0.3 * rng.normal(size=(6, 12)))
            seen += [step.observation, step.critic, step.reward[:, None]]
        courses.append(np.concatenate([part.ravel() for part in seen]))
    np.testing.assert_array_equal(*courses)
    assert np.isfinite(courses[0]).all()


def test_random_actions_make_it_fall_and_fallen_robots_start_anew():
    env = GaitEnv(16, seed=0, threads=1)
    env.reset()
    rng = np.random.default_rng(0)
    fallen = np.zeros(16, dtype=bool)
    for _ in range(80):
        step = env.step(3 * rng.normal(size=(16, 12)))
        fallen |= step.terminated
        assert not (step.terminated & step.truncated).any()
        assert (env.up[:, 2] > 0.6).all()  # as seen after the reset
    assert fallen.any()


def test_rewards_are_bounded_and_every_term_is_named():
    env = GaitEnv(4, seed=0, threads=1)
    env.reset()
    step = env.step(np.zeros((4, 12)))
    assert set(step.terms) == set(WEIGHTS)
    highest = 0.04 * sum(weight for weight in WEIGHTS.values() if weight > 0)
    assert ((step.reward >= 0) & (step.reward <= highest)).all()


def test_an_episode_ends_by_time_without_being_called_a_fall():
    env = env_at((0.0, 0.0, 0.0), n=2, task=GaitTask(disturbed=False, episode=0.1))
    env.reset()
    ends = [env.step(np.zeros((2, 12))) for _ in range(5)]
    assert [bool(step.truncated.all()) for step in ends] == [False] * 4 + [True]
    assert not any(step.terminated.any() for step in ends)
    # The critic's view of the state that was cut off, not of the one after the reset.
    assert not np.array_equal(ends[-1].final_critic, ends[-1].critic)


@pytest.mark.parametrize("command", [(0.6, 0, 0), (-0.3, 0, 0), (0, 0.3, 0), (0, 0, 0.8)])
def test_the_shipped_gait_follows_a_command(command):
    env = env_at(command)
    assert not run(env, 150).any()
    error = np.abs(env.mean_error).mean(axis=0)
    assert (error < [0.1, 0.1, 0.15]).all(), error


def test_the_environment_and_the_runtime_build_the_same_observation():
    env = env_at((0.4, 0.1, -0.3), n=1)
    seen = []

    def policy(observation: np.ndarray) -> np.ndarray:
        seen.append(observation.copy())
        return np.zeros((1, 12), np.float32)

    robot = load_robot("spot")  # training knows no trim
    legs = robot.legs.model_copy(update={"velocity_trim": (0.0, 0.0, 0.0)})
    gait = Gait(robot.model_copy(update={"legs": legs}), policy)
    observation, _ = env.reset()
    for _ in range(30):
        # At a reset the environment has not yet taken the command in; the runtime does so first.
        if env._age[0] > 0:
            sensed = (env.up[0], env.gyro[0], env.qpos[0, 7:], env.qvel[0, 6:])
            gait.step(np.array([0.4, 0.1, -0.3]), *sensed)
            np.testing.assert_allclose(seen[-1], observation, atol=1e-6)
        observation = env.step(np.zeros((1, 12))).observation
