"""Sections of the state that are made of the site and of the ledger. Free of ROS."""

import json
from typing import Any

import numpy as np

from hrl_bringup.reports.figure import value_of
from hrl_bringup.reports.ledger_facts import LedgerFacts, Rates
from hrl_bringup.reports.ledger_figures import FIGURES, summarise
from hrl_core.floor.rectangles import solids
from hrl_core.outcomes import Code
from hrl_core.robot import Robot
from hrl_core.site import Shelf, Site
from hrl_master.ledger import Ledger

MISSIONS = 12  # that are shown
DEEDS = 30  # of people
SAID = {
    "order": "gave an order",
    "cancel": "ended a mission",
    "stop": "pressed the stop",
    "release": "released the stop",
    "approved": "approved",
    "denied": "denied",
}
ENDS = {Code.SUCCEEDED: "delivered", Code.HANDED_OVER: "handed over", Code.CANCELED: "cancelled"}


def site_view(site: Site, robot: Robot) -> dict[str, Any]:
    """The map: polygons and places in m, frame map; the robot's footprint in base_link."""
    shelves, stations = [], []
    for place, solid in zip(site.furniture, solids(site), strict=True):
        (shelves if isinstance(place, Shelf) else stations).append(rounded(solid.corners()))
    inside = {**dict.fromkeys(site.bins, 0.2), **{s.name: s.depth / 2 for s in site.stations}}
    names = []
    for name, depth in inside.items():
        face = site.face(name)
        names.append([name, *rounded(face[:2, 3] - depth * face[:2, 0])])
    base = robot.base
    front, back = (f(base.footprint_x) for f in (max, min))
    half = base.footprint_radius
    x, y = (back - half, front + half), (-half, half)
    return {
        "name": site.name,
        "size": list(site.size),
        "shelves": shelves,
        "stations": stations,
        "names": names,
        "bins": sorted(site.bins),
        "targets": sorted(station.name for station in site.stations),
        "items": sorted(site.items),
        "footprint": [[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]],
    }


def decision_view(ledger: Ledger) -> dict[str, Any] | None:
    """The last decision, as the ledger keeps it: also what was decided before the console began."""
    rows = ledger.rows(
        "SELECT d.*, o.item, o.from_bin, o.to_station, m.about FROM decisions d "
        "JOIN orders o ON o.mission = d.mission AND o.number = d.order_number "
        "JOIN missions m ON m.id = d.mission ORDER BY d.made_at DESC, d.rowid DESC LIMIT 1"
    )
    if not rows:
        return None
    d = rows[0]
    what = f"{d['skill']} {d['target']}".strip()
    columns = ("candidates", "probabilities", "allowed", "why_not")
    lists = [json.loads(d[name]) for name in columns]
    candidates = [
        {"label": label, "p": round(p, 3), "allowed": bool(ok), "why": why, "chosen": label == what}
        for label, p, ok, why in zip(*lists, strict=True)
    ]
    candidates.sort(key=lambda each: (not each["allowed"], -each["p"]))
    if not any(each["chosen"] for each in candidates) and candidates:
        candidates[0]["chosen"] = candidates[0]["allowed"]
    pose = json.loads(d["pose"]) if d["pose"] else None
    return {
        "mission": d["mission"],
        "number": d["number"],
        "skill": d["skill"],
        "what": what,
        "reason": d["reason"],
        "chance": d["chance"],
        "policy": json.loads(d["about"]).get("policy", "a policy that is not named"),
        "candidates": candidates,
        "goal": rounded(pose[:2]) if pose else None,
        "from": d["from_bin"],
        "to": d["to_station"],
        "tree": [],
    }


def missions_view(ledger: Ledger) -> dict[str, Any]:
    """Missions that run, wait and have ended, the newest first."""
    queued = {row["mission"]: row for row in ledger.rows("SELECT * FROM queue ORDER BY at")}
    waiting = [
        _mission(mission, "waits", queued[mission]["by"], [(str(o), None, "") for o in orders])
        for mission, orders in reversed(ledger.waiting())
    ]
    begun, doing = [], "No mission runs."
    rows = ledger.rows("SELECT * FROM missions ORDER BY began_at DESC LIMIT ?", MISSIONS)
    for m in rows:
        orders = [
            (f"{o['item']} from {o['from_bin']} to {o['to_station']}", o["code"], o["detail"] or "")
            for o in ledger.rows("SELECT * FROM orders WHERE mission = ? ORDER BY number", m["id"])
        ]
        state = "runs" if m["ended_at"] is None else "ended"
        if state == "runs":
            done = sum(code is not None for _, code, _ in orders)
            doing = f"Mission {m['id']}: order {min(done + 1, len(orders))} of {len(orders)}"
        by = queued[m["id"]]["by"] if m["id"] in queued else ""
        begun.append(_mission(m["id"], state, by, orders))
    cancelled = [
        _mission(q["mission"], "cancelled", q["by"], [(q["why"], None, "")])
        for q in queued.values()
        if q["cancelled_at"] is not None
    ]
    return {"doing": doing, "list": [*waiting, *begun, *cancelled[-3:]]}


def people_view(ledger: Ledger) -> list[dict[str, Any]]:
    """What people did, the newest first; answers to approvals stand in a table of their own."""
    rows = ledger.rows(
        "SELECT by, did, at, ifnull(mission, '') || ' ' || detail AS detail FROM people UNION ALL "
        "SELECT a.by, verdict, at, what || CASE WHEN comment != '' THEN ': ' || comment ELSE '' END"
        " || CASE counted WHEN 0 THEN ' (did not count)' ELSE '' END FROM answers a "
        "LEFT JOIN approvals p ON p.id = approval WHERE verdict IN ('approved', 'denied') "
        "ORDER BY at DESC LIMIT ?",
        DEEDS,
    )
    return [
        {"by": r["by"], "did": SAID[r["did"]], "at": r["at"], "detail": (r["detail"] or "").strip()}
        for r in rows
    ]


def figures_view(ledger: Ledger, rates: Rates) -> list[dict[str, str]]:
    """The figures of `./hrl report`."""
    summary = summarise(LedgerFacts(ledger, rates))
    return [
        {"name": each.name, "value": value_of(each, summary), "description": each.description}
        for each in FIGURES
    ]


def rounded(points) -> list:
    """Lengths to the centimetre: (...) m -> nested lists."""
    return np.round(np.asarray(points, float), 2).tolist()


def _mission(name: str, state: str, by: str, orders) -> dict[str, Any]:
    """`orders`: what each is, its code (None: has not ended) and a sentence."""
    return {
        "id": name,
        "state": state,
        "by": by,
        "open": state in ("runs", "waits"),
        "orders": [
            {
                "what": what,
                "state": "" if code is None else ENDS.get(code, "failed"),
                "good": None if code is None else code == Code.SUCCEEDED,
                "detail": detail if code is not None and code != Code.SUCCEEDED else "",
            }
            for what, code, detail in orders
        ],
    }
