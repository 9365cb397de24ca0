"""The ledger's rows, chained by hashes: who changes one later cannot do so unseen.

Each write of a row, the first and every later one, adds an entry to the table `chain`: a hash over
the one before, the row's place and its content. docs/ledger.md says what this finds.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import NamedTuple

TABLES = (
    "missions", "orders", "decisions", "outcomes", "approvals", "answers", "handovers", "pictures",
    "events", "judgements", "reopened", "errands", "errand_ends", "people", "queue",
    "searches", "ways", "forgotten",
)  # fmt: skip
START = "0" * 64  # what the first entry follows

Execute = Callable[..., sqlite3.Cursor]


class Write:
    """Inserts and updates rows within a transaction, and chains them."""

    def __init__(self, execute: Execute):
        self._execute = execute

    def insert(self, table: str, **values: object) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        done = self._execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())
        )
        append(self._execute, table, done.lastrowid or 0)

    def update(self, table: str, values: Mapping[str, object], where: str, *which: object) -> int:
        """Change the rows that a condition holds for; how many they are."""
        marks = ", ".join(f"{name} = ?" for name in values)
        changed = self._execute(
            f"UPDATE {table} SET {marks} WHERE {where} RETURNING rowid", (*values.values(), *which)
        ).fetchall()
        for (row,) in changed:
            append(self._execute, table, row)
        return len(changed)


class Verdict(NamedTuple):
    """What the chain says of a ledger."""

    rows: int  # that it knows
    head: str  # hash of its last entry
    fault: str  # the first row that was tampered with, and how; empty: the chain is whole


def append(execute: Execute, table: str, row: int) -> None:
    """Chain a row as it stands now."""
    content = _content(execute(f"SELECT * FROM {table} WHERE rowid = ?", (row,)).fetchone())
    last = execute("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
    seq, before = (last[0], last[1]) if last else (0, START)
    execute(
        "INSERT INTO chain (seq, of_table, of_row, content, hash) VALUES (?, ?, ?, ?, ?)",
        (seq + 1, table, row, content, _link(before, seq + 1, table, row, content)),
    )


def chain_all(execute: Execute) -> None:
    """Chain every row of a file that had no chain."""
    for table in TABLES:
        for (row,) in execute(f"SELECT rowid FROM {table} ORDER BY rowid").fetchall():
            append(execute, table, row)


def verify(execute: Execute) -> Verdict:
    """Compare all rows with the chain; raises sqlite3.Error where a table is gone."""
    latest: dict[tuple[str, int], str] = {}  # content by row, in the order of their last writes
    head, count = START, 0
    for seq, table, row, content, link in execute(
        "SELECT seq, of_table, of_row, content, hash FROM chain ORDER BY seq"
    ):
        count += 1
        fault = ""
        if seq != count:
            fault = f"entry {count} of the chain is missing"
        elif table not in TABLES or link != _link(head, seq, table, row, content):
            fault = f"entry {seq} of the chain, of {table} row {row}, was changed"
        if fault:
            return Verdict(len(latest), head, fault)
        latest.pop((table, row), None)
        latest[table, row], head = content, link
    written = execute("SELECT seq FROM sqlite_sequence WHERE name = 'chain'").fetchone()
    if (written[0] if written else 0) != count:
        fault = f"entry {count + 1} of the chain is missing"
        return Verdict(len(latest), head, fault)
    return Verdict(len(latest), head, _first_fault(execute, latest))


def _first_fault(execute: Execute, latest: Mapping[tuple[str, int], str]) -> str:
    """The first row that is not as the chain knows it, and how; empty: all are."""
    for (table, row), content in latest.items():
        found = execute(f"SELECT * FROM {table} WHERE rowid = ?", (row,)).fetchone()
        if found is None:
            return f"{table} row {row} was removed"
        if _content(found) != content:
            return f"{table} row {row}{_key(found)} was changed"
    for table in TABLES:
        for found in execute(f"SELECT rowid AS _row, * FROM {table} ORDER BY rowid"):
            if (table, found["_row"]) not in latest:
                return f"{table} row {found['_row']}{_key(found)} was inserted"
    return ""


def _key(row: sqlite3.Row) -> str:
    """What tells a person which row it is."""
    keys = ("mission", "id", "number", "order_number", "decision")
    values = {name: value for name, value in zip(row.keys(), row, strict=True) if name in keys}
    told = ", ".join(f"{k} {v}" for k, v in values.items() if v not in (None, ""))
    return f" ({told})" if told else ""


def _content(row: sqlite3.Row) -> str:
    """Hash of a row. What is NULL is left out: a column that comes later changes no hash."""
    told = {
        name: {"sha256": _sha256(value)} if isinstance(value, bytes) else value
        for name, value in zip(row.keys(), row, strict=True)
        if value is not None
    }
    return _sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())


def _link(before: str, seq: int, table: str, row: int, content: str) -> str:
    return _sha256(f"{before} {seq} {table} {row} {content}".encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
