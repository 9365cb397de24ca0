"""What the tree can choose: each action takes one candidate, where it is allowed."""

from hrl_core.outcomes import Code
from hrl_master.candidate import LOOK_AROUND, WAIT, WALK_UP
from hrl_master.candidates import FINISH, HAND_OVER
from hrl_master.orders import ALIGN
from hrl_master.tree.context import DETOUR, Context
from hrl_master.tree.leaves import Action, Because, Blackboard, Proposal, pick

# Ends of an order


class Finish(Action):
    """Succeeds when the order may be closed."""

    does = "finish"

    def propose(self, context: Context) -> Proposal:
        return pick(context, FINISH, None, self.because)


class HandOver(Action):
    """Succeeds always, but where the order may be closed; tells the last three failures."""

    does = "hand over"

    def propose(self, context: Context) -> Proposal:
        tries = context.situation.beliefs.attempts
        failed = [f"{t.skill} {t.target}: {Code(t.code).name}" for t in tries if not t.worked]
        return pick(context, HAND_OVER, None, "; ".join([self.because, *failed[-3:]]))


class GiveUp(Action):
    """Succeeds always, but where the order may be closed."""

    does = "give up"

    def propose(self, context: Context) -> Proposal:
        return pick(context, HAND_OVER, None, "nothing is left to try")


# Waiting


class Wait(Action):
    """Succeeds while there were fewer waits in a row than its limit."""

    does = "wait"

    def __init__(self, board: Blackboard, because: Because, limit: int, name: str = ""):
        super().__init__(board, because, name)
        self._limit = limit

    def propose(self, context: Context) -> Proposal:
        if context.waits >= self._limit:
            return Proposal(None, f"waits in a row: {context.waits} of {self._limit}")
        return pick(context, WAIT, None, self.because)


class WaitOnce(Wait):
    """Succeeds when it has not waited since the last walk or manipulation."""

    does = "wait once"

    def propose(self, context: Context) -> Proposal:
        tries, last = context.situation.beliefs.attempts, context.last
        began = 0 if last is None else tries.index(last) + 1
        if any(t.skill == WAIT for t in tries[began:]):
            return Proposal(None, "has waited since")
        return super().propose(context)


class WaitAtStation(Wait):
    """Succeeds when the item got lost at a station, while there is patience to look at it."""

    does = "wait before the station"

    def propose(self, context: Context) -> Proposal:
        lost = context.situation.beliefs.lost
        if lost is None or lost.face not in context.stations:
            return Proposal(None, "it got lost at no station")
        return super().propose(context)


# At a face


class Place(Action):
    """Succeeds when something is held and may be placed on the face."""

    does = "place"

    def propose(self, context: Context) -> Proposal:
        if not context.situation.scene.holding:
            return Proposal(None, "holds nothing")
        return pick(context, "place", context.face, self.because)


class Align(Action):
    """Succeeds when something is held, the face is a conveyor, and it has not aligned just now."""

    does = "align"

    def propose(self, context: Context) -> Proposal:
        tries = context.situation.beliefs.attempts
        if tries and tries[-1].purpose == ALIGN:
            return Proposal(None, f"{tries[-1].skill} has done what it can")
        return pick(context, ALIGN, context.face, self.because)


class Grasp(Action):
    """Succeeds when nothing is held and the item may be grasped."""

    does = "grasp"

    def propose(self, context: Context) -> Proposal:
        if context.situation.scene.holding:
            return Proposal(None, "holds something")
        return pick(context, "grasp", context.situation.order.item, self.because)


class BackOut(Action):
    """Succeeds when a skill is there that leaves the face in front."""

    does = "back out"

    def propose(self, context: Context) -> Proposal:
        return pick(context, "back_out", None, self.because)


class LookAround(Action):
    """Succeeds when there is room to turn."""

    does = "look around"

    def propose(self, context: Context) -> Proposal:
        return pick(context, LOOK_AROUND, None, self.because)


class LookWhereMostIsSeen(Action):
    """Succeeds when bins are left to look at: takes the cheapest look, see Context.views."""

    does = "look where most is seen"

    def propose(self, context: Context) -> Proposal:
        views = {k: cost for k, cost in context.next_looks.items() if context.candidates[k].allowed}
        if not views:
            return Proposal(None, "no bin is left that may be looked at")
        return Proposal(min(views, key=lambda k: views[k]), self.because)


# Ways


class Approach(Action):
    """Succeeds when the face may be approached."""

    does = "approach"

    def propose(self, context: Context) -> Proposal:
        why = f"{context.face} is within {context.config.approach_range} m"
        return pick(context, "approach", context.face, why)


class WalkUp(Action):
    """Succeeds when something is to be done at the face and nothing went wrong on the way yet.

    It walks right to the standoff, so that nothing is left to approach.
    """

    does = "walk up to the standoff"

    def propose(self, context: Context) -> Proposal:
        failures, face = context.situation.beliefs.failures, context.face
        seen = context.situation.sighted_at == face
        if context.goal.search and not seen:
            return Proposal(None, "only looks there")
        if failures("walk", face=face) or failures("approach", face):
            return Proposal(None, f"a walk or approach to {face} has failed before")
        return pick(context, WALK_UP, f"{face} standoff", _why_walk(context))


class Walk(Action):
    """Succeeds when a walk to where an approach to the face begins is allowed."""

    does = "walk"

    def propose(self, context: Context) -> Proposal:
        return pick(context, "walk", context.face, _why_walk(context))


class WalkToLoss(Action):
    """Succeeds when it is known where the item got lost, and a walk there is allowed.

    From a step back the floor in front of a face comes into view.
    """

    does = "walk to where it got lost"

    def propose(self, context: Context) -> Proposal:
        lost = context.situation.beliefs.lost
        if lost is None or not lost.face:
            return Proposal(None, "it got lost at no known place")
        return pick(context, "walk", lost.face, self.because)


class AlongGraph(Action):
    """Succeeds when a waypoint of the shortest way that is not blocked is in sight.

    It takes the farthest of them.
    """

    does = "walk along the graph"

    def propose(self, context: Context) -> Proposal:
        s, face, graph = context.situation, context.face, context.options.graph
        candidates = context.candidates
        walks = {
            c.target: k
            for k, c in enumerate(candidates)
            if c.kind == "walk" and not c.face and c.allowed and context.in_sight(c)
        }
        if not face or s.scene.map_from_base is None or not walks:
            return Proposal(None, "no waypoint is in sight")
        left = graph.distances(s.beliefs.blocked)[:, graph.index[face]]  # (n,) m to the face
        start = min(walks, key=lambda n: candidates[walks[n]].way + float(left[graph.index[n]]))
        ahead = [name for name in graph.path(start, face, s.beliefs.blocked) if name in walks]
        if not ahead:
            return Proposal(None, f"no waypoint in sight leads to {face}")
        return Proposal(walks[ahead[-1]], f"round what blocks the way to {face}, by {ahead[-1]}")


class ByWaypoint(Action):
    """Succeeds when a waypoint is left to which no walk has failed; prefers those in sight.

    It takes the one from which the way that is left is the shortest.
    """

    does = "walk by a waypoint"

    def propose(self, context: Context) -> Proposal:
        failures = context.situation.beliefs.failures
        steps = [
            (not context.in_sight(c), c.way + c.onward, k)
            for k, c in enumerate(context.candidates)
            if c.kind == "walk" and not c.face and c.allowed and not failures("walk", c.target)
        ]
        if not steps:
            return Proposal(None, "no waypoint is left to go by")
        k = min(steps)[-1]
        return Proposal(k, f"{self.because}: goes by {context.candidates[k].target}")


class Towards(Action):
    """Succeeds when a waypoint is left from which less of the way to the face is left.

    It takes the last one on a way that is not longer than the shortest.
    """

    does = "walk towards it"

    def propose(self, context: Context) -> Proposal:
        s, face, graph = context.situation, context.face, context.options.graph
        if not face:
            return Proposal(None, "there is no face to go to")
        left = graph.distances(s.beliefs.blocked)[:, graph.index[face]]  # (n,) m to the face
        steps = {
            k: float(left[graph.index[c.target]])
            for k, c in enumerate(context.candidates)
            if c.kind == "walk" and c.target in graph.site.waypoints and c.allowed
            and not s.beliefs.failures("walk", c.target)
        }  # fmt: skip
        if not steps:
            return Proposal(None, "no waypoint is left to go by")
        whole = {k: context.candidates[k].way + rest for k, rest in steps.items()}
        short = min(whole.values()) + DETOUR
        k = min((k for k in steps if whole[k] <= short), key=lambda k: steps[k])
        return Proposal(k, f"{self.because}: goes by {context.candidates[k].target}")


def _why_walk(context: Context) -> str:
    """Why it walks to the face."""
    face, order, stock = context.face, context.situation.order, context.situation.stock or ()
    item = order.item
    if not context.goal.search and face in stock and face != order.from_bin:
        return f"the stock system has {item} in {face}"
    if not context.goal.search:
        return f"{face} is not within reach of an approach"
    seen = context.situation.sighted_at == face
    return f"{item} was seen at {face}" if seen else f"looks for {item} elsewhere"
