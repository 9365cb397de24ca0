"""Numbers that options take, with their range: for `type=` of argparse."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable

LARGEST = 10**9  # a seed or a count that is more is a mistake


def integer(least: int = 0, most: int = LARGEST) -> Callable[[str], int]:
    """Whole numbers of a range."""

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > 12 or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text[:20]!r}: allowed are whole numbers {least} to {most}")
        return int(text)

    return read


def real(least: float = -1e9, most: float = 1e9) -> Callable[[str], float]:
    """Finite numbers of a range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text[:20]!r}: allowed are numbers {least:g} to {most:g}")
        return value

    return read
