"""A warehouse system in memory that answers as a real one does: for trials and tests in process.

The tests of the skills run against this one and against examples/warehouse_system alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx

from hrl_systems.description import KEY_HEADER
from hrl_systems.skills import evidence_hash

Stocks = dict[str, dict[str, int]]  # pieces by item and bin


class Refused(Exception):
    """A request that is not carried out: status and sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


class FakeWarehouse:
    """`transport()` takes the place of the network; `stock` and what was written lie open."""

    def __init__(self, stock: Mapping[str, Mapping[str, int]]):
        """`stock`: pieces by item and bin; an item without bins is known, and none is there."""
        self.stock: Stocks = {item: dict(bins) for item, bins in stock.items()}
        self.bookings: dict[str, dict[str, Any]] = {}
        self.tickets: dict[str, dict[str, Any]] = {}
        self.notifications: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self._answers: dict[str, tuple[str, dict[str, Any]]] = {}  # request and answer by key

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        parts = [unquote(part) for part in request.url.raw_path.decode().split("/")[1:]]
        self.calls.append(f"{request.method} {parts[0]}")
        try:
            if request.method == "GET":
                return httpx.Response(200, json=self._read(*parts))
            return httpx.Response(201, json=self._once(request, parts))
        except Refused as error:
            return httpx.Response(error.status, json={"detail": str(error)})

    def _once(self, request: httpx.Request, parts: list[str]) -> dict[str, Any]:
        key, asked = request.headers[KEY_HEADER], f"{parts} {request.content!r}"
        if key in self._answers:
            before, answer = self._answers[key]
            if before != asked:
                raise Refused(422, f"{KEY_HEADER} {key} was used for another request")
            return answer
        body = json.loads(request.content) if request.content else {}
        answer = self._write(key, parts, body)
        self._answers[key] = asked, answer
        return answer

    def _read(self, what: str, name: str) -> dict[str, Any]:
        if what == "stock":
            places = _found(self.stock, name)
            told = [{"bin": b, "quantity": n} for b, n in sorted(places.items()) if n]
            return {"item": name, "places": told}
        if what == "bins":
            items = [(item, bins.get(name, 0)) for item, bins in sorted(self.stock.items())]
            return {"bin": name, "items": [{"item": i, "quantity": n} for i, n in items if n]}
        return _found(getattr(self, what), name)

    def _write(self, key: str, parts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        if parts[0] == "bookings":
            return self._cancel(parts[1]) if len(parts) > 1 else self._book(key, body)
        if parts[0] == "tickets":
            made = {
                "key": key,
                "number": len(self.tickets) + 1,
                "title": body["title"],
                "evidence_sha256": evidence_hash(body["evidence"]),
                "pictures": sorted(body["pictures"]),
            }
            self.tickets[key] = made
            return made
        self.notifications[key] = {"key": key, **body}
        return self.notifications[key]

    def _book(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        bins = _found(self.stock, body["item"])
        there = bins.get(body["from_bin"], 0)
        if there < body["quantity"]:
            raise Refused(409, f"{body['from_bin']} holds {there} {body['item']}")
        bins[body["from_bin"]] = there - body["quantity"]
        self.bookings[key] = {"key": key, **body, "state": "booked"}
        return dict(self.bookings[key])

    def _cancel(self, booking: str) -> dict[str, Any]:
        made = _found(self.bookings, booking)
        if made["state"] == "booked":
            made["state"] = "cancelled"
            self.stock[made["item"]][made["from_bin"]] += made["quantity"]
        return dict(made)


def _found(table: Mapping[str, Any], name: str) -> Any:
    if name not in table:
        raise Refused(404, f"{name} is not known")
    return table[name]
