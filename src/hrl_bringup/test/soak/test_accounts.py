"""What counts as lost, doubled and false, by a ledger and what the plant shows."""

import pytest

from hrl_bringup.mission_log import NOT_JUDGED
from hrl_bringup.reports import soak as report
from hrl_bringup.soak.accounts import MissionAccount, order_accounts, totals
from hrl_bringup.soak.processes import Sample
from hrl_bringup.soak.records import Records
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_master.ledger import Ledger
from hrl_master.orders import Attempt, Decision, Order
from hrl_master.reasons import Check, Reason

ITEMS = [("can", "packing"), ("jar", "packing"), ("box_small", "shipping"), ("box_tall", "packing")]
THERE, AWAY = (NOT_JUDGED.__class__(**{**vars(NOT_JUDGED), "delivered": d}) for d in (True, False))


def place(ledger: Ledger, order: int, index: int, ok: bool = True) -> None:
    decision = Decision("place", "packing", "", index=index)
    ledger.decide("m", order, decision, 0.0)
    outcome = Outcome(Code.SUCCEEDED, "", Verdict(ok, ""))
    ledger.outcome("m", index, Attempt(decision, outcome, Check(ok, "", Reason.NONE)), 1.0)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.begin_mission("m", [Order(i, "A1", s, str(k)) for k, (i, s) in enumerate(ITEMS)], {})
        yield ledger


def accounts(ledger, judgements=(THERE,) * 4, grasped_again=()):
    return order_accounts(ledger, "m", judgements, ITEMS, grasped_again)


def test_an_order_without_an_end_is_lost_and_so_is_each_of_a_mission_that_nobody_knows(ledger):
    ledger.end_order("m", 0, Code.SUCCEEDED, "delivered", 1.0, 4)
    ledger.end_order("m", 1, Code.HANDED_OVER, "no way", 1.0, 4)
    found = accounts(ledger)
    assert [order.end for order in found] == ["SUCCEEDED", "HANDED_OVER", "", ""]
    assert [order.lost for order in found] == [False, False, True, True]
    unknown = order_accounts(ledger, "other", [AWAY] * 4, ITEMS, ())
    assert all(order.lost for order in unknown)


def test_an_order_is_doubled_by_a_second_place_and_by_an_item_that_is_taken_again(ledger):
    place(ledger, 0, 0)
    place(ledger, 1, 1, ok=False)
    place(ledger, 1, 2)
    place(ledger, 2, 3)
    place(ledger, 2, 4)
    found = accounts(ledger, grasped_again={"box_tall"})
    assert [order.places for order in found] == [1, 1, 2, 0]
    assert [order.doubled for order in found] == [False, False, True, True]


def test_false_is_what_the_master_calls_delivered_and_the_plant_does_not(ledger):
    for number in range(3):
        ledger.end_order("m", number, Code.SUCCEEDED, "delivered", 1.0, 4)
    ledger.end_order("m", 3, Code.HANDED_OVER, "no way", 1.0, 4)
    ledger.reopen("m", 2, "master", "it fell")  # seen and said
    found = accounts(ledger, (THERE, AWAY, AWAY, AWAY))
    assert [order.false for order in found] == [False, True, False, False]
    assert (found[2].end, found[2].detail) == ("HANDED_OVER", "it fell")


def mission(orders, **changes) -> MissionAccount:
    values = {
        "mission": "m",
        "seed": 1,
        "orders": orders,
        "accepted_twice": 0,
        "troubles": ("kill walk",),
        "contacts": {"hand - shelf/A": 70.0, "body - shelf/B": 5.0, "body - person/0": 90.0},
        "contacts_with_people": 3,
        "lockstep_misses": 2,
        "simulated_s": 60.0,
        "wall_s": 90.0,
    }
    return MissionAccount(**{**values, **changes})


def test_totals_count_orders_contacts_and_misses(ledger):
    ledger.end_order("m", 0, Code.SUCCEEDED, "delivered", 1.0, 4)
    one = mission(accounts(ledger, (AWAY, THERE, AWAY, AWAY)))
    assert one.hard_contacts == ["hand - shelf/A"]
    figures = totals([one, mission((), contacts={}, contacts_with_people=0)])
    assert figures["ends"] == {"LOST": 3, "SUCCEEDED": 1}
    assert (figures["missions"], figures["orders"], figures["delivered"]) == (2, 4, 1)
    assert (figures["lost"], figures["false"], figures["doubled"]) == (3, 1, 0)
    assert figures["missions_with_contacts_with_people"] == figures["hard_contacts"] == 1
    assert (figures["lockstep_misses"], figures["simulated_s"]) == (4, 120.0)


def test_the_summary_tells_killed_nodes_from_those_that_died_and_the_page_shows_all(tmp_path):
    records = Records(tmp_path / "soak.jsonl", {"command": "./hrl soak"})
    for status in (-9, 1):
        records.event("died", "walk", status=status)
        records.event("restart", "walk", after_s=3.5 - status)
    records.event("kill", "walk", seconds=0.0)
    records.sample([Sample(10.0 * k, "walk", 7, 400.0, 26) for k in range(40)])
    records.mission(mission((), contacts_with_people=0))
    records.close()
    summary = report.summary_of(records, {"walk": 5}, "./hrl soak")
    walk = summary["nodes"]["walk"]
    assert (walk["killed"], walk["died_by_itself"], walk["restarts"]) == (1, 1, 2)
    assert (walk["back_after_most_s"], walk["ticks_missed"]) == (12.5, 5)
    assert summary["troubles"] == {"kill": 1}
    assert not summary["sound"]  # a node died by itself
    report.write_summary(tmp_path, summary, records)
    page = report.write_soak_page(tmp_path, summary, records).read_text()
    assert "400 to 400, most 400" in page and "12.5 s" in page and "kill walk" in page
    lines = (tmp_path / "soak.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 5 + 40 + 1
