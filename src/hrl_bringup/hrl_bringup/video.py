"""mission.mp4 from the outside pictures of a recording."""

from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from hrl_bringup.recorded import jpeg_of, read_recording
from hrl_core import topics

SPEED = 3.0  # times real time; a mission takes minutes


def write_video(recording: Path, path: Path) -> bool:
    """Write an H.264 video that plays at SPEED; False if the recording has too few pictures."""
    frames = list(read_recording(recording, [f"/{topics.OVERVIEW.name}"]))
    if len(frames) < 2 or frames[-1].time <= frames[0].time:
        return False
    rate = SPEED * (len(frames) - 1) / (frames[-1].time - frames[0].time)
    height, width = _decode(frames[0].cdr).shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=rate,  # pyright: ignore[reportArgumentType]  # ffmpeg takes any number
        codec="libx264",
        output_params=["-preset", "veryfast", "-crf", "26", "-movflags", "+faststart"],
        macro_block_size=2,
        ffmpeg_log_level="error",
    )
    writer.send(None)
    try:
        for frame in frames:
            writer.send(_decode(frame.cdr))
    finally:
        writer.close()
    return True


def _decode(cdr: bytes) -> np.ndarray:
    """Serialized CompressedImage -> picture (h, w, 3) uint8, RGB."""
    bgr = cv2.imdecode(np.frombuffer(jpeg_of(cdr), np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("a recorded picture cannot be decoded")
    return np.ascontiguousarray(bgr[..., ::-1])
