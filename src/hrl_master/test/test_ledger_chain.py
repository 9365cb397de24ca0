"""Whoever changes a ledger afterwards is found out."""

import sqlite3
from contextlib import closing

import pytest

from hrl_core.outcomes import Code
from hrl_master.approvals import Answer, Request
from hrl_master.ledger import Ledger
from hrl_master.orders import Decision, Order

ORDERS = [Order("can", "A2", "packing", "1"), Order("box", "B1", "packing", "2")]


@pytest.fixture
def path(tmp_path):
    """A ledger with rows in every table that a master fills."""
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        ledger.begin_mission("m", ORDERS, {"site": "hall"})
        ledger.begin_order("m", 0, 1.0)
        ledger.decide("m", 0, Decision("grasp", "can", "it is seen", index=0), 1.0)
        ledger.request(Request("r", "m", 0, "grasp can", "risky", 3, 1.0, 9.0))
        ledger.answer("r", Answer("approved", "Ada", answered_by="ada"), counted=True, stamp=2.0)
        ledger.picture("m", "camera", 2.0, b"jpeg", approval="r")
        ledger.event("m", "note", "a")
        ledger.event("m", "note", "b")
        ledger.end_order("m", 0, int(Code.SUCCEEDED), "delivered", 3.0, 1)
        ledger.end_order("m", 1, int(Code.HANDED_OVER), "lost", 4.0, 0, {"summary": "look"})
    return tmp_path / "ledger.sqlite"


def tamper(path, script: str) -> None:
    """Change the file as somebody would who knows SQLite: the triggers are no wall."""
    with closing(sqlite3.connect(path)) as other:
        for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            other.execute(f"DROP TRIGGER {name}")
        other.executescript(script)


def fault(path) -> str:
    with Ledger(path) as ledger:
        return ledger.verify().fault


def test_an_untouched_ledger_is_whole_and_says_how_many_rows_it_has(path):
    with Ledger(path) as ledger:
        verdict = ledger.verify()
        counted = sum(
            ledger.rows(f"SELECT COUNT(*) FROM {table}")[0][0]
            for table in ("missions", "orders", "decisions", "approvals", "answers", "pictures",
                          "events", "handovers")
        )  # fmt: skip
        assert (verdict.fault, verdict.rows) == ("", counted)
        assert ledger.rows("SELECT answered_by FROM answers")[0][0] == "ada"


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("UPDATE orders SET code = 1 WHERE number = 1", "orders row 2 (mission m, number 1, id 2)"),
        ("UPDATE orders SET code = NULL WHERE number = 1", "orders row 2"),
        ("UPDATE missions SET ended_at = NULL", "missions row 1 (id m) was changed"),
        ("UPDATE decisions SET reason = 'another'", "decisions row 1 (mission m, order_number 0"),
        ("UPDATE answers SET by = 'Bob'", "answers row 1 was changed"),
        ("UPDATE answers SET answered_by = ''", "answers row 1 was changed"),
        ("UPDATE pictures SET jpeg = x'00'", "pictures row 1 (mission m) was changed"),
        ("UPDATE events SET detail = CAST(x'ff' AS TEXT)", "events row 1 (mission m) was changed"),
        ("DELETE FROM events WHERE detail = 'a'", "events row 1 was removed"),
        ("DELETE FROM events WHERE detail = 'b'", "events row 2 was removed"),
        ("INSERT INTO events VALUES ('m', 'note', 'c', 0)", "events row 3 (mission m) was insert"),
        ("UPDATE events SET rowid = 9 - rowid", "events row 1 was removed"),
        ("UPDATE events SET rowid = -rowid; UPDATE events SET rowid = 3 + rowid",
         "events row 1 (mission m) was changed"),
        ("UPDATE chain SET content = hash WHERE seq = 4", "entry 4 of the chain, of orders row 1"),
        ("UPDATE chain SET of_row = 7 WHERE seq = 1", "entry 1 of the chain, of missions row 7"),
        ("DELETE FROM chain WHERE seq = 2", "entry 2 of the chain is missing"),
        ("DELETE FROM chain WHERE seq = (SELECT MAX(seq) FROM chain)", "of the chain is missing"),
        ("DELETE FROM events; DELETE FROM chain", "entry 1 of the chain is missing"),
        ("DROP TABLE chain", "no such table: chain"),
    ],
)  # fmt: skip
def test_what_was_changed_afterwards_is_named(path, script, named):
    tamper(path, script)
    assert named in fault(path)


def test_the_first_row_that_was_changed_is_the_one_that_is_named(path):
    tamper(path, "UPDATE events SET detail = 'x'; UPDATE decisions SET reason = 'x'")
    assert fault(path).startswith("decisions row 1")


def test_a_write_that_fails_leaves_the_chain_whole(path):
    with Ledger(path) as ledger:
        before = ledger.verify()
        with pytest.raises(Exception, match="has ended already"):
            ledger.end_order("m", 0, 1, "again", 5.0, 1)
        assert ledger.verify() == before
