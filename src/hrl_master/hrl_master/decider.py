"""Beliefs, candidates and a policy together: scene in, decision out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_master.beliefs import Beliefs
from hrl_master.candidate import WAIT
from hrl_master.candidates import FINISH, HAND_OVER, Options
from hrl_master.choice import find
from hrl_master.config import MasterConfig
from hrl_master.delivered import DeliveredWatch
from hrl_master.edges import EdgePoints
from hrl_master.graph import WalkGraph
from hrl_master.guardrails import Guardrails
from hrl_master.guided import Choices
from hrl_master.memory.shown import Shown, shown_by
from hrl_master.memory.site_memory import Memory
from hrl_master.orders import Attempt, Decision, Order
from hrl_master.places import station_full
from hrl_master.policy import Policy, make_policy
from hrl_master.reasons import Reason, Refusal
from hrl_master.scene import Scene
from hrl_master.sequence import GraphDurations, OrderSequence, Waiting
from hrl_master.situation import Situation


class Decider:
    """What a mission asks for its next decision. It keeps the beliefs; all else is stateless."""

    def __init__(
        self,
        options: Options,
        policy: Policy,
        helpers: Mapping[str, str] | None = None,
        robot: Robot | None = None,
        memory: Memory | None = None,
        sequence: OrderSequence | None = None,
    ):
        """`robot`: None: nothing is known of which items it can grasp.

        `memory`: of the site; None: nothing is remembered. `sequence`: of a mission's orders;
        None: as they came.
        """
        self.options, self.policy, self._robot = options, policy, robot
        self._memory = memory
        self.helpers = dict(helpers or {})
        self._edge_points = EdgePoints(options.graph)
        self.beliefs = Beliefs()
        self.order: Order | None = None
        self.delivered = DeliveredWatch(options.graph.surfaces)
        self._sequence = sequence or OrderSequence("first_come", GraphDurations(options.graph))

    def next_order(self, waiting: Waiting, scene: Scene) -> int:
        """Number of the order to work on next."""
        pose = scene.map_from_base
        return self._sequence.next(waiting, None if pose is None else pose[:2], scene.stamp)

    def begin(self, order: Order, attempts: Sequence[Attempt] = ()) -> None:
        """Begin an order; `attempts`: what was tried for it before a restart of the master."""
        self.order, self.beliefs = order, self.beliefs.next_order()
        for attempt in attempts:
            self.beliefs = self.beliefs.recall(attempt)

    def observe(self, scene: Scene) -> Situation:
        """Take in a scene; the same scene again changes nothing."""
        assert self.order is not None, "an order was begun"
        self.beliefs = self.beliefs.observe(scene, self._edge_points)
        order, memory = self.order, self._memory
        where = None if memory is None else memory.where(order.item, order.from_bin)
        return Situation(scene, self.beliefs, order, helpers=self.helpers, whereabouts=where)

    def hopeless(self, situation: Situation) -> Refusal | None:
        """Why no policy can carry out the order; None: one may."""
        if situation.beliefs.delivered:
            return None
        name, site = situation.order.item, self.options.site
        unfit = "" if self._robot is None else self._robot.arm.refusal(name, site.item(name))
        return Refusal(Reason.ITEM_UNFIT, unfit) if unfit else station_full(site, situation)

    def choices(self, situation: Situation) -> Choices:
        """What a client may choose among; nothing where the order ends without a choice."""
        candidates = self.options.candidates(situation)
        if self.hopeless(situation) or find(candidates, FINISH) is not None:
            return Choices()
        seen_at = situation.sighted_at
        known = seen_at in self.options.site.bins
        return Choices(candidates, seen_at if known else situation.order.from_bin)

    def questions(self, situation: Situation) -> list[Decision]:
        """The decisions whose chances the skills should be asked for."""
        return [
            candidate.decision("")
            for candidate in self.options.candidates(situation)
            if candidate.allowed and candidate.kind not in (WAIT, HAND_OVER, FINISH)
        ]

    def decide(self, situation: Situation) -> Decision:
        """The policy's choice; the same situation gives the same decision."""
        candidates = self.options.candidates(situation)
        choice = self.policy.decide(situation, candidates)
        chosen = candidates[choice.index]
        chance = situation.chances.get(chosen.key)
        decision = chosen.decision(choice.reason, candidates, choice.probabilities.tolist(), chance)
        return replace(decision, chosen_by=choice.by)

    def record(self, attempt: Attempt, after: Scene) -> None:
        """Take in how a decision went."""
        self.beliefs = self.beliefs.record(attempt, after, self._edge_points)

    def shown(self) -> tuple[str, Shown]:
        """The site's name, and what the present order has shown of it."""
        assert self.order is not None, "an order was begun"
        site = self.options.site
        return site.name, shown_by(self.order, self.beliefs, site.bins)


def make_decider(
    site: Site,
    config: MasterConfig,
    guardrails: Guardrails,
    helpers: Mapping[str, str] | None = None,
    robot: Robot | None = None,
    memory: Memory | None = None,
) -> Decider:
    """With the policy that the configuration names.

    `helpers`: names of skills beyond walk, approach, grasp and place, by what they provide.
    `robot`: whose camera looks at the faces; None: the default one.
    `memory`: of the site; None: nothing is remembered.
    """
    options = Options(site, WalkGraph(site, robot), guardrails, config)
    sequence = OrderSequence(config.sequence, GraphDurations(options.graph))
    return Decider(options, make_policy(options, config), helpers, robot, memory, sequence)
