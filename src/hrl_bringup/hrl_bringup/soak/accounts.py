"""What came of the missions of a soak: by the ledger, and by the plant's truth."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hrl_core.outcomes import Code
from hrl_master.ledger import DELIVERED, Ledger
from hrl_sim_bridge.judging.judge import Judgement
from hrl_training.trials.summary import FORCE_LIMIT


@dataclass(frozen=True)
class OrderAccount:
    """One order. `end`: name of its code in the ledger; empty: it was lost."""

    item: str
    to_station: str
    end: str
    detail: str
    delivered: bool  # by the plant's truth
    places: int  # how often it was put down, as the master checked
    grasped_again: bool  # by the plant's truth: it was held after it counted as delivered

    @property
    def lost(self) -> bool:
        return not self.end

    @property
    def doubled(self) -> bool:
        return self.places > 1 or self.grasped_again

    @property
    def false(self) -> bool:
        return self.end == Code.SUCCEEDED.name and not self.delivered


@dataclass(frozen=True)
class MissionAccount:
    """One mission with what went wrong while it ran. Times in s."""

    mission: str
    seed: int
    orders: tuple[OrderAccount, ...]
    accepted_twice: int  # how often it was accepted when it was sent again
    troubles: tuple[str, ...]
    contacts: Mapping[str, float]  # what the robot bumped into -> largest force N
    contacts_with_people: int  # periods of 0.02 s
    lockstep_misses: int  # ticks for which the plant waited in vain for a node
    simulated_s: float
    wall_s: float

    @property
    def hard_contacts(self) -> list[str]:
        """Things, not people, that it pressed on too hard."""
        pressed = [name for name, force in self.contacts.items() if force > FORCE_LIMIT]
        return [name for name in pressed if not of_person(name)]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def of_person(contact: str) -> bool:
    return "- person/" in contact


def order_accounts(
    ledger: Ledger,
    mission: str,
    judgements: Sequence[Judgement],
    items: Sequence[tuple[str, str]],
    grasped_again: Collection[str],
) -> tuple[OrderAccount, ...]:
    """The orders of a mission, (item, station) as they were given, whatever the ledger knows.

    judgements: of these orders, at the end of the mission.
    """
    ends = {
        row["number"]: row
        for row in ledger.rows(
            "SELECT o.number, o.code, o.detail, (SELECT MAX(r.why) FROM reopened r WHERE "
            "r.mission = o.mission AND r.order_number = o.number) AS fallen, "
            "(SELECT COUNT(*) FROM decisions d JOIN outcomes x ON x.mission = d.mission AND "
            "x.decision = d.number WHERE d.mission = o.mission AND d.order_number = o.number "
            "AND d.skill = 'place' AND d.purpose = '' AND x.check_ok) AS places "
            "FROM orders o WHERE o.mission = ?",
            mission,
        )
    }
    accounts = []
    for number, ((item, station), judged) in enumerate(zip(items, judgements, strict=True)):
        row = ends.get(number)
        end = detail = ""
        if row is not None and row["code"] is not None:
            end, detail = Code(row["code"]).name, row["detail"] or ""
            if row["code"] == DELIVERED and row["fallen"] is not None:
                end, detail = Code.HANDED_OVER.name, row["fallen"]
        accounts.append(
            OrderAccount(
                item,
                station,
                end,
                detail,
                judged.delivered,
                0 if row is None else row["places"],
                item in grasped_again,
            )
        )
    return tuple(accounts)


def totals(missions: Sequence[MissionAccount]) -> dict[str, Any]:
    """Figures of all missions together."""
    orders = [order for mission in missions for order in mission.orders]
    return {
        "missions": len(missions),
        "orders": len(orders),
        "ends": dict(Counter(order.end or "LOST" for order in orders).most_common()),
        "delivered": sum(order.delivered for order in orders),
        "lost": sum(order.lost for order in orders),
        "doubled": sum(order.doubled for order in orders),
        "accepted_twice": sum(mission.accepted_twice for mission in missions),
        "false": sum(order.false for order in orders),
        "missions_with_contacts_with_people": sum(
            mission.contacts_with_people > 0 for mission in missions
        ),
        "hard_contacts": sum(len(mission.hard_contacts) for mission in missions),
        "lockstep_misses": sum(mission.lockstep_misses for mission in missions),
        "simulated_s": round(sum(mission.simulated_s for mission in missions), 1),
        "wall_s": round(sum(mission.wall_s for mission in missions), 1),
    }
