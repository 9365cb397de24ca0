import hashlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hrl_core.known import known
from hrl_core.policy.card import (
    ActionField,
    ActionPart,
    Card,
    Field,
    Figure,
    ObservationPart,
    PolicyError,
    Training,
    add_training_seed,
    load_card,
    save_card,
)
from hrl_core.policy.policy import load_policy, save_weights
from hrl_skills.library import load_policy_of, policy_folder

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
    return load_policy("toy", "spot", OBSERVATION, ACTION, folder)


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
        ({"version": "new"}, r"card.yaml:\d+: version = 'new'"),
        ({"format": 1}, r"card.yaml:\d+: format = 1: Input should be 2"),
        ({"robot": "go1"}, r"card.yaml: unknown robot 'go1'; known: \['spot'\]"),
        ({"limits": []}, r"card.yaml:\d+: limits = \[\]"),
        (
            {
                "observation": [
                    {"name": "speed", "size": 1, "unit": "m/s"},
                    {"name": "place", "size": 2, "unit": "m"},
                ]
            },
            r"observation.0 is .*name='speed'.*; allowed is .*name='place'",
        ),
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
        ({"observation_mean": [1.0, 2.0, 3.0]}, "observation_mean is a list; allowed are names"),
        ({"mirror_action_order": torch.tensor([0, 0])}, "mirror_observation_order must hold"),
        ({"observation_std": torch.tensor([1.0, 0.0, 1.0])}, "observation_std holds 0.0; allowed"),
        ({"colour": torch.zeros(1)}, r"\['colour'\] are unknown; allowed are"),
        ({"layers.3.weight": torch.zeros(2, 2)}, r"\['layers.3.weight'\] are unknown"),
        ({1: torch.zeros(1)}, "1 is a Tensor; allowed are names with tensors"),
        ({"layers.0.bias": torch.zeros(5).double()}, "layers.0.bias is of torch.float64"),
        ({"layers.0.bias": torch.zeros(5).to_sparse()}, "layers.0.bias is of .*sparse"),
        ({"layers.0.bias": torch.zeros(1).expand(10**9)}, "layers.0.bias has 1000000000 values"),
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


class Malice:
    """Runs code where a pickle is loaded as a pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_weights_that_would_run_code_are_refused_and_do_not_run_it(tmp_path):
    folder = write(tmp_path)
    for save in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))):
        save({"observation_mean": Malice(tmp_path / "ran")}, folder / "weights.pt")
        edit_card(folder, sha256=hashlib.sha256((folder / "weights.pt").read_bytes()).hexdigest())
        with pytest.raises(PolicyError, match="not weights saved by torch"):
            load(folder)
    assert not (tmp_path / "ran").exists()


def test_weights_cut_short_anywhere_are_refused_even_with_the_right_hash(tmp_path):
    folder = write(tmp_path)
    content = (folder / "weights.pt").read_bytes()
    for size in (0, 1, 4, len(content) // 3, len(content) // 2, len(content) - 1):
        (folder / "weights.pt").write_bytes(content[:size])
        with pytest.raises(PolicyError, match="sha256 is"):
            load(folder)
        edit_card(folder, sha256=hashlib.sha256(content[:size]).hexdigest())
        with pytest.raises(PolicyError, match="not weights saved by torch"):
            load(folder)


def test_a_flipped_bit_anywhere_is_refused(tmp_path):
    folder = write(tmp_path)
    content = (folder / "weights.pt").read_bytes()
    for place in np.random.default_rng(0).integers(0, len(content), 25):
        broken = bytearray(content)
        broken[place] ^= 1 << int(place) % 8
        (folder / "weights.pt").write_bytes(broken)
        with pytest.raises(PolicyError, match=r"weights.pt: sha256 is .*; the card beside it"):
            load(folder)


def test_random_damage_behind_a_right_hash_never_ends_in_another_error(tmp_path):
    folder = write(tmp_path)
    content = (folder / "weights.pt").read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(30):
        broken = bytearray(content)
        for place in rng.integers(0, len(content), 20):
            broken[place] = int(rng.integers(256))
        (folder / "weights.pt").write_bytes(broken)
        edit_card(folder, sha256=hashlib.sha256(broken).hexdigest())
        try:
            load(folder)
        except PolicyError as error:
            refused += 1
            assert "weights.pt" in str(error)
    assert refused > 15


@pytest.mark.parametrize(
    "content",
    [b"", b"- a list", b"a: [1, 2", b"\xff\xfe\x00", b"&a [*a]", b"{}", b"x", b"\x00", b"[" * 1200],
)
def test_a_card_that_is_no_card_is_refused(tmp_path, content):
    folder = write(tmp_path)
    (folder / "card.yaml").write_bytes(content)
    with pytest.raises(PolicyError, match="card.yaml"):
        load(folder)


@pytest.mark.parametrize("name", ["card.yaml", "weights.pt"])
def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path, name):
    folder = write(tmp_path)
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(PolicyError, match=name):
        load(folder)


def test_weights_and_cards_of_another_skill_or_robot_are_refused(tmp_path):
    with pytest.raises(PolicyError, match="skill is 'grasp'; allowed here is 'place'"):
        load_policy_of("place", "spot", policy_folder("grasp", "spot"))
    with pytest.raises(PolicyError, match="robot is 'spot'; allowed here is 'tim'"):
        load_policy_of("place", "tim", policy_folder("place", "spot"))
    shutil.copy(policy_folder("grasp", "spot") / "weights.pt", tmp_path)
    shutil.copy(policy_folder("place", "spot") / "card.yaml", tmp_path)
    with pytest.raises(PolicyError, match=r"sha256 is .*; the card beside it allows"):
        load_policy_of("place", "spot", tmp_path)


def test_random_edits_of_a_card_never_end_in_another_error(tmp_path):
    folder = write(tmp_path)
    lines = (folder / "card.yaml").read_text().splitlines()
    rng = np.random.default_rng(2)
    for _ in range(25):
        broken = list(lines)
        at = int(rng.integers(len(broken)))
        broken[at] = rng.choice(["", "?", "- ", "seed: .nan", "  x: {", broken[at] + ": 1", "!!x"])
        (folder / "card.yaml").write_text("\n".join(broken))
        try:
            load(folder)
        except PolicyError as error:
            assert "card.yaml" in str(error) or "the card" in str(error)


def test_a_seed_is_noted_in_the_card_and_replaced_when_measured_again(tmp_path):
    shipped, other = write(tmp_path / "a"), write(tmp_path / "b")
    card = load_card(other / "card.yaml")
    training = card.training.model_copy(update={"seed": 7})
    save_card(other, card.model_copy(update={"training": training}))
    figure = Figure(metric="success rate", value=0.9, trials=100, command="./hrl evaluate toy")
    for value in (0.9, 0.95):
        again = figure.model_copy(update={"value": value})
        add_training_seed(shipped, other, again)
        add_training_seed(shipped, shipped, again)
    card = known(load(shipped).card)
    seeds = card.training.seeds
    assert [(one.seed, one.figure.value) for one in seeds] == [(0, 0.95), (7, 0.95)]
    assert seeds[0].sha256 == card.sha256


def test_a_seed_of_another_skill_is_not_noted(tmp_path):
    figure = Figure(metric="success rate", value=0.9, trials=100, command="./hrl evaluate toy")
    with pytest.raises(PolicyError, match="skill is 'walk'; allowed here is 'toy'"):
        add_training_seed(write(tmp_path), policy_folder("walk", "spot"), figure)


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
