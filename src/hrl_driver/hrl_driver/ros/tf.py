"""The driver's transforms: kept for lookups, and passed on by our names."""

from dataclasses import replace

import numpy as np

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros.convert import transform_msg
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_core.ros.transforms import LookupFailed, TransformBuffer
from hrl_driver.names import Frames
from hrl_driver.profile import Driver


class DriverTransforms:
    """Takes in tf of the driver and publishes ours; odom -> base_link comes from odometry."""

    def __init__(self, node: HrlNode, driver: Driver, frames: Frames):
        self._frames = frames
        self.buffer = TransformBuffer()
        self._message = interface(topics.TF.type)
        self._moving = node.publish_on(topics.TF)
        self._static = node.publish_on(topics.TF_STATIC)
        self._fixed: dict[str, object] = {}  # by child; who joins late gets one message with all
        sensors = driver.sensors
        for ours, name, take in (
            (topics.TF, sensors.tf, self._on_moving),
            (topics.TF_STATIC, sensors.tf_static, self._on_static),
        ):
            node.subscribe(replace(ours, name=driver.resolved(name)), take)

    def tell_base(self, stamp: float, odom_from_base: np.ndarray) -> None:
        """base_link is at a pose (4, 4) in odom."""
        base = transform_msg(topics.ODOM, topics.BASE, stamp, odom_from_base)
        message = self._message(transforms=[base])
        self.buffer.add(message)
        self._moving.publish(message)

    def lookup(self, target: str, source: str, stamp: float) -> np.ndarray:
        """target_from_source (4, 4), by our names, at a time [s]; raises ConfigError."""
        try:
            return self.buffer.lookup(target, source, stamp)
        except LookupFailed as error:
            raise ConfigError(str(error)) from error

    def forget_after(self, stamp: float) -> None:
        """Time has gone back."""
        self.buffer.forget_after(stamp)

    def _on_moving(self, message) -> None:
        if kept := self._renamed(message):
            self._moving.publish(self._message(transforms=kept))

    def _on_static(self, message) -> None:
        kept = self._renamed(message, static=True)
        new = {transform.child_frame_id: transform for transform in kept}
        if new.keys() - self._fixed.keys():
            self._fixed.update(new)
            self._static.publish(self._message(transforms=list(self._fixed.values())))

    def _renamed(self, message, static: bool = False) -> list:
        """Those of the driver by our names, into the buffer; returned: what is passed on."""
        mine = [
            transform
            for transform in message.transforms
            # What we publish comes back where both sides have one topic.
            if self._frames.is_theirs(transform.child_frame_id)
        ]
        for transform in mine:
            transform.header.frame_id = self._frames.ours(transform.header.frame_id)
            transform.child_frame_id = self._frames.ours(transform.child_frame_id)
        mine = [
            transform
            for transform in mine
            if transform.header.frame_id != transform.child_frame_id
            and (transform.header.frame_id, transform.child_frame_id) != (topics.ODOM, topics.BASE)
        ]
        self.buffer.add(self._message(transforms=mine), static)
        # odom hangs below our map, and base_link below odom.
        ours = (topics.ODOM, topics.BASE)
        return [transform for transform in mine if transform.child_frame_id not in ours]
