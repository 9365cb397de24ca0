"""One camera over ROS: picture, depth and calibration become frames, or a sentence says why not."""

from collections.abc import Callable
from typing import Any

from hrl_core import topics
from hrl_core.config import ConfigError
from hrl_core.ros import convert, sensor_convert
from hrl_core.ros.compressed import metres_of, rgb_of
from hrl_core.ros.gate import EPSILON
from hrl_core.ros.inputs import UNUSED
from hrl_core.ros.node import HrlNode
from hrl_core.ros.transforms import LookupFailed, TransformBuffer
from hrl_core.ros.transport import Transport, transported
from hrl_core.sensed import CameraFrame
from hrl_perception.undistort import undistorted

QUEUE = 4  # pictures that wait for their depth, calibration or transform


class CameraInput:
    """Brings a picture, the depth nearest to it in time and the calibration together.

    Depth of the picture's own stamp is taken at once; another one, at most half a period away,
    when a later depth shows that none comes nearer.
    """

    def __init__(
        self,
        node: HrlNode,
        name: str,
        period: float,
        transport: Transport,
        on_complete: Callable[[str, float], None],
    ):
        """`period`: s between pictures, as the robot file has it.

        `on_complete`: called with the name and the stamp [s] of a picture that has its depth.
        """
        self.name = name
        self._node = node
        self._half = 0.5 * period
        self._transport: Transport = transport
        self._on_complete = on_complete
        self._parts: dict[str, dict[float, Any]] = {"image": {}, "depth": {}}  # by stamp [s]
        self._info: Any = None
        self._depths: dict[float, float] = {}  # stamp of a complete picture -> of its depth
        image, depth = topics.image(name), topics.depth(name)
        self._offered = {
            "image": (image, topics.compressed(image)),
            "depth": (depth, topics.compressed_depth(depth)),
        }
        self._heard: dict[str, tuple[topics.Topic, Any]] = {}  # topic and subscription, by part
        self.look()
        self._info_topic = topics.camera_info(name)
        node.subscribe(self._info_topic, self._calibrate)

    def look(self) -> None:
        """Listen to what is published of raw and compressed; call it every now and then."""
        for part, (raw, compressed) in self._offered.items():
            topic = transported(self._node, raw, compressed, self._transport)
            if part in self._heard:
                present, subscription = self._heard[part]
                if topic == present:
                    continue
                self._node.destroy_subscription(subscription)
                self._node.inputs.listen(present.name, False)
            made = self._node.subscribe(topic, lambda m, part=part: self._add(part, m))
            self._heard[part] = topic, made

    def forget_after(self, stamp: float) -> None:
        """Drop pictures of a time that has not come yet [s]."""
        for parts in (*self._parts.values(), self._depths):
            for late in [other for other in parts if other > stamp + EPSILON]:
                del parts[late]

    def take(self, now: float, transforms: TransformBuffer) -> list[CameraFrame]:
        """Complete frames up to `now` [s], each with the camera's place at its stamp."""
        frames = []
        for stamp in sorted(s for s in self._depths if s <= now + EPSILON):
            image = self._parts["image"][stamp]
            if transforms.awaited(image.header.frame_id, topics.BASE, stamp):
                break  # its transform is still on the way
            depth = self._parts["depth"].get(self._depths.pop(stamp))
            del self._parts["image"][stamp]
            if depth is None:
                continue  # it had to make room
            frame = self._frame(stamp, image, depth, transforms)
            if frame is not None:
                frames.append(frame)
                self._node.inputs.used(self._topic("image"))
        return frames

    def fault(self) -> str:
        """Why nothing was made of this camera for so long that somebody should know; else ""."""
        seconds = self._node.inputs.silence(self._topic("image"))
        if seconds < UNUSED:
            return ""
        return f"no usable picture from {self.name} for {seconds:.0f} s: {self._why()}"

    def _why(self) -> str:
        inputs, names = self._node.inputs, [self._topic("image"), self._topic("depth")]
        names.append(self._info_topic.name)
        silent = [name for name in names if inputs.is_silent(name)]
        if silent:
            return "; ".join(inputs.why(name) for name in silent)
        if refused := [name for name in names if inputs.is_unusable(name)]:
            return "; ".join(inputs.why(name) for name in refused)
        images, depths = self._parts["image"], self._parts["depth"]
        away = [abs(stamp - other) for stamp in images for other in depths]
        nearest = f"{1e3 * min(away):.0f} ms" if away else "nothing"
        limit = f"{1e3 * self._half:.0f} ms"
        return f"the depth nearest to a picture is {nearest} away, allowed are {limit}"

    def _topic(self, part: str) -> str:
        return self._heard[part][0].name

    def _frame(
        self, stamp: float, image: Any, depth: Any, transforms: TransformBuffer
    ) -> CameraFrame | None:
        """The frame of a picture; None: a part of it is refused."""
        name = self._topic("image")
        try:
            base_from_optical = transforms.lookup(topics.BASE, image.header.frame_id, stamp)
            rgb = rgb_of(image)
            size = rgb.shape[1], rgb.shape[0]
            name = self._info_topic.name
            matrix = sensor_convert.matrix_from_msg(self._info, size)
            name = self._topic("depth")
            metres = metres_of(depth)
            if metres.shape != rgb.shape[:2]:
                raise ConfigError(
                    f"width x height = {metres.shape[1]} x {metres.shape[0]}: the picture has "
                    f"{size[0]} x {size[1]}"
                )
            name = self._info_topic.name
            frame = CameraFrame(stamp, self.name, rgb, metres, matrix, base_from_optical)
            return undistorted(frame, self._info.distortion_model, self._info.d)
        except (ConfigError, LookupFailed) as error:
            self._node.refuse(name, ConfigError(str(error)))
            return None

    def _calibrate(self, message) -> None:
        self._info = message
        self._pair()

    def _add(self, part: str, message) -> None:
        stamp = convert.seconds(message.header.stamp)
        parts = self._parts[part]
        if stamp in parts:
            return
        parts[stamp] = message
        while len(parts) > QUEUE:
            oldest = next(iter(parts))
            del parts[oldest]
            if part == "image":
                self._depths.pop(oldest, None)
        self._pair()

    def _pair(self) -> None:
        depths = self._parts["depth"]
        if self._info is None or not depths:
            return
        newest = max(depths)
        for stamp in [s for s in self._parts["image"] if s not in self._depths]:
            nearest = min(depths, key=lambda other: abs(other - stamp))
            away = abs(nearest - stamp)
            if away < EPSILON or (away <= self._half and newest >= stamp):
                self._depths[stamp] = nearest
                self._on_complete(self.name, stamp)
