"""Trials as film strips, a row of pictures each: how docs/gallery/skills.png is made.

.venv/bin/python -m hrl_training.cli.film_strips walk grasp --seed 20000 --out strips.png
"""

import argparse

import cv2
import numpy as np

from hrl_core.number_options import integer
from hrl_core.paths import file_to_write
from hrl_training.tasks.registry import load_tasks, make_trials, skills_with, task_file
from hrl_training.trials.row import Options

SIZE = (240, 180)  # pixels of a picture
GAP = 4  # pixels around each
COLOURS = 32  # levels of each colour: a small file
WHITE, INK = (255, 255, 255), (28, 28, 30)


def film_strip(skill: str, seed: int, count: int) -> np.ndarray:
    """Run the trial of a seed: `count` pictures (h, w, 3) uint8 from start to end, side by side."""
    frames: list[np.ndarray] = []
    trials = make_trials(skill, load_tasks(skill, task_file(skill, None)), Options())
    row = trials.run(seed, lambda thing: frames.append(thing.overview()))
    print(f"{skill}, seed {seed}: {row.label}; {row.detail}")
    chosen = np.linspace(0, len(frames) - 1, count).round().astype(int)
    return np.concatenate([_framed(frames[k], f"{skill} {k / 10:.0f} s") for k in chosen], axis=1)


def _framed(picture: np.ndarray, title: str) -> np.ndarray:
    small = cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)
    step = 256 // COLOURS
    small = np.minimum(small // step * step + step // 2, 255).astype(np.uint8)
    for colour, width in ((INK, 3), (WHITE, 1)):
        cv2.putText(
            small, title, (7, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA
        )
    edge = GAP // 2
    return np.pad(small, ((edge, edge), (edge, edge), (0, 0)), constant_values=255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("skills", nargs="+", choices=skills_with("trials"))
    parser.add_argument("--seed", type=integer(), default=0)
    parser.add_argument("--count", type=integer(1), default=5, help="pictures of each; default 5")
    parser.add_argument("--out", type=file_to_write, required=True, metavar="PNG")
    options = parser.parse_args()
    strips = [film_strip(skill, options.seed, options.count) for skill in options.skills]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet = cv2.cvtColor(np.concatenate(strips), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(options.out), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
