"""The tables of errands in the ledger."""

import sqlite3
from contextlib import closing

import pytest

from hrl_master.ledger import Ledger
from hrl_master.ledger_schema import MIGRATIONS
from hrl_master.orders import Order


def test_a_file_of_before_gets_the_tables_and_its_chain_stays_whole(tmp_path):
    path = tmp_path / "old.sqlite"
    with Ledger(path) as old:
        old.begin_mission("m", [Order("can", "A2", "packing")], {})
        head = old.verify().head
    with closing(sqlite3.connect(path)) as other:
        for statement in (
            "ALTER TABLE decisions DROP COLUMN chosen_by",
            "DROP TABLE searches",
            "DROP TABLE ways",
            "DROP TABLE forgotten",
            *(f"ALTER TABLE orders DROP COLUMN {name}" for name in ("priority", "due", "given")),
            "DROP TABLE people",
            "DROP TABLE queue",
            "DROP TABLE errand_ends",
            "DROP TABLE errands",
        ):
            other.execute(statement)
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 5}")
    with Ledger(path) as new:
        assert new.verify().head == head and new.verify().fault == ""
        assert new.rows("PRAGMA user_version")[0][0] == len(MIGRATIONS)
        assert new.owed_errands() == []
    with closing(sqlite3.connect(path)) as other:
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY|append-only|NOT NULL"):
            other.execute("INSERT INTO errand_ends (errand) VALUES ('x')")
