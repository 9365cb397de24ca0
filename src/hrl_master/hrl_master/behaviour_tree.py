"""The baseline by hand: a behaviour tree (py_trees) with retries, searches and recoveries."""

from collections.abc import Callable, Sequence

import numpy as np
import py_trees
from py_trees.common import Status

from hrl_core.outcomes import Code
from hrl_master.beliefs import Try
from hrl_master.boards import FLOOR
from hrl_master.candidates import (
    FINISH,
    HAND_OVER,
    LONGEST,
    SCAN_LIMIT,
    WAIT,
    WALK_UP,
    Candidate,
    Options,
)
from hrl_master.choice import Choice, certain, find
from hrl_master.mission import MasterConfig
from hrl_master.situation import Situation
from hrl_master.ways import in_sight

BLIND_WAITS = 10  # in a row, for sensors or the localisation to come back
CAMERA_WAITS = 6  # in front of a face, for a camera that sees nothing at all
BLOCKED_WAITS = 8  # in an order, for a way to become free
LOST_WAITS = 8  # in a row, before a station, for an item to come into sight that was put down there
WALKS = 3  # failures of walks to a face; then it is left out or handed over
UNSEEN = 6.0  # s without a sight of anything: a camera may be out
BLOCKED = (Code.WALK_BLOCKED, Code.WALK_OFF_TARGET)
NEARLY = (Code.APPROACH_BLOCKED, Code.APPROACH_OFF_TARGET)
DETOUR = 0.5  # m, by which a way round is longer
MANIPULATIONS = ("grasp", "place")
# s, by which it compares looks into bins: of a walk, also per metre, of an approach, and what a bin
# more in view is worth: less than coming back for one that was left out
WALK_TIME, PACE, APPROACH_TIME, VIEW_WORTH = 3.0, 1.1, 4.4, 2.0


class _If(py_trees.behaviour.Behaviour):
    """Leaf that succeeds when a condition on the situation holds."""

    def __init__(self, name: str, condition: Callable[[], bool]):
        super().__init__(name)
        self._condition = condition

    def update(self) -> Status:
        return Status.SUCCESS if self._condition() else Status.FAILURE


class _Choose(py_trees.behaviour.Behaviour):
    """Leaf that chooses a candidate; fails where that is not allowed, and the tree goes on."""

    def __init__(self, name: str, choose: Callable[[], bool]):
        super().__init__(name)
        self._choose = choose

    def update(self) -> Status:
        return Status.SUCCESS if self._choose() else Status.FAILURE


class BehaviourTree:
    """Fetch, carry, place; the tree is ticked once per decision and remembers nothing itself.

    A failure is met by leaving the face and coming anew, by another way, by waiting where somebody
    or an outage may pass, by looking in other bins, and by handing over when nothing is left.
    """

    def __init__(self, options: Options, config: MasterConfig):
        self._options, self._config = options, config
        self._situation: Situation
        self._candidates: Sequence[Candidate]
        self._chosen: Choice | None = None
        self.tree = self._build()

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        """The next candidate; its reason names the branch of the tree."""
        self._situation, self._candidates, self._chosen = situation, candidates, None
        self._face, self._search = self._next_face()
        self.tree.tick_once()
        assert self._chosen is not None, "the tree's last branch always chooses"
        return self._chosen

    def _build(self) -> py_trees.behaviour.Behaviour:
        def branch(name, condition, *leaves):
            children = [_If(f"{name}?", condition), *leaves]
            return py_trees.composites.Sequence(name, memory=False, children=children)

        def either(name, *children):
            return py_trees.composites.Selector(name, memory=False, children=list(children))

        leaf = _Choose
        return either(
            "order",
            branch("delivered", lambda: self._has(FINISH), leaf("finish", self._finish)),
            branch("hopeless", lambda: bool(self._hopeless()), leaf("hand over", self._hand_over)),
            branch("blind", lambda: bool(self._blind()), leaf("wait", self._wait_for_senses)),
            branch("lost", self._has_lost, leaf("look", self._look_for_lost)),
            branch(
                "at the standoff",
                self._stands_there,
                either(
                    "manipulate",
                    branch("unseen", self._camera_out, leaf("wait", self._wait_for_camera)),
                    leaf("grasp or place", self._manipulate),
                ),
            ),
            branch("close and must leave", self._must_leave, leaf("leave", self._leave)),
            branch("looks for it", self._searches, leaf("where most is seen", self._look)),
            branch("near", self._may_approach, leaf("approach", self._approach)),
            branch("cut off", self._cut_off, leaf("wait", self._wait_for_way)),
            branch("walk failed", self._walk_failed, leaf("another way", self._other_way)),
            branch("detour", self._has_detour, leaf("along the graph", self._along_graph)),
            leaf("walk up", self._walk_up),
            leaf("walk", self._walk),
            leaf("approach all the same", self._approach),
            leaf("wait", lambda: self._wait("nothing else may run now", 3)),
            leaf("give up", lambda: self._pick(HAND_OVER, None, "nothing is left to try")),
        )

    # Where to

    def _next_face(self) -> tuple[str, bool]:
        """The face to go to and whether that is a search; "": none is left."""
        s = self._situation
        if s.scene.holding:
            return s.order.to_station, False
        bins = self._options.site.bins
        if s.sighted_at in bins and not self._given_up(s.sighted_at):
            return s.sighted_at, s.sighted_at != s.order.from_bin
        first = s.order.from_bin
        if not s.looked_in_vain(first) and not self._given_up(first):
            return first, False
        left = self._views()
        if not left:
            # Its marker may have been covered: the hand looks, too, before a person is asked.
            again = first in s.beliefs.looks and not s.beliefs.looks[first].items
            again = again and not self._hand_looked(first) and not self._given_up(first)
            return (first if again else ""), False
        return self._candidates[min(left, key=lambda k: left[k])].face, True

    def _views(self) -> dict[int, float]:
        """Candidates that look into bins not looked at yet, and what they cost [s]."""
        s, found = self._situation, {}
        for k, c in enumerate(self._candidates):
            walks = c.kind == "walk"
            unseen = c.face in self._options.site.bins and c.face not in s.beliefs.looks
            if unseen and (walks or (c.kind == "approach" and c.allowed)):
                if not self._given_up(c.face):
                    seconds = WALK_TIME + PACE * c.way if walks else APPROACH_TIME
                    found[k] = seconds - VIEW_WORTH * c.views
        return found

    def _hand_looked(self, face: str) -> bool:
        """Whether the hand's camera did not find the item at a face."""
        tries = self._situation.beliefs.tries
        return any(t.face == face and t.code == Code.ITEM_NOT_FOUND for t in tries)

    def _given_up(self, face: str) -> bool:
        """Whether too much went wrong at a face to go there again."""
        beliefs = self._situation.beliefs
        return (
            beliefs.failures("walk", face=face) >= WALKS
            or beliefs.failures("approach", face) >= self._config.max_failures
            or beliefs.failures("grasp", face=face) >= self._config.max_failures
        )

    # Conditions

    def _hopeless(self) -> str:
        """Why a person is needed; empty: there is something to try."""
        s, b = self._situation, self._situation.beliefs
        item = s.order.item
        if self._last is not None and self._last.code == Code.FELL:
            return "the robot has fallen"
        if s.sighted_at == FLOOR and not s.scene.holding:
            return f"{item} lies on the floor, and no skill picks up from there"
        if b.lost is not None and s.sighted_at in self._stations():
            return f"{item} stands on {s.sighted_at}, not where it belongs"
        if b.lost is not None and self._has_lost() and self._looked_for_lost():
            return f"{item} got lost at {b.lost.face or 'an unknown place'} and is not in sight"
        if not self._face:
            return f"{item} is in no bin that can be looked at"
        if s.scene.holding and self._given_up(s.order.to_station):
            return f"{s.order.to_station} cannot be reached"
        if s.scene.holding and b.failures("place") >= self._config.max_failures:
            return f"{item} could not be placed"
        if self._blind() and self._waits >= BLIND_WAITS:
            return f"{self._blind()} for {3 * self._waits} s"
        if self._cut_off() and self._waits_in_order() >= BLOCKED_WAITS:
            return f"every way to {self._face} is blocked"
        return ""

    def _blind(self) -> str:
        """What of the senses is missing to walk; empty: nothing."""
        scene = self._situation.scene
        if scene.map_from_base is None:
            return "not localised"
        if scene.scan_age > SCAN_LIMIT:
            return f"no scan for {min(scene.scan_age, 999):.1f} s"
        walks = [c for c in self._candidates if c.kind == "walk"]
        if walks and not any(c.allowed for c in walks) and "known to" in walks[0].why_not:
            return walks[0].why_not
        return ""

    def _has_lost(self) -> bool:
        s = self._situation
        return s.beliefs.lost is not None and s.sighted_at not in self._options.site.bins

    def _stands_there(self) -> bool:
        last = self._last
        if last is not None and last.skill in MANIPULATIONS and not last.worked:
            return False  # after a failed try the robot stands anew before it tries again
        if last is not None and last.skill == "approach" and last.code in NEARLY:
            # It may have come near enough all the same: a slippery floor, somebody in the way.
            holding = self._situation.scene.holding
            k = find(self._candidates, "place" if holding else "grasp")
            if k is not None and self._candidates[k].face == self._face:
                return self._candidates[k].allowed
        return self._options.stands_at(self._situation, self._face)

    def _camera_out(self) -> bool:
        s = self._situation
        since = s.scene.stamp - s.beliefs.seen_at
        return not s.scene.holding and self._face not in s.beliefs.looks and UNSEEN < since < np.inf

    def _may_approach(self) -> bool:
        last = self._last
        if last is not None and last.skill == "approach" and not last.worked:
            return False  # walk to the staging pose first, from there the marker is in view
        return self._allowed("approach", self._face)

    def _searches(self) -> bool:
        last = self._last
        failed = last is not None and last.skill in ("walk", "approach") and not last.worked
        return self._search and not failed and self._situation.sighted_at != self._face

    def _must_leave(self) -> bool:
        if not self._has("back_out"):
            return False
        tries, last = self._situation.beliefs.tries, self._last
        if tries and tries[-1].purpose:
            return False  # it has done what it can
        tried = last is not None and last.skill in MANIPULATIONS and not last.worked
        return tried or not self._may_approach()

    def _cut_off(self) -> bool:
        k = find(self._candidates, "walk", self._face)
        return k is not None and self._candidates[k].way >= LONGEST

    def _walk_failed(self) -> bool:
        last = self._last
        return last is not None and last.skill == "walk" and last.code in BLOCKED

    def _has_detour(self) -> bool:
        """Whether the graph knows a way round what has stopped the walk to the face."""
        k = find(self._candidates, "walk", self._face)
        failed = self._situation.beliefs.failures("walk", face=self._face) > 0
        return failed and k is not None and DETOUR < self._candidates[k].excess < LONGEST / 2

    def _looked_for_lost(self) -> bool:
        lost, tries = self._situation.beliefs.lost, self._situation.beliefs.tries
        assert lost is not None
        return sum(t.began >= lost.stamp and t.skill != WAIT for t in tries) >= 2

    # Choices

    def _finish(self) -> bool:
        return self._pick(FINISH, None, "delivered and checked")

    def _hand_over(self) -> bool:
        tries = self._situation.beliefs.tries
        failed = [f"{t.skill} {t.target}: {Code(t.code).name}" for t in tries if not t.worked]
        return self._pick(HAND_OVER, None, "; ".join([self._hopeless(), *failed[-3:]]))

    def _wait_for_senses(self) -> bool:
        return self._wait(self._blind(), BLIND_WAITS)

    def _wait_for_camera(self) -> bool:
        return self._wait("the cameras see nothing that they know", CAMERA_WAITS)

    def _wait_for_way(self) -> bool:
        return self._wait(f"every way to {self._face} is blocked", BLOCKED_WAITS)

    def _look_for_lost(self) -> bool:
        """From a step back the floor in front of a face comes into view."""
        lost = self._situation.beliefs.lost
        assert lost is not None
        why = f"{self._situation.order.item} got lost: looks for it"
        return (
            self._pick("back_out", None, why)
            or (bool(lost.face) and self._pick("walk", lost.face, why))
            or (lost.face in self._stations() and self._wait(why, LOST_WAITS))
            or self._pick("look_around", None, why)
            or self._wait(why, 3)
        )

    def _manipulate(self) -> bool:
        s, face = self._situation, self._face
        if s.scene.holding:
            return self._pick("place", face, f"at the standoff of {face}")
        return self._pick("grasp", s.order.item, f"at the standoff of {face}")

    def _leave(self) -> bool:
        return self._pick("back_out", None, "stands close in front of a face")

    def _approach(self) -> bool:
        why = f"{self._face} is within {self._config.approach_range} m"
        return self._pick("approach", self._face, why)

    def _look(self) -> bool:
        views = {k: value for k, value in self._views().items() if self._candidates[k].allowed}
        if not views:
            return False
        why = f"looks for {self._situation.order.item} elsewhere"
        self._chosen = certain(min(views, key=lambda k: views[k]), self._candidates, why)
        return True

    def _walk_up(self) -> bool:
        """Right to the standoff, where something is to be done and nothing went wrong yet."""
        s, failures = self._situation, self._situation.beliefs.failures
        seen = s.sighted_at == self._face
        if self._search and not seen:
            return False
        if failures("walk", face=self._face) or failures("approach", self._face):
            return False
        why = f"{self._face} is not within reach of an approach"
        if seen and self._search:
            why = f"{s.order.item} was seen at {self._face}"
        return self._pick(WALK_UP, f"{self._face} standoff", why)

    def _walk(self) -> bool:
        why = f"{self._face} is not within reach of an approach"
        if self._search:
            item = self._situation.order.item
            seen = self._situation.sighted_at == self._face
            why = f"{item} was seen at {self._face}" if seen else f"looks for {item} elsewhere"
        if self._pick("walk", self._face, why):
            return True
        k = find(self._candidates, "walk", self._face)
        far = k is not None and "limit" in self._candidates[k].why_not
        return far and self._by_waypoint("too far to walk at once")

    def _other_way(self) -> bool:
        """After a failed walk: round what is blocked, else wait for whoever is in the way."""
        last = self._last
        assert last is not None
        why = f"the way to {last.face or last.target} failed ({Code(last.code).name})"
        if self._has_detour() and (self._along_graph() or self._by_waypoint(why)):
            return True
        tries = self._situation.beliefs.tries
        recent = sum(t.skill == WAIT for t in tries[tries.index(last) + 1 :])
        if recent < 1 and self._wait(why, BLOCKED_WAITS):
            return True
        again = self._situation.beliefs.failures("walk", face=self._face) == 2
        return again and self._by_waypoint(why)

    def _along_graph(self) -> bool:
        """To the farthest waypoint in sight on the shortest way that is not blocked."""
        s, graph = self._situation, self._options.graph
        walks = {
            c.target: k
            for k, c in enumerate(self._candidates)
            if c.kind == "walk" and not c.face and c.allowed and self._in_sight(c)
        }
        if s.scene.map_from_base is None or not walks:
            return False
        start = min(walks, key=lambda n: self._candidates[walks[n]].way + self._left(n))
        path = graph.path(start, self._face, s.beliefs.blocked)
        ahead = [name for name in path if name in walks]
        if not ahead:
            return False
        why = f"round what blocks the way to {self._face}, by {ahead[-1]}"
        self._chosen = certain(walks[ahead[-1]], self._candidates, why)
        return True

    def _left(self, node: str) -> float:
        """Length [m] of the way from a node to the face, round what is blocked."""
        graph = self._options.graph
        ways = graph.distances(self._situation.beliefs.blocked)
        return float(ways[graph.index[node], graph.index[self._face]])

    def _by_waypoint(self, why: str) -> bool:
        """To the waypoint in sight from which the way that is left is the shortest."""
        steps = [
            (not self._in_sight(c), c.way + c.onward, k)
            for k, c in enumerate(self._candidates)
            if c.kind == "walk" and not c.face and c.allowed
            and not self._situation.beliefs.failures("walk", c.target)
        ]  # fmt: skip
        if not steps:
            return False
        k = min(steps)[-1]
        self._chosen = certain(k, self._candidates, f"{why}: goes by {self._candidates[k].target}")
        return True

    def _in_sight(self, candidate: Candidate) -> bool:
        """Whether the scan shows nothing between the robot and where a walk ends."""
        scene = self._situation.scene
        if scene.map_from_base is None or candidate.pose is None:
            return False
        return bool(in_sight(scene, candidate.pose[None, :2])[0])

    def _wait(self, why: str, limit: int) -> bool:
        return self._waits < limit and self._pick(WAIT, None, why)

    # Helpers

    @property
    def _last(self) -> Try | None:
        """The last try that was neither a wait nor a helper's."""
        tries = self._situation.beliefs.tries
        return next((t for t in reversed(tries) if not t.purpose and t.skill != WAIT), None)

    @property
    def _waits(self) -> int:
        """Waits in a row up to now."""
        count = 0
        for t in reversed(self._situation.beliefs.tries):
            if t.skill != WAIT:
                break
            count += 1
        return count

    def _waits_in_order(self) -> int:
        return sum(t.skill == WAIT for t in self._situation.beliefs.tries)

    def _stations(self) -> list[str]:
        return [station.name for station in self._options.site.stations]

    def _has(self, kind: str) -> bool:
        return any(c.kind == kind and c.allowed for c in self._candidates)

    def _allowed(self, kind: str, target: str) -> bool:
        k = find(self._candidates, kind, target)
        return k is not None and self._candidates[k].allowed

    def _pick(self, kind: str, target: str | None, reason: str) -> bool:
        """Choose the first candidate of a kind (and target), if it is allowed."""
        k = find(self._candidates, kind, target)
        if k is None or not self._candidates[k].allowed:
            return False
        self._chosen = certain(k, self._candidates, reason)
        return True
