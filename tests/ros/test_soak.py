"""A short soak: its account agrees with what was made to go wrong and with the ledger."""

import json
import random
import subprocess
import sys
from collections import Counter

import pytest

from hrl_bringup.ros.broken_messages import broken_message
from hrl_bringup.ros.soak_client import sensor_topics
from hrl_core.topics import CAMERAS
from hrl_master.ledger import Ledger


@pytest.mark.parametrize("topic", sensor_topics(CAMERAS).values(), ids=lambda topic: topic.name)
def test_broken_messages_can_be_sent_and_no_two_are_alike(topic):
    from builtin_interfaces.msg import Time
    from rclpy.serialization import serialize_message

    rng, stamp = random.Random(1), Time(sec=3)
    sent = [broken_message(topic, stamp, rng) for _ in range(50)]
    assert len({bytes(serialize_message(message)) for message in sent}) == 50
    plausible = [m for m in sent if m.header.stamp == stamp and m.header.frame_id == topic.frame]
    assert 30 <= len(plausible) < 50


@pytest.mark.slow
def test_a_short_soak_accounts_for_every_trouble_and_every_order(tmp_path):
    # A process of its own: it sets the environment of its nodes.
    command = [sys.executable, "-m", "hrl_bringup.cli", "soak"]
    options = ["--hours", "0.01", "--seed", "3", "--every", "8", "--out", str(tmp_path)]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, timeout=600)
    status, table = ended.returncode, ended.stdout
    content = json.loads((tmp_path / "soak.json").read_text())
    summary, missions, events = (content[key] for key in ("summary", "missions", "events"))
    assert status == int(not summary["sound"]) and "lost: without an end" in table
    assert summary["broken_systems"] == 0, events
    assert (tmp_path / "index.html").is_file() and (tmp_path / "soak.png").is_file()

    kinds = Counter(event["kind"] for event in events)
    assert missions and sum(len(m["troubles"]) for m in missions) == sum(
        summary["troubles"].values()
    )
    assert kinds["kill"] >= 1
    for event in events:
        if event["kind"] == "kill":
            later = [e for e in events if e["target"] == event["target"] and e["at"] >= event["at"]]
            assert [e["kind"] for e in later if e["kind"] != "freeze"][:3] == [
                "kill",
                "died",
                "restart",
            ], later
    died = [event for event in events if event["kind"] == "died"]
    assert len(died) == kinds["restart"] and {event["status"] for event in died} == {-9}
    assert all(summary["nodes"][event["target"]]["killed"] for event in died)

    with Ledger(tmp_path / "system_0" / "ledger.sqlite") as ledger:
        orders = ledger.rows("SELECT * FROM orders")
        assert not ledger.verify().fault
    assert len(orders) == summary["orders"] == sum(len(m["orders"]) for m in missions)
    assert summary["lost"] == sum(row["code"] is None for row in orders) == 0
    assert summary["doubled"] == summary["accepted_twice"] == summary["false"] == 0
    lines = [json.loads(line) for line in (tmp_path / "soak.jsonl").read_text().splitlines()]
    nodes = {line["node"] for line in lines if line["what"] == "sample"}
    skills = {"walk", "approach", "grasp", "place", "align", "back_out"}
    assert nodes == {"plant", "perception", *skills, "master", "soak"}
