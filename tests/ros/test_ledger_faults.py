"""A ledger that is locked or deleted under a running master: it goes on, or says how it ends."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_core.ros.qos import interface
from tests.ros.helpers import wait_for
from tests.ros.master_site import MasterSite


@pytest.fixture
def site(probe, start_node, tmp_path):
    site = MasterSite(probe, start_node, tmp_path)
    yield site
    site.close()


@contextmanager
def locked(path):
    """Another process that writes to the ledger and does not come to an end."""
    with closing(sqlite3.connect(path, 10.0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def says(diagnostics, part: str):
    """Wait until the master says something of its ledger in its diagnostics."""
    name = topics.FAULT + "ledger"
    diagnostics.messages.clear()
    return diagnostics.wait(
        lambda m: any(v.key == name and part in v.value for v in m.status[0].values)
    )


def begin(site, mission: str, **parameters):
    """A master, and a mission whose first walk does not end by itself."""
    site.skills.held.add("walk")
    master = site.start_master(**parameters)
    handle = site.send(mission)
    wait_for(lambda: site.skills.begun == ["walk"], "the walk")
    return master, handle


def restart(site, master):
    """Kill the master the hard way and start another one."""
    master.kill()
    master.process.returncode = 0
    site.skills.held.clear()
    return site.start_master()


def test_a_ledger_that_is_locked_for_a_while_holds_up_the_mission_and_nothing_else(site, listen):
    diagnostics = listen(topics.DIAGNOSTICS)
    _, handle = begin(site, "patient")
    with locked(site.ledger):
        site.skills.let_go("walk")
        says(diagnostics, "database is locked")
        heard = len(diagnostics.messages)
        wait_for(lambda: len(diagnostics.messages) >= heard + 4, "diagnostics meanwhile", 10)
        assert site.skills.begun == ["walk"]  # nothing is done that is not written down
    status, result = site.result(handle)
    assert result.code == Code.SUCCEEDED, (status, result.detail)
    assert site.skills.done.count("place") == 1
    assert site.rows("SELECT COUNT(*) AS n FROM outcomes")[0]["n"] == len(site.skills.begun)


def test_what_a_client_was_told_while_the_ledger_was_locked_stays_true(site, publish):
    master, handle = begin(site, "told")
    with locked(site.ledger):
        publish(topics.E_STOP, interface(topics.E_STOP.type)(data=True))
        _, result = site.result(handle)
        assert [order.code for order in result.results] == [Code.E_STOP]
        master.kill()
        master.process.returncode = 0
    publish(topics.E_STOP, interface(topics.E_STOP.type)(data=False))
    site.skills.held.clear()
    site.start_master()
    assert site.ended("told") == (Code.E_STOP, "the emergency stop was pressed")
    assert not site.send("told").accepted
    site.rejections.wait(lambda m: "'told' was given before and is not run again" in m.detail)
    assert site.send("anew").accepted
    assert site.ended("anew")[0] == Code.SUCCEEDED
    assert site.skills.begun.count("place") == 1
    assert list(site.ledger.parent.glob("*.told.*")) == []


def test_a_ledger_that_is_deleted_ends_the_mission_and_refuses_new_ones(site, listen):
    diagnostics = listen(topics.DIAGNOSTICS)
    master, handle = begin(site, "lost")
    for path in site.ledger.parent.glob("ledger.sqlite*"):
        path.unlink()
    says(diagnostics, "was deleted or replaced while it was in use")
    _, result = site.result(handle)
    assert result.code == Code.INTERNAL_ERROR and "was deleted or replaced" in result.detail
    site.rejections.messages.clear()
    assert not site.send("more").accepted
    assert site.rejections.wait(lambda m: "was deleted" in m.detail).code == Code.NOT_READY
    restart(site, master)
    site.rejections.messages.clear()
    assert not site.send("lost").accepted  # its client was told that it has ended
    site.rejections.wait(lambda m: "'lost' was given before and is not run again" in m.detail)
    assert site.send("more").accepted
    assert site.ended("more")[0] == Code.SUCCEEDED


def test_a_lock_that_does_not_end_ends_the_mission(site):
    _, handle = begin(site, "late", ledger_patience=2.0)
    with locked(site.ledger):
        site.skills.let_go("walk")
        _, result = site.result(handle)
        assert result.code == Code.INTERNAL_ERROR and "database is locked" in result.detail
        assert not site.send("more").accepted
    assert site.ended("late")[0] == Code.INTERNAL_ERROR
