"""A picture of each camera on demand, as evidence; in between no picture is subscribed to."""

from typing import Any

import cv2
from rclpy.task import Future

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.convert import seconds
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface, subscriber_qos
from hrl_core.ros.sensor_convert import rgb_from_msg
from hrl_master.handover import Picture

PATIENCE = 4.0  # s of wall time to find the cameras' publishers and for a picture of each
QUALITY = 80  # of the JPEG files; about 30 kB at 640x480


async def take_stills(node: HrlNode) -> dict[str, Picture]:
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

    subscriptions = [
        node.create_subscription(
            interface(topics.image(camera).type),
            topics.image(camera).name,
            lambda message, camera=camera: keep(camera, message),
            subscriber_qos(topics.image(camera), reliable),
        )
        for camera in topics.CAMERAS
    ]
    try:
        await node.within(complete, PATIENCE)
    finally:
        for subscription in subscriptions:
            node.destroy_subscription(subscription)
    pictures = {}
    for camera, message in sorted(messages.items()):
        try:
            pictures[camera] = Picture(seconds(message.header.stamp), _jpeg(message))
        except ConfigError as error:  # an encoding that we do not know
            node.get_logger().warning(f"no picture of {camera}: {error}")
    return pictures


def _jpeg(message) -> bytes:
    pixels = rgb_from_msg(message)[:, :, ::-1]  # OpenCV wants blue first
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
