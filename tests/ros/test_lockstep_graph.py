"""Plant, perception and a skill in lockstep: the same seed gives the same run, in any process."""

import pytest

from hrl_core import topics
from hrl_core.ros.convert import seconds
from hrl_core.ros.qos import interface
from tests.ros.helpers import ask, wait_for
from tests.ros.skill_client import ABORTED, Client

STEPS = 25


def one_run(probe, start_node, listen) -> list[tuple]:
    """True poses of the robot during the first steps of a walk, in fresh processes."""
    truth = listen(topics.PLANT_TRUTH)
    commands, ticks_done = listen(topics.CMD_VEL), listen(topics.TICK_DONE)
    nodes = [
        start_node(
            "hrl_sim_bridge.ros.bridge_node",
            "plant",
            seed=5,
            paused=True,
            lockstep=True,
            lockstep_nodes="[perception]",
            realtime_factor=0.0,
        ),
        start_node(
            "hrl_perception.ros.perception_node", "perception", lockstep=True, use_sim_time=True
        ),
        start_node(
            "hrl_skills.ros.skill_node", "walk", skill="walk", lockstep=True, use_sim_time=True
        ),
    ]
    client = Client(probe, "walk")
    services = {}
    for name, kind in (topics.STEP_PLANT, topics.PAUSE_PLANT):
        services[name] = probe.create_client(interface(kind), name)

    def call(service, **request):
        return ask(services[service[0]], interface(service[1]).Request(**request))

    wait_for(lambda: client.ready() and "accepts goals" in nodes[2].output, "the walk server", 60)
    call(topics.STEP_PLANT, ticks=0)  # found: the next request is sent once
    start = seconds(call(topics.STEP_PLANT, ticks=5).stamp)
    truth.wait(lambda m: seconds(m.header.stamp) == start)
    request = interface(topics.ACTIONS["walk"]).Goal(max_steps=STEPS)
    request.pose.header.frame_id = "map"
    request.pose.pose.position.x, request.pose.pose.position.y = 4.0, 1.9
    handle = client.accepted(request)
    # A goal runs from its first command on: until then the plant has nobody to wait for. In a
    # mission the master holds the tick.
    wait_for(
        lambda: (
            any(seconds(m.header.stamp) >= start for m in commands.messages)
            and any(m.node == "walk" and seconds(m.stamp) >= start for m in ticks_done.messages)
        ),
        "the walk's first command",
        60,
    )
    call(topics.PAUSE_PLANT, data=True)  # what came before it was taken in
    assert call(topics.PAUSE_PLANT, data=False).success
    status, result = client.result(handle)
    assert (status, result.steps) == (ABORTED, STEPS), result.detail
    # Whether a tick after the last command is still run, is a matter of when the pause arrives.
    end = start + 0.1 * (STEPS - 1)
    truth.wait(lambda m: seconds(m.header.stamp) >= end)
    call(topics.PAUSE_PLANT, data=True)
    for node in nodes:
        assert node.end() == 0, node.output
    for service in services.values():
        probe.destroy_client(service)
    assert truth.messages[-1].lockstep_misses == 0
    poses = {seconds(m.header.stamp): m.base for m in truth.messages}
    return [
        (round(t, 6), p.position.x, p.position.y, p.position.z, p.orientation.z)
        for t, p in sorted(poses.items())
        if start <= t <= end
    ]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_in_other_processes(probe, start_node, listen):
    first, second = (one_run(probe, start_node, listen) for _ in range(2))
    assert len(first) >= STEPS
    assert first == second
    moved = ((first[0][1] - first[-1][1]) ** 2 + (first[0][2] - first[-1][2]) ** 2) ** 0.5
    assert moved > 0.3
