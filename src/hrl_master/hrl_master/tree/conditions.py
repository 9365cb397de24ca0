"""The questions of the tree, in the order in which it asks them."""

import numpy as np

from hrl_core.outcomes import Code
from hrl_master.candidate import WAIT
from hrl_master.candidates import FINISH
from hrl_master.reasons import Reason
from hrl_master.surfaces import FLOOR
from hrl_master.tree.context import Context
from hrl_master.tree.leaves import Condition, Finding

BLIND_WAITS = 10  # in a row, for sensors or the localisation to come back
ALL_ROUND = 3  # looks around, a third of a turn each
BLOCKED_WAITS = 8  # in an order, for a way to become free
UNSEEN = 6.0  # s without a sight of anything: a camera may be out
BLOCKED = (Code.WALK_BLOCKED, Code.WALK_OFF_TARGET)
NEARLY = (Code.APPROACH_BLOCKED, Code.APPROACH_OFF_TARGET)
MANIPULATIONS = ("grasp", "place")
# What masks a walk that going by a waypoint may help against, or waiting.
LIMITS = (
    Reason.TOO_FAR, Reason.SCAN_OLD, Reason.TILTED, Reason.LOCALISATION_UNCERTAIN
)  # fmt: skip


class Delivered(Condition):
    """Succeeds when the item is where the order wants it, by the master's own check."""

    asks = "delivered?"

    def find(self, context: Context) -> Finding:
        if any(c.kind == FINISH and c.allowed for c in context.candidates):
            return Finding(True, "delivered and checked")
        return Finding(False, f"{context.situation.order.item} is not delivered")


# Whether a person is needed


class HasFallen(Condition):
    """Succeeds when the last skill ended because the robot fell."""

    asks = "fallen?"

    def find(self, context: Context) -> Finding:
        if context.last is not None and context.last.code == Code.FELL:
            return Finding(True, "the robot has fallen")
        return Finding(False, "the robot stands")


class LiesOnFloor(Condition):
    """Succeeds when the item was last seen on the floor: no skill picks up from there."""

    asks = "on the floor?"

    def find(self, context: Context) -> Finding:
        s = context.situation
        if s.sighted_at == FLOOR and not s.scene.holding:
            return Finding(
                True, f"{s.order.item} lies on the floor, and no skill picks up from there"
            )
        return Finding(False, f"{s.order.item} is not seen on the floor")


class StandsAskew(Condition):
    """Succeeds when the lost item is seen on a station, not as it should be delivered."""

    asks = "put down wrongly?"

    def find(self, context: Context) -> Finding:
        s = context.situation
        if s.beliefs.lost is not None and s.sighted_at in context.stations:
            return Finding(True, f"{s.order.item} stands on {s.sighted_at}, not where it belongs")
        return Finding(False, f"{s.order.item} is not seen on a station after it got lost")


class SoughtInVain(Condition):
    """Succeeds when the item got lost and two tries since have not brought it into sight."""

    asks = "lost for good?"

    def find(self, context: Context) -> Finding:
        item, beliefs = context.situation.order.item, context.situation.beliefs
        if beliefs.lost is None or not context.item_is_lost:
            return Finding(False, f"{item} is not lost")
        began = beliefs.lost.stamp
        since = sum(t.began >= began and t.skill != WAIT for t in beliefs.attempts)
        if since >= 2:
            place = beliefs.lost.face or "an unknown place"
            return Finding(True, f"{item} got lost at {place} and is not in sight")
        return Finding(False, f"tries since {item} got lost: {since} of 2")


class InNoBin(Condition):
    """Succeeds when every bin was looked at, or given up, without a sight of the item."""

    asks = "in no bin?"

    def find(self, context: Context) -> Finding:
        if not context.face:
            item = context.situation.order.item
            if context.none_in_stock:
                return Finding(True, f"{item} is not in its bin, and the stock system has none")
            return Finding(True, f"{item} is in no bin that can be looked at")
        return Finding(False, f"goes on at {context.face}")


class StationGivenUp(Condition):
    """Succeeds when the item is held and too much went wrong on the way to its station."""

    asks = "station out of reach?"

    def find(self, context: Context) -> Finding:
        s = context.situation
        if not s.scene.holding:
            return Finding(False, "holds nothing to bring")
        if context.given_up(s.order.to_station):
            return Finding(True, f"{s.order.to_station} cannot be reached")
        return Finding(False, f"{s.order.to_station} is not given up")


class PlacedInVain(Condition):
    """Succeeds when the item is held and placing it has failed as often as is allowed."""

    asks = "cannot be placed?"

    def find(self, context: Context) -> Finding:
        s, limit = context.situation, context.config.max_failures
        failures = s.beliefs.failures("place")
        if s.scene.holding and failures >= limit:
            return Finding(True, f"{s.order.item} could not be placed")
        return Finding(False, f"failures of place: {failures} of {limit}")


class BlindForLong(Condition):
    """Succeeds when a sense is missing and did not come back in BLIND_WAITS waits."""

    asks = "blind for long?"

    def find(self, context: Context) -> Finding:
        missing, waits = context.missing_sense, context.waits
        if missing and waits >= BLIND_WAITS:
            return Finding(True, f"{missing} for {3 * waits} s")
        if not missing:
            return Finding(False, "no sense is missing")
        return Finding(False, f"waits in a row: {waits} of {BLIND_WAITS}")


class CutOffForLong(Condition):
    """Succeeds when no way is left to the face and the order has had BLOCKED_WAITS waits."""

    asks = "cut off for long?"

    def find(self, context: Context) -> Finding:
        waits = sum(t.skill == WAIT for t in context.situation.beliefs.attempts)
        if not context.cut_off:
            return Finding(False, f"there is a way to {context.face}")
        if waits >= BLOCKED_WAITS:
            return Finding(True, f"every way to {context.face} is blocked")
        return Finding(False, f"waits in this order: {waits} of {BLOCKED_WAITS}")


# What stands in the way of going on


class Blind(Condition):
    """Succeeds when a sense that every walk needs is missing."""

    asks = "blind?"

    def find(self, context: Context) -> Finding:
        missing = context.missing_sense
        return Finding(bool(missing), missing or "localised, and the scan is fresh")


class Disoriented(Condition):
    """Succeeds when the position is known too badly to walk, until it has looked all round."""

    asks = "where am I?"

    def find(self, context: Context) -> Finding:
        missing, looks, last = context.missing_sense, context.looks, context.last
        if not context.refused_for_position:
            return Finding(False, missing or "knows where it is")
        if looks == ALL_ROUND or (looks and last is not None and not last.worked):
            return Finding(False, f"looks around: {looks}, none told where it is")
        return Finding(True, f"{missing}: looks for a marker")


class ItemLost(Condition):
    """Succeeds when the item was held, got lost, and is not seen in a bin."""

    asks = "item lost?"

    def find(self, context: Context) -> Finding:
        item = context.situation.order.item
        if context.item_is_lost:
            return Finding(True, f"{item} got lost: looks for it")
        return Finding(False, f"{item} is not lost")


# Where the robot stands


class AtStandoff(Condition):
    """Succeeds when the robot stands where it grasps or places, and no try there just failed."""

    asks = "at the standoff?"

    def find(self, context: Context) -> Finding:
        last, face = context.last, context.face
        if last is not None and last.skill in MANIPULATIONS and not last.worked:
            # After a failed try the robot stands anew before it tries again.
            return Finding(False, f"{last.skill} failed: stands anew first")
        there = Finding(True, f"at the standoff of {face}")
        if last is not None and last.skill == "approach" and last.code in NEARLY:
            # It may have come near enough all the same: a slippery floor, somebody in the way.
            holding = context.situation.scene.holding
            skill = context.find("place" if holding else "grasp")
            if skill is not None and skill.face == face:
                return there if skill.allowed else Finding(False, skill.why_not)
        if face and context.options.stands_at(context.situation, face):
            return there
        return Finding(False, self._where(context))

    @staticmethod
    def _where(context: Context) -> str:
        approach = context.find("approach", context.face)
        if approach is None:
            return f"not at the standoff of {context.face}"
        turn = np.degrees(approach.turn)
        return f"{approach.offset:.2f} m and {turn:.0f} deg off the standoff of {context.face}"


class CameraOut(Condition):
    """Succeeds when nothing was seen for long before a face that should show something."""

    asks = "cameras out?"

    def find(self, context: Context) -> Finding:
        s, face = context.situation, context.face
        since = s.scene.stamp - s.beliefs.seen_at
        if not s.scene.holding and not s.beliefs.looked_at(face) and UNSEEN < since < np.inf:
            return Finding(True, "the cameras see nothing that they know")
        if s.scene.holding:
            return Finding(False, "holds the item: nothing need be seen")
        if s.beliefs.looked_at(face):
            return Finding(False, f"{face} was looked at")
        seen = "nothing was seen yet" if since == np.inf else f"saw something {since:.1f} s ago"
        return Finding(False, seen)


class MustLeave(Condition):
    """Succeeds when the robot is so close to a face that it has to back out before it goes on."""

    asks = "must leave the face?"

    def find(self, context: Context) -> Finding:
        tries, last = context.situation.beliefs.attempts, context.last
        if not any(c.kind == "back_out" and c.allowed for c in context.candidates):
            back_out = context.find("back_out")
            return Finding(False, "cannot back out" if back_out is None else back_out.why_not)
        if tries and tries[-1].purpose:
            return Finding(False, f"{tries[-1].skill} has done what it can")
        tried = last is not None and last.skill in MANIPULATIONS and not last.worked
        if tried or not context.may_approach:
            return Finding(True, "stands close in front of a face")
        return Finding(False, f"{context.face} can be approached from here")


class Searches(Condition):
    """Succeeds when the item is looked for in other bins and the last step there did not fail."""

    asks = "searches?"

    def find(self, context: Context) -> Finding:
        last, item = context.last, context.situation.order.item
        if not context.goal.search:
            return Finding(False, f"knows where to go: {context.face}")
        if context.situation.sighted_at == context.face:
            return Finding(False, f"{item} was seen at {context.face}")
        if last is not None and last.skill in ("walk", "approach") and not last.worked:
            return Finding(False, f"{last.skill} {last.target} failed: another way first")
        return Finding(True, f"looks for {item} elsewhere")


class Near(Condition):
    """Succeeds when the face can be approached from here, and no approach has just failed."""

    asks = "near?"

    def find(self, context: Context) -> Finding:
        face = context.face
        if context.may_approach:
            return Finding(True, f"{face} can be approached from here")
        approach = context.find("approach", face)
        if approach is None or approach.allowed:
            return Finding(False, f"an approach to {face} has just failed")
        return Finding(False, approach.why_not)


# What stops it


class CutOff(Condition):
    """Succeeds when what is believed to be blocked leaves no way to the face."""

    asks = "cut off?"

    def find(self, context: Context) -> Finding:
        if context.cut_off:
            return Finding(True, f"every way to {context.face} is blocked")
        return Finding(False, f"there is a way to {context.face}")


class WalkFailed(Condition):
    """Succeeds when the last walk was blocked or did not end where it should."""

    asks = "walk failed?"

    def find(self, context: Context) -> Finding:
        last = context.last
        if last is not None and last.skill == "walk" and last.code in BLOCKED:
            code = Code(last.code).name
            return Finding(True, f"the way to {last.face or last.target} failed ({code})")
        return Finding(False, "no walk was blocked just now")


class HasDetour(Condition):
    """Succeeds when a walk to the face failed and the graph knows a way round."""

    asks = "a way round?"

    def find(self, context: Context) -> Finding:
        if context.detour:
            return Finding(True, f"a way to {context.face} that is {context.detour:.1f} m longer")
        return Finding(False, f"no way round to {context.face} is known or needed")


class FailedTwice(Condition):
    """Succeeds after exactly two failed walks to the face: a third one ends its use."""

    asks = "failed twice?"

    def find(self, context: Context) -> Finding:
        failures = context.situation.beliefs.failures("walk", face=context.face)
        return Finding(failures == 2, f"walks to {context.face} that failed: {failures}")


class TooFar(Condition):
    """Succeeds when the walk to the face is masked by a limit."""

    asks = "too far?"

    def find(self, context: Context) -> Finding:
        walk = context.find("walk", context.face)
        if walk is not None and walk.refusal is not None and walk.refusal.reason in LIMITS:
            return Finding(True, "too far to walk at once")
        return Finding(False, f"no limit stops a walk to {context.face}")
