"""Pictures of a lens that bends straight lines, made straight."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from hrl_core.config import ConfigError
from hrl_core.sensed import CameraFrame

# distortion_model of sensor_msgs/CameraInfo -> numbers that it may have
MODELS = {"plumb_bob": (4, 5), "rational_polynomial": (8,), "equidistant": (4,)}


def undistorted(frame: CameraFrame, model: str, distortion: Sequence[float]) -> CameraFrame:
    """A frame as a pinhole camera of the same matrix would see it; raises ConfigError.

    Depth takes the nearest pixel: between an edge and what lies behind it nothing is measured.
    """
    d = tuple(float(value) for value in distortion)
    if not any(d):
        return frame
    if model not in MODELS or len(d) not in MODELS[model] or not np.isfinite(d).all():
        allowed = ", ".join(f"{name} of {counts} numbers" for name, counts in MODELS.items())
        raise ConfigError(f"distortion_model = {model!r}, d = {list(d)}: allowed are {allowed}")
    height, width = frame.depth.shape
    maps = _maps(model, d, tuple(frame.matrix.ravel()), (width, height))
    rgb = cv2.remap(np.ascontiguousarray(frame.rgb), *maps, cv2.INTER_LINEAR)
    depth = cv2.remap(frame.depth, *maps, cv2.INTER_NEAREST)
    return replace(frame, rgb=rgb, depth=depth)


@lru_cache(maxsize=4)  # one for each camera
def _maps(
    model: str, d: tuple[float, ...], k: tuple[float, ...], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel is taken from: x and y (h, w) float32 pixels."""
    matrix, coefficients = np.array(k).reshape(3, 3), np.array(d)
    if model == "equidistant":
        return cv2.fisheye.initUndistortRectifyMap(
            matrix, coefficients, np.eye(3), matrix, size, cv2.CV_32FC1
        )
    return cv2.initUndistortRectifyMap(matrix, coefficients, np.eye(3), matrix, size, cv2.CV_32FC1)
