"""What the skills ask of a system: operations, requests and answers, as in its OpenAPI document.

Answers are checked strictly: a system may be broken or hostile, and its text is data.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from hrl_core.config import Config
from hrl_core.errands import BookOut, Key, Name, Notify, OpenTicket, Quantity, Stock, Text

KEY_HEADER = "Idempotency-Key"


class BinItem(Config):
    """So many pieces of an item."""

    item: Name
    quantity: Quantity


class BinContent(Config):
    """What is in a bin."""

    bin: Name
    items: Annotated[tuple[BinItem, ...], Field(max_length=1000)]


class Booking(Config):
    """A booking as it stands."""

    key: Key
    item: Name
    from_bin: Name
    to_station: Name
    quantity: Quantity
    state: Literal["booked", "cancelled"]


class Ticket(Config):
    """A ticket as it stands; the hash is of the evidence as compact JSON with sorted keys."""

    key: Key
    number: Quantity
    title: Text
    evidence_sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    pictures: Annotated[tuple[Name, ...], Field(max_length=100)]


class Notification(Config):
    """A notification as it was taken down."""

    key: Key
    to: Name
    subject: Text
    text: Text


@dataclass(frozen=True)
class Operation:
    """One of a system's operations; `changes`: it needs a key of idempotency."""

    method: str
    path: str
    answer: type[Config]
    request: type[Config] | None = None

    @property
    def changes(self) -> bool:
        return self.method == "POST"


# By operationId.
OPERATIONS: dict[str, Operation] = {
    "get_stock": Operation("GET", "/stock/{item}", Stock),
    "get_bin": Operation("GET", "/bins/{bin}", BinContent),
    "book": Operation("POST", "/bookings", Booking, BookOut),
    "get_booking": Operation("GET", "/bookings/{key}", Booking),
    "cancel": Operation("POST", "/bookings/{key}/cancel", Booking),
    "open_ticket": Operation("POST", "/tickets", Ticket, OpenTicket),
    "get_ticket": Operation("GET", "/tickets/{key}", Ticket),
    "notify": Operation("POST", "/notifications", Notification, Notify),
    "get_notification": Operation("GET", "/notifications/{key}", Notification),
}


def shape(schema: dict[str, Any], among: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema without words and references, to compare; `among`: what it refers to."""
    if "$ref" in schema:
        return shape(among[schema["$ref"].rsplit("/", 1)[-1]], among)
    kept = {}
    for name, value in schema.items():
        if name in ("title", "description", "$defs", "default"):
            continue
        if name == "properties":
            kept[name] = {key: shape(part, among) for key, part in value.items()}
        elif name == "required":
            kept[name] = sorted(value)
        else:
            kept[name] = shape(value, among) if isinstance(value, dict) else value
    return kept
