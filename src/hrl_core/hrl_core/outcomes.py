"""How a skill ended: a code in ranges per skill, a sentence; the values of SkillResult.msg."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

FOREIGN = range(500, 900)  # codes of skills that other packages add


class Code(IntEnum):
    """Outcome codes; 1xx approach, 2xx grasp, 3xx place, 4xx walk, 9xx mission.

    `Code(n)` with n of FOREIGN is a code, too, named CODE_<n> unless `own_code` names it.
    """

    NONE = 0
    SUCCEEDED = 1
    CANCELED = 2
    STEP_LIMIT = 3  # N control steps reached: an outcome, not an error
    SENSOR_LOST = 4
    SHUTDOWN = 5
    GOAL_INVALID = 6
    NOT_READY = 7  # a precondition is not met
    E_STOP = 8
    FELL = 9
    INTERNAL_ERROR = 10
    CLIENT_LOST = 11  # whoever gave the goal gives no sign any more
    BASE_NOT_FOLLOWING = 12

    TARGET_NOT_SEEN = 101
    APPROACH_BLOCKED = 102
    APPROACH_OFF_TARGET = 103

    ITEM_NOT_FOUND = 201
    ITEM_OUT_OF_REACH = 202
    NOT_HELD = 203
    DROPPED = 204

    NOTHING_HELD = 301
    SURFACE_NOT_FOUND = 302
    SURFACE_OUT_OF_REACH = 303
    PLACED_OFF_TARGET = 304
    LOST_WHILE_PLACING = 305

    WALK_BLOCKED = 401
    NOT_LOCALISED = 402
    WALK_OFF_TARGET = 403

    MISSION_FAILED = 901
    HANDED_OVER = 902

    @classmethod
    def _missing_(cls, value: Any) -> "Code | None":
        if value not in FOREIGN:
            return None
        return _foreign.get(value) or own_code(value, f"CODE_{value}")


_foreign: dict[int, Code] = {}  # those met so far, so that each is one object


def own_code(value: Any, name: str) -> Code:
    """The code of a skill of another package, with its name in this process."""
    if value not in FOREIGN:
        raise ValueError(f"code {value}: allowed are {FOREIGN.start} to {FOREIGN.stop - 1}")
    code = _foreign.setdefault(value, int.__new__(Code, value))
    code._value_, code._name_ = value, name  # as Enum documents for what `_missing_` makes
    return code


def codes_of(hundred: int) -> tuple[Code, ...]:
    """All codes of one of the ranges above: 4 stands for 4xx."""
    return tuple(code for code in Code if code // 100 == hundred)


@dataclass(frozen=True)
class Verdict:
    """What independent sensing says of the result, and the measurements behind it."""

    confirmed: bool
    sentence: str
    evidence: dict[str, float] = field(default_factory=dict)  # name with unit -> value


@dataclass(frozen=True)
class Outcome:
    """End of a skill: code, sentence with the measured value and the limit, verdict.

    `pose` (4, 4): walk: base in map; approach: base in the target; grasp: item in the hand
    (tool frame); place: item in the station's frame. None where it was not measured.
    """

    code: Code
    detail: str
    verdict: Verdict
    pose: np.ndarray | None = None

    @property
    def succeeded(self) -> bool:
        return self.code is Code.SUCCEEDED
