"""The one table of the commands of `./hrl`: what has to be set up for each, and who does the work.

The script `hrl` runs this file before anything is installed, so only the standard library is
needed: it prints the parts that the given command line needs, such as "ros ray".
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Parts = tuple[str, ...]
NOTHING: Parts = ()  # beside the Python packages
ROS: Parts = ("ros",)
RAY: Parts = ("ray",)
SERVICES: Parts = ("services",)
BROWSER: Parts = ("browser",)  # the system's Chromium, for tests of pages


@dataclass(frozen=True)
class Command:
    """A command; with a module, that one's `main(arguments)` parses the options."""

    name: str
    needs: Parts | Callable[[Sequence[str]], Parts]  # a function: it depends on the options
    module: str = ""  # empty: a function of cli.py, or the script itself
    help: str = ""


def needs_of(arguments: Sequence[str]) -> Parts:
    """What has to be set up for a command line, given without `./hrl`."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:  # --help, or a name that the command line refuses
        return NOTHING
    return command.needs(arguments[1:]) if callable(command.needs) else command.needs


def _test(options: Sequence[str]) -> Parts:
    return NOTHING if "--fast" in options else ROS + RAY + SERVICES + BROWSER


def _demo(options: Sequence[str]) -> Parts:
    return ROS + SERVICES if "--console" in options else ROS


def _doctor(options: Sequence[str]) -> Parts:
    return ROS if any(option.startswith("--driver") for option in options) else NOTHING


def _node(options: Sequence[str]) -> Parts:
    return ROS + SERVICES if "console" in options else ROS


def _bench(options: Sequence[str]) -> Parts:
    if "systems" in options:
        return SERVICES
    return ROS + SERVICES if "console" in options else ROS


def _trials(options: Sequence[str]) -> Parts:
    if any(option.startswith("--systems") for option in options):
        return SERVICES
    if "--ros" in options:
        return ROS
    return RAY if any(option.startswith("--ray") for option in options) else NOTHING


def _named_once(*commands: Command) -> dict[str, Command]:
    table = {command.name: command for command in commands}
    if len(table) < len(commands):
        raise ValueError(f"two commands have one name among {[each.name for each in commands]}")
    return table


BY_SCRIPT = ("env",)  # done by the script itself
COMMANDS = _named_once(
    Command("demo", _demo),
    Command("trials", _trials),
    Command("test", _test),
    Command("doctor", _doctor),
    Command("node", _node),
    Command("env", ROS),
    Command(
        "train",
        NOTHING,
        "hrl_training.cli.train",
        "Train a skill's policy: `./hrl train SKILL`.",
    ),
    Command(
        "export",
        NOTHING,
        "hrl_skills.export",
        "Write a skill's policy as an ONNX file: `./hrl export SKILL`.",
    ),
    Command("bench", _bench),
    Command(
        "soak",
        ROS,
        "hrl_bringup.soak.command",
        "Missions for hours while nodes are killed and sensors fail: `./hrl soak --hours H`.",
    ),
    Command(
        "evaluate",
        NOTHING,
        "hrl_training.cli.evaluate",
        "Measure a skill on trials drawn from a task file: `./hrl evaluate SKILL`.",
    ),
    Command(
        "chance",
        ROS,
        "hrl_bringup.ros.chance_node",
        "Ask a running skill how likely a goal is to succeed: `./hrl chance grasp --target A2`.",
    ),
    Command(
        "console",
        ROS + SERVICES,
        "hrl_console.command",
        "A page on what the robot does, for operators: `./hrl console`; `token`: who may use it.",
    ),
    Command(
        "approvals",
        ROS,
        "hrl_bringup.ros.approvals_node",
        "What the master asks a person: `./hrl approvals list|approve|deny|watch|log`.",
    ),
    Command(
        "mcp",
        ROS + SERVICES,
        "hrl_mcp.ros.command",
        "Tools for language models beside a robot's nodes: a server of MCP, over stdio or --http.",
    ),
    Command(
        "secure",
        NOTHING,
        "hrl_bringup.security.command",
        "Keys and policies of SROS 2 for every node; `./hrl secure approver NAME`: to approve.",
    ),
    Command(
        "explain",
        ROS,
        "hrl_bringup.ros.explain_node",
        "Say why each decision of a mission was made: `./hrl explain mission.json [--tree]`.",
    ),
    Command(
        "replay",
        ROS,
        "hrl_bringup.ros.replay_node",
        "Play a recording into perception and master as they are now: `./hrl replay RECORDING`.",
    ),
    Command(
        "report",
        NOTHING,
        "hrl_bringup.reports.ledger",
        "What a ledger says of its missions: `./hrl report LEDGER [--html F] [--json F]`.",
    ),
    Command(
        "site",
        NOTHING,
        "hrl_bringup.site_memory.command",
        "What a master has learned of its site: `./hrl site show|export|import|clear`.",
    ),
    Command(
        "calibrate",
        NOTHING,
        "hrl_training.trials.calibrate",
        "Fit a skill's chance of success to its trials: `./hrl calibrate SKILL --rows FILE`.",
    ),
    Command(
        "adapt",
        NOTHING,
        "hrl_training.master.adapt",
        "Learn a master for one site from the shipped one: `./hrl adapt --world FILE`.",
    ),
    Command(
        "site-curves",
        NOTHING,
        "hrl_training.search.curves",
        "What remembering a site is worth: `./hrl site-curves [--quick]`.",
    ),
    Command(
        "sim-gap",
        NOTHING,
        "hrl_training.cli.sim_gap",
        "Compare the fast world with full physics, on the missions of `./hrl trials --json`.",
    ),
    Command(
        "fit-outcomes",
        NOTHING,
        "hrl_training.fast.skill_outcomes",
        "Fit the fast world to trials of skills and missions: `./hrl fit-outcomes --rows FILES`.",
    ),
    Command(
        "warehouse",
        SERVICES,
        "hrl_bringup.warehouse",
        "The example warehouse system, an HTTP service with a database: `./hrl warehouse`.",
    ),
    Command("skills", NOTHING),
    Command("world", NOTHING),
)


if __name__ == "__main__":
    print(*needs_of(sys.argv[1:]))
