"""Things that go wrong: what kinds there are, what each is aimed at, and whether one is on."""

from dataclasses import dataclass
from enum import Enum

from hrl_core.site import Site
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


def check_target(kind: FaultKind, target: str, site: Site) -> str | None:
    """What is wrong with a fault's target and what is allowed; None: nothing."""
    names = [*site.bins, *(station.name for station in site.stations), *site.items]
    known = {
        FaultKind.BLOCKED_AISLE: [*site.waypoints],
        FaultKind.MISSING_ITEM: [*site.items],
        FaultKind.PERSON: [*site.waypoints],
        FaultKind.CAMERA_OUTAGE: [*CAMERAS],
        FaultKind.LIDAR_OUTAGE: [""],
        FaultKind.MARKER_OCCLUDED: names,
        FaultKind.SLIPPERY_FLOOR: ["", *site.waypoints],
        FaultKind.DROPPED_ITEM: [*site.items],
    }
    if kind is FaultKind.MISPLACED_ITEM:
        item, _, bin_name = target.partition("@")
        if item not in site.items or bin_name not in site.bins:
            return f"allowed is <item>@<bin> of items {[*site.items]} and bins {[*site.bins]}"
    elif target not in known[kind]:
        return f"unknown target of {kind.value}; allowed: {sorted(known[kind])}"
    return None


def check_trigger(kind: FaultKind, trigger: Trigger) -> str | None:
    """What is wrong with a fault's trigger and what is allowed; None: nothing."""
    allowed = [Trigger.CLOCK]
    if kind in (FaultKind.BLOCKED_AISLE, FaultKind.PERSON):
        allowed.append(Trigger.NEAR)
    if kind is FaultKind.DROPPED_ITEM:
        allowed.append(Trigger.CARRYING)
    if trigger in allowed:
        return None
    return f"a {kind.value} starts by {[each.value for each in allowed]}"
