"""`./hrl soak`: missions of several orders over ROS for hours, while things go wrong.

Nodes are killed and frozen, sensors fall silent, broken messages come among the real ones, another
process holds the ledger, the client starts anew, the emergency stop is pressed: in random order,
by the seed. A node that has ended is started again after 2 s, as launch does. At the end: what the
master said of each order against the plant's truth, contacts, memory and descriptors per node,
ticks missed. Exit status 0: no order lost, doubled or falsely called delivered, no person touched,
no node died by itself or did not come back.
"""

import argparse
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hrl_bringup.environment import Domain
from hrl_bringup.listing import world_file
from hrl_bringup.nodes import GROUPS
from hrl_bringup.reports.soak import show, summary_of, write_soak_page, write_summary
from hrl_bringup.ros.operator_node import MissionStopped
from hrl_bringup.ros.soak_client import LIDAR, sensor_topics
from hrl_bringup.runner import Runner, signals_interrupt
from hrl_bringup.session import SystemOptions
from hrl_bringup.soak.records import Records
from hrl_bringup.soak.schedule import Agenda, Targets, draw_schedule
from hrl_bringup.soak.system import SoakSystem
from hrl_core.known import known
from hrl_core.number_options import integer, real
from hrl_core.paths import folder_to_write
from hrl_core.robot import load_robot
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World
from hrl_training.missions.row import mission_seed

HOUR = 3600.0  # s
ORDERS = (2, 5)  # of a mission
EVERY = 40.0  # s of wall time between two troubles, in the mean
TRIES = 3  # systems that may end without a mission, one after the other
WIDTH = 120  # columns of the tables
INTERRUPTED = 130  # exit status, as shells use it


def several_orders(world: World, seed: int) -> Iterator[Trial]:
    """Missions of several orders, in the trials to which the plant can be set by their seeds."""
    index = 0
    while True:
        trial = draw_trial(world, mission_seed(seed, index), orders=ORDERS)
        # The plant draws for one order: with fewer things in stock it is another trial.
        if len(draw_trial(world, trial.seed).stock) == len(trial.stock):
            yield trial
        index += 1


class Soak:
    """All systems of a soak, one after the other: a new one where the last is of no use."""

    def __init__(self, options: argparse.Namespace, records: Records, console: Console) -> None:
        self._options, self._records, self._console = options, records, console
        self._world = load_world(options.world)
        self._cameras = tuple(load_robot(options.robot).cameras)
        self._trials = several_orders(self._world, options.seed)
        targets = Targets(
            [spec.name for spec in GROUPS["demo"]],
            [*self._cameras, LIDAR],
            [*sensor_topics(self._cameras)],
        )
        self._agenda = Agenda(draw_schedule(options.seed, targets, options.every))
        self._seconds = HOUR * options.hours
        self.ticks_missed: dict[str, int] = {}  # by node

    def run(self) -> None:
        """Until the time is over; raises MissionStopped where no system comes up any more."""
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
        with Domain() as domain, Progress(*columns, console=self._console) as progress:
            task, tries, number = progress.add_task("", total=self._seconds), 0, 0
            while self._records.seconds < self._seconds:
                before = len(self._records.missions)
                logs = (self._options.out / f"system_{number}" / "logs").resolve()
                try:
                    with Runner(domain.number, logs) as runner:
                        self._run_system(runner, progress, task)
                except MissionStopped as error:
                    self._records.event("broken system", str(number), why=str(error))
                    self._console.print(str(error), style="red", markup=False, soft_wrap=True)
                    tries = 0 if len(self._records.missions) > before else tries + 1
                    if tries == TRIES:
                        raise
                number += 1

    def _run_system(self, runner: Runner, progress: Progress, task: TaskID) -> None:
        options, records = self._options, self._records
        system_options = SystemOptions(
            options.world,
            options.robot,
            options.seed,
            realtime_factor=options.realtime_factor,
            master={"resume": True},
        )

        def show_progress(doing: str) -> None:
            words = f"{len(records.missions)} missions, {len(records.events)} events; {doing}"
            progress.update(task, completed=records.seconds, description=words)

        before = self.ticks_missed
        with SoakSystem(
            runner, system_options, self._world, self._cameras, self._agenda, records, show_progress
        ) as system:
            try:
                over = False
                while not over:  # one mission at least, however long the start has taken
                    trial = next(self._trials)
                    system.run(trial, f"{options.world}/{trial.seed}")
                    self.ticks_missed = _sum(before, system.ticks_missed)
                    write_summary(options.out, self.summary(), records)
                    over = records.seconds >= self._seconds
            finally:
                self.ticks_missed = _sum(before, system.ticks_missed)

    def summary(self) -> dict[str, Any]:
        return summary_of(self._records, self.ticks_missed, self._options.command)


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./hrl soak",
        description=known(__doc__),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--hours", type=real(0.01, 1000), default=1.0, help="of wall time; default: 1"
    )
    parser.add_argument("--seed", type=integer(), default=0, help="of all draws; default: 0")
    parser.add_argument(
        "--world", default="small_warehouse", metavar="NAME|FILE|FAMILY:S", help="as of demo"
    )
    parser.add_argument("--robot", default="spot", metavar="NAME|FILE", help="as of demo")
    parser.add_argument(
        "--every",
        type=real(1, 1000),
        default=EVERY,
        metavar="S",
        help=f"seconds between two troubles, in the mean; default: {EVERY:.0f}",
    )
    parser.add_argument(
        "--realtime-factor",
        type=real(0, 100),
        default=1.0,
        help="simulated over wall time at most; 0: as fast as it can; default: 1",
    )
    parser.add_argument(
        "--out", type=folder_to_write, metavar="FOLDER", help="default: out/soak/<world>_<seed>"
    )
    options = parser.parse_args(arguments)
    options.world = world_file(options.world)
    options.out = options.out or Path(
        "out", "soak", f"{Path(options.world).stem.replace(':', '_')}_{options.seed}"
    )
    options.command = shlex.join(["./hrl", "soak", *(arguments or [])])
    return options


def main(arguments: list[str] | None = None) -> int:
    options, console = parse(arguments), Console(highlight=False, width=WIDTH)
    options.out.mkdir(parents=True, exist_ok=True)
    records = Records(options.out / "soak.jsonl", {"command": options.command})
    status = 0
    try:
        soak = Soak(options, records, console)
        try:
            with signals_interrupt():
                soak.run()
        except KeyboardInterrupt:
            status = INTERRUPTED
        except MissionStopped:
            status = 1
    finally:
        records.close()
    summary = soak.summary()
    show(summary, console)
    write_summary(options.out, summary, records)
    page = write_soak_page(options.out, summary, records)
    console.print(f"tables and plots: {page}", soft_wrap=True)
    return status or int(not summary["sound"])
