"""Which order is next, by hand; and orders that come later, in a ledger whose master is killed."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.ledger import Ledger
from hrl_master.mission import Mission
from hrl_master.orders import Order, OrderState
from hrl_master.recovery import restore
from hrl_master.sequence import LATE, SEQUENCES, OrderSequence
from tests.file_world import SITE, World

HERE = np.zeros(2)


class Line:
    """Bins are whole metres from the start; every station stands at 0; a metre takes a second."""

    def seconds(self, order, start):
        return 2.0 * int(order.from_bin)


def waiting(*orders: Order) -> dict[int, OrderState]:
    return {number: OrderState(order) for number, order in enumerate(orders)}


def far(metres: int, priority: int = 0, due: float = 0.0) -> Order:
    return Order(f"item{metres}", str(metres), "table", priority=priority, due=due)


@pytest.mark.parametrize(
    ("name", "first"),
    [("first_come", 0), ("nearest", 1), ("priority", 3), ("due", 2), ("planned", 2)],
)
def test_every_rule_has_its_own_next_order(name, first):
    orders = waiting(far(9), far(1), far(6, due=13.0), far(4, 2), far(5, 2))
    assert OrderSequence(name, Line()).next(orders, HERE, 0.0) == first
    assert OrderSequence(name, Line()).next(orders, None, 0.0) == 0  # it does not know where it is


def test_an_unknown_rule_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="sequence = 'fastest': allowed are .*planned"):
        OrderSequence("fastest", Line())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.sampled_from([0, 5]), st.sampled_from([0.0, 20.0, 60.0])),
        min_size=1,
        max_size=5,
    )
)
def test_a_plan_is_as_good_as_the_best_of_all_sequences(drawn):
    orders = waiting(*(far(*each) for each in drawn))
    sequence, left, plan = OrderSequence("planned", Line()), dict(orders), []
    time = 0.0
    while left:
        plan.append(sequence.next(left, HERE, time))
        time += Line().seconds(left.pop(plan[-1]).order, HERE)

    def cost(numbers):
        time, total = 0.0, 0.0
        for order in (orders[k].order for k in numbers):
            time += Line().seconds(order, HERE)
            total += order.weight * (time + LATE * (bool(order.due) and time > order.due))
        return total

    assert sorted(plan) == sorted(orders)
    assert cost(plan) == pytest.approx(min(cost(each) for each in permutations(orders)))


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_every_rule_takes_each_order_once(drawn):
    for name in SEQUENCES:
        left = waiting(*(far(*each) for each in drawn))
        while left:
            del left[OrderSequence(name, Line()).next(left, HERE, 0.0)]


# In a mission


def make(ledger, orders=(), restored=None, **config):
    master, guardrails = MasterConfig(**config), Guardrails(SITE, GuardrailConfig())
    decider = make_decider(SITE, master, guardrails)
    return Mission(orders, decider, guardrails, master, id="m", ledger=ledger, restored=restored)


CAN = Order("can", "A2", "packing", "first", due=4.0)
SOON = Order("box_small", "A1", "packing", "second", priority=5, due=900.0)


def run_until(mission: Mission, world: World, skill: str) -> None:
    """Up to the first decision of a skill, which is not run."""
    while (decision := mission.next_decision(scene := world.scene())) is not None:
        if decision.skill == skill:
            return
        mission.report(decision, world.run(decision), scene, world.scene())


@pytest.mark.parametrize("killed_at", ["walk", "place"])
def test_orders_that_came_later_outlive_their_master(tmp_path, killed_at):
    world = World(tmp_path / "world")
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        mission = make(ledger, [Order("jar", "B1", "packing"), CAN], sequence="due")
        run_until(mission, world, killed_at)
        assert mission.state.order == CAN  # due first, and number 1
        with pytest.raises(ConfigError, match="orders 1 and 2 both want 'can'"):
            mission.add([replace(CAN, id="third")], 2.0)
        assert mission.add([SOON], 2.0) == [2]
        assert ledger.verify().fault == ""
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        restored = restore(ledger, "m")
        assert restored.orders[1:] == [CAN, SOON] and restored.states[2].given == 2.0
        again = make(ledger, restored=restored, sequence="priority")
        assert again.state.order == CAN  # it goes on where it was, whatever the rule says now
        again.end_as([(Code.CANCELED, "a"), (Code.HANDED_OVER, "b"), (Code.SUCCEEDED, "c")])
        assert [(end.order.item, end.detail) for end in again.results] == [
            ("jar", "a"), ("can", "b"), ("box_small", "c")
        ]  # fmt: skip
        assert [end.lateness for end in again.results][0] is None
        assert again.results[2].lateness == again.results[2].ended - 900.0
        assert again.results[2].completion == again.results[2].ended - 2.0
        rows = ledger.rows("SELECT * FROM orders ORDER BY number")
        assert [(row["priority"], row["due"], row["detail"]) for row in rows] == [
            (None, None, "a"), (None, 4.0, "b"), (5, 900.0, "c")
        ]  # fmt: skip
        assert ledger.verify().fault == "" and ledger.unfinished() == []


def test_an_order_for_a_mission_whose_orders_have_ended_opens_it_again(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        mission = make(ledger, [CAN])
        mission.cancel(Code.CANCELED, "over")
        assert mission.finished and mission.add([SOON], 3.0) == [1] and not mission.finished
        (row,) = ledger.rows("SELECT * FROM missions")
        assert row["ended_at"] is None
        assert mission.next_decision(World(tmp_path / "world").scene()) is not None
        assert mission.state.order == SOON
