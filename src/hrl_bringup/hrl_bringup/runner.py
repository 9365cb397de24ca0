"""Starts nodes as processes, watches them, and ends them all whatever happens."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hrl_bringup.environment import ros_environment
from hrl_bringup.nodes import NodeSpec, ParameterValue
from hrl_bringup.shared_memory import mapped_segments, remove_unused

SHOWN_LINES = 15
PATIENCE = ((signal.SIGINT, 6.0), (signal.SIGTERM, 3.0))  # s of wall time, before the next signal
# Ends the node when this process is killed and can end nothing itself.
_WITH_PARENT = [sys.executable, "-S", str(Path(__file__).with_name("child.py"))]


class NodeDied(RuntimeError):
    """A node ended by itself; the message has its last log lines."""

    def __init__(self, name: str, returncode: int, log: Path):
        self.name = name
        self.returncode = returncode
        super().__init__(
            f"node {name!r} ended with exit status {returncode}; the end of {log}:\n"
            + last_lines(log)
        )


@dataclass(frozen=True)
class Running:
    """A node's process and its log."""

    spec: NodeSpec
    process: subprocess.Popen
    log: Path


class Runner:
    """Processes of nodes on one ROS domain. Use it as a context: leaving it ends them all."""

    def __init__(self, domain: int, logs: Path):
        logs.mkdir(parents=True, exist_ok=True)
        self.logs = logs
        self.domain = domain
        self._environment = ros_environment(domain, logs)
        self._running: dict[str, Running] = {}
        self._started: set[str] = set()
        self._segments: set[str] = set()

    @property
    def pids(self) -> dict[str, int]:
        return {name: running.process.pid for name, running in self._running.items()}

    def start(self, spec: NodeSpec, parameters: Mapping[str, ParameterValue] | None = None) -> None:
        """Start a node. Its output goes to logs/<name>.log, appended when it is started again."""
        log = self.logs / f"{spec.name}.log"
        with log.open("ab" if spec.name in self._started else "wb") as output:
            process = subprocess.Popen(
                [*_WITH_PARENT, str(os.getpid()), *spec.command(parameters)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                # A session of its own: Ctrl-C reaches this process, which ends the nodes in order.
                start_new_session=True,
            )
        self._running[spec.name] = Running(spec, process, log)
        self._started.add(spec.name)

    def check(self) -> None:
        """Raise NodeDied if a node has ended by itself."""
        for running in self._running.values():
            returncode = running.process.poll()
            if returncode is not None:
                raise NodeDied(running.spec.name, returncode, running.log)

    def stop(self, names: tuple[str, ...] | None = None) -> dict[str, int]:
        """End nodes (all, or those named): SIGINT, then SIGTERM, then SIGKILL. Return statuses."""
        stopping = {n: r for n, r in self._running.items() if names is None or n in names}
        with _uninterrupted():
            self._segments |= mapped_segments(r.process.pid for r in stopping.values())
            for number, patience in PATIENCE:
                for running in stopping.values():
                    if running.process.poll() is None:
                        running.process.send_signal(number)
                _wait([running.process for running in stopping.values()], patience)
            for running in stopping.values():
                # The whole session: also what a node has started, such as a video encoder.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(running.process.pid, signal.SIGKILL)
                running.process.wait()
            for name in stopping:
                del self._running[name]
            self._segments -= set(remove_unused(self._segments))
        return {name: running.process.returncode for name, running in stopping.items()}

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def last_lines(log: Path, count: int = SHOWN_LINES) -> str:
    """The end of a log file, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    return "\n".join(f"  {line}" for line in lines) or "  (empty)"


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the program the way Ctrl-C does, so that contexts are left."""
    before = {s: signal.signal(s, _interrupt) for s in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number, frame) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore the signals of an impatient user for the few seconds that stopping takes."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: list[subprocess.Popen], patience: float) -> None:
    """Wait until all have ended, for at most `patience` seconds of wall time."""
    deadline = time.monotonic() + patience
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
