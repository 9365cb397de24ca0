"""The policies that ./hrl secure makes are those of the running nodes; strangers stay outside."""

import os
import subprocess
import sys

import pytest

from hrl_bringup.doctor import dds_security
from hrl_bringup.nodes import CONSOLE, GROUPS, RECORDER, enclave_of, parameters_for
from hrl_bringup.security.environment import variables
from hrl_bringup.security.keystore import write_keystore
from hrl_bringup.security.permits import permits
from hrl_bringup.security.policy import dds_names
from tests.ros.helpers import wait_for

NODES = (*GROUPS["demo"], RECORDER, CONSOLE)
# What a node may use and did not need yet: while it looks at evidence, or before a robot's clock.
AT_TIMES = {
    "plant": {"rt/clock"},
    "master": {"rt/camera/image_raw", "rt/hand_camera/image_raw"},
}
SETTLING = 60.0  # s of wall time for all nodes to be up


def test_every_node_uses_what_its_policy_permits_and_nothing_else(probe, start_node, tmp_path):
    values = {"use_sim_time": True, "realtime_factor": 0.0}
    more = {
        "master": {"ledger": tmp_path / "ledger.sqlite"},
        "recorder": {"path": tmp_path / "recording"},
        "console": {"port": 0, "tokens": tmp_path / "tokens.json"},
    }
    for spec in NODES:
        given = {**spec.parameters, **parameters_for(spec.name, values), **more.get(spec.name, {})}
        start_node(spec.module, spec.name, **given)
    granted = {permit.enclave: dds_names(permit, "/") for permit in permits()}

    def differences() -> list[str]:
        found = []
        for spec in NODES:
            may_publish, may_subscribe = granted[spec.enclave]
            spare = AT_TIMES.get(spec.name, set()) | {"ros_discovery_info"}
            if spec in (RECORDER, CONSOLE):  # they may hear everything, and take what is worth it
                spare |= may_subscribe
            if spec.name not in probe.get_node_names():
                found.append(f"{spec.name} is not there")
                continue
            names = probe.get_publisher_names_and_types_by_node(spec.name, "/", True)
            heard = probe.get_subscriber_names_and_types_by_node(spec.name, "/", True)
            for verb, may, real in (
                ("publish", may_publish, {name for name, _ in names}),
                ("subscribe to", may_subscribe, {name for name, _ in heard}),
            ):
                found += [f"{spec.name} must not {verb} {name}" for name in sorted(real - may)]
                spent = sorted(may - real - spare)
                found += [f"{spec.name} may {verb} {name} and does not" for name in spent]
        return found

    try:
        wait_for(lambda: not differences(), "the permits of the graph", SETTLING)
    except BaseException:
        print(*differences(), sep="\n")
        raise


VISITOR = """
import sys, time, rclpy
from geometry_msgs.msg import TwistStamped
from hrl_msgs.srv import AnswerApproval
from std_msgs.msg import Bool
rclpy.init(args=["--ros-args", "--enclave", sys.argv[1]])
node = rclpy.create_node("operator")
makers, answer = [], None
if sys.argv[2] == "acts":
    makers = [
        (node.create_publisher(TwistStamped, "cmd_vel", 10), TwistStamped()),
        (node.create_publisher(Bool, "e_stop", 10), Bool(data=False)),
    ]
    answer = node.create_client(AnswerApproval, "approvals/answer")
for _ in range(100):
    for maker, message in makers:
        maker.publish(message)
    time.sleep(0.1)
seen = {name for name, _ in node.get_topic_names_and_types()}
met = sum(maker.get_subscription_count() for maker, _ in makers)
print("/scan" in seen, "/decisions" in seen, met, answer is not None and answer.service_is_ready())
"""


@pytest.mark.skipif(
    not dds_security()[0], reason=f"no security is compiled into Fast DDS: {dds_security()[1]}"
)
def test_a_stranger_can_neither_see_nor_drive_nor_approve_nor_release(ros_domain, tmp_path):
    for name in ("ours", "other"):
        write_keystore(tmp_path / name, tmp_path / name / "private", permits(), "/", 1)
    inside = {**os.environ, **variables(tmp_path / "ours")}
    ledger = {"master": {"ledger": str(tmp_path / "ledger.sqlite")}}
    nodes = [
        subprocess.Popen(spec.command(ledger.get(spec.name)), env=inside)
        for spec in NODES
        if spec.name in ("plant", "master")
    ]

    def visit(environment, what: str) -> str:
        command = [sys.executable, "-c", VISITOR, enclave_of("operator"), what]
        visited = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=90
        )
        return visited.stdout.strip() or visited.stderr

    try:
        wait_for(lambda: visit(inside, "looks") == "True True 0 False", "an operator who sees", 120)
        for keys in ({"ROS_SECURITY_ENABLE": "false"}, variables(tmp_path / "other")):
            assert visit({**os.environ, **keys}, "acts") == "False False 0 False"
        assert "denied" in visit(inside, "acts").lower()  # an operator may not drive either
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.wait(20)
