"""A console over plain values: no ROS and no robot, for tests and pictures of the page."""

import io
import math
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hrl_bringup.security.tokens import Tokens
from hrl_console import gateway as names
from hrl_console.gateway import Reply
from hrl_console.serving import Served
from hrl_console.views import site_view
from hrl_core.robot import load_robot
from hrl_core.site import load_site

PERIOD = 0.1  # s between two states, as the real gateway sends them
CANDIDATES = (
    ("walk A2", 0.91, ""),
    ("walk north_aisle", 0.05, ""),
    ("look_around", 0.03, ""),
    ("hand_over", 0.01, ""),
    ("grasp can", 0.0, "2.31 m from the standoff of A2, allowed are 0.12 m"),
    ("place packing", 0.0, "nothing is in the gripper"),
)


class FakeGateway:
    """Does what a master would, at once. `did`: every call, with who made it."""

    served: Served  # by whom it is asked

    def __init__(self):
        site = load_site("small_warehouse")
        self.did: list[tuple] = []
        self.time = 40.0
        self.approvals: dict[str, dict[str, Any]] = {}
        self.sections: dict[str, Any] = {
            names.SITE: site_view(site, load_robot()),
            names.ROBOT: self._robot(False),
            names.TRAIL: [[1.0 + 0.1 * k, 1.6 + 0.4 * math.sin(0.15 * k)] for k in range(35)],
            names.BELIEFS: {
                "blocked": [[[2.1, 1.6], [2.1, 5.0]]],
                "items": [["can", 2.1, 6.4], ["jar", 5.6, 6.4]],
            },
            names.SKILL: {
                "what": "walk A2", "step": 64, "bound": 300, "phase": "follow", "error": 2.31,
                "chance": 0.98,
            },
            names.DECISION: {
                "mission": "2026-11-29_10-00-00_3fa1c2", "number": 3, "skill": "walk",
                "what": "walk A2", "reason": "the can was seen in A2, 4.2 m away",
                "chance": 0.98, "policy": "behaviour_tree", "from": "A2", "to": "packing",
                "goal": [2.1, 5.2],
                "candidates": [
                    {"label": label, "p": p, "allowed": not why, "why": why, "chosen": k == 0}
                    for k, (label, p, why) in enumerate(CANDIDATES)
                ],
                "tree": ["[o] order [*]", "    [-] fetch [*]", "        --> seen? [✓]",
                         "        --> walk up to it [✓]"],
            },
            names.MISSIONS: {"doing": "Mission m1: order 1 of 1", "list": []},
            names.APPROVALS: [],
            names.HANDOVERS: [],
            names.DIAGNOSTICS: [
                {"name": "master", "level": "good", "words": ["runs a mission"]},
                {"name": "perception", "level": "warn",
                 "words": ["hand_camera: no picture for 2.4 s, allowed is 1 s"]},
                {"name": "walk", "level": "good", "words": ["walks"]},
            ],
            names.FIGURES: [
                {"name": "Orders", "value": "14", "description": "all that were given"},
                {"name": "Delivered", "value": "13 of 14 (93 %)", "description": "x"},
                {"name": "Time to resolution", "value": "35.6 s", "description": "mean"},
            ],
            names.PEOPLE: [],
            names.CAMERAS: {"camera": 1, "hand_camera": 1},
        }  # fmt: skip

    def _robot(self, stop: bool) -> dict[str, Any]:
        angles = np.linspace(-math.pi, math.pi, 180, endpoint=False)
        x, y, yaw = 4.4, 1.9, 0.3
        walls = np.array(
            [
                min(4.5 / max(abs(math.cos(a)), 0.3), 1.8 / max(abs(math.sin(a)), 0.3))
                for a in angles
            ]
        )
        points = np.stack([x + walls * np.cos(angles), y + walls * np.sin(angles)], axis=-1)
        return {
            "time": round(self.time, 1), "pose": [x, y, yaw], "std": 0.02, "stop": stop,
            "scan": np.round(np.clip(points, 0, [9, 7]).ravel(), 2).tolist(),
            "people": [[6.6, 4.6, 2.8]],
        }  # fmt: skip

    # What tests do to it

    def set(self, **sections) -> None:
        self.sections = {**self.sections, **sections}

    def ask(self, id: str, what: str = "grasp can", left: float = 60.0) -> None:
        """An approval is asked for; it expires by the time of the robot."""
        self.approvals[id] = {
            "id": id, "mission": "m1", "decision": 4, "what": what, "tier": 3,
            "why": "the can stands in A2; risk tier 3, from 3 on a person has to approve",
            "asked": [int(self.time), 0], "expires": self.time + left, "state": "pending",
            "by": "", "comment": "", "cameras": ["camera", "hand_camera"],
        }  # fmt: skip
        self._show()

    def tick(self, seconds: float = PERIOD) -> None:
        self.time += seconds
        for each in list(self.approvals.values()):
            if each["state"] == "pending" and self.time >= each["expires"]:
                self._end(each, "expired", "", "")
        self.set(robot=self._robot(self.sections[names.ROBOT]["stop"]))

    def _end(self, approval: dict[str, Any], state: str, by: str, comment: str) -> None:
        ended = {**approval, "state": state, "by": by, "comment": comment}
        self.approvals[approval["id"]] = ended
        self._show()

    def _show(self) -> None:
        self.set(approvals=list(self.approvals.values()))

    def _note(self, by: str, did: str, detail: str) -> None:
        self.did.append((by, did, detail))
        deed = {"by": by, "did": did, "detail": detail, "at": time.time()}
        self.set(people=[deed, *self.sections[names.PEOPLE]])

    # What the server calls

    def picture(self, camera: str) -> bytes | None:
        return _picture(camera) if camera in self.sections[names.CAMERAS] else None

    def evidence(self, of: str, camera: str) -> bytes | None:
        return _picture(camera)

    async def order(self, by: str, mission: str, orders: list[dict[str, str]]) -> Reply:
        what = [f"{o['item']} from {o['from_bin']} to {o['to_station']}" for o in orders]
        self._note(by, "gave an order", "; ".join(what))
        name = f"m{len(self.did) + 1}"
        given = {
            "id": name, "state": "waits", "by": by, "open": True,
            "orders": [{"what": each, "state": "", "good": None, "detail": ""} for each in what],
        }  # fmt: skip
        missions = self.sections[names.MISSIONS]
        self.set(missions={**missions, "list": [given, *missions["list"]]})
        return Reply(True, f"mission {name} waits for its turn")

    async def cancel(self, by: str, mission: str) -> Reply:
        self._note(by, "ended a mission", mission)
        return Reply(True, f"mission {mission} ends")

    async def answer(
        self, by: str, approval: str, approve: bool, comment: str, signature: bytes
    ) -> Reply:
        asked = self.approvals[approval]
        if asked["state"] != "pending":
            return Reply(False, f"approval {approval} has ended already: {asked['state']} by "
                         f"{asked['by']}")  # fmt: skip
        self._note(by, "approved" if approve else "denied", comment)
        self._end(asked, "approved" if approve else "denied", by, comment)
        return Reply(True, f"{asked['what']} {'approved' if approve else 'denied'} by {by}")

    async def stop(self, by: str) -> Reply:
        self._note(by, "pressed the stop", "")
        self.set(robot=self._robot(True))
        return Reply(True, "the emergency stop is pressed")

    async def release(self, by: str) -> Reply:
        self._note(by, "released the stop", "")
        self.set(robot=self._robot(False))
        return Reply(True, "the emergency stop is released")


@contextmanager
def fake_console(port: int = 0, folder: Path | None = None):
    """A console that runs, with tokens of Ada and Bob (everything) and Vic (who only looks)."""
    with tempfile.TemporaryDirectory() as made:
        tokens = Tokens((folder or Path(made)) / "tokens.json")
        given = {
            name: tokens.make(name, roles)
            for name, roles in (
                ("Ada", ("operator", "approver")), ("Bob", ("operator", "approver")),
                ("Vic", ("viewer",)),
            )
        }  # fmt: skip
        with serving(FakeGateway(), tokens, port) as fake:
            yield fake, given, tokens


@contextmanager
def serving(fake: FakeGateway, tokens: Tokens, port: int = 0):
    """Its states go out ten times a second."""
    fake.served = Served(fake, tokens, port=port)
    end = threading.Event()

    def run() -> None:
        while not end.wait(PERIOD):
            fake.tick()
            fake.served.publish(fake.sections)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        end.set()
        thread.join(5)
        fake.served.close()


def _picture(camera: str) -> bytes:
    """A shelf with a can on it, more or less."""
    pixels = np.full((240, 320, 3), (186, 190, 194), np.uint8)
    pixels[150:] = (120, 116, 110)
    pixels[120:150, 30:290] = (150, 120, 90)
    pixels[70:120, 140:175] = (170, 60, 50) if camera == "camera" else (60, 90, 160)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return file.getvalue()
