"""The linters as tests: what `pre-commit` checks, `./hrl test` checks too."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def run(tool: str, *arguments: str) -> None:
    result = subprocess.run(
        [BIN / tool, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, f"{tool}:\n{result.stdout}\n{result.stderr}"


def test_ruff_finds_no_fault():
    run("ruff", "check", ".")


def test_ruff_would_format_nothing_differently():
    run("ruff", "format", "--check", ".")


def test_the_import_walls_stand():
    run("lint-imports", "--no-logo")


def test_codespell_finds_no_misspelling():
    run("codespell")


@pytest.mark.slow
def test_pyright_finds_no_type_error():
    run("pyright")
