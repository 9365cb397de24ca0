"""`./hrl approvals`: what the master asks a person before it does it; approve, deny, watch."""

# pyright: reportOptionalMemberAccess=false
# What `load` has made is there while the node runs: pyright does not see that.

import argparse
import getpass
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from hrl_bringup.doctor import LAST_DOMAIN
from hrl_bringup.nodes import enclave_of
from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.number_options import integer
from hrl_core.paths import folder_to_write
from hrl_core.ros.convert import seconds
from hrl_core.ros.qos import interface, publisher_qos
from hrl_core.topics import Topic
from hrl_master.approver_keys import ApproverKey
from hrl_master.ledger_damage import opened
from hrl_master.ros.convert import statement_of
from hrl_msgs.msg import Approval, HandOver

PATIENCE = 10.0  # s of wall time for the master to be found, and to answer
PICTURES = Path("out", "approvals")
STATES = {
    Approval.PENDING: "waits for an answer",
    Approval.APPROVED: "approved",
    Approval.DENIED: "denied",
    Approval.EXPIRED: "expired: no answer means no",
    Approval.WITHDRAWN: "withdrawn",
}


def call(node: Node, service: tuple[str, str], request):
    """The master's answer; raises ConfigError where none comes."""
    name, kind = service
    client = node.create_client(interface(kind), name)
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    if not client.wait_for_service(PATIENCE):
        raise ConfigError(
            f"no master was found within {PATIENCE:.0f} s on ROS_DOMAIN_ID={domain}; --domain "
            "names another one"
        )
    asked = client.call_async(request)
    rclpy.spin_until_future_complete(node, asked, timeout_sec=PATIENCE)
    if not asked.done():
        raise ConfigError(f"the master did not answer within {PATIENCE:.0f} s")
    return asked.result()


def show(approval: Approval, folder: Path) -> None:
    """Print an approval; its pictures become files."""
    state = STATES[approval.state]
    if approval.answered_by:
        state += f" by {approval.answered_by}" + " (signed)" * approval.with_key
        state += f": {approval.comment}" * bool(approval.comment)
    print(f"{approval.id}  {approval.what} (tier {approval.tier}): {state}")
    if approval.state != Approval.PENDING:
        return
    print(f"    why: {approval.why}")
    print(f"    mission {approval.mission_id}, decision {approval.decision}")
    asked, expires = seconds(approval.header.stamp), seconds(approval.expires)
    print(f"    asked at {asked:.1f} s, expires at {expires:.1f} s of ROS time")
    save(f"approval_{approval.id}", approval, folder)


def save(name: str, message: Approval | HandOver, folder: Path) -> None:
    """Write the pictures of a message and say where they are."""
    for camera, picture in zip(message.cameras, message.pictures, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}_{camera}.jpg"
        path.write_bytes(bytes(picture.data))
        print(f"    picture: {path}")


def pending(node: Node) -> dict[str, Approval]:
    """What waits for an answer, by id."""
    request = interface(topics.LIST_APPROVALS[1]).Request()
    return {each.id: each for each in call(node, topics.LIST_APPROVALS, request).approvals}


def show_pending(node: Node, options: argparse.Namespace) -> int:
    """List what waits for an answer."""
    approvals = pending(node)
    for approval in approvals.values():
        show(approval, options.pictures)
    if not approvals:
        print("nothing waits for an answer")
    return 0


def answer(node: Node, options: argparse.Namespace) -> int:
    """Approve or deny; 0 only if the answer counts."""
    key = ApproverKey(options.key) if options.key else None
    by = options.by or (key.name if key else getpass.getuser())
    request = interface(topics.ANSWER_APPROVAL[1]).Request(
        id=options.id, approve=options.command == "approve", by=by, comment=options.comment
    )
    if key is not None:
        question = pending(node).get(options.id)
        if question is None:
            raise ConfigError(f"approval {options.id!r} does not wait for an answer")
        statement = statement_of(question, request.approve, request.by, request.comment)
        request.signature = list(key.sign(statement))
    response = call(node, topics.ANSWER_APPROVAL, request)
    print(response.detail, file=sys.stdout if response.ok else sys.stderr)
    return 0 if response.ok else 1


def watch(node: Node, options: argparse.Namespace) -> int:
    """Show requests, answers and hand-overs as they come, until Ctrl-C."""

    def on_approval(message: Approval) -> None:
        show(message, options.pictures)

    def on_handover(message: HandOver) -> None:
        print(f"handed over: {message.summary}\n    next: {message.recommendation}")
        print(f"    package: {message.folder or 'could not be written'}")
        if not message.folder:
            save(f"handover_{message.mission_id.replace('/', '_')}", message, options.pictures)

    def listen(topic: Topic, callback: Callable) -> None:
        node.create_subscription(interface(topic.type), topic.name, callback, publisher_qos(topic))

    listen(topics.APPROVALS, on_approval)
    listen(topics.HANDOVERS, on_handover)
    print("watching; Ctrl-C ends", file=sys.stderr)
    while True:
        rclpy.spin_once(node)


def show_log(options: argparse.Namespace) -> int:
    """Every request of a ledger with every answer to it, also those that did not count."""
    with opened(options.ledger) as ledger:
        rows = ledger.rows(
            "SELECT p.*, a.verdict, a.by, a.answered_by, a.comment, "
            "a.counted, a.at FROM approvals p "
            "LEFT JOIN answers a ON a.approval = p.id ORDER BY p.asked_at, a.at"
        )
    shown = None
    for row in rows:
        if row["id"] != shown:
            shown = row["id"]
            asked = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["asked_at"]))
            print(f"{asked}  {shown}  {row['what']} (tier {row['tier']}, {row['mission']})")
        if row["verdict"] is None:
            print("    no answer yet")
            continue
        after = row["at"] - row["asked_at"]
        late = "" if row["counted"] else "; did not count"
        comment = f": {row['comment']}" if row["comment"] else ""
        signed = " (signed)" if row["answered_by"] else ""
        print(f"    {row['verdict']} by {row['by']}{signed} after {after:.0f} s{comment}{late}")
    if not rows:
        print("no approval was ever asked for")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./hrl approvals", description=__doc__)
    parser.add_argument(
        "--domain", type=integer(0, LAST_DOMAIN), help="ROS_DOMAIN_ID of the master"
    )
    parser.add_argument(
        "--pictures",
        type=folder_to_write,
        default=PICTURES,
        metavar="FOLDER",
        help="where they are put",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="what waits for an answer (the default)")
    for name, text in (("approve", "let it be done"), ("deny", "do not let it be done")):
        command = commands.add_parser(name, help=text)
        command.add_argument("id", help="of the approval, as listed")
        command.add_argument("--by", help="who answers; default: whose the key is, else the user")
        command.add_argument(
            "--key",
            type=Path,
            default=os.environ.get("HRL_APPROVER_KEY"),
            metavar="FILE",
            help="to sign with; default: $HRL_APPROVER_KEY",
        )
        command.add_argument("--comment", default="", help="why")
    commands.add_parser("watch", help="show requests, answers and hand-overs as they come")
    log = commands.add_parser("log", help="every request and answer in a ledger")
    log.add_argument("ledger", type=Path, help="an SQLite file")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.command == "log":
        return show_log(options)
    if options.domain is not None:
        os.environ["ROS_DOMAIN_ID"] = str(options.domain)
    run = {"approve": answer, "deny": answer, "watch": watch}.get(options.command, show_pending)
    rclpy.init(
        args=["--ros-args", "--enclave", enclave_of("approver")],
        signal_handler_options=SignalHandlerOptions.NO,
    )
    node = rclpy.create_node(f"approvals_{os.getpid()}")
    try:
        return run(node, options)
    except KeyboardInterrupt:
        return 0
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
