"""Failures as videos: the trial of a seed is run again and filmed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np

from hrl_core.control import TICK
from hrl_sim_bridge.plant.plant import Plant
from hrl_training.trials.journal import to_json
from hrl_training.trials.row import Policy, Row, Trials

PERIOD = TICK  # s between pictures
SPEED = 2.0  # times real time
LAST = 15  # pictures for which the end stays on screen
CAPTION = 84  # pixels under the picture
LETTERS, LINES = 88, 2  # of the sentence in the caption
WHITE, GREY, RED, INK = (255, 255, 255), (190, 190, 190), (255, 110, 100), (28, 28, 30)


class Filming:
    """Lives in a worker process; its jobs are rows."""

    def __init__(
        self, make_trials: Callable[[], Trials], skill: str, policy: Policy, folder: Path
    ) -> None:
        self._trials = make_trials()
        self._skill, self._policy, self._folder = skill, policy, folder

    def run(self, row: Row) -> tuple[Path, bool]:
        """Film the trial of a row: the file, and whether it went as it had gone before."""
        label = row.label.replace(" ", "_")
        path = self._folder / f"{self._policy}_seed_{row.seed}_{label}.mp4"
        title = f"{self._skill}, {self._policy}, seed {row.seed}: {row.label}"
        touched = f"; touched {', '.join(row.touched)}" if row.touched else ""
        film = _Film(path, title, row.detail + touched)
        try:
            again = self._trials.run(row.seed, film.add)
        finally:
            film.close()
        return path, to_json(again.as_dict()) == to_json(row.as_dict())


class _Film:
    """An H.264 file that begins with the first picture."""

    def __init__(self, path: Path, title: str, detail: str) -> None:
        self._path, self._title = path, title
        self._lines = textwrap.wrap(detail, LETTERS)[:LINES]
        self._writer: Any = None
        self._count = 0
        self._last: np.ndarray | None = None

    def add(self, thing: Any) -> None:
        """Take a picture of what has `overview()`: the plant, or the gait's rig."""
        picture = _picture(thing)
        frame = np.concatenate([picture, self._caption(picture.shape[1])])
        if self._writer is None:
            height, width = frame.shape[:2]
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = imageio_ffmpeg.write_frames(
                str(self._path),
                (width, height),
                fps=SPEED / PERIOD,  # pyright: ignore[reportArgumentType]  # ffmpeg takes floats
                codec="libx264",
                output_params=["-preset", "veryfast", "-crf", "25", "-movflags", "+faststart"],
                macro_block_size=2,
                ffmpeg_log_level="error",
            )
            self._writer.send(None)
        self._writer.send(np.ascontiguousarray(frame))
        self._last = frame
        self._count += 1

    def close(self) -> None:
        if self._writer is None:
            return
        for _ in range(LAST):
            self._writer.send(np.ascontiguousarray(self._last))
        self._writer.close()

    def _caption(self, width: int) -> np.ndarray:
        caption = np.full((CAPTION, width, 3), INK, np.uint8)
        time = f"{self._count * PERIOD:.1f} s (x{SPEED:g})"
        _write(caption, self._title, (10, 24), 0.55, RED)
        _write(caption, time, (width - 110, 24), 0.5, WHITE)
        for k, line in enumerate(self._lines):
            _write(caption, line, (10, 48 + 20 * k), 0.42, GREY)
        return caption


def _picture(thing: Any) -> np.ndarray:
    """The view from outside (h, w, 3), and beside it what the plant's first two cameras see."""
    outside = thing.overview()
    if not isinstance(thing, Plant):
        return outside
    size = (outside.shape[1] // 2, outside.shape[0] // 2)
    column = np.full((outside.shape[0], size[0], 3), INK, np.uint8)
    for k, name in enumerate([*thing.robot.cameras][:2]):
        frame = thing.image(name)
        place = column[k * size[1] : (k + 1) * size[1]]
        if frame is not None:
            place[:] = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
        _write(place, name.replace("_", " "), (8, 18), 0.45, RED)
    return np.concatenate([outside, column], axis=1)


def _write(
    picture: np.ndarray,
    text: str,
    place: tuple[int, int],
    size: float,
    colour: tuple[int, int, int],
) -> None:
    ascii_only = text.encode("ascii", "replace").decode()  # the font has nothing else
    cv2.putText(picture, ascii_only, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
