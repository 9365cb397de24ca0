"""Every option of every command with nonsense: exit status 2 and a sentence, no traceback."""

import argparse
import importlib
import itertools
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hrl_bringup.cli import BENCHMARKS, app
from hrl_bringup.commands import COMMANDS
from hrl_core.config import ConfigError

NUMBERS = ("x", "", "nan", "-inf", "1e999", "0x1", "9" * 5000)
ROS = {"explain", "replay", "chance", "approvals"} if find_spec("hrl_msgs") is None else set()
ROS |= {"bench systems", "mcp"} if find_spec("httpx") is None else set()
MODULES = {each.name: each.module for each in COMMANDS.values() if each.module}
MODULES |= {f"bench {name}": module for name, module in BENCHMARKS.items()}
# Commands that only read and write files: they may run with whatever they take.
READERS = {
    "report": ["{file}"],
    "report --json": ["{file}", "--json", "out.json"],
    "report --rates": ["none.sqlite", "--rates", "{file}"],
    "calibrate": ["grasp", "--rows", "{file}"],
    "calibrate of what": ["{file}", "--rows", "none.json"],
    "sim-gap": ["{file}"],
    "fit-outcomes": ["--rows", "{file}"],
    "export": ["{file}"],
    "export --out": ["walk", "--out", "{file}"],
    "secure --out": ["--out", "{file}"],
    "secure --days": ["--days", "{file}"],
    "secure --namespace": ["--namespace", "{file}"],
    "secure approver": ["approver", "{file}"],
    "evaluate --tasks": ["grasp", "--trials", "1", "--tasks", "{file}"],
    "train --tasks": ["grasp", "--tasks", "{file}"],
    "train what": ["{file}"],
    "adapt --world": ["--world", "{file}"],
    "explain": ["{file}"],
    "explain --picture": ["none.json", "--picture", "{file}"],
    "approvals log": ["log", "{file}"],
}


class _Found(Exception):
    pass


def parser_of(module: str, monkeypatch) -> argparse.ArgumentParser:
    """The parser that a module's `main` makes, caught before it parses."""
    found = []

    def caught(self, *_, **__):
        found.append(self)
        raise _Found

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_known_args", caught)
        with pytest.raises(_Found):
            importlib.import_module(module).main([])
    return found[0]


def all_actions(parser: argparse.ArgumentParser, prefix: tuple[str, ...] = ()):
    """Options with the words of the subcommand before them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from all_actions(inner, (*prefix, name))
        elif action.option_strings and action.nargs != 0:
            yield prefix, action


@pytest.mark.parametrize("name", sorted(set(MODULES) - ROS))
def test_nonsense_for_a_number_is_refused_with_the_option(name, monkeypatch, capsys):
    parser = parser_of(MODULES[name], monkeypatch)
    for (prefix, action), value in itertools.product(all_actions(parser), NUMBERS):
        if action.type in (None, str, Path) or "path" in getattr(action.type, "__module__", ""):
            continue
        option = action.option_strings[-1]
        try:
            parser.parse_args([*prefix, f"{option}={value}"])
        except SystemExit as end:
            said = capsys.readouterr().err
            assert end.code == 2 and said.count("error:") == 1, f"{name} {option}={value}: {said}"
        else:
            pytest.fail(f"./hrl {name} {option}={value} is taken")


def _commands(group, prefix: tuple[str, ...] = ()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def test_nonsense_for_a_number_of_the_other_commands_is_refused():
    runner, tried = CliRunner(), 0
    for words, command in _commands(typer.main.get_command(app)):
        for parameter in command.params:
            if type(parameter.default) not in (int, float):  # every number has a default
                continue
            for value in ("x", "", "nan", "-1"):
                result = runner.invoke(app, [*words, f"{parameter.opts[-1]}={value}"])
                assert result.exit_code == 2, (words, parameter.opts, value, result.output)
                assert "Traceback" not in result.output
                tried += 1
    assert tried >= 20


@pytest.mark.parametrize("case", sorted(name for name in READERS if name.split()[0] not in ROS))
def test_nonsense_for_a_file_is_refused_in_a_sentence(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    (tmp_path / "empty").touch()
    (tmp_path / "empty.yaml").touch()
    main = importlib.import_module(MODULES[case.split()[0]]).main
    for value in ("", "none", "folder", "noise", "empty", "empty.yaml", "/dev/null/x", "x" * 5000):
        try:
            status = main([word.format(file=value) for word in READERS[case]])
        except SystemExit as end:
            status = end.code
        except (ConfigError, OSError) as error:  # the command line makes a sentence of both
            assert isinstance(error, ConfigError) or error.filename, f"{value!r}: {error!r}"
            status = 2
        capsys.readouterr()
        assert status == 2 or case.endswith(("--out", "approver", "--json", "--namespace")), (
            f"{value!r}: {status}"
        )
