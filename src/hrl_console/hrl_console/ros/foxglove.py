"""A live server for Foxglove: the topics of a recording, with their schemas, as they come."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foxglove
from foxglove.websocket import ServerListener
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from hrl_bringup.recording import DefinitionNotFound, message_definition
from hrl_bringup.ros.recorder_node import SMALL_TOPICS
from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.compressed import compressed_picture
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface, subscriber_qos
from hrl_core.topics import Topic

HOST = "127.0.0.1"  # it asks nobody who he is: never beyond this computer
NAME = "hrl"
QUALITY = 80  # of JPEG
GOODBYE = 1.0  # s of wall time for viewers to go when the server ends
LOOK = 0.2  # s of wall time between two looks at what is wanted


class Foxglove(ServerListener):
    """Subscribes to a topic while somebody looks at it; without viewers it costs nothing."""

    def __init__(self, node: HrlNode, port: int):
        """Raises ConfigError where the port cannot be had."""
        self._node = node
        self._wanted: dict[str, int] = {}  # topic -> how many look; changed by the server's thread
        self._lock = threading.Lock()
        self._subscriptions: dict[str, Any] = {}
        self._sources: dict[str, tuple[Topic, Callable[[bytes], bytes]]] = {}
        self._channels: dict[str, foxglove.Channel] = {}
        self._context = foxglove.Context()
        for topic in SMALL_TOPICS:
            self._offer(topic, topic, lambda cdr: cdr)
        for camera in topics.CAMERAS:
            image = topics.image(camera)
            self._offer(topics.camera_info(camera), topics.camera_info(camera), lambda cdr: cdr)
            self._offer(topics.compressed(image), image, _compressed)
        try:
            self._server = foxglove.start_server(
                name=NAME,
                host=HOST,
                port=port,
                server_listener=self,
                context=self._context,
                message_backlog_size=64,  # a slow viewer skips
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(f"foxglove_port {port}: {error}") from error
        node.get_logger().info(f"Foxglove connects to ws://{HOST}:{port}")
        self._timer = node.create_timer(LOOK, self._look, clock=node.steady_clock)

    def close(self) -> None:
        self._node.destroy_timer(self._timer)
        # It waits until every viewer has said goodbye, and one that is stuck never does.
        stop = threading.Thread(target=self._server.stop, name="foxglove", daemon=True)
        stop.start()
        stop.join(GOODBYE)
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        for channel in self._channels.values():
            channel.close()

    # In a thread of the server

    def on_subscribe(self, client, channel) -> None:
        with self._lock:
            self._wanted[channel.topic] = self._wanted.get(channel.topic, 0) + 1

    def on_unsubscribe(self, client, channel) -> None:
        with self._lock:
            self._wanted[channel.topic] = max(0, self._wanted.get(channel.topic, 0) - 1)

    # In the node's

    def _offer(self, topic: Topic, source: Topic, convert: Callable[[bytes], bytes]) -> None:
        name = self._node.resolve_topic_name(topic.name)
        found = os.environ.get("AMENT_PREFIX_PATH", sys.prefix).split(os.pathsep)
        try:
            definition = message_definition(topic.type, [Path(each) for each in found])
        except DefinitionNotFound as error:
            raise ConfigError(str(error)) from error
        schema = foxglove.Schema(name=topic.type, encoding="ros2msg", data=definition.encode())
        self._channels[name] = foxglove.Channel(
            name, schema=schema, message_encoding="cdr", context=self._context
        )
        self._sources[name] = (source, convert)

    def _look(self) -> None:
        with self._lock:
            wanted = {name for name, count in self._wanted.items() if count}
        for name in self._subscriptions.keys() - wanted:
            self._node.destroy_subscription(self._subscriptions.pop(name))
        for name in wanted & self._sources.keys() - self._subscriptions.keys():
            source, convert = self._sources[name]
            # What is latched comes again with each subscription, for whoever has just come.
            qos = subscriber_qos(source, False)
            self._subscriptions[name] = self._node.create_subscription(
                interface(source.type), source.name, self._sender(name, convert), qos, raw=True
            )

    def _sender(self, name: str, convert: Callable[[bytes], bytes]) -> Callable[[bytes], None]:
        channel = self._channels[name]

        def send(cdr: bytes) -> None:
            try:
                channel.log(convert(cdr))
            except Exception as error:  # this message is left out
                self._node.refuse(name, error)

        return send


def _compressed(cdr: bytes) -> bytes:
    return serialize_message(compressed_picture(deserialize_message(cdr, Image), QUALITY))
