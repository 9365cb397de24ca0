"""The table of commands: what each needs, and that whoever does the work is there."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hrl_bringup import commands
from hrl_bringup.cli import BENCHMARKS
from hrl_bringup.commands import COMMANDS, needs_of

FORWARDED = {each.name: each.module for each in COMMANDS.values() if each.module}


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("", ()),
        ("--help", ()),
        ("no-such-command", ()),
        ("demo --seed 3", ("ros",)),
        ("demo --console", ("ros", "services")),
        ("bench plant", ("ros",)),
        ("bench console", ("ros", "services")),
        ("console token Ada", ("ros", "services")),
        ("trials --missions 2", ()),
        ("trials --ros --missions 2", ("ros",)),
        ("trials --ray head:6379", ("ray",)),
        ("trials --ray=head:6379", ("ray",)),
        ("trials --systems 0.9", ("services",)),
        ("bench systems", ("services",)),
        ("bench plant", ("ros",)),
        ("warehouse --port 8301", ("services",)),
        ("test -k report", ("ros", "ray", "services", "browser")),
        ("test --fast", ()),
        ("world show", ()),
        ("env", ("ros",)),
    ],
)
def test_what_a_command_line_needs(line, needs):
    assert needs_of(line.split()) == needs


def test_the_script_can_ask_without_any_package():
    command = [sys.executable, "-I", "-S", commands.__file__, "test"]
    assert (
        subprocess.run(command, capture_output=True, text=True).stdout
        == "ros ray services browser\n"
    )


@pytest.mark.parametrize("module", [*FORWARDED.values(), *BENCHMARKS.values()])
def test_the_module_that_does_the_work_has_a_main(module):
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    assert any(isinstance(each, ast.FunctionDef) and each.name == "main" for each in tree.body)
