"""Guided missions: a client chooses each step, among what the master allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hrl_core.outcomes import Code
from hrl_master.candidate import WAIT, Candidate
from hrl_master.candidates import FINISH, HAND_OVER, Options
from hrl_master.choice import Choice, certain, find
from hrl_master.config import MasterConfig
from hrl_master.orders import Attempt, Decision
from hrl_master.reasons import Reason, Refusal
from hrl_master.situation import Situation

GUIDED = "guided"  # the name of its policy
SAME = 1e-6  # of parameters
# What brings the robot on most comes first among options at one face.
EAGER = ("place", "grasp", "approach", "walk_up", "walk", "back_out", "look_around")


@dataclass(frozen=True)
class Step:
    """What a client wants to be done next."""

    skill: str
    target: str = ""  # empty: that of the one candidate of the skill that is allowed
    parameters: Mapping[str, float] = field(default_factory=dict)  # empty: the candidate's
    by: str = ""
    why: str = ""
    id: str = ""
    dry_run: bool = False
    recorded: str = ""  # the reason of a decision that is made again; empty: a new one

    @property
    def reason(self) -> str:
        """The sentence of the decision that it makes."""
        return self.recorded or f"chosen by {self.by}" + (f": {self.why}" if self.why else "")


@dataclass(frozen=True)
class StepAnswer:
    """What became of a step. `options`: allowed now, with their chances in `chances`."""

    accepted: bool
    code: Code
    detail: str
    reason: Reason = Reason.NONE
    chosen: Candidate | None = None
    decision: Decision | None = None
    attempt: Attempt | None = None
    options: Sequence[Candidate] = ()
    chances: Mapping[tuple[str, str], float] = field(default_factory=dict)
    over: bool = False


class Choices(NamedTuple):
    """What there is to choose among: all candidates, and where the item is to be grasped."""

    candidates: Sequence[Candidate] = ()
    item_at: str = ""  # a bin


class Guided:
    """A policy that does the `step` that its client has set, and hands over where there is none."""

    def __init__(self, options: Options, config: MasterConfig):
        self.step: Step | None = None

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        if (finish := find(candidates, FINISH)) is not None:
            return certain(finish, candidates, "delivered and checked")
        found: int | Refusal = Refusal(Reason.NOT_CHOSEN, "nothing was chosen")
        if self.step is not None:
            found = chosen(self.step, candidates)
            if isinstance(found, int):
                probabilities = certain(found, candidates, "").probabilities
                return Choice(found, probabilities, self.step.reason, self.step.by)
        k = find(candidates, HAND_OVER)
        assert k is not None, "handing over is always possible"
        return certain(k, candidates, found.sentence)


def step_of(skill: str, target: str, reason: str, chosen_by: str) -> Step | None:
    """The step that a recorded decision was made by; None: no client chose it."""
    return Step(skill, target, by=chosen_by, recorded=reason) if chosen_by else None


def chosen(step: Step, candidates: Sequence[Candidate]) -> int | Refusal:
    """The index of the candidate that a step means, or why it must not be done."""
    of_skill = [k for k, each in enumerate(candidates) if step.skill in (each.skill, each.kind)]
    if not of_skill:
        known = ", ".join(dict.fromkeys(each.skill for each in candidates))
        return Refusal(
            Reason.NO_CANDIDATE, f"{step.skill!r} is nothing to do now; there are {known}"
        )
    meant = [k for k in of_skill if step.target in ("", candidates[k].target)]
    if not meant:
        known = ", ".join(dict.fromkeys(candidates[k].target for k in of_skill))
        told = f"{step.skill} has no target {step.target!r} now; it has {known}"
        return Refusal(Reason.NO_CANDIDATE, told)
    allowed = [k for k in meant if candidates[k].allowed]
    if not allowed:
        refusal = candidates[meant[0]].refusal
        assert refusal is not None, "it is not allowed"
        return refusal
    if len(allowed) > 1:
        known = ", ".join(candidates[k].target for k in allowed)
        return Refusal(Reason.NO_CANDIDATE, f"which target of {step.skill}? There are {known}")
    one = candidates[allowed[0]]
    for name, value in step.parameters.items():
        if not abs(one.parameters.get(name, math.nan) - value) <= SAME:  # NaN, too
            known = ", ".join(f"{k} = {v:g}" for k, v in one.parameters.items()) or "no parameters"
            told = f"{name} = {value:g} is not what {one.label} is done with: {known}"
            return Refusal(Reason.OTHER_PARAMETERS, told)
    return allowed[0]


def nearest(step: Step, choices: Choices) -> list[Candidate]:
    """What is allowed, that first which leads to the step: the same place, then the same skill."""
    candidates = choices.candidates
    if step.skill == "grasp":
        place = {choices.item_at}
    else:
        place = {step.target, *(c.face for c in candidates if step.target == c.target and c.face)}

    def rank(each: Candidate) -> tuple[object, ...]:
        idle = each.kind in (WAIT, HAND_OVER)
        elsewhere = each.face not in place and each.target not in place
        eager = EAGER.index(each.kind) if each.kind in EAGER else len(EAGER)
        return idle, elsewhere, each.skill != step.skill if elsewhere else eager, each.way

    return sorted((each for each in candidates if each.allowed and each.kind != FINISH), key=rank)
