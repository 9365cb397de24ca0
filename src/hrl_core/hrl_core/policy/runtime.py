"""What computes a policy's network, on one core: ONNX Runtime, numpy or torch.

They agree within 1e-5. ONNX Runtime is the default, being the fastest for one observation
(`./hrl bench policies`); the environment variable HRL_RUNTIME chooses another for all policies of
a process.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.policy.network import CLIP, Network

# Observation (n, d) float32 -> action (n, k) float32.
Run = Callable[[np.ndarray], np.ndarray]


def make_runtime(network: Network, name: str | None = None) -> Run:
    """The runtime of this name, of HRL_RUNTIME, or the default; raises ConfigError."""
    name = name or os.environ.get("HRL_RUNTIME") or "onnx"
    if name not in RUNTIMES:
        raise ConfigError(f"HRL_RUNTIME: unknown runtime {name!r}; known: {sorted(RUNTIMES)}")
    return RUNTIMES[name](network)


def onnx_runtime(network: Network) -> Run:
    from hrl_core.policy.onnx_model import onnx_model

    return onnx_session(onnx_model(network).SerializeToString())


def onnx_session(model: bytes) -> Run:
    """Run a serialised ONNX model of a policy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # A second thread makes small networks slower; and a process without threads can be forked.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda observation: session.run(None, {"observation": observation})[0]  # type: ignore


def numpy_runtime(network: Network) -> Run:
    layers = [(np.ascontiguousarray(weight.T), bias) for weight, bias in network.layers]
    mirror = network.mirror

    def forward(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # what overflows is clipped
            x = np.clip((x - network.mean) / network.std, -CLIP, CLIP)
        for weight, bias in layers[:-1]:
            x = np.maximum(x @ weight + bias, 0.0)
        weight, bias = layers[-1]
        return x @ weight + bias

    def run(observation: np.ndarray) -> np.ndarray:
        if mirror is None:
            action = forward(observation)
        else:
            image = observation[:, mirror.observation_order] * mirror.observation_sign
            seen, mirrored = np.split(forward(np.concatenate([observation, image])), 2)
            action = 0.5 * (seen + mirrored[:, mirror.action_order] * mirror.action_sign)
        return action if network.low is None else np.clip(action, network.low, network.high)

    return run


def torch_runtime(network: Network) -> Run:
    import torch
    from torch.nn.functional import linear

    torch.set_num_threads(1)
    mean, std = torch.from_numpy(network.mean), torch.from_numpy(network.std)
    layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in network.layers]
    mirror = network.mirror and [torch.from_numpy(x) for x in vars(network.mirror).values()]
    limits = None if network.low is None else (network.low, network.high)
    low_high = limits and [torch.from_numpy(x) for x in limits if x is not None]

    def run(observation: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(observation)
            if mirror:
                x = torch.cat([x, x[:, mirror[0]] * mirror[1]])
            x = ((x - mean) / std).clamp(-CLIP, CLIP)
            for weight, bias in layers[:-1]:
                x = linear(x, weight, bias).relu()
            x = linear(x, *layers[-1])
            if mirror:
                seen, mirrored = x.chunk(2)
                x = 0.5 * (seen + mirrored[:, mirror[2]] * mirror[3])
            return (x.clamp(*low_high) if low_high else x).numpy()

    return run


RUNTIMES: dict[str, Callable[[Network], Run]] = {
    "onnx": onnx_runtime,
    "numpy": numpy_runtime,
    "torch": torch_runtime,
}
