"""The whole graph: plant, perception, four skills and the master, each in its own process."""

import signal

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_core.ros.convert import seconds
from hrl_core.ros.qos import interface
from hrl_sim_bridge.world import load_world
from tests.ros.helpers import Listener, wait_for, wait_for_answers
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
                "hrl_sim_bridge.bridge_node", "plant", lockstep=True, realtime_factor=0.0, seed=SEED
            ),
            "perception": start("hrl_perception.perception_node", "perception", **common),
            "master": start("hrl_master.master_node", "master", server_timeout=2.0, **common),
        }
        for skill in SKILLS:
            self.nodes[skill] = start("hrl_skills.skill_node", skill, skill=skill, **common)
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
        future = self.reset_service.call_async(request)
        wait_for(future.done, "the reset", 60)
        assert future.result().ok
        wait_for(lambda: seconds(self.truth.messages[-1].header.stamp) < 1.0, "the new trial")

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
    order = load_world("small_warehouse").sample(SEED).order
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
    last = graph.truth.messages[-1]
    item = last.item_poses[last.items.index(order[0])].position
    station = load_world("small_warehouse").site.station(order[2])
    assert abs(item.x - station.pose[0]) < station.depth and last.held == ""
    assert abs(item.y - station.pose[1]) < station.depth
    assert item.z > station.board_height
    assert last.lockstep_misses == 0


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
    assert "the walk server ends" in result.results[0].detail
