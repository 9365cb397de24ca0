"""What a figure of a report is: where it stands in --json, how it is computed and said."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hrl_bringup.reports import ledger_words as words
from hrl_bringup.reports.ledger_facts import LedgerFacts


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure; `show` puts its value and its unit into words."""

    key: str  # in --json
    name: str  # for people
    description: str  # how it is computed
    compute: Callable[[LedgerFacts], Any]
    unit: str = ""  # of a count, none
    show: Callable[[Any, str], str] = words.count
    group: str = ""  # in --json: the object that the key is in; empty: the outermost


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A table of the report: something counted by its name."""

    key: str  # in --json
    title: str  # for people
    description: str
    compute: Callable[[LedgerFacts], dict[str, Any]]
    show: Callable[[Any], str] = str


def named_once(*figures: Figure) -> tuple[Figure, ...]:
    """The figures; two that would have one place in --json are a mistake of ours."""
    places = Counter((figure.group, figure.key) for figure in figures)
    twice = [place for place, count in places.items() if count > 1]
    if twice:
        raise ValueError(f"figures with one group and key: {twice}")
    return figures


def value_of(figure: Figure, summary: dict[str, Any]) -> str:
    """The value of a figure in words."""
    place = summary[figure.group] if figure.group else summary
    return figure.show(place[figure.key], figure.unit)
