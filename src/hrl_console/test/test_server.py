"""The server over plain values: who may do what, from where, and what slow viewers get."""

import asyncio
import json
import re
import ssl
import subprocess

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from hrl_bringup.security.tokens import Tokens
from hrl_console.gateway import SECTIONS
from hrl_console.hub import Hub
from hrl_console.server import PAGE
from hrl_console.serving import Served, access_of
from hrl_core.config import ConfigError
from tests.fake_console import FakeGateway, fake_console

ORDER = {"item": "can", "from_bin": "A2", "to_station": "packing"}


@pytest.fixture(scope="module")
def console():
    with fake_console() as (fake, given, tokens):
        yield fake, given, tokens


@pytest.fixture
def ask(console):
    """ask(person, path, **body) -> the answer; a path alone is a GET."""
    fake, given, _ = console

    def ask(who: str, path: str, origin: str = fake.served.url, host: str = "", **body):
        headers = {"Origin": origin} if origin else {}
        headers |= {"Host": host} if host else {}
        headers |= {"Cookie": f"hrl_console={given.get(who, who)}"} if who else {}
        with httpx.Client(
            base_url=fake.served.url, headers=headers, timeout=30, verify=False
        ) as client:
            return client.post(path, json=body) if body else client.get(path)

    return ask


def live(console, who: str, origin: str | None = ""):
    fake, given, _ = console
    url = fake.served.url
    return connect(
        url.replace("http", "ws") + "/live",
        additional_headers={"Cookie": f"hrl_console={given.get(who, who)}"},
        origin=Origin(url if origin == "" else origin) if origin is not None else None,
    )


@pytest.mark.parametrize(
    ("who", "path", "body", "status"),
    [
        ("", "/api/orders", {"orders": [ORDER]}, 401),
        ("nonsense", "/api/stop", {"x": 1}, 401),
        ("Vic", "/api/orders", {"orders": [ORDER]}, 403),
        ("Vic", "/api/cancel", {"mission": "m"}, 403),
        ("Vic", "/api/answer", {"id": "a", "approve": True}, 403),
        ("Vic", "/api/release", {"x": 1}, 403),
        ("Vic", "/api/stop", {"x": 1}, 200),
        ("Ada", "/api/release", {"x": 1}, 200),
        ("Ada", "/api/orders", {"orders": [ORDER]}, 200),
        ("Ada", "/api/orders", {"orders": []}, 422),
        ("Ada", "/api/orders", {"orders": [{**ORDER, "more": 1}]}, 422),
        ("Ada", "/api/orders", {"orders": [{**ORDER, "item": "x" * 201}]}, 422),
        ("Ada", "/api/orders", {"orders": [ORDER] * 500}, 413),
        ("Ada", "/api/answer", {"id": "a", "approve": False, "comment": " "}, 422),
        ("Ada", "/api/answer", {"id": "a", "approve": True, "signature": "zz"}, 422),
        ("", "/api/picture?camera=camera", {}, 401),
        ("Vic", "/api/picture?camera=camera", {}, 200),
        ("Vic", "/api/picture?camera=/etc/passwd", {}, 404),
    ],
)
def test_everybody_may_do_what_the_roles_say(ask, who, path, body, status):
    answer = ask(who, path, **body)
    assert answer.status_code == status, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_other_pages_and_other_names_of_this_computer_are_refused(console, ask):
    url = console[0].served.url
    port = url.rpartition(":")[2]
    for origin in ("", "null", "http://evil.example", url.replace("http", "https")):
        assert ask("Ada", "/api/stop", origin=origin, x=1).status_code == 403, origin
    assert ask("Ada", "/", host=f"evil.example:{port}").status_code == 403
    assert ask("Ada", "/", host=f"localhost:{port}", origin="").status_code == 200
    for origin in (None, "http://evil.example"):
        with pytest.raises(InvalidStatus):
            live(console, "Ada", origin).close()


def test_the_state_is_for_those_who_are_known_and_ends_with_their_token(console):
    _, given, tokens = console
    with live(console, "nobody") as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(10)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4403
    given["Zoe"] = tokens.make("Zoe", [])
    with live(console, "Zoe") as socket:
        assert set(json.loads(socket.recv(10))) == set(SECTIONS)
        assert set(json.loads(socket.recv(10))) == {"robot"}  # only what has changed
        tokens.remove("Zoe")
        with pytest.raises(ConnectionClosed):
            for _ in range(50):
                socket.recv(10)


def test_the_cookie_is_for_this_page_alone_and_scripts_do_not_see_it(console, ask):
    answer = ask("", "/api/login", token=console[1]["Ada"])
    assert answer.json() == {"name": "Ada", "roles": ["operator", "approver"]}
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said and "samesite=strict" in said
    assert ask("", "/api/login", token="x").status_code == 401


def test_each_state_is_encoded_once_and_slow_viewers_skip(monkeypatch):
    encoded = []
    dumps = json.dumps
    monkeypatch.setattr(
        json, "dumps", lambda value, **o: encoded.append(value) or dumps(value, **o)
    )

    async def run() -> list:
        hub, site, got = Hub(), {"name": "hall"}, []
        await hub.publish({"site": site, "robot": 1})
        quick = [await hub.after(0) for _ in range(5)]
        slow = quick[0]
        for robot in (2, 3, 4):
            await hub.publish({"site": site, "robot": robot})
            quick = [await hub.after(tick) for tick, _ in quick]
            got += [message for _, message in quick]
        assert all(message == quick[0][1] for _, message in quick)
        assert json.loads(quick[0][1]) == {"robot": 4}
        assert json.loads((await hub.after(slow[0]))[1]) == {"site": site, "robot": 4}
        await hub.publish({"site": {"name": "hall"}, "robot": 4})  # the same in other objects
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(hub.after(4), 0.05)
        return got

    assert len(asyncio.run(run())) == 15
    ours = [value for value in encoded if value in (1, 2, 3, 4, {"name": "hall"})]  # not console's
    assert ours == [{"name": "hall"}, 1, 2, 3, 4, {"name": "hall"}]


def test_a_host_that_others_reach_needs_certificate_and_key(tmp_path):
    with pytest.raises(ConfigError, match="reached from other computers.*certificate and key"):
        access_of("0.0.0.0", (), "", "")
    with pytest.raises(ConfigError, match="belong together"):
        access_of("127.0.0.1", (), "c.pem", "")
    with pytest.raises(ConfigError, match="c.pem"):
        Served(FakeGateway(), Tokens(tmp_path / "t"), "127.0.0.1", 0, "c.pem", "k.pem")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += ["-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tokens = Tokens(tmp_path / "tokens.json")
    served = Served(FakeGateway(), tokens, "0.0.0.0", 0, str(certificate), str(key))
    try:
        trusted = ssl.create_default_context(cafile=certificate)
        url = f"https://localhost:{served.url.rpartition(':')[2]}"
        with httpx.Client(base_url=url, verify=trusted, headers={"Origin": url}) as client:
            answer = client.post("/api/login", json={"token": tokens.make("Ada", [])})
        assert answer.status_code == 200 and "secure" in answer.headers["set-cookie"].lower()
    finally:
        served.close()


def test_a_port_that_is_taken_is_a_sentence(console, tmp_path):
    port = int(console[0].served.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"port {port}: .*in use"):
        Served(FakeGateway(), Tokens(tmp_path / "t"), port=port)


def test_the_page_makes_no_html_of_text_and_loads_nothing_from_elsewhere():
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text), (
            file
        )
        assert not re.search(r"(https?:)?//[a-z]", re.sub(r"^\s*//.*$", "", text, flags=re.M)), file
