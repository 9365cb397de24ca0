"""Things that go wrong: faults, what each is aimed at, and how likely disturbances come of them.

A fault is a single thing that goes wrong in the plant. A disturbance is what a trial may draw: one
or more faults at a place and a time, by section `trial.disturbances` of a world file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from hrl_core.config import Config
from hrl_core.quantities import ordered
from hrl_core.site import Site
from hrl_core.tables import complete
from hrl_core.topics import CAMERAS


class FaultKind(str, Enum):
    """Kinds of faults; the comment says what the target names."""

    BLOCKED_AISLE = "blocked_aisle"  # a waypoint: a barrier closes the way there
    MISSING_ITEM = "missing_item"  # an item
    MISPLACED_ITEM = "misplaced_item"  # item@bin: where it stands instead
    PERSON = "person"  # a waypoint: somebody stands there
    CAMERA_OUTAGE = "camera_outage"  # a camera
    LIDAR_OUTAGE = "lidar_outage"  # nothing
    MARKER_OCCLUDED = "marker_occluded"  # a bin, station or item
    SLIPPERY_FLOOR = "slippery_floor"  # a waypoint: wet within 1 m of it; nothing: everywhere
    DROPPED_ITEM = "dropped_item"  # an item: it slips out of the gripper


class Trigger(str, Enum):
    """From when on a fault's `start` counts."""

    CLOCK = "clock"  # the start of the trial
    NEAR = "near"  # when the robot first is within NEAR of the target: a waypoint or its barrier
    CARRYING = "carrying"  # when the robot first carries the item that is the target


NEAR = 3.0  # m, from base_link
CARRIED = 0.5  # m; an item between the jaws this far from where it was grasped is being carried


@dataclass(frozen=True)
class Fault:
    """One fault from `start` [s] after its trigger on for `duration` [s]; 0: for good."""

    kind: FaultKind
    target: str = ""
    start: float = 0.0
    duration: float = 0.0
    trigger: Trigger = Trigger.CLOCK

    def active(self, time: float) -> bool:
        """Whether it is on at a time [s]; never before its trigger."""
        if self.trigger is not Trigger.CLOCK:
            return False
        return self.start <= time and (not self.duration or time < self.start + self.duration)

    def over(self, time: float) -> bool:
        """Whether it will not come on any more at or after a time [s]."""
        ends = self.trigger is Trigger.CLOCK and self.duration > 0
        return ends and time >= self.start + self.duration


@dataclass(frozen=True)
class Aim:
    """What faults of a kind may be aimed at, and what their start may count from."""

    targets: Callable[[Site], Iterable[str]]
    triggers: tuple[Trigger, ...] = (Trigger.CLOCK,)
    allowed: Callable[[Site], str] | None = None  # in words, where a list would be too long


def _waypoints(site: Site) -> Iterable[str]:
    return site.waypoints


def _items(site: Site) -> Iterable[str]:
    return site.items


AIMS = complete(
    FaultKind,
    {
        FaultKind.BLOCKED_AISLE: Aim(_waypoints, (Trigger.CLOCK, Trigger.NEAR)),
        FaultKind.MISSING_ITEM: Aim(_items),
        FaultKind.MISPLACED_ITEM: Aim(
            lambda site: [f"{item}@{name}" for item in site.items for name in site.bins],
            allowed=lambda site: f"<item>@<bin> of items {[*site.items]} and bins {[*site.bins]}",
        ),
        FaultKind.PERSON: Aim(_waypoints, (Trigger.CLOCK, Trigger.NEAR)),
        FaultKind.CAMERA_OUTAGE: Aim(lambda site: CAMERAS),
        FaultKind.LIDAR_OUTAGE: Aim(lambda site: [""]),
        FaultKind.MARKER_OCCLUDED: Aim(lambda site: [*site.targets, *site.items]),
        FaultKind.SLIPPERY_FLOOR: Aim(lambda site: ["", *site.waypoints]),
        FaultKind.DROPPED_ITEM: Aim(_items, (Trigger.CLOCK, Trigger.CARRYING)),
    },
)


def check_target(kind: FaultKind, target: str, site: Site) -> str | None:
    """What is wrong with a fault's target and what is allowed; None: nothing."""
    aim = AIMS[kind]
    if target in aim.targets(site):
        return None
    if aim.allowed is not None:
        return f"allowed is {aim.allowed(site)}"
    return f"unknown target of {kind.value}; allowed: {sorted(aim.targets(site))}"


def check_trigger(kind: FaultKind, trigger: Trigger) -> str | None:
    """What is wrong with a fault's trigger and what is allowed; None: nothing."""
    allowed = AIMS[kind].triggers
    if trigger in allowed:
        return None
    return f"a {kind.value} starts by {[each.value for each in allowed]}"


Seconds = Annotated[
    tuple[Annotated[float, Field(ge=0, le=600)], Annotated[float, Field(ge=0, le=600)]],
    AfterValidator(ordered),
]
Duration = Annotated[
    tuple[Annotated[float, Field(gt=0, le=600)], Annotated[float, Field(gt=0, le=600)]],
    AfterValidator(ordered),
]
Share = Annotated[float, Field(ge=0, le=1)]


class Chance(Config):
    """How likely a kind is; a bare number in the file means this and no more."""

    probability: Share = 0.0

    @model_validator(mode="before")
    @classmethod
    def _bare_number(cls, value: Any) -> Any:
        return {"probability": value} if isinstance(value, (int, float)) else value


class BlockedLater(Chance):
    """A barrier comes up in an aisle while the robot is on its way there."""

    delay: Seconds = (0.0, 2.0)  # s after the robot is within 3 m
    duration: Duration = (20.0, 60.0)  # s
    for_good: Share = 0.5  # of the barriers stay


class WrongItem(Chance):
    """Another item stands in the ordered bin."""

    elsewhere: Share = 0.5  # the right item stands in another bin; else it is missing


class StepsIn(Chance):
    """A person walks into the way, stands there, and leaves."""

    delay: Seconds = (0.0, 1.5)  # s after the robot is within 3 m
    duration: Duration = (8.0, 25.0)  # s, from stepping in to turning away


class Dropped(Chance):
    """The item slips out of the gripper."""

    after: Seconds = (0.5, 12.0)  # s of carrying it


class Outage(Chance):
    """A sensor says nothing for a while."""

    start: Seconds = (0.0, 60.0)  # s
    duration: Duration = (3.0, 15.0)  # s


class CoveredMarker(Chance):
    """Something hangs over the marker of the ordered item, its bin or its station."""

    start: Seconds = (0.0, 30.0)  # s
    duration: Duration = (10.0, 40.0)  # s
    for_good: Share = 0.0  # of the covers stay


class DisturbanceRanges(Config):
    """Each kind is drawn by itself; where two exclude each other, one of them happens."""

    blocked_aisle: Chance = Chance()  # a barrier on the way, from the start, for good
    blocked_aisle_later: BlockedLater = BlockedLater()
    missing_item: Chance = Chance()  # the ordered item is nowhere
    misplaced_item: Chance = Chance()  # the ordered item stands in another bin
    wrong_item: WrongItem = WrongItem()
    person: StepsIn = StepsIn()
    dropped_item: Dropped = Dropped()
    slippery_floor: Chance = Chance()  # a wet patch on the way
    camera_outage: Outage = Outage()
    scan_outage: Outage = Outage()
    covered_marker: CoveredMarker = CoveredMarker()


DISTURBANCES = tuple(DisturbanceRanges.model_fields)  # their kinds
