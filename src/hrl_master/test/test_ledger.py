"""The ledger: what is in it, who may change it; a master killed at every point of its writes."""

import json
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code, Outcome
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.ledger import Ledger
from hrl_master.ledger_file import LedgerError, LedgerFault
from hrl_master.ledger_schema import MIGRATIONS
from hrl_master.mission import Mission
from hrl_master.mission_loop import MissionWorld, at_once
from hrl_master.mission_loop import work_off as loop
from hrl_master.orders import Order
from hrl_master.processes import is_alive, process_name
from hrl_master.recovery import restore
from tests.file_world import SITE, World

ORDERS = [Order("can", "A2", "packing", "1"), Order("can", "B1", "packing", "2")]


def make_mission(ledger: Ledger | None, restored=None, orders=ORDERS, **options) -> Mission:
    config = MasterConfig(**options.pop("config", {}))
    guardrails = Guardrails(SITE, GuardrailConfig())
    return Mission(
        [] if restored else orders,
        make_decider(SITE, config, guardrails),
        guardrails,
        config,
        id=restored.id if restored else options.pop("id", "m"),
        ledger=ledger,
        restored=restored,
        **options,
    )


def work_off(mission: Mission, world: World) -> None:
    while (decision := mission.next_decision(scene := world.scene())) is not None:
        mission.report(decision, world.run(decision), scene, world.scene())


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        yield ledger


def test_everything_of_a_mission_is_in_the_ledger(ledger, tmp_path):
    mission = make_mission(ledger, about={"world": "small_warehouse", "seed": 3})
    work_off(mission, World(tmp_path / "world"))
    assert [end.code for end in mission.results] == [Code.SUCCEEDED] * 2
    (row,) = ledger.rows("SELECT * FROM missions")
    assert json.loads(row["about"])["seed"] == 3 and row["ended_at"] >= row["began_at"]
    orders = ledger.rows("SELECT * FROM orders ORDER BY number")
    assert [(o["id"], o["code"], o["decisions"]) for o in orders] == [("1", 1, 4), ("2", 1, 4)]
    assert orders[0]["ended"] - orders[0]["began"] == 4.0
    decided = ledger.rows("SELECT * FROM decisions ORDER BY number")
    assert [d["number"] for d in decided] == list(range(10))  # two of them finish
    skills = "walk grasp walk place finish".split()
    assert [d["skill"] for d in decided] == skills * 2
    assert decided[0]["tier"] == 1 and decided[1]["tier"] == 2
    outcomes = ledger.rows("SELECT * FROM outcomes ORDER BY decision")
    assert len(outcomes) == 8 and all(o["ran"] and o["check_ok"] for o in outcomes)
    assert json.loads(outcomes[0]["evidence"]) == {"error_m": 0.01}


def test_a_decision_is_on_the_disk_before_it_is_returned_and_its_outcome_before_the_next(
    ledger, tmp_path
):
    mission, world = make_mission(ledger), World(tmp_path / "world")
    with closing(sqlite3.connect(ledger.path)) as other:
        for count in range(4):
            decision = mission.next_decision(scene := world.scene())
            assert decision is not None
            assert other.execute("SELECT COUNT(*) FROM decisions").fetchone()[0] == count + 1
            assert other.execute("SELECT COUNT(*) FROM outcomes").fetchone()[0] == count
            mission.report(decision, world.run(decision), scene, world.scene())


def test_a_mission_that_the_ledger_knows_is_not_begun_again(ledger, tmp_path):
    work_off(make_mission(ledger), World(tmp_path / "world"))
    with pytest.raises(LedgerError, match="mission 'm' is in the ledger already"):
        make_mission(ledger)
    assert "it ended: delivered and checked" in ledger.summary("m")


def test_what_was_decided_cannot_be_changed_afterwards(ledger, tmp_path):
    work_off(make_mission(ledger), World(tmp_path / "world"))
    with closing(sqlite3.connect(ledger.path)) as other:
        for statement in ("DELETE FROM outcomes", "UPDATE decisions SET reason = 'another'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)


def test_a_cancelled_mission_leaves_no_decision_without_an_outcome(ledger, tmp_path):
    mission = make_mission(ledger)
    assert mission.next_decision(World(tmp_path / "world").scene()) is not None
    mission.cancel(Code.CANCELED, "cancelled by the client")
    assert [row["code"] for row in ledger.rows("SELECT code FROM outcomes")] == [Code.CANCELED]
    assert [row["code"] for row in ledger.rows("SELECT code FROM orders")] == [Code.CANCELED] * 2


def test_a_ledger_that_cannot_be_written_stops_the_mission_before_it_acts(ledger, tmp_path):
    mission, world = make_mission(ledger), World(tmp_path / "world")
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("DROP TABLE decisions")
    assert mission.next_decision(world.scene()) is not None and mission.owes
    with pytest.raises(LedgerFault, match="no such table"):
        mission.settle()
    with pytest.raises(LedgerFault, match="no such table"):
        at_once(loop(mission, Unused(world)))


class Unused(MissionWorld):
    """A world in which nothing must be run."""

    def __init__(self, world: World):
        self._world = world

    async def next_scene(self):
        return self._world.scene()

    async def run(self, decision):
        raise AssertionError("nothing may be run")

    def ended(self, execution):
        raise AssertionError("nothing was run")


# Files


def test_a_file_of_an_older_version_is_migrated_and_keeps_what_is_in_it(tmp_path):
    path = tmp_path / "old.sqlite"
    with Ledger(path) as old:
        work_off(make_mission(old), World(tmp_path / "world"))
    with closing(sqlite3.connect(path)) as other:  # what the first version had
        for step in ("ALTER TABLE outcomes DROP COLUMN check_reason", "DROP TABLE judgements",
                     "DROP TABLE reopened", "DROP TABLE chain",
                     "DROP TABLE errand_ends", "DROP TABLE errands",
                     "DROP TABLE people", "DROP TABLE queue",
                     "DROP TABLE searches", "DROP TABLE ways", "DROP TABLE forgotten",
                     "ALTER TABLE answers DROP COLUMN answered_by",
                     "ALTER TABLE decisions DROP COLUMN chosen_by",
                     *(f"ALTER TABLE orders DROP COLUMN {name}"
                       for name in ("priority", "due", "given")),
                     "PRAGMA user_version = 1"):  # fmt: skip
            other.execute(step)
    with Ledger(path) as new:
        assert {row["check_reason"] for row in new.rows("SELECT * FROM outcomes")} == {"none"}
        assert {row["chosen_by"] for row in new.rows("SELECT * FROM decisions")} == {None}
        orders = new.rows("SELECT * FROM orders")
        assert {(o["priority"], o["due"], o["given"]) for o in orders} == {(None, None, None)}
        assert new.rows("PRAGMA user_version")[0][0] == len(MIGRATIONS)
        assert new.knows("m")
        new.queue_mission("later", [Order("can", "A2", "packing")], "Ada")
        assert [mission for mission, _ in new.waiting()] == ["later"]
        before = new.verify()
        assert before.fault == "" and before.rows == 1 + 2 + 10 + 8 + 2
        new.judge("m", 0, delivered=True)
        assert new.verify().rows == before.rows + 1
        assert new.rows("PRAGMA journal_mode")[0][0] == "wal"


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        (
            f"PRAGMA user_version = {len(MIGRATIONS) + 1}",
            f"version {len(MIGRATIONS) + 1}, this program knows",
        ),
        ("PRAGMA application_id = 7", "no ledger of hrl"),
    ],
)
def test_a_file_that_is_not_for_this_program_is_refused(tmp_path, statement, part):
    path = tmp_path / "x.sqlite"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(statement)
    with pytest.raises(ConfigError, match=part):
        Ledger(path)


def test_a_path_that_cannot_be_a_ledger_is_refused_with_the_reason(tmp_path):
    (tmp_path / "text").write_text("no database, but long enough to be looked at as one" * 40)
    with pytest.raises(ConfigError, match="text: file is not a database"):
        Ledger(tmp_path / "text")
    with pytest.raises(ConfigError, match="Not a directory|File exists"):
        Ledger(tmp_path / "text" / "ledger.sqlite")
    with pytest.raises(ConfigError, match="missing.sqlite: no such file"):
        Ledger(tmp_path / "missing.sqlite", must_exist=True)


# Killed masters


def test_a_process_is_told_from_another_that_got_its_number():
    me = process_name()
    assert is_alive(me)
    host, pid, _ = me.split()
    assert not is_alive(f"{host} {pid} 1") and not is_alive(f"elsewhere {pid} 1")


def run_and_be_killed(path: Path, world: World, at: int) -> bool:
    """Work the orders off in a child that kills itself at its statement number `at`.

    Returns whether it came to the end instead. Acting counts as a statement, too.
    """
    child = os.fork()
    if child == 0:
        count = 0

        def step(_) -> None:
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

        def run(decision) -> Outcome:
            step("before it acts")
            outcome = World.run(world, decision)
            step("after it has acted")
            return outcome

        try:
            world.run = run
            ledger = Ledger(path, durable=False)
            ledger._connection.set_trace_callback(step)
            unfinished = ledger.unfinished()
            if unfinished and ledger.claim(unfinished[0]):
                mission = make_mission(ledger, restore(ledger, unfinished[0]))
            elif ledger.knows("m"):
                os._exit(0)
            else:
                mission = make_mission(ledger)
            work_off(mission, world)
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed"
    return not os.WIFSIGNALED(status)


def check_nothing_lost_or_doubled(path: Path, world: World) -> Counter:
    """Every order has ended once, and none was brought twice."""
    places = Counter(attempt[0] for attempt in world.attempts)["place"]
    with Ledger(path) as ledger:
        orders = ledger.rows("SELECT code, detail FROM orders")
        assert len(orders) == 2 and all(o["code"] is not None for o in orders)
        assert ledger.rows("SELECT 1 FROM missions WHERE ended_at IS NULL") == []
        delivered = sum(o["code"] == Code.SUCCEEDED for o in orders)
        # An order in doubt may have been brought; one that counts as delivered was.
        doubts = [o["detail"] for o in orders if o["code"] == Code.HANDED_OVER]
        assert delivered <= places <= delivered + len(doubts) and places <= 2
        assert ledger.rows(
            "SELECT 1 FROM decisions d LEFT JOIN outcomes o ON o.mission = d.mission AND "
            "o.decision = d.number WHERE o.code IS NULL AND d.skill NOT IN ('finish', 'hand_over')"
        ) == []  # fmt: skip
        handed = ledger.rows("SELECT 1 FROM handovers")
        assert len(handed) == len(doubts)
    return Counter(o["code"] for o in orders)


@pytest.mark.slow
def test_a_master_killed_at_any_point_loses_no_order_and_runs_none_twice(tmp_path):
    at, resumed, codes = -1, 0, Counter()
    while True:
        at += 5  # a write is six statements or more: each of them is met at some write
        folder = tmp_path / str(at)
        folder.mkdir()
        path, world = folder / "ledger.sqlite", World(folder / "world")
        if run_and_be_killed(path, world, at):
            break
        with Ledger(path) as ledger:
            resumed += bool(ledger.unfinished())
        world = World(folder / "world")
        assert run_and_be_killed(path, world, -1)
        codes += check_nothing_lost_or_doubled(path, world)
    assert at > 150 and resumed > 25
    # Only a place that was cut short leaves a doubt.
    assert 0 < codes[Code.HANDED_OVER] < 0.2 * codes[Code.SUCCEEDED]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_master_killed_again_and_again_comes_to_an_end(tmp_path, seed):
    rng, path, world = np.random.default_rng(seed), tmp_path / "ledger.sqlite", None
    for _ in range(100):
        world = World(tmp_path / "world")
        if run_and_be_killed(path, world, int(rng.integers(5, 60))):
            break
    assert world is not None
    check_nothing_lost_or_doubled(path, world)


def test_a_running_mission_of_another_process_is_left_alone(ledger, tmp_path):
    make_mission(ledger, id="mine")
    assert ledger.unfinished() == [] and not ledger.claim("mine")


def test_an_item_that_is_gone_after_a_restart_is_not_fetched_again(tmp_path):
    path, world = tmp_path / "ledger.sqlite", World(tmp_path / "world")
    with Ledger(path, durable=False) as ledger:
        mission = make_mission(ledger)
        while not world.scene().holding:
            decision = mission.next_decision(scene := world.scene())
            assert decision is not None
            mission.report(decision, world.run(decision), scene, world.scene())
        mission = make_mission(ledger, restore(ledger, "m"))
        empty = replace(world.scene(), holding=False)
        decision = mission.next_decision(empty)
        assert mission.results[0].code is Code.HANDED_OVER
        assert "may have been delivered" in mission.results[0].detail
        assert decision is not None and decision.skill == "walk"  # of the second order


def test_missions_wait_in_the_order_in_which_they_were_given_until_they_begin(tmp_path):
    given = [Order("can", "A2", "packing", "1")]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for name in ("a", "b", "c"):
            ledger.queue_mission(name, given, "Ada")
        with pytest.raises(LedgerError, match="'a' was given before"):
            ledger.queue_mission("a", given, "Bob")
        ledger.begin_mission("a", given, {})
        ledger.cancel_queued("b", "Bob", "cancelled by Bob")
    with Ledger(tmp_path / "ledger.sqlite") as again:  # whoever opens it next
        assert again.waiting() == [("c", given)]
        did = [tuple(row) for row in again.rows("SELECT by, did, mission FROM people")]
        assert did == [("Ada", "order", name) for name in "abc"] + [("Bob", "cancel", "b")]
        with pytest.raises(sqlite3.Error, match="append-only"):
            again._connection.execute("DELETE FROM people")
        assert again.verify().fault == ""
