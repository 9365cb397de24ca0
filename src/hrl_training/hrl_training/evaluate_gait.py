"""Measure the gait on full Spot: tracking, falls, small commands, standing and stopping.

`python -m hrl_training.evaluate_gait` prints a table; `--json FILE` writes the figures and
`--card` puts them into the card beside the weights.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hrl_core.robot import load_robot
from hrl_skills.gait import ACTION, OBSERVATION, PERIOD
from hrl_skills.policy import POLICIES, Figure, load_card, load_policy, save_card
from hrl_training.gait_rig import REACHES, GaitRig
from hrl_training.statistics import wilson_interval

EPISODE = 20.0  # s
WINDOW = 25  # ticks, 0.5 s
GRID = [
    command
    for command in itertools.product((-0.4, 0.0, 0.3, 0.6, 0.9), (-0.35, 0.0, 0.35), (-0.9, 0, 0.9))
    if any(command)
]
SMALL = [(0.1, 0, 0), (-0.1, 0, 0), (0, 0.1, 0), (0, -0.1, 0)]
STOPS = [(0.7, 0, 0), (0.9, 0, 0), (-0.4, 0, 0), (0, 0.35, 0), (0, 0, 0.9), (0.5, 0.2, -0.6)]

Row = dict[str, Any]


def track_command(rig: GaitRig, command: tuple[float, ...]) -> Row:
    """One command for 20 s: errors of the velocity averaged over 0.5 s, after the first 2 s."""
    rig.reset()
    velocities = _walk(rig, lambda _: np.array(command), EPISODE)[round(2.0 / PERIOD) :]
    if rig.fallen:
        return {"fell": 1.0}
    windows = len(velocities) // WINDOW
    means = velocities[: windows * WINDOW].reshape(windows, WINDOW, 3).mean(axis=1)
    squares = ((means - command) ** 2).mean(axis=0)
    return {
        "fell": 0.0,
        **dict(zip(("vx", "vy", "wz"), velocities.mean(axis=0), strict=True)),
        **dict(zip(("vx_square", "vy_square", "wz_square"), squares, strict=True)),
    }


def push_episode(rig: GaitRig, seed: int) -> Row:
    """20 s of random commands, kicks up to 0.5 m/s, a moving arm, payload and floor at random."""
    rng = np.random.default_rng(seed)
    payload = rng.uniform(0, 2)
    friction = rng.uniform(0.4, 1.1)
    rig.reset(payload, friction)
    low, high = np.array(rig.robot.base.velocity_min), np.array(rig.robot.base.velocity_max)
    command = np.zeros(3)
    next_kick = rng.uniform(2, 5)
    for tick in range(round(EPISODE / PERIOD)):
        if tick % 150 == 0:
            command = rng.uniform(low, high) * (rng.random() > 0.15)
            rig.reach(REACHES[rng.integers(len(REACHES))])
        if tick * PERIOD > next_kick:
            rig.kick(np.array([*rng.uniform(-0.5, 0.5, 2), 0.0]))
            next_kick += rng.uniform(3, 6)
        rig.step(command)
        if rig.fallen:
            return {"fell": 1.0, "payload": payload, "friction": friction, "time": tick * PERIOD}
    return {"fell": 0.0, "payload": payload, "friction": friction, "time": EPISODE}


def stand_episode(rig: GaitRig, seed: int) -> Row:
    """20 s at rest with the arm moving all the time: how far the base goes, m and rad."""
    rng = np.random.default_rng(seed)
    rig.reset(payload=rng.uniform(0, 1.5))
    _walk(rig, lambda _: np.zeros(3), 2.0)
    start = rig.pose
    poses = []
    for tick in range(round(EPISODE / PERIOD)):
        if tick % 100 == 0:
            rig.reach(REACHES[rng.integers(len(REACHES))])
            rig.arm_target[0] = rng.uniform(-1, 1)
        rig.step(np.zeros(3))
        poses.append(rig.pose - start)
    away = np.linalg.norm(np.array(poses)[:, :2], axis=1)
    return {"max": away.max(), "end": away[-1], "yaw": float(np.abs(poses[-1][2]))}


def stop_episode(rig: GaitRig, command: tuple[float, ...]) -> Row:
    """Walk 4 s, then command zero: way until rest, time until rest, drift from then on."""
    rig.reset()
    _walk(rig, lambda _: np.array(command), 4.0)
    poses = [rig.pose]
    for _ in range(round(6.0 / PERIOD)):
        rig.step(np.zeros(3))
        poses.append(rig.pose)
    place = np.array(poses)[:, :2]
    # At rest: from here on it stays within 1 cm of where it will be 2 s later.
    later = round(2.0 / PERIOD)
    away = np.linalg.norm(place[:-later] - place[later:], axis=1)
    moving = np.flatnonzero(away > 0.01)
    rest = int(moving[-1]) + 1 if moving.size else 0
    settled = round(2.0 / PERIOD)
    return {
        "way": float(np.linalg.norm(place[rest] - place[0])),
        "time": rest * PERIOD,
        "drift": float(np.linalg.norm(place[settled:] - place[settled], axis=1).max()),
    }


def _walk(rig: GaitRig, command_at: Callable[[float], np.ndarray], seconds: float) -> np.ndarray:
    """Velocities (n, 3) in base_link until the time is over or the robot has fallen."""
    velocities = []
    for tick in range(round(seconds / PERIOD)):
        rig.step(command_at(tick * PERIOD))
        velocities.append(rig.velocity)
        if rig.fallen:
            break
    return np.array(velocities)


_rig: GaitRig | None = None


def _start_worker(folder: Path) -> None:
    global _rig
    _rig = GaitRig(load_robot("spot"), load_policy("gait", OBSERVATION, ACTION, folder))


def _run(job: tuple[Callable[[GaitRig, object], Row], object]) -> Row:
    assert _rig is not None
    return job[0](_rig, job[1])


def evaluate(folder: Path, trials: int, seed: int, processes: int) -> dict[str, list[Row]]:
    """Rows of every experiment: `trials` episodes with pushes, half as many at rest."""
    seeds = np.random.SeedSequence(seed).generate_state(trials)
    stands = [int(s) for s in seeds[: max(1, trials // 5)]]
    experiments: dict[str, tuple[Callable, list]] = {
        "grid": (track_command, GRID),
        "small": (track_command, SMALL),
        "stop": (stop_episode, STOPS),
        "stand": (stand_episode, stands),
        "push": (push_episode, [int(s) for s in seeds]),
    }
    jobs = [(run, case) for run, cases in experiments.values() for case in cases]
    with ProcessPoolExecutor(processes, initializer=_start_worker, initargs=(folder,)) as pool:
        rows = list(track(pool.map(_run, jobs), "evaluate gait", total=len(jobs)))
    results, start = {}, 0
    for name, (_, cases) in experiments.items():
        results[name] = [
            {"case": case, **row} for case, row in zip(cases, rows[start:], strict=False)
        ]
        start += len(cases)
    return results


def summarise(results: dict[str, list[Row]], command: str) -> list[Figure]:
    """Figures for the table and the card."""
    figures = []

    def add(metric: str, value: float, trials: int, interval: tuple | None = None) -> None:
        figures.append(
            Figure(
                metric=metric,
                value=round(float(value), 4),
                interval=interval,
                trials=trials,
                command=command,
            )
        )

    grid, push = results["grid"], results["push"]
    falls = int(sum(row["fell"] for row in push))
    interval = tuple(round(limit, 4) for limit in wilson_interval(falls, len(push)))
    add(
        "falls per 20 s episode with pushes, payload and moving arm",
        falls / len(push),
        len(push),
        interval,
    )
    add("falls per 20 s at one command", _mean(grid, "fell"), len(grid))
    walked = [row for row in grid if not row["fell"]]
    for axis, unit in (("vx", "m/s"), ("vy", "m/s"), ("wz", "rad/s")):
        error = np.sqrt(np.mean([row[f"{axis}_square"] for row in walked]))
        add(f"{axis} error, RMS of 0.5 s means, {unit}", error, len(walked))
    for row in results["small"]:
        axis = "vx" if row["case"][0] else "vy"
        wanted = row["case"][0] or row["case"][1]
        add(f"{axis} walked when {wanted} m/s is asked, m/s", row.get(axis, np.nan), 1)
    stand, stop = results["stand"], results["stop"]
    add("largest drift in 20 s at rest while the arm moves, m", _worst(stand, "max"), len(stand))
    add("drift after 20 s at rest while the arm moves, mean, m", _mean(stand, "end"), len(stand))
    add("way to rest after a command of zero, largest, m", _worst(stop, "way"), len(stop))
    add("time to rest after a command of zero, largest, s", _worst(stop, "time"), len(stop))
    add(
        "drift later than 2 s after a command of zero, largest, m", _worst(stop, "drift"), len(stop)
    )
    return figures


def _worst(rows: list[Row], key: str) -> float:
    return max(row[key] for row in rows)


def _mean(rows: list[Row], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", type=Path, default=POLICIES / "gait", help="weights and card")
    parser.add_argument("--trials", type=int, default=200, help="episodes with pushes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write summary and rows to this file")
    parser.add_argument("--card", action="store_true", help="put the figures into the card")
    options = parser.parse_args(arguments)
    results = evaluate(options.policy, options.trials, options.seed, options.processes)
    command = (
        f"python -m hrl_training.evaluate_gait --trials {options.trials} --seed {options.seed}"
    )
    figures = summarise(results, command)
    table = Table("figure", "value", "95 %", "trials")
    for figure in figures:
        interval = "" if figure.interval is None else "{:.4f} to {:.4f}".format(*figure.interval)
        table.add_row(figure.metric, f"{figure.value:.4f}", interval, str(figure.trials))
    Console().print(table)
    if options.json is not None:
        summary = {figure.metric: figure.value for figure in figures}
        content = {"summary": summary, "rows": results}
        options.json.write_text(json.dumps(content, indent=1, default=float), encoding="utf-8")
    if options.card:
        card = load_card(options.policy / "card.yaml")
        save_card(options.policy, card.model_copy(update={"figures": tuple(figures)}))


if __name__ == "__main__":
    main()
