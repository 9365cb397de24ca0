"""Missions of a master that was killed: taken up when skills and sensors are there, or closed."""

import time
from collections.abc import Callable

from hrl_core.outcomes import Code
from hrl_core.ros.node import HrlNode
from hrl_master.ledger_damage import read_from
from hrl_master.ledger_file import LedgerFault
from hrl_master.records import Records
from hrl_master.recovery import Restored, restore
from hrl_master.ros.master_parameters import MasterParameters
from hrl_master.ros.mission_run import MissionRun
from hrl_master.ros.scene_taker import SceneTaker
from hrl_master.ros.skill_finder import SkillFinder


class Resumption:
    """Takes up one mission after the other: `take_up`, `carry_out` when it `comes_due`."""

    def __init__(
        self,
        node: HrlNode,
        parameters: MasterParameters,
        records: Records,
        skills: SkillFinder,
        scenes: SceneTaker,
        make: Callable[[Restored], MissionRun],
    ):
        self._log, self._parameters, self._records = node.get_logger(), parameters, records
        self._skills, self._scenes, self._make = skills, scenes, make
        self._taken_up: float | None = None  # s of the steady clock; None: nothing waits
        self._claimed = ""  # a mission that is ours, and is not taken up yet
        self.looks = False  # the ledger could not be used: it has to be looked at again

    @property
    def waits(self) -> bool:
        """Whether a mission was taken up and is not due yet."""
        return self._taken_up is not None

    def take_up(self) -> MissionRun | None:
        """The first mission that a master has left behind and that no other one has claimed.

        Raises ConfigError where the ledger is damaged.
        """
        try:
            run = self._take_up()
        except LedgerFault as error:
            if not self.looks:
                self._log.error(f"missions that were left behind are not known yet: {error}")
            self.looks = True
            return None
        self.looks = False
        return run

    def _take_up(self) -> MissionRun | None:
        ledger, told = self._records.ledger, self._records.told
        with read_from(ledger):
            left = ledger.unfinished()
        for mission in [*filter(None, [self._claimed]), *left]:
            if mission != self._claimed and not ledger.claim(mission):
                continue
            self._claimed = mission
            with read_from(ledger):
                restored = restore(ledger, mission)
            run = self._make(restored)
            detail = f"the master was started again in the middle of mission {mission}"
            ends = told.ends(mission)
            if ends:
                detail = f"the client of mission {mission} was told that it has ended"
                run.mission.end_as(ends)
                run.mission.settle()
            ledger.event(mission, "restart", detail)
            self._log.warning(detail)
            self._claimed = ""
            if not ends:
                self._taken_up = time.monotonic()
                return run
            told.forget(mission)
        return None

    def comes_due(self) -> bool:
        """Whether it is to be carried out now: the skills are there, or it is late; yes once."""
        if self._taken_up is None:
            return False
        late = time.monotonic() - self._taken_up > self._parameters.resume_patience
        if not late and self._skills.missing:
            return False
        self._taken_up = None
        return True

    async def carry_out(self, run: MissionRun) -> None:
        """Go on with the mission that was taken up, or close it."""
        mission, p = run.mission, self._parameters
        run.ending = None
        for client in self._skills.clients.values():
            await client.clear()  # they still do what the other master wanted
        scene, reason = None, f"no server for {self._skills.missing}"
        if not self._skills.missing:
            reason = "nothing was sensed"
            if not run.must_end:
                scene = await self._scenes.next_within(p.resume_patience)
        if scene is None and run.ending is None:
            detail = f"the master was killed, and {reason} within {p.resume_patience:.0f} s"
            run.ending = Code.HANDED_OVER, detail
        elif not p.resume:
            mission.give_up("the master was killed; missions are not resumed here")
        elif scene is not None and not 0.0 <= scene.stamp - mission.stamp <= p.resume_within:
            mission.give_up(
                f"the master was killed {scene.stamp - mission.stamp:.0f} s ago, allowed are 0 to "
                f"{p.resume_within:.0f} s: the world may be another"
            )
        await run.carry_out()
        ends = "; ".join(f"{end.code.name}: {end.detail}" for end in mission.results)
        self._log.warning(f"mission {mission.id} has ended: {ends}")
