"""Messages as no driver should send them: any values in all fields."""

import random
from array import array
from typing import Any

from hrl_core.ros.qos import interface
from hrl_core.topics import Topic

LONGEST = 8  # of a sequence
PLAUSIBLE = 0.8  # share whose header is as it should be, so that the rest is looked at
NUMBERS = (0.0, 1.0, -1.0, 1e30, float("nan"), float("inf"), float("-inf"))
WORDS = ("", "map", "odom", "base_link", "rgb8", "mono8", "32FC1", "16UC1", "plumb_bob", "/", "ä")


def broken_message(topic: Topic, stamp: Any, rng: random.Random) -> Any:
    """A message of a topic with random content; `stamp`: a builtin_interfaces Time."""
    message = _any_message(interface(topic.type), rng)
    if rng.random() < PLAUSIBLE:
        message.header.stamp, message.header.frame_id = stamp, topic.frame
    return message


def _any_message(cls: type, rng: random.Random) -> Any:
    message = cls()
    for name, kind in cls.get_fields_and_field_types().items():  # type: ignore[attr-defined]
        value = _any_value(kind, rng)
        present = getattr(message, name)
        if isinstance(present, array):
            value = array(present.typecode, value)
        setattr(message, name, value)
    return message


def _any_value(kind: str, rng: random.Random) -> Any:
    """A value of a field's type, as rosidl names it."""
    if kind.startswith("sequence<"):
        inner = kind[len("sequence<") : -1].partition(",")[0]
        return [_any_value(inner, rng) for _ in range(rng.randrange(LONGEST))]
    if kind.endswith("]"):
        inner, _, count = kind[:-1].partition("[")
        return [_any_value(inner, rng) for _ in range(int(count))]
    if kind == "boolean":
        return rng.random() < 0.5
    if kind in ("float", "double"):
        return rng.choice(NUMBERS) if rng.random() < 0.5 else rng.uniform(-10.0, 10.0)
    if kind.startswith("string"):
        return rng.choice(WORDS)
    if "int" in kind and "/" not in kind:
        bits = int(kind.removeprefix("u").removeprefix("int"))
        low, high = (0, 2**bits) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return rng.randrange(max(low, 0), 10) if rng.random() < 0.5 else rng.randrange(low, high)
    if kind == "octet":
        return bytes([rng.randrange(256)])
    package, name = kind.split("/")
    return _any_message(interface(f"{package}/msg/{name}"), rng)
