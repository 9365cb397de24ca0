"""Recordings as rosbag2 reads them, a disk that takes no more, and damaged files."""

import os
import re
import resource
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from rosbags.interfaces import ConnectionExtRosbag2, QosDurability, QosReliability
from rosbags.rosbag2 import Reader

from hrl_core.config import ConfigError

pytest.importorskip("rclpy")
pytest.importorskip("hrl_msgs")

from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Bool, String

from hrl_bringup.recorded import read_recording, whole
from hrl_bringup.recording import Recording
from hrl_core.ros.convert import stamp_msg

pytestmark = pytest.mark.ros

PREFIXES = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", sys.prefix).split(os.pathsep)]
SECOND = 10**9


def scan(time: float, beams: int = 360) -> bytes:
    message = LaserScan(ranges=os.urandom(beams))  # takes room however it is compressed
    message.header.stamp = stamp_msg(time)
    return serialize_message(message)


def recorded(path: Path, scans: int = 100) -> Recording:
    """Scans at 10 Hz and two other topics, not closed."""
    recording = Recording(path, PREFIXES)
    recording.add_topic("/scan", "sensor_msgs/msg/LaserScan")
    recording.add_topic("/e_stop", "std_msgs/msg/Bool", "reliable", "transient_local")
    recording.add_topic("/clock", "rosgraph_msgs/msg/Clock", "best_effort")
    recording.write("/e_stop", serialize_message(Bool(data=True)), 2 * SECOND)
    for k in range(scans):
        recording.write("/scan", scan(2 + k / 10), round((2 + k / 10) * SECOND))
    return recording


def test_rosbag2_reads_topics_counts_qualities_and_messages(tmp_path):
    recording = recorded(tmp_path / "recording.mcap")
    recording.write("/clock", serialize_message(Clock(clock=stamp_msg(12.0))), 12 * SECOND)
    assert recording.close() == ""
    with Reader(tmp_path) as bag:
        assert (bag.start_time, bag.message_count) == (2 * SECOND, 102)
        assert bag.end_time == 12 * SECOND + 1  # it counts the last nanosecond in
        topics = {c.topic: c for c in bag.connections}
        assert {name: c.msgcount for name, c in topics.items()} == {
            "/scan": 100, "/e_stop": 1, "/clock": 1,
        }  # fmt: skip
        qos = {
            name: c.ext.offered_qos_profiles[0]
            for name, c in topics.items()
            if isinstance(c.ext, ConnectionExtRosbag2)
        }
        assert qos["/e_stop"].durability == QosDurability.TRANSIENT_LOCAL
        assert qos["/scan"].durability == QosDurability.VOLATILE
        assert qos["/clock"].reliability == QosReliability.BEST_EFFORT
        assert all(re.fullmatch("RIHS01_[0-9a-f]{64}", c.digest) for c in topics.values())
        times = [time for connection, time, _ in bag.messages([topics["/scan"]])]
        assert times == [round((2 + k / 10) * SECOND) for k in range(100)]


def test_metadata_has_what_ros2_bag_asks_for(tmp_path):
    recorded(tmp_path / "recording.mcap").close()
    about = yaml.safe_load((tmp_path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (about["version"], about["storage_identifier"]) == (9, "mcap")
    assert about["relative_file_paths"] == [about["files"][0]["path"]] == ["recording.mcap"]
    assert about["duration"]["nanoseconds"] == 9_900_000_000
    assert about["compression_format"] == about["compression_mode"] == ""
    assert {"custom_data", "ros_distro", "starting_time", "message_count"} <= about.keys()


def test_a_stamp_of_another_clock_does_not_stretch_the_recording(tmp_path):
    recording = recorded(tmp_path / "recording.mcap", scans=1)
    now = 3 * SECOND
    assert recording.write("/scan", scan(3.2), now) == round(3.2 * SECOND)  # a tick ahead
    assert recording.write("/scan", scan(1_800_000_000.0), now) == now
    assert recording.write("/scan", scan(0.0), now) == now
    assert recording.write("/scan", b"\0\1\0\0", now) == now, "too short for a stamp"
    recording.close()
    with Reader(tmp_path) as bag:
        assert bag.duration < 2 * SECOND


@contextmanager
def files_of_at_most(size: int):
    """A disk that takes no more: to the writing program it is the same."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_what_is_whole(tmp_path):
    path = tmp_path / "recording.mcap"
    recording = recorded(path, scans=0)
    with files_of_at_most(3_000_000):
        with pytest.raises(OSError):
            for k in range(10_000):
                recording.write("/scan", scan(2 + k / 10), round((2 + k / 10) * SECOND))
        assert "no index: File too large" in recording.close()
    kept = list(read_recording(path, ["/scan"]))
    assert len(kept) > 500 and kept[-1].time == pytest.approx(2 + (len(kept) - 1) / 10)
    assert deserialize_message(kept[-1].cdr, LaserScan).header.stamp == stamp_msg(kept[-1].time)
    with Reader(tmp_path) as bag:
        assert len(list(bag.messages())) == len(kept) + 1


def test_a_healthy_recording_is_used_as_it_is(tmp_path):
    recorded(tmp_path / "recording.mcap").close()
    assert whole(tmp_path, tmp_path / "copy") == (tmp_path / "recording.mcap", "")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_of_a_cut_recording_what_is_whole_is_used(share, tmp_path):
    path = tmp_path / "recording.mcap"
    recorded(path, scans=10_000).close()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    (tmp_path / "copy").mkdir()
    copy, sentence = whole(path, tmp_path / "copy")
    kept = list(read_recording(copy, ["/scan"]))
    assert 10_000 * share - 2500 < len(kept) <= 10_000
    assert f"{len(kept) + 1} messages in the first" in sentence and "\n" not in sentence


def test_damage_in_the_middle_costs_its_chunk_alone(tmp_path):
    path = tmp_path / "recording.mcap"
    recorded(path, scans=10_000).close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    (tmp_path / "copy").mkdir()
    copy, sentence = whole(path, tmp_path / "copy")
    kept = len(list(read_recording(copy, ["/scan"])))
    assert 7000 < kept < 10_000 and "1 chunks in between are damaged" in sentence


@pytest.mark.parametrize("content", [b"", b"no recording", b"\x89MCAP0\r\n"])
def test_what_is_no_recording_is_refused_in_a_sentence(content, tmp_path):
    path = tmp_path / "some.mcap"
    path.write_bytes(content)
    (tmp_path / "copy").mkdir()
    with pytest.raises(ConfigError, match=f"none of its {len(content)} bytes is a message"):
        whole(path, tmp_path / "copy")
    with pytest.raises(ConfigError, match="No such file"):
        whole(tmp_path / "other.mcap", tmp_path / "copy")
    with pytest.raises(ConfigError, match="needs one recording"):
        whole(tmp_path / "copy", tmp_path)


def test_a_message_of_any_type_has_its_definition(tmp_path):
    recording = Recording(tmp_path / "recording.mcap", PREFIXES)
    recording.add_topic("/robot_description", "std_msgs/msg/String")
    recording.add_topic("/scene", "hrl_msgs/msg/Scene")
    recording.write("/robot_description", serialize_message(String(data="<robot/>")))
    recording.close()
    with Reader(tmp_path) as bag:
        definitions = {c.msgtype: c.msgdef.data for c in bag.connections}
    assert "string data" in definitions["std_msgs/msg/String"]
    assert "MSG: std_msgs/Header" in definitions["hrl_msgs/msg/Scene"]
