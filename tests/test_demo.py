"""`./hrl demo` and `./hrl trials` as a user runs them: whole missions in processes of their own."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from mcap.reader import make_reader

from hrl_bringup.shared_memory import mapped_segments, remove_unused
from hrl_core.config import config_dir
from hrl_core.outcomes import Code
from tests.foxglove_layout import leads_to_a_field, panels_of, paths_of

pytest.importorskip("rclpy")
pytestmark = [pytest.mark.ros, pytest.mark.slow]

SEED = 0
PATIENCE = 400.0  # s of wall time for a mission on a busy computer
# In process against over ROS: messages round floats, and a walking robot makes much of little.
STEPS, SECONDS = 25, 4.0  # of a skill; of a mission


class Command:
    """`./hrl ...` running, with what it has said so far."""

    def __init__(self, *arguments: str):
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "hrl_bringup.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={name: v for name, v in os.environ.items() if name != "ROS_DOMAIN_ID"},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def wait(self, patience: float = PATIENCE) -> int:
        try:
            return self.process.wait(patience)
        finally:
            self.process.kill()
            self._reader.join()

    def wait_for(self, pattern: str, patience: float = 120.0) -> None:
        deadline = time.monotonic() + patience
        while not re.search(pattern, self.said):
            assert self.process.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.05)


def nodes_of(folder: Path) -> dict[int, str]:
    """Processes that log below a folder: pid -> command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes()
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if f"ROS_LOG_DIR={folder}".encode() in environment and line:
            found[int(entry.name)] = line.replace(b"\0", b" ").decode()
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A whole demo: its folder, exit status and output."""
    folder = tmp_path_factory.mktemp("demo")
    command = Command("demo", "--seed", str(SEED), "--headless", "--out", str(folder), "--console",
                      "--realtime-factor", "0")  # fmt: skip
    status = command.wait()
    return folder, status, command.said


def mission_of(folder: Path) -> dict:
    return json.loads((folder / "mission.json").read_text())


def decisions_of(mission: dict) -> list[tuple]:
    return [(d["skill"], d["target"], d["outcome"], d["steps"]) for d in mission["decisions"]]


def test_the_demo_delivers_and_says_so(demo):
    folder, status, said = demo
    assert status == 0, said
    mission = mission_of(folder)
    assert mission["delivered"] and mission["placement_error_m"] <= 0.05
    assert [d["skill"] for d in mission["decisions"]][-1] == "place"
    assert all(d["outcome"] and d["verdict"] for d in mission["decisions"])
    assert "delivered: " in said and "1. walk" in said


def test_the_console_beside_it_has_an_address_and_is_up(demo):
    assert re.search(r"console: http://127.0.0.1:8642/#\S{43}", demo[2])
    said = (demo[0] / "logs" / "console.log").read_text()
    assert "the console is at http://127.0.0.1:8642" in said and "Traceback" not in said


def test_every_path_of_the_layout_for_foxglove_is_in_a_recording(demo):
    layout = config_dir() / "foxglove_layout.json"
    configured, placed = panels_of(layout)
    assert configured == placed
    with (demo[0] / "recording.mcap").open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    for path in paths_of(layout):
        topic = path.partition(".")[0]
        (channel,) = [each for each in summary.channels.values() if each.topic == topic]
        schema = summary.schemas[channel.schema_id]
        assert leads_to_a_field(path, schema.name, schema.data.decode()), path
    assert not leads_to_a_field("/x.header.stump", "std_msgs/msg/Header", "uint32 stamp")


def test_no_tick_was_missed_and_the_pose_was_known_along_the_mission(demo):
    mission = mission_of(demo[0])
    assert mission["lockstep_misses"] == 0
    assert mission["localisation_error_m"]["largest"] < 0.10


def test_the_recording_is_read_by_mcap_and_its_messages_by_ros(demo):
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import CompressedImage, LaserScan

    with (demo[0] / "recording.mcap").open("rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        counts = {
            channel.topic: summary.statistics.channel_message_counts.get(id, 0)
            for id, channel in summary.channels.items()
        }
        mission = mission_of(demo[0])
        end = summary.statistics.message_end_time * 1e-9
        assert end == pytest.approx(mission["simulated_duration_s"], abs=3.0)  # s of ROS time
        assert {schema.encoding for schema in summary.schemas.values()} == {"ros2msg"}
        for topic in ("/scan", "/odom", "/joint_states", "/tf", "/pose", "/detections"):
            assert counts[topic] > 100, counts
        assert counts["/cmd_vel"] > 50 and counts["/decisions"] >= 2 * len(mission["decisions"])
        assert counts["/tf_static"] >= 1
        _, _, first = next(reader.iter_messages(topics=["/scan"]))
        scan = deserialize_message(first.data, LaserScan)
        assert len(scan.ranges) == 360
        stamp = scan.header.stamp.sec + scan.header.stamp.nanosec * 1e-9
        assert first.log_time * 1e-9 == pytest.approx(stamp)
        _, _, picture = next(reader.iter_messages(topics=["/hand_camera/image_raw/compressed"]))
        assert deserialize_message(picture.data, CompressedImage).format == "jpeg"


def test_the_recording_plays_back_into_perception_and_master(demo):
    command = Command("replay", str(demo[0]))
    assert command.wait() == 0, command.said
    decisions = len(mission_of(demo[0])["decisions"])
    rows = [line for line in command.said.splitlines() if re.match(r"[│|] \d+ ", line)]
    assert len(rows) == decisions and all(row.count("the same") == 2 for row in rows), command.said
    told = re.search(r"(\d+) poses, (\d+) are recorded.* median is ([\d.]+) mm", command.said)
    assert told is not None and int(told[1]) >= 0.98 * int(told[2]) > 100
    assert float(told[3]) < 5.0


def test_half_a_recording_is_played_as_far_as_it_goes(demo, tmp_path):
    content = (demo[0] / "recording.mcap").read_bytes()
    (tmp_path / "half.mcap").write_bytes(content[: len(content) // 2])
    command = Command("replay", str(tmp_path / "half.mcap"), "--nodes", "perception")
    assert command.wait() == 0, command.said
    assert re.search(r"half.mcap is damaged or has no index .*: \d+ messages", command.said)
    assert re.search(r"perception: [1-9]\d+ poses", command.said)


def test_the_scans_of_every_tick_are_recorded(demo):
    mission = mission_of(demo[0])
    with (demo[0] / "recording.mcap").open("rb") as file:
        messages = make_reader(file).iter_messages(topics=["/scan"])
        times = [message.log_time * 1e-9 for _, _, message in messages]
    assert len(times) >= 0.98 * mission["simulated_duration_s"] / 0.1


def test_the_report_has_snapshots_of_both_cameras_at_each_hand_over(demo):
    text = (demo[0] / "report.html").read_text()
    decisions = len(mission_of(demo[0])["decisions"])
    assert text.count("data:image/jpeg;base64,") >= 2 * decisions - 2
    assert "delivered" in text and "mission.mp4" in text


def test_the_video_plays(demo):
    import imageio_ffmpeg

    frames = imageio_ffmpeg.read_frames(str(demo[0] / "mission.mp4"))
    about = next(frames)
    assert isinstance(about, dict) and about["codec"] == "h264"
    assert sum(1 for _ in frames) > 50


def test_no_process_is_left_behind(demo):
    assert nodes_of(demo[0]) == {}


def one_mission(folder: Path, file: Path) -> list[str]:
    """Options of the trial with the demo's seed."""
    options = ["--missions", "1", "--seed", str(SEED), "--disturb", "file"]
    return [*options, "--out", str(folder), "--json", str(file)]


def test_the_same_seed_gives_the_same_mission_in_a_trial(demo, tmp_path):
    """Mission 0 of `trials --seed 0` has the demo's seed; other processes, no recorder."""
    file = tmp_path / "trials.json"
    command = Command("trials", "--ros", *one_mission(tmp_path, file))
    assert command.wait() == 0, command.said
    content = json.loads(file.read_text())
    (row,), mission = content["missions"], mission_of(demo[0])
    assert decisions_of(row) == decisions_of(mission)
    assert row["simulated_duration_s"] == mission["simulated_duration_s"]
    assert row["placement_error_m"] == pytest.approx(mission["placement_error_m"], abs=1e-6)
    assert content["summary"]["missions"] == 1 and content["summary"]["successes"] == 1


def test_the_same_seed_gives_the_same_mission_in_process(demo, tmp_path):
    file = tmp_path / "trials.json"
    command = Command("trials", "--workers", "1", *one_mission(tmp_path, file))
    assert command.wait() == 0, command.said
    (row,), mission = json.loads(file.read_text())["missions"], mission_of(demo[0])
    ours, theirs = decisions_of(row), decisions_of(mission)
    assert [each[:3] for each in ours] == [each[:3] for each in theirs]
    assert ours[0] == theirs[0], "the first skill is the same to the step"
    for (*_, steps), (*_, others) in zip(ours, theirs, strict=True):
        assert abs(steps - others) <= STEPS, (ours, theirs)
    assert row["simulated_duration_s"] == pytest.approx(
        mission["simulated_duration_s"], abs=SECONDS
    )
    assert row["delivered"] and row["placement_error_m"] < 0.05


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_every_process_and_writes_what_it_has(tmp_path, number):
    command = Command("demo", "--seed", "1", "--out", str(tmp_path))
    command.wait_for(r"1\. walk")
    assert len(nodes_of(tmp_path)) >= 8
    os.kill(command.process.pid, number)
    assert command.wait(30) == 130, command.said
    assert nodes_of(tmp_path) == {}
    mission = mission_of(tmp_path)
    assert mission["sentence"] == "interrupted" and not mission["delivered"]
    assert (tmp_path / "report.html").is_file()
    for log in (tmp_path / "logs").glob("*.log"):
        assert "Traceback" not in log.read_text(), log


def test_a_node_that_dies_ends_the_demo_with_its_name(tmp_path):
    command = Command("demo", "--seed", "1", "--no-record", "--out", str(tmp_path))
    command.wait_for(r"1\. walk")
    (pid,) = [pid for pid, line in nodes_of(tmp_path).items() if "__node:=walk" in line]
    segments = mapped_segments([pid])
    os.kill(pid, signal.SIGKILL)
    assert command.wait(60) == 1
    assert segments and remove_unused(segments) == []  # there was nothing left to remove
    assert "node 'walk' ended with exit status -9" in command.said
    assert nodes_of(tmp_path) == {}
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT code FROM orders").fetchall() == [(Code.SHUTDOWN,)]


def test_a_killed_recorder_costs_neither_the_mission_nor_what_it_had(tmp_path):
    command = Command("demo", "--seed", "1", "--headless", "--out", str(tmp_path))
    command.wait_for(r"1\. walk")
    (pid,) = [pid for pid, line in nodes_of(tmp_path).items() if "__node:=recorder" in line]
    segments = mapped_segments([pid])
    os.kill(pid, signal.SIGKILL)
    assert command.wait() == 0, command.said
    assert segments and remove_unused(segments) == []  # there was nothing left to remove
    assert re.search(r"recording.mcap is damaged or has no index .*: \d+ messages", command.said)
    assert (tmp_path / "report.html").is_file() and mission_of(tmp_path)["delivered"]


def test_a_wrong_world_is_refused_before_anything_starts(tmp_path):
    command = Command("demo", "--world", "smal_warehouse", "--out", str(tmp_path / "out"))
    assert command.wait(60) == 2
    assert "unknown world 'smal_warehouse'; known: [" in command.said.replace("\n", " ")
    assert not (tmp_path / "out").exists()
