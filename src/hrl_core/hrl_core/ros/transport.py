"""Which topic of a picture is listened to: the raw one, or one of image_transport beside it."""

from typing import Literal

from rclpy.node import Node

from hrl_core.topics import Topic

Transport = Literal["auto", "raw", "compressed"]


def transported(node: Node, raw: Topic, compressed: Topic, transport: Transport) -> Topic:
    """By `auto`, the compressed one only where nobody publishes the raw one."""
    if transport == "auto":
        only = not node.count_publishers(raw.name) and node.count_publishers(compressed.name)
        return compressed if only else raw
    return raw if transport == "raw" else compressed
