import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from hrl_core.policy.policy import load_policy
from hrl_core.robot import load_robot
from hrl_sim_bridge.plant.robot_model import TOOL, robot_spec
from hrl_skills import grasp, place
from hrl_skills.arm import ArmKinematics
from hrl_skills.library import policy_folder
from hrl_skills.manipulation import ACTION
from hrl_training.tasks.manipulation.env import ManipulationEnv
from hrl_training.tasks.manipulation.episode_draws import Episodes
from hrl_training.tasks.manipulation.gym_env import ManipulationGym
from hrl_training.tasks.manipulation.script import make_script
from hrl_training.tasks.manipulation.train import held_items, rollouts


@pytest.fixture(scope="module")
def bank() -> Episodes:
    return held_items(16, seed=0)


def follow_script(env: ManipulationEnv, ticks: int) -> list[np.ndarray]:
    """Observations along the script's way; episodes that end begin anew."""
    script = make_script(env.task, env.robot, env.count)
    seen = []
    for _ in range(ticks):
        observation, hand, _ = env.sense()
        seen.append(observation)
        ended = env.step(hand, script(observation))
        script.reset(ended.any)
        env.reset(ended.any)
    return seen


@pytest.mark.parametrize("task", ["grasp", "place"])
def test_the_gymnasium_environment_passes_the_checker(task, bank):
    check_env(ManipulationGym(task, bank), skip_render_check=True)


def test_the_same_seed_gives_the_same_course():
    first, second = (
        np.array(follow_script(ManipulationEnv("grasp", 4, seed=3), 50)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()


def test_observations_have_the_declared_size(bank):
    for task, module in (("grasp", grasp), ("place", place)):
        observation, _, _ = ManipulationEnv(task, 2, seed=0, bank=bank).sense()
        assert observation.shape == (2, sum(field.size for field in module.OBSERVATION))


def test_random_actions_do_not_grasp():
    env = ManipulationEnv("grasp", 8, seed=0, near=0.0)
    rng = np.random.default_rng(0)
    successes = 0
    for _ in range(95):
        _, hand, _ = env.sense()
        ended = env.step(hand, rng.uniform(-1, 1, (8, len(ACTION))))
        successes += ended.success.sum()
        env.reset(ended.any)
    assert successes == 0


def test_kinematics_are_those_of_the_model():
    robot = load_robot()
    model = robot_spec(robot, skin=False, cameras=False).compile()
    data = mujoco.MjData(model)
    base = int(model.joint(0).qposadr[0])
    columns = [int(model.joint(name).qposadr[0]) for name in robot.arm.joints]
    rng = np.random.default_rng(0)
    data.qpos[base : base + 7] = [0, 0, 0, 1, 0, 0, 0]
    for _ in range(20):
        joints = rng.uniform(np.maximum(robot.arm.lower, -2.5), np.minimum(robot.arm.upper, 2.5))
        joints[3] = 0.0  # the forearm's roll is held there
        data.qpos[columns] = joints
        mujoco.mj_kinematics(model, data)
        position, rotation = ArmKinematics(robot.arm).forward(joints[None])
        np.testing.assert_allclose(position[0], data.site(TOOL).xpos, atol=1e-9)
        np.testing.assert_allclose(rotation[0].ravel(), data.site(TOOL).xmat, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "module"), [("grasp", grasp), ("place", place)])
def test_the_shipped_policy_succeeds_in_fresh_episodes(task, module, bank):
    policy = load_policy(task, "spot", module.OBSERVATION, ACTION, policy_folder(task, "spot"))
    ends = rollouts(task, policy, 100, seed=4242, bank=bank)
    assert ends["success"] >= 93, dict(ends)
