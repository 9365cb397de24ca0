"""Names of processes by which one that has gone is told from one that lives."""

import os
import socket
from pathlib import Path


def process_name() -> str:
    """Names this process so that it can be told whether it still lives: host, pid, start time."""
    return f"{socket.gethostname()} {os.getpid()} {_start_time(os.getpid())}"


def is_alive(process: str) -> bool:
    """Whether a named process lives on this host. One of another host counts as gone: SQLite's WAL
    does not work over a network, so that host was a container in this one's place."""
    host, pid, started = process.split()
    return host == socket.gethostname() and _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    """Start of a process in clock ticks since boot (proc(5), field 22); "gone" without one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "gone" if pid != os.getpid() else "unknown"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19]
