"""A mission in process with the example system over HTTP, which is killed in the middle."""

import time

import pytest

pytest.importorskip("fastapi")  # of requirements/services.txt

from hrl_core.outcomes import Code  # noqa: E402
from hrl_master.config import GuardrailConfig, MasterConfig  # noqa: E402
from hrl_master.decider import make_decider  # noqa: E402
from hrl_master.errands import Errands  # noqa: E402
from hrl_master.guardrails import Guardrails  # noqa: E402
from hrl_master.ledger import Ledger  # noqa: E402
from hrl_master.mission import Mission  # noqa: E402
from hrl_master.orders import Order  # noqa: E402
from hrl_systems.systems import make  # noqa: E402
from tests.file_world import SITE, World  # noqa: E402
from tests.warehouse import Warehouse  # noqa: E402

ORDERS = [Order("can", "A2", "packing", "1"), Order("jar", "B1", "packing", "2")]
TIMEOUT = 1.0  # s


def until(errands: Errands, condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, errands.fault
        errands.look()
        time.sleep(0.01)


@pytest.mark.slow
def test_a_system_that_is_killed_in_the_middle_of_a_mission_gets_everything_once(
    tmp_path, monkeypatch
):
    world, config = World(tmp_path / "world"), MasterConfig()
    guardrails = Guardrails(SITE, GuardrailConfig())
    with Warehouse(tmp_path) as warehouse, Ledger(tmp_path / "ledger.sqlite") as ledger:
        with monkeypatch.context() as patch:
            patch.setattr("hrl_master.ledger.process_name", lambda: "this 1 gone")
            errands = Errands(make(warehouse.url, TIMEOUT), ledger, SITE, config)
            decider = make_decider(SITE, config, guardrails)
            mission = Mission(
                ORDERS, decider, guardrails, config, id="m", ledger=ledger, errands=errands
            )
            until(errands, lambda: not errands.awaits)
            assert errands.stock("m", 0) == ("A2",) and errands.stock("m", 1) == ()
            slowest = 0.0
            while mission.results == []:
                began = time.monotonic()
                decision = mission.next_decision(scene := world.scene())
                slowest = max(slowest, time.monotonic() - began)
                if decision is not None and not mission.results:
                    mission.report(decision, world.run(decision), scene, world.scene())
                if decision is not None and decision.skill == "grasp":
                    warehouse.kill()
                errands.look()
            mission.give_up("the way is closed")
            assert mission.next_decision(world.scene()) is None
            assert [end.code for end in mission.results] == [Code.SUCCEEDED, Code.HANDED_OVER]
            until(errands, lambda: errands.fault)
            assert "book_out: cannot be reached" in errands.fault and errands.owed == 3
            assert slowest < TIMEOUT  # nobody waited for it
            errands.close()
        # The master is gone as well; another one finds what is owed.
        warehouse.start()
        after = Errands(make(warehouse.url, TIMEOUT), ledger, SITE, config)
        after.look()
        until(after, lambda: not ledger.owed_errands())
        assert warehouse.rows("SELECT item, from_bin, quantity FROM bookings") == [("can", "A2", 1)]
        assert warehouse.rows("SELECT title FROM tickets") == [("Handed over: jar for packing",)]
        assert warehouse.rows("SELECT COUNT(*) FROM notifications") == [(1,)]
        assert "cannot be reached" in ledger.rows("SELECT detail FROM events")[0]["detail"]
        assert ledger.verify().fault == ""
        after.close()
