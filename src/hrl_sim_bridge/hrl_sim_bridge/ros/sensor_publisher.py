"""What the plant publishes at a tick: clock, tf, all sensors that are due, truth."""

from collections.abc import Sequence

import cv2
import numpy as np
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from hrl_core import topics
from hrl_core.control import TICK
from hrl_core.robot import Robot
from hrl_core.ros import convert
from hrl_core.ros.node import HrlNode
from hrl_core.sensed import CameraFrame
from hrl_core.urdf import urdf_of
from hrl_sim_bridge.plant.plant import Plant
from hrl_sim_bridge.ros.convert import jpeg_msg, truth_msg
from hrl_sim_bridge.ros.voices import Sending, Voice

JPEG_QUALITY = 80


class SensorPublisher:
    """Publishers of everything that a robot senses, and of the truth and the outside picture."""

    def __init__(self, node: HrlNode, robot: Robot, overview_rate: float, voice: Voice):
        """`overview_rate`: Hz of ROS time of the outside picture; 0: none."""
        self._overview_rate, self._voice = overview_rate, voice
        self._lockstep = node.parameters.lockstep
        self._clock = node.publish_on(topics.CLOCK)
        self._truth = node.publish_on(topics.PLANT_TRUTH)
        self._overview = node.publish_on(topics.OVERVIEW)
        self._camera_ticks = {name: _ticks(camera.rate) for name, camera in robot.cameras.items()}
        node.publish_on(topics.ROBOT_DESCRIPTION).publish(String(data=urdf_of(robot)))

    def sense(self, plant: Plant, realtime_factor: float, misses: int) -> list[Sending]:
        """All that is due at this tick, in the order to send; senses the plant only once.

        `misses`: ticks that a node has missed in lockstep.
        """
        stamp, sensed = plant.time, plant.sensed()
        frames = [f for name in self._camera_ticks if (f := self._picture(plant, name)) is not None]
        messages: list[Sending] = [(self._clock, Clock(clock=convert.stamp_msg(stamp)))]
        messages += self._voice.messages(plant, sensed, frames)
        messages.append((self._truth, truth_msg(plant.truth(), realtime_factor, misses)))
        if self._overview_rate and round(stamp / TICK) % _ticks(self._overview_rate) == 0:
            messages.append((self._overview, jpeg_msg(_jpeg(plant.overview()), stamp)))
        return messages

    def _picture(self, plant: Plant, name: str) -> CameraFrame | None:
        """A camera's picture if it is due; in lockstep always, so that trials are the same."""
        tick = round(plant.time / TICK) - 1  # the first tick has pictures
        if tick % self._camera_ticks[name]:
            return None
        if not self._lockstep and not self._voice.is_heard(name):
            return None
        return plant.image(name)


def send(messages: Sequence[Sending]) -> None:
    """Publish in the given order."""
    for publisher, message in messages:
        publisher.publish(message)


def _ticks(rate: float) -> int:
    """Control ticks from one of a rate [Hz] to the next."""
    return max(1, round(1 / (rate * TICK)))


def _jpeg(rgb: np.ndarray) -> bytes:
    """(h, w, 3) -> file."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
