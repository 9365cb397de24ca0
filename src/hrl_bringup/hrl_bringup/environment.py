"""What a ROS process of ours needs around it: a domain of its own, local discovery, log folder."""

import fcntl
import os
import socket
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from hrl_core.config import config_dir

# Domains above 101 would use ports that Linux hands out to outgoing connections. The first ones
# are those that people pick by hand.
DOMAINS = range(40, 101)


class Domain:
    """A free ROS domain, kept for this process by a locked file until it is closed."""

    def __init__(self) -> None:
        for number in DOMAINS:
            lock = _lock(Path(tempfile.gettempdir()) / f"hrl-domain-{number}.lock")
            if lock is None:
                continue
            if _is_quiet(number):
                self.number, self._lock = number, lock
                return
            os.close(lock)
        raise RuntimeError(
            f"no free ROS domain from {DOMAINS.start} to {DOMAINS.stop - 1}: end the ROS programs "
            "that run, or set ROS_DOMAIN_ID to a domain to share"
        )

    def close(self) -> None:
        os.close(self._lock)

    def __enter__(self) -> "Domain":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def ros_environment(domain: int, logs: Path) -> dict[str, str]:
    """Environment of a node's process: ours, and what keeps it on its domain and computer.

    `logs`: folder for logs; what rclpy writes there by itself goes to ros/.
    """
    environment = dict(os.environ)
    environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    # Large pictures are lost with the default shared memory of Fast DDS.
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):  # 3.x, Jazzy
        environment.setdefault(name, str(config_dir() / "fastdds_shm.xml"))
    environment.setdefault("MUJOCO_GL", "egl")
    # One thread each: many processes share few cores, and their matrices are small.
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.setdefault(library, "1")
    environment.update(
        ROS_DOMAIN_ID=str(domain),
        ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
        ROS_LOG_DIR=str(logs / "ros"),
        ROS_HOME=str(logs / "ros"),
        RCUTILS_COLORIZED_OUTPUT="0",
        PYTHONUNBUFFERED="1",
    )
    return environment


def _lock(path: Path) -> int | None:
    """Descriptor of the locked file, or None where another process holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:  # another user's
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _is_quiet(domain: int) -> bool:
    """Whether no participant is there: the first one binds this port (DDSI-RTPS, 9.6.1.1)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", 7400 + 250 * domain + 10))
        except OSError:
            return False
    return True
