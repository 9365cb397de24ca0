"""A picture of each camera on demand, as evidence; in between no picture is subscribed to."""

from typing import Any

import cv2
from rclpy.task import Future

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.compressed import rgb_of
from hrl_core.ros.convert import seconds
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface, subscriber_qos
from hrl_core.ros.transport import transported
from hrl_master.handover import Picture

PATIENCE = 4.0  # s of wall time to find the cameras' publishers and for a picture of each
QUALITY = 80  # of the JPEG files; about 30 kB at 640x480


async def take_snapshots(node: HrlNode) -> dict[str, Picture]:
    """The next picture of each camera; a camera that sends none in time is left out.

    ROS time has to go on meanwhile.
    """
    p = node.parameters
    reliable = p.reliable_sensors or p.lockstep
    messages: dict[str, Any] = {}
    complete = Future()

    def keep(camera: str, message) -> None:
        messages.setdefault(camera, message)
        if len(messages) == len(topics.CAMERAS) and not complete.done():
            complete.set_result(None)

    heard = {
        camera: transported(node, raw := topics.image(camera), topics.compressed(raw), "auto")
        for camera in topics.CAMERAS
    }
    subscriptions = [
        node.create_subscription(
            interface(topic.type),
            topic.name,
            lambda message, camera=camera: keep(camera, message),
            subscriber_qos(topic, reliable),
        )
        for camera, topic in heard.items()
    ]
    try:
        await node.within(complete, PATIENCE)
    finally:
        for subscription in subscriptions:
            node.destroy_subscription(subscription)
    pictures = {}
    for camera, message in sorted(messages.items()):
        try:
            pictures[camera] = Picture(seconds(message.header.stamp), jpeg_of(message))
        except ConfigError as error:  # an encoding that we do not know
            node.get_logger().warning(f"no picture of {camera}: {error}")
    return pictures


def jpeg_of(message) -> bytes:
    """A picture as a JPEG file; raises ConfigError for an encoding that is not known."""
    pixels = rgb_of(message)[:, :, ::-1]  # OpenCV wants blue first
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
