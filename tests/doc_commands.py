"""The commands that README and docs give, and which of them no test runs.

    .venv/bin/python tests/doc_commands.py TEXT    run those of the list that contain TEXT

runs them in out/commands/ and notes today in the list for each that ends with exit status 0.
"""

import datetime
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LIST = ROOT / "tests" / "long_commands.yaml"

PROGRAM = re.compile(
    r"([A-Z_]+=\S+ )*(\./hrl|\.venv/bin/\S+|python3?|pip|ros2|colcon|docker|eval|tensorboard) "
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
PLACEHOLDER = re.compile(r"(?<![\w:])(N|ID|[A-Z]{3,})(?![\w=:])|\.\.\.")  # NAME, FILE, ...
NEEDED_FOLDERS = ("hrl", ".venv", "config", "docs", "examples", "requirements", "src")


@dataclass(frozen=True)
class Command:
    text: str
    form: bool  # names a command rather than giving one: `./hrl train`, `./hrl train SKILL`

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def commands_of(page: Path) -> list[Command]:
    """All that a page tells its readers to type, in order, each in one line."""
    text = page.read_text(encoding="utf-8")
    blocks = [block for language, block in BLOCK.findall(text) if language in ("", "bash")]
    typed = [(line, False) for block in blocks for line in _logical_lines(block)]
    typed += [(code, len(code.split()) <= 2) for code in INLINE.findall(BLOCK.sub("", text))]
    return [
        Command(line, bare or bool(PLACEHOLDER.search(line)))
        for line, bare in typed
        if PROGRAM.match(line + " ")
    ]


def all_commands() -> dict[str, Command]:
    """Those of all pages by their text; a form only where no page gives it as it is."""
    found = [command for page in PAGES for command in commands_of(page)]
    return {command.text: command for command in sorted(found, key=lambda c: not c.form)}


def listed() -> dict[str, dict[str, str]]:
    """Those that no test runs: text -> `last_run`, and `why` where that is `unrecorded`."""
    content = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return {entry["command"]: entry for entry in content}


def _logical_lines(block: str) -> list[str]:
    """Lines as a shell reads them: backslashes and open quotes go on, comments are left out."""
    lines, begun = [], ""
    for line in block.splitlines():
        begun = f"{begun} {line}".strip()
        if begun.endswith("\\"):
            begun = begun[:-1]
            continue
        try:
            shlex.split(begun, comments=True)
        except ValueError:  # a quote is open
            continue
        lines.append(re.sub(r"\s+", " ", re.sub(r"(^|\s)#\s.*$", "", begun)).strip())
        begun = ""
    return lines


def run_listed(text: str) -> int:
    """Run what the list has with this text in it; exit status: how many failed."""
    folder = ROOT / "out" / "commands"
    folder.mkdir(parents=True, exist_ok=True)
    for name in NEEDED_FOLDERS:
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    failed = 0
    for command in [command for command in listed() if text in command]:
        print(f"== {command}", flush=True)
        newest = max(ROOT.glob("out/*/mission.json"), key=os.path.getmtime, default=LIST).parent
        line = command.replace("out/<time>", shlex.quote(str(newest)))
        if subprocess.run(["bash", "-c", line], cwd=folder).returncode == 0:
            _note(command)
        else:
            print(f"== failed: {command}", flush=True)
            failed += 1
    return failed


def _note(command: str) -> None:
    today = datetime.date.today().isoformat()
    before, entry, after = LIST.read_text(encoding="utf-8").partition(f"- command: {command}\n")
    after = re.sub(r"  last_run: \S+\n(  why: .*\n)?", f"  last_run: {today}\n", after, count=1)
    LIST.write_text(before + entry + after, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(run_listed(sys.argv[1]))
