"""Trials of the gait: 20 s of commands, kicks, a moving arm, payload and floor at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hrl_core.outcomes import Code
from hrl_core.robot import Robot
from hrl_skills.gait import ACTION_SIZE, PERIOD
from hrl_skills.library import load_policy_of
from hrl_training.tasks.gait.rig import REACHES, GaitRig
from hrl_training.tasks.ranges import GaitTasks
from hrl_training.trials.ranges import Draw
from hrl_training.trials.row import Options, Row, Watch

EPISODE = round(20.0 / PERIOD)  # ticks
HOLD = round(3.0 / PERIOD)  # ticks that a command and a pose of the arm last
WINDOW = round(0.5 / PERIOD)  # ticks over which velocities are averaged
# The gait may take this long to take up a command: it slews them, 1.5 m/s2 at most. A kick
# changes the velocity at once, which no gait can prevent: its windows are counted apart.
TAKE_UP = round(1.0 / PERIOD)  # ticks
SMALL = 0.1  # m/s
WATCH_EVERY = 5  # ticks between pictures: 10 Hz, as the plant's


@dataclass(frozen=True)
class Episode:
    """What happens, tick by tick; drawn as a whole, so that a fall changes nothing of it."""

    payload: float  # kg
    friction: float
    commands: np.ndarray  # (k, 3) m/s, m/s, rad/s: one every HOLD ticks
    reaches: tuple[str, ...]  # (k,) poses of the arm
    kicks: dict[int, np.ndarray]  # tick -> change of velocity (2,) m/s in the world


class GaitTrials:
    """Episodes on full Spot, without the plant's services and sensors."""

    def __init__(self, tasks: GaitTasks, options: Options) -> None:
        self._tasks, self._options = tasks, options
        self._rig = gait_rig(options)

    def run(self, seed: int, watch: Watch | None = None) -> Row:
        draw = Draw(seed)
        episode = draw_episode(draw, self._tasks)
        rig = self._rig if watch is None else gait_rig(self._options, skin=True)
        rig.reset(episode.payload, episode.friction)
        velocities = []
        for tick in range(EPISODE):
            part = tick // HOLD
            if tick % HOLD == 0:
                rig.reach(episode.reaches[part])
            if tick in episode.kicks:
                rig.kick(np.array([*episode.kicks[tick], 0.0]))
            rig.step(episode.commands[part])
            velocities.append(rig.velocity)
            if watch is not None and tick % WATCH_EVERY == 0:
                watch(rig)
            if rig.fallen:
                break
        if watch is not None:
            rig.close()
        fell = rig.fallen
        return Row(
            seed=seed,
            success=not fell,
            label="fell" if fell else "ok",
            code=(Code.FELL if fell else Code.SUCCEEDED).name,
            detail=_how_it_fell(episode, len(velocities)) if fell else "",
            claimed=not fell,  # the gait gives no verdict of its own
            achieved=not fell,
            duration=round(len(velocities) * PERIOD, 3),
            factors=draw.factors,
            measures=tracking(episode, np.array(velocities)),
        )


def gait_rig(options: Options, skin: bool = False) -> GaitRig:
    """The robot with the policy that the options ask for; the script is the open-loop trot."""
    robot = options.robot
    policy = script_policy("gait", robot)
    if options.policy == "learned":
        policy = load_policy_of("gait", robot.name, options.folder)
    return GaitRig(robot, policy, skin)


def script_policy(skill: str, robot: Robot) -> Callable[[np.ndarray], np.ndarray]:
    """The script of the gait, with the interface of a learned policy: the same for every robot."""
    return open_loop_trot


def open_loop_trot(observation: np.ndarray) -> np.ndarray:
    """No correction (n, 12) of the trot that lies under the policy."""
    return np.zeros((len(observation), ACTION_SIZE))


def draw_episode(draw: Draw, tasks: GaitTasks) -> Episode:
    """Commands, kicks, payload and floor; the factors of commands and kicks are the largest."""
    plant, rng = tasks.plant, draw.rng
    payload = draw.uniform("plant.payload", plant.payload)
    friction = draw.uniform("plant.floor_friction", plant.floor_friction)
    every = draw.uniform("plant.push_every", plant.push_every)
    count = -(-EPISODE // HOLD)
    commands = np.array([_command(rng, tasks) for _ in range(count)])
    reaches = tuple(REACHES[k] for k in rng.integers(len(REACHES), size=count))
    kicks = {}
    time = every * rng.uniform(0.5, 1.5) if every > 0 else np.inf
    while time < EPISODE * PERIOD:
        angle = rng.uniform(-np.pi, np.pi)
        kick = rng.uniform(*plant.push) * np.array([np.cos(angle), np.sin(angle)])
        kicks[int(time / PERIOD)] = kick
        time += every
    largest = max((float(np.linalg.norm(kick)) for kick in kicks.values()), default=0.0)
    draw.factors["plant.push"] = round(largest, 5)
    for name, column in zip(("forward", "sideways", "turn"), commands.T, strict=True):
        draw.factors[name] = round(float(column[np.abs(column).argmax()]), 5)
    return Episode(payload, friction, commands, reaches, kicks)


def _command(rng: np.random.Generator, tasks: GaitTasks) -> np.ndarray:
    kind = rng.random()
    full = np.array([rng.uniform(*r) for r in (tasks.forward, tasks.sideways, tasks.turn)])
    direction = rng.integers(4)
    if kind < tasks.standing:
        return np.zeros(3)
    if kind < tasks.standing + tasks.small:
        return SMALL * np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)][direction])
    return full


def tracking(episode: Episode, velocities: np.ndarray) -> dict[str, float]:
    """Mean squares of the errors of velocities (n, 3) averaged over windows of 0.5 s.

    Left out are windows of the first second after a new command and, counted apart, those that a
    kick falls into or in the second before them.
    """
    commands = np.repeat(episode.commands, HOLD, axis=0)
    kicked = np.zeros(EPISODE, bool)
    for tick in episode.kicks:
        kicked[tick : tick + TAKE_UP] = True
    calm, pushed = [], []
    for start in range(0, len(velocities) - WINDOW + 1, WINDOW):
        if start % HOLD < TAKE_UP:
            continue
        window = slice(start, start + WINDOW)
        square = (velocities[window].mean(axis=0) - commands[start]) ** 2
        (pushed if kicked[window].any() else calm).append(square)
    measures = {}
    if calm:
        vx, vy, wz = np.mean(calm, axis=0)
        measures |= {"vx_square": vx, "vy_square": vy, "wz_square": wz}
        measures |= {"speed_square": vx + vy, "windows": len(calm)}
    if pushed:
        measures["speed_after_kick_square"] = np.mean(pushed, axis=0)[:2].sum()
    return {name: float(value) for name, value in measures.items()}


def _how_it_fell(episode: Episode, ticks: int) -> str:
    command = np.array2string(episode.commands[(ticks - 1) // HOLD], precision=2)
    sentence = f"command {command}"
    before = [tick for tick in episode.kicks if tick < ticks]
    if before:
        kick = np.linalg.norm(episode.kicks[before[-1]])
        since = (ticks - before[-1]) * PERIOD
        sentence += f", {since:.1f} s after a kick of {kick:.2f} m/s"
    return sentence
