"""Whole missions in process: one of each seed, and the row that is kept of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from hrl_core.config import Config, ConfigError, config_dir
from hrl_core.outcomes import Code
from hrl_core.robot import Robot
from hrl_master.guardrails import GuardrailConfig
from hrl_master.ledger import Ledger
from hrl_master.mission import MasterConfig
from hrl_sim_bridge.solvable import solvable
from hrl_sim_bridge.world import Disturb, Trial, World
from hrl_training.mission_rows import MissionRow, failure_cause
from hrl_training.rig import Deed, MissionRecord, Rig

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
    ledger: Path | None = None


class MissionRunner:
    """Runs the mission of a seed; see evaluation.parallel."""

    def __init__(self, options: MissionOptions) -> None:
        self._options = options

    def run(self, seed: int) -> MissionRow:
        options, started = self._options, time.monotonic()
        trial = options.world.sample(seed, options.disturb)
        rig = Rig(options.world, trial, options.robot)
        try:
            if options.ledger is None:
                record = rig.run_mission(options.config, options.guardrails)
            else:
                record = self._run_with_ledger(rig, options.ledger)
        finally:
            rig.close()
        return row_of(record, options, trial, time.monotonic() - started)

    def _run_with_ledger(self, rig: Rig, path: Path) -> MissionRecord:
        options, trial = self._options, rig.trial
        about = {
            "world": options.world_name,
            "seed": trial.seed,
            "policy": options.policy,
            "disturbances": list(trial.disturbances),
        }
        with Ledger(path, durable=False) as ledger:
            record = rig.run_mission(options.config, options.guardrails, ledger=ledger, about=about)
            row = row_of(record, options, trial, 0.0)
            note_judgement(ledger, record.mission_id, row)
        return record


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
    ledger.judge(
        mission,
        0,
        delivered=row.delivered,
        solvable=row.solvable,
        wrong_item=row.wrong_item_delivered,
        contacts_with_people=row.contacts_with_people,
        cause=row.cause,
    )


def row_of(
    record: MissionRecord, options: MissionOptions, trial: Trial, wall_duration: float
) -> MissionRow:
    """The row of a mission that ran in this process."""
    judgement, (end,) = record.judgement, record.results
    can_be = solvable(options.world, trial, record.truth)
    handed_over = end.code is Code.HANDED_OVER
    outcome = "SUCCEEDED" if end.code is Code.SUCCEEDED else "MISSION_FAILED"
    decided = [_decided(deed, record.began) for deed in record.deeds]
    row = MissionRow(
        seed=trial.seed,
        world=options.world_name,
        policy=options.policy,
        order=order_of(trial),
        disturbances=trial.disturbances,
        solvable=can_be.ok,
        why=can_be.why,
        delivered=judgement.delivered,
        handed_over=handed_over,
        wrong_item_delivered=judgement.wrong_item_delivered,
        contacts=tuple(sorted(judgement.contacts)),
        contacts_with_people=judgement.contacts_with_people,
        placement_error_m=judgement.placement_error,
        cause="",
        sentence=judgement.sentence,
        mission_outcome=outcome,
        mission_detail=end.detail,
        resolved_after_s=round(record.resolved - record.began, 3),
        simulated_duration_s=round(record.ended - record.began, 3),
        wall_duration_s=round(wall_duration, 3),
        lockstep_misses=0,
        decisions=tuple(decided),
    )
    if row.success:
        return row
    return replace(row, cause="fell" if judgement.fell else failure_cause(decided, outcome))


def order_of(trial: Trial) -> dict[str, str]:
    order = trial.order
    return {"item": order.item, "from_bin": order.from_bin, "to_station": order.to_station}


def _decided(deed: Deed, began: float) -> dict[str, Any]:
    decision = deed.decision
    return {
        "skill": decision.skill,
        "target": decision.target,
        "outcome": Code(deed.outcome.code).name,
        "detail": deed.outcome.detail,
        "steps": deed.steps,
        "confirmed": bool(deed.outcome.verdict.confirmed and deed.check.ok),
        "began_s": round(deed.began - began, 3),
        "ended_s": round(deed.ended - began, 3),
        "chance": decision.chance,
    }


def master_part(model: type[Part], **changes: Any) -> Part:
    """Limits as the master's node takes them from config/master.yaml, with some changed."""
    path = config_dir() / MASTER_FILE
    parameters = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        for key in MASTER_KEYS:
            parameters = parameters[key]
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path}: has no {' / '.join(MASTER_KEYS)}") from error
    kept = {name: parameters[name] for name in model.model_fields if name in parameters}
    return model(**{**kept, **changes})


def policy_changes(policy: str) -> dict[str, str]:
    """`--policy`: the name of a policy, or the folder of a learned one -> parameters."""
    folder = Path(policy)
    if (folder / "card.yaml").is_file():
        return {"policy": "learned", "policy_folder": str(folder.resolve())}
    if folder.is_dir() or "/" in policy:
        raise ConfigError(f"policy {policy!r}: the folder holds no card.yaml")
    return {"policy": policy}
