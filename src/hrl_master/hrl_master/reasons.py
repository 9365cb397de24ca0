"""Why something must not be done or did not work, as a code beside the sentence for people.

Code goes by the reason, never by the sentence: a sentence may be reworded.
"""

from enum import Enum
from typing import NamedTuple


class Reason(str, Enum):
    """One value for each kind of refusal or failure that a check of the master can find."""

    NONE = "none"  # it may run, or it worked
    NOT_LOCALISED = "not_localised"
    LOCALISATION_UNCERTAIN = "localisation_uncertain"
    SCAN_OLD = "scan_old"
    TILTED = "tilted"
    HAND_FULL = "hand_full"
    HAND_EMPTY = "hand_empty"
    OUT_OF_REACH = "out_of_reach"
    TOO_FAR = "too_far"
    IN_PLACE = "in_place"  # the robot stands there already
    NO_ROOM = "no_room"
    NO_SKILL = "no_skill"
    ITEM_UNFIT = "item_unfit"  # none that the robot can grasp
    STATION_FULL = "station_full"
    NO_FACE = "no_face"  # nothing to back away from
    ITEM_LOST = "item_lost"
    NOT_APPROVED = "not_approved"
    SKILL_FAILED = "skill_failed"  # the skill said so itself
    OFF_TARGET = "off_target"  # it says that it worked, the master measures otherwise
    NOT_SEEN = "not_seen"
    CUT_SHORT = "cut_short"  # by the end of the mission or of the master
    NOT_CHOSEN = "not_chosen"  # a guided mission whose client chose nothing in time
    NO_CANDIDATE = "no_candidate"  # what was chosen is no single thing that can be done now
    OTHER_PARAMETERS = "other_parameters"  # than the master would use
    BUSY = "busy"  # another step is under way
    NO_MISSION = "no_mission"  # none that is guided runs under that id
    ORDER_OVER = "order_over"  # nothing is left to choose
    UNKNOWN_PURPOSE = "unknown_purpose"  # of a skill of another package


class Check(NamedTuple):
    """Result of a guardrail: a sentence with the measured value and the limit."""

    ok: bool
    sentence: str
    reason: Reason = Reason.NONE


class Refusal(NamedTuple):
    """Why a candidate is not allowed."""

    reason: Reason
    sentence: str
