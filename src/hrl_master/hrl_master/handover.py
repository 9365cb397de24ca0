"""What a person gets with an order that the master hands over: summary, evidence, next step."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hrl_core.outcomes import Code
from hrl_master.orders import Attempt, Order, OrderState
from hrl_master.reasons import Reason
from hrl_master.scene import Scene

# The recommended next step by how the last attempts failed; {target} is what they were aimed at.
_STEPS: Mapping[Code, str] = {
    Code.WALK_BLOCKED: "Clear the way to {target}, then give the order again.",
    Code.APPROACH_BLOCKED: "Clear the floor in front of {target}, then give the order again.",
    Code.TARGET_NOT_SEEN: "Look whether the marker of {target} is covered or too dark to be seen.",
    Code.ITEM_NOT_FOUND: "Look for {item}: it was not found at {target}. Restock the bin or name "
    "the one where it is.",
    Code.ITEM_OUT_OF_REACH: "Pull {item} to the front of its bin.",
    Code.NOT_HELD: "See how {item} lies in its bin: the gripper closed and held nothing.",
    Code.DROPPED: "Pick up {item}: it was dropped near the robot.",
    Code.LOST_WHILE_PLACING: "Look where {item} lies: it was lost while it was placed.",
    Code.PLACED_OFF_TARGET: "Put {item} in its place on {target}: it lies beside it.",
    Code.SURFACE_NOT_FOUND: "Look whether {target} is clear and its marker to be seen.",
    Code.SURFACE_OUT_OF_REACH: "Look whether {target} stands where the map says.",
    Code.NOT_LOCALISED: "Tell the robot where it is (topic initialpose), near a marker.",
    Code.FELL: "Switch the motors off, set the robot on its feet and look for damage.",
    Code.SENSOR_LOST: "Check the sensors and their cables: {detail}.",
    Code.INTERNAL_ERROR: "Look into the log of the skill {skill}: {detail}.",
    Code.BASE_NOT_FOLLOWING: "See why the base does not drive: {detail}.",
    Code.E_STOP: "Find out why the emergency stop was pressed before it is released.",
}


@dataclass(frozen=True)
class Picture:
    """What a camera saw: evidence for an approval or a hand-over."""

    stamp: float  # s of ROS time
    jpeg: bytes


@dataclass(frozen=True)
class HandOver:
    """The package of one order. Lengths m, angles rad, frame map, times s of ROS time."""

    mission: str
    order_number: int
    order: Mapping[str, Any]
    reason: str
    summary: str
    recommendation: str
    stamp: float
    holding: bool | None  # None: not known
    map_from_base: tuple[float, ...] | None  # m, m, rad
    tries: list[dict] = field(default_factory=list)  # of every attempt: what, how it ended
    seen: dict[str, dict] = field(default_factory=dict)  # what perception tracks at the end

    def as_dict(self) -> dict:
        return asdict(self)


def make_package(
    mission: str, number: int, state: OrderState, reason: str, stamp: float, scene: Scene | None
) -> HandOver:
    """The package of an order that ends now. `scene`: the last one; None: nothing is sensed."""
    order = state.order
    failed = [a for a in state.attempts if not a.worked]
    holding = None if scene is None else scene.holding
    where = None
    if scene is not None and scene.map_from_base is not None:
        where = tuple(round(float(v), 3) for v in scene.map_from_base)
    hand = {True: "holds something", False: "is empty", None: "is in a state that is not known"}
    place = "somewhere that it does not know"
    if where is not None:
        place = f"at x {where[0]:.2f} m, y {where[1]:.2f} m, yaw {where[2]:.2f} rad"
    summary = (
        f"{order.item} was to be brought from {order.from_bin} to {order.to_station}. {reason}. "
        f"{len(state.attempts)} attempts, {len(failed)} of them failed. The robot stands still "
        f"{place}; its gripper {hand[holding]}."
    )
    return HandOver(
        mission=mission,
        order_number=number,
        order=asdict(order),
        reason=reason,
        summary=summary,
        recommendation=recommend(order, failed, reason, holding),
        stamp=stamp,
        holding=holding,
        map_from_base=where,
        tries=[_told(attempt) for attempt in state.attempts],
        seen={} if scene is None else {name: _sight(seen) for name, seen in scene.seen.items()},
    )  # fmt: skip


def recommend(order: Order, failed: list[Attempt], reason: str, holding: bool | None) -> str:
    """The next step for a person, from how the last attempts failed."""
    steps = []
    if holding:
        steps.append("Take what the gripper holds out of it before the next order.")
    elif holding is None:
        steps.append("See where the robot stands and whether its gripper holds something.")
    known = [a for a in failed if a.outcome.code in _STEPS]
    if failed and failed[-1].check.reason is Reason.NOT_APPROVED:
        last = failed[-1].decision
        steps.append(
            f"Say whether {last.skill} {last.target} may be done, then give the order again."
        )
    elif known:
        last = known[-1]
        target = last.decision.face or last.decision.target
        if last.decision.skill == "grasp" and not last.decision.face:
            target = order.from_bin
        steps.append(
            _STEPS[last.outcome.code].format(
                target=target, item=order.item, skill=last.decision.skill,
                detail=last.outcome.detail,
            )
        )  # fmt: skip
    elif failed:
        last = failed[-1]
        steps.append(f"See what stops {last.decision.skill} {last.decision.target}: {last.reason}.")
    else:
        steps.append(f"Look where {order.item} is, then give the order again if it is needed.")
    return " ".join(steps)


def write_package(folder: Path, package: HandOver, pictures: Mapping[str, Picture]) -> Path:
    """Write package.json, README.md and a JPEG per camera to a folder below `folder`.

    Returns the package's folder.
    """
    name = re.sub(r"[^\w.-]+", "_", f"{package.mission}_order{package.order_number}")
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "package.json").write_text(
        json.dumps(package.as_dict(), indent=1) + "\n", encoding="utf-8"
    )
    (place / "README.md").write_text(as_markdown(package, list(pictures)), encoding="utf-8")
    for camera, picture in pictures.items():
        (place / f"{camera}.jpg").write_bytes(picture.jpeg)
    return place


def as_markdown(package: HandOver, cameras: list[str]) -> str:
    """The package for a person to read."""
    order = package.order
    lines = [
        f"# Handed over: {order['item']} from {order['from_bin']} to {order['to_station']}",
        "",
        package.summary,
        "",
        f"**Recommended next step:** {package.recommendation}",
        "",
        "## What was tried",
        "",
        "| | decision | outcome | what was measured |",
        "|---|---|---|---|",
    ]
    for number, each in enumerate(package.tries, 1):
        measured = each["detail"]
        if each["check"] != measured:
            measured += f"; the master: {each['check']}"
        cells = (each["what"], each["code"], measured)
        lines.append(f"| {number} | " + " | ".join(c.replace("|", "/") for c in cells) + " |")
    lines += ["", "## What is seen", ""]
    for name, sight in package.seen.items():
        x, y, z = sight["position"]
        lines.append(
            f"* {sight['kind']} {name} at ({x:.2f}, {y:.2f}, {z:.2f}) m, {sight['age']:.1f} s ago"
        )
    lines += [] if package.seen else ["Nothing."]
    lines += ["", *(f"![{camera}]({camera}.jpg)" for camera in cameras)]
    return "\n".join(lines).rstrip() + "\n"


def _told(attempt: Attempt) -> dict:
    decision, outcome = attempt.decision, attempt.outcome
    return {
        "what": f"{decision.skill} {decision.target}",
        "reason": decision.reason,
        "code": outcome.code.name,
        "detail": outcome.detail,
        "evidence": {name: str(value) for name, value in outcome.verdict.evidence.items()},
        "check": attempt.check.sentence,
        "worked": attempt.worked,
    }


def _sight(seen) -> dict:
    position = np.round(np.asarray(seen.map_from_object, float)[:3, 3], 3)
    return {"kind": seen.kind, "position": position.tolist(), "age": round(float(seen.age), 2)}
