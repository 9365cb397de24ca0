"""`./hrl export SKILL`: write a policy as an ONNX file that computes the same."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from hrl_core.paths import file_to_write
from hrl_core.policy.card import Card, PolicyError
from hrl_core.policy.onnx_model import onnx_model
from hrl_core.policy.policy import Policy
from hrl_core.policy.runtime import numpy_runtime, onnx_session, torch_runtime
from hrl_core.robot import DEFAULT_ROBOT, load_robot
from hrl_skills.library import load_policy_of

TOLERANCE = 1e-4  # of an action; what differs more is not written
ROWS = 2000


def export(policy: Policy, out: Path) -> dict[str, float]:
    """Write an ONNX file; returns the largest difference from numpy and from torch.

    Raises PolicyError, and writes nothing, where an action differs by more than TOLERANCE.
    """
    assert policy.card is not None
    model = onnx_model(policy.network, metadata(policy.card)).SerializeToString()
    differences = parity(policy, model)
    if (worst := max(differences.values())) > TOLERANCE:
        raise PolicyError(f"{out}: actions differ by {worst:.1e}; allowed is {TOLERANCE:.0e}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(model)
    return differences


def parity(policy: Policy, model: bytes) -> dict[str, float]:
    """Largest difference of an action of the ONNX model from those of numpy and of torch."""
    observations = probes(policy)
    actions = onnx_session(model)(observations)
    return {
        name: float(np.abs(actions - make(policy.network)(observations)).max())
        for name, make in (("numpy", numpy_runtime), ("torch", torch_runtime))
    }


def probes(policy: Policy) -> np.ndarray:
    """(n, d): as in training, far outside of it, and every single value at its extremes."""
    network, size = policy.network, policy.observation_size
    rng = np.random.default_rng(0)
    usual = network.mean + network.std * rng.standard_normal((ROWS, size))
    wild = network.mean + network.std * 10 ** rng.uniform(-3, 6, (ROWS, size)) * rng.choice(
        [-1, 1], (ROWS, size)
    )
    largest = np.finfo(np.float32).max
    single = np.concatenate([np.eye(size) * value for value in (-largest, -1e3, 1e3, largest)])
    every = np.array([np.full(size, value) for value in (-largest, 0.0, largest)])
    return np.concatenate([usual, wild, single, every]).astype(np.float32)


def metadata(card: Card) -> dict[str, str]:
    """What an ONNX file says of itself; observation and action as JSON."""
    observation = [part.model_dump(mode="json") for part in card.observation]
    action = [part.model_dump(mode="json") for part in card.action]
    return {
        "skill": card.skill,
        "version": card.version,
        "robot": card.robot,
        "sha256": card.sha256,
        "max_steps": str(card.max_steps),
        "rate_hz": f"{card.rate_hz:g}",
        "observation": json.dumps(observation),
        "action": json.dumps(action),
        "limits": json.dumps(card.limits),
        "licence": card.licence,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./hrl export", description=__doc__)
    parser.add_argument("skill", metavar="SKILL", help="name of a learned policy, see ./hrl skills")
    parser.add_argument("--robot", default=DEFAULT_ROBOT, help="whose policy it is")
    parser.add_argument("--weights", type=Path, help="folder with weights.pt and card.yaml")
    parser.add_argument(
        "--out", type=file_to_write, help="file to write (default out/onnx/SKILL.onnx)"
    )
    options = parser.parse_args(arguments)
    out = options.out or Path("out") / "onnx" / f"{options.skill}.onnx"
    policy = load_policy_of(options.skill, load_robot(options.robot).name, options.weights)
    differences = export(policy, out)
    print(f"wrote {out}: {out.stat().st_size / 1000:.0f} kB")
    for name, difference in differences.items():
        print(f"largest difference of an action from {name}: {difference:.1e}")
    return 0
