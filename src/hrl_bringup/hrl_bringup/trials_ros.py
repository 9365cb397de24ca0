"""Missions over ROS 2, one after the other in one running system; see trials.py."""

import time
from collections.abc import Generator, Sequence
from pathlib import Path

from rich.progress import Progress

from hrl_bringup.environment import Domain
from hrl_bringup.mission_log import MissionLog, mission_id
from hrl_bringup.runner import NodeDied, Runner
from hrl_bringup.session import System, SystemOptions, ledger_beside, new_log
from hrl_master.ledger import Ledger
from hrl_sim_bridge.solvable import solvable
from hrl_training.mission_rows import MissionRow
from hrl_training.missions import MissionOptions, note_judgement, order_of


def run_over_ros(
    options: MissionOptions, robot: str, seeds: Sequence[int], folder: Path, progress: Progress
) -> Generator[tuple[int, MissionRow], None, None]:
    """Yield (seed, row); a system that broke is started anew for the next mission."""
    # A ledger of its own: it refuses a mission that it knows.
    logs = (folder / time.strftime("ros_%Y-%m-%d_%H-%M-%S") / "logs").resolve()
    progress.console.print(f"logs and ledger of the nodes: {logs.parent}", soft_wrap=True)
    with Domain() as domain:
        missions = _Missions(options, robot, [*seeds], progress)
        while missions.left:
            missions.describe("starting the nodes")
            with Runner(domain.number, logs) as runner:
                yield from missions.run_until_broken(runner)


class _Missions:
    """The missions that are left, and the one that runs."""

    def __init__(
        self, options: MissionOptions, robot: str, seeds: list[int], progress: Progress
    ) -> None:
        self.left = seeds
        self._options, self._robot, self._progress = options, robot, progress
        self._log: MissionLog | None = None

    def run_until_broken(self, runner: Runner) -> Generator[tuple[int, MissionRow], None, None]:
        options, config = self._options, self._options.config
        master = {"policy": config.policy, "policy_folder": config.policy_folder}
        system_options = SystemOptions(
            options.world_name, self._robot, self.left[0], disturb=options.disturb, master=master
        )
        with System(runner, system_options, self._show) as system:
            while self.left:
                row, broken = self._run(system, self.left.pop(0))
                with Ledger(ledger_beside(runner.logs)) as ledger:
                    mission = mission_id(options.world_name, row.seed)
                    if ledger.knows(mission):  # else the master never heard of it
                        note_judgement(ledger, mission, row)
                yield row.seed, row
                if broken is not None:
                    self._progress.console.print(
                        str(broken), style="red", markup=False, soft_wrap=True
                    )
                    return

    def _run(self, system: System, seed: int) -> tuple[MissionRow, RuntimeError | None]:
        """Run a mission; return its row, and what broke the system, if anything did."""
        options = self._options
        log = self._log = new_log(options.world, options.world_name, seed, options.disturb)
        broken = None
        try:
            system.run_mission(options.world, log)
        except RuntimeError as error:  # a node died, or nobody answers
            broken = error
            log.delivered, log.sentence = False, str(error)
            died = isinstance(error, NodeDied)
            log.cause = f"node {error.name} died" if died else f"stopped: {log.failure_cause()}"
            log.wall_duration = time.monotonic() - log.wall_started
        return row_of(log, system, options), broken

    def describe(self, text: str) -> None:
        for task in self._progress.tasks:
            if not task.finished:
                self._progress.update(task.id, description=f"{self._options.policy}: {text}")

    def _show(self) -> None:
        log = self._log
        if log is None:
            return
        running = log.running
        doing = f"{running.skill} {running.target}" if running else "decides"
        self.describe(f"seed {log.seed}: {doing}, {log.duration:.0f} s, x{log.realtime_factor:.1f}")


def row_of(log: MissionLog, system: System, options: MissionOptions) -> MissionRow:
    """The row of a mission that ran over ROS."""
    trial = options.world.sample(log.seed, options.disturb)
    can_be = solvable(options.world, trial, system.truth)
    mission = log.as_dict()
    ended = [entry.ended for entry in log.decisions if entry.ended is not None]
    row = MissionRow(
        seed=log.seed,
        world=options.world_name,
        policy=options.policy,
        order=order_of(trial),
        disturbances=trial.disturbances,
        solvable=can_be.ok,
        why=can_be.why,
        delivered=log.delivered,
        handed_over=log.handed_over,
        wrong_item_delivered=log.wrong_item_delivered,
        contacts=tuple(mission["contacts"]),
        contacts_with_people=log.contacts_with_people,
        placement_error_m=log.placement_error,
        cause=log.cause,
        sentence=log.sentence,
        mission_outcome=log.outcome,
        mission_detail=log.detail,
        resolved_after_s=round(max([log.started, *ended]) - log.started, 3),
        simulated_duration_s=mission["simulated_duration_s"],
        wall_duration_s=mission["wall_duration_s"],
        lockstep_misses=log.lockstep_misses,
        decisions=tuple(_decided(log)),
    )
    return row.without_cause() if row.success else row


def _decided(log: MissionLog) -> list[dict]:
    return [
        {
            "skill": entry.skill,
            "target": entry.target,
            "outcome": entry.outcome,
            "detail": entry.detail,
            "steps": entry.steps,
            "confirmed": entry.confirmed,
            "began_s": round(entry.started - log.started, 3),
            "ended_s": None if entry.ended is None else round(entry.ended - log.started, 3),
            "chance": entry.chance,
        }
        for entry in log.decisions
    ]
