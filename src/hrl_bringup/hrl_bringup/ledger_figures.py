"""Figures from a ledger: times, containment, reopened orders, costs, errors, causes."""

import json
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from hrl_core.config import Config
from hrl_core.outcomes import Code
from hrl_master.ledger import Ledger
from hrl_training.statistics import wilson_interval

ERRORS = (Code.SENSOR_LOST, Code.E_STOP, Code.FELL, Code.INTERNAL_ERROR)


class Rates(Config):
    """What things cost; see config/rates.yaml."""

    currency: str = "EUR"
    robot_hour: float = Field(ge=0)
    person_hour: float = Field(ge=0)
    minutes_per_handover: float = Field(ge=0)
    minutes_per_approval: float = Field(ge=0)
    minutes_per_reopened: float = Field(ge=0)
    wrong_item: float = Field(ge=0)


@dataclass(frozen=True)
class OrderFacts:
    """One order as the ledger has it."""

    mission: str
    number: int
    code: Code | None  # None: it has not ended
    detail: str
    duration: float | None  # s of ROS time from its begin to its end
    decisions: int
    approvals: int  # that were asked for
    cause: str  # of a failure, in few words; empty: it was delivered
    solvable: bool | None = None  # by the plant's truth; None: not judged
    reopened: bool = False  # it counted as delivered and was not done
    wrong_item: bool = False
    contacts_with_people: int = 0

    @property
    def delivered(self) -> bool:
        return self.code is Code.SUCCEEDED

    @property
    def handed_over(self) -> bool:
        return self.code is Code.HANDED_OVER

    @property
    def intervention(self) -> bool:
        """Whether a person had to do something."""
        return self.handed_over or self.reopened or self.approvals > 0


@dataclass
class SkillFacts:
    """All attempts of a skill."""

    outcomes: Counter = field(default_factory=Counter)  # by code; "not confirmed" by the master
    durations: list[float] = field(default_factory=list)  # s


def order_facts(ledger: Ledger) -> list[OrderFacts]:
    """The orders of a ledger, in the order in which their missions were given."""
    approvals = Counter(
        (row["mission"], row["order_number"])
        for row in ledger.rows(
            "SELECT d.mission, d.order_number FROM approvals p JOIN decisions d "
            "ON d.mission = p.mission AND d.number = p.decision"
        )
    )
    causes = _last_failures(ledger)
    judged = {_key(row): row for row in ledger.rows("SELECT * FROM judgements")}
    reopened = {_key(row) for row in ledger.rows("SELECT * FROM reopened")}
    facts = []
    for row in ledger.rows(
        "SELECT o.* FROM orders o JOIN missions m ON m.id = o.mission "
        "ORDER BY m.began_at, m.id, o.number"
    ):
        key = row["mission"], row["number"]
        judgement = judged.get(key)
        code = None if row["code"] is None else Code(row["code"])
        undone = judgement is not None and not judgement["delivered"]
        back = code is Code.SUCCEEDED and (key in reopened or undone)
        cause = "" if code is Code.SUCCEEDED and not back else causes.get(key, "no attempt failed")
        if judgement is not None and judgement["cause"] and (cause or back):
            cause = judgement["cause"]
        elif code is None:
            cause = "has not ended"
        elif code in (Code.CANCELED, Code.E_STOP, Code.SHUTDOWN):
            cause = code.name
        facts.append(
            OrderFacts(
                mission=key[0],
                number=key[1],
                code=code,
                detail=row["detail"] or "",
                duration=None
                if code is None or row["began"] is None
                else max(0.0, row["ended"] - row["began"]),
                decisions=row["decisions"] or 0,
                approvals=approvals[key],
                cause=cause,
                solvable=None
                if judgement is None or judgement["solvable"] is None
                else bool(judgement["solvable"]),
                reopened=back,
                wrong_item=judgement is not None and bool(judgement["wrong_item"]),
                contacts_with_people=judgement["contacts_with_people"] if judgement else 0,
            )
        )
    return facts


def skill_facts(ledger: Ledger) -> dict[str, SkillFacts]:
    """Attempts by skill, without those that a guardrail or a person stopped."""
    facts: dict[str, SkillFacts] = defaultdict(SkillFacts)
    for row in ledger.rows(
        "SELECT d.skill, d.made, o.ended, o.code, o.check_ok FROM decisions d JOIN outcomes o "
        "ON o.mission = d.mission AND o.decision = d.number WHERE o.ran ORDER BY d.skill"
    ):
        name = Code(row["code"]).name
        if row["code"] == Code.SUCCEEDED and not row["check_ok"]:
            name = "not confirmed"
        facts[row["skill"]].outcomes[name] += 1
        facts[row["skill"]].durations.append(max(0.0, row["ended"] - row["made"]))
    return dict(facts)


def summarise(ledger: Ledger, rates: Rates) -> dict[str, Any]:
    """All figures of the report; times in s, shares with their 95 % interval."""
    orders = order_facts(ledger)
    ended = [o for o in orders if o.code is not None]
    resolved = [o for o in ended if o.delivered or o.handed_over]
    delivered = [o for o in ended if o.delivered]
    judged = any(o.solvable is not None for o in ended)
    solvable = [o for o in resolved if o.solvable] if judged else resolved
    hopeless = [o for o in resolved if o.solvable is False]
    interventions = [o for o in ended if o.intervention]
    return {
        "ledger": str(ledger.path),
        "missions": ledger.rows("SELECT COUNT(*) FROM missions")[0][0],
        "orders": len(orders),
        "not_ended": len(orders) - len(ended),
        "delivered": _share(len(delivered), len(ended)),
        "handed_over": _share(sum(o.handed_over for o in ended), len(ended)),
        "time_to_resolution_s": _times([o.duration for o in resolved]),
        "time_to_deliver_s": _times([o.duration for o in delivered]),
        "time_to_hand_over_s": _times([o.duration for o in resolved if o.handed_over]),
        "containment": {
            **_share(sum(not (o.handed_over or o.approvals) for o in solvable), len(solvable)),
            "of": "orders that could be solved" if judged else "all orders: none was judged",
        },
        "handed_over_of_unsolvable": _share(sum(o.handed_over for o in hopeless), len(hopeless)),
        "reopen_rate": _share(sum(o.reopened for o in delivered), len(delivered)),
        "cost": costs(orders, rates),
        "missions_before_an_intervention": {
            "orders": len(ended),
            "interventions": len(interventions),
            "mean": _rounded(len(ended) / len(interventions)) if interventions else None,
            "longest_run": _longest_run([o.intervention for o in ended]),
        },
        "errors_and_violations": _troubles(ledger, orders),
        "failures_by_cause": dict(Counter(o.cause for o in orders if o.cause).most_common()),
        "skills": {
            name: {
                "attempts": sum(facts.outcomes.values()),
                "worked": facts.outcomes["SUCCEEDED"],
                "failures": {k: n for k, n in facts.outcomes.most_common() if k != "SUCCEEDED"},
                "median_duration_s": _rounded(statistics.median(facts.durations)),
            }
            for name, facts in skill_facts(ledger).items()
        },
        "approvals": _approvals(ledger),
        "policies": dict(
            Counter(
                str(json.loads(row["about"]).get("policy", "not said"))
                for row in ledger.rows("SELECT about FROM missions")
            )
        ),
    }


def costs(orders: list[OrderFacts], rates: Rates) -> dict[str, Any]:
    """What the orders cost in all, by what, and per order that was delivered for good."""
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


def _troubles(ledger: Ledger, orders: list[OrderFacts]) -> dict[str, int]:
    """Counts of what should not happen; all of it is in the ledger row by row."""

    def count(query: str, *values) -> int:
        return ledger.rows(query, *values)[0][0]

    marks = ", ".join("?" * len(ERRORS))
    return {
        "skills_that_broke": count(f"SELECT COUNT(*) FROM outcomes WHERE code IN ({marks})",
                                   *map(int, ERRORS)),
        "decisions_stopped_by_a_guardrail": count(
            "SELECT COUNT(*) FROM outcomes WHERE NOT ran AND NOT EXISTS (SELECT 1 FROM approvals p "
            "WHERE p.mission = outcomes.mission AND p.decision = outcomes.decision)"
        ),
        "successes_that_the_master_did_not_confirm": count(
            "SELECT COUNT(*) FROM outcomes WHERE code = ? AND NOT check_ok", int(Code.SUCCEEDED)
        ),
        "wrong_items_delivered": sum(o.wrong_item for o in orders),
        "contacts_with_people": sum(o.contacts_with_people for o in orders),
        "restarts_of_the_master": count("SELECT COALESCE(SUM(restarts), 0) FROM missions"),
        "errors_noted": count("SELECT COUNT(*) FROM events WHERE kind = 'error'"),
        "violations_noted": count("SELECT COUNT(*) FROM events WHERE kind = 'violation'"),
    }  # fmt: skip


def _approvals(ledger: Ledger) -> dict[str, Any]:
    rows = ledger.rows(
        "SELECT p.asked_at, a.verdict, a.at FROM approvals p LEFT JOIN answers a "
        "ON a.approval = p.id AND a.counted"
    )
    waits = [r["at"] - r["asked_at"] for r in rows if r["verdict"] in ("approved", "denied")]
    return {
        "asked": len(rows),
        "answers": dict(Counter(row["verdict"] or "none yet" for row in rows)),
        "median_wait_s": _rounded(statistics.median(waits)) if waits else None,  # wall time
    }


def _last_failures(ledger: Ledger) -> dict[tuple[str, int], str]:
    """Skill and code of the last attempt of each order that failed."""
    causes = {}
    for row in ledger.rows(
        "SELECT d.mission, d.order_number, d.skill, o.ran, o.code FROM decisions d "
        "JOIN outcomes o ON o.mission = d.mission AND o.decision = d.number "
        "WHERE o.code <> ? OR NOT o.check_ok ORDER BY d.number",
        int(Code.SUCCEEDED),
    ):
        name = Code(row["code"]).name if row["code"] != Code.SUCCEEDED else "not confirmed"
        causes[_key(row)] = f"{row['skill']} {name if row['ran'] else 'stopped before it began'}"
    return causes


def _key(row) -> tuple[str, int]:
    return row["mission"], row["order_number"]


def _longest_run(interventions: list[bool]) -> int:
    """Most orders in a row without an intervention."""
    longest = run = 0
    for intervention in interventions:
        run = 0 if intervention else run + 1
        longest = max(longest, run)
    return longest


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = wilson_interval(count, of)
    return {
        "count": count,
        "out_of": of,
        "share": _rounded(count / of) if of else None,
        "interval": [_rounded(low), _rounded(high)] if of else None,
    }


def _times(durations: list[float | None]) -> dict[str, float | None]:
    known = sorted(d for d in durations if d is not None)
    if not known:
        return {"median": None, "mean": None, "p90": None}
    return {
        "median": _rounded(statistics.median(known)),
        "mean": _rounded(statistics.mean(known)),
        "p90": _rounded(known[min(len(known) - 1, int(0.9 * len(known)))]),
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)
