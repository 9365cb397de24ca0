"""The figures of `./hrl report`. FIGURES is their one home: an entry there is in --json, in the
terminal and on the page.
"""

import json
import statistics
from collections import Counter
from typing import Any

from hrl_bringup.reports import ledger_words as words
from hrl_bringup.reports.figure import Breakdown, Figure, named_once
from hrl_bringup.reports.ledger_facts import LedgerFacts, OrderFacts
from hrl_bringup.reports.ledger_troubles import TROUBLES
from hrl_training.trials.statistics import wilson_interval


def summarise(facts: LedgerFacts) -> dict[str, Any]:
    """All figures, as --json writes them; times in s, shares with their 95 % interval."""
    summary: dict[str, Any] = {"ledger": str(facts.ledger.path)}
    for figure in FIGURES:
        place = summary.setdefault(figure.group, {}) if figure.group else summary
        place[figure.key] = figure.compute(facts)
    for table in BREAKDOWNS:
        summary[table.key] = table.compute(facts)
    return summary


def failures_by_cause(facts: LedgerFacts) -> dict[str, int]:
    """The most frequent cause first."""
    return dict(Counter(o.cause for o in facts.orders if o.cause).most_common())


def _containment(facts: LedgerFacts) -> dict[str, Any]:
    judged = facts.judged
    solvable = [o for o in facts.resolved if o.solvable or not judged]
    alone = [o for o in solvable if not (o.handed_over or o.approvals)]
    of = "orders that could be solved" if judged else "all orders: none was judged"
    return {**_share(len(alone), len(solvable)), "of": of}


def _handed_over_of_unsolvable(facts: LedgerFacts) -> dict[str, Any]:
    hopeless = [o for o in facts.resolved if o.solvable is False]
    return _share(sum(o.handed_over for o in hopeless), len(hopeless))


def _cost(facts: LedgerFacts) -> dict[str, Any]:
    """What the orders cost in all, by what, and per order that was delivered for good."""
    orders, rates = facts.orders, facts.rates
    per_minute = rates.person_hour / 60
    hours = sum(o.duration or 0.0 for o in orders) / 3600
    parts = {
        "robot": rates.robot_hour * hours,
        "hand_overs": per_minute * rates.minutes_per_handover * sum(o.handed_over for o in orders),
        "approvals": per_minute * rates.minutes_per_approval * sum(o.approvals for o in orders),
        "reopened": per_minute * rates.minutes_per_reopened * sum(o.reopened for o in orders),
        "wrong_items": rates.wrong_item * sum(o.wrong_item for o in orders),
    }
    total = sum(parts.values())
    done = sum(o.delivered and not o.reopened for o in orders)
    return {
        "currency": rates.currency,
        "total": _rounded(total),
        "per_delivered_order": _rounded(total / done) if done else None,
        "parts": {name: _rounded(value) for name, value in parts.items()},
        "rates": rates.model_dump(),
    }


def _before_an_intervention(facts: LedgerFacts) -> dict[str, Any]:
    ended = facts.ended
    interventions = sum(o.intervention for o in ended)
    longest = run = 0
    for order in ended:
        run = 0 if order.intervention else run + 1
        longest = max(longest, run)
    return {
        "orders": len(ended),
        "interventions": interventions,
        "mean": _rounded(len(ended) / interventions) if interventions else None,
        "longest_run": longest,
    }


def _approvals(facts: LedgerFacts) -> dict[str, Any]:
    rows = facts.ledger.rows(
        "SELECT p.asked_at, a.verdict, a.at FROM approvals p LEFT JOIN answers a "
        "ON a.approval = p.id AND a.counted"
    )
    waits = [r["at"] - r["asked_at"] for r in rows if r["verdict"] in ("approved", "denied")]
    return {
        "asked": len(rows),
        "answers": dict(Counter(row["verdict"] or "none yet" for row in rows)),
        "median_wait_s": _rounded(statistics.median(waits)) if waits else None,  # wall time
    }


def _skills(facts: LedgerFacts) -> dict[str, Any]:
    return {
        name: {
            "attempts": sum(each.outcomes.values()),
            "worked": each.outcomes["SUCCEEDED"],
            "failures": {k: n for k, n in each.outcomes.most_common() if k != "SUCCEEDED"},
            "median_duration_s": _rounded(statistics.median(each.durations)),
        }
        for name, each in facts.skills.items()
    }


def _policies(facts: LedgerFacts) -> dict[str, int]:
    missions = facts.ledger.rows("SELECT about FROM missions")
    return dict(Counter(str(json.loads(m["about"]).get("policy", "not said")) for m in missions))


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = wilson_interval(count, of)
    return {
        "count": count,
        "out_of": of,
        "share": _rounded(count / of) if of else None,
        "interval": [_rounded(low), _rounded(high)] if of else None,
    }


def _times(orders: list[OrderFacts]) -> dict[str, float | None]:
    """Of their durations [s]."""
    known = sorted(order.duration for order in orders if order.duration is not None)
    if not known:
        return {"median": None, "mean": None, "p90": None}
    return {
        "median": _rounded(statistics.median(known)),
        "mean": _rounded(statistics.mean(known)),
        "p90": _rounded(known[min(len(known) - 1, int(0.9 * len(known)))]),
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)


FIGURES = named_once(
    Figure(
        key="missions",
        name="missions",
        description="all that were begun",
        compute=lambda facts: facts.count("SELECT COUNT(*) FROM missions"),
    ),
    Figure(
        key="orders",
        name="orders",
        description="all of these missions",
        compute=lambda facts: len(facts.orders),
    ),
    Figure(
        key="not_ended",
        name="orders that have not ended",
        description="they wait, are under way, or their master was killed",
        compute=lambda facts: len(facts.orders) - len(facts.ended),
    ),
    Figure(
        key="delivered",
        name="delivered, as the master says",
        unit="%",
        description="of the orders that have ended",
        compute=lambda facts: _share(len(facts.delivered), len(facts.ended)),
        show=words.share,
    ),
    Figure(
        key="handed_over",
        name="handed over to a person",
        unit="%",
        description="of the orders that have ended",
        compute=lambda facts: _share(len(facts.handed_over), len(facts.ended)),
        show=words.share,
    ),
    Figure(
        key="time_to_resolution_s",
        name="time to resolution",
        unit="s",
        description="ROS time from the first scene of an order to its end, delivered or handed "
        "over",
        compute=lambda facts: _times(facts.resolved),
        show=words.times,
    ),
    Figure(
        key="time_to_deliver_s",
        name="time to deliver",
        unit="s",
        description="the same, of the orders that were delivered",
        compute=lambda facts: _times(facts.delivered),
        show=words.times,
    ),
    Figure(
        key="time_to_hand_over_s",
        name="time to hand over",
        unit="s",
        description="the same, of the orders that were handed over",
        compute=lambda facts: _times(facts.handed_over),
        show=words.times,
    ),
    Figure(
        key="containment",
        name="containment",
        unit="%",
        description="of the orders that could be solved (by the judgement; without any, of all): "
        "those that ended without a hand-over and without an approval",
        compute=_containment,
        show=words.containment,
    ),
    Figure(
        key="handed_over_of_unsolvable",
        name="handed over of what cannot be solved",
        unit="%",
        description="of the resolved orders that could not be solved, by the judgement",
        compute=_handed_over_of_unsolvable,
        show=words.share,
    ),
    Figure(
        key="reopen_rate",
        name="reopened after they counted as delivered",
        unit="%",
        description="of the orders that the master closed as delivered: those that the judgement, "
        "or a person by --reopen, found not done",
        compute=lambda facts: _share(
            sum(order.reopened for order in facts.delivered), len(facts.delivered)
        ),
        show=words.share,
    ),
    Figure(
        key="cost",
        name="cost per delivered order",
        description="time on orders, hand-overs, approvals, reopened orders and wrong items at the "
        "rates below, over the orders delivered for good",
        compute=_cost,
        show=words.cost,
    ),
    Figure(
        key="missions_before_an_intervention",
        name="orders before an intervention",
        unit="orders",
        description="orders that ended over those that needed a hand-over, an approval or were "
        "reopened; and the longest run without one",
        compute=_before_an_intervention,
        show=words.before_an_intervention,
    ),
    Figure(
        key="approvals",
        name="approvals",
        unit="s",
        description="what a person was asked, and the answers that counted; waits are wall time",
        compute=_approvals,
        show=words.approvals,
    ),
    *TROUBLES,
)
BREAKDOWNS = (
    Breakdown(
        key="skills",
        title="Skills",
        description="All attempts, without those that a guardrail or a person stopped.",
        compute=_skills,
        show=words.skill,
    ),
    Breakdown(
        key="failures_by_cause",
        title="Why orders failed",
        description="Orders by the judgement's cause, else by skill and code of the last attempt "
        "that failed.",
        compute=failures_by_cause,
    ),
    Breakdown(
        key="policies",
        title="Policies",
        description="Missions by the master's policy.",
        compute=_policies,
    ),
)
