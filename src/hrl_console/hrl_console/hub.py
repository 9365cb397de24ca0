"""The state for all viewers: encoded once, whoever is slow skips what has been overtaken."""

import asyncio
import json
import math
from collections.abc import Mapping

from hrl_console.gateway import Section


class Hub:
    """Belongs to the server's event loop; `publish` is called there."""

    def __init__(self):
        self.viewers = 0
        self._sections: dict[str, Section] = {}
        self._encoded: dict[str, str] = {}
        self._tick = 0
        self._delta = self._full = ""
        self._changed = asyncio.Condition()

    async def publish(self, sections: Mapping[str, Section]) -> None:
        """Take in the present state; what is the same object as before is not encoded again."""
        changed = [name for name, value in sections.items() if self._takes(name, value)]
        if not changed:
            return
        self._tick += 1
        self._delta, self._full = self._message(changed), ""
        async with self._changed:
            self._changed.notify_all()

    async def after(self, seen: int) -> tuple[int, str]:
        """The next message for one who has all up to tick `seen` (0: nothing), with its tick.

        Only what has changed, for those who took the tick before; else all of it.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._tick > seen)
        if seen == self._tick - 1 and seen > 0:
            return self._tick, self._delta
        self._full = self._full or self._message(list(self._sections))
        return self._tick, self._full

    def _takes(self, name: str, value: Section) -> bool:
        if name in self._sections and self._sections[name] is value:
            return False
        encoded = _encoded(value)
        same = self._encoded.get(name) == encoded
        self._sections[name], self._encoded[name] = value, encoded
        return not same

    def _message(self, names: list[str]) -> str:
        parts = (f'"{name}":{self._encoded[name]}' for name in names)
        return "{" + ",".join(parts) + "}"


def _encoded(value: Section) -> str:
    """JSON; what is not a number is null there."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: Section) -> Section:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
