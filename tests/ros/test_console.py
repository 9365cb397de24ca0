"""The console beside real nodes: what people do there, and what is lost where one is killed."""

import contextlib
import json
import socket
import threading

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from hrl_core import topics
from hrl_core.config import config_dir
from hrl_core.outcomes import Code
from hrl_core.ros.convert import people_msg
from hrl_msgs.msg import Rejection
from tests.foxglove_layout import topics_of
from tests.ros.helpers import wait_for
from tests.ros.master_site import BIN, ITEM, STATION, MasterSite

ASKS = {"risk_tiers": f"['grasp:{BIN}=3']", "approval_timeout": 120.0}
ORDER = {"item": ITEM, "from_bin": BIN, "to_station": STATION}


class Browser:
    """One who is logged in: what a page asks and hears."""

    def __init__(self, url: str, token: str):
        self.client = httpx.Client(base_url=url, headers={"Origin": url}, timeout=60, verify=False)
        assert self.post("login", token=token).status_code == 200
        cookie = f"hrl_console={self.client.cookies['hrl_console']}"
        self.state: dict = {}
        self._open = contextlib.ExitStack()
        self._socket = self._open.enter_context(
            connect(
                url.replace("http", "ws") + "/live",
                additional_headers={"Cookie": cookie},
                origin=Origin(url),
            )
        )
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in self._socket:
                self.state |= json.loads(message)

    def post(self, path: str, **body) -> httpx.Response:
        return self.client.post(f"/api/{path}", json=body)

    def wait(self, condition, what: str, timeout: float = 60.0):
        return wait_for(lambda: self.state and condition(self.state), what, timeout)

    def close(self) -> None:
        self._open.close()
        self._thread.join(10)
        self.client.close()


@pytest.fixture(scope="module")
def site(probe, start_node_for_module, tmp_path_factory):
    """Robot and skills; a grasp in the order's bin needs an approval."""
    site = MasterSite(probe, start_node_for_module, tmp_path_factory.mktemp("console"))
    yield site
    site.close()


@pytest.fixture(scope="module")
def console(site, start_node_for_module, tmp_path_factory):
    """start() -> a console on the site's ledger, and browsers of two approvers."""
    from hrl_bringup.security.tokens import Tokens

    tokens = Tokens(tmp_path_factory.mktemp("tokens") / "tokens.json")
    given = {name: tokens.make(name, ("operator", "approver")) for name in ("Ada", "Bob")}
    opened: list[Browser] = []

    def start():
        node = start_node_for_module(
            "hrl_console.ros.console_node", "console",
            ledger=site.ledger, tokens=tokens.path, port=0,
        )  # fmt: skip

        def url() -> str:
            assert node.process.poll() is None, node.output
            return node.output.partition("the console is at ")[2].partition("\n")[0]

        address = wait_for(url, "the console", 120)
        opened.extend(Browser(address, token) for token in given.values())
        return node, *opened[-2:]

    yield start
    for browser in opened:
        browser.close()


def kill(node) -> None:
    """End a node the hard way; its end is no fault of the test."""
    node.kill()
    node.process.returncode = 0


def pending(state) -> list[dict]:
    return [each for each in state.get("approvals", []) if each["state"] == "pending"]


def mission(state, id: str) -> dict:
    """As the page shows it; empty: it is not there."""
    return next((m for m in state.get("missions", {"list": []})["list"] if m["id"] == id), {})


def test_what_people_do_is_done_once_written_down_and_survives_master_and_console(
    site, console, publish
):
    site.begin()
    site.skills.held.add("grasp")
    master = site.start_master(**ASKS)
    node, ada, bob = console()
    # Two orders: one runs, one waits for its turn in the ledger.
    ada.wait(lambda s: s.get("robot", {}).get("pose"), "the robot")
    publish(topics.PEOPLE, people_msg(np.array([[4.0, 3.0, 0.5]]), site.robot.time))
    ada.wait(lambda s: s["robot"]["people"] == [[4.0, 3.0, 0.5]], "somebody")
    for name in ("first", "second"):
        order = {"mission": name, "orders": [ORDER]}
        wait_for(lambda order=order: ada.post("orders", **order).is_success, "the master")
    again = ada.post("orders", mission="first", orders=[ORDER])
    assert again.status_code == 409 and "was given before" in again.json()["detail"]
    wrong = ada.post("orders", orders=[{**ORDER, "item": "<b>gold</b>"}])
    assert wrong.status_code == 409 and "unknown item '<b>gold</b>'" in wrong.json()["detail"]
    ada.wait(lambda s: mission(s, "first").get("state") == "runs", "the first mission")
    ada.wait(lambda s: mission(s, "second").get("state") == "waits", "the second mission")
    ada.wait(lambda s: pending(s) and pending(s)[0]["cameras"], "the approval with its pictures")
    asked = pending(ada.state)[0]
    shot = ada.client.get("/api/evidence", params={"of": asked["id"], "camera": "camera"})
    assert shot.content[:3] == b"\xff\xd8\xff"
    ada.wait(lambda s: s["decision"]["what"] == "grasp can" and s["decision"]["tree"], "the tree")
    assert sum(each["p"] for each in ada.state["decision"]["candidates"]) == pytest.approx(
        1, abs=0.01
    )

    # The console is killed in the middle of it: another one knows all that this one did.
    kill(node)
    node, ada, bob = console()
    ada.wait(lambda s: pending(s), "the approval, at another console")
    ada.wait(lambda s: mission(s, "second").get("state") == "waits", "the queue, likewise")

    # Two answers at once: one counts, the other is told.
    answers: dict[bool, httpx.Response] = {}

    def answer(who: Browser, approve: bool) -> None:
        body = {"id": asked["id"], "approve": approve, "comment": "seen"}
        answers[approve] = who.post("answer", **body)

    both = [threading.Thread(target=answer, args=each) for each in ((ada, True), (bob, False))]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(a.status_code for a in answers.values()) == [200, 409]
    (late,) = (a.json()["detail"] for a in answers.values() if a.status_code == 409)
    assert "has ended already" in late
    rows = site.rows("SELECT by, counted FROM answers ORDER BY counted")
    assert [row["counted"] for row in rows] == [0, 1] and {r["by"] for r in rows} == {"Ada", "Bob"}

    # Ended by a person; the next one's turn comes.
    if not answers[True].is_success:  # it was denied: the master asks again
        ada.wait(lambda s: pending(s), "another approval")
    assert bob.post("cancel", mission="first").is_success
    site.ended("first")
    site.begin()
    ada.wait(lambda s: mission(s, "second").get("state") == "runs", "its turn")

    # The stop ends it. What is given then waits, also for a master that is killed meanwhile, and
    # the next one hears of the stop, too.
    assert bob.post("stop").status_code == 200
    assert site.ended("second")[0] == Code.E_STOP
    ada.wait(lambda s: s["robot"]["stop"], "the stop")
    assert ada.post("orders", mission="third", orders=[ORDER]).status_code == 200
    kill(master)
    master = site.start_master(**ASKS)
    wait_for(lambda: "emergency stop" in master.output, "the stop, at the next master")
    cancelled = ada.post("cancel", mission="third")
    assert cancelled.json()["detail"] == "mission third does not wait any more"
    ada.wait(lambda s: mission(s, "third").get("state") == "cancelled", "it, taken out")

    # It is released where it was pressed.
    assert ada.post("release").status_code == 200
    ada.wait(lambda s: not s["robot"]["stop"], "the release")
    assert "not pressed here" in ada.post("release").json()["detail"]
    did = [tuple(row) for row in site.rows("SELECT by, did, mission FROM people ORDER BY rowid")]
    assert did[:3] == [("Ada", "order", "first"), ("Ada", "order", "second"),
                       ("Bob", "cancel", "first")]  # fmt: skip
    assert did[3:] == [("Bob", "stop", None), ("Ada", "order", "third"),
                       ("Ada", "cancel", "third"), ("Ada", "release", None)]  # fmt: skip


@pytest.fixture
def foxglove(site, start_node):
    """A console that serves Foxglove, and come() -> one who looks on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = start_node("hrl_console.ros.console_node", "console", ledger=site.ledger, port=0,
                      foxglove_port=port, tokens=site.ledger.parent / "none.json")  # fmt: skip

    def viewer():
        protocol = Subprotocol("foxglove.sdk.v1")
        with contextlib.suppress(OSError):
            return connect(
                f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None, max_queue=1,
                legacy=True,
            )  # fmt: skip

    return node, lambda: wait_for(viewer, "the server for Foxglove", 60)


def test_foxglove_gets_the_topics_of_a_recording_with_their_schemas(foxglove):
    _, come = foxglove
    with come() as viewer:
        offered: dict[str, dict] = {}

        def all_offered() -> bool:
            message = viewer.recv(10)
            if isinstance(message, str) and (told := json.loads(message))["op"] == "advertise":
                offered.update({channel["topic"]: channel for channel in told["channels"]})
            return topics_of(config_dir() / "foxglove_layout.json") <= offered.keys()

        wait_for(all_offered, "the topics of the layout")
        scene = offered["/scene"]
        assert (scene["schemaName"], scene["encoding"]) == (topics.SCENE.type, "cdr")
        assert scene["schemaEncoding"] == "ros2msg" and "WayBelief[] ways" in scene["schema"]
        subscription = {"id": 7, "channelId": offered["/pose"]["id"]}
        viewer.send(json.dumps({"op": "subscribe", "subscriptions": [subscription]}))

        def a_pose() -> bool:
            message = viewer.recv(30)
            return isinstance(message, bytes) and message[0] == 1 and message[1] == 7

        wait_for(a_pose, "a message")


def test_a_viewer_of_foxglove_that_is_stuck_does_not_keep_the_console(foxglove, publish, probe):
    node, come = foxglove
    viewer = come()
    offered = {}
    while "/rejections" not in offered:
        message = viewer.recv(30)
        if isinstance(message, str) and (told := json.loads(message))["op"] == "advertise":
            offered |= {channel["topic"]: channel["id"] for channel in told["channels"]}
    subscription = {"id": 7, "channelId": offered["/rejections"]}
    viewer.send(json.dumps({"op": "subscribe", "subscriptions": [subscription]}))
    at = probe.resolve_topic_name(topics.REJECTIONS.name)
    heard = probe.get_subscriptions_info_by_topic
    wait_for(lambda: "console" in [each.node_name for each in heard(at)], "its subscription")
    # More than all buffers on the way hold, and it takes nothing.
    for _ in range(60):
        publish(topics.REJECTIONS, Rejection(action="walk", detail="x" * 500_000))
    assert node.end() == 0, node.output
    viewer.socket.close()
