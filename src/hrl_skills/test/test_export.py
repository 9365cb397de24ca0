import json

import numpy as np
import onnx
import pytest

from hrl_core.config import ConfigError
from hrl_core.policy.card import PolicyError
from hrl_core.policy.network import Network
from hrl_core.policy.onnx_model import onnx_model
from hrl_core.policy.policy import Policy
from hrl_core.policy.runtime import RUNTIMES, onnx_session
from hrl_skills import bench_policies
from hrl_skills import export as exporting
from hrl_skills.export import export, parity, probes
from hrl_skills.library import load_policy_of

NAMES = ("gait", "walk", "approach", "grasp", "place", "align", "back_out")


@pytest.fixture(scope="module", params=NAMES)
def policy(request):
    return load_policy_of(request.param, "spot")


def test_all_runtimes_give_the_same_actions_even_far_outside_of_training(policy):
    observations = probes(policy)
    expected = Policy(policy.tensors, policy.card, "numpy")(observations)
    for runtime in RUNTIMES:
        found = Policy(policy.tensors, policy.card, runtime)(observations)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=runtime)


def test_an_exported_file_computes_the_policy_and_says_what_it_is(policy, tmp_path):
    differences = export(policy, tmp_path / "policy.onnx")
    assert max(differences.values()) < 1e-4
    model = onnx.load(tmp_path / "policy.onnx")
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["skill"] == policy.card.skill
    assert properties["sha256"] == policy.card.sha256
    sizes = [part["size"] for part in json.loads(properties["observation"])]
    assert sum(sizes) == policy.observation_size
    observation = policy.network.mean[None] + policy.network.std
    action = onnx_session((tmp_path / "policy.onnx").read_bytes())(observation)
    np.testing.assert_allclose(action, policy(observation), atol=1e-6)


def test_a_model_that_computes_something_else_is_found_out(policy):
    other = dict(policy.tensors)
    other["layers.1.bias"] = other["layers.1.bias"] + 0.01
    limits = policy.network.low, policy.network.high
    model = onnx_model(Network.of(other, *limits)).SerializeToString()
    assert min(parity(policy, model).values()) > 1e-4


def test_nothing_is_written_where_actions_differ(monkeypatch, tmp_path):
    monkeypatch.setattr(exporting, "parity", lambda *_: {"numpy": 0.01, "torch": 0.0})
    with pytest.raises(PolicyError, match=r"actions differ by 1.0e-02; allowed is 1e-04"):
        export(load_policy_of("walk", "spot"), tmp_path / "walk.onnx")
    assert not list(tmp_path.iterdir())


def test_the_environment_chooses_the_runtime_and_an_unknown_one_is_refused(monkeypatch):
    monkeypatch.setenv("HRL_RUNTIME", "abacus")
    with pytest.raises(ConfigError, match=r"unknown runtime 'abacus'; known: \['numpy', 'onnx'"):
        load_policy_of("walk", "spot")
    monkeypatch.setenv("HRL_RUNTIME", "half")
    monkeypatch.setitem(RUNTIMES, "half", lambda _: lambda rows: np.full((len(rows), 3), 0.5))
    policy = load_policy_of("walk", "spot")
    assert policy(np.zeros(policy.observation_size)).tolist() == [0.5, 0.5, 0.5]


def test_the_cost_of_each_policy_is_measured_for_all_runtimes(monkeypatch, capsys):
    monkeypatch.setattr(bench_policies, "ROUNDS", 2)
    monkeypatch.setattr(bench_policies, "CALLS", 3)
    bench_policies.main([])
    out = capsys.readouterr().out
    for word in (*NAMES, *(f"{runtime}, us" for runtime in RUNTIMES)):
        assert word in out
    assert out.count("1.0 : ") >= len(NAMES)  # other ratios may happen to be 1.0, too
