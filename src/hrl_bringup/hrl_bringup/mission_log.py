"""What happened in a mission, as heard over ROS: for the terminal, mission.json, the report."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hrl_sim_bridge.judging.judge import Judgement
from hrl_training.missions.row import failure_cause

PATH_PERIOD = 0.2  # s of ROS time between two kept poses

NOT_JUDGED = Judgement(
    delivered=False,
    sentence="",
    placement_error=None,
    upright=False,
    contacts={},
    contacts_with_people=0,
    fell=False,
)


@dataclass
class SkillState:
    """Progress of the skill that runs now."""

    step: int = 0
    max_steps: int = 0
    phase: str = ""
    progress: float = 0.0  # 0 to 1
    error: float = 0.0  # m, distance that is left


@dataclass
class DecisionEntry:
    """One decision of the master and, once its skill has ended, how it went; ROS times in s."""

    index: int
    skill: str
    target: str
    reason: str
    candidates: list[str]
    probabilities: list[float]
    allowed: list[bool]
    started: float
    face: str = ""  # bin or station that it is done at
    chosen_by: str = ""  # the client of a guided mission
    why_not: list[str] = field(default_factory=list)  # where a candidate is not allowed
    chance: float | None = None  # of success, as the skill gave it before
    ended: float | None = None
    outcome: str | None = None  # name of the code
    detail: str = ""
    steps: int = 0
    confirmed: bool = False
    verdict: str = ""
    evidence: dict[str, str] = field(default_factory=dict)


@dataclass
class MissionLog:
    """Everything of one mission that a person may want to know afterwards. SI units, frame map."""

    world: str
    seed: int
    order: Mapping[str, str]  # item, from_bin, to_station
    obstacles: list[tuple[float, ...]] = field(default_factory=list)  # x, y m, yaw rad, x, y m
    decisions: list[DecisionEntry] = field(default_factory=list)
    skill: SkillState = field(default_factory=SkillState)
    started: float = 0.0  # s, ROS time of the order
    now: float = 0.0  # s, ROS time
    estimated: list[tuple[float, ...]] = field(default_factory=list)  # s, x m, y m, yaw rad
    true: list[tuple[float, ...]] = field(default_factory=list)  # the same, of the plant
    deviation: tuple[float, float] = (0.0, 0.0)  # m, rad: of the latest estimate, as estimated
    realtime_factor: float = 0.0
    lockstep_misses: int = 0
    outcome: str = ""  # name of the mission's code, as the master says
    detail: str = ""
    handed_over: bool = False  # as the master says
    judgement: Judgement = NOT_JUDGED  # by the plant's truth
    cause: str = ""  # of a failure, in few words, for counting
    wall_started: float = field(default_factory=time.monotonic)
    wall_duration: float = 0.0  # s

    @property
    def duration(self) -> float:
        """Simulated time [s] since the order was given."""
        return max(0.0, self.now - self.started)

    @property
    def running(self) -> DecisionEntry | None:
        """The decision whose skill runs now."""
        if self.decisions and self.decisions[-1].ended is None:
            return self.decisions[-1]
        return None

    def at(self, stamp: float) -> None:
        """Note the ROS time of something that was heard."""
        self.now = max(self.now, stamp)

    def decided(self, entry: DecisionEntry) -> None:
        """Note a new decision; one that is already there is left as it is."""
        if any(known.index == entry.index for known in self.decisions):
            return
        self.decisions.append(entry)
        self.skill = SkillState()

    def ended(self, index: int, **changes: Any) -> None:
        """Note how a decision's skill ended: fields of DecisionEntry."""
        for entry in self.decisions:
            if entry.index == index:
                for name, value in changes.items():
                    setattr(entry, name, value)

    def moved(self, path: list[tuple[float, ...]], stamp: float, pose: np.ndarray) -> None:
        """Add a planar pose (3,) in map to one of the paths, unless it is too soon for another."""
        if not path or stamp - path[-1][0] >= PATH_PERIOD - 1e-6:
            path.append((stamp, *(float(value) for value in pose)))

    def localisation_errors(self) -> np.ndarray:
        """Distances (n,) m between the estimated and the true path at the same times."""
        if not self.estimated or not self.true:
            return np.zeros(0)
        estimated, true = np.array(self.estimated), np.array(self.true)
        first, last = true[0, 0], true[-1, 0]
        within = estimated[(estimated[:, 0] >= first) & (estimated[:, 0] <= last)]
        x = np.interp(within[:, 0], true[:, 0], true[:, 1])
        y = np.interp(within[:, 0], true[:, 0], true[:, 2])
        return np.hypot(within[:, 1] - x, within[:, 2] - y)

    def judged(self, judgement: Judgement) -> None:
        """Note what the plant's truth says, and the cause of a failure in few words."""
        self.judgement = judgement
        if not judgement.delivered:
            self.cause = "fell" if judgement.fell else self.failure_cause()

    def broke_off(self, sentence: str, cause: str) -> None:
        """Note that something from outside ended the mission: it has failed."""
        self.judgement = replace(self.judgement, delivered=False, sentence=sentence)
        self.cause = cause

    def failure_cause(self) -> str:
        """The last decision that failed and its code; or that nobody noticed the failure."""
        return failure_cause([asdict(entry) for entry in self.decisions], self.outcome)

    def as_dict(self) -> dict[str, Any]:
        """What mission.json holds."""
        errors, judgement = self.localisation_errors(), self.judgement
        return {
            "world": self.world,
            "seed": self.seed,
            "order": dict(self.order),
            "obstacles": [_rounded(row) for row in self.obstacles],
            "delivered": judgement.delivered,
            "handed_over": self.handed_over,
            "wrong_item_delivered": judgement.wrong_item_delivered,
            "sentence": judgement.sentence,
            "cause": self.cause,
            "placement_error_m": judgement.placement_error,
            "mission_outcome": self.outcome,
            "mission_detail": self.detail,
            "simulated_duration_s": round(self.duration, 3),
            "wall_duration_s": round(self.wall_duration, 3),
            "lockstep_misses": self.lockstep_misses,
            "contacts": sorted(judgement.contacts),
            "contacts_with_people": judgement.contacts_with_people,
            "localisation_error_m": {
                "mean": round(float(errors.mean()), 4),
                "largest": round(float(errors.max()), 4),
            }
            if len(errors)
            else None,
            "decisions": [asdict(entry) for entry in self.decisions],
            "path": {
                "columns": ["time_s", "x_m", "y_m", "yaw_rad"],
                "estimated": [_rounded(row) for row in self.estimated],
                "true": [_rounded(row) for row in self.true],
            },
        }

    def write(self, path: Path) -> None:
        """Write mission.json."""
        path.write_text(json.dumps(self.as_dict(), indent=1) + "\n", encoding="utf-8")


def mission_id(world: str, seed: int, again: int = 0) -> str:
    """What the mission of a seed is called; the master runs each only once per ledger.

    `again`: how often the same was run before.
    """
    return f"{world}/{seed}" + (f"/{again}" if again else "")


def _rounded(row: tuple[float, ...]) -> list[float]:
    return [round(value, 4) for value in row]
