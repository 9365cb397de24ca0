"""Every node as a process: start, life cycle, wrong input, clean end."""

import re
import shutil
import signal

import pytest

from hrl_core import topics
from hrl_skills.library import POLICIES
from tests.ros.helpers import ask, wait_for

NODES = {
    "plant": ("hrl_sim_bridge.ros.bridge_node", {}),
    "perception": ("hrl_perception.ros.perception_node", {}),
    "walk": ("hrl_skills.ros.skill_node", {"skill": "walk"}),
    "master": ("hrl_master.ros.master_node", {}),
}


def diagnosis(listener, name: str):
    """The first status that a node gives of itself."""
    message = listener.wait(lambda m: m.status[0].name == f"/{name}", timeout=60)
    return message.status[0]


@pytest.mark.parametrize(
    "name, number",
    [
        ("plant", signal.SIGINT),
        ("perception", signal.SIGTERM),
        ("walk", signal.SIGINT),
        ("master", signal.SIGTERM),
    ],
)
def test_a_node_gives_diagnostics_and_ends_cleanly_on_a_signal(name, number, start_node, listen):
    diagnostics = listen(topics.DIAGNOSTICS)
    module, parameters = NODES[name]
    node = start_node(module, name, **parameters)
    diagnosis(diagnostics, name)
    assert node.end(number) == 0, node.output
    assert "Traceback" not in node.output


WRONG = [
    ({"colour": 1.0}, "'colour' is unknown; known: .*'realtime_factor'"),
    ({"realtime_facter": 1.0}, "did you mean 'realtime_factor'"),
    ({"realtime_factor": "fast"}, "'realtime_factor' = 'fast': .*number"),
    ({"realtime_factor": -1.0}, "'realtime_factor' = -1.0: .*greater than or equal to 0"),
    ({"seed": 1.5}, "'seed' = 1.5: .*integer"),
    ({"lockstep_nodes": "[1, 2]"}, "'lockstep_nodes.0' = 1: .*string"),
    ({"world": "atlantis"}, "unknown world 'atlantis'; known: .*small_warehouse"),
    ({"robot": "nobody.yaml"}, "nobody.yaml: no such file"),
]


@pytest.mark.parametrize("parameters, message", WRONG, ids=[next(iter(w[0])) for w in WRONG])
def test_a_wrong_parameter_is_refused_with_the_name_the_value_and_what_is_allowed(
    parameters, message, start_node
):
    node = start_node("hrl_sim_bridge.ros.bridge_node", "plant", **parameters)
    assert node.process.wait(60) == 2, node.output
    assert re.search(message, node.output), node.output
    assert "Traceback" not in node.output


def test_an_unknown_skill_is_refused(start_node):
    node = start_node("hrl_skills.ros.skill_node", "fly", skill="fly")
    assert node.process.wait(60) == 2
    known = "['align', 'approach', 'back_out', 'grasp', 'place', 'walk']"
    assert f"unknown skill 'fly'; known: {known}" in node.output


DAMAGED = {
    "weights": ("weights.pt", b"\x80", "weights.pt: sha256 is .*; the card beside it allows"),
    "unit": ("card.yaml", ("unit: ", "unit: milli-"), "card.yaml: .*0 is .*milli-.*; allowed is "),
    "card": ("card.yaml", b"", "card.yaml:1: file = None"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_skill_with_damaged_weights_or_card_does_not_start(
    what, start_node, tmp_path, monkeypatch
):
    name, damage, message = DAMAGED[what]
    shutil.copytree(POLICIES, tmp_path / "policies")
    path = tmp_path / "policies" / "spot" / "approach" / name
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        path.write_text(path.read_text().replace(*damage))
    monkeypatch.setenv("HRL_POLICIES", str(tmp_path / "policies"))
    node = start_node("hrl_skills.ros.skill_node", "approach", skill="approach")
    assert node.process.wait(60) == 2, node.output
    assert re.search(message, node.output), node.output
    assert "Traceback" not in node.output


def test_parameters_are_described_with_unit_and_range(start_node, probe):
    from rcl_interfaces.srv import DescribeParameters

    start_node("hrl_sim_bridge.ros.bridge_node", "plant")
    client = probe.create_client(DescribeParameters, "/plant/describe_parameters")
    names = ["realtime_factor", "node_timeout", "seed"]
    answer = ask(client, DescribeParameters.Request(names=names))
    factor, timeout, seed = answer.descriptors
    assert "ROS time over wall time" in factor.description
    assert factor.floating_point_range[0].to_value == 100.0
    assert "s of wall time" in timeout.description
    assert seed.integer_range[0].from_value == 0
    probe.destroy_client(client)


def test_a_node_follows_its_life_cycle(start_node, probe):
    from lifecycle_msgs.msg import State, Transition
    from lifecycle_msgs.srv import ChangeState, GetState

    start_node("hrl_skills.ros.skill_node", "walk", skill="walk", autostart=False)
    change = probe.create_client(ChangeState, "/walk/change_state")
    state = probe.create_client(GetState, "/walk/get_state")

    def now() -> int:
        return ask(state, GetState.Request()).current_state.id

    def do(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        future = change.call_async(request)
        wait_for(future.done, "the transition", 60)
        return future.result().success

    assert now() == State.PRIMARY_STATE_UNCONFIGURED
    for _ in range(2):
        assert do(Transition.TRANSITION_CONFIGURE)
        assert now() == State.PRIMARY_STATE_INACTIVE
        assert do(Transition.TRANSITION_ACTIVATE)
        assert now() == State.PRIMARY_STATE_ACTIVE
        assert do(Transition.TRANSITION_DEACTIVATE)
        assert do(Transition.TRANSITION_CLEANUP)
        assert now() == State.PRIMARY_STATE_UNCONFIGURED
    probe.destroy_client(change)
    probe.destroy_client(state)
