"""What systems are to do: taken down with what it follows from, owed until done, done once."""

import json
import sqlite3
from collections import deque
from contextlib import closing
from dataclasses import replace

import pytest

from hrl_core.errands import (
    NONSENSE,
    REFUSED,
    UNREACHABLE,
    Errand,
    ErrandEnd,
    OpenTicket,
    Stock,
    StockPlace,
    key_of,
)
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import make_decider
from hrl_master.errands import RETRY, Errands
from hrl_master.guardrails import Guardrails
from hrl_master.handover import make_package
from hrl_master.ledger import Ledger
from hrl_master.mission import Mission
from hrl_master.orders import Order, OrderState
from hrl_master.scene import Seen
from tests.file_world import SITE, World

ORDER = Order("can", "A2", "packing", "1")
DONE = Outcome(Code.SUCCEEDED, "done", Verdict(True, "read back"))


def item_at(face: str) -> Seen:
    """An item that stands in the middle of a bin."""
    frame = SITE.face(face).copy()
    frame[:3, 3] += frame[:3, :3] @ [-0.1, 0.0, 0.15]
    return Seen("item", frame, 0.1, 0.9)


def failure(code: Code) -> Outcome:
    return Outcome(code, f"it failed with {code.name}", Verdict(False, "no"))


class Systems:
    """Answers at once with what is planned, else that it is done; `begun`: every try."""

    def __init__(self, *stock: tuple[str, int]):
        self.begun: list[Errand] = []
        self.planned: deque[Outcome] = deque()
        self._stock = tuple(StockPlace(bin=name, quantity=n) for name, n in stock)
        self._ends: list[ErrandEnd] = []
        self.late = False  # answers are under way

    def begin(self, errand):
        self.begun.append(errand)
        outcome = self.planned.popleft() if self.planned else DONE
        answer = None
        if errand.skill == "look_up_stock" and outcome is DONE:
            answer = Stock(item=errand.goal.item, places=self._stock)
        self._ends.append(ErrandEnd(errand, outcome, answer))

    def ended(self):
        if self.late:
            return []
        ends, self._ends = self._ends, []
        return ends

    def chance(self, skill):
        return 0.75

    def close(self):
        pass

    @property
    def skills(self) -> list[str]:
        return [errand.skill for errand in self.begun]


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        yield ledger


@pytest.fixture
def clock():
    """Seconds that a test lets go by."""
    return [0.0]


def make(ledger, systems, clock=None, orders=(ORDER,), **config):
    """A mission and its errands."""
    master, guardrails = MasterConfig(**config), Guardrails(SITE, GuardrailConfig())
    errands = Errands(systems, ledger, SITE, master, (lambda: clock[0]) if clock else lambda: 0.0)
    decider = make_decider(SITE, master, guardrails)
    return Mission(
        orders, decider, guardrails, master, id="m", ledger=ledger, errands=errands
    ), errands


def work_off(mission, world, orders: int = 9) -> None:
    """Until it has ended, or so many orders have."""
    while (decision := mission.next_decision(scene := world.scene())) is not None:
        if len(mission.results) == orders:
            return
        mission.report(decision, world.run(decision), scene, world.scene())


def rows(ledger, what="e.skill, d.code"):
    return [tuple(row) for row in ledger.rows(
        f"SELECT {what} FROM errands e LEFT JOIN errand_ends d ON d.errand = e.key ORDER BY e.rowid"
    )]  # fmt: skip


def events(ledger) -> list[str]:
    return [row["detail"] for row in ledger.rows("SELECT detail FROM events ORDER BY rowid")]


def test_a_delivered_order_is_booked_out_and_told_once(ledger, tmp_path):
    mission, errands = make(ledger, systems := Systems(("A2", 3)))
    work_off(mission, World(tmp_path / "world"))
    assert systems.skills == ["look_up_stock"]  # what changes something waits for the ledger
    errands.finish()
    errands.finish()
    assert systems.skills == ["look_up_stock", "book_out", "notify"] and errands.owed == 0
    assert rows(ledger) == [("look_up_stock", 1), ("book_out", 1), ("notify", 1)]
    booking = systems.begun[1]
    assert booking.key == key_of("m", 0, "book_out")
    assert booking.goal.model_dump() == {
        "item": "can", "from_bin": "A2", "to_station": "packing", "quantity": 1
    }  # fmt: skip
    (row,) = ledger.rows("SELECT * FROM errands WHERE skill = 'book_out'")
    assert (row["tier"], row["chance"]) == (2, 0.75)
    answer = ledger.rows("SELECT answer FROM errand_ends ORDER BY rowid")[0]["answer"]
    assert json.loads(answer)["places"] == [{"bin": "A2", "quantity": 3}]
    assert ledger.verify().fault == ""


def test_a_hand_over_becomes_a_ticket_with_its_evidence_and_its_pictures(ledger):
    mission, errands = make(ledger, systems := Systems())
    mission.give_up("the way is closed")
    assert mission.next_decision(World(ledger.path.with_name("none")).scene()) is None
    assert not errands.look(held=True)  # while the pictures are taken
    ledger.picture("m", "hand_camera", 1.0, b"\xff\xd8\xff", order=0)
    errands.finish()
    (ticket,) = [each.goal for each in systems.begun if each.skill == "open_ticket"]
    assert isinstance(ticket, OpenTicket)
    assert ticket.title == "Handed over: can for packing" and "the way is closed" in ticket.summary
    assert ticket.evidence["reason"] == "the way is closed"
    assert ticket.pictures == {"hand_camera": "/9j/"}
    assert rows(ledger) == [("look_up_stock", 1), ("open_ticket", 1)]


@pytest.mark.parametrize("by", ["master", "Ada"])
def test_an_order_that_was_not_done_after_all_has_its_booking_taken_back(ledger, tmp_path, by):
    mission, errands = make(ledger, systems := Systems())
    work_off(mission, World(tmp_path / "world"))
    ledger.reopen("m", 0, by, "it lies on the floor")
    errands.finish()
    assert systems.skills == ["look_up_stock", "book_out", "notify", "cancel_booking"]
    assert systems.begun[-1].goal.model_dump() == {"booking": systems.begun[1].key}


def test_an_item_that_falls_after_its_delivery_brings_a_ticket_and_the_booking_back(
    ledger, tmp_path
):
    orders = [ORDER, Order("jar", "B1", "packing", "2")]
    mission, errands = make(ledger, systems := Systems(), orders=orders)
    world = World(tmp_path / "world")
    work_off(mission, world, orders=1)
    mission._take_back({0: "can was delivered, but it is seen on the floor now"}, world.scene())
    mission.settle()
    errands.finish()
    assert systems.skills[2:] == ["book_out", "notify", "cancel_booking", "open_ticket"]
    ticket = systems.begun[-1].goal
    assert isinstance(ticket, OpenTicket)
    assert str(ticket.evidence["reason"]).endswith("on the floor now")


@pytest.mark.parametrize(("together", "taken_back"), [(True, 1), (False, 0)])
def test_orders_that_belong_together_are_taken_back_together(
    ledger, tmp_path, together, taken_back
):
    orders = [ORDER, Order("jar", "B1", "packing", "2")]
    mission, errands = make(ledger, systems := Systems(), orders=orders, book_together=together)
    world = World(tmp_path / "world")
    work_off(mission, world, orders=1)
    mission.cancel(Code.CANCELED, "cancelled by the client")
    errands.finish()
    assert systems.skills.count("cancel_booking") == taken_back
    assert systems.skills.count("book_out") == 1


def test_what_a_system_cannot_do_is_owed_tried_later_and_said_once(ledger, tmp_path, clock):
    mission, errands = make(ledger, systems := Systems(), clock)
    work_off(mission, World(tmp_path / "world"))
    systems.planned += [failure(UNREACHABLE), failure(NONSENSE)]
    for _ in range(20):
        errands.look()
    assert systems.skills.count("book_out") == 1 and errands.owed == 2
    assert "SYSTEM_UNREACHABLE" in errands.fault
    clock[0] += RETRY
    for _ in range(20):
        errands.look()
    assert systems.skills[1:] == ["book_out", "book_out"]  # in their order: notify waits
    clock[0] += RETRY
    errands.finish()
    assert systems.skills[1:] == ["book_out"] * 3 + ["notify"] and errands.fault == ""
    assert len({each.key for each in systems.begun[1:4]}) == 1
    assert rows(ledger)[1:] == [("book_out", 1), ("notify", 1)]
    assert events(ledger) == ["system: it failed with SYSTEM_UNREACHABLE"]


def test_what_fails_by_itself_holds_up_its_own_order_only(ledger, tmp_path):
    orders = [ORDER, Order("jar", "B1", "packing", "2")]
    mission, errands = make(ledger, systems := Systems(), orders=orders)
    world = World(tmp_path / "world")
    work_off(mission, world, orders=1)
    mission.give_up("the way is closed")
    mission.next_decision(world.scene())
    systems.planned.append(failure(NONSENSE))
    errands.finish()
    assert systems.skills[2:] == ["book_out", "open_ticket"] and errands.owed == 2


def test_what_is_refused_for_good_is_left_to_a_person(ledger, tmp_path):
    mission, errands = make(ledger, systems := Systems())
    work_off(mission, World(tmp_path / "world"))
    systems.planned.append(failure(REFUSED))
    errands.finish()
    assert rows(ledger)[1:] == [("book_out", REFUSED), ("notify", 1)] and errands.owed == 0
    assert events(ledger) == ["a person has to see to it failed with SYSTEM_REFUSED"]


def test_after_a_restart_what_is_owed_is_done_by_its_key(ledger, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("hrl_master.ledger.process_name", lambda: "this 1 gone")
        mission, _ = make(ledger, first := Systems())
        work_off(mission, World(tmp_path / "world"))
    errands = Errands(second := Systems(), ledger, SITE, MasterConfig())
    errands.finish()
    assert first.skills == ["look_up_stock"]  # which is nobody's any more
    assert second.skills == ["book_out", "notify"]
    assert second.begun[0].key == key_of("m", 0, "book_out")


def test_what_another_living_master_owes_is_not_ours(ledger, tmp_path, monkeypatch):
    mission, _ = make(ledger, Systems())
    work_off(mission, World(tmp_path / "world"))
    monkeypatch.setattr("hrl_master.ledger_errands.process_name", lambda: "another living process")
    monkeypatch.setattr("hrl_master.ledger_errands.is_alive", lambda process: True)
    assert ledger.owed_errands() == []


def test_a_tier_that_a_person_has_to_approve_is_not_done(ledger, tmp_path):
    tiers = ("book_out=3", "look_up_stock=3", "walk=1", "approach=1")
    mission, errands = make(ledger, systems := Systems(("B1", 1)), risk_tiers=tiers)
    work_off(mission, World(tmp_path / "world"))
    errands.finish()
    assert systems.skills == ["notify"]
    assert rows(ledger)[1:] == [("book_out", Code.NOT_READY), ("notify", 1)]
    assert "book_out: risk tier 3, which a person has to approve" in events(ledger)[0]


def test_a_locked_ledger_holds_nothing_up_and_loses_no_end(ledger, tmp_path):
    mission, errands = make(ledger, systems := Systems())
    work_off(mission, World(tmp_path / "world"))
    systems.late = True
    assert errands.look() and systems.skills[-1] == "book_out"
    systems.late = False
    ledger._patience = 0.0
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not errands.look() and rows(ledger)[1] == ("book_out", None)
    errands.finish()
    assert systems.skills.count("book_out") == 1 and rows(ledger)[1] == ("book_out", 1)


# The stock


@pytest.mark.parametrize(
    ("stock", "first"),
    [
        ((("C2", 4),), "C2"),
        ((("A2", 1), ("C2", 4)), "A2"),  # the order's bin, where the stock has it there, too
        ((("C2", 0),), "A2"),
        ((), "A2"),
        ((("nowhere", 4),), "A2"),
        ((("nowhere", 4), ("C2", 1)), "C2"),
    ],
)
def test_the_bin_of_the_stock_comes_first(ledger, tmp_path, stock, first):
    mission, errands = make(ledger, Systems(*stock))
    scene = World(tmp_path / "world").scene()
    decision = mission.next_decision(scene)
    assert decision is not None and decision.face == first
    assert ("the stock system has can in C2" in decision.reason) == (first == "C2")
    errands.finish()
    odd = [name for name, _ in stock if name not in SITE.bins]
    assert ["does not have" in told for told in events(ledger)] == [True] * len(odd)


def look_at(tale, face, **stock):
    """The robot looks at a bin and sees no item there; what is decided then."""
    tale.change(seen={face: Seen("bin", SITE.face(face), 0.1, 1.0)})
    return tale.decider.decide(replace(tale.decider.observe(tale.scene), **stock))


def test_a_wrong_stock_costs_a_look_and_the_orders_bin_comes_next(story):
    tale = story()
    assert tale.ask().face == "A2"
    first = tale.decider.decide(replace(tale.decider.observe(tale.scene), stock=("C2",)))
    assert first.face == "C2"
    tale.change(map_from_base=SITE.pose_in_front("C2", SITE.staging))
    decision = look_at(tale, "C2", stock=("C2",))
    assert decision.skill == "walk" and decision.face == "A2", decision.reason


def test_what_is_seen_wins_over_what_the_stock_says(story):
    tale = story()
    tale.change(seen={"can": item_at("B1")})
    decision = tale.decider.decide(replace(tale.decider.observe(tale.scene), stock=("C2",)))
    assert decision.face == "B1" and "was seen at B1" in decision.reason


@pytest.mark.parametrize(("limit", "ends"), [(1, True), (99, False)])
def test_where_there_is_none_the_search_ends_as_the_parameter_says(story, limit, ends):
    tale = story(bins_if_none=limit)
    tale.change(map_from_base=SITE.pose_in_front("A2", SITE.staging))
    decision = look_at(tale, "A2", stock=())
    assert (decision.skill == "hand_over") == ends, decision.reason
    assert ("the stock system has none" in decision.reason) == ends
    assert look_at(tale, "A2", stock=None).skill != "hand_over"


def test_an_answer_is_waited_for_once_and_not_where_the_system_has_a_fault(ledger):
    systems = Systems(("C2", 1))
    systems.late = True
    mission, errands = make(ledger, systems)
    assert errands.awaits and errands.stock("m", 0) is None
    errands.wait_no_more()
    assert not errands.awaits
    systems.late = False
    assert errands.stock("m", 0) == ("C2",)  # it came late, and is used
    systems.planned.append(failure(UNREACHABLE))
    errands.look_up("other", 0, OrderState(ORDER))
    assert not errands.awaits and errands.fault  # has ended
    systems.late = True
    errands.look_up("third", 0, OrderState(ORDER))
    assert not errands.awaits  # costs nothing while the fault lasts


def test_names_that_no_system_takes_are_left_to_a_person(ledger):
    mission, errands = make(ledger, systems := Systems())
    state = OrderState(Order("ca\nn", "A2", "packing"))
    assert errands.look_up("m", 0, state) == []
    package = make_package("m", 0, state, "why", 1.0, None)
    assert errands.ticket(package)  # its title is text
    errands.look()
    assert "look_up_stock 'ca\\nn' is left to a person: item = " in events(ledger)[0]


def test_what_was_to_be_done_cannot_be_changed_afterwards(ledger, tmp_path):
    mission, errands = make(ledger, Systems())
    work_off(mission, World(tmp_path / "world"))
    errands.finish()
    with closing(sqlite3.connect(ledger.path)) as other:
        for statement in ("UPDATE errands SET goal = '{}'", "DELETE FROM errand_ends"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)
