"""A policy's network as an ONNX model: normalisation, mirror image and clipping included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hrl_core.policy.network import CLIP, Network

OPSET, IR = 18, 8  # old enough for every ONNX Runtime that requirements/ names
INPUT, OUTPUT = "observation", "action"


def onnx_model(network: Network, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Observation (n, d) -> action (n, k), float32."""
    graph = _Graph()
    x = INPUT
    if network.mirror is not None:
        mirrored = graph.reordered(
            x, network.mirror.observation_order, network.mirror.observation_sign
        )
        x = graph.add("Concat", x, mirrored, axis=0)
    x = graph.add("Sub", x, graph.constant(network.mean))
    x = graph.add("Div", x, graph.constant(network.std))
    x = graph.add("Clip", x, graph.constant(np.float32(-CLIP)), graph.constant(np.float32(CLIP)))
    for index, (weight, bias) in enumerate(network.layers):
        if index > 0:
            x = graph.add("Relu", x)
        x = graph.add("Gemm", x, graph.constant(weight), graph.constant(bias), transB=1)
    if network.mirror is not None:
        seen, mirrored = graph.halves(x)
        back = graph.reordered(mirrored, network.mirror.action_order, network.mirror.action_sign)
        both = graph.add("Add", seen, back)
        x = graph.add("Mul", both, graph.constant(np.float32(0.5)))
    if network.low is not None and network.high is not None:
        x = graph.add("Max", x, graph.constant(network.low))
        x = graph.add("Min", x, graph.constant(network.high))
    graph.nodes.append(helper.make_node("Identity", [x], [OUTPUT]))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "policy",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", len(network.mean)])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", network.action_size])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="hrl",
    )
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants that name themselves."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: np.ndarray | np.generic) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def halves(self, x: str) -> tuple[str, str]:
        """The first and the second half of the rows."""
        names = f"first_{len(self.nodes)}", f"second_{len(self.nodes)}"
        self.nodes.append(helper.make_node("Split", [x], names, axis=0, num_outputs=2))
        return names

    def reordered(self, x: str, order: np.ndarray, sign: np.ndarray) -> str:
        """Columns in another order, times a sign."""
        return self.add(
            "Mul", self.add("Gather", x, self.constant(order), axis=1), self.constant(sign)
        )
