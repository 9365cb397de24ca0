"""`./hrl secure`: keys and permissions for every node, and keys for those who approve.

Without a name of a command: a keystore of SROS 2 with an enclave and a policy for each node. Done
once more, it renews all keys and follows the table of nodes.
"""

import argparse
import re
import sys
from pathlib import Path

from hrl_bringup.security.environment import variables
from hrl_bringup.security.keystore import write_keystore
from hrl_bringup.security.permits import permits
from hrl_core.config import ConfigError
from hrl_master.approver_keys import make_approver

FOLDER = Path("keystore")
DAYS = 365  # that keys are valid
_NAMESPACE = re.compile(r"/|(/[A-Za-z_][A-Za-z0-9_]*)+")


def secure(options: argparse.Namespace) -> int:
    """Write the keystore and say how it is used."""
    if not _NAMESPACE.fullmatch(options.namespace):
        raise ConfigError(f"--namespace {options.namespace!r}: expected / or such as /robot1")
    made = permits(tuple(options.driver), options.profile)
    private = options.private or options.out / "private"
    end = write_keystore(options.out, private, made, options.namespace, options.days)
    print(f"{len(made)} enclaves in {options.out}/enclaves, their policy in policy.xml")
    print(f"valid until {end:%Y-%m-%d}; the same command renews them, then restart the nodes")
    print(f"{private}/ca.key.pem makes keys for anybody: keep it away from the robot")
    print("to use it, in the environment of every node (./hrl demo: --secure FOLDER):")
    for name, value in variables(options.out).items():
        print(f"    export {name}={value}")
    return 0


def approver(options: argparse.Namespace) -> int:
    """Make a key for a person who may answer approvals."""
    private = options.private or options.out / "private"
    public_key, private_key = make_approver(options.name, options.out / "approvers", private)
    print(f"for {options.name}: {private_key} (./hrl approvals --key, or HRL_APPROVER_KEY)")
    print(f"for the master:  {public_key} (its parameter `approvers`: {public_key.parent})")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    folders = argparse.ArgumentParser(add_help=False)
    folders.add_argument(
        "--out", type=Path, default=FOLDER, metavar="FOLDER", help=f"default: {FOLDER}/"
    )
    folders.add_argument(
        "--private",
        type=Path,
        metavar="FOLDER",
        help="where keys go that no robot needs; default: private/ in --out",
    )
    parser = argparse.ArgumentParser(prog="./hrl secure", description=__doc__, parents=[folders])
    parser.add_argument("--days", type=_days, default=DAYS, help=f"of validity; default: {DAYS}")
    parser.add_argument("--namespace", default="/", help="of all nodes, as in the launch files")
    parser.add_argument(
        "--driver", nargs="+", default=["robot"], metavar="NODE", help="nodes of the robot's driver"
    )
    parser.add_argument(
        "--profile",
        default="plant",
        metavar="NAME|FILE",
        help="how that driver speaks: in config/drivers, or a .yaml file",
    )
    parser.set_defaults(run=secure)
    commands = parser.add_subparsers(metavar="COMMAND")
    made = commands.add_parser("approver", parents=[folders], help="a key for one who approves")
    made.add_argument("name", help="of the person")
    made.set_defaults(run=approver)
    return parser.parse_args(arguments)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3650:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 to 3650 days")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        return options.run(options)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
