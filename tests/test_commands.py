"""Every command that README and docs give runs here, or stands in long_commands.yaml."""

import contextlib
import datetime
import functools
import io
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hrl_bringup import commands
from hrl_bringup.cli import app
from hrl_master.ledger import Ledger
from hrl_sim_bridge.worlds.layouts import write_layout
from tests.doc_commands import BLOCK, LIST, PAGES, ROOT, all_commands, listed

COMMANDS = all_commands()
LISTED = listed()
GIVEN = [command for command in COMMANDS.values() if not command.form]
# And need no nodes.
TAKE_NO_TIME = ("world", "skills", "doctor", "export", "report", "secure", "site")
_NO_TIME = rf"\./hrl ({'|'.join(TAKE_NO_TIME)})\b(?!-)(?! --driver)"  # that one looks at live nodes
QUICK = [c for c in GIVEN if re.match(_NO_TIME, c.text)]
NEED_ROS = [c.name for c in commands.COMMANDS.values() if c.module and c.needs == commands.ROS]
BY_OTHERS = (*commands.BY_SCRIPT, "test")  # have their options from elsewhere


def hrl(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_every_command_of_the_pages_is_run_or_listed():
    for command in GIVEN:
        assert command in QUICK or command.text in LISTED, f"not in {LIST.name}: {command.text}"


@pytest.mark.parametrize("command", QUICK, ids=lambda command: command.text)
def test_a_command_that_takes_no_time_runs_as_printed(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "generate" not in command.words:
        write_layout("aisles", 4, Path("my_site.yaml"))
    Path("out", "<time>").mkdir(parents=True)
    with Ledger(Path("out", "<time>", "ledger.sqlite"), durable=False) as ledger:
        ledger.begin_mission("m", [], {"policy": "behaviour_tree"})
    code, said = hrl(*command.words[1:])
    assert code == 0, said
    for file in re.findall(r"\S+\.(?:png|onnx|html|yaml|json)\b", command.text):
        assert Path(file).stat().st_size > 100, file


def test_the_list_holds_commands_of_the_pages_only_with_the_date_of_their_last_run():
    today = datetime.date.today()
    for command, entry in LISTED.items():
        assert command in {given.text for given in GIVEN}, f"no page gives: {command}"
        if entry["last_run"] == "unrecorded":
            assert entry["why"], command
        else:
            assert datetime.date.fromisoformat(str(entry["last_run"])) <= today, command


GROUPS = ("bench", "world", "approvals", "console")  # have commands of their own
HAVE_OPTIONS = ("train mlsh", "train master")  # of their own, beside those of the command
NAMES = sorted({c.words[1] for c in COMMANDS.values() if re.match(r"\./hrl [a-z]", c.text)})


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.ros] if name in NEED_ROS else [])
        for name in NAMES
        if name not in BY_OTHERS
    ],
)
def test_the_options_that_are_named_exist(name):
    for command in COMMANDS.values():
        words = command.words
        if words[:2] != ["./hrl", name]:
            continue
        if commands.SERVICES[0] in commands.needs_of(words[1:]):
            pytest.importorskip("httpx")
        own = name in GROUPS or " ".join(words[1:3]) in HAVE_OPTIONS
        inner = [word for word in words[2:3] if own and not word.startswith("-")]
        said = _help(name, *inner)
        for option in [word for word in words if word.startswith("--")]:
            assert option in said, f"{command.text}: ./hrl {name} has no {option}"


@pytest.mark.slow
def test_the_example_of_the_readme_prints_what_stands_below_it():
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (place,) = [k for k, (language, _) in enumerate(blocks) if language == "python"]
    code, (_, expected) = blocks[place][1], blocks[place + 1]
    assert len([line for line in code.splitlines() if line]) <= 10
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(code, "README.md", "exec"), {})
    assert _without_numbers(said.getvalue()) == _without_numbers(expected)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(b[0] == "python" for b in BLOCK.findall(page.read_text()))],
    ids=lambda page: page.name,
)
def test_what_the_examples_import_is_there(page):
    for language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        imports = re.findall(r"^(?:from|import) .*$", code, re.M) if language == "python" else []
        if any(".ros" in line for line in imports):
            pytest.importorskip("rclpy")
        if any(line.startswith("from mcp") for line in imports):
            pytest.importorskip("mcp")
        exec("\n".join(imports), {})


@functools.cache
def _help(*words: str) -> str:
    code, said = hrl(*words, "--help")
    assert code == 0, f"./hrl {' '.join(words)} --help: {said}"
    return said


def _without_numbers(text: str) -> str:
    """A walking robot makes much of a last bit: other processors give other millimetres."""
    return re.sub(r"\d+(\.\d+)?", "#", text)
