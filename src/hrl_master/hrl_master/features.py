"""A situation and its candidates as numbers: sizes do not depend on the layout.

Distances are divided by 10 m, times by what is said below; everything lies between -1 and 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hrl_core.outcomes import Code
from hrl_master.beliefs import FRESH, PastAttempt
from hrl_master.candidate import KINDS, Candidate
from hrl_master.candidates import LONGEST
from hrl_master.orders import LEAVE_FACE
from hrl_master.situation import Situation
from hrl_master.surfaces import FLOOR

BLOCKED = (Code.WALK_BLOCKED, Code.APPROACH_BLOCKED, Code.STEP_LIMIT)
NOT_FOUND = (Code.ITEM_NOT_FOUND, Code.TARGET_NOT_SEEN, Code.SURFACE_NOT_FOUND)
LOST = (Code.NOT_HELD, Code.DROPPED, Code.LOST_WHILE_PLACING, Code.NOTHING_HELD)
BLIND = (Code.SENSOR_LOST, Code.NOT_LOCALISED)
OUTCOMES = {"blocked": BLOCKED, "not_found": NOT_FOUND, "lost_item": LOST, "blind": BLIND}
LASTS = ("walk", "approach", "grasp", "place", "wait")  # skills


@dataclass(frozen=True)
class Field:
    """A number with what it means and its unit."""

    name: str
    meaning: str


CONTEXT = (
    Field("holding", "0 or 1: the gripper holds something"),
    Field("lost", "0 or 1: the item was held and got lost"),
    Field("on_floor", "0 or 1: the item was seen on the floor"),
    Field("sighted", "confidence 0 to 1 that the item is where it was last seen"),
    Field("sighted_at_order", "0 or 1: it was seen in the bin of the order"),
    Field("order_in_vain", "0 or 1: the bin of the order was looked at in vain"),
    Field("bins_looked_at", "bins looked at, 10; 1 at most"),
    Field("goal_way", "way to where the order goes on, 10 m"),
    Field("goal_cut_off", "0 or 1: every way there is believed to be blocked"),
    Field("blocked_ways", "number of ways believed to be blocked, 5"),
    Field("position_std", "0.3 m"),
    Field("scan_age", "5 s"),
    Field("sight_age", "since a camera saw anything with a marker, 30 s"),
    Field("room_ahead", "nearest return within 45 degrees of ahead, 3 m"),
    Field("room_around", "nearest return, 3 m"),
    Field("decisions", "made for this order, 30"),
    Field("elapsed", "since the order was begun, 200 s"),
    Field("failures", "of this order, 5"),
    Field("waits", "in a row up to now, 5"),
    *(Field(f"last_{skill}", "0 or 1: skill of the last try") for skill in LASTS),
    Field("last_worked", "0 or 1; 1 also before the first try"),
    *(Field(f"last_{name}", "0 or 1: how the last try ended") for name in OUTCOMES),
    Field("can_back_out", "0 or 1: a skill is there that leaves faces"),
)
ACTION = (
    *(Field(f"is_{kind}", "0 or 1") for kind in KINDS),
    Field("way", "to where it ends, 10 m"),
    Field("cut_off", "0 or 1: every way there is believed to be blocked"),
    Field("excess", "by which blocked ways make the way longer, 10 m"),
    Field("onward", "from there to where the order goes on, 10 m"),
    Field("views", "bins not looked at that should be in view from there, 3"),
    Field("offset", "now, from the standoff of its face, 3 m"),
    Field("turn", "now, off the standoff's direction, pi"),
    Field("chance", "of success as the skill gave it; 0.5: it gave none"),
    Field("chance_known", "0 or 1"),
    Field("failures", "of this skill at this target and face, 3"),
    Field("successes", "likewise, 3"),
    Field("skill_failures", "of this skill anywhere, 5"),
    Field("since_last", "since it was tried last, 60 s; 1: never"),
    Field("was_last", "0 or 1: it was the last try"),
    Field("at_order_bin", "0 or 1"),
    Field("at_station", "0 or 1"),
    Field("at_sighting", "0 or 1: the item was last seen there"),
    Field("looked_in_vain", "0 or 1: looked at without finding the item"),
    Field("never_looked_at", "0 or 1"),
    Field("face_seen", "0 or 1: the marker of its face is in view"),
    Field("face_confidence", "0 to 1, of the track of its face"),
    Field("advised", "0 or 1: the behaviour tree would choose it"),
)
CONTEXT_NAMES = tuple(f.name for f in CONTEXT)
ACTION_NAMES = tuple(f.name for f in ACTION)


@dataclass(frozen=True)
class Encoded:
    """Network inputs, float32: context (C,), actions (n, F), mask (n,) of what is allowed."""

    context: np.ndarray
    actions: np.ndarray
    mask: np.ndarray


def encode(situation: Situation, candidates: Sequence[Candidate], advised: int) -> Encoded:
    """Both in the order of CONTEXT and ACTION; `advised`: index of what the tree would choose."""
    history = _History(situation.beliefs.attempts, situation.scene.stamp)
    rows = [
        [*_action(c, situation, history), float(k == advised)] for k, c in enumerate(candidates)
    ]
    return Encoded(
        np.clip(np.array(_context(situation, candidates), np.float32), -1, 3),
        np.clip(np.array(rows, np.float32), -1, 3),
        np.array([c.allowed for c in candidates]),
    )


class _History:
    """What was tried, counted once for all candidates."""

    def __init__(self, tries: Sequence[PastAttempt], now: float):
        self.now = now
        self.worked: dict[tuple[str, str, str], int] = {}
        self.failed: dict[tuple[str, str, str], int] = {}
        self.failed_skill: dict[str, int] = {}
        self.latest: dict[tuple[str, str, str], float] = {}
        for t in tries:
            key = (t.skill, t.target, t.face)
            counts = self.worked if t.worked else self.failed
            counts[key] = counts.get(key, 0) + 1
            if not t.worked:
                self.failed_skill[t.skill] = self.failed_skill.get(t.skill, 0) + 1
            self.latest[key] = t.ended
        self.last = (tries[-1].skill, tries[-1].target, tries[-1].face) if tries else None


def _context(s: Situation, candidates: Sequence[Candidate]) -> list[float]:
    scene, beliefs, order = s.scene, s.beliefs, s.order
    sighting = beliefs.sightings.get(order.item)
    last = beliefs.last
    waits = 0
    for t in reversed(beliefs.attempts):
        if t.skill != "wait":
            break
        waits += 1
    ahead, around = _room(scene.sectors)
    ways = [c.way for c in candidates if c.kind == "walk" and c.face]
    goal = min(ways, default=0.0)
    bins = sum(1 for name in beliefs.inspections if name != order.to_station)
    return [
        float(scene.holding),
        float(beliefs.lost is not None),
        float(sighting is not None and sighting.face == FLOOR),
        0.0 if sighting is None else sighting.confidence,
        float(s.sighted_at == order.from_bin),
        float(s.looked_in_vain(order.from_bin)),
        min(1.0, bins / 10),
        min(goal, 30.0) / 10,
        float(goal >= LONGEST),
        len(beliefs.blocked) / 5,
        min(scene.position_std / 0.3, 3.0),
        min(scene.scan_age / 5, 2.0),
        min((scene.stamp - beliefs.seen_at) / 30, 2.0),
        ahead / 3,
        around / 3,
        s.decisions / 30,
        min(s.elapsed / 200, 3.0),
        sum(not t.worked for t in beliefs.attempts) / 5,
        waits / 5,
        *(float(last is not None and last.skill == skill) for skill in LASTS),
        float(last is None or last.worked),
        *(float(last is not None and last.code in codes) for codes in OUTCOMES.values()),
        float(LEAVE_FACE in s.helpers),
    ]


def _action(c: Candidate, s: Situation, history: _History) -> list[float]:
    key = (c.skill, c.target, c.face)
    chance = s.chances.get(c.key)
    seen = s.scene.seen.get(c.face) if c.face else None
    since = history.now - history.latest.get(key, -np.inf)
    return [
        *(1.0 if kind == c.kind else 0.0 for kind in KINDS),
        min(c.way, 30.0) / 10,
        float(c.way >= LONGEST),
        min(c.excess, 30.0) / 10,
        min(c.onward, 30.0) / 10,
        c.views / 3,
        min(c.offset, 9.0) / 3,
        c.turn / np.pi,
        0.5 if chance is None else chance,
        float(chance is not None),
        history.failed.get(key, 0) / 3,
        history.worked.get(key, 0) / 3,
        history.failed_skill.get(c.skill, 0) / 5,
        min(since / 60, 1.0),
        float(history.last == key),
        float(c.face == s.order.from_bin),
        float(c.face == s.order.to_station),
        float(bool(c.face) and c.face == s.sighted_at),
        float(bool(c.face) and s.looked_in_vain(c.face)),
        float(bool(c.face) and c.face not in s.beliefs.inspections),
        float(seen is not None and seen.age < FRESH),
        0.0 if seen is None else seen.confidence,
    ]


def _room(sectors: np.ndarray) -> tuple[float, float]:
    """Nearest return ahead and all around [m], 9 at most; 0 where no scan is."""
    if not np.isfinite(sectors).all():
        return 0.0, 0.0
    n = len(sectors)
    # Sector n / 2 begins straight ahead.
    return (
        min(float(sectors[n // 2 - n // 8 : n // 2 + n // 8].min()), 9.0),
        min(float(sectors.min()), 9.0),
    )
