"""Errands: what a master has other systems do (stock, bookings, tickets), and how that ended.

All that a master and the package that speaks to the systems know of each other. Such a package
declares a factory `make(url, timeout) -> Systems` as an entry point of the group GROUP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import Field, StringConstraints

from hrl_core.config import Config
from hrl_core.outcomes import Code, Outcome, own_code

GROUP = "hrl.systems"
LONGEST_TEXT = 4000  # characters
UNREACHABLE = own_code(881, "SYSTEM_UNREACHABLE")  # down, too slow, or broken at its end
NONSENSE = own_code(882, "SYSTEM_NONSENSE")  # what it answered is not what its description says
REFUSED = own_code(883, "SYSTEM_REFUSED")  # it understood and does not do it
NOT_CONFIRMED = own_code(884, "SYSTEM_NOT_CONFIRMED")  # a second look does not find it done
# No other try would end otherwise.
FINAL = (Code.SUCCEEDED, Code.GOAL_INVALID, Code.INTERNAL_ERROR, REFUSED)

# Names are those of the site; a system's own may hold nothing that a terminal or page would act on.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]
Quantity = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]  # pieces
Key = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}-[0-9a-f]{32}$")]


class LookUpStock(Config):
    """Where is the item, and how many."""

    item: Name


class BookOut(Config):
    """Pieces have left a bin for a station."""

    item: Name
    from_bin: Name
    to_station: Name
    quantity: Annotated[int, Field(ge=1, le=1000)] = 1


class CancelBooking(Config):
    """Take a booking back: the compensation of book_out."""

    booking: Key


class OpenTicket(Config):
    """Somebody has to do something: a hand-over's package with its evidence."""

    title: Text
    summary: Text
    recommendation: Text
    evidence: dict[str, Any]  # JSON
    pictures: dict[Name, str] = Field(default_factory=dict)  # JPEG in base64, by camera


class Notify(Config):
    """Tell somebody something."""

    to: Name
    subject: Text
    text: Text


LOOK_UP_STOCK, BOOK_OUT, CANCEL_BOOKING = "look_up_stock", "book_out", "cancel_booking"
OPEN_TICKET, NOTIFY = "open_ticket", "notify"
GOALS: Mapping[str, type[Config]] = {
    LOOK_UP_STOCK: LookUpStock,
    BOOK_OUT: BookOut,
    CANCEL_BOOKING: CancelBooking,
    OPEN_TICKET: OpenTicket,
    NOTIFY: Notify,
}


class StockPlace(Config):
    """So many pieces in a bin."""

    bin: Name
    quantity: Quantity


class Stock(Config):
    """What look_up_stock finds."""

    item: Name
    places: Annotated[tuple[StockPlace, ...], Field(max_length=1000)]


@dataclass(frozen=True)
class Errand:
    """One thing to have done; `key`: of idempotency: the same errand twice is done once."""

    key: str
    skill: str  # of GOALS
    goal: Config


@dataclass(frozen=True)
class ErrandEnd:
    """How a try of an errand ended; `answer`: what the system said, checked by the skill's schema.

    None where it did not succeed.
    """

    errand: Errand
    outcome: Outcome
    answer: Config | None = None

    @property
    def final(self) -> bool:
        """Whether no other try would end otherwise."""
        return self.outcome.code in FINAL


class Systems(Protocol):
    """Has errands done. Nothing here blocks or raises for what a system does."""

    def begin(self, errand: Errand) -> None:
        """Begin a try, which ends within bounded time."""
        ...

    def ended(self) -> list[ErrandEnd]:
        """The tries that have ended since this was called last."""
        ...

    def chance(self, skill: str) -> float:
        """Of success of a skill's next try, by how the last ones went."""
        ...

    def close(self) -> None:
        """End what is under way, within bounded time."""
        ...


def key_of(mission: str, order: int, skill: str) -> str:
    """The key of the one errand of its kind of an order."""
    told = f"{mission}\0{order}\0{skill}".encode()
    return f"{skill}-{hashlib.sha256(told).hexdigest()[:32]}"
