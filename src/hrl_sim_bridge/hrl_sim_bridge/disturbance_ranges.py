"""What may go wrong in a trial, and how likely: section `trial.disturbances` of a world file."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from hrl_core.config import Config


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first of {list(pair)} must not be above the second")
    return pair


Seconds = Annotated[
    tuple[Annotated[float, Field(ge=0, le=600)], Annotated[float, Field(ge=0, le=600)]],
    AfterValidator(_ordered),
]
Duration = Annotated[
    tuple[Annotated[float, Field(gt=0, le=600)], Annotated[float, Field(gt=0, le=600)]],
    AfterValidator(_ordered),
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


KINDS = tuple(DisturbanceRanges.model_fields)
