import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hrl_skills.policy import (
    ActionField,
    ActionPart,
    Card,
    Field,
    ObservationPart,
    PolicyError,
    Training,
    load_policy,
    save_card,
    save_weights,
)

OBSERVATION = (Field("place", 2, "m"), Field("speed", 1, "m/s"))
ACTION = (ActionField("push", "N"), ActionField("turn", "Nm", -0.5, 0.5))


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "observation_mean": torch.tensor([1.0, 2.0, 3.0]),
        "observation_std": torch.tensor([1.0, 2.0, 0.5]),
        "layers.0.weight": torch.randn(5, 3),
        "layers.0.bias": torch.randn(5),
        "layers.1.weight": torch.randn(2, 5),
        "layers.1.bias": torch.randn(2),
    }


def write(folder: Path, weights: dict[str, torch.Tensor] | None = None) -> Path:
    """A folder `toy` with weights and a card that agree."""
    folder = folder / "toy"
    digest = save_weights(folder, weights or tensors())
    card = Card(
        format=2,
        skill="toy",
        version="1.0.0",
        robot="spot",
        sha256=digest,
        observation=tuple(ObservationPart(**vars(part)) for part in OBSERVATION),
        action=tuple(ActionPart(**vars(part)) for part in ACTION),
        max_steps=10,
        rate_hz=10.0,
        training=Training(command="./hrl train toy", seed=0, steps=1, minutes=0.1),
        figures=(),
        limits=("a toy",),
        licence="none",
    )
    save_card(folder, card)
    return folder


def edit_card(folder: Path, **changes: object) -> None:
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def replace_weights(folder: Path, weights: object) -> None:
    """Write weights and their new hash, whatever they hold."""
    torch.save(weights, folder / "weights.pt")
    edit_card(folder, sha256=hashlib.sha256((folder / "weights.pt").read_bytes()).hexdigest())


def load(folder: Path):
    return load_policy("toy", OBSERVATION, ACTION, folder)


def test_the_loaded_policy_computes_what_torch_computes(tmp_path):
    policy = load(write(tmp_path))
    t = tensors()
    observation = torch.randn(7, 3)
    x = (observation - t["observation_mean"]) / t["observation_std"]
    hidden = torch.relu(x @ t["layers.0.weight"].T + t["layers.0.bias"])
    expected = hidden @ t["layers.1.weight"].T + t["layers.1.bias"]
    expected = torch.stack([expected[:, 0].clamp(-1, 1), expected[:, 1].clamp(-0.5, 0.5)], dim=1)
    action = policy(observation.numpy())
    np.testing.assert_allclose(action, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(policy(observation.numpy()[0]), action[0], atol=1e-6)


def test_a_mirror_in_the_weights_makes_the_policy_symmetric(tmp_path):
    order, sign = torch.tensor([1, 0, 2]), torch.tensor([1, 1, -1], dtype=torch.int8)
    action_order, action_sign = torch.tensor([0, 1]), torch.tensor([1, -1], dtype=torch.int8)
    mirror = {
        "mirror_observation_order": order,
        "mirror_observation_sign": sign,
        "mirror_action_order": action_order,
        "mirror_action_sign": action_sign,
    }
    policy = load(write(tmp_path, {**tensors(), **mirror}))
    seen = np.random.default_rng(0).normal(size=(5, 3))
    mirrored = seen[:, order.numpy()] * sign.numpy()
    np.testing.assert_allclose(policy(mirrored), policy(seen) * action_sign.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, r"weights.pt: sha256 is [0-9a-f]{64}; the card .* allows 0000"),
        ({"sha256": "short"}, r"card.yaml:\d+: sha256 = 'short'"),
        ({"skill": "walk"}, r"card.yaml: skill is 'walk'; allowed here is 'toy'"),
        ({"rate_hz": -1}, r"card.yaml:\d+: rate_hz = -1: .*greater than 0"),
        ({"colour": "red"}, r"card.yaml:\d+: colour = 'red'"),
        (
            {"observation": [{"name": "place", "size": 2, "unit": "m"}]},
            r"card.yaml: observation has 1 parts; allowed are \['place', 'speed'\]",
        ),
        (
            {
                "observation": [
                    {"name": "place", "size": 2, "unit": "cm"},
                    {"name": "speed", "size": 1, "unit": "m/s"},
                ]
            },
            r"observation.0 is .*unit='cm'.*; allowed is .*unit='m'",
        ),
        (
            {
                "action": [
                    {"name": "push", "unit": "N", "low": -1, "high": 1},
                    {"name": "turn", "unit": "Nm", "low": -2, "high": 0.5},
                ]
            },
            r"action.1 is .*low=-2.0.*; allowed is .*low=-0.5",
        ),
    ],
)
def test_a_card_that_disagrees_is_refused(tmp_path, changes, message):
    folder = write(tmp_path)
    edit_card(folder, **changes)
    with pytest.raises(PolicyError, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers.1.weight": torch.zeros(2, 4)}, r"layers.1.weight is \(2, 4\); allowed is \(k, 5"),
        ({"layers.0.bias": torch.zeros(4)}, r"layers.0.bias is \(4,\); allowed is \(5,\)"),
        ({"observation_std": torch.ones(2)}, r"observation_std has shape \(2,\); allowed is \(3,"),
        ({"layers.0.bias": torch.full((5,), torch.nan)}, "layers.0.bias holds NaN or infinity"),
        ({"observation_mean": [1.0, 2.0, 3.0]}, "observation_mean is a list; allowed is a tensor"),
        ({"mirror_action_order": torch.tensor([0, 0])}, "mirror_observation_order must hold"),
    ],
)
def test_weights_that_do_not_fit_are_refused_even_with_the_right_hash(tmp_path, changes, message):
    folder = write(tmp_path)
    replace_weights(folder, {**tensors(), **changes})
    with pytest.raises(PolicyError, match=message):
        load(folder)


def test_weights_with_another_number_of_actions_are_refused(tmp_path):
    folder = write(tmp_path)
    changes = {"layers.1.weight": torch.zeros(3, 5), "layers.1.bias": torch.zeros(3)}
    replace_weights(folder, {**tensors(), **changes})
    with pytest.raises(PolicyError, match="the network gives 3 actions; the card names 2"):
        load(folder)


def test_a_missing_tensor_is_named(tmp_path):
    folder = write(tmp_path)
    weights = tensors()
    del weights["observation_mean"]
    replace_weights(folder, weights)
    with pytest.raises(PolicyError, match="weights.pt: weights: observation_mean is missing"):
        load(folder)


def test_weights_that_would_run_code_are_refused(tmp_path):
    folder = write(tmp_path)
    replace_weights(folder, {"observation_mean": Path("/")})
    with pytest.raises(PolicyError, match="not weights saved by torch"):
        load(folder)


def test_weights_that_are_too_big_are_refused(tmp_path):
    folder = write(tmp_path)
    (folder / "weights.pt").write_bytes(bytes(1_000_001))
    with pytest.raises(PolicyError, match="1000001 bytes; allowed are at most 1000000"):
        load(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(PolicyError, match="card.yaml"):
        load(tmp_path / "nowhere")


def test_an_observation_of_another_shape_is_refused(tmp_path):
    policy = load(write(tmp_path))
    with pytest.raises(ValueError, match=r"shape \(1, 4\); allowed are \(n, 3\) and \(3,\)"):
        policy(np.zeros((1, 4)))
