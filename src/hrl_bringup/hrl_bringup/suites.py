"""`./hrl test`: the test suites of the repository, one pytest run after the other."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hrl_core.config import ConfigError

NO_TESTS = 5  # pytest's exit status where nothing was selected


@dataclass(frozen=True)
class Suite:
    name: str
    marks: str
    workers: int


# Tests share the cores; those with ROS processes run one by one, so that no node waits for another.
CORES = os.cpu_count() or 1
FAST = Suite("fast", "not ros and not slow", workers=CORES)
WITHOUT_ROS = Suite("ROS-free", "not ros", workers=CORES)
WITH_ROS = Suite("ROS", "ros", workers=0)


def run_suites(fast: bool, pytest_arguments: Sequence[str] = ()) -> int:
    """Run the fast suite, or all of them. 0 only if tests ran and passed."""
    root = _repository()
    statuses = [
        _run(suite, root, pytest_arguments)
        for suite in ((FAST,) if fast else (WITHOUT_ROS, WITH_ROS))
    ]
    if set(statuses) == {NO_TESTS}:
        print("no test was selected", file=sys.stderr)
        return NO_TESTS
    failed = [status for status in statuses if status not in (0, NO_TESTS)]
    if failed:
        return failed[0]
    if not pytest_arguments and NO_TESTS in statuses:
        print("a whole suite has no tests: is this a full clone?", file=sys.stderr)
        return NO_TESTS
    if incomplete := os.environ.get("HRL_SETUP_FAILED"):
        print(f"the tests passed, but the set-up is not complete: {incomplete}", file=sys.stderr)
        return 1
    return 0


def _run(suite: Suite, root: Path, arguments: Sequence[str]) -> int:
    print(f"== {suite.name} tests (-m {suite.marks!r})", flush=True)
    command = [sys.executable, "-m", "pytest", "-m", suite.marks, f"--rootdir={root}"]
    command += ["--durations=10", "--durations-min=0.5"]  # says which are the slowest
    if suite.workers > 1:
        command += ["-n", str(suite.workers), "--dist", "loadfile"]
    return subprocess.run([*command, *arguments], cwd=root).returncode


def _repository() -> Path:
    """The folder with pyproject.toml and tests/ above this file."""
    for parent in Path(__file__).resolve().parents:
        if (parent / "pyproject.toml").is_file() and (parent / "tests").is_dir():
            return parent
    raise ConfigError(
        "./hrl test runs in a clone of the repository; installed packages: colcon test"
    )
