"""`./hrl bench missions`: how many missions an hour holds, in process and over ROS, in one run.

The same seeds in process over all cores, then over ROS one after the other. By the wall clock the
figures are of this machine with whatever else it does; by CPU time they are what it could do if it
did nothing else. The start of the processes counts, that of the nodes only in the CPU time.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from rich.progress import Progress

from hrl_bringup.runner import signals_interrupt
from hrl_bringup.trials import Trials, TrialsOptions
from hrl_bringup.trials_ros import run_over_ros
from hrl_core.config import ConfigError
from hrl_core.number_options import integer
from hrl_core.paths import file_to_write
from hrl_training.jobs.processes import run_parallel
from hrl_training.missions.row import MissionRow
from hrl_training.missions.runner import MissionOptions, MissionRunner
from hrl_training.trials.journal import to_json

HOUR = 3600.0  # s


@dataclass(frozen=True)
class Throughput:
    """Of some missions: how many, and how long they took."""

    missions: int
    simulated_s: float
    wall_s: float
    cpu_s: float  # of all processes together
    cores: int

    @property
    def missions_per_hour(self) -> float:
        return HOUR * self.missions / self.wall_s

    @property
    def simulated_hours_per_hour(self) -> float:
        return self.simulated_s / self.wall_s

    @property
    def missions_per_hour_by_cpu(self) -> float:
        """If all cores did nothing else."""
        return HOUR * self.missions / (self.cpu_s / self.cores)

    def as_dict(self) -> dict[str, float]:
        derived = ("missions_per_hour", "simulated_hours_per_hour", "missions_per_hour_by_cpu")
        return {**asdict(self), **{name: round(getattr(self, name), 2) for name in derived}}


def in_process(options: MissionOptions, seeds: Sequence[int], workers: int) -> Throughput:
    """Throughput of missions in `workers` processes."""
    begun, cpu = time.monotonic(), _cpu_of_children()
    rows = [row for _, row in run_parallel(partial(MissionRunner, options), seeds, workers)]
    return _throughput(rows, time.monotonic() - begun, _cpu_of_children() - cpu, workers)


def over_ros(options: MissionOptions, robot: str, seeds: Sequence[int]) -> Throughput:
    """Throughput of missions over ROS; all cores share the nodes of one system."""
    folder, cpu = Path(tempfile.mkdtemp(prefix="hrl-bench-")), _cpu_of_children()
    with signals_interrupt(), Progress(disable=True) as progress:
        rows = [row for _, row in run_over_ros(options, robot, "", seeds, folder, progress)]
    wall = sum(row.wall_duration_s for row in rows)
    return _throughput(rows, wall, _cpu_of_children() - cpu, os.cpu_count() or 1)


def _throughput(rows: list[MissionRow], wall: float, cpu: float, cores: int) -> Throughput:
    simulated = sum(row.simulated_duration_s for row in rows)
    return Throughput(len(rows), simulated, wall, cpu, cores)


def _cpu_of_children() -> float:
    """CPU time [s] of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(figures: dict[str, Throughput]) -> str:
    """The figures as text."""
    lines = [f"{'':26} missions/h  simulated h/h  missions/h by CPU time  CPU s/mission"]
    for name, each in figures.items():
        lines.append(
            f"{name:26} {each.missions_per_hour:10.0f}  {each.simulated_hours_per_hour:13.2f}  "
            f"{each.missions_per_hour_by_cpu:22.0f}  {each.cpu_s / each.missions:13.1f}"
        )
    first, *others = figures.values()
    for other in others:
        ratio = first.missions_per_hour / other.missions_per_hour
        by_cpu = first.missions_per_hour_by_cpu / other.missions_per_hour_by_cpu
        lines.append(f"in process over ROS: {ratio:.1f} times as many ({by_cpu:.1f} by CPU time)")
    load = f"{os.getloadavg()[0]:.1f}"
    lines.append(f"(load of this machine {load} on {os.cpu_count()} cores)")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="./hrl bench missions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--world", default="small_warehouse", help="world name or file")
    parser.add_argument(
        "--missions", type=integer(1), default=2 * cores, help="default: 2 per core"
    )
    parser.add_argument("--seed", type=integer(), default=0, help="as of ./hrl trials")
    parser.add_argument(
        "--workers", type=integer(1), default=cores, help="processes; default: all cores"
    )
    parser.add_argument("--no-ros", action="store_true", help="only in process")
    parser.add_argument(
        "--json", type=file_to_write, metavar="FILE", help="write the figures there as well"
    )
    options = parser.parse_args(arguments)
    for name in ("missions", "workers"):
        if getattr(options, name) < 1:
            raise ConfigError(f"--{name} {getattr(options, name)}: allowed are numbers from 1")
    trials = Trials(
        TrialsOptions((options.world,), options.missions, options.seed, "spot", disturb="none")
    )
    mission, seeds = replace(trials.missions[0][0], ledger=None), trials.options.seeds
    figures = {
        f"in process, {options.workers} workers": in_process(mission, seeds, options.workers)
    }
    if not options.no_ros:
        figures["over ROS"] = over_ros(mission, "spot", seeds[:2])
    print(report(figures))
    if options.json:
        content = {name: each.as_dict() for name, each in figures.items()}
        options.json.write_text(to_json(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
