"""Fit the velocity response of the shipped gait: `python -m hrl_training.tasks.gait.identify`.

Writes tasks/navigation/gait_responses/<robot>.yaml, from which the planar environments of walk and
approach simulate the base 1,000 times faster than with legs.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import yaml
from rich.progress import track
from scipy.optimize import least_squares

from hrl_core.control import TICK
from hrl_core.number_options import integer
from hrl_core.robot import DEFAULT_ROBOT, load_robot
from hrl_skills.gait import PERIOD
from hrl_skills.library import load_policy_of
from hrl_training.tasks.gait.rig import REACHES, GaitRig
from hrl_training.tasks.navigation.gait_response import AxisResponse, GaitResponse, response_file

AXES = ("vx", "vy", "wz")
EPISODE = 30.0  # s


def record(rig: GaitRig, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One episode of random commands: commands and mean velocities per period, both (n, 3)."""
    rng = np.random.default_rng(seed)
    base = rig.robot.base
    low, high = np.array(base.velocity_min), np.array(base.velocity_max)
    slew = np.array(base.acceleration_max) * TICK
    rig.reset(rng.uniform(0, 1.5), rng.uniform(0.5, 1.0))
    rig.reach(REACHES[rng.integers(len(REACHES))])
    wanted, command = np.zeros(3), np.zeros(3)
    hold = 0.0
    commands, velocities = [], []
    for _ in range(round(EPISODE / TICK)):
        hold -= TICK
        if hold <= 0:
            hold = rng.uniform(0.5, 4.0)
            wanted = rng.uniform(low, high) * (rng.random(3) < 0.7) * (rng.random() > 0.15)
        command = command + np.clip(wanted - command, -slew, slew)
        mean = np.zeros(3)
        steps = round(TICK / PERIOD)
        for _ in range(steps):
            rig.step(command)
            mean += rig.velocity / steps
        commands.append(command)
        velocities.append(mean)
    if rig.fallen:
        raise RuntimeError(f"the robot fell in episode {seed}: evaluate the gait first")
    return np.array(commands), np.array(velocities)


def simulate(commands: np.ndarray, delay: int, alpha: float, gain: float) -> np.ndarray:
    """Velocity (episodes, n) of one axis by the model, from rest."""
    velocity = np.zeros(len(commands))
    track_of = np.zeros(commands.shape)
    for k in range(commands.shape[1]):
        heard = commands[:, k - delay] if k >= delay else np.zeros(len(commands))
        velocity = velocity + alpha * (gain * heard - velocity)
        track_of[:, k] = velocity
    return track_of


def fit(commands: np.ndarray, velocities: np.ndarray) -> AxisResponse:
    """Least squares over the whole simulated course, (episodes, n) each, for the best delay."""
    best, best_cost, residual = (0, 0.5, 1.0), math.inf, velocities
    for delay in range(4):

        def error(x: np.ndarray, delay: int = delay) -> np.ndarray:
            return (simulate(commands, delay, *x) - velocities).ravel()

        found = least_squares(error, (0.5, 1.0), bounds=((0.05, 0.6), (1.0, 1.4)))
        if found.cost < best_cost:
            best, best_cost = (delay, *found.x), found.cost
            residual = found.fun.reshape(velocities.shape)
    correlation = (residual[:, 1:] * residual[:, :-1]).mean() / (residual**2).mean()
    return AxisResponse(
        delay=best[0],
        alpha=round(float(best[1]), 3),
        gain=round(float(best[2]), 3),
        noise=round(float(residual.std()), 4),
        noise_correlation=round(float(correlation), 3),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robot", default=DEFAULT_ROBOT, help="name or file")
    parser.add_argument("--episodes", type=integer(1), default=24, help="of 30 s")
    parser.add_argument("--seed", type=integer(), default=0)
    options = parser.parse_args(arguments)
    robot = load_robot(options.robot)
    policy = load_policy_of("gait", robot.name)
    rig = GaitRig(robot, policy)
    seeds = np.random.SeedSequence(options.seed).generate_state(options.episodes)
    courses = [record(rig, int(seed)) for seed in track(seeds, "walk")]
    commands, velocities = (np.stack(part) for part in zip(*courses, strict=True))
    assert policy.card is not None
    axes = {name: fit(commands[..., i], velocities[..., i]) for i, name in enumerate(AXES)}
    command = f"python -m hrl_training.tasks.gait.identify --episodes {options.episodes}"
    if options.robot != DEFAULT_ROBOT:
        command += f" --robot {options.robot}"
    response = GaitResponse(
        command=f"{command} --seed {options.seed}",
        weights_sha256=policy.card.sha256,
        seconds=options.episodes * EPISODE,
        **axes,
    )
    content = yaml.safe_dump(response.model_dump(), sort_keys=False)
    response_file(robot.name).write_text(content, encoding="utf-8")
    print(content)


if __name__ == "__main__":
    main()
