"""The contract of every skill: what it takes, how it ends, what it makes of a bad system."""

import json
import threading
import time

import pytest

httpx = pytest.importorskip("httpx")  # of requirements/services.txt

from hrl_core.config import ConfigError  # noqa: E402
from hrl_core.errands import (  # noqa: E402
    GOALS,
    NONSENSE,
    NOT_CONFIRMED,
    REFUSED,
    UNREACHABLE,
    BookOut,
    CancelBooking,
    Errand,
    LookUpStock,
    Notify,
    OpenTicket,
    Stock,
    key_of,
)
from hrl_core.outcomes import Code  # noqa: E402
from hrl_systems.client import LARGEST, Client, checked_url  # noqa: E402
from hrl_systems.fake import FakeWarehouse  # noqa: E402
from hrl_systems.skill import GRACE, at_once  # noqa: E402
from hrl_systems.skills import SKILLS  # noqa: E402
from hrl_systems.systems import HttpSystems, in_process  # noqa: E402

LOOK = LookUpStock(item="can")
WRITES = {
    "book_out": BookOut(item="can", from_bin="A2", to_station="packing"),
    "cancel_booking": CancelBooking(booking=key_of("m", 0, "book_out")),
    "open_ticket": OpenTicket(
        title="Handed over: can", summary="s", recommendation="look", evidence={"ä": [1, 2.5]}
    ),
    "notify": Notify(to="packing", subject="can", text="it stands there"),
}


def errand(skill: str, goal=None) -> Errand:
    return Errand(key_of("m", 0, skill), skill, goal or {"look_up_stock": LOOK, **WRITES}[skill])


@pytest.fixture
def warehouse():
    return FakeWarehouse({"can": {"A2": 3, "B1": 2}, "jar": {}})


def do(systems, *errands):
    """The ends of errands, one after the other, each within bounded time."""
    ends = []
    for each in errands:
        systems.begin(each)
        began = time.monotonic()
        while not (found := systems.ended()):
            assert time.monotonic() - began < 20
            time.sleep(0.005)
        ends += found
    return ends


def through(handle, timeout: float = 5.0) -> HttpSystems:
    """Systems whose network is a function."""
    return HttpSystems("http://x", timeout, httpx.MockTransport(handle), at_once)


def test_every_skill_does_its_errand_and_confirms_it_by_a_second_look(warehouse):
    systems = in_process(warehouse.transport())
    names = ["look_up_stock", *WRITES]
    ends = do(systems, *(errand(name) for name in names))
    assert [end.outcome.code for end in ends] == [Code.SUCCEEDED] * 5, ends
    assert all(end.outcome.verdict.confirmed and end.final for end in ends)
    assert isinstance(ends[0].answer, Stock) and ends[0].outcome.verdict.evidence == {"pieces": 5.0}
    assert ends[0].outcome.detail == "can: 3 in A2, 2 in B1"
    assert warehouse.stock["can"]["A2"] == 3  # booked, and taken back
    reads = [call for call in warehouse.calls if call.startswith("GET")]
    assert reads.count("GET bookings") == 2 and reads.count("GET tickets") == 1


@pytest.mark.parametrize("skill", WRITES)
def test_a_repeated_errand_acts_once(warehouse, skill):
    systems = in_process(warehouse.transport())
    before = [errand("book_out")] if skill == "cancel_booking" else []
    ends = do(systems, *before, *[errand(skill)] * 5)
    assert all(end.outcome.succeeded for end in ends)
    assert len(warehouse.bookings) == (skill in ("book_out", "cancel_booking"))
    assert len(warehouse.tickets) + len(warehouse.notifications) == (
        skill in ("open_ticket", "notify")
    )
    assert warehouse.stock["can"]["A2"] == (2 if skill == "book_out" else 3)


def test_a_key_is_good_for_one_request_only(warehouse):
    other = BookOut(item="can", from_bin="B1", to_station="packing")
    first, second = do(
        in_process(warehouse.transport()), errand("book_out"), errand("book_out", other)
    )
    assert first.outcome.succeeded and second.outcome.code is REFUSED
    assert warehouse.stock["can"] == {"A2": 2, "B1": 2}


def test_stock_that_is_not_there_cannot_be_booked_and_no_other_try_would_help(warehouse):
    goal = BookOut(item="jar", from_bin="A2", to_station="packing")
    (end,) = do(in_process(warehouse.transport()), errand("book_out", goal))
    assert end.outcome.code is REFUSED and end.final and "A2 holds 0 jar" in end.outcome.detail


def test_an_item_that_is_out_of_stock_is_known_to_be_nowhere(warehouse):
    jar, nothing = do(
        in_process(warehouse.transport()),
        errand("look_up_stock", LookUpStock(item="jar")),
        errand("look_up_stock", LookUpStock(item="tin")),
    )
    assert jar.answer == Stock(item="jar", places=()) and "none in stock" in jar.outcome.detail
    assert nothing.outcome.code is REFUSED and nothing.answer is None


GOOD = {"item": "can", "places": [{"bin": "A2", "quantity": 3}]}
NONSENSICAL = [
    b"",
    b"<html>",
    b"[" * 100_000,
    b'{"item": "can", "places": [{"bin": "A2", "quantity": NaN}]}',
    json.dumps({**GOOD, "places": [{"bin": "A2", "quantity": -1}]}).encode(),
    json.dumps({**GOOD, "places": [{"bin": "A2", "quantity": True}]}).encode(),
    json.dumps({**GOOD, "places": [{"bin": "A2", "quantity": "3"}]}).encode(),
    json.dumps({**GOOD, "places": [{"bin": "<script>\x1b[2J", "quantity": 1}]}).encode(),
    json.dumps({**GOOD, "places": GOOD["places"] * 2}).encode(),
    json.dumps({**GOOD, "item": "jar"}).encode(),
    json.dumps({**GOOD, "more": 1}).encode(),
    json.dumps({"item": "can"}).encode(),
    b'{"a": "' + b"x" * LARGEST + b'"}',
]


@pytest.mark.parametrize("content", NONSENSICAL, ids=range(len(NONSENSICAL)))
def test_nonsense_is_refused_in_a_printable_sentence(content):
    (end,) = do(
        through(lambda request: httpx.Response(200, content=content)), errand("look_up_stock")
    )
    assert end.outcome.code is NONSENSE and end.answer is None and not end.final
    assert end.outcome.detail.isprintable() and len(end.outcome.detail) < 500


def test_a_stock_that_its_bins_contradict_is_not_believed():
    def handle(request):
        bins = {"bin": "A2", "items": [{"item": "can", "quantity": 1}]}
        return httpx.Response(200, json=GOOD if "stock" in request.url.path else bins)

    (end,) = do(through(handle), errand("look_up_stock"))
    assert end.outcome.code is NOT_CONFIRMED and not end.outcome.verdict.confirmed
    assert "3 can in A2 by the stock, 1 by it" in end.outcome.detail


def test_a_booking_that_is_not_found_again_is_not_confirmed(warehouse):
    real = warehouse.transport()

    def handle(request):
        return httpx.Response(404) if request.method == "GET" else real.handle_request(request)

    (end,) = do(through(handle), errand("book_out"))
    assert end.outcome.code is NOT_CONFIRMED and not end.final


@pytest.mark.parametrize("status", [500, 503, 429, 302, 204])
def test_what_a_status_means(status):
    calls = []

    def handle(request):
        calls.append(request)
        return httpx.Response(status, headers={"location": "http://elsewhere"})

    (end,) = do(through(handle), errand("notify"))
    passes = status in (500, 503, 429)
    assert end.outcome.code is (UNREACHABLE if passes else NONSENSE) and not end.final
    assert len(calls) == (3 if passes else 1)  # bounded tries; nothing is followed elsewhere
    assert len({call.headers["Idempotency-Key"] for call in calls}) == 1


def test_after_a_lost_answer_the_second_try_finds_it_done(warehouse):
    real, lost = warehouse.transport(), []

    def handle(request):
        answer = real.handle_request(request)
        if request.method == "POST" and not lost:
            lost.append(request)
            raise httpx.ReadError("the connection broke")
        return answer

    (end,) = do(through(handle), errand("book_out"))
    assert end.outcome.succeeded and len(warehouse.bookings) == 1
    assert warehouse.stock["can"]["A2"] == 2


def test_a_system_that_does_not_answer_costs_bounded_time_and_blocks_nobody():
    silent = threading.Event()

    def handle(request):
        silent.wait(30)
        raise httpx.ReadError("")

    systems = HttpSystems("http://x", 0.1, httpx.MockTransport(handle))
    began = time.monotonic()
    systems.begin(errand("look_up_stock"))
    assert systems.ended() == [] and time.monotonic() - began < 10  # s, of the 30 that it takes
    (end,) = do_nothing_until(systems)
    assert end.outcome.code is UNREACHABLE and "no end in 0.3 s" in end.outcome.detail
    assert time.monotonic() - began > 0.1 + GRACE
    silent.set()


def do_nothing_until(systems):
    end = time.monotonic() + 20
    while not (found := systems.ended()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return found


def test_a_stopped_errand_ends_and_may_be_tried_again(warehouse):
    real, held, go = warehouse.transport(), threading.Event(), threading.Event()

    def handle(request):
        held.set()
        go.wait(20)
        raise httpx.ConnectError("down")

    systems = HttpSystems("http://x", 5.0, httpx.MockTransport(handle))
    systems.begin(errand("notify"))
    assert held.wait(20)
    systems.close()
    go.set()
    (end,) = do_nothing_until(systems)
    assert end.outcome.code is Code.CANCELED and not end.final
    (again,) = do(HttpSystems("http://x", 5.0, real), errand("notify"))
    assert again.outcome.succeeded and len(warehouse.notifications) == 1


def test_chances_follow_how_tries_went(warehouse):
    systems = in_process(warehouse.transport())
    assert systems.chance("book_out") == 0.5
    do(systems, *[errand("book_out")] * 4)
    assert systems.chance("book_out") == pytest.approx(5 / 6)
    do(broken := through(lambda _: httpx.Response(500)), errand("look_up_stock"))
    assert broken.chance("look_up_stock") == pytest.approx(1 / 3)


@pytest.mark.parametrize("skill", GOALS)
def test_a_skill_takes_only_its_own_goal(skill, warehouse):
    connect = lambda timeout: Client("http://x", timeout, warehouse.transport())  # noqa: E731
    made = SKILLS[skill](GOALS[skill], connect, 1.0, at_once)
    other = next(name for name in GOALS if name != skill)
    with pytest.raises(ConfigError, match=f"{skill} takes a {GOALS[skill].__name__}"):
        made.start(errand(other))
    assert warehouse.calls == []


@pytest.mark.parametrize(
    ("skill", "goal"),
    [
        ("book_out", {"item": "can", "from_bin": "A2", "to_station": "packing", "quantity": 0}),
        ("book_out", {"item": "c\nan", "from_bin": "A2", "to_station": "packing"}),
        ("book_out", {"item": "can", "from_bin": "A2"}),
        ("cancel_booking", {"booking": "../../stock/can"}),
        ("notify", {"to": "packing", "subject": "", "text": "x"}),
        ("open_ticket", {"title": "x" * 5000, "summary": "s", "evidence": {}}),
        ("look_up_stock", {"item": "can", "quantity": 1}),
    ],
)  # fmt: skip
def test_a_goal_that_makes_no_sense_cannot_be_made(skill, goal):
    with pytest.raises(ValueError, match="validation error"):
        GOALS[skill](**goal)


@pytest.mark.parametrize(
    "url", ["", "localhost:8300", "ftp://x", "http://", "http://x:y", "x" * 99]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(
        ConfigError, match="systems = .*: allowed is an address as http://host:8300"
    ):
        checked_url(url)
