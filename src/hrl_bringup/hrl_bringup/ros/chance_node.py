"""`./hrl chance SKILL`: ask a running skill server how likely a goal is to succeed now."""

# pyright: reportOptionalMemberAccess=false
# What `load` has made is there while the node runs: pyright does not see that.

import argparse
import sys

import numpy as np
import rclpy
from geometry_msgs.msg import Quaternion
from rclpy.node import Node

from hrl_bringup.nodes import enclave_of
from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from_planar
from hrl_core.number_options import real
from hrl_core.ros.convert import pose_msg
from hrl_core.ros.qos import interface
from hrl_msgs.msg import NamedValue

PATIENCE = 10.0  # s of wall time for the server to appear, and to answer


def question(options: argparse.Namespace):
    """Request of EstimateSuccess from what was given on the command line."""
    request = interface(topics.ESTIMATE_SUCCESS[1]).Request(
        target=options.target, item=options.item, standoff=options.standoff
    )
    if options.pose is not None:
        request.pose.header.frame_id = topics.MAP
        request.pose.pose = pose_msg(transform_from_planar(np.array(options.pose)))
    request.offset.x, request.offset.y = options.offset
    request.item_in_hand.orientation = Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)  # not known
    request.parameters = [NamedValue(name=name, value=value) for name, value in options.set]
    return request


def ask(node: Node, skill: str, request):
    """The server's answer; raises ConfigError where none comes."""
    name, kind = topics.ESTIMATE_SUCCESS
    client = node.create_client(interface(kind), name.format(skill=skill))
    if not client.wait_for_service(PATIENCE):
        raise ConfigError(f"no server of {skill} was found within {PATIENCE:.0f} s")
    asked = client.call_async(request)
    rclpy.spin_until_future_complete(node, asked, timeout_sec=PATIENCE)
    if not asked.done():
        raise ConfigError(f"{skill} did not answer within {PATIENCE:.0f} s")
    return asked.result()


def _named_value(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./hrl chance", description=__doc__)
    parser.add_argument("skill")
    parser.add_argument("--target", default="", help="bin or station")
    parser.add_argument("--item", default="", help="item of the catalogue")
    parser.add_argument("--pose", type=real(), nargs=3, metavar=("X", "Y", "YAW"), help="in map")
    parser.add_argument("--offset", type=real(), nargs=2, default=(0.0, 0.0), metavar=("X", "Y"))
    parser.add_argument("--standoff", type=real(0, 100), default=0.0, help="m; 0: the site's")
    parser.add_argument(
        "--set", type=_named_value, nargs="+", default=[], metavar="NAME=VALUE", help="parameters"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    rclpy.init(args=["--ros-args", "--enclave", enclave_of("operator")])
    node = rclpy.create_node("operator_question")
    try:
        answer = ask(node, options.skill, question(options))
    finally:
        node.destroy_node()
        rclpy.shutdown()
    if not answer.ok:
        print(f"{options.skill} gives no estimate: {answer.detail}", file=sys.stderr)
        return 1
    print(f"{answer.probability:.3f}  {answer.detail}")
    for condition in answer.conditions:
        print(f"  {condition.name:24} {condition.value:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
