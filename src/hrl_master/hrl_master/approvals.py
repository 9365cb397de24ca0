"""Approvals: a risky decision waits for a person's yes; a no, or no answer, means no."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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

    @property
    def granted(self) -> bool:
        return self.verdict == "approved"

    def __str__(self) -> str:
        by = "" if self.verdict == "expired" else f" by {self.by}"
        return self.verdict + by + (f": {self.comment}" if self.comment else "")


Approver = Callable[[Request], Answer]


def nobody(request: Request) -> Answer:
    """Where there is no person to ask: no answer comes."""
    waited = request.expires - request.asked
    return Answer("expired", "nobody", f"no answer within {waited:.0f} s")
