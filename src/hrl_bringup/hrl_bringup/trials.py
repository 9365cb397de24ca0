"""`./hrl trials`: missions of many seeds, counted and judged by the plant's truth.

In this computer's processes, over a Ray cluster, or over ROS 2; the rows are kept as they come.
"""

import hashlib
import re
import shlex
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining

from hrl_bringup.listing import world_file
from hrl_bringup.reports.trials import line_of, show
from hrl_bringup.reports.trials_page import write_trials_page
from hrl_bringup.runner import signals_interrupt
from hrl_core.config import ConfigError, find_config
from hrl_core.paths import file_to_write, folder_to_write
from hrl_core.policy.weights import WEIGHTS
from hrl_core.robot import load_robot
from hrl_driver.profile import load_driver
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.learned import FOLDER
from hrl_sim_bridge.trials.draws import ONE_ORDER, draw_trial
from hrl_sim_bridge.trials.trial import Disturb
from hrl_sim_bridge.worlds.layouts import AS_FILE
from hrl_sim_bridge.worlds.loading import load_world
from hrl_sim_bridge.worlds.world import World
from hrl_training.fast.missions import FastInTurn
from hrl_training.jobs.processes import TrialError, run_parallel
from hrl_training.missions.row import MissionRow, mission_seed, row_from_dict
from hrl_training.missions.runner import InTurn, MissionOptions, master_part, policy_changes
from hrl_training.missions.summary import compare, summarise
from hrl_training.trials.journal import Journal, to_json

INTERRUPTED = 130  # exit status, as shells use it
FAILED = 1

Results = Generator[tuple[int, MissionRow], None, None]


@dataclass(frozen=True)
class TrialsOptions:
    """What the command line asks for."""

    worlds: tuple[str, ...]  # names, files or FAMILY:SEED; missions take turns
    missions: int
    seed: int
    robot: str
    json: Path | None = None
    policies: tuple[str, ...] = ()  # names or folders; empty: that of config/master.yaml
    disturb: Disturb = "file"
    orders: tuple[int, int] = ONE_ORDER  # of a mission, at least and at most
    workers: int = 1
    over_ros: bool = False
    fast_world: bool = False
    driver: str = ""  # that the plant speaks as; empty: none
    systems: float | None = None  # share of the items that a stock system is right about
    ray: str | None = None  # address of a cluster
    resume: bool = False
    out: Path | None = None

    @property
    def seeds(self) -> list[int]:
        return [mission_seed(self.seed, index) for index in range(self.missions)]

    @property
    def over(self) -> str:
        """Where they run, as it is kept with the rows."""
        return "ros" if self.over_ros else "fast world" if self.fast_world else "process"

    @property
    def folder(self) -> Path:
        """Where rows, ledger and page go."""
        how = "_ros" if self.over_ros else "_fast_world" if self.fast_world else ""
        how += f"_{Path(self.driver).stem}" if self.driver else ""
        worlds = "+".join(Path(world).stem.translate(AS_FILE) for world in self.worlds)
        several = "" if self.orders == ONE_ORDER else f"_orders_{self.orders[0]}-{self.orders[1]}"
        stock = "" if self.systems is None else f"_systems_{self.systems:g}"
        name = f"{worlds}_{self.disturb}_{self.seed}{several}{stock}{how}"
        return self.out or Path("out", "trials", name)


def run_trials(options: TrialsOptions) -> int:
    """Run them; 0 if they all ran, whether they succeeded or not."""
    console = Console(highlight=False)
    try:
        trials = Trials(options, console)
        status = trials.run()
    except (ConfigError, TrialError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 2 if isinstance(error, ConfigError) else FAILED
    result = trials.result()
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(to_json(result, indent=1) + "\n", encoding="utf-8")
    show(result, console)
    if status == INTERRUPTED:
        console.print("interrupted; the same command with --resume goes on")
    if result["missions"]:
        page = write_trials_page(options.folder, result, trials.rows)
        console.print(f"tables and plots: {page}", soft_wrap=True)
    return status


class Trials:
    """The missions of every policy on the same seeds; rows: policy -> rows by seed."""

    def __init__(self, options: TrialsOptions, console: Console | None = None):
        self.options, self._console = options, console or Console(highlight=False)
        files = [world_file(world) for world in options.worlds]
        self.worlds = {file: load_world(file) for file in files}
        self.robot = load_robot(options.robot)
        _check(options, self.worlds)
        # Of every policy: options for each world.
        self.missions = [self._mission_options(policy) for policy in options.policies or ("",)]
        labels = [of_policy[0].policy for of_policy in self.missions]
        if len({*labels}) < len(labels):
            raise ConfigError(f"--policy: {labels} have one name; folders need different names")
        self.rows: dict[str, list[MissionRow]] = {label: [] for label in labels}
        self._interrupted = False

    def run(self) -> int:
        """Exit status."""
        with signals_interrupt():
            try:
                for mission in self.missions:
                    self._run_policy(mission)
            except KeyboardInterrupt:
                self._interrupted = True
        return INTERRUPTED if self._interrupted else 0

    def result(self) -> dict[str, Any]:
        """What --json writes: the summary and rows of the first policy, then of the others."""
        options, label = self.options, self.missions[0][0].policy
        first = self.rows[label]
        about = {
            "worlds": list(options.worlds),
            "robot": options.robot,
            "seed": options.seed,
            "disturb": options.disturb,
            "orders": list(options.orders),
            "over": options.over,
            "driver": options.driver,
            "systems": options.systems,
            "policy": label,
            "command": command_line(options),
        }
        interrupted = any(len(rows) < options.missions for rows in self.rows.values())
        result: dict[str, Any] = {
            "summary": {**about, **summarise(first), "interrupted": interrupted},
            "missions": [row.as_dict() for row in first],
        }
        others = {name: rows for name, rows in self.rows.items() if name != label}
        if others:
            result["others"] = {
                name: {
                    "summary": {"policy": name, **summarise(rows)},
                    "comparison": compare(first, rows),
                    "missions": [row.as_dict() for row in rows],
                }
                for name, rows in others.items()
            }
        return result

    def _run_policy(self, missions: list[MissionOptions]) -> None:
        options, seeds, policy = self.options, self.options.seeds, missions[0].policy
        path = options.folder / f"{policy}.jsonl"
        journal = Journal(path, self._header(missions[0].config), options.resume, row_from_dict)
        try:
            left = [seed for seed in seeds if seed not in journal.rows]
            done = [row for seed, row in journal.rows.items() if seed in {*seeds}]
            with self._progress() as progress:
                task = progress.add_task(
                    policy,
                    total=len(seeds),
                    completed=len(done),
                    successes=sum(row.success for row in done),
                )
                with closing(self._results(missions, left, progress)) as results:
                    for _, row in results:
                        journal.add(row)
                        done.append(row)
                        self._console.print(line_of(row), markup=False, soft_wrap=True)
                        successes = sum(row.success for row in done)
                        progress.update(task, advance=1, successes=successes)
        finally:
            journal.close()
            self.rows[policy] = [journal.rows[s] for s in seeds if s in journal.rows]

    def _results(
        self, missions: list[MissionOptions], seeds: list[int], progress: Progress
    ) -> Results:
        options = self.options
        if options.over_ros:
            from hrl_bringup.trials_ros import run_over_ros

            return run_over_ros(
                missions[0], options.robot, options.driver, seeds, options.folder, progress
            )
        make = partial(FastInTurn if options.fast_world else InTurn, missions)
        if options.ray is not None:
            from hrl_training.jobs.cluster import run_on_cluster

            return run_on_cluster(make, seeds, options.ray)
        return run_parallel(make, seeds, max(1, min(options.workers, len(seeds))))

    def _mission_options(self, policy: str) -> list[MissionOptions]:
        options = self.options
        config = master_part(MasterConfig, **(policy_changes(policy) if policy else {}))
        label = re.sub(r"[^\w.-]", "_", Path(policy).name if policy else config.policy)
        guardrails = master_part(GuardrailConfig)
        for world in self.worlds.values():
            make_decider(world.site, config, Guardrails(world.site, guardrails))  # or refuse
        in_process = options.over == "process" and options.ray is None
        systems = None
        if options.systems is not None:
            from hrl_bringup.trial_systems import systems_of

            systems = partial(systems_of, options.systems)
        return [
            MissionOptions(
                world_name=file,
                world=world,
                robot=self.robot,
                policy=label,
                config=config,
                guardrails=guardrails,
                disturb=options.disturb,
                orders=options.orders,
                ledger=options.folder / "ledger.sqlite" if in_process else None,
                systems=systems,
            )
            for file, world in self.worlds.items()
        ]

    def _header(self, config: MasterConfig) -> dict[str, Any]:
        """What has to be the same for rows to be of the same trials."""
        files = (find_config("worlds", file).read_bytes() for file in self.worlds)
        return {
            "worlds": [hashlib.sha256(file).hexdigest() for file in files],
            "robot": self.options.robot,
            "disturb": self.options.disturb,
            "orders": list(self.options.orders),
            "over": self.options.over,
            "driver": self.options.driver,
            "systems": self.options.systems,
            "master": config.model_dump(mode="json"),
            "weights": _weights_hash(config),
        }

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[successes]} succeeded"),
            Elapsed(),
            Remaining(),
            console=self._console,
        )


def _check(options: TrialsOptions, worlds: Mapping[str, World]) -> None:
    """Raise ConfigError for what can be known to fail before anything is started."""
    folder_to_write(options.folder)
    if options.json is not None:
        file_to_write(options.json)
    if options.over_ros and options.ray is not None:
        raise ConfigError("--ros and --ray: a cluster runs missions in process; give one of them")
    wants = {"--ros": options.over_ros, "--ray": options.ray, "--systems": options.systems}
    wants["--orders"] = options.orders != ONE_ORDER
    if options.fast_world and (wrong := [name for name, value in wants.items() if value]):
        raise ConfigError(f"--fast-world plays one order in process, without {', '.join(wrong)}")
    if options.systems is not None and (options.over_ros or options.ray is not None):
        raise ConfigError(
            "--systems runs in this computer's processes, without --ros and --ray; over ROS the "
            "master has a parameter `systems`"
        )
    if options.driver:
        load_driver(options.driver)
        if not options.over_ros:
            raise ConfigError("--driver: a driver speaks over ROS; give --ros as well")
    if options.over_ros and options.orders != ONE_ORDER:
        raise ConfigError("--ros and --orders: over ROS a mission has one order; give one of them")
    if options.over_ros and len(worlds) > 1:
        raise ConfigError("--ros runs in one world; give one --world")
    if len(worlds) < len(options.worlds):
        raise ConfigError(f"--world: {', '.join(options.worlds)}: one is given twice")
    for world in worlds.values():
        draw_trial(world, options.seeds[0], options.disturb, options.orders)


def _weights_hash(config: MasterConfig) -> str | None:
    if config.policy != "learned":
        return None
    folder = Path(config.policy_folder) if config.policy_folder else FOLDER
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def command_line(options: TrialsOptions) -> str:
    """The command that measures the same again."""
    words = ["./hrl", "trials"]
    for world in options.worlds:
        words += ["--world", world]
    words += ["--missions", str(options.missions), "--seed", str(options.seed)]
    for policy in options.policies:
        words += ["--policy", policy]
    if options.disturb != "file":
        words += ["--disturb", options.disturb]
    if options.orders != ONE_ORDER:
        words += ["--orders", f"{options.orders[0]}-{options.orders[1]}"]
    if options.systems is not None:
        words += ["--systems", f"{options.systems:g}"]
    if options.over_ros:
        words += ["--ros"]
    if options.fast_world:
        words += ["--fast-world"]
    if options.driver:
        words += ["--driver", options.driver]
    return shlex.join(words)
