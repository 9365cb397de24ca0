"""Pictures in encodings that only drivers have -> red, green, blue."""

import cv2
import numpy as np

from hrl_core.config import ConfigError

# Encoding of sensor_msgs -> numbers per pixel, their type, OpenCV's conversion to RGB (whose names
# of Bayer patterns begin at the second row and column).
_CONVERSIONS = {
    "uyvy": (2, np.uint8, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422": (2, np.uint8, cv2.COLOR_YUV2RGB_UYVY),
    "yuyv": (2, np.uint8, cv2.COLOR_YUV2RGB_YUY2),
    "yuv422_yuy2": (2, np.uint8, cv2.COLOR_YUV2RGB_YUY2),
    "bayer_rggb8": (1, np.uint8, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, np.uint8, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, np.uint8, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, np.uint8, cv2.COLOR_BayerGB2RGB),
    "mono16": (1, np.uint16, cv2.COLOR_GRAY2RGB),
    "16UC1": (1, np.uint16, cv2.COLOR_GRAY2RGB),
    "rgb16": (3, np.uint16, None),
    "bgr16": (3, np.uint16, cv2.COLOR_BGR2RGB),
}
ENCODINGS = tuple(_CONVERSIONS)


def rgb_of_rows(rows: np.ndarray, width: int, encoding: str) -> np.ndarray:
    """Pixels (h, w, 3) uint8 of rows (h, step) uint8; raises ConfigError."""
    channels, kind, conversion = _CONVERSIONS[encoding]
    size = width * channels * np.dtype(kind).itemsize
    if rows.shape[1] < size:
        raise ConfigError(f"step = {rows.shape[1]}: {width} pixels of {encoding} need {size} bytes")
    pixels = np.ascontiguousarray(rows[:, :size]).view(kind)
    if kind is np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    pixels = pixels.reshape(len(rows), width, channels)
    return pixels if conversion is None else cv2.cvtColor(pixels, conversion)
