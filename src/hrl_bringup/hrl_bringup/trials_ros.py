"""Missions over ROS 2, one after the other in one running system; see trials.py."""

import time
from collections.abc import Generator, Sequence
from pathlib import Path

from rich.progress import Progress

from hrl_bringup.environment import Domain
from hrl_bringup.mission_log import MissionLog, mission_id
from hrl_bringup.runner import NodeDied, Runner
from hrl_bringup.session import System, SystemOptions, ledger_beside, new_log
from hrl_core.outcomes import Code
from hrl_master.ledger import Ledger
from hrl_sim_bridge.judging.solvable import solvable
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_training.missions.row import FinishedMission, MissionRow, RowDecision, make_row
from hrl_training.missions.runner import MissionOptions, note_judgement


def run_over_ros(
    options: MissionOptions,
    robot: str,
    driver: str,
    seeds: Sequence[int],
    folder: Path,
    progress: Progress,
) -> Generator[tuple[int, MissionRow], None, None]:
    """Yield (seed, row); a system that broke is started anew for the next mission."""
    # A ledger of its own: it refuses a mission that it knows.
    logs = (folder / time.strftime("ros_%Y-%m-%d_%H-%M-%S") / "logs").resolve()
    progress.console.print(f"logs and ledger of the nodes: {logs.parent}", soft_wrap=True)
    with Domain() as domain:
        missions = _Missions(options, robot, driver, [*seeds], progress)
        while missions.left:
            missions.describe("starting the nodes")
            with Runner(domain.number, logs) as runner:
                yield from missions.run_until_broken(runner)


class _Missions:
    """The missions that are left, and the one that runs."""

    def __init__(
        self,
        options: MissionOptions,
        robot: str,
        driver: str,
        seeds: list[int],
        progress: Progress,
    ) -> None:
        self.left = seeds
        self._options, self._progress = options, progress
        self._robot, self._driver = robot, driver
        self._log: MissionLog | None = None

    def run_until_broken(self, runner: Runner) -> Generator[tuple[int, MissionRow], None, None]:
        options, config = self._options, self._options.config
        master = {"policy": config.policy, "policy_folder": config.policy_folder}
        system_options = SystemOptions(
            options.world_name,
            self._robot,
            self.left[0],
            driver=self._driver,
            disturb=options.disturb,
            master=master,
        )
        tell = self._progress.console.print
        with System(
            runner, system_options, self._show, lambda line: tell(line, markup=False)
        ) as system:
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
        broken, cause = None, ""
        try:
            system.run_mission(options.world, log)
        except RuntimeError as error:  # a node died, or nobody answers
            broken, cause = error, f"stopped: {log.failure_cause()}"
            if isinstance(error, NodeDied):
                cause = f"node {error.name} died"
            log.broke_off(str(error), cause)
            log.wall_duration = time.monotonic() - log.wall_started
        trial = draw_trial(options.world, seed, options.disturb)
        row = make_row(
            finished_over_ros(log, cause),
            [log.judgement],
            [solvable(options.world, trial, system.truth, options.robot)],
            trial,
            world=options.world_name,
            policy=options.policy,
            wall_duration=log.wall_duration,
        )
        return row, broken

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


def finished_over_ros(log: MissionLog, broken: str = "") -> FinishedMission:
    """What was heard of a mission; `broken`: what ended it from outside, in few words."""
    decisions = [
        RowDecision(
            skill=entry.skill,
            target=entry.target,
            outcome=entry.outcome,
            detail=entry.detail,
            steps=entry.steps,
            confirmed=entry.confirmed,
            began=entry.started,
            ended=entry.ended,
            chance=entry.chance,
        )
        for entry in log.decisions
    ]
    ended = [entry.ended for entry in log.decisions if entry.ended is not None]
    return FinishedMission(
        outcome=log.outcome,
        detail=log.detail,
        order_outcomes=[Code.HANDED_OVER.name if log.handed_over else log.outcome],
        decisions=decisions,
        began=log.started,
        resolved=max([log.started, *ended]),
        ended=max(log.started, log.now),
        lockstep_misses=log.lockstep_misses,
        broken=broken,
    )
