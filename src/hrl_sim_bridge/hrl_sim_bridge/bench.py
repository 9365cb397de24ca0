"""`./hrl bench plant`: how fast the plant is beside bare MuJoCo, and what each sensor costs.

Plant and bare MuJoCo take turns in one run, the second repeating the very steps of the first (same
model, same states). Steps are timed by the thread's CPU time, and the quickest turn counts: others
were disturbed by what else the machine does. Sensors and whole ticks go by the clock on the wall.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import mujoco
import numpy as np

from hrl_core.control import TICK, Command
from hrl_core.known import known
from hrl_core.number_options import integer
from hrl_core.paths import file_to_write
from hrl_core.robot import load_robot
from hrl_sim_bridge.plant.plant import GAIT_STEPS, Plant, PlantOptions
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_skills.gait import PERIOD, Gait

WALK = Command(twist=np.array([0.25, 0.0, 0.5]))  # a circle of half a metre: nothing is hit
CAMERA_TICKS = 2  # 5 Hz


@dataclass(frozen=True)
class PlantFigures:
    """Of one run; milliseconds are per control step of 0.1 s."""

    raw_steps_per_second: float  # control steps of bare mj_step
    with_gait_steps_per_second: float  # of mj_step and the gait's policy
    plant_steps_per_second: float  # of Plant.step without sensors
    gait_ms: float
    overhead: float  # of the plant over mj_step, the gait's policy counted apart
    overhead_with_gait: float  # the same with the gait's policy counted as overhead
    sensors_ms: dict[str, float]  # per reading
    tick_ms: float  # with all sensors at their rates
    real_time_factor: float


class TimedGait:
    """A gait that keeps its targets and, when asked to, adds up its time: clocks cost time too."""

    def __init__(self, gait: Gait) -> None:
        self._gait = gait
        self.timed = False
        self.seconds = 0.0
        self.targets: list[np.ndarray] = []

    def reset(self) -> None:
        self._gait.reset()

    def step(
        self,
        command: np.ndarray,
        up_in_base: np.ndarray,
        gyro: np.ndarray,
        joints: np.ndarray,
        joint_velocities: np.ndarray,
    ) -> np.ndarray:
        readings = (command, up_in_base, gyro, joints, joint_velocities)
        if self.timed:
            start = time.thread_time()
            targets = self._gait.step(*readings)
            self.seconds += time.thread_time() - start
        else:
            targets = self._gait.step(*readings)
        self.targets.append(targets)
        return targets


def measure(
    world_name: str = "small_warehouse", seed: int = 0, turns: int = 60, ticks: int = 10
) -> PlantFigures:
    """Let the robot walk in turns of `ticks` control steps: plant, then the same by bare MuJoCo."""
    world, robot = load_world(world_name), load_robot()
    gait = TimedGait(Gait(robot))
    plant = Plant(world, draw_trial(world, seed), robot, options=PlantOptions(gait=gait))
    try:
        for _ in range(10):
            plant.step(WALK)
        whole, raw, policy = np.array([one_turn(plant, gait, ticks) for _ in range(turns)]).min(
            axis=0
        )
        sensors = sensor_costs(plant)
        tick = statistics.median(full_ticks(plant, turns=10))
    finally:
        plant.close()
    return PlantFigures(
        raw_steps_per_second=1 / raw,
        with_gait_steps_per_second=1 / (raw + policy),
        plant_steps_per_second=1 / whole,
        gait_ms=1000 * policy,
        overhead=(whole - policy - raw) / raw,
        overhead_with_gait=(whole - raw) / raw,
        sensors_ms=sensors,
        tick_ms=1000 * tick,
        real_time_factor=TICK / tick,
    )


def one_turn(plant: Plant, gait: TimedGait, ticks: int) -> tuple[float, float, float]:
    """CPU time [s] of a control step: of the plant, of bare mj_step, of the gait in the plant."""
    model = plant.model
    data = mujoco.MjData(model)
    mujoco.mj_copyData(data, model, plant.data)
    gait.targets.clear()
    whole = seconds_for(lambda: plant.step(WALK), ticks, time.thread_time)
    legs = [model.actuator(name).id for name in plant.robot.legs.joints]
    substeps = round(PERIOD / model.opt.timestep)

    def repeat() -> None:
        for targets in gait.targets:
            data.ctrl[legs] = targets
            mujoco.mj_step(model, data, substeps)

    raw = seconds_for(repeat, 1, time.thread_time) / ticks
    gait.seconds, gait.timed = 0.0, True
    for _ in range(ticks):
        plant.step(WALK)
    gait.timed = False
    return whole, raw, gait.seconds / ticks


def seconds_for(
    action: Callable[[], object], times: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Mean time of an action [s]."""
    start = clock()
    for _ in range(times):
        action()
    return (clock() - start) / times


def sensor_costs(plant: Plant, readings: int = 10) -> dict[str, float]:
    """Cost [ms] of a reading of each sensor, and of the two pictures for people."""
    sources: dict[str, Callable[[], object]] = {
        **{name: lambda name=name: plant.read(name) for name in plant.sensors},
        **{name: lambda name=name: plant.image(name) for name in plant.robot.cameras},
        "truth (not a sensor)": plant.truth,
        "overview (not a sensor)": plant.overview,
    }
    costs = {}
    for name, read in sources.items():
        read()
        times = []
        for _ in range(readings):
            plant.step(WALK)
            times.append(seconds_for(read, 1))
        costs[name] = 1000 * statistics.median(times)
    return costs


def full_ticks(plant: Plant, turns: int) -> list[float]:
    """Time [s] of a tick with all sensors at their rates, one mean per turn."""

    def two_ticks() -> None:
        for tick in range(CAMERA_TICKS):
            plant.step(WALK)
            plant.sensed()
            if tick == 0:
                for name in plant.robot.cameras:
                    plant.image(name)

    return [seconds_for(two_ticks, 5) / CAMERA_TICKS for _ in range(turns)]


def report(figures: PlantFigures) -> str:
    """The figures as text."""
    lines = [
        "control steps of 0.1 s per second, the robot walking, no sensors:",
        f"  bare mj_step, same model    {figures.raw_steps_per_second:8.0f}",
        f"  mj_step + gait policy       {figures.with_gait_steps_per_second:8.0f}"
        f"   ({GAIT_STEPS} inferences: {figures.gait_ms:.2f} ms)",
        f"  plant                       {figures.plant_steps_per_second:8.0f}",
        f"  overhead of the plant over mj_step, besides the gait policy: {figures.overhead:.1%}"
        f" (with it {figures.overhead_with_gait:.0%})",
        "cost of a reading, ms:",
        *(f"  {name:26}  {cost:8.2f}" for name, cost in figures.sensors_ms.items()),
        f"one tick with all sensors, cameras at 5 Hz: {figures.tick_ms:.1f} ms, "
        f"{figures.real_time_factor:.1f} times real time",
        f"(load of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)",
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="./hrl bench plant", description=known(__doc__).split("\n")[0]
    )
    parser.add_argument("--world", default="small_warehouse", help="world name or file")
    parser.add_argument("--seed", type=integer(), default=0, help="seed of the trial")
    parser.add_argument("--turns", type=integer(1), default=60, help="turns of 10 control steps")
    parser.add_argument(
        "--json", type=file_to_write, metavar="FILE", help="write the figures there as well"
    )
    options = parser.parse_args(arguments)
    figures = measure(options.world, options.seed, options.turns)
    print(report(figures))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(asdict(figures), file, indent=2)


if __name__ == "__main__":
    main()
