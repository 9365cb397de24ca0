"""Processes are watched and ended, whatever they do; nothing of them stays behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from hrl_bringup import shared_memory
from hrl_bringup.environment import Domain, ros_environment
from hrl_bringup.nodes import NodeSpec
from hrl_bringup.runner import NodeDied, Runner, last_lines


class Script(NodeSpec):
    """Stands in for a node: a Python program instead of a module."""

    def command(self, parameters=None):
        return [sys.executable, "-u", "-S", "-c", textwrap.dedent(self.executable)]


def script(name: str, program: str) -> Script:
    return Script(name=name, package="", executable=program, parameter_file="")


STUBBORN = """
    import signal, time
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: print("no"))
    print("ready")
    while True:
        time.sleep(0.05)
"""
POLITE = """
    import time
    print("ready")
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("bye")
"""


def wait_for(condition, what: str, patience: float = 10.0):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    pytest.fail(f"waited {patience} s for {what}")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def runner(tmp_path):
    with Runner(domain=99, logs=tmp_path) as runner:
        yield runner


def test_a_polite_node_is_ended_by_sigint(runner):
    runner.start(script("polite", POLITE))
    wait_for(lambda: "ready" in last_lines(runner.logs / "polite.log"), "the node's output")
    assert runner.stop() == {"polite": 0}
    assert "bye" in last_lines(runner.logs / "polite.log")


def test_a_node_that_ignores_every_signal_is_killed(runner, monkeypatch):
    from hrl_bringup import runner as module

    monkeypatch.setattr(module, "PATIENCE", ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2)))
    runner.start(script("stubborn", STUBBORN))
    wait_for(lambda: "ready" in last_lines(runner.logs / "stubborn.log"), "the node's output")
    assert runner.stop() == {"stubborn": -signal.SIGKILL}


def test_a_node_that_ends_by_itself_is_reported_with_its_last_words(runner):
    runner.start(script("broken", "print('no such world'); raise SystemExit(3)"))

    def died():
        try:
            runner.check()
        except NodeDied as error:
            return error
        return None

    error = wait_for(died, "the node's end")
    assert error.name == "broken" and error.returncode == 3
    assert "no such world" in str(error)


def test_nodes_end_when_the_program_that_started_them_is_killed(tmp_path):
    program = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from test_runner import POLITE, script
        from hrl_bringup.runner import Runner
        runner = Runner(domain=99, logs=Path({str(tmp_path)!r}))
        runner.start(script("polite", POLITE))
        print(runner.pids["polite"], flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_for(lambda: (tmp_path / "polite.log").read_text(), "the node's output")
    assert is_alive(pid)
    parent.kill()
    parent.communicate()
    wait_for(lambda: not is_alive(pid), "the node's end")


def test_a_node_inherits_its_own_domain_and_log_folder(runner):
    told = "print(os.environ['ROS_DOMAIN_ID'], os.environ['ROS_LOG_DIR'], 'end')"
    runner.start(script("env", f"import os; {told}"))
    # Unbuffered output comes in pieces: wait for the last one.
    said = wait_for(
        lambda: (log := (runner.logs / "env.log").read_text()).endswith("end\n") and log,
        "the node's output",
    )
    assert said.split() == ["99", str(runner.logs / "ros"), "end"]


def test_the_environment_keeps_what_a_ros_installation_has_set(tmp_path, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/jazzy")
    assert ros_environment(50, tmp_path)["AMENT_PREFIX_PATH"] == "/opt/ros/jazzy"


def test_two_domains_at_the_same_time_differ_and_a_closed_one_is_free_again():
    with Domain() as first, Domain() as second:
        assert first.number != second.number
    with Domain() as third:
        assert third.number == first.number


def test_the_shared_memory_of_a_killed_node_goes_with_the_others(runner, tmp_path, monkeypatch):
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(shared_memory, "FOLDER", folder)
    segment = folder / "fastrtps_killed"
    runner.start(script("killed", f"""
        import mmap, time
        with open({str(segment)!r}, "w+b") as file:
            file.write(bytes(mmap.PAGESIZE)); file.flush()
            kept = mmap.mmap(file.fileno(), 0)
        print("ready")
        time.sleep(60)
    """))  # fmt: skip
    wait_for(lambda: "ready" in last_lines(runner.logs / "killed.log"), "the node's output")
    runner.check()
    os.kill(runner.pids["killed"], signal.SIGKILL)
    with pytest.raises(NodeDied):
        wait_for(runner.check, "the end of the node")
    assert segment.is_file()
    runner.stop()
    assert not segment.exists()


def test_only_segments_that_no_process_maps_are_removed(tmp_path, monkeypatch):
    import mmap

    monkeypatch.setattr(shared_memory, "FOLDER", tmp_path)
    for name in ("fastrtps_used", "fastrtps_left", "fastrtps_left_el", "fastrtps_other"):
        (tmp_path / name).write_bytes(bytes(mmap.PAGESIZE))
    with open(tmp_path / "fastrtps_used", "r+b") as file, mmap.mmap(file.fileno(), 0):
        assert shared_memory.mapped_segments([os.getpid()]) == {"fastrtps_used"}
        removed = shared_memory.remove_unused({"fastrtps_used", "fastrtps_left"})
    assert removed == ["fastrtps_left", "fastrtps_left_el"]
    assert {p.name for p in tmp_path.iterdir()} == {"fastrtps_used", "fastrtps_other"}


def test_a_killed_node_says_nothing_and_is_started_again_as_it_was(runner):
    log = runner.logs / "polite.log"
    runner.start(script("polite", POLITE))
    wait_for(lambda: "ready" in last_lines(log), "the node's output")
    first = runner.alive()["polite"]
    runner.kill("polite")
    assert runner.ended() == {"polite": -signal.SIGKILL} and runner.alive() == {}
    runner.start_again("polite")
    wait_for(lambda: last_lines(log).count("ready") == 2, "the node's output")
    assert runner.alive()["polite"] != first and runner.ended() == {}
    assert "bye" not in last_lines(log)
