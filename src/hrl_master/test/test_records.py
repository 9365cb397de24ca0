"""A ledger that is locked, full or gone: what was told stays true, and nobody stands still."""

import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hrl_core.outcomes import Code
from hrl_core.site import load_site
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.ledger import Ledger
from hrl_master.ledger_file import LedgerFault
from hrl_master.mission import Mission
from hrl_master.orders import Order, OrderEnd
from hrl_master.records import FULL, STANDSTILL, Records
from hrl_master.told import UNREAD, Told

SITE = load_site("small_warehouse")
ORDERS = [Order("can", "A2", "packing"), Order("tin", "B1", "packing")]
ENDS = [
    OrderEnd(ORDERS[0], Code.SUCCEEDED, "delivered and checked", 1.0, 4),
    OrderEnd(ORDERS[1], Code.INTERNAL_ERROR, "the disk is full", 1.0, 0),
]


def make_mission(ledger: Ledger, id: str = "m") -> Mission:
    config, guardrails = MasterConfig(), Guardrails(SITE, GuardrailConfig())
    decider = make_decider(SITE, config, guardrails)
    return Mission(ORDERS, decider, guardrails, config, id=id, ledger=ledger)


@pytest.fixture
def clock():
    """Seconds that a test lets go by."""
    return [0.0]


@pytest.fixture
def records(tmp_path, clock):
    records = Records(tmp_path / "ledger.sqlite", 60.0, lambda: clock[0])
    yield records
    records.close()


@contextmanager
def locked(path: Path):
    """Another process that writes and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def codes(path: Path) -> list[int | None]:
    with closing(sqlite3.connect(path)) as other:
        return [row[0] for row in other.execute("SELECT code FROM orders ORDER BY number")]


def test_a_locked_ledger_is_owed_what_happened_and_gets_it_when_it_is_freed(records, clock):
    mission = make_mission(records.ledger)
    with locked(records.ledger.path):
        mission.cancel(Code.CANCELED, "cancelled by the client")
        assert mission.finished and mission.owes
        assert not records.keep(mission)  # but its client can be told
        began = time.monotonic()
        for _ in range(20):
            records.watch(None)
        assert time.monotonic() - began < 20 * STANDSTILL / 4  # who has waited in vain goes on
        assert "cannot be written: database is locked" in records.ledger.fault
        assert codes(records.ledger.path) == [None, None]
        clock[0] = 59.0
        assert records.lost == ""
        clock[0] = 61.0
        assert "database is locked" in records.lost
        assert records.past("m") == "it ended: " + "; ".join(["cancelled by the client"] * 2)
    records.watch(None)
    assert records.ledger.fault == records.lost == "" and not mission.owes
    assert codes(records.ledger.path) == [Code.CANCELED] * 2
    assert list(records.ledger.path.parent.glob("*.told.*")) == []


def test_while_a_mission_owes_the_ledger_nobody_says_that_it_is_well(records, clock):
    """A write that changes nothing may pass where there is no room for what is owed."""
    mission = make_mission(records.ledger)
    records.ledger.rows("PRAGMA max_page_count = 1")  # as small as the file is now
    mission.owe(lambda to: to.picture("m", "camera", 1.0, bytes(1_000_000)))
    with pytest.raises(LedgerFault, match="full"):
        mission.settle()
    clock[0] = FULL + 1.0
    records.watch(mission)
    assert "cannot be written: database or disk is full" in records.lost
    records.ledger.rows("PRAGMA max_page_count = 1000000")
    mission.settle()
    records.watch(mission)
    assert records.lost == ""


@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_that_is_gone_is_noticed_and_nothing_is_written_into_nothing(records, replaced):
    path = records.ledger.path
    aside = path.with_name("aside")
    path.rename(aside)
    if replaced:
        Ledger(path).close()
    records.watch(None)
    assert "was deleted or replaced while it was in use" in records.ledger.fault
    with pytest.raises(LedgerFault, match="deleted or replaced"):
        make_mission(records.ledger)
    aside.rename(path)  # it is put back
    records.watch(None)
    if replaced:  # the other one has taken away what SQLite keeps beside the file
        assert "deleted or replaced" in records.ledger.fault
        return
    assert records.ledger.fault == ""
    make_mission(records.ledger)
    assert codes(path) == [None, None]


def test_an_end_that_no_file_can_take_is_not_told(records):
    mission = make_mission(records.ledger)
    folder = records.ledger.path.parent
    with locked(records.ledger.path):
        mission.cancel(Code.CANCELED, "cancelled by the client")
        folder.rename(folder.with_name("gone"))
        with pytest.raises(OSError, match="No such file"):
            records.keep(mission)
        folder.with_name("gone").rename(folder)


def test_what_was_told_outlives_the_master(tmp_path):
    Told(tmp_path / "l.sqlite").keep("a/b", ENDS)
    told = Told(tmp_path / "l.sqlite")
    assert told.ends("a/b") == [(end.code, end.detail) for end in ENDS]
    assert told.ends("a") == []
    told.forget("a/b")
    assert told.ends("a/b") == [] and list(tmp_path.iterdir()) == []


def test_the_codes_outlive_a_disk_without_room_for_the_sentences(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    told = Told(tmp_path / "l.sqlite")
    with monkeypatch.context() as patch:
        patch.setattr("hrl_master.told.os.write", full)
        told.keep("m", ENDS)
    assert told.ends("m") == [(end.code, UNREAD) for end in ENDS]


def test_a_decision_that_waited_for_the_ledger_is_checked_anew(records, story):
    mission = make_mission(records.ledger)
    scene = story().scene
    with locked(records.ledger.path):
        decision = mission.next_decision(scene)
        assert decision is not None and mission.owes and mission.decisions == 1
    mission.settle()
    assert not mission.go_ahead(decision, replace(scene, tilt=1.2))
    assert mission.decisions == 0 and "leans 1.20 rad" in mission.state.attempts[0].reason
    assert [row["ran"] for row in records.ledger.rows("SELECT ran FROM outcomes")] == [0]
