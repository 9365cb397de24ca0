"""What robot and sensors are like in a trial: the ranges `plant` of a task file, drawn."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from hrl_core.config import Config
from hrl_sim_bridge.trials.trial import Push, Trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.world import CameraNoise, Noise, OdometryNoise, ScanNoise, World
from hrl_training.trials.ranges import Draw, Friction, Shares, Size

LONGEST = 150.0  # s, more than any trial takes
SPELL = (0.3, 2.0)  # s, for which a marker is hidden at a time


class PlantRanges(Config):
    """What robot and sensors are like in a trial."""

    floor_friction: Friction = (0.4, 1.2)
    payload: Size = (0.0, 0.0)  # kg in the gripper
    push_every: Size = (0.0, 0.0)  # s between kicks; 0: none
    push: Size = (0.0, 0.0)  # m/s, change of velocity by a kick
    scan_sd: Size = (0.005, 0.03)  # m
    scan_dropout: Shares = (0.0, 0.05)  # share of the beams
    camera_grey: Size = (1.0, 5.0)  # sd of 255
    camera_depth: Size = (0.002, 0.01)  # sd per metre
    latency: Size = (0.0, 0.1)  # s, age of pictures when they come
    odometry_scale: Size = (0.0, 0.03)  # sd of the error of distances
    odometry_yaw: Size = (0.0, 0.04)  # rad, sd after 1 m
    occlusion: Shares = (0.0, 0.3)  # share of the time in which the target's marker is hidden


@dataclass(frozen=True)
class PlantConditions:
    """One draw; `onto` puts it into a world and a trial, and the rig delays the pictures."""

    seed: int
    floor_friction: float
    payload: float  # kg
    push_every: float  # s; 0: none
    push: float  # m/s
    noise: Noise
    latency: float  # s, mean age of pictures when they come
    occlusion: float  # share of the time

    def onto(self, world: World, trial: Trial, hidden: Iterable[str] = ()) -> tuple[World, Trial]:
        """World and trial under these conditions; `hidden`: whose markers get covered."""
        rng = np.random.default_rng([self.seed, 21])
        faults = [fault for name in hidden for fault in self._spells(name, rng)]
        trial = replace(
            trial,
            floor_friction=self.floor_friction,
            payload=self.payload,
            pushes=self._pushes(rng),
            faults=(*trial.faults, *faults),
        )
        return world.model_copy(update={"noise": self.noise}), trial

    def _spells(self, name: str, rng: np.random.Generator) -> list[Fault]:
        """Times in which a marker is covered: `occlusion` of the whole on average."""
        if not self.occlusion:
            return []
        gap = 0.5 * sum(SPELL) * (1 - self.occlusion) / self.occlusion  # s, mean
        # At time 0 one is under way as likely as at any other time.
        time = -rng.uniform(0, SPELL[1]) if rng.random() < self.occlusion else rng.exponential(gap)
        spells = []
        while time < LONGEST:
            length = rng.uniform(*SPELL)
            if time + length > 0:
                start = max(time, 0.0)
                spells.append(Fault(FaultKind.MARKER_OCCLUDED, name, start, time + length - start))
            time += length + rng.exponential(gap)
        return spells

    def _pushes(self, rng: np.random.Generator) -> tuple[Push, ...]:
        if not (self.push_every and self.push):
            return ()
        pushes, time = [], rng.uniform(0, self.push_every)
        while time < LONGEST:
            direction = rng.uniform(-np.pi, np.pi)
            velocity = self.push * np.array([np.cos(direction), np.sin(direction)])
            pushes.append(Push(time, velocity))
            time += self.push_every
        return tuple(pushes)


def draw_plant(draw: Draw, ranges: PlantRanges, seed: int) -> PlantConditions:
    """Draw what the ranges leave open; every number is noted as a factor `plant.<name>`."""

    def one(name: str) -> float:
        return draw.uniform(f"plant.{name}", getattr(ranges, name))

    return PlantConditions(
        seed=seed,
        floor_friction=one("floor_friction"),
        payload=one("payload"),
        push_every=one("push_every"),
        push=one("push"),
        noise=Noise(
            scan=ScanNoise(sd=one("scan_sd"), dropout=one("scan_dropout")),
            camera=CameraNoise(grey=one("camera_grey"), depth=one("camera_depth")),
            odometry=OdometryNoise(scale=one("odometry_scale"), yaw=one("odometry_yaw")),
        ),
        latency=one("latency"),
        occlusion=one("occlusion"),
    )
