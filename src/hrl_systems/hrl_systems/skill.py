"""The contract of a skill that acts on a system: start, tick, stop, as a physical skill's.

Bounded in time and tries; what it is told is checked by a schema; its verdict comes from a second
look at the system; the key of its errand makes a repeated try act once.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from hrl_core.config import Config, ConfigError, shown
from hrl_core.errands import NOT_CONFIRMED, REFUSED, UNREACHABLE, Errand
from hrl_core.fault import fault_sentence
from hrl_core.outcomes import Code, Outcome, Verdict
from hrl_systems.client import Client, SystemFault

PAUSE = 0.2  # s of wall time before the second try, twice as long before the third
GRACE = 0.2  # s of wall time in which a call ends by itself when its time is over

Goal = TypeVar("Goal", bound=Config)
Answer = TypeVar("Answer", bound=Config)
Connect = Callable[[float], Client]  # timeout in s -> a client
Run = Callable[[Callable[[], None]], None]  # has a function done, now or beside


@dataclass(frozen=True)
class Tick:
    """How far it is; the outcome once it has ended, with the answer where it succeeded."""

    progress: float  # 0 to 1, share of the tries
    outcome: Outcome | None = None
    answer: Config | None = None


def in_thread(work: Callable[[], None]) -> None:
    """Have it done beside; a process that ends does not wait for it."""
    threading.Thread(target=work, name="hrl_systems", daemon=True).start()


def at_once(work: Callable[[], None]) -> None:
    """Have it done here and now, where the system is in this process."""
    work()


class SystemSkill(ABC, Generic[Goal, Answer]):
    """A bounded skill; one object does one errand.

    `tries` at most, each of `timeout` s of wall time at most; only what was not answered is tried
    again.
    """

    name: ClassVar[str]
    tries: ClassVar[int] = 3

    def __init__(self, goal: type[Goal], connect: Connect, timeout: float, run: Run = in_thread):
        self._goal_type, self._connect, self._run = goal, connect, run
        self._timeout = timeout
        self.limit = self.tries * timeout + PAUSE * (2 ** (self.tries - 1) - 1) + GRACE  # s
        self._done: Future[tuple[Outcome, Answer | None]] = Future()
        self._stopped = threading.Event()
        self._client: Client | None = None
        self._began, self._tried = 0.0, 0

    # The contract

    def start(self, errand: Errand) -> None:
        """Begin; raises ConfigError where the goal is not one of this skill."""
        if errand.skill != self.name or not isinstance(errand.goal, self._goal_type):
            raise ConfigError(
                f"errand {errand.key}: {self.name} takes a {self._goal_type.__name__}, not "
                f"{shown(errand.skill)} with a {type(errand.goal).__name__}"
            )
        goal = errand.goal
        self._began = time.monotonic()
        self._run(lambda: self._work(goal, errand.key))

    def tick(self) -> Tick:
        """Look how far it is; never blocks."""
        if self._done.done():
            outcome, answer = self._done.result()
            return Tick(1.0, outcome, answer)
        if time.monotonic() - self._began > self.limit:  # a system that drips its answer
            self.stop()
            return Tick(1.0, _failed(UNREACHABLE, f"{self.name}: no end in {self.limit:.1f} s"))
        return Tick(min(1.0, self._tried / self.tries))

    def stop(self) -> None:
        """Break off; may be called at any time. The errand's key makes another try safe."""
        self._stopped.set()
        if (client := self._client) is not None:
            client.close()

    # What a skill is

    @abstractmethod
    def act(self, client: Client, goal: Goal, key: str) -> Answer:
        """Do it; raises SystemFault."""

    @abstractmethod
    def look_again(self, client: Client, goal: Goal, key: str, answer: Answer) -> Verdict:
        """Whether the system, asked anew, has it so; raises SystemFault."""

    # The parts

    def _work(self, goal: Goal, key: str) -> None:
        try:
            self._done.set_result(self._try(goal, key))
        except Exception as error:  # a fault here must not leave an errand without an end
            sentence = fault_sentence(self.name, error)
            self._done.set_result((_failed(Code.INTERNAL_ERROR, sentence), None))

    def _try(self, goal: Goal, key: str) -> tuple[Outcome, Answer | None]:
        pause = PAUSE
        while True:
            self._tried += 1
            fault = SystemFault(UNREACHABLE, "it was stopped")
            if not self._stopped.is_set():
                try:
                    return self._once(goal, key)
                except SystemFault as error:
                    fault = error
            if self._stopped.is_set():
                return _failed(Code.CANCELED, f"{self.name} was stopped"), None
            if fault.code is not UNREACHABLE or self._tried >= self.tries:
                told = f" (tried {self._tried} times)" if self._tried > 1 else ""
                return _failed(fault.code, f"{self.name}: {fault}{told}"), None
            self._stopped.wait(pause)
            pause *= 2

    def _once(self, goal: Goal, key: str) -> tuple[Outcome, Answer | None]:
        with self._connect(self._timeout) as client:
            self._client = client
            answer = self.act(client, goal, key)
            try:
                verdict = self.look_again(client, goal, key, answer)
            except SystemFault as error:
                if error.code is not REFUSED:
                    raise
                verdict = Verdict(False, f"a second look was refused: {error}")
        if not verdict.confirmed:
            detail = f"{self.name}: {verdict.sentence}"
            return Outcome(NOT_CONFIRMED, detail, verdict), None
        return Outcome(Code.SUCCEEDED, verdict.sentence, verdict), answer


def _failed(code: Code, detail: str) -> Outcome:
    return Outcome(code, detail, Verdict(False, detail))
