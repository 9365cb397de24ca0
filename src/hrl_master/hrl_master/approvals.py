"""Approvals: a risky decision waits for a person's yes; a no, or no answer, means no."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hrl_master.orders import Decision
from hrl_master.risk import RiskConfig

Verdict = Literal["approved", "denied", "expired", "withdrawn"]


@dataclass(frozen=True)
class Request:
    """What a person is asked. Times: s of ROS time."""

    id: str
    mission: str
    decision: int  # its number in the mission
    what: str  # "grasp can"
    why: str  # the decision's reason, and its risk
    tier: int
    asked: float
    expires: float


@dataclass(frozen=True)
class Answer:
    """How a request ended, and who said so."""

    verdict: Verdict
    by: str
    comment: str = ""
    answered_by: str = ""  # whose key the answer came with; empty: nobody's

    @property
    def granted(self) -> bool:
        return self.verdict == "approved"

    def __str__(self) -> str:
        by = "" if self.verdict == "expired" else f" by {self.by}"
        return self.verdict + by + (f": {self.comment}" if self.comment else "")


Approver = Callable[[Request], Answer]


def request_for(decision: Decision, mission: str, stamp: float, config: RiskConfig) -> Request:
    """What a person is asked before a decision of a mission runs; `stamp`: s of ROS time."""
    tier, limit = decision.tier, config.approval_from
    return Request(
        id=uuid.uuid4().hex[:8],
        mission=mission,
        decision=decision.index,
        what=f"{decision.skill} {decision.target}",
        why=f"{decision.reason}; risk tier {tier}, from {limit} on a person has to approve",
        tier=tier,
        asked=stamp,
        expires=stamp + config.approval_timeout,
    )


def nobody(request: Request) -> Answer:
    """Where there is no person to ask: no answer comes."""
    waited = request.expires - request.asked
    return Answer("expired", "nobody", f"no answer within {waited:.0f} s")
