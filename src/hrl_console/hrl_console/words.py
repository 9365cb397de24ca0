"""Diagnostics in plain words."""

from collections.abc import Mapping
from typing import Any

from hrl_core.topics import FAULT

SILENT = 5.0  # s of wall time; every node says something once a second
LEVELS = ("good", "warn", "bad")  # of DiagnosticStatus: OK, WARN, ERROR; beyond it: STALE


def health(name: str, level: int, message: str, values: Mapping[str, str]) -> dict[str, Any]:
    """What a node says of itself: our nodes name each fault, others have a message only."""
    faults = [value for key, value in values.items() if key.startswith(FAULT)]
    words = faults or [message.partition(";")[0] if level == 0 else message]
    return {
        "name": name.lstrip("/"),
        "level": LEVELS[min(level, 2)],
        "words": list(dict.fromkeys(filter(None, words))),
    }


def silent(entry: dict[str, Any], since: float) -> dict[str, Any]:
    """The same of a node that has said nothing for some seconds."""
    words = [f"has said nothing for {since:.0f} s"]
    return {**entry, "level": "bad", "words": words}
