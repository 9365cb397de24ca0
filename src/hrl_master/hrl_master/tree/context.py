"""What the leaves of the tree read at one decision: the situation, the candidates, what follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple

from hrl_core.outcomes import Code
from hrl_master.beliefs import PastAttempt
from hrl_master.candidate import LOOK_AROUND, WAIT, Candidate
from hrl_master.candidates import LONGEST, SCAN_LIMIT, Options
from hrl_master.choice import find
from hrl_master.config import MasterConfig
from hrl_master.edges import in_sight
from hrl_master.reasons import Reason
from hrl_master.situation import Situation

WALKS = 3  # failures of walks to a face; then it is left out or handed over
DETOUR = 0.5  # m, by which a way round is longer
# s, by which it compares looks into bins: of a walk, also per metre, of an approach, and what a bin
# more in view is worth: less than coming back for one that was left out
WALK_TIME, PACE, APPROACH_TIME, VIEW_WORTH = 3.0, 1.1, 4.4, 2.0


class Goal(NamedTuple):
    """The face to go to, and whether that is a search; "": none is left."""

    face: str
    search: bool


@dataclass(frozen=True, eq=False)
class Context:
    """One situation with its candidates, and the facts that more than one leaf needs."""

    options: Options
    config: MasterConfig
    situation: Situation
    candidates: Sequence[Candidate]

    # Where to

    @cached_property
    def goal(self) -> Goal:
        """Where the order goes on."""
        s = self.situation
        if s.scene.holding:
            return Goal(s.order.to_station, False)
        bins = self.options.site.bins
        if s.sighted_at in bins and not self.given_up(s.sighted_at):
            return Goal(s.sighted_at, s.sighted_at != s.order.from_bin)
        return self.search()

    def search(self) -> Goal:
        """Where the item is looked for that was not seen yet."""
        s = self.situation
        for likely in s.likely_bins:
            if not s.looked_in_vain(likely) and not self.given_up(likely):
                return Goal(likely, False)
        if self.none_in_stock:
            return Goal("", False)
        left = self.views
        if not left:
            return Goal(s.order.from_bin if self.hand_may_look else "", False)
        return Goal(self.candidates[min(left, key=lambda k: left[k])].face, True)

    @property
    def hand_may_look(self) -> bool:
        """Whether the hand may look where the cameras saw nothing at all, in the item's own bin.

        Its marker may have been covered: the hand looks, too, before a person is asked.
        """
        first = self.situation.order.from_bin
        look = self.situation.beliefs.inspections.get(first)
        empty = look is not None and not look.items
        return empty and not self._hand_looked(first) and not self.given_up(first)

    @property
    def face(self) -> str:
        """The face to go to; "": none is left."""
        return self.goal.face

    @cached_property
    def views(self) -> dict[int, float]:
        """Candidates that look into bins not looked at yet, and what they cost [s]."""
        s, found = self.situation, {}
        bins = self.options.site.bins
        for k, c in enumerate(self.candidates):
            walks = c.kind == "walk"
            unseen = c.face in bins and c.face not in s.beliefs.inspections
            if unseen and (walks or (c.kind == "approach" and c.allowed)):
                if not self.given_up(c.face):
                    seconds = WALK_TIME + PACE * c.way if walks else APPROACH_TIME
                    found[k] = seconds - VIEW_WORTH * c.views
        return found

    @property
    def next_looks(self) -> dict[int, float]:
        """Those of the views that may come next."""
        return self.views

    @property
    def none_in_stock(self) -> bool:
        """Whether the stock system has none, and as many bins as wanted were looked at in vain."""
        looked = len({*self.situation.beliefs.inspections} & {*self.options.site.bins})
        return self.situation.stock == () and looked >= self.config.bins_if_none

    def given_up(self, face: str) -> bool:
        """Whether too much went wrong at a face to go there again."""
        beliefs = self.situation.beliefs
        return (
            beliefs.failures("walk", face=face) >= WALKS
            or beliefs.failures("approach", face) >= self.config.max_failures
            or beliefs.failures("grasp", face=face) >= self.config.max_failures
        )

    def _hand_looked(self, face: str) -> bool:
        """Whether the hand's camera did not find the item at a face."""
        tries = self.situation.beliefs.attempts
        return any(t.face == face and t.code == Code.ITEM_NOT_FOUND for t in tries)

    # What was tried

    @cached_property
    def last(self) -> PastAttempt | None:
        """The last try that was neither a wait nor a helper's."""
        tries = self.situation.beliefs.attempts
        return next((t for t in reversed(tries) if not t.purpose and t.skill != WAIT), None)

    @cached_property
    def waits(self) -> int:
        """Waits in a row up to now."""
        count = 0
        for t in reversed(self.situation.beliefs.attempts):
            if t.skill != WAIT:
                break
            count += 1
        return count

    @cached_property
    def looks(self) -> int:
        """Looks around since anything but waits was tried."""
        tried = (t for t in reversed(self.situation.beliefs.attempts) if t.skill != WAIT)
        return sum(1 for _ in takewhile(lambda t: t.target == LOOK_AROUND, tried))

    # What is known

    @cached_property
    def missing_sense(self) -> str:
        """What of the senses is missing to walk; empty: nothing."""
        scene = self.situation.scene
        if scene.map_from_base is None:
            return "not localised"
        if scene.scan_age > SCAN_LIMIT:
            return f"no scan for {min(scene.scan_age, 999):.1f} s"
        return self._walks[0].why_not if self.refused_for_position else ""

    @property
    def refused_for_position(self) -> bool:
        """Whether no walk is allowed because the position is known too badly."""
        refusal = self._walks[0].refusal if self._walks else None
        uncertain = refusal is not None and refusal.reason is Reason.LOCALISATION_UNCERTAIN
        return uncertain and not any(c.allowed for c in self._walks)

    @cached_property
    def _walks(self) -> list[Candidate]:
        return [c for c in self.candidates if c.kind == "walk"]

    @property
    def stations(self) -> list[str]:
        """Names of the site's stations."""
        return [station.name for station in self.options.site.stations]

    @property
    def item_is_lost(self) -> bool:
        """Whether the item was held, got lost, and is not seen in a bin."""
        s = self.situation
        return s.beliefs.lost is not None and s.sighted_at not in self.options.site.bins

    @property
    def may_approach(self) -> bool:
        """Whether an approach to the face is allowed, and none has just failed."""
        last = self.last
        if last is not None and last.skill == "approach" and not last.worked:
            return False  # walk to the staging pose first, from there the marker is in view
        return self.allows("approach", self.face)

    @property
    def cut_off(self) -> bool:
        """Whether what is believed to be blocked leaves no way to the face."""
        walk = self.find("walk", self.face)
        return walk is not None and walk.way >= LONGEST

    @property
    def detour(self) -> float:
        """By how much [m] the graph's way round what has stopped a walk is longer; 0: none."""
        walk = self.find("walk", self.face)
        failed = self.situation.beliefs.failures("walk", face=self.face) > 0
        if failed and walk is not None and DETOUR < walk.excess < LONGEST / 2:
            return walk.excess
        return 0.0

    # Candidates

    def find(self, kind: str, target: str | None = None) -> Candidate | None:
        """The first candidate of a kind (and target)."""
        k = find(self.candidates, kind, target)
        return None if k is None else self.candidates[k]

    def allows(self, kind: str, target: str) -> bool:
        """Whether the first candidate of a kind and target is there and allowed."""
        candidate = self.find(kind, target)
        return candidate is not None and candidate.allowed

    def in_sight(self, candidate: Candidate) -> bool:
        """Whether the scan shows nothing between the robot and where a walk ends."""
        scene = self.situation.scene
        if scene.map_from_base is None or candidate.pose is None:
            return False
        return bool(in_sight(scene, candidate.pose[None, :2])[0])
