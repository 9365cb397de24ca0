"""The recorder beside a robot that sends all sorts of things: it lives, says so, and goes on."""

import os
import resource
import signal
import time

import pytest
from rosbags.rosbag2 import Reader

from hrl_bringup.recorded import read_recording
from hrl_core import topics
from hrl_core.ros.convert import stamp_msg
from hrl_core.ros.qos import interface
from tests.ros.helpers import wait_for

CAMERA, DEPTH = topics.image("camera"), topics.depth("camera")


@pytest.fixture
def record(start_node, tmp_path):
    """record(**parameters) -> the node, which writes tmp_path/recording.mcap."""

    def start(**parameters):
        parameters = {"path": str(tmp_path / "recording.mcap"), **parameters}
        return start_node("hrl_bringup.ros.recorder_node", "recorder", **parameters)

    return start


def picture(stamp: float, encoding="rgb8", height=24, width=32, size=3, padding=0, missing=0):
    """An Image of ones; `padding`: bytes after each row, `missing`: of the data's end."""
    step = width * size + padding
    message = interface(CAMERA.type)(
        height=height, width=width, encoding=encoding, step=step,
        data=bytes([1]) * (height * step - missing),
    )  # fmt: skip
    message.header.stamp = stamp_msg(stamp)
    return message


def clock(now: float):
    return interface(topics.CLOCK.type)(clock=stamp_msg(now))


def counts(path) -> dict[str, int]:
    found: dict[str, int] = {}
    for recorded in read_recording(path):
        found[recorded.topic] = found.get(recorded.topic, 0) + 1
    return found


@pytest.fixture
def until_heard(listen, publish):
    """until_heard(topic, message): send it until the recorder says that it comes."""
    diagnostics = listen(topics.DIAGNOSTICS)

    def heard(topic, message) -> bool:
        publish(topic, message)
        time.sleep(0.05)
        rates = [
            value.value
            for report in list(diagnostics.messages)
            for value in report.status[0].values
            if value.key == f"input {topic.name}"
        ]
        return bool(rates) and not rates[-1].startswith("0.0 Hz")

    return lambda topic, message: wait_for(
        lambda: heard(topic, message), f"the recorder to hear {topic.name}"
    )


def test_pictures_of_any_kind_are_kept_or_refused_in_a_sentence(
    record, publish, until_heard, listen, tmp_path
):
    diagnostics = listen(topics.DIAGNOSTICS)
    node = record()
    publish(topics.CLOCK, clock(1.0))
    good = [picture(1.0), picture(1.1, "mono8", size=1), picture(1.2, padding=7),
            picture(1.3, "bgra8", size=4)]  # fmt: skip
    bad = [picture(1.4, missing=5), picture(1.5, "bayer_rggb8", size=1), picture(1.6, height=0),
           picture(1.7, size=2)]  # fmt: skip
    until_heard(CAMERA, bad[0])
    for message in [*good, *bad]:
        publish(CAMERA, message)
        time.sleep(0.1)  # a sensor's queue is short
    until_heard(DEPTH, picture(1.8, missing=5))
    publish(DEPTH, picture(1.8, "16UC1", size=2))
    publish(DEPTH, picture(1.8, "32FC1", size=4, padding=4))

    def refused(message) -> bool:
        status = message.status[0]
        return status.name == "/recorder" and f"refused from {CAMERA.name}" in status.message

    status = diagnostics.wait(refused).status[0]
    assert status.level != status.OK
    assert any(word in status.message for word in ("data has", "encoding", "height", "step"))
    assert node.end(signal.SIGINT) == 0 and "Traceback" not in node.output
    found = counts(tmp_path / "recording.mcap")
    assert found[f"/{topics.compressed(CAMERA).name}"] == len(good)
    assert found[f"/{topics.compressed_depth(DEPTH).name}"] == 2


def test_pictures_that_come_compressed_are_kept_as_they_come(
    record, publish, until_heard, tmp_path
):
    node = record()
    publish(topics.CLOCK, clock(1.0))
    topic = topics.compressed(CAMERA)
    message = interface(topic.type)(format="jpeg", data=b"\xff\xd8\xff as the driver had it")
    until_heard(topic, message)
    for k in range(4):
        message.header.stamp = stamp_msg(1.0 + k / 10)
        publish(topic, message)
        time.sleep(0.1)
    assert node.end(signal.SIGINT) == 0
    kept = list(read_recording(tmp_path / "recording.mcap", [f"/{topic.name}"]))
    assert len(kept) >= 4 and all(b"as the driver had it" in each.cdr for each in kept)


def test_time_that_goes_back_begins_another_recording(record, publish, until_heard, tmp_path):
    node = record()
    description = interface(topics.ROBOT_DESCRIPTION.type)(data="<robot/>")
    publish(topics.ROBOT_DESCRIPTION, description)
    until_heard(topics.CLOCK, clock(49.0))
    for now in (50.0, 51.0, 52.0, 1.0, 2.0):
        publish(topics.CLOCK, clock(now))
        time.sleep(0.1)
    wait_for(lambda: (tmp_path / "recording_1.mcap").is_file(), "the former recording")
    assert node.end(signal.SIGINT) == 0, node.output
    for name, times in (("recording_1.mcap", [50.0, 51.0, 52.0]), ("recording.mcap", [1.0, 2.0])):
        kept = [each.time for each in read_recording(tmp_path / name, [topics.CLOCK.name])]
        assert kept[-len(times) :] == times
        assert counts(tmp_path / name)[f"/{topics.ROBOT_DESCRIPTION.name}"] == 1
    with Reader(tmp_path) as bag:
        assert bag.duration == pytest.approx(1e9, abs=2)


def test_a_full_disk_ends_the_recording_and_not_the_recorder(record, publish, listen, tmp_path):
    diagnostics = listen(topics.DIAGNOSTICS)
    node = record()
    publish(topics.CLOCK, clock(1.0))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (2_000_000, hard))
    noise = interface(topics.compressed(CAMERA).type)(format="jpeg", data=os.urandom(400_000))
    noise.header.stamp.sec = 1

    def full() -> bool:
        noise.header.stamp.nanosec += 1_000_000
        publish(topics.compressed(CAMERA), noise)
        return any(
            status.name == "/recorder" and "nothing more is recorded" in status.message
            for message in diagnostics.messages
            for status in message.status
        )

    wait_for(full, "the recorder to say so")
    assert node.process.poll() is None
    assert node.end(signal.SIGINT) == 0 and "Traceback" not in node.output
    assert counts(tmp_path / "recording.mcap")[f"/{topics.compressed(CAMERA).name}"] >= 1


def test_where_nothing_can_be_written_it_says_so_and_lives(record, listen):
    diagnostics = listen(topics.DIAGNOSTICS)
    node = record(path="/proc/recording.mcap")
    told = diagnostics.wait(lambda m: "nothing more is recorded" in m.status[0].message)
    assert "/proc/recording.mcap" in told.status[0].message
    assert node.end(signal.SIGINT) == 0
