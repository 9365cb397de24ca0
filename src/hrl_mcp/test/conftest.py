"""A robot made by hand, that the tools can be tried on."""

import asyncio
from pathlib import Path

import pytest

from hrl_core.site import load_site
from hrl_mcp.config import McpConfig
from hrl_mcp.robot import (
    Answer,
    Chance,
    Option,
    Question,
    Skill,
    Step,
    StepReply,
    Unavailable,
    View,
)

OPTIONS = (Option("walk", "A2", "A2", way=3.0, chance=0.9, tier=1), Option("wait", "3 s"))


class FakeRobot:
    """Allows walks and waits; `steps`: what was done; a place waits for a person's yes.

    `words`: what the world says wherever it may say something. `gone`: nobody answers.
    """

    def __init__(self, ledger: Path):
        self.words, self.gone, self.pace = "all is well", False, 0.0
        self.steps: list[Step] = []
        self.missions: list[str] = []
        self.answers: list[tuple[str, bool, str]] = []
        self.approval_expires = 5.0  # s
        self._ledger, self._asked = ledger, asyncio.Event()
        self._site = load_site("small_warehouse")

    async def _there(self) -> None:
        await asyncio.sleep(self.pace)
        if self.gone:
            raise Unavailable("the master is not there")

    async def site(self):
        await self._there()
        return self._site

    async def skills(self):
        await self._there()
        return [Skill("walk", self.words, ("leave_face",), (self.words,), (), 30.0)]

    async def begin(self, order, mission, guided):
        await self._there()
        if mission in self.missions:
            return Answer(False, "it was given before", "GOAL_INVALID")
        self.missions.append(mission)
        return Answer(True, "taken")

    async def end_of(self, mission):
        await self._there()
        return Answer(True, self.words, "SUCCEEDED")

    async def stop(self, mission):
        await self._there()
        return Answer(bool(self.missions), mission or "all")

    async def choose(self, step):
        await self._there()
        if step.skill not in ("", "walk", "wait", "place"):
            return StepReply(False, False, "NOT_READY", "out_of_reach", self.words, options=OPTIONS)
        if step.dry_run:
            told = Option(step.skill, step.target or "A2", chance=0.9) if step.skill else None
            return StepReply(True, False, "SUCCEEDED", "none", self.words, option=told,
                             options=OPTIONS)  # fmt: skip
        if step.skill == "place" and not await self._approved():
            return StepReply(False, False, "NOT_READY", "not_approved", self.words, 1)
        self.steps.append(step)
        return StepReply(True, True, "SUCCEEDED", "none", self.words, len(self.steps),
                         verdict=self.words, measured={self.words: self.words},
                         check=self.words, options=OPTIONS)  # fmt: skip

    async def _approved(self) -> bool:
        try:
            await asyncio.wait_for(self._asked.wait(), self.approval_expires)
        except asyncio.TimeoutError:
            return False
        self._asked.clear()
        return self.answers[-1][1]

    async def chance(self, skill, target, item, parameters):
        await self._there()
        return Chance(None if skill == "wait" else 0.8, self.words, {"way_m": float("nan")})

    async def look(self, camera):
        await self._there()
        picture = b"\xff\xd8\xff" if camera == "camera" else None
        return View({"objects": [{"name": self.words}]}, picture)

    async def ledger(self):
        await self._there()
        return self._ledger

    async def question(self, but):
        while "q1" in but:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return Question("q1", "m", 1, f"place {self.words}", self.words, 3)

    async def answer(self, question, approve, by, key):
        if by == "mcp:unsigned":
            return Answer(False, "the answer is not signed")
        self.answers.append((question, approve, by))
        self._asked.set()
        return Answer(True, "taken")


@pytest.fixture
def robot(tmp_path) -> FakeRobot:
    return FakeRobot(tmp_path / "ledger.sqlite")


@pytest.fixture
def config() -> McpConfig:
    everything = {"tools": ["*"], "approves": True, "patience": 5.0}
    quick = {"calls_per_minute": 10000, "acts_per_minute": 1000}
    return McpConfig.model_validate(
        {
            "clients": {
                "ada": everything | quick,
                "unsigned": everything | {"patience": 0.4},
                "hasty": everything | {"calls_per_minute": 5, "acts_per_minute": 2},
                "reader": {"tools": ["look", "read_*"]},
                "walker": {"tools": ["run_skill", "run_order"], "skills": ["walk"],
                           "targets": ["A*"]},
            }
        }
    )  # fmt: skip
