"""The phases of a skill that goes through steps, and the table of what it does in each."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeVar

from hrl_core.sensed import Sensed
from hrl_skills.skill import Tick

Step = Callable[[Sensed], Tick]
P = TypeVar("P", bound=Enum)


def phase_table(phases: type[P], table: Mapping[P, Step]) -> dict[P, Step]:
    """The table, checked: raises ValueError where a phase has nothing to do."""
    missing = [phase.name for phase in phases if phase not in table]
    if missing:
        raise ValueError(f"no step for the phases {missing} of {phases.__name__}")
    return dict(table)
