"""May a decision run? Did it work? Both answered from the master's own sensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from hrl_core.config import Config
from hrl_core.outcomes import Outcome
from hrl_core.site import Site
from hrl_master.scene import Scene, distance, yaw_error

if TYPE_CHECKING:
    from hrl_master.mission import Decision, Order, OrderState


@dataclass(frozen=True)
class Check:
    """Result of a guardrail: a sentence with the measured value and the limit."""

    ok: bool
    sentence: str


class GuardrailConfig(Config):
    """Limits of the checks; see config/master.yaml."""

    max_tilt: float = Field(
        default=0.5, gt=0, le=1.5, description="rad; a robot that leans more has fallen"
    )
    max_position_std: float = Field(
        default=0.3, gt=0, le=5, description="m; walk only when localised better"
    )
    walk_tolerance: float = Field(
        default=0.35, gt=0, le=2, description="m between pose and goal after a walk"
    )
    approach_tolerance: float = Field(
        default=0.10, gt=0, le=0.5, description="m from the standoff after an approach"
    )
    approach_yaw: float = Field(default=0.16, gt=0, le=1, description="rad; likewise")
    reach: float = Field(
        default=0.12, gt=0, le=1, description="m from the standoff; grasp and place start nearer"
    )
    place_tolerance: float = Field(
        default=0.10, gt=0, le=0.5, description="m between item and target when placed"
    )


class Guardrails:
    """Preconditions of skills and the master's own verdict on their results."""

    def __init__(self, site: Site, config: GuardrailConfig):
        self._site = site
        self.config = config

    def before(self, decision: Decision, scene: Scene, order: Order) -> Check:
        """Whether a decision may run now."""
        c = self.config
        if decision.skill == "wait":
            return Check(True, "nothing moves")
        if scene.map_from_base is None:
            return Check(False, "not localised: no pose in map")
        if scene.tilt > c.max_tilt:
            return Check(False, f"the robot leans {scene.tilt:.2f} rad, limit {c.max_tilt}")
        if decision.skill == "walk" and scene.position_std > c.max_position_std:
            return Check(
                False, f"position known to {scene.position_std:.2f} m, limit {c.max_position_std}"
            )
        if decision.skill == "grasp":
            if scene.holding:
                return Check(False, "the gripper already holds something")
            return self._within_reach(scene, decision.face or order.from_bin)
        if decision.skill == "place":
            if not scene.holding:
                return Check(False, "the gripper holds nothing to place")
            return self._within_reach(scene, order.to_station)
        return Check(True, "may run")

    def after(
        self, decision: Decision, outcome: Outcome, before: Scene, after: Scene, state: OrderState
    ) -> Check:
        """Whether the world looks as it should after a skill that says it succeeded."""
        if not outcome.succeeded:
            return Check(False, outcome.detail)
        check = getattr(self, f"_after_{decision.purpose or decision.skill}")
        return check(decision, before, after, state)

    def _within_reach(self, scene: Scene, target: str) -> Check:
        offset = scene.offset_from(self._site, target, self._site.standoff)
        if offset is None or distance(offset) > self.config.reach:
            far = "unknown" if offset is None else f"{distance(offset):.2f} m"
            return Check(
                False, f"distance to the standoff of {target} {far}, limit {self.config.reach} m"
            )
        return Check(True, f"{distance(offset):.2f} m from the standoff of {target}")

    def _after_wait(self, decision, before, after, state) -> Check:
        return Check(True, f"waited {after.stamp - before.stamp:.1f} s")

    def _after_walk(self, decision, before, after, state) -> Check:
        limit = self.config.walk_tolerance
        if after.map_from_base is None:
            return Check(False, "not localised after the walk")
        error = float(np.hypot(*(after.map_from_base[:2] - decision.pose[:2])))
        return Check(error <= limit, f"{error:.2f} m from the goal, limit {limit} m")

    def _after_leave_face(self, decision, before, after, state) -> Check:
        start, end = (scene.position_at(self._site, decision.target) for scene in (before, after))
        if start is None or end is None:
            return Check(False, f"not localised after {decision.skill}")
        way = float(end[0] - start[0])
        limit = 0.5 * decision.parameters["distance_m"]
        return Check(
            way >= limit, f"{way:.2f} m further from {decision.target}, at least {limit:.2f} m"
        )

    def _after_approach(self, decision, before, after, state) -> Check:
        c = self.config
        offset = after.offset_from(self._site, decision.target, self._site.standoff)
        if offset is None:
            return Check(False, "not localised after the approach")
        ok = distance(offset) <= c.approach_tolerance and yaw_error(offset) <= c.approach_yaw
        return Check(
            ok,
            f"{distance(offset):.3f} m and {yaw_error(offset):.3f} rad from the standoff, "
            f"limits {c.approach_tolerance} m and {c.approach_yaw} rad",
        )

    def _after_grasp(self, decision, before, after, state) -> Check:
        return Check(
            after.holding,
            f"gripper at {after.gripper_position:.2f} rad with {after.gripper_effort:.1f} N m: "
            + ("it holds something" if after.holding else "it holds nothing"),
        )

    def _after_place(self, decision, before, after, state) -> Check:
        if after.holding:
            return Check(False, "the gripper still holds something")
        return self.placed(after, state.order, 10.0)  # about what it takes to retreat and stow

    def off_target(self, scene: Scene, order: Order) -> float:
        """Distance [m] in the plane of where the order's item was seen last from its target."""
        target = self._site.target_point(order.to_station)[:2]
        return float(np.hypot(*(scene.seen[order.item].map_from_object[:2, 3] - target)))

    def placed(self, scene: Scene, order: Order, age: float) -> Check:
        """Whether the order's item was seen at its target in the last seconds."""
        seen = scene.seen.get(order.item)
        if seen is None or seen.age > age:
            return Check(False, f"{order.item} is not seen at {order.to_station}")
        error = self.off_target(scene, order)
        # The map is known to centimetres only, so this limit is wider than the skill's own.
        limit = self.config.place_tolerance + 2 * min(scene.position_std, 0.1)
        return Check(
            error <= limit, f"{order.item} seen {error:.3f} m from its target, limit {limit:.3f} m"
        )
