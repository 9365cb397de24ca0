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
LOOK_PERIOD = 1.0  # s of wall time; a killed node does not tell any more what was its own
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
    parameters: Mapping[str, ParameterValue]
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
        self._segments: set[str] = set()  # shared memory of ours, also of nodes that were killed
        self._looked = 0.0  # s of the steady clock

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
        self._running[spec.name] = Running(spec, parameters or {}, process, log)
        self._started.add(spec.name)

    def check(self) -> None:
        """Raise NodeDied if a node has ended by itself; call it often."""
        if time.monotonic() - self._looked > LOOK_PERIOD:
            self._looked = time.monotonic()
            self._segments |= mapped_segments(self.pids.values())
        for running in self._running.values():
            returncode = running.process.poll()
            if returncode is not None:
                raise NodeDied(running.spec.name, returncode, running.log)

    def ended(self) -> dict[str, int]:
        """Exit status of every node that has ended by itself or was killed."""
        statuses = {name: running.process.poll() for name, running in self._running.items()}
        return {name: status for name, status in statuses.items() if status is not None}

    def alive(self) -> dict[str, int]:
        """Process ids of the nodes that have not ended."""
        ended = self.ended()
        return {name: pid for name, pid in self.pids.items() if name not in ended}

    def kill(self, name: str) -> None:
        """End a node as a crash would: nothing of it says goodbye."""
        process = self._running[name].process
        segments = mapped_segments([process.pid])
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._segments = (self._segments | segments) - set(remove_unused(segments))

    def start_again(self, name: str) -> None:
        """Start a node that has ended, as it was started before."""
        self.start(self._running[name].spec, self._running[name].parameters)

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
        # A client in this process has left the domain by now.
        remove_unused(self._segments, done=os.getpid())


def last_lines(log: Path, count: int = SHOWN_LINES) -> str:
    """The end of a log file, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    return "\n".join(f"  {line}" for line in lines) or "  (empty)"


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the program the way Ctrl-C does, so that contexts are left."""
    interrupted = False

    def interrupt(number, frame) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, signal.SIGHUP]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except RuntimeError as error:
        if interrupted:  # inside a call of rclpy, whose binding made another error of it
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
