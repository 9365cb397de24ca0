"""What a ledger knows of orders and skills: what all figures and plots of the report go by."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import Field

from hrl_core.config import Config
from hrl_core.outcomes import Code
from hrl_master.ledger import Ledger


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


@dataclass(frozen=True)
class LedgerFacts:
    """A ledger as figures and plots see it."""

    ledger: Ledger
    rates: Rates

    @cached_property
    def orders(self) -> list[OrderFacts]:
        """In the order in which their missions were given."""
        return order_facts(self.ledger)

    @cached_property
    def skills(self) -> dict[str, SkillFacts]:
        return skill_facts(self.ledger)

    @property
    def ended(self) -> list[OrderFacts]:
        return [order for order in self.orders if order.code is not None]

    @property
    def delivered(self) -> list[OrderFacts]:
        """Those of which the master says so."""
        return [order for order in self.ended if order.delivered]

    @property
    def handed_over(self) -> list[OrderFacts]:
        return [order for order in self.ended if order.handed_over]

    @property
    def resolved(self) -> list[OrderFacts]:
        """Those that were delivered or handed over."""
        return [order for order in self.ended if order.delivered or order.handed_over]

    @property
    def judged(self) -> bool:
        """Whether anybody has said of an order that it could be solved, or not."""
        return any(order.solvable is not None for order in self.ended)

    def count(self, query: str, *values: object) -> int:
        """The one number that a query gives."""
        return self.ledger.rows(query, *values)[0][0]


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
