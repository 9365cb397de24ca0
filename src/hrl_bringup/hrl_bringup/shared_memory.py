"""Shared memory that killed DDS processes leave behind: which is ours, and what nobody uses."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path("/dev/shm")
_PREFIXES = ("fastrtps_", "fastdds_")


def mapped_segments(pids: Iterable[int]) -> set[str]:
    """Names of the DDS segments in /dev/shm that these processes have mapped."""
    names: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            for line in maps:
                path = line.rstrip().removesuffix(" (deleted)").rpartition(" ")[2]
                folder, _, name = path.rpartition("/")
                if folder == str(FOLDER) and name.startswith(_PREFIXES):
                    names.add(name)
    return names


def remove_unused(names: set[str], done: int = 0) -> list[str]:
    """Remove those of the segments that no process maps any more, with their locks; return them.

    `done`: pid of one that needs none any more, though it may have them mapped still.
    """
    pids = {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    living = mapped_segments(pids - {done})
    removed = []
    for name in sorted(names - living):
        for file in (name, f"{name}_el", f"sem.{name}_mutex"):
            with contextlib.suppress(OSError):
                (FOLDER / file).unlink()
                removed.append(file)
    return removed
