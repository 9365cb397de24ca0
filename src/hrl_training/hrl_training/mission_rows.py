"""What is kept of one mission, whether it ran in process or over ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

MISSION_LIMIT = 900.0  # s of plant time; most missions take less than a minute
SEED_STRIDE = 1000  # mission i of `--seed s` has the trial's seed 1000 s + i


def mission_seed(seed: int, index: int) -> int:
    """Seed of the trial of a mission."""
    return SEED_STRIDE * seed + index


@dataclass(frozen=True)
class MissionRow:
    """What is kept of one mission. Times in s of plant time since the order, except wall time."""

    seed: int
    world: str
    policy: str
    order: dict[str, str]  # item, from_bin, to_station
    disturbances: tuple[str, ...]  # kinds
    solvable: bool  # by the plant's truth, see hrl_sim_bridge.solvable
    why: str  # it is or is not
    delivered: bool
    handed_over: bool
    wrong_item_delivered: bool
    contacts: tuple[str, ...]
    contacts_with_people: int
    placement_error_m: float | None
    cause: str  # of a failure, in few words, for counting
    sentence: str  # of the judge
    mission_outcome: str  # as the master says
    mission_detail: str
    resolved_after_s: float  # until the last skill had ended
    simulated_duration_s: float  # until it was judged
    wall_duration_s: float
    lockstep_misses: int
    decisions: tuple[dict[str, Any], ...]

    @property
    def success(self) -> bool:
        """Delivered, or handed over where nothing else could be done."""
        return self.delivered or (self.handed_over and not self.solvable)

    @property
    def end(self) -> str:
        """How it ended, for counting: one of ENDS."""
        if self.delivered:
            return "delivered"
        if self.handed_over:
            return "handed over needlessly" if self.solvable else "handed over rightly"
        return "failed"

    def without_cause(self) -> MissionRow:
        """The same, as nothing failed."""
        return replace(self, cause="")

    def as_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {**asdict(self), "success": self.success}


ENDS = ("delivered", "handed over rightly", "handed over needlessly", "failed")


def row_from_dict(content: dict[str, Any]) -> MissionRow:
    """The inverse of MissionRow.as_dict through JSON."""
    content = {name: value for name, value in content.items() if name != "success"}
    tuples = {name: tuple(content[name]) for name in ("disturbances", "contacts", "decisions")}
    return MissionRow(**{**content, **tuples})


def failure_cause(decisions: Sequence[Mapping[str, Any]], outcome: str) -> str:
    """The last decision that failed and its code; or that nobody noticed the failure.

    decisions: with `skill`, `outcome` (a code's name, or None: it has not ended), `confirmed`.
    """
    for decided in reversed(decisions):
        skill = decided["skill"]
        if decided["outcome"] is None:
            return f"{skill} did not end"
        if decided["outcome"] != "SUCCEEDED":
            return f"{skill} {decided['outcome']}"
        if not decided["confirmed"]:
            return f"{skill} not confirmed"
    return "unnoticed" if outcome == "SUCCEEDED" else (outcome or "no decision")
