"""May a decision run? Did it work? Both answered from the master's own sensors."""

from collections.abc import Callable

import numpy as np

from hrl_core.known import known
from hrl_core.outcomes import Outcome
from hrl_core.site import Site
from hrl_master.config import GuardrailConfig
from hrl_master.orders import ALIGN, LEAVE_FACE, LEAVE_NARROW, Decision, Order
from hrl_master.reasons import Check, Reason
from hrl_master.scene import Scene, distance, yaw_error

ON_THE_SPOT = 0.1  # m; a walk that goes no further only turns
Judge = Callable[[Decision, Scene, Scene, Order], Check]


class Guardrails:
    """Preconditions of skills and the master's own verdict on their results."""

    def __init__(self, site: Site, config: GuardrailConfig):
        self._site = site
        self.config = config
        # By what the decision is for: a skill of ours, or the purpose of a helper.
        self._judges: dict[str, Judge] = {
            "wait": self._after_wait,
            "walk": self._after_walk,
            "approach": self._after_approach,
            "grasp": self._after_grasp,
            "place": self._after_place,
            ALIGN: self._after_align,
            LEAVE_FACE: self._after_leave_face,
            LEAVE_NARROW: self._after_leave_face,
        }

    def before(self, decision: Decision, scene: Scene, order: Order) -> Check:
        """Whether a decision may run now."""
        c = self.config
        wanted = decision.purpose or decision.skill
        if wanted not in self._judges:
            known = ", ".join(self._judges)
            return Check(
                False,
                f"nobody can tell whether {wanted!r} worked; known: {known}",
                Reason.UNKNOWN_PURPOSE,
            )
        if decision.skill == "wait":
            return Check(True, "nothing moves")
        if scene.map_from_base is None:
            return Check(False, "not localised: no pose in map", Reason.NOT_LOCALISED)
        if scene.tilt > c.max_tilt:
            return Check(
                False, f"the robot leans {scene.tilt:.2f} rad, limit {c.max_tilt}", Reason.TILTED
            )
        if (
            decision.skill == "walk"
            and scene.position_std > c.max_position_std
            and not _turns_on_the_spot(decision, scene.map_from_base)
        ):
            return Check(
                False,
                f"position known to {scene.position_std:.2f} m, limit {c.max_position_std}",
                Reason.LOCALISATION_UNCERTAIN,
            )
        if decision.skill == "grasp":
            if scene.holding:
                return Check(False, "the gripper already holds something", Reason.HAND_FULL)
            return self._within_reach(scene, decision.face or order.from_bin)
        if decision.skill == "place":
            if not scene.holding:
                return Check(False, "the gripper holds nothing to place", Reason.HAND_EMPTY)
            return self._within_reach(scene, order.to_station)
        return Check(True, "may run")

    def after(
        self, decision: Decision, outcome: Outcome, before: Scene, after: Scene, order: Order
    ) -> Check:
        """Whether the world looks as it should after a skill that says it succeeded."""
        if not outcome.succeeded:
            return Check(False, outcome.detail, Reason.SKILL_FAILED)
        return self._judges[decision.purpose or decision.skill](decision, before, after, order)

    def _within_reach(self, scene: Scene, target: str) -> Check:
        offset = scene.offset_from(self._site, target, self._site.standoff)
        if offset is None or distance(offset) > self.config.reach:
            far = "unknown" if offset is None else f"{distance(offset):.2f} m"
            return Check(
                False,
                f"distance to the standoff of {target} {far}, limit {self.config.reach} m",
                Reason.OUT_OF_REACH,
            )
        return Check(True, f"{distance(offset):.2f} m from the standoff of {target}")

    def _after_wait(self, decision: Decision, before: Scene, after: Scene, order: Order) -> Check:
        return Check(True, f"waited {after.stamp - before.stamp:.1f} s")

    def _after_walk(self, decision: Decision, before: Scene, after: Scene, order: Order) -> Check:
        limit = self.config.walk_tolerance
        if after.map_from_base is None:
            return Check(False, "not localised after the walk", Reason.NOT_LOCALISED)
        error = float(np.hypot(*(after.map_from_base[:2] - known(decision.pose)[:2])))
        return _measured(error <= limit, f"{error:.2f} m from the goal, limit {limit} m")

    def _after_leave_face(
        self, decision: Decision, before: Scene, after: Scene, order: Order
    ) -> Check:
        start, end = (scene.position_at(self._site, decision.target) for scene in (before, after))
        if start is None or end is None:
            return Check(False, f"not localised after {decision.skill}", Reason.NOT_LOCALISED)
        way = float(end[0] - start[0])
        limit = 0.5 * decision.parameters["distance_m"]
        return _measured(
            way >= limit, f"{way:.2f} m further from {decision.target}, at least {limit:.2f} m"
        )

    def _after_approach(
        self, decision: Decision, before: Scene, after: Scene, order: Order
    ) -> Check:
        c = self.config
        return self._stands(decision, after, c.approach_tolerance, c.approach_yaw)

    def _after_align(self, decision: Decision, before: Scene, after: Scene, order: Order) -> Check:
        c = self.config
        return self._stands(decision, after, c.align_tolerance, c.align_yaw)

    def _stands(self, decision: Decision, after: Scene, limit: float, yaw_limit: float) -> Check:
        """Whether it is within limits [m, rad] of the standoff of the target."""
        offset = after.offset_from(self._site, decision.target, self._site.standoff)
        if offset is None:
            return Check(False, f"not localised after the {decision.skill}", Reason.NOT_LOCALISED)
        ok = distance(offset) <= limit and yaw_error(offset) <= yaw_limit
        return _measured(
            ok,
            f"{distance(offset):.3f} m and {yaw_error(offset):.3f} rad from the standoff, "
            f"limits {limit} m and {yaw_limit} rad",
        )

    def _after_grasp(self, decision: Decision, before: Scene, after: Scene, order: Order) -> Check:
        return Check(
            after.holding,
            f"gripper at {after.gripper_position:.2f} rad with {after.gripper_effort:.1f} N m: "
            + ("it holds something" if after.holding else "it holds nothing"),
            Reason.NONE if after.holding else Reason.HAND_EMPTY,
        )

    def _after_place(self, decision: Decision, before: Scene, after: Scene, order: Order) -> Check:
        if after.holding:
            return Check(False, "the gripper still holds something", Reason.HAND_FULL)
        # About what it takes to retreat and stow.
        return self.placed(after, order, decision.offset, 10.0)

    def off_target(self, scene: Scene, order: Order, offset: np.ndarray) -> float:
        """Distance [m] in the plane of where the order's item was seen last from its place.

        offset (2,) m: of that place from the target point, in the station's frame.
        """
        face = self._site.face(order.to_station)
        target = self._site.target_point(order.to_station)[:2] + face[:2, :2] @ offset
        return float(np.hypot(*(scene.seen[order.item].map_from_object[:2, 3] - target)))

    def placed(self, scene: Scene, order: Order, offset: np.ndarray, age: float) -> Check:
        """Whether the order's item was seen at its place in the last seconds."""
        seen = scene.seen.get(order.item)
        if seen is None or seen.age > age:
            return Check(False, f"{order.item} is not seen at {order.to_station}", Reason.NOT_SEEN)
        error = self.off_target(scene, order, offset)
        # The map is known to centimetres only, so this limit is wider than the skill's own.
        limit = self.config.place_tolerance + 2 * min(scene.position_std, 0.1)
        return _measured(
            error <= limit, f"{order.item} seen {error:.3f} m from its target, limit {limit:.3f} m"
        )


def _turns_on_the_spot(decision: Decision, map_from_base: np.ndarray) -> bool:
    """Whether a walk goes nowhere: the scan alone keeps it safe, and what it sees tells where."""
    pose = decision.pose
    return pose is not None and float(np.hypot(*(pose - map_from_base)[:2])) < ON_THE_SPOT


def _measured(ok: bool, sentence: str) -> Check:
    return Check(ok, sentence, Reason.NONE if ok else Reason.OFF_TARGET)
