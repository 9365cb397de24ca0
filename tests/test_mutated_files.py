"""Damaged files of every kind: each is usable, or refused in a sentence that names the file.

HRL_MUTANTS says how many are drawn in all; `-rP` shows how many were accepted and refused.
"""

import os
import shutil
import signal
import time
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hrl_core.config import ConfigError
from tests.file_kinds import KINDS, Kind

if find_spec("rclpy") and find_spec("hrl_msgs"):
    from tests.ros_file_kinds import KINDS as ROS_KINDS
else:
    ROS_KINDS = ()

MUTANTS = int(os.environ.get("HRL_MUTANTS", "200"))
LIMIT = 60  # s for one file
LONGEST = 2000  # characters of a sentence


def sentence_of(error: ConfigError, path: Path) -> str:
    """What is wrong with the sentence itself; empty: nothing."""
    said = str(error)
    for line in said.split("\n"):  # one for each wrong value
        if path.name not in line:
            return f"does not name the file: {line!r}"
        if len(line) > LONGEST:
            return f"{len(line)} characters: {line[:100]!r}"
        if not line.isprintable():
            return f"cannot be printed: {line!r}"
    return ""


@contextmanager
def limited():
    def late(*_):
        raise TimeoutError(f"not done after {LIMIT} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tried(kind: Kind, content: bytes, path: Path) -> str:
    """What became of a file: accepted, refused, or what is wrong with how it was taken."""
    path.parent.mkdir()
    path.write_bytes(content)
    try:
        with limited():
            kind.use(path)
    except ConfigError as error:
        return sentence_of(error, path) or "refused"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {error}"
    return "accepted"


def cases() -> list:
    """Every kind with its number and how many mutants of it are drawn."""
    kinds = [(kind, ()) for kind in KINDS] + [(kind, pytest.mark.ros) for kind in ROS_KINDS]
    whole = sum(kind.share for kind, _ in kinds)
    return [
        pytest.param(
            k, kind, max(2, round(MUTANTS * kind.share / whole)), id=f"{k}-{kind.name}", marks=marks
        )
        for k, (kind, marks) in enumerate(kinds)
    ]


@pytest.mark.parametrize(("number", "kind", "count"), cases())
def test_a_damaged_file_is_usable_or_refused_in_a_sentence(number, kind, count, tmp_path):
    begun, wrong, ends = time.monotonic(), {}, Counter()
    sound = kind.sound(tmp_path)
    assert tried(kind, sound, tmp_path / "sound" / kind.name) == "accepted"
    for seed in range(count):
        content = kind.mutate(sound, np.random.default_rng([number, seed]), tmp_path)
        path = tmp_path / str(seed) / kind.name
        end = tried(kind, content, path)
        if end in ("accepted", "refused"):
            ends[end] += 1
            shutil.rmtree(path.parent)
        else:  # the file stays, to be looked at
            wrong[str(path)] = end
    print(f"{kind.name}: {dict(ends)} in {time.monotonic() - begun:.1f} s")
    assert not wrong, "\n".join(f"{path}: {end}" for path, end in wrong.items())
