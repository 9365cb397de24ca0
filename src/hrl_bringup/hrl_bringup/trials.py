"""`./hrl trials`: missions over ROS 2, one after the other, counted and judged by the plant."""

import json
import math
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hrl_bringup.environment import Domain
from hrl_bringup.mission_log import MissionLog
from hrl_bringup.runner import NodeDied, Runner, signals_interrupt
from hrl_bringup.session import System, SystemOptions, cause_of, new_log
from hrl_core.config import ConfigError
from hrl_core.robot import load_robot
from hrl_sim_bridge.world import World, load_world
from hrl_training.statistics import wilson_interval

SEED_STRIDE = 1000  # mission i of `--seed s` has the trial's seed 1000 s + i
INTERRUPTED = 130  # exit status, as shells use it


@dataclass(frozen=True)
class TrialsOptions:
    """What the command line asks for."""

    world: str
    missions: int
    seed: int
    robot: str
    json: Path | None


def run_trials(options: TrialsOptions) -> int:
    """Run them; 0 if they all ran, whether they succeeded or not."""
    console = Console(highlight=False)
    try:
        world = load_world(options.world)
        load_robot(options.robot)
        world.sample(mission_seed(options.seed, 0))
    except ConfigError as error:
        console.print(str(error), style="red", markup=False)
        return 2
    trials, status = _Trials(options, world, console), 0
    try:
        with signals_interrupt():
            trials.run()
    except KeyboardInterrupt:
        console.print("interrupted")
        status = INTERRUPTED
    result = {"summary": summarise(options, trials.rows), "missions": trials.rows}
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    report(result, console)
    return status


def mission_seed(seed: int, index: int) -> int:
    """Seed of the trial of a mission."""
    return SEED_STRIDE * seed + index


class _Trials:
    """Runs the missions; a system that broke is started anew for the next one."""

    def __init__(self, options: TrialsOptions, world: World, console: Console):
        self._options, self._world, self._console = options, world, console
        self.rows: list[dict[str, Any]] = []
        self._log: MissionLog | None = None  # of the mission that runs
        self._progress = Progress(
            TextColumn("{task.fields[successes]} of"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
        )
        self._task = self._progress.add_task("", total=options.missions, successes=0)

    def run(self) -> None:
        logs = Path("out", time.strftime("trials_%Y-%m-%d_%H-%M-%S"), "logs").resolve()
        self._console.print(f"logs of the nodes: {logs}")
        with self._progress, Domain() as domain:
            while self._left():
                self._progress.update(self._task, description="starting the nodes")
                with Runner(domain.number, logs) as runner:
                    self._run_until_broken(runner)

    def _left(self) -> bool:
        return len(self.rows) < self._options.missions

    def _run_until_broken(self, runner: Runner) -> None:
        options = self._options
        system_options = SystemOptions(options.world, options.robot, self._next_seed())
        with System(runner, system_options, self._show) as system:
            while self._left():
                broken = self._run_one(system)
                if broken is not None:
                    self._console.print(str(broken), style="red", markup=False, soft_wrap=True)
                    return

    def _run_one(self, system: System) -> RuntimeError | None:
        """Run the next mission and add its row; return what broke the system, if anything did."""
        log = self._log = new_log(self._world, self._options.world, self._next_seed())
        broken = None
        try:
            system.run_mission(self._world, log)
        except RuntimeError as error:  # a node died, or nobody answers
            broken = error
            log.delivered, log.sentence = False, str(error)
            died = isinstance(error, NodeDied)
            log.cause = f"node {error.name} died" if died else f"stopped: {cause_of(log)}"
            log.wall_duration = time.monotonic() - log.wall_started
        self.rows.append(row_of(log))
        self._console.print(line_of(self.rows[-1]), markup=False, soft_wrap=True)
        successes = sum(row["delivered"] for row in self.rows)
        self._progress.update(self._task, completed=len(self.rows), successes=successes)
        return broken

    def _next_seed(self) -> int:
        return mission_seed(self._options.seed, len(self.rows))

    def _show(self) -> None:
        log = self._log
        if log is None:
            return
        running = log.running
        doing = f"{running.skill} {running.target}" if running else "decides"
        text = f"seed {log.seed}: {doing}, {log.duration:.0f} s, x{log.realtime_factor:.1f}"
        self._progress.update(self._task, description=text)


def row_of(log: MissionLog) -> dict[str, Any]:
    """What the JSON file says of one mission."""
    mission = log.as_dict()
    kept = (
        "seed order delivered cause sentence mission_outcome mission_detail simulated_duration_s "
        "wall_duration_s lockstep_misses placement_error_m contacts contacts_with_people"
    ).split()
    decided = ("skill", "target", "outcome", "detail", "steps", "confirmed")
    return {
        **{name: mission[name] for name in kept},
        "decisions": [{name: d[name] for name in decided} for d in mission["decisions"]],
    }


def line_of(row: dict[str, Any]) -> str:
    """One line for the terminal."""
    order = row["order"]
    verdict = "delivered" if row["delivered"] else f"FAILED ({row['cause']})"
    return (
        f"seed {row['seed']}: {order['item']} {order['from_bin']} -> {order['to_station']}: "
        f"{verdict}, {row['simulated_duration_s']:.0f} s in {row['wall_duration_s']:.0f} s, "
        f"{len(row['decisions'])} decisions"
    )


def summarise(options: TrialsOptions, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts, the 95 % Wilson interval, times and causes."""
    successes = sum(row["delivered"] for row in rows)
    low, high = wilson_interval(successes, len(rows))
    simulated = [row["simulated_duration_s"] for row in rows if row["delivered"]]
    wall = [row["wall_duration_s"] for row in rows]
    errors = [row["placement_error_m"] for row in rows if row["delivered"]]
    return {
        "world": options.world,
        "robot": options.robot,
        "seed": options.seed,
        "missions": len(rows),
        "successes": successes,
        "success_rate": round(successes / len(rows), 4) if rows else None,
        "interval": [round(low, 4), round(high, 4)],
        "failures": dict(Counter(row["cause"] for row in rows if not row["delivered"])),
        "median_duration_s": _median(simulated),
        "median_wall_duration_s": _median(wall),
        "realtime_factor": round(
            sum(row["simulated_duration_s"] for row in rows) / max(sum(wall), 1e-9), 3
        ),
        "median_placement_error_m": _median(errors),
        "contacts_with_people": sum(row["contacts_with_people"] for row in rows),
        "lockstep_misses": sum(row["lockstep_misses"] for row in rows),
        "interrupted": len(rows) < options.missions,
    }


def report(result: dict[str, Any], console: Console) -> None:
    """Print the summary."""
    summary = result["summary"]
    if not summary["missions"]:
        console.print("no mission ended")
        return
    low, high = summary["interval"]
    table = Table(box=None, show_header=False)
    table.add_row(
        "delivered",
        f"{summary['successes']} of {summary['missions']} "
        f"({100 * summary['success_rate']:.0f} %, 95 % interval {100 * low:.0f} to "
        f"{100 * high:.0f} %)",
    )
    if summary["median_duration_s"] is not None:
        table.add_row("median time to deliver", f"{summary['median_duration_s']:.1f} s (simulated)")
        error = summary["median_placement_error_m"]
        table.add_row("median placement error", f"{100 * error:.1f} cm")
    table.add_row("simulated over wall time", f"{summary['realtime_factor']:.2f}")
    table.add_row("contacts with people", str(summary["contacts_with_people"]))
    table.add_row("ticks that a node missed", str(summary["lockstep_misses"]))
    for cause, count in sorted(summary["failures"].items(), key=lambda pair: -pair[1]):
        table.add_row("failed by", f"{cause}: {count}")
    console.print(table)


def _median(values: list[float]) -> float | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return round(statistics.median(finite), 4) if finite else None
