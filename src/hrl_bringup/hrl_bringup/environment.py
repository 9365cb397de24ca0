"""What a ROS process of ours needs around it: a domain of its own, local discovery, log folder."""

import fcntl
import os
import socket
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from hrl_bringup.doctor import LAST_DOMAIN
from hrl_core.config import ConfigError, config_dir

DOMAINS = range(40, LAST_DOMAIN)  # the first ones are those that people pick by hand


class Domain:
    """A ROS domain, kept for this process by a locked file until it is closed.

    `number`: which one; None: the first that is free. Raises ConfigError where another `./hrl` has
    the one that is asked for.
    """

    def __init__(self, number: int | None = None) -> None:
        if number is not None:
            lock = _lock(_lock_file(number))
            if lock is None:
                raise ConfigError(
                    f"ROS_DOMAIN_ID={number}: nodes of another ./hrl run there; wait for their "
                    "end, set another number, or unset it to have a free one taken"
                )
            self.number, self._lock = number, lock
            return
        for number in DOMAINS:
            lock = _lock(_lock_file(number))
            if lock is None:
                continue
            if _is_quiet(number):
                self.number, self._lock = number, lock
                return
            os.close(lock)
        raise RuntimeError(
            f"no free ROS domain from {DOMAINS.start} to {DOMAINS.stop - 1}: end the ROS programs "
            "that run, or name a domain by ROS_DOMAIN_ID"
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


def domain_asked_for() -> int | None:
    """ROS_DOMAIN_ID, where it is set; raises ConfigError where it is no domain."""
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if not text:
        return None
    if not text.isdecimal() or int(text) > LAST_DOMAIN:
        raise ConfigError(f"ROS_DOMAIN_ID={text}: allowed are 0 to {LAST_DOMAIN}")
    return int(text)


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


def _lock_file(number: int) -> Path:
    return Path(tempfile.gettempdir()) / f"hrl-domain-{number}.lock"


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
