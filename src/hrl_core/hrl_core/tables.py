"""Tables that dispatch by a kind: what is missing shows when they are built, not in flight."""

from collections.abc import Iterable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def complete(kinds: Iterable[Key], table: dict[Key, Value]) -> dict[Key, Value]:
    """The table itself, if it has one entry for each kind and none besides; else KeyError."""
    kinds = list(kinds)
    missing = [kind for kind in kinds if kind not in table]
    unknown = [key for key in table if key not in kinds]
    if missing or unknown:
        raise KeyError(f"table without an entry for {missing}, with entries for unknown {unknown}")
    return table
