"""The service as a process: it does once what it is asked twice, and says what it does."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from hrl_core.errands import (
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
from hrl_systems.description import KEY_HEADER, OPERATIONS, shape
from hrl_systems.fake import FakeWarehouse
from hrl_systems.skill import at_once
from hrl_systems.systems import HttpSystems, in_process
from warehouse_system.app import make_app
from warehouse_system.store import Store

BOOK = BookOut(item="can", from_bin="A2", to_station="packing")
BOOKING = key_of("m", 0, "book_out")
GOALS = {
    "look_up_stock": LookUpStock(item="can"),
    "book_out": BOOK,
    "notify": Notify(to="packing", subject="can", text="it stands there"),
    "open_ticket": OpenTicket(
        title="Handed over: can",
        summary="<script>alert(1)</script>'; DROP TABLE stock; --",
        recommendation="Look for can.",
        evidence={"ä": [1, 2.5, None], "tries": [{"what": "grasp"}]},
        pictures={"hand_camera": "/9j/", "camera": "/9j/"},
    ),
    "cancel_booking": CancelBooking(booking=BOOKING),
}


def done(systems: HttpSystems, skill: str, goal=None, order: int = 0):
    systems.begin(Errand(key_of("m", order, skill), skill, goal or GOALS[skill]))
    (end,) = systems.ended()
    return end


def network(url: str) -> HttpSystems:
    return HttpSystems(url, 20.0, run=at_once)


@pytest.mark.slow
def test_the_service_and_its_stand_in_of_trials_answer_alike(warehouse):
    real = network(warehouse.url)
    fake = in_process(FakeWarehouse({"can": {"A2": 30}, "jar": {"B1": 0}}).transport())
    steps = [(skill, goal, 0) for skill, goal in GOALS.items()]
    steps += [("look_up_stock", LookUpStock(item=item), 1) for item in ("can", "jar", "tin")]
    steps += [("book_out", BookOut(item="jar", from_bin="B1", to_station="x"), 1)]
    steps += [("book_out", BookOut(item="can", from_bin="A2", to_station="x"), 0)]  # another's key
    steps += [("cancel_booking", CancelBooking(booking=key_of("other", 0, "book_out")), 2)]
    for skill, goal, order in steps:
        ends = [done(systems, skill, goal, order) for systems in (real, fake)]
        told = [(end.outcome.code, end.outcome.verdict.confirmed, end.answer) for end in ends]
        assert told[0] == told[1], (skill, ends)
    assert warehouse.rows("SELECT quantity FROM stock WHERE item = 'can'") == [(30,)]
    ((summary,),) = warehouse.rows("SELECT summary FROM tickets")
    assert summary == GOALS["open_ticket"].model_dump()["summary"]  # text is data


@pytest.mark.slow
def test_twenty_at_once_with_one_key_act_once(warehouse):
    with ThreadPoolExecutor(20) as threads:
        ends = [*threads.map(lambda _: done(network(warehouse.url), "book_out"), range(20))]
        assert all(end.outcome.succeeded for end in ends), ends
        assert warehouse.rows("SELECT COUNT(*), MIN(quantity) FROM bookings") == [(1, 1)]
        # With keys of their own each acts; the last piece goes once.
        order = iter(range(1, 41))
        ends = [*threads.map(lambda k: done(network(warehouse.url), "book_out", None, k), order)]
    codes = [end.outcome.code for end in ends]
    assert sum(end.outcome.succeeded for end in ends) == 29 and codes.count(REFUSED) == 11
    assert warehouse.rows("SELECT quantity FROM stock WHERE item = 'can'") == [(0,)]
    assert warehouse.rows("SELECT COUNT(*) FROM bookings") == [(30,)]


@pytest.mark.slow
def test_a_key_outlives_the_service_and_a_service_that_is_gone_is_unreachable(warehouse):
    systems = network(warehouse.url)
    assert done(systems, "book_out").outcome.succeeded
    warehouse.kill()
    end = done(systems, "book_out")
    assert end.outcome.code is UNREACHABLE and "(tried 3 times)" in end.outcome.detail
    warehouse.start()
    assert done(systems, "book_out").outcome.succeeded
    assert warehouse.rows("SELECT COUNT(*) FROM bookings") == [(1,)]
    assert done(systems, "look_up_stock").answer == Stock.model_validate(
        {"item": "can", "places": [{"bin": "A2", "quantity": 29}]}
    )
    missing = httpx.post(f"{warehouse.url}/bookings", json=BOOK.model_dump())
    assert missing.status_code == 422 and KEY_HEADER in missing.text


def test_its_description_is_what_the_skills_use(tmp_path):
    document = make_app(Store(tmp_path / "warehouse.sqlite")).openapi()
    schemas, found = document["components"]["schemas"], {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            found[told["operationId"]] = (method.upper(), path, told)
    assert found.keys() == OPERATIONS.keys()
    for name, operation in OPERATIONS.items():
        method, path, told = found[name]
        assert (method, path) == (operation.method, operation.path)
        headers = [p["name"] for p in told.get("parameters", []) if p["in"] == "header"]
        assert headers == ([KEY_HEADER] if operation.changes else []), name
        answer = told["responses"]["201" if operation.changes else "200"]
        pairs = [(operation.answer, answer)]
        assert ("requestBody" in told) == (operation.request is not None)
        if operation.request is not None:
            pairs.append((operation.request, told["requestBody"]))
        for model, part in pairs:
            schema = part["content"]["application/json"]["schema"]
            ours = model.model_json_schema()
            assert shape(schema, schemas) == shape(ours, ours.get("$defs", {})), (name, model)
