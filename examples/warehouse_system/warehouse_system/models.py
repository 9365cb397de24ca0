"""What the service takes and gives; its OpenAPI document comes from here."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}-[0-9a-f]{32}$")]
Quantity = Annotated[int, Field(ge=0, le=1_000_000)]
Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(Model):
    bin: Name
    quantity: Quantity


class Stock(Model):
    item: Name
    places: Annotated[tuple[Place, ...], Field(max_length=1000)]


class BinItem(Model):
    item: Name
    quantity: Quantity


class BinContent(Model):
    bin: Name
    items: Annotated[tuple[BinItem, ...], Field(max_length=1000)]


class BookingRequest(Model):
    item: Name
    from_bin: Name
    to_station: Name
    quantity: Annotated[int, Field(ge=1, le=1000)] = 1


class Booking(Model):
    key: Key
    item: Name
    from_bin: Name
    to_station: Name
    quantity: Quantity
    state: Literal["booked", "cancelled"]


class TicketRequest(Model):
    title: Text
    summary: Text
    recommendation: Text
    evidence: dict[str, Any]
    pictures: dict[Name, str] = Field(default_factory=dict)  # JPEG in base64


class Ticket(Model):
    key: Key
    number: Quantity
    title: Text
    evidence_sha256: Hash  # of the evidence as compact JSON with sorted keys
    pictures: Annotated[tuple[Name, ...], Field(max_length=100)]


class NotificationRequest(Model):
    to: Name
    subject: Text
    text: Text


class Notification(Model):
    key: Key
    to: Name
    subject: Text
    text: Text


class StockFile(Model):
    """What a stock file holds."""

    class Line(Model):
        item: Name
        bin: Name
        quantity: Quantity = 1

    stock: list[Line]
