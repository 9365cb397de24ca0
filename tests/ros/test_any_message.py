"""Whatever a message or a request holds, a node says in one sentence what is wrong, and lives.

More of them: HRL_MESSAGES=10000 ./hrl test tests/ros/test_any_message.py
"""

import os
from array import array
from importlib import import_module
from inspect import iscoroutine, iscoroutinefunction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrl_bringup.nodes import NODES as TABLE
from hrl_core.config import ConfigError
from hrl_core.outcomes import Code
from hrl_core.ros.node import HrlNode

EXAMPLES = int(os.environ.get("HRL_MESSAGES", 40))  # of every subscription and service
# Every node of the table, and one that takes compressed pictures.
NODES = {name: (spec, {}) for name, spec in TABLE.items()}
NODES["compressed"] = (TABLE["perception"], {"image_transport": "compressed"})
INTEGERS = {f"{sign}int{bits}": (bits, sign) for bits in (8, 16, 32, 64) for sign in ("", "u")}
NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e30]),
    st.floats(-10, 10),
)
WORDS = st.sampled_from(
    ["", "map", "odom", "base_link", "lidar_link", "camera_optical_frame", "walk", "A1", "can"]
    + ["packing", "rgb8", "mono8", "32FC1", "16UC1", "plumb_bob", "/", "{}", "'", "ä"]
)


def values(kind: str):
    """Strategy for a field of a ROS type."""
    if kind.startswith("sequence<"):
        inner = kind[9:-1].partition(",")[0]
        return st.lists(values(inner), max_size=8)
    if kind.endswith("]"):
        inner, _, count = kind[:-1].partition("[")
        return st.lists(values(inner), min_size=int(count), max_size=int(count))
    if kind == "boolean":
        return st.booleans()
    if kind in ("float", "double"):
        return NUMBERS
    if kind.startswith("string"):
        return WORDS
    if kind in ("octet", "byte", "char"):
        return st.integers(0, 255)
    if kind in INTEGERS:
        bits, sign = INTEGERS[kind]
        low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return st.one_of(st.integers(max(low, 0), min(high, 9)), st.integers(low, high))
    package, name = kind.split("/")
    module = __import__(f"{package}.msg", fromlist=[name])
    return messages(getattr(module, name))


def messages(cls):
    """Strategy for a message: any values in all its fields."""
    fields = {name: values(kind) for name, kind in cls.get_fields_and_field_types().items()}

    def fill(chosen):
        message = cls()
        for name, value in chosen.items():
            if cls.get_fields_and_field_types()[name] == "sequence<octet>":
                value = [bytes([part]) for part in value]
            if isinstance(getattr(message, name), array):
                value = array(getattr(message, name).typecode, list(value))  # type: ignore[arg-type]
            setattr(message, name, value)
        return message

    return st.fixed_dictionaries(fields).map(fill)


@pytest.fixture(scope="module", params=NODES)
def node(request, ros_domain, tmp_path_factory):
    """A node in this process, active, with what it refuses written down."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    spec, more = NODES[request.param]
    folder = tmp_path_factory.mktemp("node")
    ledger = {"ledger": folder / "ledger.sqlite"}
    own = {
        "master": ledger,
        "recorder": {"path": folder / "a.mcap"},
        "console": {**ledger, "tokens": folder / "tokens.json", "port": 0},
    }
    arguments = ["--ros-args"]
    for key, value in {**spec.parameters, **own.get(request.param, {}), **more}.items():
        arguments += ["-p", f"{key}:={value}"]
    rclpy.init(args=arguments, domain_id=ros_domain[0])
    cls: Any = node_class(spec.module)
    made = cls()
    made.wrong = []
    refuse = made.refuse
    made.refuse = lambda name, error: (made.wrong.append((name, error)), refuse(name, error))
    executor = SingleThreadedExecutor()  # is not spun: the tests call the callbacks
    executor.add_node(made)
    made.start_up()
    yield made
    made.halt()
    made.clean_up()
    made.destroy_node()
    executor.shutdown()
    rclpy.try_shutdown()


def node_class(module: str) -> type[HrlNode]:
    """The one class of a node's module that is a node."""
    made = [
        value
        for value in vars(import_module(module)).values()
        if isinstance(value, type) and issubclass(value, HrlNode) and value.__module__ == module
    ]
    assert len(made) == 1, made
    return made[0]


def check(node) -> None:
    """All that was refused is a sentence for people, not a fault of ours."""
    wrong, node.wrong[:] = list(node.wrong), []
    for name, error in wrong:
        if not isinstance(error, ConfigError):
            raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error


ANY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,  # the same messages every time
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def every(strategy, take) -> None:
    """Let `take` have EXAMPLES values of a strategy."""

    @ANY
    @given(strategy)
    def run(value):
        take(value)

    run()


def test_any_message_of_any_subscription(node):
    from rclpy.serialization import serialize_message

    assert list(node.subscriptions), "a node hears something"
    for subscription in list(node.subscriptions):

        def hear(message, callback=subscription.callback, raw=subscription.raw):
            callback(serialize_message(message) if raw else message)
            if hasattr(node, "_senses"):
                node._senses.sensed()
            node.watch()
            node.faults()
            node.status()
            check(node)

        every(messages(subscription.msg_type), hear)


def test_any_request_of_any_service_of_ours(node):
    for service in list(node.services):
        package = service.srv_type.__module__.partition(".")[0]
        if package not in ("hrl_msgs", "std_srvs") or iscoroutinefunction(service.callback):
            continue

        def ask(request, service=service):
            assert service.callback(request, service.srv_type.Response()) is not None
            check(node)

        every(messages(service.srv_type.Request), ask)


def test_any_goal_of_any_action(node, monkeypatch):
    from rclpy.action import ActionServer, GoalResponse
    from unique_identifier_msgs.msg import UUID

    async def at_once():
        """Sensor data need not be waited for."""

    if hasattr(node, "_look"):
        monkeypatch.setattr(node, "_look", at_once)
    rejected = []
    if hasattr(node, "_rejections"):
        monkeypatch.setattr(node._rejections, "publish", rejected.append)
    servers: list[Any] = [each for each in node.waitables if isinstance(each, ActionServer)]
    for server in servers:
        server.goal_id = UUID()

        def give(goal, server=server):
            node.e_stop = False
            answer = server._goal_callback(goal)
            if iscoroutine(answer):
                with pytest.raises(StopIteration) as answered:
                    answer.send(None)
                answer = answered.value.value
            assert answer in (GoalResponse.ACCEPT, GoalResponse.REJECT)
            faults = [each.detail for each in rejected if each.code == Code.INTERNAL_ERROR]
            assert not faults, faults
            rejected.clear()
            node.halt()
            check(node)
            if hasattr(node, "_run"):
                node._run = None

        every(messages(server.action_type.Goal), give)
