"""Pictures as image_transport compresses them."""

import struct

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import CompressedImage

from hrl_core.config import ConfigError
from hrl_core.ros.compressed import metres_of, rgb_of

RGB = np.zeros((8, 12, 3), np.uint8)
RGB[:, :6] = (200, 40, 10)  # red at the left, blue at the right
RGB[:, 6:] = (10, 40, 200)
METRES = np.linspace(0.4, 5.0, 96, dtype=np.float32).reshape(8, 12)
METRES[0, 0] = 0.0  # nothing measured


def encoded(pixels, kind=".png", header=b"") -> bytes:
    return header + cv2.imencode(kind, pixels)[1].tobytes()


@pytest.mark.parametrize(
    "format, kind, pixels, tolerance",
    [
        ("png", ".png", RGB[..., ::-1], 0),
        ("jpeg", ".jpg", RGB[..., ::-1], 12),
        ("rgb8; jpeg compressed bgr8", ".jpg", RGB[..., ::-1], 12),
        ("rgb8; png compressed rgb8", ".png", RGB, 0),
        ("bgr8; png compressed bgr8", ".png", RGB[..., ::-1], 0),
    ],
)
def test_colours_come_out_in_their_order(format, kind, pixels, tolerance):
    found = rgb_of(CompressedImage(format=format, data=encoded(pixels, kind)))
    assert np.abs(found.astype(int) - RGB)[:, [1, 2, 9, 10]].max() <= tolerance


def test_grey_comes_out_as_three_equal_channels():
    grey = encoded(RGB[..., 0])
    found = rgb_of(CompressedImage(format="mono8; png compressed ", data=grey))
    np.testing.assert_array_equal(found, RGB[..., [0, 0, 0]])


def test_depth_in_millimetres_and_in_steps_of_the_inverse():
    millimetres = np.round(METRES * 1000).astype(np.uint16)
    data = encoded(millimetres, header=struct.pack("<iff", 0, 0.0, 0.0))
    found = metres_of(CompressedImage(format="16UC1; compressedDepth png", data=data))
    np.testing.assert_allclose(found, METRES, atol=5e-4)
    # As compressed_depth_image_transport does: finer near by, up to 10 m.
    a = 100.0 * 101.0
    b = 1.0 - a / 10.0
    steps = np.where(METRES > 0, a / np.maximum(METRES, 1e-3) + b, 0).astype(np.uint16)
    data = encoded(steps, header=struct.pack("<iff", 0, a, b))
    found = metres_of(CompressedImage(format="32FC1; compressedDepth", data=data))
    np.testing.assert_allclose(found, METRES, atol=5e-3)


@pytest.mark.parametrize(
    "decode, format, data, message",
    [
        (rgb_of, "h264", b"1234", "format = 'h264': allowed are jpeg, jpg, png"),
        (rgb_of, "jpeg", b"", "data of 0 bytes is no picture"),
        (rgb_of, "jpeg", encoded(RGB, ".jpg")[:20], "data of 20 bytes is no picture"),
        (metres_of, "16UC1; compressedDepth rvl", b"1" * 40, "allowed are 16UC1 or 32FC1"),
        (metres_of, "32FC1; compressedDepth png", b"1" * 12, "data has 12 bytes"),
        (metres_of, "16UC1; compressedDepth png", b"1" * 40, "data of 28 bytes is no picture"),
        (metres_of, "16UC1; compressedDepth png", encoded(RGB, header=bytes(12)), "holds uint8"),
        (
            metres_of,
            "32FC1; compressedDepth png",
            encoded(METRES.astype(np.uint16), header=struct.pack("<iff", 0, float("nan"), 0.0)),
            "steps of nan",
        ),
    ],
)
def test_broken_data_are_refused_with_what_is_allowed(decode, format, data, message):
    with pytest.raises(ConfigError, match=message):
        decode(CompressedImage(format=format, data=data))
