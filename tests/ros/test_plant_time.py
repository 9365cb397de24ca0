"""The plant's time over ROS: lockstep, and factors of real time. Each test starts its own plant."""

import time

from hrl_core import topics
from hrl_core.ros.convert import seconds, stamp_msg
from tests.ros.helpers import wait_for

PLANT = "hrl_sim_bridge.ros.bridge_node"


def stamp(message) -> float:
    return seconds(message.header.stamp)


def test_in_lockstep_it_waits_for_a_node_and_not_for_ever(start_node, listen, publish):
    from hrl_msgs.msg import TickDone

    truth = listen(topics.PLANT_TRUTH)
    node = start_node(
        PLANT,
        "plant",
        lockstep=True,
        lockstep_nodes="[tester]",
        realtime_factor=0.0,
        node_timeout=1.0,
    )

    def done(tick: float) -> None:
        publish(topics.TICK_DONE, TickDone(stamp=stamp_msg(tick), node="tester"))

    first = stamp(truth.wait(timeout=60))
    wait_for(lambda: len(truth.messages) >= 3, "the tick again, as nobody has answered")
    assert {stamp(m) for m in truth.messages} == {first}
    done(first)
    for k in range(1, 4):
        tick = round(first + 0.1 * k, 6)
        message = truth.wait(lambda m, tick=tick: stamp(m) == tick)
        assert message.lockstep_misses == 0
        assert max(stamp(m) for m in truth.messages) == tick
        done(tick)
    message = truth.wait(lambda m: stamp(m) > first + 0.6)  # without any more answers
    assert message.lockstep_misses == 1
    assert "['tester'] did not finish tick" in node.output


def test_the_realtime_factor_is_kept(start_node, listen):
    truth = listen(topics.PLANT_TRUTH)
    start_node(PLANT, "plant", realtime_factor=0.5)
    first = stamp(truth.wait(timeout=60))
    began = time.monotonic()
    truth.wait(lambda m: stamp(m) >= first + 1.0)
    assert time.monotonic() - began > 1.7


def test_outside_lockstep_nobody_is_waited_for(start_node, listen):
    truth, detections = listen(topics.PLANT_TRUTH), listen(topics.DETECTIONS)
    start_node("hrl_sim_bridge.ros.bridge_node", "plant", realtime_factor=1.0)
    start_node("hrl_perception.ros.perception_node", "perception", use_sim_time=True)
    first = detections.wait(timeout=60)
    end = seconds(first.header.stamp) + 2.0
    last = truth.wait(lambda m: seconds(m.header.stamp) > end)
    assert last.lockstep_misses == 0
    stamps = sorted({seconds(m.header.stamp) for m in detections.messages})
    assert len(stamps) >= 10
