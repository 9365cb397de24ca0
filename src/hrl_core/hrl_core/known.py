"""Values that may be missing in general and are there where they are used."""

from typing import TypeVar

Value = TypeVar("Value")


def known(value: Value | None) -> Value:
    """The value, where something that ran before has checked or set it; AssertionError: a fault."""
    assert value is not None, "what should have checked or set this value has not run"
    return value
