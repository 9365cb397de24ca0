"""`./hrl report`: figures worked out by hand; `./hrl approvals log`."""

import html
import json
import re
import sqlite3
from contextlib import closing

import pytest

from hrl_bringup.reports.ledger import main
from hrl_bringup.reports.ledger_facts import LedgerFacts, Rates, order_facts
from hrl_bringup.reports.ledger_figures import FIGURES, summarise
from hrl_core.config import ConfigError
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_master.approvals import Answer, Request
from hrl_master.ledger import Ledger
from hrl_master.orders import Attempt, Decision, Order
from hrl_master.reasons import Check

RATES = Rates(
    robot_hour=36.0,  # 0.01 per second
    person_hour=60.0,  # 1 per minute
    minutes_per_handover=10,
    minutes_per_approval=2,
    minutes_per_reopened=20,
    wrong_item=5.0,
)


def add(ledger: Ledger, name: str, seconds: float, code: Code, *attempts, **judgement) -> None:
    """A mission of one order; attempts: (skill, code, whether the master confirmed it)."""
    ledger.begin_mission(name, [Order("can", "A1", "packing")], {"policy": "tree"})
    ledger.begin_order(name, 0, 100.0)
    for k, (skill, ended, ok) in enumerate(attempts):
        decision = Decision(skill, "A1", "because", index=k)
        ledger.decide(name, 0, decision, 100.0 + k)
        outcome = Outcome(ended, "how", Verdict(ok, "sensed"))
        attempt = Attempt(decision, outcome, Check(ok, "checked"))
        ledger.outcome(name, k, attempt, 102.0 + k)
    ledger.end_order(
        name,
        0,
        int(code),
        "detail",
        100.0 + seconds,
        len(attempts),
        {"summary": "s"} if code is Code.HANDED_OVER else None,
    )
    if judgement:
        ledger.judge(name, 0, **judgement)


@pytest.fixture
def ledger(tmp_path):
    """Six missions: delivered, delivered wrongly, handed over rightly, needlessly, asked, open."""
    good, blocked = Code.SUCCEEDED, Code.WALK_BLOCKED
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        add(ledger, "a", 40.0, good, ("walk", good, True), delivered=True, solvable=True)
        add(
            ledger,
            "b",
            50.0,
            good,
            ("place", good, False),
            delivered=False,
            solvable=True,
            wrong_item=True,
            cause="wrong item",
        )
        add(
            ledger,
            "c",
            60.0,
            Code.HANDED_OVER,
            ("walk", blocked, False),
            delivered=False,
            solvable=False,
        )
        add(
            ledger,
            "d",
            70.0,
            Code.HANDED_OVER,
            ("walk", blocked, False),
            delivered=False,
            solvable=True,
        )
        add(ledger, "e", 80.0, good, ("grasp", good, True), delivered=True, solvable=True)
        ledger.request(Request("q1", "e", 0, "grasp can", "why", 3, 100.0, 220.0))
        ledger.answer("q1", Answer("approved", "Ada", "clear"), counted=True)
        ledger.answer("q1", Answer("denied", "Bob"), counted=False)
        ledger.begin_mission("f", [Order("can", "A1", "packing")], {"policy": "other"})
        yield ledger


def test_the_figures_are_those_worked_out_by_hand(ledger):
    figures = summarise(LedgerFacts(ledger, RATES))
    assert (figures["missions"], figures["orders"], figures["not_ended"]) == (6, 6, 1)
    assert figures["delivered"]["count"] == 3 and figures["delivered"]["out_of"] == 5
    assert figures["time_to_resolution_s"] == {"median": 60.0, "mean": 60.0, "p90": 80.0}
    # a, b, d and e could be solved; of these d was handed over, and e needed a person's yes.
    assert (figures["containment"]["count"], figures["containment"]["out_of"]) == (2, 4)
    assert figures["handed_over_of_unsolvable"]["share"] == 1.0
    assert (figures["reopen_rate"]["count"], figures["reopen_rate"]["out_of"]) == (1, 3)
    cost = figures["cost"]
    assert cost["parts"] == {
        "robot": 3.0,
        "hand_overs": 20.0,
        "approvals": 2.0,
        "reopened": 20.0,
        "wrong_items": 5.0,
    }
    assert cost["total"] == 50.0 and cost["per_delivered_order"] == 25.0
    # Interventions at b (reopened), c, d and e: only a went by without one.
    assert figures["missions_before_an_intervention"] == {
        "orders": 5,
        "interventions": 4,
        "mean": 1.25,
        "longest_run": 1,
    }
    troubles = figures["errors_and_violations"]
    assert troubles["wrong_items_delivered"] == 1
    assert troubles["successes_that_the_master_did_not_confirm"] == 1
    assert figures["failures_by_cause"] == {
        "walk WALK_BLOCKED": 2,
        "wrong item": 1,
        "has not ended": 1,
    }
    assert figures["skills"]["walk"]["worked"] == 1
    assert figures["skills"]["walk"]["failures"] == {"WALK_BLOCKED": 2}
    assert figures["approvals"]["answers"] == {"approved": 1}
    assert figures["policies"] == {"tree": 5, "other": 1}


def test_an_empty_ledger_has_figures_too(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        figures = summarise(LedgerFacts(ledger, RATES))
    assert figures["containment"]["share"] is None and figures["cost"]["total"] == 0.0


def test_an_order_can_be_reopened_only_if_it_counted_as_delivered(ledger):
    ledger.reopen("a", 0, "Ada", "it lay on the floor")
    assert order_facts(ledger)[0].reopened
    with pytest.raises(ConfigError, match="did not end as delivered: detail"):
        ledger.reopen("c", 0, "Ada", "")
    with pytest.raises(ConfigError, match="no order 1 of mission 'a'"):
        ledger.reopen("a", 1, "Ada", "")


def test_page_and_json_say_the_same_and_need_no_other_file(ledger, tmp_path, capsys):
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    assert main([str(ledger.path), "--html", str(page), "--json", str(data)]) == 0
    figures = json.loads(data.read_text())
    assert figures["reopen_rate"]["count"] == 1
    text = html.unescape(page.read_text())
    assert all(figure.name in text and figure.description in text for figure in FIGURES)
    assert "1 of 3 (33.3 %" in text and "walk WALK_BLOCKED" in text
    assert len(re.findall("<svg", text)) == 4
    assert not re.search(r'(src|href)="(?!#|data:)', text.replace("xlink:href", "href"))
    assert "1 of 3 (33.3 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["missing.sqlite"], "missing.sqlite: no such file"),
        (["{ledger}", "--rates", "{rates}"], r"robot_hour = -1: Input should be greater than"),
        (["{ledger}", "--reopen", "z"], "no order 0 of mission 'z'"),
    ],
)
def test_wrong_input_is_refused_with_the_value(ledger, tmp_path, arguments, part):
    rates = tmp_path / "rates.yaml"
    rates.write_text("robot_hour: -1\n")
    places = {"ledger": ledger.path, "rates": rates}
    with pytest.raises(ConfigError, match=part):
        main([argument.format(**places) for argument in arguments])


def test_the_log_of_approvals_shows_every_answer(ledger, capsys):
    pytest.importorskip("hrl_msgs", reason="needs the built messages")
    from hrl_bringup.ros.approvals_node import main as approvals

    assert approvals(["log", str(ledger.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "q1  grasp can (tier 3, e)" in lines[0]
    assert "approved by Ada" in lines[1] and "denied by Bob" in lines[2]
    assert lines[2].endswith("did not count")


def test_verify_says_whether_the_chain_is_whole_or_what_was_changed(ledger, capsys):
    assert main(["--verify", str(ledger.path)]) == 0
    assert re.match(r"chain is whole, \d+ rows; its last hash is \w{64}$", capsys.readouterr().out)
    with closing(sqlite3.connect(ledger.path)) as other, other:
        other.execute("UPDATE orders SET detail = 'all went well' WHERE mission = 'c'")
    assert main(["--verify", str(ledger.path)]) == 1
    assert "orders row 3 (mission c, number 0) was changed" in capsys.readouterr().err
