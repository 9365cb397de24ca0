"""One thing that the master may do next, allowed or masked with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hrl_master.orders import FINISH, HAND_OVER, Decision
from hrl_master.reasons import Refusal

LOOK_AROUND, WAIT = "look_around", "wait"
WALK_UP = "walk_up"  # to the standoff of a face, where nothing is left to approach
KINDS = (
    "walk", WALK_UP, "approach", "grasp", "place", "back_out", WAIT, LOOK_AROUND, HAND_OVER, FINISH
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Candidate:
    """One thing to do. Ways are those of the graph without what is believed to be blocked."""

    kind: str  # one of KINDS, or ALIGN, which features show as none of them
    skill: str
    target: str
    face: str = ""  # bin or station that it is done at
    pose: np.ndarray | None = None  # (3,) base_link in map, for walks
    item_in_hand: np.ndarray | None = None  # (4, 4), for place
    purpose: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)
    refusal: Refusal | None = None  # why it is not allowed; None: it is
    way: float = 0.0  # m to where it ends
    excess: float = 0.0  # m, by which blocked ways make that longer
    onward: float = 0.0  # m from there to where the order goes on, at the nearest
    views: int = 0  # bins not looked at that should be in view from there
    offset: float = 0.0  # m from the standoff of the face now
    turn: float = 0.0  # rad off the standoff's direction now

    @property
    def allowed(self) -> bool:
        return self.refusal is None

    @property
    def why_not(self) -> str:
        """Why it is not allowed, in words; empty: it is."""
        return "" if self.refusal is None else self.refusal.sentence

    @property
    def key(self) -> tuple[str, str]:
        """Skill and target, as chances are asked for."""
        return (self.skill, self.target)

    @property
    def label(self) -> str:
        """In words, for people and logs."""
        at = f" at {self.face}" if self.face and self.face != self.target else ""
        return f"{self.skill} {self.target}{at}".strip()

    def decision(
        self,
        reason: str,
        candidates: Sequence[Candidate] = (),
        probabilities: Sequence[float] = (),
        chance: float | None = None,
    ) -> Decision:
        """As a decision, with what else was possible."""
        return Decision(
            self.skill,
            self.target,
            reason,
            face=self.face,
            pose=self.pose,
            item_in_hand=self.item_in_hand,
            purpose=self.purpose,
            parameters=self.parameters,
            chance=chance,
            candidates=tuple(c.label for c in candidates),
            probabilities=tuple(float(p) for p in probabilities),
            allowed=tuple(c.allowed for c in candidates),
            why_not=tuple(c.why_not for c in candidates),
        )
