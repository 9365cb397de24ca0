"""What robot and sensors are like in a trial: the ranges `plant` of a task file, drawn."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from hrl_sim_bridge.faults import Fault, FaultKind
from hrl_sim_bridge.trial import Push, Trial
from hrl_sim_bridge.world import CameraNoise, Noise, OdometryNoise, ScanNoise, World
from hrl_training.evaluation.tasks import Draw, PlantRanges

LONGEST = 150.0  # s, more than any trial takes
SPELL = (0.3, 2.0)  # s, for which a marker is hidden at a time


@dataclass(frozen=True)
class Circumstances:
    """One draw; `onto` puts it into a world and a trial, and the bench delays the pictures."""

    seed: int
    floor_friction: float
    payload: float  # kg
    push_every: float  # s; 0: none
    push: float  # m/s
    noise: Noise
    latency: float  # s, mean age of pictures when they come
    occlusion: float  # share of the time

    def onto(self, world: World, trial: Trial, hidden: Iterable[str] = ()) -> tuple[World, Trial]:
        """World and trial under these circumstances; `hidden`: whose markers get covered."""
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


def draw_circumstances(draw: Draw, ranges: PlantRanges, seed: int) -> Circumstances:
    """Draw what the ranges leave open; every number is noted as a factor `plant.<name>`."""

    def one(name: str) -> float:
        return draw.uniform(f"plant.{name}", getattr(ranges, name))

    return Circumstances(
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
