"""The report tells what mission.json tells; recordings are read back as they were written."""

import json
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader

from hrl_bringup.mission_log import DecisionEntry, MissionLog
from hrl_bringup.recorded import read_recording
from hrl_bringup.recording import (
    DefinitionNotFound,
    Recording,
    message_definition,
    stamp_offset,
)
from hrl_bringup.reports.mission import read_snapshots, write_report
from hrl_core.site import load_site

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


def cdr_header(seconds: int, nanoseconds: int, frame: str = "camera") -> bytes:
    """CDR of a std_msgs/Header at the beginning of a message, little endian."""
    name = frame.encode() + b"\0"
    body = struct.pack("<iII", seconds, nanoseconds, len(name)) + name
    return b"\0\1\0\0" + body + bytes(-len(body) % 4)


def compressed_image(seconds: int, nanoseconds: int = 0) -> bytes:
    text = b"jpeg\0"
    text += bytes(-len(text) % 4)
    return (
        cdr_header(seconds, nanoseconds)
        + struct.pack("<I", 5)
        + text
        + struct.pack("<I", len(JPEG))
        + JPEG
    )


def a_mission() -> MissionLog:
    """Two decisions, the second of which failed; the estimate is 3 cm off."""
    order = {"item": "box_small", "from_bin": "A2", "to_station": "packing"}
    log = MissionLog("small_warehouse", 7, order, [(3.0, 1.0, 0.3, 0.4, 0.5)], started=10.0)
    for k in range(101):
        stamp, pose = 10.0 + 0.1 * k, np.array([1.2 + 0.03 * k, 1.6, 0.0])
        log.at(stamp)
        log.moved(log.true, stamp, pose)
        log.moved(log.estimated, stamp, pose + [0.0, 0.03, 0.0])
    entry = DecisionEntry(0, "walk", "A2", "A2 holds the item", ["walk A2"], [1.0], [True], 10.0)
    log.decided(entry)
    log.ended(0, ended=15.0, outcome="SUCCEEDED", confirmed=True, verdict="2 cm off", steps=50)
    log.decided(DecisionEntry(1, "approach", "A2", "next <", ["approach A2"], [1.0], [True], 15.0))
    log.ended(1, ended=20.0, outcome="STEP_LIMIT", detail="0.3 m left", steps=50)
    log.broke_off("the item is still in A2", "approach STEP_LIMIT")
    return log


@pytest.fixture
def share(tmp_path) -> Path:
    """A prefix with two small packages of message definitions."""
    texts = {
        "std_msgs/msg/Header.msg": "builtin_interfaces/Time stamp # when\nstring frame_id\n",
        "builtin_interfaces/msg/Time.msg": "int32 sec\nuint32 nanosec\n",
        "sensor_msgs/msg/CompressedImage.msg": "# A picture\nstd_msgs/Header header\n"
        "string format\nuint8[] data\n",
        "a_msgs/msg/Pair.msg": "uint8 ONE=1\nItem[2] items\nstring<=10 name\nItem more\n",
        "a_msgs/msg/Item.msg": "float32[<=3] sizes # Other unused\n",
    }
    for name, text in texts.items():
        file = tmp_path / "share" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_a_definition_contains_each_nested_type_once(share):
    text = message_definition("a_msgs/msg/Pair", [share])
    assert text.startswith("uint8 ONE=1\n")
    assert re.findall(r"^MSG: (\S+)$", text, re.M) == ["a_msgs/Item"]
    text = message_definition("sensor_msgs/msg/CompressedImage", [share])
    names = re.findall(r"^={80}\nMSG: (\S+)$", text, re.M)
    assert names == ["std_msgs/Header", "builtin_interfaces/Time"]


def test_a_missing_definition_is_an_error_that_names_type_and_folders(share):
    with pytest.raises(DefinitionNotFound, match=f"b_msgs/Nothing.*{share}"):
        message_definition("b_msgs/msg/Nothing", [share])


def test_the_stamp_is_found_only_in_types_that_begin_with_one():
    assert stamp_offset("# text\nstd_msgs/Header header\n", "x_msgs/msg/X") == 4
    assert stamp_offset("builtin_interfaces/Time clock\n", "x_msgs/msg/Clock") == 4
    assert stamp_offset("geometry_msgs/TransformStamped[] t", "tf2_msgs/msg/TFMessage") == 8
    assert stamp_offset("bool data\n", "std_msgs/msg/Bool") is None


def test_what_is_written_is_read_back_with_its_schema_and_time(share, tmp_path):
    path = tmp_path / "recording.mcap"
    recording = Recording(path, [share])
    recording.add_topic("/camera/x", "sensor_msgs/msg/CompressedImage", "best_effort")
    recording.add_topic("/pair", "a_msgs/msg/Pair", durability="transient_local")
    recording.write("/camera/x", compressed_image(12, 500_000_000))
    recording.write("/pair", b"\0\1\0\0 no time in it")
    recording.close()

    assert [(m.topic, m.time) for m in read_recording(path, ["/camera/x"])] == [("/camera/x", 12.5)]
    with path.open("rb") as file:
        reader = make_reader(file)
        assert reader.get_header().profile == "ros2"
        schema, channel, message = next(iter(reader.iter_messages(topics=["/pair"])))
    assert schema is not None
    assert (schema.name, schema.encoding) == ("a_msgs/msg/Pair", "ros2msg")
    assert schema.data.decode() == message_definition("a_msgs/msg/Pair", [share])
    assert channel.message_encoding == "cdr"
    assert "durability: transient_local" in channel.metadata["offered_qos_profiles"]
    assert message.log_time == 12_500_000_000  # the latest time that was seen
    assert message.data == b"\0\1\0\0 no time in it"


def test_a_message_whose_stamp_is_of_another_clock_is_filed_under_the_present_time(share, tmp_path):
    recording = Recording(tmp_path / "r.mcap", [share])
    recording.add_topic("/a", "sensor_msgs/msg/CompressedImage")
    recording.add_topic("/b", "sensor_msgs/msg/CompressedImage")
    recording.write("/a", compressed_image(12))
    assert recording.write("/b", compressed_image(1_795_000_000), 12_500_000_000) == 12_500_000_000
    assert recording.write("/a", compressed_image(13)) == 13_000_000_000
    recording.close()


def test_snapshots_are_the_last_pictures_before_each_hand_over(share, tmp_path):
    path = tmp_path / "recording.mcap"
    recording = Recording(path, [share])
    recording.add_topic("/camera/image_raw/compressed", "sensor_msgs/msg/CompressedImage")
    for second in (11, 14, 16, 19, 25):
        recording.write("/camera/image_raw/compressed", compressed_image(second))
    recording.close()
    snapshots = read_snapshots(path, a_mission().as_dict())
    assert [(s.decision, s.time) for s in snapshots] == [(0, 14.0), (1, 19.0)]
    assert all(each.jpeg == JPEG for each in snapshots)


def test_mission_json_holds_every_decision_and_the_localisation_error(tmp_path):
    a_mission().write(tmp_path / "mission.json")
    mission = json.loads((tmp_path / "mission.json").read_text())
    assert [d["outcome"] for d in mission["decisions"]] == ["SUCCEEDED", "STEP_LIMIT"]
    assert mission["simulated_duration_s"] == pytest.approx(10.0)
    assert mission["localisation_error_m"]["mean"] == pytest.approx(0.03, abs=1e-3)
    assert len(mission["path"]["true"]) == 51  # one in 0.2 s


def test_the_report_needs_no_other_file_and_escapes_what_it_is_told(share, tmp_path):
    mission = a_mission().as_dict()
    path = tmp_path / "recording.mcap"
    recording = Recording(path, [share])
    recording.add_topic("/camera/image_raw/compressed", "sensor_msgs/msg/CompressedImage")
    recording.write("/camera/image_raw/compressed", compressed_image(14))
    recording.close()
    page = tmp_path / "report.html"
    write_report(page, mission, load_site("small_warehouse"), read_snapshots(path, mission))
    text = page.read_text()
    assert "not delivered" in text and "the item is still in A2" in text
    assert "STEP_LIMIT" in text and "next &lt;" in text
    assert "data:image/jpeg;base64," in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    drawings = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(drawings) == 2
    assert drawings[0].count('class="obstacle"') == 1
    for drawing in drawings:
        ElementTree.fromstring(drawing)  # well formed


def test_a_mission_without_decisions_still_makes_a_report(tmp_path):
    order = {"item": "can", "from_bin": "B1", "to_station": "shipping"}
    log = MissionLog("small_warehouse", 0, order)
    log.broke_off("node 'master' ended with exit status 1", "node master died")
    write_report(tmp_path / "r.html", log.as_dict(), load_site("small_warehouse"), [])
    assert "exit status 1" in (tmp_path / "r.html").read_text()


def test_definitions_of_the_installed_messages_are_complete():
    pytest.importorskip("hrl_msgs", reason="needs the built messages")
    text = message_definition("hrl_msgs/msg/MasterDecision", [Path(sys.prefix)])
    assert {"hrl_msgs/SkillResult", "hrl_msgs/Verdict", "diagnostic_msgs/KeyValue"} <= set(
        re.findall(r"^MSG: (\S+)$", text, re.M)
    )
