"""What the master may do next: skills with targets, each allowed or masked with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hrl_core.geometry import planar_from_transform, wrap_angle
from hrl_core.site import Site
from hrl_master.candidate import LOOK_AROUND, WAIT, WALK_UP, Candidate
from hrl_master.config import MasterConfig
from hrl_master.edges import in_sight
from hrl_master.graph import WalkGraph
from hrl_master.guardrails import Guardrails
from hrl_master.orders import (
    ALIGN,
    FINISH,
    HAND_OVER,
    LEAVE_FACE,
    LEAVE_NARROW,
    OFFSET,
)
from hrl_master.places import free_place, station_full
from hrl_master.reasons import Reason, Refusal
from hrl_master.scene import SEEN_LATELY
from hrl_master.situation import Situation

FACES = 6  # of interest besides the one of the order; more only where more are likely
NEAREST = 2  # of them at least are those to look into next
REMEMBERED = 4  # at most besides those, where the item tends to be by what is remembered
WAYPOINTS = 5  # at most
WAITING = 3.0  # s
TURN = 2 * np.pi / 3  # rad, of a look around
SCAN_LIMIT = 0.4  # s; skills refuse to start on an older scan than 0.5 s
THERE, FACING = 0.3, 0.3  # m, rad; so near to a pose it is not walked to
AT_FACE, IN_FRONT = 0.3, 0.6  # m from the standoff, rad; so it stands close in front of a face
UPRIGHT = math.cos(0.35)  # of the angle between an item's axis and the vertical
# m; less than the 0.05 that place allows itself, since nobody has measured where it was let go
ON_TARGET = 0.04
ALIGN_RANGE = 1.0  # m from the standoff; align begins nearer
TURN_SLACK = 0.1  # m; a plain face leaves the standoff's distance, which is room enough
STEP = 0.7  # m; a waypoint nearer than this is where the robot stands
FAR_SLACK = 2.0  # m, by which a walk to a far waypoint is shorter than the longest
LONGEST = 99.0  # m, stands for a way that there is not


@dataclass(frozen=True)
class _Place:
    """Where the robot is, and how far it is from there."""

    base: tuple[float, float, float]
    ways: np.ndarray  # (n,) m to the nodes
    free_ways: np.ndarray  # (n,) m if nothing were blocked
    onward: np.ndarray  # (n,) m from the nodes to the nearest goal


class Options:
    """Makes the candidates of a situation; the same whatever policy chooses among them."""

    def __init__(self, site: Site, graph: WalkGraph, guardrails: Guardrails, config: MasterConfig):
        self.site, self.graph, self.config = site, graph, config
        self._guardrails = guardrails
        faces = graph.surfaces.names
        self._staging = {name: site.pose_in_front(name, site.staging) for name in faces}
        self._standoff = {name: site.pose_in_front(name, site.standoff) for name in faces}
        room, needed = graph.room, graph.base.turning_room - TURN_SLACK
        self._narrow = {name for name in faces if room(self._standoff[name][:2]) < needed}
        self._in_view = {
            up: {name: {*graph.surfaces.expected_in_view(pose)} & {*site.bins}
                 for name, pose in poses.items()}
            for up, poses in ((False, self._staging), (True, self._standoff))
        }  # fmt: skip
        self._planar = {name: planar_from_transform(site.face(name)).tolist() for name in faces}

    def candidates(self, situation: Situation) -> tuple[Candidate, ...]:
        """All candidates in a fixed order; at least one is allowed."""
        order = situation.order
        if situation.beliefs.delivered or self._seen_delivered(situation):
            return (Candidate(FINISH, FINISH, order.to_station),)
        base, ways = situation.scene.map_from_base, None
        if base is not None:
            ways = self._ways(situation, base)
        faces = self._faces_of_interest(situation, ways)
        place = None if base is None or ways is None else self._place(situation, faces, base, ways)
        found: list[Candidate] = [*self._manipulations(situation, faces)]
        found += self._align(situation)
        found += [self._approach(situation, face) for face in faces]
        if place is not None:
            found += [self._walk_to_face(situation, place, face) for face in faces]
            there = {faces[0], situation.sighted_at}
            if not situation.scene.holding:
                there |= {*situation.likely_bins, *situation.remembered_bins[:1]}
            found += [
                self._walk_to_face(situation, place, face, up=True)
                for face in faces
                if face in there
            ]
            found += self._waypoints(situation, place, faces)
            found.append(self._look_around(place))
        found.append(self._back_out(situation))
        found.append(Candidate(WAIT, WAIT, f"{WAITING:.0f} s", parameters={"duration_s": WAITING}))
        checked = [self._checked(c, situation) for c in found]
        return (*checked, Candidate(HAND_OVER, HAND_OVER, order.item))

    def _seen_delivered(self, situation: Situation) -> bool:
        """Whether an item that a place lost sight of is seen upright at its target after all."""
        order, scene, lost = situation.order, situation.scene, situation.beliefs.lost
        seen = scene.seen.get(order.item)
        if lost is None or lost.face != order.to_station or seen is None or scene.holding:
            return False
        fresh = seen.age <= min(SEEN_LATELY, scene.stamp - lost.stamp)
        upright = float(seen.map_from_object[2, 2]) > UPRIGHT
        offset = free_place(self.site, situation)
        if offset is None or not fresh or not upright:
            return False
        return self._guardrails.off_target(scene, order, offset) < ON_TARGET

    def views(self, face: str) -> set[str]:
        """Bins that are in view from where an approach to a face begins."""
        return self._in_view[False][face]

    def stands_at(self, situation: Situation, face: str) -> bool:
        """Whether the robot stands at the standoff of a face."""
        away, turn = self._offset(situation, face)
        return away <= self.config.near_standoff and turn <= self.config.near_standoff_yaw

    def face_ahead(self, situation: Situation) -> str | None:
        """The bin or station that the robot stands in front of, so near that it cannot turn."""
        base = situation.scene.map_from_base
        if base is None:
            return None
        near = {}
        for name in self.graph.surfaces.in_view(base):
            away, turn = self._offset(situation, name)
            if away < AT_FACE and turn < IN_FRONT:
                near[name] = away
        return min(near, key=lambda name: near[name], default=None)

    def _faces_of_interest(self, situation: Situation, ways: np.ndarray | None) -> list[str]:
        """Faces that the order may go on at, the one of the order first.

        ways (n,) m to the nodes of the graph; None: not known.
        """
        order, beliefs = situation.order, situation.beliefs
        if situation.scene.holding:
            return [order.to_station]
        bins, unseen = self.site.bins, []
        faces = [order.from_bin, *situation.likely_bins]
        if beliefs.lost is not None and beliefs.lost.face:
            faces.append(beliefs.lost.face)
        if situation.sighted_at in bins:
            faces.append(situation.sighted_at)
        faces = list(dict.fromkeys(faces))
        most = max(1 + FACES - len(faces), NEAREST)
        faces = list(dict.fromkeys([*faces, *situation.remembered_bins[:REMEMBERED]]))
        if ways is not None:
            unseen = [name for name in bins if name not in {*beliefs.inspections, *faces}]
            unseen.sort(key=lambda name: ways[self.graph.index[name]])
        return [*faces, *unseen[:most]]

    def _ways(self, situation: Situation, base: np.ndarray) -> np.ndarray:
        """Lengths (n,) m of the ways to all nodes, round what is believed to be blocked."""
        blocked, sight = situation.beliefs.blocked, None
        if blocked and np.isfinite(situation.scene.sectors).any():
            sight = in_sight(situation.scene, self.graph.points)
        return self.graph.to_nodes(base[:2], blocked, sight)

    def _place(
        self, situation: Situation, faces: list[str], base: np.ndarray, ways: np.ndarray
    ) -> _Place:
        graph, blocked = self.graph, situation.beliefs.blocked
        free_ways = graph.to_nodes(base[:2]) if blocked else ways
        goals = [graph.index[name] for name in faces]
        onward = graph.distances(blocked)[:, goals].min(axis=1)
        x, y, yaw = (float(v) for v in base)
        return _Place(
            (x, y, yaw),
            np.minimum(ways, LONGEST),
            np.minimum(free_ways, LONGEST),
            np.minimum(onward, LONGEST),
        )

    def _manipulations(self, situation: Situation, faces: list[str]) -> list[Candidate]:
        order, scene = situation.order, situation.scene
        bins = [face for face in faces if face in self.site.bins] or [order.from_bin]
        offsets = {face: self._offset(situation, face) for face in bins}
        face = min(bins, key=lambda name: offsets[name][0])  # the first of equals
        refusal = None
        if situation.beliefs.lost is not None and situation.sighted_at != face:
            refusal = Refusal(Reason.ITEM_LOST, f"{order.item} was taken from its bin and got lost")
        grasp = Candidate(
            "grasp", "grasp", order.item, face=face, refusal=refusal,
            offset=offsets[face][0], turn=offsets[face][1],
        )  # fmt: skip
        away, turn = self._offset(situation, order.to_station)
        offset = free_place(self.site, situation)
        place = Candidate(
            "place", "place", order.to_station, face=order.to_station, offset=away, turn=turn,
            item_in_hand=situation.beliefs.item_in_hand if scene.holding else None,
            parameters={} if offset is None else dict(zip(OFFSET, offset.tolist(), strict=True)),
            refusal=station_full(self.site, situation),
        )  # fmt: skip
        return [grasp, place]

    def _align(self, situation: Situation) -> list[Candidate]:
        """Where something is to be put down on a conveyor, and a skill is there that aligns."""
        station, skill = situation.order.to_station, situation.helpers.get(ALIGN, "")
        scene = situation.scene
        if not (skill and scene.holding and self.site.station(station).belt):
            return []
        away, turn = self._offset(situation, station)
        refusal = None
        if away > ALIGN_RANGE:
            told = f"{away:.2f} m from the standoff of {station}, limit {ALIGN_RANGE} m"
            refusal = Refusal(Reason.TOO_FAR, told)
        return [Candidate(
            ALIGN, skill, station, face=station, refusal=refusal, offset=away, turn=turn,
            purpose=ALIGN,
        )]  # fmt: skip

    def _approach(self, situation: Situation, face: str) -> Candidate:
        base, limit = situation.scene.map_from_base, self.config.approach_range
        away, turn = self._offset(situation, face)
        refusal = None
        if base is None:
            refusal = Refusal(Reason.NOT_LOCALISED, "not localised")
        else:
            x, y, yaw = self._planar[face]
            dx, dy = base[0] - x, base[1] - y
            before = dx * math.cos(yaw) + dy * math.sin(yaw)
            beside = abs(dy * math.cos(yaw) - dx * math.sin(yaw))
            far = math.hypot(before, beside)
            if far >= limit:
                refusal = Refusal(Reason.TOO_FAR, f"{face} is {far:.1f} m away, limit {limit} m")
            elif not (0.5 < before and beside < before):
                # Within 45 degrees of the normal the marker can be seen.
                refusal = Refusal(
                    Reason.OUT_OF_REACH,
                    f"stands {before:.1f} m before and {beside:.1f} m beside {face}",
                )
        return Candidate(
            "approach", "approach", face, face=face, refusal=refusal, offset=away, turn=turn,
            views=len(self._in_view[True][face] - situation.beliefs.inspections.keys()),
        )  # fmt: skip

    def _walk_to_face(
        self, situation: Situation, place: _Place, face: str, up: bool = False
    ) -> Candidate:
        """To where an approach begins; `up`: to where it ends."""
        kind, target = (WALK_UP, f"{face} standoff") if up else ("walk", face)
        goal, k = (self._standoff if up else self._staging)[face], self.graph.index[face]
        straight = float(np.hypot(goal[0] - place.base[0], goal[1] - place.base[1]))
        turn = _between(goal[2], place.base[2])
        refusal = None
        if straight > self.config.direct_walk:
            refusal = Refusal(
                Reason.TOO_FAR,
                f"{face} is {straight:.1f} m away, limit {self.config.direct_walk} m",
            )
        elif straight < THERE and turn < FACING:
            refusal = Refusal(Reason.IN_PLACE, f"stands {straight:.2f} m from there already")
        return Candidate(
            kind, "walk", target, face=face, pose=goal, refusal=refusal,
            views=len(self._in_view[up][face] - situation.beliefs.inspections.keys()),
            **self._lengths(place, k, straight),
        )  # fmt: skip

    def _waypoints(self, situation: Situation, place: _Place, faces: list[str]) -> list[Candidate]:
        """The waypoints around, nearest first, and those on the ways to faces that are too far.

        Around are those next to where the robot is. Where a way is blocked the one to go back by
        may be next to another node around.
        """
        graph, site, blocked = self.graph, self.site, situation.beliefs.blocked
        nodes = graph.around(np.array(place.base[:2]))
        around = nodes if blocked else nodes[:1]
        names = {name for node in around for name in (node, *graph.neighbours(node))}
        away = np.hypot(*(graph.points - place.base[:2]).T)  # (n,) m
        near = [n for n in names & set(site.waypoints) if away[graph.index[n]] > STEP]
        chosen = sorted(near, key=lambda n: (away[graph.index[n]], n))[:WAYPOINTS]
        for face in faces:
            goal = self._staging[face][:2]
            if np.hypot(*(goal - place.base[:2])) <= self.config.direct_walk:
                continue
            way = graph.path(nodes[0], face, blocked)
            within = [n for n in way if n in site.waypoints and self._steps_to(away, n)]
            chosen += within[-1:]
        result = []
        for name in dict.fromkeys(chosen):
            k = graph.index[name]
            x, y = (float(v) for v in graph.points[k])
            heading = np.arctan2(y - place.base[1], x - place.base[0])  # no turn at its end
            pose = np.array([x, y, heading])
            lengths = self._lengths(place, k, float(away[k]))
            result.append(Candidate("walk", "walk", name, pose=pose, **lengths))
        return result

    def _steps_to(self, away: np.ndarray, waypoint: str) -> bool:
        """Whether one walk leads to a waypoint; away (n,) m: of the nodes from the robot."""
        return bool(STEP < away[self.graph.index[waypoint]] <= self.config.direct_walk - FAR_SLACK)

    def _lengths(self, place: _Place, k: int, straight: float) -> dict[str, Any]:
        way = float(place.ways[k])
        return {
            "way": max(way, straight),
            "excess": max(0.0, way - float(place.free_ways[k])),
            "onward": float(place.onward[k]),
        }

    def _look_around(self, place: _Place) -> Candidate:
        room = float(self.graph.room(np.array(place.base[:2])))
        refusal, needed = None, self.graph.base.turning_room
        if room < needed:
            refusal = Refusal(
                Reason.NO_ROOM,
                f"{room:.2f} m to the next shelf or wall, needs {needed} m to turn",
            )
        x, y, yaw = place.base
        pose = np.array([x, y, float(wrap_angle(yaw + TURN))])
        return Candidate(LOOK_AROUND, "walk", LOOK_AROUND, pose=pose, refusal=refusal)

    def _back_out(self, situation: Situation) -> Candidate:
        helpers, face = situation.helpers, self.face_ahead(situation)
        purpose = LEAVE_FACE
        if LEAVE_FACE not in helpers and face in self._narrow:
            purpose = LEAVE_NARROW
        skill, refusal = helpers.get(purpose, ""), None
        if not skill:
            refusal = Refusal(Reason.NO_SKILL, "no skill is there that leaves faces with room")
            if LEAVE_NARROW not in helpers:
                refusal = Refusal(Reason.NO_SKILL, "no skill is there that leaves faces")
        elif face is None:
            refusal = Refusal(Reason.NO_FACE, "stands close in front of nothing")
        return Candidate(
            "back_out", skill or "back_out", face or "", face=face or "", refusal=refusal,
            purpose=purpose, parameters={"distance_m": self.config.way_out},
        )  # fmt: skip

    def _offset(self, situation: Situation, face: str) -> tuple[float, float]:
        """Distance [m] and turn [rad] from the standoff of a face, see Scene.in_front."""
        base = situation.scene.map_from_base
        if base is None:
            return LONGEST, math.pi
        standoff = situation.scene.in_front(face, self.site.standoff, self._standoff[face])
        x, y, yaw = standoff.tolist()
        return math.hypot(base[0] - x, base[1] - y), _between(base[2], yaw)

    def _checked(self, candidate: Candidate, situation: Situation) -> Candidate:
        """Masked where a guardrail would stop it."""
        if not candidate.allowed or candidate.kind == WAIT:
            return candidate
        if situation.scene.scan_age > SCAN_LIMIT:
            age = situation.scene.scan_age
            told = f"the newest scan is {age:.1f} s old, limit {SCAN_LIMIT} s"
            told = told if np.isfinite(age) else "no scan came yet"
            return replace(candidate, refusal=Refusal(Reason.SCAN_OLD, told))
        check = self._guardrails.before(candidate.decision(""), situation.scene, situation.order)
        if check.ok:
            return candidate
        return replace(candidate, refusal=Refusal(check.reason, check.sentence))


def _between(a: float, b: float) -> float:
    """Angle [rad] between two directions."""
    return abs((a - b + math.pi) % (2 * math.pi) - math.pi)
