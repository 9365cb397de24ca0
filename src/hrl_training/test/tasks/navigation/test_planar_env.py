import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from hrl_core.floor.clearance import footprint_clearance
from hrl_core.floor.rays import box_ranges
from hrl_training.tasks.navigation.align_env import AlignEnv
from hrl_training.tasks.navigation.approach_env import ApproachEnv
from hrl_training.tasks.navigation.gait_response import load_gait_response
from hrl_training.tasks.navigation.planar_env import PlanarGym
from hrl_training.tasks.navigation.planar_plant import PlanarPlant
from hrl_training.tasks.navigation.walk_env import WalkEnv

ENVS = [ApproachEnv, AlignEnv, WalkEnv]


@pytest.mark.parametrize("make", ENVS)
def test_the_gymnasium_environment_passes_the_checker(make):
    check_env(PlanarGym(make), skip_render_check=True)


@pytest.mark.parametrize("make", ENVS)
def test_the_same_seed_gives_the_same_rollout(make):
    rollouts = []
    for _ in range(2):
        env, rng = make(8, seed=5), np.random.default_rng(0)
        env.reset()
        steps = [env.step(rng.uniform(-1, 1, (8, 3))) for _ in range(40)]
        rollouts.append([(step.observation, step.reward) for step in steps])
    for (seen, reward), (seen_again, reward_again) in zip(*rollouts, strict=True):
        np.testing.assert_array_equal(seen, seen_again)
        np.testing.assert_array_equal(reward, reward_again)


@pytest.mark.parametrize("make", ENVS)
def test_observations_and_rewards_stay_finite_and_have_their_declared_sizes(make):
    env, rng = make(32, seed=1), np.random.default_rng(1)
    observation, critic = env.reset()
    for _ in range(60):
        assert observation.shape == (32, env.observation_size) and np.isfinite(observation).all()
        assert critic.shape == (32, env.critic_size) and np.isfinite(critic).all()
        step = env.step(rng.uniform(-1, 1, (32, 3)))
        assert np.isfinite(step.reward).all()
        assert not (step.terminated & step.truncated).any()
        observation, critic = step.observation, step.critic


@pytest.mark.parametrize("make", ENVS)
def test_nobody_starts_in_contact(make):
    env = make(200, seed=2)
    env.reset()
    gaps = footprint_clearance(env.plant.pose, env.boxes, env.circles, env.footprint_x, env.radius)
    assert min(gaps[0].min(), gaps[1].min()) > 0


def test_a_robot_that_stands_runs_out_of_time_without_an_end():
    env = ApproachEnv(4, seed=0)
    env.max_steps = 5
    env.reset()
    steps = [env.step(np.zeros((4, 3))) for _ in range(5)]
    assert steps[-1].truncated.all() and not steps[-1].terminated.any()
    assert not any(step.truncated.any() for step in steps[:-1])


def test_rays_meet_boxes_and_circles_where_geometry_says():
    boxes = np.array([[[2.0, -1.0, 3.0, 1.0]]], np.float32)
    circles = np.array([[[0.0, 3.0, 0.5]]], np.float32)
    angles = np.array([[0.0, np.pi / 2, np.pi, np.arctan2(1.5, 2.0)]])
    ranges = box_ranges(np.zeros((1, 2)), angles, boxes, circles, 5.0)
    np.testing.assert_allclose(ranges[0], [2.0, 2.5, 5.0, 5.0], atol=1e-5)


def test_clearance_is_that_of_the_nearest_circle_of_the_footprint():
    boxes = np.array([[[1.0, -5.0, 2.0, 5.0]]], np.float32)
    nobody = np.zeros((1, 0, 3), np.float32)
    circles = np.array([-0.38, 0.0, 0.38])
    ahead = footprint_clearance(np.zeros((1, 3)), boxes, nobody, circles, 0.27)[0]
    aside = footprint_clearance(np.array([[0, 0, np.pi / 2]]), boxes, nobody, circles, 0.27)[0]
    assert ahead[0] == pytest.approx(0.35)
    assert aside[0] == pytest.approx(0.73)


def test_the_plant_reaches_the_commanded_velocity_times_the_gain():
    response = load_gait_response("spot")
    plant = PlanarPlant(400, response, np.random.default_rng(0))
    plant.reset(np.arange(400), np.zeros((400, 3)))
    for _ in range(40):
        plant.step(np.tile([0.5, 0.0, 0.0], (400, 1)))
    assert plant.velocity[:, 0].mean() == pytest.approx(0.5 * response.vx.gain, abs=0.02)
    assert plant.velocity[:, 0].std() == pytest.approx(response.vx.noise, rel=0.6)
