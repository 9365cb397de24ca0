"""Has errands done by the skills: beside, over a network, or at once in this process."""

from __future__ import annotations

from collections import defaultdict, deque
from functools import partial

import httpx

from hrl_core.errands import GOALS, Errand, ErrandEnd
from hrl_systems.client import Client, checked_url
from hrl_systems.skill import Run, SystemSkill, at_once, in_thread
from hrl_systems.skills import SKILLS

REMEMBERED = 20  # tries of a skill, for its chance of success


class HttpSystems:
    """One system behind one address; see hrl_core.errands.Systems."""

    def __init__(
        self, url: str, timeout: float, transport: httpx.BaseTransport | None = None,
        run: Run = in_thread,
    ):  # fmt: skip
        """`timeout`: s of wall time for a try. Raises ConfigError for a wrong address."""
        self._connect = partial(Client, checked_url(url), transport=transport)
        self._timeout, self._work = timeout, run
        self._running: list[tuple[Errand, SystemSkill]] = []
        self._went: dict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def begin(self, errand: Errand) -> None:
        skill = SKILLS[errand.skill](GOALS[errand.skill], self._connect, self._timeout, self._work)
        skill.start(errand)
        self._running.append((errand, skill))

    def ended(self) -> list[ErrandEnd]:
        ends, left = [], []
        for errand, skill in self._running:
            tick = skill.tick()
            if tick.outcome is None:
                left.append((errand, skill))
                continue
            ends.append(ErrandEnd(errand, tick.outcome, tick.answer))
            self._went[errand.skill].append(tick.outcome.succeeded)
        self._running = left
        return ends

    def chance(self, skill: str) -> float:
        """By the rule of succession: a half where nothing is known."""
        went = self._went[skill]
        return (sum(went) + 1) / (len(went) + 2)

    def close(self) -> None:
        for _, skill in self._running:
            skill.stop()


def make(url: str, timeout: float) -> HttpSystems:
    """Systems over the network; see hrl_core.errands.GROUP."""
    return HttpSystems(url, timeout)


def in_process(transport: httpx.BaseTransport) -> HttpSystems:
    """A system in this process: every errand has ended when it has begun."""
    return HttpSystems("http://in.process", 5.0, transport, at_once)
