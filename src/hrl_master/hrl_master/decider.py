"""Beliefs, candidates and a policy together: scene in, decision out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hrl_core.site import Site
from hrl_master.beliefs import Beliefs
from hrl_master.candidates import FINISH, HAND_OVER, WAIT, Options
from hrl_master.graph import WalkGraph
from hrl_master.guardrails import Guardrails
from hrl_master.mission import Attempt, Decision, MasterConfig, Order
from hrl_master.policy import Policy, make_policy
from hrl_master.scene import Scene
from hrl_master.situation import Situation


class Decider:
    """What a mission asks for its next decision. It keeps the beliefs; all else is stateless."""

    def __init__(self, options: Options, policy: Policy, helpers: Mapping[str, str] | None = None):
        self.options, self.policy = options, policy
        self.helpers = dict(helpers or {})
        self.beliefs = Beliefs()
        self.order: Order | None = None

    def begin(self, order: Order, attempts: Sequence[Attempt] = ()) -> None:
        """Begin an order; `attempts`: what was tried for it before a restart of the master."""
        self.order, self.beliefs = order, self.beliefs.next_order()
        for attempt in attempts:
            self.beliefs = self.beliefs.recall(attempt)

    def observe(self, scene: Scene) -> Situation:
        """Take in a scene; the same scene again changes nothing."""
        assert self.order is not None, "an order was begun"
        self.beliefs = self.beliefs.observe(scene, self.options.graph)
        return Situation(scene, self.beliefs, self.order, helpers=self.helpers)

    def questions(self, situation: Situation) -> list[Decision]:
        """The decisions whose chances the skills should be asked for."""
        return [
            candidate.decision("")
            for candidate in self.options.candidates(situation)
            if candidate.allowed and candidate.kind not in (WAIT, HAND_OVER, FINISH)
        ]

    def decide(
        self, situation: Situation, chances: Mapping[tuple[str, str], float] | None = None
    ) -> Decision:
        """The policy's choice; the same situation and chances give the same decision."""
        if chances:
            situation = replace(situation, chances=dict(chances))
        candidates = self.options.candidates(situation)
        choice = self.policy.decide(situation, candidates)
        chosen = candidates[choice.index]
        chance = situation.chances.get(chosen.key)
        decision = chosen.decision(choice.reason, candidates, choice.probabilities.tolist(), chance)
        return replace(decision, situation=situation)

    def record(self, attempt: Attempt, after: Scene) -> None:
        """Take in how a decision went."""
        self.beliefs = self.beliefs.record(attempt, after, self.options.graph)


def make_decider(
    site: Site,
    config: MasterConfig,
    guardrails: Guardrails,
    helpers: Mapping[str, str] | None = None,
) -> Decider:
    """With the policy that the configuration names.

    `helpers`: names of skills beyond walk, approach, grasp and place, by what they provide.
    """
    options = Options(site, WalkGraph(site), guardrails, config)
    return Decider(options, make_policy(options, config), helpers)
