"""Counts of what should not happen; all of it is in the ledger row by row."""

from collections.abc import Callable

from hrl_bringup.reports.figure import Figure
from hrl_bringup.reports.ledger_facts import LedgerFacts
from hrl_core.outcomes import Code

ERRORS = (
    Code.SENSOR_LOST,
    Code.E_STOP,
    Code.FELL,
    Code.INTERNAL_ERROR,
    Code.CLIENT_LOST,
    Code.BASE_NOT_FOLLOWING,
)
GROUP = "errors_and_violations"


def _skills_that_broke(facts: LedgerFacts) -> int:
    marks = ", ".join("?" * len(ERRORS))
    return facts.count(
        f"SELECT COUNT(*) FROM outcomes WHERE code IN ({marks})", *(int(code) for code in ERRORS)
    )


def _stopped_by_a_guardrail(facts: LedgerFacts) -> int:
    return facts.count(
        "SELECT COUNT(*) FROM outcomes WHERE NOT ran AND NOT EXISTS (SELECT 1 FROM approvals p "
        "WHERE p.mission = outcomes.mission AND p.decision = outcomes.decision)"
    )


def _not_confirmed(facts: LedgerFacts) -> int:
    return facts.count(
        "SELECT COUNT(*) FROM outcomes WHERE code = ? AND NOT check_ok", int(Code.SUCCEEDED)
    )


def _events(kind: str) -> Callable[[LedgerFacts], int]:
    return lambda facts: facts.count("SELECT COUNT(*) FROM events WHERE kind = ?", kind)


TROUBLES = (
    Figure(
        group=GROUP,
        key="skills_that_broke",
        name="skills that broke",
        description="by a lost sensor, a fall, an emergency stop or an internal error",
        compute=_skills_that_broke,
    ),
    Figure(
        group=GROUP,
        key="decisions_stopped_by_a_guardrail",
        name="decisions stopped by a guardrail",
        description="they did not run, and nobody was asked",
        compute=_stopped_by_a_guardrail,
    ),
    Figure(
        group=GROUP,
        key="successes_that_the_master_did_not_confirm",
        name="successes that the master did not confirm",
        description="the skill says that it succeeded, the master's own sensors do not",
        compute=_not_confirmed,
    ),
    Figure(
        group=GROUP,
        key="wrong_items_delivered",
        name="wrong items delivered",
        description="by the judgement",
        compute=lambda facts: sum(order.wrong_item for order in facts.orders),
    ),
    Figure(
        group=GROUP,
        key="contacts_with_people",
        name="contacts with people",
        description="by the judgement; periods of 0.02 s with a contact",
        compute=lambda facts: sum(order.contacts_with_people for order in facts.orders),
    ),
    Figure(
        group=GROUP,
        key="restarts_of_the_master",
        name="restarts of the master",
        description="within a mission",
        compute=lambda facts: facts.count("SELECT COALESCE(SUM(restarts), 0) FROM missions"),
    ),
    Figure(
        group=GROUP,
        key="errors_noted",
        name="errors noted",
        description="events of that kind in the ledger",
        compute=_events("error"),
    ),
    Figure(
        group=GROUP,
        key="violations_noted",
        name="violations noted",
        description="events of that kind in the ledger",
        compute=_events("violation"),
    ),
)
