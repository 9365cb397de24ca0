"""The skills: what each asks of the system, and how a second look tells whether it was done."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hrl_core.errands import (
    BOOK_OUT,
    CANCEL_BOOKING,
    GOALS,
    LOOK_UP_STOCK,
    NONSENSE,
    NOTIFY,
    OPEN_TICKET,
    BookOut,
    CancelBooking,
    LookUpStock,
    Notify,
    OpenTicket,
    Stock,
)
from hrl_core.outcomes import Verdict
from hrl_core.tables import complete
from hrl_systems.client import Client, SystemFault
from hrl_systems.description import BinContent, Booking, Notification, Ticket
from hrl_systems.skill import SystemSkill

BINS_ASKED = 3  # of a stock's bins, in the second look


class LookUp(SystemSkill[LookUpStock, Stock]):
    """Where an item is, and how many; the bins that it names are asked what they hold."""

    name = LOOK_UP_STOCK
    tries = 1  # the master waits for it

    def act(self, client: Client, goal: LookUpStock, key: str) -> Stock:
        stock = client.call("get_stock", Stock, item=goal.item)
        names = [place.bin for place in stock.places]
        if stock.item != goal.item or len({*names}) < len(names):
            raise SystemFault(NONSENSE, f"the stock of {goal.item} is of {stock.item}, {names[:5]}")
        return stock

    def look_again(self, client: Client, goal: LookUpStock, key: str, answer: Stock) -> Verdict:
        full = [place for place in answer.places if place.quantity]
        for place in full[:BINS_ASKED]:
            found = client.call("get_bin", BinContent, bin=place.bin)
            there = sum(each.quantity for each in found.items if each.item == goal.item)
            if found.bin != place.bin or there != place.quantity:
                told = f"{place.quantity} {goal.item} in {place.bin} by the stock, {there} by it"
                return Verdict(False, told)
        if not full and client.call("get_stock", Stock, item=goal.item) != answer:
            return Verdict(False, f"the stock of {goal.item} is another at a second look")
        told = ", ".join(f"{place.quantity} in {place.bin}" for place in full[:BINS_ASKED])
        sentence = f"{goal.item}: {told or 'none in stock'}"
        return Verdict(True, sentence, {"pieces": float(sum(place.quantity for place in full))})


class Book(SystemSkill[BookOut, Booking]):
    """Stock that has left its bin; the booking is read back."""

    name = BOOK_OUT

    def act(self, client: Client, goal: BookOut, key: str) -> Booking:
        return client.call("book", Booking, goal, once=key)

    def look_again(self, client: Client, goal: BookOut, key: str, answer: Booking) -> Verdict:
        found = client.call("get_booking", Booking, key=key)
        wanted = {"key": key, "state": "booked", **goal.model_dump()}
        told = f"booking of {goal.quantity} {goal.item} from {goal.from_bin} to {goal.to_station}"
        return _verdict(found.model_dump(), wanted, told)


class TakeBack(SystemSkill[CancelBooking, Booking]):
    """A booking taken back; where there is none, the refusal says so."""

    name = CANCEL_BOOKING

    def act(self, client: Client, goal: CancelBooking, key: str) -> Booking:
        return client.call("cancel", Booking, once=key, key=goal.booking)

    def look_again(self, client: Client, goal: CancelBooking, key: str, answer: Booking) -> Verdict:
        found = client.call("get_booking", Booking, key=goal.booking)
        wanted = {"key": goal.booking, "state": "cancelled"}
        return _verdict(found.model_dump(), wanted, f"cancelled booking of {found.item}")


class Open(SystemSkill[OpenTicket, Ticket]):
    """A ticket; the hash of its evidence and its pictures are read back."""

    name = OPEN_TICKET

    def act(self, client: Client, goal: OpenTicket, key: str) -> Ticket:
        return client.call("open_ticket", Ticket, goal, once=key)

    def look_again(self, client: Client, goal: OpenTicket, key: str, answer: Ticket) -> Verdict:
        found = client.call("get_ticket", Ticket, key=key)
        wanted = {
            "key": key,
            "title": goal.title,
            "evidence_sha256": evidence_hash(goal.evidence),
            "pictures": tuple(sorted(goal.pictures)),
        }
        return _verdict(found.model_dump(), wanted, f"ticket {found.number}")


class Tell(SystemSkill[Notify, Notification]):
    """A notification, read back."""

    name = NOTIFY

    def act(self, client: Client, goal: Notify, key: str) -> Notification:
        return client.call("notify", Notification, goal, once=key)

    def look_again(self, client: Client, goal: Notify, key: str, answer: Notification) -> Verdict:
        found = client.call("get_notification", Notification, key=key)
        wanted = {"key": key, **goal.model_dump()}
        return _verdict(found.model_dump(), wanted, f"notification of {goal.to}")


SKILLS: dict[str, type[SystemSkill[Any, Any]]] = complete(
    GOALS, {each.name: each for each in (LookUp, Book, TakeBack, Open, Tell)}
)


def evidence_hash(evidence: dict[str, Any]) -> str:
    """sha256 of evidence as compact JSON with sorted keys."""
    text = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _verdict(found: dict[str, Any], wanted: dict[str, Any], what: str) -> Verdict:
    for name, value in wanted.items():
        if found[name] != value:
            return Verdict(False, f"{what}: read back with another {name}")
    return Verdict(True, f"{what}, read back")
