"""Whole missions in the fast world, with the mission, beliefs and guardrails of the robot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hrl_core.errands import Systems
from hrl_core.outcomes import Code, Outcome
from hrl_master.candidate import WAIT
from hrl_master.candidates import FINISH, HAND_OVER, Options
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import Decider
from hrl_master.errands import Errands
from hrl_master.graph import WalkGraph
from hrl_master.guardrails import Guardrails
from hrl_master.ledger import Ledger
from hrl_master.memory.searches import Search
from hrl_master.memory.site_memory import Memory
from hrl_master.mission import Mission
from hrl_master.mission_loop import Execution, MissionWorld, at_once, work_off
from hrl_master.orders import Decision, Order
from hrl_master.policy import Policy, make_policy
from hrl_master.scene import Scene
from hrl_master.situation import Situation
from hrl_sim_bridge.judging.judge import Judgement
from hrl_sim_bridge.judging.solvable import Solvability
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.world import World
from hrl_skills.library import load_class, skill_names
from hrl_training.fast.floor import Floor
from hrl_training.fast.skill_outcomes import OutcomeModel, load_outcomes
from hrl_training.fast.world import FastWorld
from hrl_training.missions.row import (
    MISSION_LIMIT,
    MissionRow,
    RowDecision,
    finished_mission,
    make_row,
    row_decision,
)
from hrl_training.missions.runner import MissionOptions, in_turn, master_part


class FastSite:
    """What all missions at one site share: its graph, its floor, its guardrails."""

    def __init__(self, world: World, name: str, config: MasterConfig | None = None) -> None:
        """`config`: None: that of config/master.yaml."""
        self.world, self.name = world, name
        self.config = config or master_part(MasterConfig)
        self.guardrails = Guardrails(world.site, master_part(GuardrailConfig))
        self.floor = Floor(world.site)
        graph = WalkGraph(world.site)
        self.options = Options(world.site, graph, self.guardrails, self.config)
        # Skills beyond the four, by what they provide.
        self.helpers = {
            what: name for name in skill_names() for what in load_class(name).contract.provides
        }

    def policy(self, name: str, folder: str = "") -> Policy:
        """A policy by the name that the configuration of the master would give."""
        changes = {"policy": name, "policy_folder": folder}
        return make_policy(self.options, self.config.model_copy(update=changes))


class FastDecider(Decider):
    """A decider that asks the fast world for chances itself: candidates are made but once."""

    def __init__(
        self, site: FastSite, policy: Policy, fast: FastWorld, memory: Memory | None = None
    ) -> None:
        super().__init__(site.options, policy, site.helpers, memory=memory)
        self._fast = fast

    def questions(self, situation: Situation) -> list[Decision]:
        return []

    def decide(self, situation: Situation) -> Decision:
        candidates = self.options.candidates(situation)
        asked = {c.key: self._fast.chance(c.decision("")) for c in candidates
                 if c.allowed and c.kind not in (WAIT, HAND_OVER, FINISH)}  # fmt: skip
        told = {key: chance for key, chance in asked.items() if chance is not None}
        choice = self.policy.decide(replace(situation, chances=told), candidates)
        return candidates[choice.index].decision(choice.reason)


def run_mission(
    site: FastSite,
    trial: Trial,
    policy: Policy,
    model: OutcomeModel | None = None,
    rng: np.random.Generator | None = None,
    label: str = "",
    ledger: Ledger | None = None,
    systems: Systems | None = None,
    memory: Memory | None = None,
    learn: Callable[[Search], None] | None = None,
) -> MissionRow:
    """One mission from its order to its end; `rng`: of what happens by chance.

    `systems`: need a ledger, and are done when they have begun. `memory`: of the site, for its
    policy; `learn`: takes what the mission has shown of the site.
    """
    started, errands = time.monotonic(), None
    if systems is not None:
        assert ledger is not None, "systems need a ledger"
        errands = Errands(systems, ledger, site.world.site, site.config)
    fast = FastWorld(site.world, trial, model or load_outcomes(), rng, site.floor)
    began, decider = fast.time, FastDecider(site, policy, fast, memory)
    order = trial.order
    mission = Mission(
        [Order(order.item, order.from_bin, order.to_station)],
        decider,
        site.guardrails,
        site.config,
        ledger=ledger,
        errands=errands,
    )
    place = _FastMissionWorld(fast)
    at_once(work_off(mission, place))
    if not mission.finished:
        mission.cancel(Code.MISSION_FAILED, f"not done in {MISSION_LIMIT:.0f} s")
    if learn is not None:
        learn(decider.shown()[1].search)
    judged = fast.judge()
    return make_row(
        finished_mission(mission.results, place.decisions, began, fast.time, fast.time),
        [
            Judgement(
                delivered=judged.delivered,
                sentence="",
                placement_error=None,
                upright=judged.delivered,
                contacts={},
                contacts_with_people=0,
                fell=judged.fell,
                wrong_item_delivered=judged.wrong_item,
                item_on_floor=judged.item_on_floor,
            )
        ],
        [Solvability(judged.solvable, "")],
        trial,
        world=site.name,
        policy=label,
        wall_duration=time.monotonic() - started,
    )


class FastInTurn:
    """Runs the mission of a seed in one of several worlds, as missions.runner.InTurn does."""

    def __init__(self, options: Sequence[MissionOptions]) -> None:
        self._sites = [(each, FastSite(each.world, each.world_name, each.config))
                       for each in options]  # fmt: skip
        self._model = load_outcomes()

    def run(self, seed: int) -> MissionRow:
        options, site = in_turn(self._sites, seed)
        trial = draw_trial(options.world, seed, options.disturb)
        policy = make_policy(site.options, site.config)
        return run_mission(site, trial, policy, self._model, label=options.policy)


class _FastMissionWorld(MissionWorld):
    """The fast world as the mission loop sees it; its decider asks for the chances itself."""

    def __init__(self, fast: FastWorld) -> None:
        self._fast = fast
        self.decisions: list[RowDecision] = []

    @property
    def must_end(self) -> bool:
        return self._fast.time > MISSION_LIMIT

    async def next_scene(self) -> Scene:
        return self._fast.scene()

    async def run(self, decision: Decision) -> Outcome:
        outcome, _ = self._fast.run(decision)
        return outcome

    def ended(self, execution: Execution) -> None:
        self.decisions.append(row_decision(execution))
