"""Scene and order -> the next decision. The behaviour tree is the baseline on py_trees."""

import heapq
from collections.abc import Callable, Mapping

import numpy as np
import py_trees
from py_trees.common import Status

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code
from hrl_core.site import Site
from hrl_master.mission import (
    FINISH,
    HAND_OVER,
    LEAVE_FACE,
    Decision,
    MasterConfig,
    OrderState,
    Policy,
)
from hrl_master.scene import Scene, distance, yaw_error

AT_FACE, FACING = 0.3, 0.6  # m from the standoff, rad; so it stands close in front of a face


class _If(py_trees.behaviour.Behaviour):
    """Leaf that succeeds when a condition on the scene and the order holds."""

    def __init__(self, name: str, condition: Callable[[], bool]):
        super().__init__(name)
        self._condition = condition

    def update(self) -> Status:
        return Status.SUCCESS if self._condition() else Status.FAILURE


class _Decide(py_trees.behaviour.Behaviour):
    """Leaf that makes a decision; the tree ends there."""

    def __init__(self, name: str, decide: Callable[[], Decision], keep: Callable[[Decision], None]):
        super().__init__(name)
        self._decide, self._keep = decide, keep

    def update(self) -> Status:
        self._keep(self._decide())
        return Status.SUCCESS


class BehaviourTree:
    """Fetch, carry, place, with bounded retries; the tree is ticked once per decision.

    `helpers`: skills that make it easier where they are there, by purpose: see Decision.purpose.
    """

    def __init__(self, site: Site, config: MasterConfig, helpers: Mapping[str, str] | None = None):
        self._site = site
        self._config = config
        self._helpers = helpers or {}
        self._scene: Scene
        self._state: OrderState
        self._decision: Decision | None = None
        self.tree = self._build()

    def decide(self, scene: Scene, state: OrderState) -> Decision:
        """The next decision; its reason names the branch of the tree."""
        self._scene, self._state, self._decision = scene, state, None
        self.tree.tick_once()
        assert self._decision is not None, "the tree's last branch always decides"
        return self._decision

    def _build(self) -> py_trees.behaviour.Behaviour:
        def branch(name, *children):
            return py_trees.composites.Sequence(name, memory=False, children=list(children))

        def decide(name, make):
            return _Decide(name, make, lambda decision: setattr(self, "_decision", decision))

        deliver = py_trees.composites.Selector("deliver", memory=False)
        deliver.add_children(
            self._go_and(branch, decide, "place", lambda: self._state.order.to_station)
        )
        fetch = py_trees.composites.Selector("fetch", memory=False)
        fetch.add_children(
            self._go_and(branch, decide, "grasp", lambda: self._state.order.from_bin)
        )
        root = py_trees.composites.Selector("order", memory=False)
        root.add_children(
            [
                branch(
                    "done",
                    _If("delivered?", lambda: self._state.delivered),
                    decide("finish", self._finish),
                ),
                branch(
                    "give up",
                    _If("out of tries?", self._out_of_tries),
                    decide("hand over", self._hand_over),
                ),
                branch(
                    "holding", _If("item in the gripper?", lambda: self._scene.holding), deliver
                ),
                fetch,
            ]
        )
        return root

    def _go_and(self, branch, decide, skill: str, target: Callable[[], str]):
        """Children of a selector: do the skill if at the standoff, else approach, else walk.

        Where a skill can leave faces, it does so before a walk and before another try.
        """
        return [
            branch(f"at the standoff: {skill}", _If("there?", lambda: self._at_standoff(target())),
                   decide(skill, lambda: self._manipulate(skill, target()))),
            branch("close: leave", _If("must it?", lambda: self._must_leave(target())),
                   decide("leave", self._leave)),
            branch("near: approach", _If("near?", lambda: self._may_approach(target())),
                   decide("approach", lambda: self._approach(target()))),
            decide("walk", lambda: self._walk(target())),
        ]  # fmt: skip

    # Conditions

    def _out_of_tries(self) -> bool:
        return any(
            self._state.failures(s) >= self._config.max_failures
            for s in ("walk", "approach", "grasp", "place")
        )

    def _at_standoff(self, target: str) -> bool:
        offset = self._scene.offset_from(self._site, target, self._site.standoff)
        last = self._state.last
        if offset is None or (
            last is not None and last.decision.skill in ("grasp", "place") and not last.worked
        ):
            return False  # after a failed try the robot stands anew before it tries again
        c = self._config
        return distance(offset) <= c.near_standoff and yaw_error(offset) <= c.near_standoff_yaw

    def _may_approach(self, target: str) -> bool:
        last = self._state.last
        if last is not None and last.decision.skill == "approach" and not last.worked:
            return False  # walk to the staging pose first, from there the marker is in view
        place = self._scene.position_at(self._site, target)
        if place is None:
            return False
        # In front of the face and within 45 degrees of its normal: the marker can be seen.
        return (
            0.5 < place[0]
            and abs(place[1]) < place[0]
            and np.hypot(*place) < self._config.approach_range
        )

    def _must_leave(self, target: str) -> bool:
        if LEAVE_FACE not in self._helpers or self._face_ahead() is None:
            return False
        attempts, last = self._state.attempts, self._state.last
        if attempts and attempts[-1].decision.purpose == LEAVE_FACE:
            return False  # it has done what it can
        tried = last is not None and last.decision.skill in ("grasp", "place") and not last.worked
        return tried or not self._may_approach(target)

    def _face_ahead(self) -> str | None:
        """The bin or station that the robot stands in front of, so near that it cannot turn."""
        faces = [*self._site.bins, *(station.name for station in self._site.stations)]
        near = {}
        for name in faces:
            offset = self._scene.offset_from(self._site, name, self._site.standoff)
            if offset is not None and distance(offset) < AT_FACE and yaw_error(offset) < FACING:
                near[name] = distance(offset)
        return min(near, key=lambda name: near[name], default=None)

    # Decisions

    def _leave(self) -> Decision:
        face, way = self._face_ahead(), self._config.way_out
        assert face is not None, "_must_leave has found it"
        return Decision(
            self._helpers[LEAVE_FACE],
            face,
            f"stands close in front of {face}",
            purpose=LEAVE_FACE,
            parameters={"distance_m": way},
        )

    def _finish(self) -> Decision:
        return Decision(FINISH, self._state.order.to_station, "delivered and checked")

    def _hand_over(self) -> Decision:
        tries = [
            f"{a.decision.skill} {a.decision.target}: {a.reason}"
            for a in self._state.attempts
            if not a.worked
        ]
        return Decision(HAND_OVER, self._state.order.item, "out of tries; " + "; ".join(tries[-3:]))

    def _manipulate(self, skill: str, place: str) -> Decision:
        target = self._state.order.item if skill == "grasp" else place
        return Decision(
            skill, target, f"at the standoff of {place}", item_in_hand=self._state.item_in_hand
        )

    def _approach(self, target: str) -> Decision:
        return Decision("approach", target, f"{target} is within {self._config.approach_range} m")

    def _walk(self, target: str) -> Decision:
        goal = self._site.pose_in_front(target, self._site.staging)
        last = self._state.last
        here = self._scene.map_from_base
        far = here is not None and np.hypot(*(goal[:2] - here[:2])) > self._config.direct_walk
        blocked = last is not None and last.decision.skill == "walk" and not last.worked
        if here is not None and (far or blocked):
            tried = {a.decision.target for a in self._state.attempts if not a.worked}
            waypoint = next_waypoint(self._site, here[:2], goal[:2], tried)
            if waypoint is not None:
                why = (
                    "too far to walk at once"
                    if far
                    else f"the direct way failed ({Code(last.outcome.code).name})"
                )
                return Decision(
                    "walk", waypoint, why, pose=np.array(self._site.waypoints[waypoint].pose)
                )
        return Decision("walk", target, f"{target} is not within reach of an approach", pose=goal)


def next_waypoint(site: Site, here: np.ndarray, goal: np.ndarray, avoid: set[str]) -> str | None:
    """First waypoint, over 1 m away, of the shortest way from here (2,) to goal (2,) [m].

    Returns None when the site has no graph or no way; waypoints in `avoid` are not used.
    """
    points = {n: np.array(w.pose[:2]) for n, w in site.waypoints.items() if n not in avoid}
    if not points:
        return None
    entry = min(points, key=lambda n: float(np.hypot(*(points[n] - here))))
    exit_ = min(points, key=lambda n: float(np.hypot(*(points[n] - goal))))
    queue: list[tuple[float, str, tuple[str, ...]]] = [(0.0, entry, (entry,))]
    done = set()
    while queue:
        cost, name, path = heapq.heappop(queue)
        if name == exit_:
            return next((n for n in path if np.hypot(*(points[n] - here)) > 1.0), None)
        if name in done:
            continue
        done.add(name)
        for neighbour in site.waypoints[name].neighbours:
            if neighbour in points and neighbour not in done:
                step = float(np.hypot(*(points[neighbour] - points[name])))
                heapq.heappush(queue, (cost + step, neighbour, (*path, neighbour)))
    return None


POLICIES: dict[str, Callable[[Site, MasterConfig, Mapping[str, str]], Policy]] = {
    "behaviour_tree": BehaviourTree
}


def make_policy(
    site: Site, config: MasterConfig, helpers: Mapping[str, str] | None = None
) -> Policy:
    """The policy that the configuration names; raises ConfigError with the known ones.

    `helpers`: names of skills beyond walk, approach, grasp and place, by what they provide.
    """
    if config.policy not in POLICIES:
        raise ConfigError(f"unknown master policy {config.policy!r}; known: {sorted(POLICIES)}")
    return POLICIES[config.policy](site, config, helpers or {})
