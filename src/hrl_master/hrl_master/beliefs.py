"""What the master remembers of a mission: ways, items, faces, what was tried and how it went.

Beliefs never change; `observe` and `record` return new ones. All of it comes from scenes and from
what skills report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hrl_core.outcomes import Code
from hrl_master.edges import EdgePoints, observe_edges
from hrl_master.graph import Edge, WalkGraph
from hrl_master.orders import Attempt
from hrl_master.scene import Scene
from hrl_master.surfaces import FLOOR as FLOOR

BLOCKED_FOR = 90.0  # s, a way that looked blocked counts as blocked; people and carts move on
LOOK_HOLDS = 600.0  # s, for an order that begins later; people move things
FRESH = 1.0  # s; what was seen so lately is in view
AWAKE = 4.0  # s; a camera that saw anything so lately works
TRACKED = 110.0  # s; an item that vanishes sooner was seen to be gone (tracks last 120 s)


@dataclass(frozen=True)
class EdgeBelief:
    """Whether a way is free; `how`: by the scan or by a walk that failed."""

    free: bool
    stamp: float
    how: str


@dataclass(frozen=True)
class Sighting:
    """Where an item was last seen: position m in map; its bin or station, FLOOR, or ""."""

    position: tuple[float, float, float]
    face: str
    stamp: float
    confidence: float


@dataclass(frozen=True)
class Inspection:
    """The last good look at a face; `how`: "grasp" once a grasp has found nothing there."""

    stamp: float
    how: str  # "camera" or "grasp"; the latter looks with the hand's camera as well
    items: tuple[str, ...]


@dataclass(frozen=True)
class PastAttempt:
    """A decision that ran and how it ended; `face`: where, for a grasp."""

    skill: str
    target: str
    face: str
    purpose: str
    code: int
    worked: bool
    began: float
    ended: float


@dataclass(frozen=True)
class Loss:
    """When and where the held item got lost: the station it was to be placed on, or ""."""

    stamp: float
    face: str
    position: tuple[float, float]  # m in map, of base_link


@dataclass(frozen=True)
class Beliefs:
    """The memory at one moment; times are those of the scenes [s]."""

    stamp: float = -np.inf  # of the last scene
    began: float = -np.inf  # of the order
    edges: Mapping[Edge, EdgeBelief] = field(default_factory=dict)
    sightings: Mapping[str, Sighting] = field(default_factory=dict)  # by item
    inspections: Mapping[str, Inspection] = field(default_factory=dict)  # by face
    attempts: tuple[PastAttempt, ...] = ()  # of this order
    held: str = ""  # item that a grasp got hold of and that is still held
    item_in_hand: np.ndarray | None = None  # (4, 4) in the tool frame, as the grasp measured it
    lost: Loss | None = None  # the order's item, out of the gripper and not where it belongs
    delivered: bool = False
    seen_at: float = -np.inf  # the last time that a camera saw anything that has a marker

    def next_order(self) -> Beliefs:
        """Forget what concerns an order, keep what is known of the place.

        A look saw whatever stood there, so what is ordered next was not there, either; the hand
        looked for the other item only. Where something got lost, nothing is known any more.
        """
        gone = "" if self.lost is None else self.lost.face
        looks = {
            face: replace(look, how="camera")
            for face, look in self.inspections.items()
            if face != gone and self.stamp - look.stamp < LOOK_HOLDS
        }
        return replace(
            self, began=self.stamp, inspections=looks, attempts=(), lost=None, delivered=False
        )

    def observe(self, scene: Scene, edge_points: EdgePoints) -> Beliefs:
        """Take in a scene."""
        now = scene.stamp
        if now == self.stamp:
            return self
        edges = self.edges
        if scene.map_from_base is not None and np.isfinite(scene.sectors).any():
            seen = observe_edges(edge_points, scene)
            if seen:
                edges = {**edges, **{e: EdgeBelief(free, now, "scan") for e, free in seen.items()}}
        ages = [seen.age for seen in scene.seen.values()]
        held, lost = self.held, self.lost
        if held and not scene.holding:
            held = ""
            lost = Loss(now, "", _place(scene))
        graph = edge_points.graph
        sightings = self._sightings(scene, graph)
        return replace(
            self,
            stamp=now,
            began=now if self.began == -np.inf else self.began,
            edges=edges,
            sightings=sightings,
            inspections=self._inspections(scene, graph, sightings),
            held=held,
            item_in_hand=self.item_in_hand if held else None,
            lost=lost,
            seen_at=max(self.seen_at, now - min(ages)) if ages else self.seen_at,
        )

    def record(self, attempt: Attempt, after: Scene, edge_points: EdgePoints) -> Beliefs:
        """Take in how a decision went, and the scene after it."""
        decision, outcome, worked = attempt.decision, attempt.outcome, attempt.worked
        tried = PastAttempt(
            decision.skill,
            decision.target,
            decision.face,
            decision.purpose,
            int(outcome.code),
            worked,
            self.stamp,
            after.stamp,
        )
        new = replace(self, attempts=(*self.attempts, tried))
        if decision.skill == "grasp":
            new = new._after_grasp(attempt, after)
        elif decision.skill == "place":
            new = new._after_place(attempt, after)
        elif decision.skill == "walk" and outcome.code is Code.WALK_BLOCKED:
            new = new._after_blocked_walk(
                decision.face or decision.target, after, edge_points.graph
            )
        return new.observe(after, edge_points)

    def recall(self, attempt: Attempt) -> Beliefs:
        """Take in an attempt of before a restart, of which no scene is left."""
        decision, worked = attempt.decision, attempt.worked
        tried = PastAttempt(
            decision.skill,
            decision.target,
            decision.face,
            decision.purpose,
            int(attempt.outcome.code),
            worked,
            self.stamp,
            self.stamp,
        )
        new = replace(self, attempts=(*self.attempts, tried))
        if worked and decision.skill == "grasp":
            return replace(new, held=decision.target, item_in_hand=attempt.outcome.pose)
        if worked and decision.skill == "place":
            return replace(new, held="", item_in_hand=None, delivered=True)
        return new

    @cached_property
    def blocked(self) -> frozenset[Edge]:
        """Ways that are believed to be blocked now."""
        return frozenset(
            edge
            for edge, belief in self.edges.items()
            if not belief.free and self.stamp - belief.stamp < BLOCKED_FOR
        )

    def failures(self, skill: str, target: str | None = None, face: str | None = None) -> int:
        """How often a skill failed in this order (at a target, at a face)."""
        return sum(
            t.skill == skill
            and target in (None, t.target)
            and face in (None, t.face)
            and not t.worked
            for t in self.attempts
        )

    def looked_at(self, face: str) -> bool:
        """Whether a face was looked at in this order."""
        look = self.inspections.get(face)
        return look is not None and look.stamp >= self.began

    @property
    def last(self) -> PastAttempt | None:
        """The last try that was not a helper's, such as leaving a face."""
        return next((t for t in reversed(self.attempts) if not t.purpose), None)

    def _after_grasp(self, attempt: Attempt, after: Scene) -> Beliefs:
        decision, code = attempt.decision, attempt.outcome.code
        if attempt.worked:
            sightings = {k: v for k, v in self.sightings.items() if k != decision.target}
            return replace(
                self,
                held=decision.target,
                item_in_hand=attempt.outcome.pose,
                lost=None,
                sightings=sightings,
            )
        if code is Code.ITEM_NOT_FOUND:
            here = tuple(
                name
                for name, sighting in self.sightings.items()
                if sighting.face == decision.face and name != decision.target
            )
            looks = {**self.inspections, decision.face: Inspection(after.stamp, "grasp", here)}
            sightings = {
                name: sighting
                for name, sighting in self.sightings.items()
                if name != decision.target or sighting.face != decision.face
            }
            return replace(self, inspections=looks, sightings=sightings)
        if code is Code.DROPPED and not after.holding:
            return replace(self, lost=Loss(after.stamp, decision.face, _place(after)))
        return self

    def _after_place(self, attempt: Attempt, after: Scene) -> Beliefs:
        if attempt.worked:
            return replace(self, held="", item_in_hand=None, lost=None, delivered=True)
        if after.holding:
            return self
        lost = Loss(after.stamp, attempt.decision.target, _place(after))
        return replace(self, held="", item_in_hand=None, lost=lost)

    def _after_blocked_walk(self, goal: str, after: Scene, graph: WalkGraph) -> Beliefs:
        """The first way ahead that the scan does not show to be free is blocked."""
        if after.map_from_base is None or goal not in graph.index:
            return self
        here = graph.here(after.map_from_base[:2])
        for edge in graph.edges_on(graph.path(here, goal, self.blocked)):
            known = self.edges.get(edge)
            if known is None or not known.free or after.stamp - known.stamp > FRESH:
                belief = EdgeBelief(False, after.stamp, "walk")
                return replace(self, edges={**self.edges, edge: belief})
        return self

    def _sightings(self, scene: Scene, graph: WalkGraph) -> dict[str, Sighting]:
        now = scene.stamp
        known = {
            name: sighting
            for name, sighting in self.sightings.items()
            if name in scene.seen or now - sighting.stamp > TRACKED
        }
        for name, seen in scene.seen.items():
            if seen.kind != "item" or name == self.held:
                continue
            stamp, old = now - seen.age, known.get(name)
            if old is not None and stamp <= old.stamp + 1e-6:
                continue
            if old is None and self.lost is not None and stamp < self.lost.stamp - FRESH:
                continue  # what was last seen in the gripper is not there any more
            x, y, z = (float(v) for v in seen.map_from_object[:3, 3])
            face = graph.surfaces.face_at(np.array([x, y, z]))
            look = self.inspections.get(face)
            if old is None and look is not None and look.how == "grasp":
                if stamp < look.stamp - FRESH:
                    continue  # the hand's camera has not found it there since
            known[name] = Sighting((x, y, z), face, stamp, seen.confidence)
        return known

    def _inspections(
        self, scene: Scene, graph: WalkGraph, sightings: Mapping[str, Sighting]
    ) -> Mapping[str, Inspection]:
        if scene.map_from_base is None:
            return self.inspections
        looks = dict(self.inspections)
        awake = any(seen.age < AWAKE for seen in scene.seen.values())
        for name in graph.surfaces.in_view(scene.map_from_base):
            seen = scene.seen.get(name)
            marker = seen is not None and seen.age < FRESH
            # At the standoff the arm may hide the marker of the face, not what stands above it.
            offset = scene.offset_from(graph.site, name, graph.site.standoff)
            close = offset is not None and float(np.hypot(offset[0], offset[1])) < 0.2
            if marker or (awake and close):
                here = tuple(item for item, s in sightings.items() if s.face == name)
                known = looks.get(name)
                how = "grasp" if known is not None and known.how == "grasp" else "camera"
                looks[name] = Inspection(scene.stamp, how, here)
        return looks


def _place(scene: Scene) -> tuple[float, float]:
    if scene.map_from_base is None:
        return (np.nan, np.nan)
    return (float(scene.map_from_base[0]), float(scene.map_from_base[1]))
