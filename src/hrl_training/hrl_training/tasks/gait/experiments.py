"""Fixed experiments with the gait: small commands, standing while the arm moves, stopping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hrl_skills.gait import PERIOD
from hrl_training.tasks.gait.rig import REACHES, GaitRig
from hrl_training.tasks.gait.trials import EPISODE, SMALL, gait_rig
from hrl_training.tasks.ranges import GaitTasks
from hrl_training.trials.ranges import Draw
from hrl_training.trials.row import Options

DIRECTIONS = {
    "forward": (SMALL, 0.0, 0.0),
    "back": (-SMALL, 0.0, 0.0),
    "left": (0.0, SMALL, 0.0),
    "right": (0.0, -SMALL, 0.0),
}
STOPS = ((0.7, 0, 0), (0.9, 0, 0), (-0.4, 0, 0), (0, 0.35, 0), (0, 0, 0.9), (0.5, 0.2, -0.6))
SETTLE = round(2.0 / PERIOD)  # ticks
MOST_STANDS = 40
SMALL_REPEATS = 5

Figures = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One experiment."""

    kind: Literal["small", "stand", "stop"]
    seed: int  # of payload and floor
    name: str = ""  # small: the direction
    command: tuple[float, float, float] = (0.0, 0.0, 0.0)


class GaitExperiments:
    """Runs cases; payload and floor are drawn from the ranges of the task file."""

    def __init__(self, tasks: GaitTasks, options: Options) -> None:
        self._tasks, self._rig = tasks, gait_rig(options)

    @staticmethod
    def cases(seed: int, trials: int) -> list[Case]:
        """Those that go with an evaluation of so many trials."""
        stands = min(MOST_STANDS, max(4, trials // 10))
        return [
            *(
                Case("small", seed + k, name, command)
                for name, command in DIRECTIONS.items()
                for k in range(min(SMALL_REPEATS, stands))
            ),
            *(Case("stop", seed + k, command=command) for k, command in enumerate(STOPS)),
            *(Case("stand", seed + k) for k in range(stands)),
        ]

    @staticmethod
    def summarise(results: list[tuple[Case, dict[str, float]]]) -> Figures:
        """Metric -> value and trials."""
        return _summarise(results)

    def run(self, case: Case) -> dict[str, float]:
        draw = Draw(case.seed, stream=1)
        plant = self._tasks.plant
        self._rig.reset(
            draw.uniform("plant.payload", plant.payload),
            draw.uniform("plant.floor_friction", plant.floor_friction),
        )
        if case.kind == "small":
            return _small(self._rig, np.array(case.command))
        if case.kind == "stop":
            return _stop(self._rig, np.array(case.command))
        return _stand(self._rig, draw.rng)


def _small(rig: GaitRig, command: np.ndarray) -> dict[str, float]:
    """20 s of a small command: the mean velocity along it after 2 s, m/s."""
    velocities = _walk(rig, command, EPISODE)[SETTLE:]
    along = command[:2] / np.linalg.norm(command[:2])
    return {"speed": float((velocities[:, :2] @ along).mean()) if len(velocities) else 0.0}


def _stand(rig: GaitRig, rng: np.random.Generator) -> dict[str, float]:
    """20 s at rest with the arm moving all the time: how far the base goes, m and rad."""
    _walk(rig, np.zeros(3), SETTLE)
    start, poses = rig.pose, []
    for tick in range(EPISODE):
        if tick % 100 == 0:
            rig.reach(REACHES[rng.integers(len(REACHES))])
            rig.arm_target[0] = rng.uniform(-1, 1)
        rig.step(np.zeros(3))
        poses.append(rig.pose - start)
    away = np.linalg.norm(np.array(poses)[:, :2], axis=1)
    return {"largest": float(away.max()), "end": float(away[-1]), "yaw": float(abs(poses[-1][2]))}


def _stop(rig: GaitRig, command: np.ndarray) -> dict[str, float]:
    """Walk 4 s, then command zero: way until rest, time until rest, drift from 2 s on."""
    _walk(rig, command, round(4.0 / PERIOD))
    poses = [rig.pose]
    for _ in range(round(6.0 / PERIOD)):
        rig.step(np.zeros(3))
        poses.append(rig.pose)
    place = np.array(poses)[:, :2]
    # At rest: from here on it stays within 1 cm of where it will be 2 s later.
    away = np.linalg.norm(place[:-SETTLE] - place[SETTLE:], axis=1)
    moving = np.flatnonzero(away > 0.01)
    rest = int(moving[-1]) + 1 if moving.size else 0
    return {
        "way": float(np.linalg.norm(place[rest] - place[0])),
        "time": rest * PERIOD,
        "drift": float(np.linalg.norm(place[SETTLE:] - place[SETTLE], axis=1).max()),
    }


def _walk(rig: GaitRig, command: np.ndarray, ticks: int) -> np.ndarray:
    """Velocities (n, 3) in base_link until the time is over or the robot has fallen."""
    velocities = []
    for _ in range(ticks):
        rig.step(command)
        velocities.append(rig.velocity)
        if rig.fallen:
            break
    return np.array(velocities)


def _summarise(results: list[tuple[Case, dict[str, float]]]) -> Figures:
    figures: Figures = {}

    def add(metric: str, values: list[float], reduce: Any) -> None:
        if values:
            figures[metric] = {"value": float(reduce(values)), "trials": len(values)}

    for name in DIRECTIONS:
        speeds = [row["speed"] for case, row in results if case.name == name]
        for word, reduce in (("mean", np.mean), ("least", min), ("most", max)):
            add(f"speed {name} when {SMALL} m/s is asked, {word}, m/s", speeds, reduce)
    stands = [row for case, row in results if case.kind == "stand"]
    drifts = [row["largest"] for row in stands]
    add("largest drift in 20 s at rest while the arm moves, m", drifts, max)
    add("drift in 20 s at rest while the arm moves, median, m", drifts, np.median)
    stops = [row for case, row in results if case.kind == "stop"]
    for key, metric in (
        ("way", "way to rest after a command of zero, largest, m"),
        ("time", "time to rest after a command of zero, largest, s"),
        ("drift", "drift later than 2 s after a command of zero, largest, m"),
    ):
        add(metric, [row[key] for row in stops], max)
    return figures
