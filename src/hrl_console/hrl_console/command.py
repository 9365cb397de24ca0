"""`./hrl console`: the operators' page, beside running nodes; `token`: who may use it."""

import argparse
import os
import sys
from pathlib import Path

from hrl_bringup.doctor import LAST_DOMAIN
from hrl_bringup.nodes import CONSOLE, ParameterValue
from hrl_bringup.security.tokens import ROLES, Tokens
from hrl_core.config import ConfigError
from hrl_core.number_options import integer

FOXGLOVE = 8765  # the port that Foxglove tries by itself


def tokens_path() -> Path:
    """Where the console looks for tokens, unless it is told otherwise."""
    return Path(os.environ.get("ROS_HOME") or "~/.ros", "hrl", "console_tokens.json").expanduser()


def token(options: argparse.Namespace) -> int:
    """Make, remove or list tokens."""
    tokens = Tokens(options.tokens)
    if options.remove:
        tokens.remove(_named(options.name))
        print(f"the token of {options.name} is worth nothing any more")
    elif options.name:
        made = tokens.make(options.name, options.role or ())
        print(made)
        print(f"of {options.name}; {tokens.path} has its hash only", file=sys.stderr)
    else:
        for person in tokens.people:
            print(f"{person.name}: {', '.join(person.roles)}")
        if not tokens.people:
            print(f"{tokens.path} has no token", file=sys.stderr)
    return 0


def run(options: argparse.Namespace) -> int:
    """Become the console's node."""
    given: dict[str, ParameterValue] = {"tokens": str(options.tokens.absolute())}
    for name, parameter in (
        ("world", "site"),
        ("robot", "robot"),
        ("host", "host"),
        ("port", "port"),
        ("certificate", "certificate"),
        ("key", "key"),
        ("ledger", "ledger"),
        ("foxglove", "foxglove_port"),
    ):
        value = getattr(options, name)
        if value is not None:
            given[parameter] = str(value.absolute()) if isinstance(value, Path) else value
    if options.domain is not None:
        os.environ["ROS_DOMAIN_ID"] = str(options.domain)
    command = CONSOLE.command(given)
    os.execv(command[0], command)


def _named(name: str | None) -> str:
    if not name:
        raise ConfigError("--remove needs the name of a person")
    return name


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./hrl console", description=__doc__)
    parser.add_argument("--world", help="the site: world in config/worlds, or a .yaml file")
    parser.add_argument("--robot", help="in config/robots, or a .yaml file")
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="of the master")
    parser.add_argument("--host", help="where to listen; default: this computer only")
    parser.add_argument("--port", type=integer(0, 65535), help="default: 8642")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="PEM, for https")
    parser.add_argument("--key", type=Path, metavar="FILE", help="PEM, of the certificate")
    parser.add_argument(
        "--tokens", type=Path, default=tokens_path(), metavar="FILE", help="who may use it"
    )
    parser.add_argument(
        "--foxglove",
        type=integer(1, 65535),
        nargs="?",
        const=FOXGLOVE,
        metavar="PORT",
        help=f"serve Foxglove as well; default: {FOXGLOVE}",
    )
    parser.add_argument("--domain", type=integer(0, LAST_DOMAIN), help="ROS_DOMAIN_ID of the nodes")
    commands = parser.add_subparsers(dest="command", metavar="token")
    person = commands.add_parser("token", help="make, remove or list tokens")
    person.add_argument("name", nargs="?", help="of the person; none: list them")
    person.add_argument(
        "--role", action="append", choices=ROLES, help="may be given twice; default: viewer"
    )
    person.add_argument("--remove", action="store_true", help="take the token away")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    return token(options) if options.command == "token" else run(options)


if __name__ == "__main__":
    sys.exit(main())
