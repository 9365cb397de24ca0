"""Whole missions in process: one of each seed, and what they are run with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hrl_core.config import Config, ConfigError, config_dir, load_yaml
from hrl_core.errands import Systems
from hrl_core.robot import Robot
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.ledger import Ledger
from hrl_sim_bridge.judging.solvable import all_solvable
from hrl_sim_bridge.trials.draws import ONE_ORDER, draw_trial
from hrl_sim_bridge.trials.trial import Disturb, Trial
from hrl_sim_bridge.worlds.world import World
from hrl_training.missions.in_process import Rig
from hrl_training.missions.row import MissionRow, make_row

MASTER_FILE, MASTER_KEYS = "master.yaml", ("/**/master", "ros__parameters")

Part = TypeVar("Part", bound=Config)
Each = TypeVar("Each")


@dataclass(frozen=True)
class MissionOptions:
    """What missions are run with."""

    world_name: str
    world: World
    robot: Robot
    policy: str  # as it is called in rows
    config: MasterConfig
    guardrails: GuardrailConfig
    disturb: Disturb = "file"
    orders: tuple[int, int] = ONE_ORDER  # of a mission, at least and at most
    ledger: Path | None = None
    # The systems of a trial, which are done when they have begun; they need a ledger.
    systems: Callable[[World, Trial], Systems] | None = None


class MissionRunner:
    """Runs the mission of a seed; see hrl_training.jobs."""

    def __init__(self, options: MissionOptions) -> None:
        self._options = options

    def run(self, seed: int) -> MissionRow:
        options, started = self._options, time.monotonic()
        trial = draw_trial(options.world, seed, options.disturb, options.orders)
        rig = Rig(options.world, trial, options.robot)
        try:
            if options.ledger is None:
                return self._run(rig, started)
            with Ledger(options.ledger, durable=False) as ledger:
                return self._run(rig, started, ledger)
        finally:
            rig.close()

    def _run(self, rig: Rig, started: float, ledger: Ledger | None = None) -> MissionRow:
        """`started`: s of the steady clock."""
        options, trial = self._options, rig.trial
        about = {
            "world": options.world_name,
            "seed": trial.seed,
            "policy": options.policy,
            "disturbances": list(trial.disturbances),
        }
        record = rig.run_mission(
            options.config,
            options.guardrails,
            ledger=ledger,
            about=about,
            systems=None if options.systems is None else options.systems(options.world, trial),
        )
        row = make_row(
            record.finished,
            record.judgements,
            all_solvable(options.world, trial, record.truth, options.robot),
            trial,
            world=options.world_name,
            policy=options.policy,
            wall_duration=time.monotonic() - started,
        )
        if ledger is not None:
            note_judgement(ledger, record.mission_id, row)
        return row


class InTurn:
    """Runs the mission of a seed in one of several worlds."""

    def __init__(self, options: Sequence[MissionOptions]) -> None:
        self._runners = [MissionRunner(each) for each in options]

    def run(self, seed: int) -> MissionRow:
        return in_turn(self._runners, seed).run(seed)


def in_turn(worlds: Sequence[Each], seed: int) -> Each:
    """The one of several worlds whose turn it is with a seed."""
    return worlds[seed % len(worlds)]


def note_judgement(ledger: Ledger, mission: str, row: MissionRow) -> None:
    """Add to a ledger what the plant's truth says of a mission, for `./hrl report`."""
    for number, order in enumerate(row.orders):
        ledger.judge(
            mission,
            number,
            delivered=order["delivered"],
            solvable=order["solvable"],
            wrong_item=row.wrong_item_delivered,
            contacts_with_people=row.contacts_with_people,
            cause=row.cause,
        )


def master_part(model: type[Part], **changes: Any) -> Part:
    """Limits as the master's node takes them from config/master.yaml, with some changed.

    Raises ConfigError.
    """
    part = load_yaml(config_dir() / MASTER_FILE, model, MASTER_KEYS, among_others=True)
    return part.model_copy(update=changes)


def policy_changes(policy: str) -> dict[str, str]:
    """`--policy`: the name of a policy, or the folder of a learned one -> parameters."""
    folder = Path(policy)
    if (folder / "card.yaml").is_file():
        return {"policy": "learned", "policy_folder": str(folder.resolve())}
    if folder.is_dir() or "/" in policy:
        raise ConfigError(f"policy {policy!r}: the folder holds no card.yaml")
    return {"policy": policy}
