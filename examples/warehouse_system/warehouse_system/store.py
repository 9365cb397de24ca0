"""The database: one SQLite file. What came with a key of idempotency is done once, for good."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from warehouse_system.models import (
    BookingRequest,
    NotificationRequest,
    StockFile,
    TicketRequest,
)

TABLES = """
CREATE TABLE stock (item TEXT, bin TEXT, quantity INTEGER CHECK (quantity >= 0),
                    PRIMARY KEY (item, bin));
CREATE TABLE bookings (key TEXT PRIMARY KEY, item TEXT, from_bin TEXT, to_station TEXT,
                       quantity INTEGER, state TEXT);
CREATE TABLE tickets (number INTEGER PRIMARY KEY, key TEXT UNIQUE, title TEXT, summary TEXT,
                      recommendation TEXT, evidence TEXT, pictures TEXT);
CREATE TABLE notifications (key TEXT PRIMARY KEY, "to" TEXT, subject TEXT, text TEXT);
CREATE TABLE answers (key TEXT PRIMARY KEY, request TEXT, answer TEXT);
"""
PATIENCE = 10.0  # s for another request's write


class Refused(Exception):
    """A request that is not carried out: HTTP status and sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


class Store:
    """Each call has a connection of its own, so that threads may call at the same time."""

    def __init__(self, path: Path, stock: StockFile | None = None):
        """`stock`: what a new database begins with; one that is there keeps its own."""
        self._path = path
        with self._writing() as db:
            if db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                return
            for statement in TABLES.split(";")[:-1]:
                db.execute(statement)
            for line in stock.stock if stock else ():
                db.execute(
                    "INSERT INTO stock VALUES (?, ?, ?)", (line.item, line.bin, line.quantity)
                )

    def stock(self, item: str) -> dict[str, Any]:
        with self._reading() as db:
            found = db.execute(
                "SELECT bin, quantity FROM stock WHERE item = ? ORDER BY bin", (item,)
            ).fetchall()
        if not found:
            raise Refused(404, f"item {item} is not known")
        return {"item": item, "places": [dict(row) for row in found if row["quantity"]]}

    def bin(self, name: str) -> dict[str, Any]:
        with self._reading() as db:
            found = db.execute(
                "SELECT item, quantity FROM stock WHERE bin = ? AND quantity ORDER BY item", (name,)
            )
            return {"bin": name, "items": [dict(row) for row in found]}

    def booking(self, key: str) -> dict[str, Any]:
        with self._reading() as db:
            return _row(db, "SELECT * FROM bookings WHERE key = ?", key)

    def ticket(self, key: str) -> dict[str, Any]:
        with self._reading() as db:
            return _ticket(db, key)

    def notification(self, key: str) -> dict[str, Any]:
        with self._reading() as db:
            return _row(db, "SELECT * FROM notifications WHERE key = ?", key)

    def book(self, key: str, request: BookingRequest) -> dict[str, Any]:
        def act(db: sqlite3.Connection) -> dict[str, Any]:
            r = request
            taken = db.execute(
                "UPDATE stock SET quantity = quantity - ? "
                "WHERE item = ? AND bin = ? AND quantity >= ?",
                (r.quantity, r.item, r.from_bin, r.quantity),
            ).rowcount
            if not taken:
                raise Refused(409, f"{r.from_bin} does not hold {r.quantity} {r.item}")
            values = (key, r.item, r.from_bin, r.to_station, r.quantity)
            db.execute("INSERT INTO bookings VALUES (?, ?, ?, ?, ?, 'booked')", values)
            return _row(db, "SELECT * FROM bookings WHERE key = ?", key)

        return self._once(key, f"book {request.model_dump_json()}", act)

    def cancel(self, key: str, booking: str) -> dict[str, Any]:
        def act(db: sqlite3.Connection) -> dict[str, Any]:
            made = _row(db, "SELECT * FROM bookings WHERE key = ?", booking)
            if made["state"] == "booked":
                db.execute("UPDATE bookings SET state = 'cancelled' WHERE key = ?", (booking,))
                values = (made["quantity"], made["item"], made["from_bin"])
                db.execute(
                    "UPDATE stock SET quantity = quantity + ? WHERE item = ? AND bin = ?", values
                )
            return _row(db, "SELECT * FROM bookings WHERE key = ?", booking)

        return self._once(key, f"cancel {booking}", act)

    def open_ticket(self, key: str, request: TicketRequest) -> dict[str, Any]:
        def act(db: sqlite3.Connection) -> dict[str, Any]:
            r, compact = request, {"sort_keys": True, "separators": (",", ":")}
            db.execute(
                "INSERT INTO tickets (key, title, summary, recommendation, evidence, pictures) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (key, r.title, r.summary, r.recommendation, json.dumps(r.evidence, **compact),
                 json.dumps(r.pictures, **compact)),
            )  # fmt: skip
            return _ticket(db, key)

        return self._once(key, f"ticket {request.model_dump_json()}", act)

    def notify(self, key: str, request: NotificationRequest) -> dict[str, Any]:
        def act(db: sqlite3.Connection) -> dict[str, Any]:
            values = (key, request.to, request.subject, request.text)
            db.execute("INSERT INTO notifications VALUES (?, ?, ?, ?)", values)
            return _row(db, "SELECT * FROM notifications WHERE key = ?", key)

        return self._once(key, f"notify {request.model_dump_json()}", act)

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        names = ("stock", "bookings", "tickets", "notifications")
        with self._reading() as db:
            return {n: db.execute(f"SELECT COUNT(*) FROM {n}").fetchone()[0] for n in names}

    def _once(
        self, key: str, request: str, act: Callable[[sqlite3.Connection], dict[str, Any]]
    ) -> dict[str, Any]:
        """Do it, or give the answer of the time when it was done; what is refused may be tried
        again.
        """
        asked = hashlib.sha256(request.encode()).hexdigest()
        with self._writing() as db:
            before = db.execute("SELECT * FROM answers WHERE key = ?", (key,)).fetchone()
            if before is None:
                answer = act(db)
                db.execute("INSERT INTO answers VALUES (?, ?, ?)", (key, asked, json.dumps(answer)))
                return answer
        if before["request"] != asked:
            raise Refused(422, f"Idempotency-Key {key} was used for another request")
        return json.loads(before["answer"])

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, PATIENCE, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")  # one at a time: of two with one key the second waits
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise


def _row(db: sqlite3.Connection, query: str, key: str) -> dict[str, Any]:
    found = db.execute(query, (key,)).fetchone()
    if found is None:
        raise Refused(404, f"{key} is not known")
    return dict(found)


def _ticket(db: sqlite3.Connection, key: str) -> dict[str, Any]:
    made = _row(db, "SELECT * FROM tickets WHERE key = ?", key)
    return {
        "key": key,
        "number": made["number"],
        "title": made["title"],
        "evidence_sha256": hashlib.sha256(made["evidence"].encode()).hexdigest(),
        "pictures": sorted(json.loads(made["pictures"])),
    }
