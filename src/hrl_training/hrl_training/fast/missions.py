"""Whole missions in the fast world, with the mission, beliefs and guardrails of the robot."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hrl_core.outcomes import Code
from hrl_master.candidates import FINISH, HAND_OVER, WAIT, Options
from hrl_master.decider import Decider
from hrl_master.graph import WalkGraph
from hrl_master.guardrails import GuardrailConfig, Guardrails
from hrl_master.mission import Attempt, Decision, MasterConfig, Mission, Order
from hrl_master.policy import Policy, make_policy
from hrl_master.situation import Situation
from hrl_sim_bridge.trial import Trial
from hrl_sim_bridge.world import World
from hrl_skills.library import load_class, skill_names
from hrl_training.fast.floor import Floor
from hrl_training.fast.outcomes import OutcomeModel, load_outcomes
from hrl_training.fast.world import FastWorld
from hrl_training.mission_rows import MISSION_LIMIT, MissionRow, failure_cause
from hrl_training.missions import master_part, order_of


class FastSite:
    """What all missions at one site share: its graph, its floor, its guardrails."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.config = master_part(MasterConfig)
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

    def __init__(self, site: FastSite, policy: Policy, fast: FastWorld) -> None:
        super().__init__(site.options, policy, site.helpers)
        self._fast = fast

    def questions(self, situation: Situation) -> list[Decision]:
        return []

    def decide(
        self, situation: Situation, chances: Mapping[tuple[str, str], float] | None = None
    ) -> Decision:
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
) -> MissionRow:
    """One mission from its order to its end; `rng`: of what happens by chance."""
    started = time.monotonic()
    fast = FastWorld(site.world, trial, model or load_outcomes(), rng, site.floor)
    order = trial.order
    mission = Mission(
        [Order(order.item, order.from_bin, order.to_station)],
        FastDecider(site, policy, fast),
        site.guardrails,
        site.config,
    )
    made: list[dict[str, Any]] = []
    scene = fast.scene()
    began = scene.stamp
    while (decision := mission.next_decision(scene)) is not None:
        outcome, _ = fast.run(decision)
        after = fast.scene()
        check = mission.report(decision, outcome, scene, after)
        made.append(
            _decided(Attempt(decision, outcome, check), scene.stamp - began, after.stamp - began)
        )
        scene = after
        if scene.stamp > MISSION_LIMIT:
            mission.cancel(Code.MISSION_FAILED, f"not done in {MISSION_LIMIT:.0f} s")
    (end,) = mission.results
    judged = fast.judge()
    outcome = "SUCCEEDED" if end.code is Code.SUCCEEDED else "MISSION_FAILED"
    row = MissionRow(
        seed=trial.seed,
        world=site.name,
        policy=label,
        order=order_of(trial),
        disturbances=trial.disturbances,
        solvable=judged.solvable,
        why="",
        delivered=judged.delivered,
        handed_over=end.code is Code.HANDED_OVER,
        wrong_item_delivered=judged.wrong_item,
        contacts=(),
        contacts_with_people=0,
        placement_error_m=None,
        cause="",
        sentence="",
        mission_outcome=outcome,
        mission_detail=end.detail,
        resolved_after_s=round(scene.stamp - began, 3),
        simulated_duration_s=round(scene.stamp - began, 3),
        wall_duration_s=round(time.monotonic() - started, 4),
        lockstep_misses=0,
        decisions=tuple(made),
    )
    if row.success:
        return row
    return replace(row, cause="fell" if judged.fell else failure_cause(made, outcome))


def _decided(attempt: Attempt, began: float, ended: float) -> dict[str, Any]:
    decision, outcome = attempt.decision, attempt.outcome
    return {
        "skill": decision.skill,
        "target": decision.target,
        "outcome": outcome.code.name,
        "detail": outcome.detail,
        "confirmed": attempt.worked,
        "began_s": round(began, 3),
        "ended_s": round(ended, 3),
        "chance": decision.chance,
    }
