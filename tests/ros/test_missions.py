"""The whole graph: plant, perception, four skills and the master, each in its own process."""

import asyncio
import signal
import subprocess
import sys

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_core.ros.convert import seconds
from hrl_core.ros.qos import interface
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from tests.ros.helpers import Listener, ask, wait_for, wait_for_answers
from tests.ros.skill_client import ABORTED, CANCELED, SKILLS, SUCCEEDED

SEED = 1


class Graph:
    """All nodes in lockstep, as fast as they can, and a client for missions."""

    def __init__(self, probe, start):
        from rclpy.action import ActionClient

        common = {"lockstep": True, "use_sim_time": True}
        self.probe = probe
        self.truth = Listener(probe, topics.PLANT_TRUTH)
        self.commands = Listener(probe, topics.CMD_VEL)
        self.rejections = Listener(probe, topics.REJECTIONS)
        self.decisions = Listener(probe, topics.DECISIONS)
        self.nodes = {
            "plant": start(
                "hrl_sim_bridge.ros.bridge_node",
                "plant",
                lockstep=True,
                realtime_factor=0.0,
                seed=SEED,
            ),
            "perception": start("hrl_perception.ros.perception_node", "perception", **common),
            "master": start("hrl_master.ros.master_node", "master", server_timeout=2.0, **common),
        }
        for skill in SKILLS:
            self.nodes[skill] = start("hrl_skills.ros.skill_node", skill, skill=skill, **common)
        self.client = ActionClient(probe, interface(topics.ACTIONS["run_mission"]), "run_mission")
        name, kind = topics.RESET_PLANT
        self.reset_service = probe.create_client(interface(kind), name)

        def up() -> bool:
            for name, node in self.nodes.items():
                assert node.process.poll() is None, f"{name}: {node.output}"
            ready = [self.nodes[skill].output.count("accepts goals") for skill in SKILLS]
            return all(ready) and self.client.server_is_ready()

        wait_for(up, "the graph", 90)
        wait_for_answers(self.client, interface(topics.ACTIONS["run_mission"]).Goal(), "the master")
        self.truth.wait(lambda m: seconds(m.header.stamp) > 0.5)

    def send(self, *orders):
        """Send a mission of (item, bin, station); returns its handle and a list of feedback."""
        from hrl_msgs.msg import Order

        feedback: list = []
        messages = [Order(item=i, from_bin=b, to_station=s) for i, b, s in orders]
        goal = interface(topics.ACTIONS["run_mission"]).Goal(orders=messages)
        sent = self.client.send_goal_async(goal, lambda m: feedback.append(m.feedback))
        return wait_for(lambda: sent.done() and sent.result(), "an answer"), feedback

    def result(self, handle, timeout: float = 240.0):
        future = handle.get_result_async()
        wait_for(future.done, "the result of the mission", timeout)
        return future.result().status, future.result().result

    def reset(self) -> None:
        request = interface(topics.RESET_PLANT[1]).Request(world="", seed=SEED, paused=False)
        assert ask(self.reset_service, request).ok
        wait_for(lambda: seconds(self.truth.messages[-1].header.stamp) < 1.0, "the new trial")

    def stands_at_its_station(self, order) -> bool:
        """Whether the item stands where it should, by the plant's truth."""
        last = self.truth.messages[-1]
        item = last.item_poses[last.items.index(order[0])].position
        station = load_world("small_warehouse").site.station(order[2])
        beside = max(abs(item.x - station.pose[0]), abs(item.y - station.pose[1]))
        return beside < station.depth and item.z > station.board_height and last.held == ""

    def close(self) -> None:
        for listener in (self.truth, self.commands, self.rejections, self.decisions):
            listener.close()
        self.client.destroy()
        self.probe.destroy_client(self.reset_service)


@pytest.fixture(scope="module")
def graph(probe, start_node_for_module):
    graph = Graph(probe, start_node_for_module)
    yield graph
    graph.close()


@pytest.fixture(scope="module")
def order():
    order = draw_trial(load_world("small_warehouse"), SEED).order
    return order.item, order.from_bin, order.to_station


def stands_still(message) -> bool:
    t = message.twist
    return (t.linear.x, t.linear.y, t.angular.z) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "orders, part",
    [
        ([], "orders is empty"),
        ([("unicorn", "A1", "packing")], "unknown item 'unicorn'"),
        ([("can", "Z9", "packing")], "unknown bin 'Z9'"),
        ([("can", "A1", "moon")], "unknown station 'moon'"),
    ],
)
def test_a_wrong_mission_is_rejected_with_the_value_and_what_is_allowed(graph, orders, part):
    graph.rejections.messages.clear()
    handle, _ = graph.send(*orders)
    assert not handle.accepted
    reason = graph.rejections.wait(lambda m: part in m.detail)
    assert (reason.action, reason.code) == ("run_mission", Code.GOAL_INVALID)


def test_cancelling_a_mission_cancels_its_skill_and_a_second_mission_is_rejected(graph, order):
    handle, feedback = graph.send(order)
    assert handle.accepted
    wait_for(lambda: len(feedback) >= 10, "progress of the first skill")
    assert feedback[-1].decision.skill == "walk" and feedback[-1].progress.step >= 5
    assert not graph.send(order)[0].accepted
    reason = graph.rejections.wait(lambda m: "already runs a mission" in m.detail)
    assert reason.code == Code.NOT_READY
    handle.cancel_goal_async()
    status, result = graph.result(handle)
    assert (status, result.code) == (CANCELED, Code.CANCELED), result.detail
    assert result.results[0].code == Code.CANCELED
    assert stands_still(graph.commands.messages[-1])
    wait_for(lambda: "CANCELED" in graph.nodes["walk"].output, "the end of the walk")


def test_orders_that_a_client_adds_are_taken_by_the_mission_that_runs(graph, order):
    from hrl_msgs.msg import Order

    graph.reset()
    name, kind = topics.ADD_ORDERS
    adding = graph.probe.create_client(interface(kind), name)
    item, from_bin, station = ("jar" if order[0] != "jar" else "can"), order[1], order[2]
    urgent = Order(item=item, from_bin=from_bin, to_station=station, priority=5)
    urgent.due.sec = 900
    request = interface(kind).Request(orders=[urgent], by="Ada")
    refused = ask(adding, request)
    assert not refused.ok and "none runs" in refused.detail
    handle, feedback = graph.send(order)
    wait_for(lambda: feedback, "the first skill", 60)
    added = ask(adding, request)
    assert added.ok and list(added.numbers) == [1], added.detail
    again = ask(adding, request)
    assert not again.ok and "can be brought once in a mission" in again.detail
    handle.cancel_goal_async()
    status, result = graph.result(handle)
    assert status == CANCELED and [each.order.item for each in result.results] == [order[0], item]
    first, second = result.results
    assert (second.order.priority, second.order.due.sec) == (5, 900)
    assert first.completion > second.completion >= 0.0 and first.lateness != first.lateness
    assert -900.0 < second.lateness < 0.0


def test_a_reset_of_the_plant_ends_a_mission(graph, order):
    graph.reset()
    handle, feedback = graph.send(order)
    wait_for(lambda: len(feedback) >= 10, "progress of the first skill")
    graph.reset()
    status, result = graph.result(handle)
    assert (status, result.code) == (ABORTED, Code.SENSOR_LOST), result.detail
    assert "time went back" in result.detail


@pytest.mark.slow
def test_a_whole_mission_brings_the_item_to_its_station(graph, order):
    graph.reset()
    graph.decisions.messages.clear()
    handle, feedback = graph.send(order)
    status, result = graph.result(handle)
    assert (status, result.code) == (SUCCEEDED, Code.SUCCEEDED), result
    made = [m for m in graph.decisions.messages if not m.finished]
    ended = [m for m in graph.decisions.messages if m.finished]
    assert [m.index for m in made] == [m.index for m in ended] == list(range(len(made)))
    assert result.results[0].decisions == len(made)
    assert [m.skill for m in made] == ["walk", "grasp", "walk", "place"]
    assert all(m.reason and m.order.item == order[0] for m in made)
    assert {f.decision.skill for f in feedback} == {"walk", "grasp", "place"}
    assert graph.stands_at_its_station(order)
    assert graph.truth.messages[-1].lockstep_misses == 0


@pytest.mark.slow
def test_a_planner_brings_the_item_by_the_tools_for_language_models(
    graph, order, start_node, tmp_path
):
    pytest.importorskip("mcp")  # of requirements/services.txt
    from tests.ros.mcp_client import deliver, over_stdio

    graph.reset()
    recorder = start_node(
        "hrl_bringup.ros.recorder_node", "recorder", path=tmp_path / "recording.mcap"
    )
    heard = graph.probe.get_subscriptions_info_by_topic
    for topic in (topics.SCENE, topics.DECISIONS, topics.depth("camera")):
        at = graph.probe.resolve_topic_name(topic.name)
        wait_for(lambda at=at: "recorder" in [s.node_name for s in heard(at)], f"it at {at}")
    (tmp_path / "mcp.yaml").write_text("clients: {local: {tools: ['*'], patience: 240.0}}")

    async def plan():
        options = ["--config", str(tmp_path / "mcp.yaml")]
        async with over_stdio(options, tmp_path / "log", read_timeout_seconds=240) as client:
            return await deliver(client, *order)

    assert asyncio.run(plan())[-1] == "place"
    assert graph.stands_at_its_station(order)
    assert recorder.end() == 0, recorder.output
    # What the client chose is known to those who read the recording.
    for name in ("explain", "replay"):
        command = [sys.executable, "-m", "hrl_bringup.cli", name, str(tmp_path)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "grasp" in told.stdout and "place" in told.stdout


def test_a_skill_that_dies_does_not_take_the_mission_with_it(graph, order):
    """Last of this module: the graph has no walk server afterwards."""
    graph.reset()
    handle, feedback = graph.send(order)
    wait_for(lambda: len(feedback) >= 10, "progress of the first skill")
    walk = graph.nodes["walk"]
    walk.process.send_signal(signal.SIGINT)
    assert walk.process.wait(15) == 0, walk.output
    status, result = graph.result(handle)
    assert (status, result.code) == (ABORTED, Code.MISSION_FAILED), result.detail
    assert result.results[0].code == Code.HANDED_OVER
    # While it ends it still refuses goals; how often depends on when the master asks.
    said = result.results[0].detail
    assert "the walk server ends" in said or said == "no server for walk within 2 s"
