"""A real master with the example warehouse system, which is killed and started again."""

import socket

import pytest

pytest.importorskip("fastapi")  # of requirements/services.txt

from hrl_core import topics  # noqa: E402
from hrl_core.outcomes import Code  # noqa: E402
from tests.ros.helpers import wait_for  # noqa: E402
from tests.ros.master_site import MasterSite  # noqa: E402
from tests.warehouse import Warehouse  # noqa: E402


@pytest.fixture
def site(probe, start_node, tmp_path):
    site = MasterSite(probe, start_node, tmp_path)
    yield site
    site.close()


def test_a_master_looks_up_the_stock_and_what_it_owes_outlives_both(site, tmp_path, listen):
    diagnostics = listen(topics.DIAGNOSTICS)

    def said(value: str, key: str = "fault systems") -> bool:
        return any(
            pair.key == key and value in pair.value
            for message in list(diagnostics.messages)
            for status in message.status
            for pair in status.values
        )

    stock = "stock: [{item: can, bin: A2, quantity: 3}]\n"
    with Warehouse(tmp_path, stock) as warehouse:
        master = site.start_master(systems=warehouse.url, systems_timeout=20.0)
        site.skills.held.add("place")
        assert site.send("m").accepted
        wait_for(lambda: "place" in site.skills.begun, "the place", 60)
        (look,) = site.rows("SELECT * FROM errand_ends")
        assert look["code"] == Code.SUCCEEDED and look["verdict"] == "can: 3 in A2"
        warehouse.kill()
        site.skills.let_go("place")
        assert site.ended("m") == (Code.SUCCEEDED, "delivered and checked")
        wait_for(lambda: said("book_out: cannot be reached"), "diagnostics to say so", 60)
        master.kill()
        master.process.returncode = 0
        warehouse.start()
        site.start_master(systems=warehouse.url)
        done = "SELECT skill FROM errands JOIN errand_ends ON errand = key WHERE code = 1"
        wait_for(lambda: len(site.rows(done)) == 3, "what is owed to be done", 60)
        assert warehouse.rows("SELECT from_bin, to_station FROM bookings") == [("A2", "packing")]
        assert warehouse.rows("SELECT quantity FROM stock") == [(2,)]


def test_a_system_that_never_answers_costs_its_time_out_once(site):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        master = site.start_master(systems=url, systems_timeout=0.5)
        assert site.send("m").accepted
        assert site.ended("m") == (Code.SUCCEEDED, "delivered and checked"), master.output
    (event,) = site.rows("SELECT detail FROM events")  # said once
    assert "look_up_stock: no" in event["detail"]  # answer within 0.5 s, or end in 0.7 s
    ends = site.rows("SELECT answer, skill FROM errand_ends JOIN errands ON key = errand")
    assert [tuple(row) for row in ends] == [(None, "look_up_stock")]


def test_an_address_that_is_none_ends_the_master_with_a_sentence(start_node, tmp_path):
    master = start_node(
        "hrl_master.ros.master_node", "master", ledger=tmp_path / "l", systems="here"
    )
    assert master.process.wait(120) == 2
    assert "systems = 'here': allowed is an address as http://host:8300" in master.output
