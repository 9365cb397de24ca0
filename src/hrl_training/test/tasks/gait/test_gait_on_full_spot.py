import numpy as np
import pytest

from hrl_core.robot import load_robot
from hrl_skills.library import load_policy_of
from hrl_training.tasks.gait.identify import fit, simulate
from hrl_training.tasks.gait.rig import GaitRig
from hrl_training.tasks.navigation.gait_response import AxisResponse, load_gait_response


@pytest.fixture(scope="module")
def rig() -> GaitRig:
    return GaitRig(
        load_robot("spot"),
        load_policy_of("gait", "spot"),
    )


def test_it_walks_forward_and_stands_after_a_stop(rig):
    rig.reset()
    for _ in range(150):
        rig.step(np.array([0.5, 0.0, 0.0]))
    assert rig.pose[0] == pytest.approx(1.35, abs=0.2)
    for _ in range(75):
        rig.step(np.zeros(3))
    stopped = rig.pose
    assert not rig.gait.walking
    for _ in range(50):
        rig.step(np.zeros(3))
    assert np.linalg.norm((rig.pose - stopped)[:2]) < 0.01
    assert not rig.fallen


def test_a_kick_that_no_gait_survives_is_seen_as_a_fall(rig):
    rig.reset()
    rig.kick(np.array([0.0, 6.0, 0.0]))
    for _ in range(100):
        rig.step(np.zeros(3))
    assert rig.fallen


def test_the_payload_hangs_in_the_gripper(rig):
    rig.reset()
    empty = rig.model.body_mass.sum()
    rig.reset(payload=2.0)
    assert rig.model.body_mass.sum() == pytest.approx(empty + 2.0)


def test_the_fit_finds_the_response_that_made_the_data():
    rng = np.random.default_rng(0)
    commands = np.repeat(rng.uniform(-0.5, 0.9, (6, 20)), 15, axis=1)
    velocities = simulate(commands, 2, 0.4, 0.95) + 0.03 * rng.normal(size=commands.shape)
    found = fit(commands, velocities)
    assert found.delay == 2
    assert found.alpha == pytest.approx(0.4, abs=0.02)
    assert found.gain == pytest.approx(0.95, abs=0.01)
    assert found.noise == pytest.approx(0.03, abs=0.003)
    assert abs(found.noise_correlation) < 0.1


def test_the_response_in_the_repository_is_that_of_the_shipped_weights():
    response = load_gait_response("spot")
    card = load_policy_of("gait", "spot").card
    assert card is not None
    assert response.weights_sha256 == card.sha256
    assert isinstance(response.vx, AxisResponse)
