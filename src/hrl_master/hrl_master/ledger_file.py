"""The SQLite file below the ledger: opened, migrated, written within bounds, and watched."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from hrl_core.config import ConfigError, shorten
from hrl_master.ledger_chain import Verdict, Write, chain_all, verify
from hrl_master.ledger_schema import APPLICATION_ID, CHAINED, MIGRATIONS

PATIENCE = 30.0  # s of wall time for another process to finish its write


def default_path() -> Path:
    """Of a master that is started by itself."""
    return Path(os.environ.get("ROS_HOME") or "~/.ros", "hrl", "ledger.sqlite").expanduser()


class LedgerError(RuntimeError):
    """The ledger cannot take what it was told; nothing may be acted on."""


class LedgerFault(LedgerError):
    """The file cannot be used now: it is locked, the disk is full, it is gone."""


class LedgerFile:
    """One connection. `fault`: why the file cannot be used now; empty: it can. The next write that
    succeeds clears it. `locked`: no write could be begun, since another process writes.
    """

    def __init__(
        self,
        path: str | Path,
        durable: bool = True,
        must_exist: bool = False,
        patience: float = PATIENCE,
    ):
        """`durable`: every write is on the disk when it returns, so that even a power cut loses
        nothing; without it a killed process loses nothing. `patience`: s of wall time that a
        write stands still for another process to finish its own.
        """
        self.path = Path(path).expanduser()
        self.fault, self.locked = "", False
        self._patience = patience
        if must_exist and not self.path.is_file():
            raise ConfigError(f"ledger {self.path}: no such file")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, PATIENCE, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            # Text that somebody has damaged can be shown, too.
            self._connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
            self._migrate(must_exist)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA user_version").fetchone()  # makes the -wal file
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"ledger {self.path}: {shorten(ascii(str(error))[1:-1])}") from error
        self._opened = self._identity()

    def close(self) -> None:
        self._connection.close()

    def rows(self, query: str, *values) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._error("read", error) from error

    def verify(self) -> Verdict:
        """Whether every row is as it was written; see hrl_master.ledger_chain."""
        try:
            return verify(self._connection.execute)
        except sqlite3.Error as error:
            return Verdict(0, "", str(error))

    def look(self) -> None:
        """Notice that the file is there no more; takes no time."""
        with contextlib.suppress(LedgerError):
            self._check_identity()

    def probe(self) -> None:
        """Notice that a fault has passed, by a write that changes nothing."""
        with contextlib.suppress(LedgerError), self._writing():
            self._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Write]:
        """One transaction; it is committed when the block ends. Raises LedgerFault."""
        execute = self._connection.execute
        patience = 0.0 if self.fault else self._patience  # it has waited once in vain
        try:
            execute(f"PRAGMA busy_timeout = {round(1000 * patience)}")
            self.locked = True
            execute("BEGIN IMMEDIATE")
            self.locked = False
            try:
                self._check_identity()
                yield Write(execute)
                execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._error("written", error) from error
        self.fault = ""

    def _error(self, done: str, error: sqlite3.Error) -> LedgerError:
        sentence = f"ledger {self.path} cannot be {done}: {error}"
        if not isinstance(error, sqlite3.OperationalError):
            return LedgerError(sentence)  # a fault of the content, which no other try will mend
        self.fault = sentence
        return LedgerFault(sentence)

    def _check_identity(self) -> None:
        if self._identity() != self._opened:
            self.locked = False
            self.fault = (
                f"ledger {self.path} was deleted or replaced while it was in use: what is written "
                "now would be lost; put it back, or start what uses it again"
            )
            raise LedgerFault(self.fault)

    def _identity(self) -> list[tuple[int, int] | None]:
        """Device and inode of the file and of its -wal: SQLite writes on in deleted files."""
        found = []
        for path in (self.path, Path(f"{self.path}-wal")):
            try:
                status = os.stat(path)
                found.append((status.st_dev, status.st_ino))
            except OSError:
                found.append(None)
        return found

    def _migrate(self, must_exist: bool) -> None:
        """Bring the file to the newest version of the schema, each step in one transaction."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")  # two processes may open a new file at the same time
        try:
            version = execute("PRAGMA user_version").fetchone()[0]
            owner = execute("PRAGMA application_id").fetchone()[0]
            tables = execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
            if owner != APPLICATION_ID and (tables or owner or must_exist):
                raise ConfigError(f"{self.path} is an SQLite file, but no ledger of hrl")
            if version > len(MIGRATIONS):
                raise ConfigError(
                    f"ledger {self.path} has version {version}, this program knows versions up to "
                    f"{len(MIGRATIONS)}: use a newer hrl"
                )
            for step in range(version, len(MIGRATIONS)):
                for statement in MIGRATIONS[step]:
                    execute(statement)
            if version < CHAINED:
                chain_all(execute)
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
            execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise


def text_of(value: object) -> str:
    """JSON as the ledger keeps it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
