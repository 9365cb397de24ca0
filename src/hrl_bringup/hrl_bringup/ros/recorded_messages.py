"""Messages of a recording; one whose bytes or values are damaged is refused with its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rclpy.serialization import deserialize_message

from hrl_bringup.recorded import Recorded
from hrl_core.config import ConfigError, shorten
from hrl_core.ros.qos import interface
from hrl_core.topics import Topic

# The middleware's for bytes; the others for values that nobody sends.
DAMAGE = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AssertionError)


@contextmanager
def read_from(place: str) -> Iterator[None]:
    """While a message is read: raises ConfigError with its place where that cannot be done."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    except DAMAGE as error:
        why = f"{type(error).__name__}: {shorten(ascii(str(error))[1:-1])}"
        raise ConfigError(f"{place}: damaged, or not of this version ({why})") from error


def message_of(recorded: Recorded, topic: Topic, path: Path) -> Any:
    """The message of a topic in a recording; raises ConfigError with file, topic and time."""
    with read_from(f"{path}: {recorded.topic} at {recorded.time:.3f} s"):
        return deserialize_message(recorded.cdr, interface(topic.type))
