"""What a policy answers: one of the candidates, how sure it is of each, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hrl_master.candidate import Candidate


@dataclass(frozen=True)
class Choice:
    """The candidate of an index, with the probability (n,) of each; they sum to 1."""

    index: int
    probabilities: np.ndarray
    reason: str
    by: str = ""  # a client that chose; empty: the policy did


def certain(index: int, candidates: Sequence[Candidate], reason: str) -> Choice:
    """A choice without doubt, as rules make it."""
    probabilities = np.zeros(len(candidates))
    probabilities[index] = 1.0
    return Choice(index, probabilities, reason)


def find(candidates: Sequence[Candidate], kind: str, target: str | None = None) -> int | None:
    """Index of the first candidate of a kind (and target); None: there is none."""
    for k, candidate in enumerate(candidates):
        if candidate.kind == kind and target in (None, candidate.target):
            return k
    return None
