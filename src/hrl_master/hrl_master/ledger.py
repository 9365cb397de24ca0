"""The ledger: every mission, decision, outcome and approval in one SQLite file.

A decision is committed before it is acted on, its outcome before the next decision. So a master
that is killed at any point leaves at most one decision without an outcome: the one that may have
been acted on. The tables are explained in docs/ledger.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hrl_core.config import ConfigError
from hrl_master.approvals import Answer, Request
from hrl_master.ledger_schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from hrl_master.mission import Attempt, Decision, Order

PATIENCE = 30.0  # s of wall time for another process to finish its write


class LedgerError(RuntimeError):
    """The ledger cannot take what it was told; nothing may be acted on."""


class Ledger:
    """One connection to a ledger; several processes may write to one file at a time.

    `durable`: every write is on the disk when it returns, so that even a power cut loses nothing;
    without it a killed process loses nothing. Times named *_at are s since 1970 by the computer's
    clock, the others s of ROS time.
    """

    def __init__(self, path: str | Path, durable: bool = True, must_exist: bool = False):
        self.path = Path(path).expanduser()
        if must_exist and not self.path.is_file():
            raise ConfigError(f"ledger {self.path}: no such file")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, PATIENCE, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._migrate()
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("PRAGMA foreign_keys = ON")
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"ledger {self.path}: {error}") from error

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # Missions and orders

    def begin_mission(
        self, mission: str, orders: Sequence[Order], about: Mapping[str, object]
    ) -> None:
        """Take down a mission before anything is done for it; raises LedgerError if it is known."""
        with self._writing() as write:
            if self.knows(mission):
                raise LedgerError(f"mission {mission!r} is in the ledger already: {self.path}")
            write(
                "INSERT INTO missions (id, about, began_at, process) VALUES (?, ?, ?, ?)",
                (mission, _json(about), time.time(), process_name()),
            )
            for index, order in enumerate(orders):
                write(
                    "INSERT INTO orders (mission, number, id, item, from_bin, to_station) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (mission, index, order.id, order.item, order.from_bin, order.to_station),
                )

    def begin_order(self, mission: str, order: int, stamp: float) -> None:
        with self._writing() as write:
            write(
                "UPDATE orders SET began = ? WHERE mission = ? AND number = ? AND began IS NULL",
                (stamp, mission, order),
            )

    def end_order(
        self, mission: str, order: int, code: int, detail: str, stamp: float, decisions: int,
        package: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        """Close an order, with the package of its hand-over if it has one; the mission, too, if
        it was the last."""
        with self._writing() as write:
            done = write(
                "UPDATE orders SET code = ?, detail = ?, ended = ?, ended_at = ?, decisions = ? "
                "WHERE mission = ? AND number = ? AND code IS NULL",
                (code, detail, stamp, time.time(), decisions, mission, order),
            )
            if done.rowcount != 1:
                raise LedgerError(f"order {order} of mission {mission!r} has ended already")
            if package is not None:
                write(
                    "INSERT INTO handovers (mission, order_number, at, package) "
                    "VALUES (?, ?, ?, ?)",
                    (mission, order, time.time(), _json(package)),
                )
            write(
                "UPDATE missions SET ended_at = ? WHERE id = ? AND NOT EXISTS "
                "(SELECT 1 FROM orders WHERE mission = ? AND code IS NULL)",
                (time.time(), mission, mission),
            )

    def knows(self, mission: str) -> bool:
        return bool(self.rows("SELECT 1 FROM missions WHERE id = ?", mission))

    def summary(self, mission: str) -> str:
        """How a mission that is known stands, in a sentence."""
        ends = self.rows("SELECT code, detail FROM orders WHERE mission = ? ORDER BY number",
                         mission)  # fmt: skip
        if any(row["code"] is None for row in ends):
            return "it has not ended"
        return "it ended: " + "; ".join(row["detail"] for row in ends)

    # Decisions

    def decide(self, mission: str, order: int, decision: Decision, stamp: float) -> None:
        """Take down a decision; only then may it be acted on."""
        d = decision
        columns = {
            "mission": mission,
            "order_number": order,
            "number": d.index,
            "made": stamp,
            "made_at": time.time(),
            "skill": d.skill,
            "target": d.target,
            "face": d.face,
            "purpose": d.purpose,
            "reason": d.reason,
            "tier": d.tier,
            "chance": d.chance,
            "pose": _numbers(d.pose),
            "item_in_hand": _numbers(d.item_in_hand),
            "parameters": _json(dict(d.parameters)),
            "candidates": _json(list(d.candidates)),
            "probabilities": _json([round(float(p), 6) for p in d.probabilities]),
            "allowed": _json([bool(a) for a in d.allowed]),
            "why_not": _json(list(d.why_not)),
        }
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        with self._writing() as write:
            write(f"INSERT INTO decisions ({names}) VALUES ({marks})", tuple(columns.values()))

    def outcome(
        self, mission: str, index: int, attempt: Attempt, stamp: float, ran: bool = True
    ) -> None:
        """Take down how a decision ended; `ran`: False where it was stopped before it began."""
        outcome, check = attempt.outcome, attempt.check
        with self._writing() as write:
            write(
                "INSERT INTO outcomes (mission, decision, ended, ended_at, ran, code, detail, "
                "confirmed, verdict, evidence, check_ok, check_sentence, pose) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    mission, index, stamp, time.time(), ran, int(outcome.code), outcome.detail,
                    outcome.verdict.confirmed, outcome.verdict.sentence,
                    _json(outcome.verdict.evidence), check.ok, check.sentence,
                    _numbers(outcome.pose),
                ),
            )  # fmt: skip

    # Approvals

    def request(self, request: Request) -> None:
        """Take down an approval that is asked for."""
        with self._writing() as write:
            write(
                "INSERT INTO approvals (id, mission, decision, what, why, tier, asked, expires, "
                "asked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.id, request.mission, request.decision, request.what, request.why,
                    request.tier, request.asked, request.expires, time.time(),
                ),
            )  # fmt: skip

    def answer(
        self, approval: str, answer: Answer, counted: bool, stamp: float | None = None
    ) -> None:
        """Take down an answer; `counted`: False for one that came too late or twice."""
        with self._writing() as write:
            write(
                "INSERT INTO answers (approval, verdict, by, comment, counted, stamp, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (approval, answer.verdict, answer.by, answer.comment, counted, stamp, time.time()),
            )

    def answers(self, approval: str) -> str | None:
        """The answer that counted; empty: none has; None: the approval is unknown."""
        if not self.rows("SELECT 1 FROM approvals WHERE id = ?", approval):
            return None
        rows = self.rows("SELECT verdict, by FROM answers WHERE approval = ? AND counted", approval)
        return f"{rows[0]['verdict']} by {rows[0]['by']}" if rows else ""

    # What else is told

    def picture(
        self, mission: str, camera: str, stamp: float, jpeg: bytes,
        approval: str | None = None, order: int | None = None,
    ) -> None:  # fmt: skip
        """Keep a picture as evidence of an approval or of an order's hand-over."""
        with self._writing() as write:
            write(
                "INSERT INTO pictures (mission, approval, order_number, camera, stamp, jpeg) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (mission, approval, order, camera, stamp, jpeg),
            )

    def event(self, mission: str | None, kind: str, detail: str) -> None:
        """Take down an event: "error", "violation", "restart" or "note"."""
        with self._writing() as write:
            write(
                "INSERT INTO events (mission, kind, detail, at) VALUES (?, ?, ?, ?)",
                (mission, kind, detail, time.time()),
            )

    def judge(
        self, mission: str, order: int, *, delivered: bool, solvable: bool | None = None,
        wrong_item: bool = False, contacts_with_people: int = 0, cause: str = "",
    ) -> None:  # fmt: skip
        """What a simulated plant's truth says of an order that has ended. The master never reads
        it."""
        with self._writing() as write:
            write(
                "INSERT INTO judgements (mission, order_number, delivered, solvable, wrong_item, "
                "contacts_with_people, cause) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (mission, order, delivered, solvable, wrong_item, contacts_with_people, cause),
            )

    def reopen(self, mission: str, order: int, by: str, why: str) -> None:
        """A person found that an order which counted as delivered was not done."""
        known = self.rows("SELECT code, detail FROM orders WHERE mission = ? AND number = ?",
                          mission, order)  # fmt: skip
        if not known:
            raise ConfigError(f"ledger {self.path} has no order {order} of mission {mission!r}")
        if known[0]["code"] != DELIVERED:
            raise ConfigError(
                f"order {order} of mission {mission!r} did not end as delivered: "
                f"{known[0]['detail'] or 'it has not ended'}"
            )
        with self._writing() as write:
            write(
                "INSERT INTO reopened (mission, order_number, by, why, at) VALUES (?, ?, ?, ?, ?)",
                (mission, order, by, why, time.time()),
            )

    # After a restart

    def unfinished(self) -> list[str]:
        """Missions that have not ended and whose process lives no more, the oldest first."""
        rows = self.rows(
            "SELECT id, process FROM missions WHERE ended_at IS NULL ORDER BY began_at"
        )
        return [row["id"] for row in rows if not is_alive(row["process"])]

    def claim(self, mission: str) -> bool:
        """Make a mission this process's own; False where another process was faster."""
        row = self.rows("SELECT process, ended_at FROM missions WHERE id = ?", mission)[0]
        if row["ended_at"] is not None or is_alive(row["process"]):
            return False
        with self._writing() as write:
            done = write(
                "UPDATE missions SET process = ?, restarts = restarts + 1 "
                "WHERE id = ? AND process = ?",
                (process_name(), mission, row["process"]),
            )
        return done.rowcount == 1

    # Reading

    def rows(self, query: str, *values) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"ledger {self.path}: {error}") from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator:
        """One transaction; it is committed when the block ends."""
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            try:
                yield execute
                execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise LedgerError(f"ledger {self.path}: {error}") from error

    def _migrate(self) -> None:
        """Bring the file to the newest version of the schema, each step in one transaction."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")  # two processes may open a new file at the same time
        try:
            version = execute("PRAGMA user_version").fetchone()[0]
            owner = execute("PRAGMA application_id").fetchone()[0]
            tables = execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
            if owner != APPLICATION_ID and (tables or owner):
                raise ConfigError(f"{self.path} is an SQLite file, but no ledger of hrl")
            if version > len(MIGRATIONS):
                raise ConfigError(
                    f"ledger {self.path} has version {version}, this program knows versions up to "
                    f"{len(MIGRATIONS)}: use a newer hrl"
                )
            for step in range(version, len(MIGRATIONS)):
                for statement in MIGRATIONS[step]:
                    execute(statement)
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
            execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise


DELIVERED = 1  # hrl_core.outcomes.Code.SUCCEEDED, as a number in the file


def process_name() -> str:
    """Names this process so that it can be told whether it still lives: host, pid, start time."""
    return f"{socket.gethostname()} {os.getpid()} {_start_time(os.getpid())}"


def is_alive(process: str) -> bool:
    """Whether a named process lives on this host. One of another host counts as gone: SQLite's WAL
    does not work over a network, so that host was a container in this one's place."""
    host, pid, started = process.split()
    return host == socket.gethostname() and _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    """Start of a process in clock ticks since boot (proc(5), field 22); "gone" without one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "gone" if pid != os.getpid() else "unknown"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def _numbers(array: np.ndarray | None) -> str | None:
    return None if array is None else _json(np.asarray(array, float).tolist())
