"""What all leaves of the tree share: the blackboard, conditions, actions, and how they are joined.

Every leaf says in its `feedback_message` what it has found, whether it succeeds or fails.
"""

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import py_trees
from py_trees.behaviour import Behaviour
from py_trees.common import Status

from hrl_master.choice import Choice, certain, find
from hrl_master.tree.context import Context

Because = str | Behaviour  # a reason, or the condition whose finding is the reason


class Blackboard:
    """Where the leaves of one tree read the context and write the choice."""

    context: Context
    choice: Choice | None = None

    def begin(self, context: Context) -> None:
        """A new decision."""
        self.context, self.choice = context, None


class Finding(NamedTuple):
    """Whether a condition holds, and what was found, in words."""

    holds: bool
    sentence: str


class Condition(Behaviour):
    """Leaf that asks something of the context: succeeds where it holds."""

    asks: ClassVar[str]  # its name in the tree

    def __init__(self, board: Blackboard):
        super().__init__(self.asks)
        self._board = board

    @abstractmethod
    def find(self, context: Context) -> Finding: ...

    def update(self) -> Status:
        holds, self.feedback_message = self.find(self._board.context)
        return Status.SUCCESS if holds else Status.FAILURE


class Proposal(NamedTuple):
    """Number of the candidate that is chosen and why; None: why not."""

    candidate: int | None
    sentence: str


class Action(Behaviour):
    """Leaf that chooses a candidate: fails where that is not allowed, and the tree goes on."""

    does: ClassVar[str]  # its name in the tree, where it is given no other

    def __init__(self, board: Blackboard, because: Because = "", name: str = ""):
        """`because`: the reason of the choice, where the action does not know it itself."""
        super().__init__(name or self.does)
        self._board, self._because = board, because

    @abstractmethod
    def propose(self, context: Context) -> Proposal: ...

    @property
    def because(self) -> str:
        """The reason that it was given: a sentence, or what a condition has found at this tick."""
        if isinstance(self._because, str):
            return self._because
        leaf = self._because.tip()
        return "" if leaf is None else leaf.feedback_message

    def update(self) -> Status:
        context = self._board.context
        index, sentence = self.propose(context)
        if index is None:
            self.feedback_message = sentence
            return Status.FAILURE
        self.feedback_message = f"{context.candidates[index].label}: {sentence}"
        self._board.choice = certain(index, context.candidates, sentence)
        return Status.SUCCESS


def pick(context: Context, kind: str, target: str | None, because: str) -> Proposal:
    """The first candidate of a kind (and target), if it is allowed."""
    k = find(context.candidates, kind, target)
    if k is None:
        return Proposal(None, f"there is no {kind} {target or ''}".rstrip())
    if not context.candidates[k].allowed:
        return Proposal(None, f"{context.candidates[k].label}: {context.candidates[k].why_not}")
    return Proposal(k, because)


def first(name: str, *children: Behaviour) -> Behaviour:
    """The first child that succeeds; the most urgent comes first."""
    return py_trees.composites.Selector(name, memory=False, children=list(children))


def when(condition: Behaviour, *children: Behaviour) -> Behaviour:
    """The children, where a condition holds."""
    name = condition.name.rstrip("?")
    return py_trees.composites.Sequence(name, memory=False, children=[condition, *children])
