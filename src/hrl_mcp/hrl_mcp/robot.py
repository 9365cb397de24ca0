"""What the tools ask of a robot: its master, its skills, its senses, its ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hrl_core.site import Site


class Unavailable(RuntimeError):
    """Who has to answer is not there, or went away meanwhile; the sentence says who."""


@dataclass(frozen=True)
class Skill:
    """What a skill's server says of it."""

    name: str
    description: str
    provides: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    preconditions: tuple[str, ...] = ()
    longest: float = 0.0  # s


@dataclass(frozen=True)
class Option:
    """A step that a guided mission allows now."""

    skill: str
    target: str
    face: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)
    way: float = 0.0  # m
    chance: float | None = None
    tier: int = 0
    asks: bool = False  # a person has to approve it


@dataclass(frozen=True)
class Step:
    """What a client chooses. `id`: of the choice, for the master; empty: none."""

    mission: str
    id: str
    skill: str
    target: str
    by: str
    why: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class StepReply:
    """The master's answer, see hrl_msgs/srv/ChooseStep."""

    accepted: bool
    confirmed: bool
    code: str
    reason: str
    detail: str
    decision: int = -1
    option: Option | None = None
    verdict: str = ""
    measured: Mapping[str, str] = field(default_factory=dict)
    check: str = ""
    options: tuple[Option, ...] = ()
    over: bool = False


@dataclass(frozen=True)
class Order:
    """Bring an item from a bin to a station."""

    item: str
    from_bin: str
    to_station: str


@dataclass(frozen=True)
class Answer:
    """Whether something was taken, and why not."""

    ok: bool
    detail: str
    reason: str = ""


@dataclass(frozen=True)
class Chance:
    """How likely a skill thinks that a goal would succeed now; None: it does not say."""

    probability: float | None
    detail: str
    conditions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What the master asks a person."""

    id: str
    mission: str
    decision: int
    what: str
    why: str
    tier: int


@dataclass(frozen=True)
class View:
    """What is seen now: data, and a picture (JPEG) where one was asked for and came."""

    seen: Mapping[str, Any]
    picture: bytes | None = None


class Robot(Protocol):
    """Every method raises Unavailable where nobody answers, and may be cancelled."""

    async def site(self) -> Site: ...

    async def skills(self) -> list[Skill]: ...

    async def begin(self, order: Order, mission: str, guided: bool) -> Answer:
        """Give a mission of one order; not ok: it was rejected."""
        ...

    async def end_of(self, mission: str) -> Answer:
        """Wait for the end of a mission that `begin` gave; ok: it was delivered."""
        ...

    async def stop(self, mission: str) -> Answer:
        """Cancel a mission that `begin` gave; empty: all of them."""
        ...

    async def choose(self, step: Step) -> StepReply:
        """Have a guided mission do a step, and wait for its end."""
        ...

    async def chance(
        self, skill: str, target: str, item: str, parameters: Mapping[str, float]
    ) -> Chance: ...

    async def look(self, camera: str) -> View:
        """`camera`: whose picture to take; empty: none."""
        ...

    async def ledger(self) -> Path: ...

    async def question(self, but: frozenset[str]) -> Question:
        """Wait until the master asks a person something; `but`: questions that are known."""
        ...

    async def answer(self, question: str, approve: bool, by: str, key: str) -> Answer:
        """Answer a question of the master; `key`: file to sign with; empty: unsigned."""
        ...
