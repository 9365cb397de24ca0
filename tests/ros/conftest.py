"""Fixtures of the tests over ROS: a domain of their own, node processes, a probe, a fake robot."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from hrl_bringup.environment import Domain, ros_environment
from hrl_bringup.shared_memory import mapped_segments, remove_unused
from tests.ros.helpers import Listener, wait_for

os.environ.setdefault("MUJOCO_GL", "egl")
pytest.importorskip("rclpy")
collect_ignore = [] if find_spec("fastapi") else ["test_console.py"]


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.ros)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With a failure comes what the nodes have said since its test began."""
    report = yield
    if report.failed and "ros_domain" in item.funcargs:
        for log in sorted(item.funcargs["ros_domain"][1].glob("*.log")):
            if log.stat().st_mtime >= call.start:
                report.sections.append((log.name, log.read_text(errors="replace")[-3000:]))
    return report


class NodeProcess:
    """A node in a process of its own."""

    def __init__(self, module: str, arguments: list[str], log: Path, environment: dict[str, str]):
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", module, "--ros-args", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, number: int = signal.SIGINT, patience: float = 15.0) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(patience)

    def kill(self) -> None:
        segments = mapped_segments([self.process.pid])  # a killed node cannot remove its own
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        remove_unused(segments)


@pytest.fixture(scope="session")
def domains():
    """The ROS domains that were used; they are not used again: killed nodes leave traces there."""
    with contextlib.ExitStack() as used:
        yield used


@pytest.fixture(scope="module")
def ros_domain(domains, tmp_path_factory):
    """A quiet ROS domain for the tests of a module, with its environment set."""
    domain = domains.enter_context(Domain())
    logs = tmp_path_factory.mktemp("ros")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ros_environment(domain.number, logs).items():
            patch.setenv(name, value)
        yield domain.number, logs


def _starter(logs: Path, processes: list[NodeProcess]):
    def start(module: str, name: str = "", **parameters) -> NodeProcess:
        arguments = ["-r", f"__node:={name}"] if name else []
        for key, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += ["-p", f"{key}:={text}"]
        log = logs / f"{len(os.listdir(logs)):03d}-{name or module}.log"
        process = NodeProcess(module, arguments, log, dict(os.environ))
        processes.append(process)
        return process

    return start


def _end_all(processes: list[NodeProcess]) -> None:
    """End what still runs; a node that does not end cleanly fails the test."""
    segments = mapped_segments(node.process.pid for node in processes)
    bad = []
    for node in processes:
        if node.process.poll() is None:
            node.process.send_signal(signal.SIGINT)
    for node in processes:
        try:
            status = node.process.wait(15.0)
        except subprocess.TimeoutExpired:
            node.kill()
            status = -signal.SIGKILL
        if status not in (0, 2) or "Traceback" in node.output:
            bad.append(f"{node.log.name}: exit status {status}\n{node.output[-3000:]}")
    remove_unused(segments)
    assert not bad, "\n".join(bad)


@pytest.fixture
def start_node(ros_domain):
    """start_node(module, name, **parameters) -> NodeProcess, ended with the test."""
    processes: list[NodeProcess] = []
    yield _starter(ros_domain[1], processes)
    _end_all(processes)


@pytest.fixture(scope="module")
def start_node_for_module(ros_domain):
    """The same for all tests of a module."""
    processes: list[NodeProcess] = []
    yield _starter(ros_domain[1], processes)
    _end_all(processes)


@pytest.fixture(scope="module")
def probe(ros_domain):
    """A node of the tests, spun in a thread that is joined at the end."""
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.node import Node

    class Probe(Node):
        """Destroys things in the thread that spins it: that must not wait for what goes."""

        def destroy_publisher(self, publisher):
            return self._there(super().destroy_publisher, publisher)

        def destroy_subscription(self, subscription):
            return self._there(super().destroy_subscription, subscription)

        def destroy_client(self, client):
            return self._there(super().destroy_client, client)

        def destroy_timer(self, timer):
            return self._there(super().destroy_timer, timer)

        def _there(self, destroy, made) -> bool:
            if threading.current_thread() is thread or not thread.is_alive():
                return destroy(made)
            gone = executor.create_task(destroy, made)
            wait_for(gone.done, f"the end of {made}")
            return bool(gone.result())

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain[0])
    node = Probe("probe", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin():
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(10)
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def listen(probe):
    """listen(topic) -> Listener, closed with the test."""
    listeners: list[Listener] = []

    def listen(topic):
        listeners.append(Listener(probe, topic))
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.close()


@pytest.fixture
def publish(probe):
    """publish(topic, message); waits for a subscriber first."""
    from hrl_core.ros.qos import interface, publisher_qos

    publishers = {}

    def publish(topic, message):
        if topic.name not in publishers:
            made = probe.create_publisher(interface(topic.type), topic.name, publisher_qos(topic))
            publishers[topic.name] = made
            wait_for(made.get_subscription_count, f"a subscriber of {topic.name}")
        publishers[topic.name].publish(message)

    yield publish
    for made in publishers.values():
        probe.destroy_publisher(made)
