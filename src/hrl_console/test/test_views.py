"""What the page shows of a ledger: missions, queue, decisions, people."""

import time
from contextlib import closing

import pytest

from hrl_bringup.reports.ledger_facts import Rates
from hrl_console import views
from hrl_console.ledger_watch import LedgerWatch
from hrl_console.words import health, silent
from hrl_core.config import config_dir, load_yaml
from hrl_core.outcomes import Code
from hrl_core.topics import FAULT
from hrl_master.approvals import Answer, Request
from hrl_master.ledger import Ledger
from hrl_master.orders import Decision, Order

ORDERS = [Order("can", "A2", "packing", "1"), Order("jar", "B2", "shipping", "2")]


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        yield ledger


def decide(ledger: Ledger, mission: str) -> None:
    decision = Decision(
        "walk", "A2", "the can was seen there", chance=0.97, index=0,
        candidates=("walk A2", "grasp can", "look_around"), probabilities=(0.8, 0.0, 0.2),
        allowed=(True, False, True), why_not=("", "too far", ""),
    )  # fmt: skip
    ledger.decide(mission, 0, decision, 1.0)


def test_an_empty_ledger_is_shown_as_such(ledger):
    assert views.decision_view(ledger) is None and views.people_view(ledger) == []
    assert views.missions_view(ledger) == {"doing": "No mission runs.", "list": []}
    assert not ledger.stopped()


def test_missions_that_wait_run_and_have_ended_are_told_apart(ledger):
    ledger.begin_mission("old", ORDERS, {})
    for k, code in enumerate((Code.SUCCEEDED, Code.HANDED_OVER)):
        ledger.end_order("old", k, code, f"detail {k}", 1.0, 3)
    for name in ("runs", "waits", "cancelled"):
        ledger.queue_mission(name, ORDERS[:1], "Ada")
    ledger.begin_mission("runs", ORDERS[:1], {})
    ledger.cancel_queued("cancelled", "Bob", "cancelled by Bob")
    shown = views.missions_view(ledger)
    assert shown["doing"] == "Mission runs: order 1 of 1"
    assert [(m["id"], m["state"], m["by"], m["open"]) for m in shown["list"]] == [
        ("waits", "waits", "Ada", True),
        ("runs", "runs", "Ada", True),
        ("old", "ended", "", False),
        ("cancelled", "cancelled", "Ada", False),
    ]
    assert shown["list"][2]["orders"] == [
        {"what": "can from A2 to packing", "state": "delivered", "good": True, "detail": ""},
        {"what": "jar from B2 to shipping", "state": "handed over", "good": False,
         "detail": "detail 1"},
    ]  # fmt: skip


def test_a_decision_is_shown_with_its_candidates_best_first_and_what_forbids_them(ledger):
    ledger.begin_mission("m", ORDERS, {"policy": "learned"})
    decide(ledger, "m")
    shown = views.decision_view(ledger)
    assert shown is not None
    assert (shown["what"], shown["policy"], shown["chance"]) == ("walk A2", "learned", 0.97)
    assert [(c["label"], c["p"], c["why"], c["chosen"]) for c in shown["candidates"]] == [
        ("walk A2", 0.8, "", True),
        ("look_around", 0.2, "", False),
        ("grasp can", 0.0, "too far", False),
    ]


def test_people_are_shown_with_their_answers_and_what_did_not_count(ledger):
    ledger.begin_mission("m", ORDERS, {})
    decide(ledger, "m")
    ledger.request(Request("a", "m", 0, "grasp can", "why", 3, 1.0, 9.0))
    ledger.answer("a", Answer("denied", "Ada", "a person is near"), counted=True)
    ledger.answer("a", Answer("approved", "Bob"), counted=False)
    ledger.answer("a", Answer("expired", "nobody"), counted=False)
    ledger.person_did("Vic", "stop", detail="it was pressed already")
    said = [(d["by"], d["did"], d["detail"]) for d in views.people_view(ledger)]
    assert sorted(said) == [
        ("Ada", "denied", "grasp can: a person is near"),
        ("Bob", "approved", "grasp can (did not count)"),
        ("Vic", "pressed the stop", "it was pressed already"),
    ]
    assert ledger.stopped()
    ledger.person_did("Ada", "release")
    assert not ledger.stopped()


def test_the_ledger_is_watched_from_before_it_is_there(tmp_path):
    path = tmp_path / "ledger.sqlite"
    rates = load_yaml(config_dir() / "rates.yaml", Rates)
    with closing(LedgerWatch(path, rates)) as watch:
        wait_for(lambda: "no ledger" in watch.fault)
        with Ledger(path, durable=False) as ledger:
            ledger.queue_mission("m", ORDERS, "Ada")
            wait_for(lambda: watch.sections["missions"]["list"] and watch.sections["figures"])
            assert watch.fault == ""
        watch.write_down("Bob", "stop")
        wait_for(lambda: [d["by"] for d in watch.sections["people"]] == ["Bob", "Ada"])
        assert watch.stopped_here()


def wait_for(condition, timeout: float = 20.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_nodes_faults_are_its_words_and_silence_is_said():
    values = {FAULT + "camera": "hand_camera: no picture for 2.4 s", "pictures": "7"}
    shown = health("/perception", 1, "active; hand_camera: no picture for 2.4 s", values)
    assert shown == {"name": "perception", "level": "warn", "words": [values[FAULT + "camera"]]}
    assert health("driver", 2, "motor hot", {})["words"] == ["motor hot"]
    assert health("/walk", 0, "ready; more", {})["words"] == ["ready"]
    assert silent(shown, 7.2)["words"] == ["has said nothing for 7 s"]
