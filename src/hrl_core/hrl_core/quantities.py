"""Numbers with a range and a unit, for what people write into files; errors name both."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field


def within(low: float, high: float, unit: str) -> AfterValidator:
    """For Annotated[float, within(...)]: a number from `low` to `high`, both allowed."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"allowed are {low:g} to {high:g} {unit}")
        return value

    return AfterValidator(check)


def above(low: float, high: float, unit: str) -> AfterValidator:
    """As `within`, but `low` itself is not allowed."""

    def check(value: float) -> float:
        if not low < value <= high:
            raise ValueError(f"allowed are numbers above {low:g} and up to {high:g} {unit}")
        return value

    return AfterValidator(check)


Pair = TypeVar("Pair", bound=tuple)


def ordered(pair: Pair) -> Pair:
    """For Annotated[tuple[...], AfterValidator(ordered)]: the first is not above the second."""
    if pair[0] > pair[1]:
        raise ValueError(f"the first of {list(pair)} must not be above the second")
    return pair


def span(low: float, high: float, unit: str) -> AfterValidator:
    """For Annotated[tuple[float, float], span(...)]: ordered, both ends from `low` to `high`."""

    def check(pair: Pair) -> Pair:
        if not (low <= min(pair) and max(pair) <= high):
            raise ValueError(f"allowed are two of {low:g} to {high:g} {unit}")
        return ordered(pair)

    return AfterValidator(check)


Angle = Annotated[float, within(-6.3, 6.3, "rad")]
Coordinate = Annotated[float, within(-3, 3, "m")]
Point = tuple[Coordinate, Coordinate, Coordinate]
Length = Annotated[float, above(0, 3, "m")]
Effort = Annotated[float, above(0, 500, "N m")]
Speed = Annotated[float, above(0, 5, "m/s")]
Turn = Annotated[float, above(0, 20, "rad/s")]
Share = Annotated[float, Field(gt=0, le=1)]
LengthRange = Annotated[tuple[Length, Length], AfterValidator(ordered)]
AngleRange = Annotated[tuple[Angle, Angle], AfterValidator(ordered)]
Delay = Annotated[int, within(0, 20, "ticks")]
# x, y, yaw
Velocity = tuple[
    Annotated[float, within(-5, 5, "m/s")],
    Annotated[float, within(-5, 5, "m/s")],
    Annotated[float, within(-20, 20, "rad/s")],
]
Speeds = tuple[Speed, Speed, Turn]
SpeedsBack = tuple[
    Annotated[float, within(-5, 0, "m/s")],
    Annotated[float, within(-5, 0, "m/s")],
    Annotated[float, within(-20, 0, "rad/s")],
]
Accelerations = tuple[
    Annotated[float, above(0, 50, "m/s^2")],
    Annotated[float, above(0, 50, "m/s^2")],
    Annotated[float, above(0, 200, "rad/s^2")],
]
Threshold = tuple[
    Annotated[float, within(0, 1, "m/s")],
    Annotated[float, within(0, 1, "m/s")],
    Annotated[float, within(0, 1, "rad/s")],
]
# x, y, z, pitch, roll
Hand = tuple[Coordinate, Coordinate, Coordinate, Angle, Angle]
