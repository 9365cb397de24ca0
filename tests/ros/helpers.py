"""Waiting and listening: what the tests over ROS share."""

import time
from collections.abc import Callable

import pytest


def wait_for(condition: Callable, what: str, timeout: float = 30.0):
    """Wait until a condition is true and return its value."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    pytest.fail(f"waited {timeout} s in vain for {what}")


def ask(client, request, timeout: float = 60.0):
    """Call a service until its answer finds its way, and return it: asking twice must do no harm.

    An answer is lost where it is given before the server has discovered the client.
    """
    name = client.srv_name
    wait_for(client.service_is_ready, name, timeout)
    asked = []

    def answer():
        asked.append(client.call_async(request))
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            if done := next((each for each in asked if each.done()), None):
                return done
            time.sleep(0.01)
        return None

    return wait_for(answer, f"the answer of {name}", timeout).result()


def wait_for_answers(client, goal, what: str) -> None:
    """Wait until a server's answer to a goal, which it should reject, finds its way.

    An answer is lost where it is given before the server has discovered the client.
    """

    def answered() -> bool:
        sent = client.send_goal_async(goal)
        end = time.monotonic() + 2.0
        while not sent.done() and time.monotonic() < end:
            time.sleep(0.01)
        return sent.done()

    wait_for(answered, f"{what} to answer", 60)


class Listener:
    """Keeps the messages of a topic of hrl_core.topics."""

    def __init__(self, node, topic):
        from hrl_core.ros.qos import interface, publisher_qos

        self.topic = topic
        self.messages: list = []
        self._node = node
        self._subscription = node.create_subscription(
            interface(topic.type), topic.name, self.messages.append, publisher_qos(topic)
        )

    def wait(self, condition: Callable = lambda message: True, timeout: float = 30.0):
        """The first message, kept or to come, that fulfils a condition."""
        return wait_for(
            lambda: next((m for m in list(self.messages) if condition(m)), None),
            f"a message of {self.topic.name}",
            timeout,
        )

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)
