"""Pictures and depth as image_transport compresses them: `compressed`, `compressedDepth`."""

import struct

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hrl_core.config import ConfigError
from hrl_core.ros.sensor_convert import depth_from_msg, image_msg, rgb_from_msg

JPEG = "jpeg"
DEPTH = "16UC1; compressedDepth png"
# In front of the PNG: a format and two numbers, which depth in whole millimetres does not need.
DEPTH_HEADER = struct.Struct("<iff")
PICTURES = ("jpeg", "jpg", "png")
FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def compressed_picture(image: Image, quality: int) -> CompressedImage:
    """A picture in colour or grey as JPEG of a quality up to 100; raises ConfigError."""
    rgb = rgb_from_msg(image)
    _, jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return CompressedImage(header=image.header, format=JPEG, data=jpeg.tobytes())


def compressed_depth(image: Image) -> CompressedImage:
    """Depth in mm as PNG, without further loss; what is nearer or further than that is 0."""
    millimetres = np.round(depth_from_msg(image) * 1000.0)
    millimetres[(millimetres < 0) | (millimetres > 65535)] = 0
    _, png = cv2.imencode(".png", millimetres.astype(np.uint16), FAST)
    data = DEPTH_HEADER.pack(0, 0.0, 0.0) + png.tobytes()
    return CompressedImage(header=image.header, format=DEPTH, data=data)


def picture_of(message: CompressedImage) -> Image:
    """The rgb8 picture of a JPEG or PNG; raises ConfigError."""
    return image_msg(message.header, rgb_of(message), "rgb8")


def depth_of(message: CompressedImage) -> Image:
    """The 32FC1 depth of such a PNG; raises ConfigError."""
    return image_msg(message.header, metres_of(message), "32FC1")


def rgb_of(message: Image | CompressedImage) -> np.ndarray:
    """Pixels (h, w, 3) uint8 in red, green, blue; raises ConfigError.

    `format` of a compressed one: "jpeg", or "rgb8; jpeg compressed bgr8" with the order that was
    compressed.
    """
    if isinstance(message, Image):
        return rgb_from_msg(message)
    encoding, _, how = message.format.rpartition(";")
    if not any(name in how for name in PICTURES):
        raise ConfigError(f"format = {message.format!r}: allowed are {', '.join(PICTURES)}")
    pixels = _decoded(message.data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    as_it_is = encoding.startswith("rgb") and "compressed rgb" in how
    return pixels if as_it_is else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def metres_of(message: Image | CompressedImage) -> np.ndarray:
    """Depth (h, w) float32 m, 0: none; raises ConfigError.

    `format` of a compressed one: 16UC1 (mm) or 32FC1 (steps of the inverse depth).
    """
    if isinstance(message, Image):
        return depth_from_msg(message)
    encoding, _, how = message.format.partition(";")
    if encoding not in ("16UC1", "32FC1") or "compressedDepth" not in how or "rvl" in how:
        raise ConfigError(
            f"format = {message.format!r}: allowed are 16UC1 or 32FC1; compressedDepth png"
        )
    if len(message.data) <= DEPTH_HEADER.size:
        raise ConfigError(f"data has {len(message.data)} bytes: needs more than the header")
    _, a, b = DEPTH_HEADER.unpack(bytes(message.data[: DEPTH_HEADER.size]))
    steps = _decoded(message.data[DEPTH_HEADER.size :], cv2.IMREAD_UNCHANGED)
    if steps.ndim != 2 or steps.dtype != np.uint16:
        raise ConfigError(f"data holds {steps.dtype} of {steps.shape}: needs one uint16 per pixel")
    if encoding == "16UC1":
        return steps.astype(np.float32) / 1000.0
    if not (np.isfinite([a, b]).all() and a > 0):
        raise ConfigError(f"data: steps of {a}, {b}: needs finite numbers, the first above 0")
    inverse = steps.astype(np.float32) - np.float32(b)
    seen = (steps > 0) & (inverse > 0)
    return np.where(seen, np.float32(a) / np.where(seen, inverse, 1), np.float32(0))


def _decoded(data, flags: int) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if len(data) else None
    except cv2.error as error:  # larger than OpenCV allows, for example
        raise ConfigError(f"data of {len(data)} bytes is no picture: {error.err}") from error
    if pixels is None:
        raise ConfigError(f"data of {len(data)} bytes is no picture")
    return pixels
