"""Skill place: the held item onto a station's surface, upright; then the arm folds up."""

from dataclasses import replace
from enum import Enum

import numpy as np

from hrl_core import topics
from hrl_core.control import TICK, Command
from hrl_core.faces import odom_from_face, seen
from hrl_core.geometry import inverse, yaw_of
from hrl_core.known import known
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import MARKER_DROP, Site
from hrl_skills.conditions import (
    face_in_base,
    grip,
    kind_of_item,
    localised,
    neighbours,
    sensing,
    sight,
    standing,
)
from hrl_skills.library import shipped_policy
from hrl_skills.manipulation import ACTION, gripper_action, item_estimate, nominal_grasp
from hrl_skills.manipulator import ManipulationPolicy, Manipulator
from hrl_skills.phases import phase_table
from hrl_skills.place_observation import OBSERVATION, observe
from hrl_skills.posture import UPRIGHT, Posture, posture, sight_of
from hrl_skills.skill import Contract, GoalRejected, PlaceGoal, Tick, failed
from hrl_skills.surroundings import surroundings

MAX_STEPS = 250
IN_HAND_AGE, IN_HAND = 0.5, 0.03  # s, m: an item seen so lately, so near the tool, is held
OVER = 0.07  # m, the item's bottom over the surface when the policy takes over
LOW, MOST_LEAN = 0.045, 0.3  # m, rad: what the arm falls back on at the end of its reach
STEP_UP_ROOM = 0.03  # m, footprint to the station's face; a target out of reach is stepped up to
STEP_UP_TICKS = 30
LOWER_TICKS = 80
RETREATED = 0.12  # m, tool from the released item's centre
TOLERANCE = 0.05  # m
FRESH = 1.5  # s; a detection of the station younger than this is present
GLANCE_TICKS, LOOK_TICKS = 4, 40  # to see the station before it is looked up, or given up
REMEMBERED = 10.0  # s; odometry hardly drifts in the time since an approach
VERIFY_TICKS = 25
SETTLED = 0.3  # s, after the hand has left the item
REACHED, REACHABLE = 0.005, 0.05  # m, short of the target: as good as there; still tried


class Phase(Enum):
    """Its steps; the values are what feedback says."""

    REACH_OVER = "reach_over"
    LOWER = "lower"
    FOLD = "fold"
    LOOK = "look"
    VERIFY = "verify"


class Place:
    """Reach over the station, lower and let go with the learned policy, fold up, look."""

    name = "place"
    max_steps = MAX_STEPS
    contract = Contract(topics.ACTIONS["place"], codes_of(3), needs=("detections",))

    def __init__(self, site: Site, robot: Robot, policy: ManipulationPolicy | None = None):
        self._site = site
        self._robot, self._gripper = robot, robot.arm.gripper
        self._highest = robot.cameras["camera"].highest  # m; put down higher, the hand has to look
        self._policy = policy or shipped_policy("place", robot.name, OBSERVATION, ACTION)
        self._arm = Manipulator(robot)
        self._steps = phase_table(
            Phase,
            {
                Phase.REACH_OVER: self._reach_over,
                Phase.LOWER: self._lower,
                Phase.FOLD: self._fold,
                Phase.LOOK: self._look,
                Phase.VERIFY: self._verify,
            },
        )

    def start(self, goal: PlaceGoal, sensed: Sensed) -> None:
        """Accepts a known station and item while the gripper holds something."""
        stations = {station.name: station for station in self._site.stations}
        if goal.station not in stations:
            raise GoalRejected(
                Code.GOAL_INVALID, f"station {goal.station!r}; allowed are {sorted(stations)}"
            )
        if goal.item not in self._site.items:
            raise GoalRejected(
                Code.GOAL_INVALID, f"item {goal.item!r}; allowed are {sorted(self._site.items)}"
            )
        offset = np.asarray(goal.offset, float)
        room = np.array([self._site.target_setback, 0.5 * stations[goal.station].width]) - 0.05
        if offset.shape != (2,) or not (np.abs(offset) <= room).all():
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"offset {offset.tolist()} m; allowed are two numbers within +-{room.tolist()} m",
            )
        self._arm.start(sensed)
        if not self._arm.holding:
            raise GoalRejected(
                Code.NOTHING_HELD,
                f"the gripper holds nothing: at {self._arm.hand.gripper[0]:.2f} rad, held below "
                f"-{self._gripper.held} rad and above {self._gripper.carried_effort:g} N m",
            )
        self._goal, self._item = goal, self._site.item(goal.item)
        self._tool_from_item = self._in_hand(goal)
        measured = self._seen_in_hand(sensed)
        if measured is not None:
            self._tool_from_item = measured
        self._phase, self._ticks = Phase.REACH_OVER, 0
        self._odom_from_face: np.ndarray | None = None
        self._odom_from_item: np.ndarray | None = None
        self._released_at: float | None = None
        self._held_at = 0.0  # rad, the gripper before it let go
        self._left_at: float | None = None  # s, when the hand began to withdraw from it
        self._failure: Outcome | None = None
        self._looking_since: float | None = None
        self._near_enough = self._raised = self._withdrawn = self._looked = False

    def _in_hand(self, goal: PlaceGoal) -> np.ndarray:
        """The item in the tool frame (4, 4) as it was grasped, or as grasps mostly are."""
        if goal.item_in_hand is not None:
            return goal.item_in_hand
        return nominal_grasp(self._robot.arm.hand, self._site.item(goal.item).size)

    def _seen_in_hand(self, sensed: Sensed) -> np.ndarray | None:
        """The item in the tool frame (4, 4) as the cameras see it now: it slips on the way.

        Only before the arm moves: what is tracked lags behind what is carried.
        """
        detection = sensed.detections.get(self._goal.item)
        if detection is None or sensed.stamp - detection.stamp > IN_HAND_AGE:
            return None
        tool_from_item = inverse(self._arm.odom_from_tool) @ detection.odom_from_object
        away = float(np.linalg.norm(tool_from_item[:3, 3]))
        return tool_from_item if away < 0.5 * max(self._item.size) + IN_HAND else None

    def stop(self) -> Command:
        return self._arm.halt()

    def conditions(self, goal: PlaceGoal, sensed: Sensed) -> dict[str, float]:
        """What is held and how, where its target is from the robot, and what stands beside it."""
        site, item = self._site, self._site.item(goal.item)
        known = goal.item_in_hand is not None
        in_hand = self._in_hand(goal)
        face = face_in_base(site, sensed, goal.station)
        target = face @ np.array([goal.offset[0] - site.target_setback, goal.offset[1], 0.0, 1.0])
        return {
            **kind_of_item(item),
            **grip(self._robot, sensed),
            "grasp_known": float(known),
            "item_from_tool_m": float(np.linalg.norm(in_hand[:3, 3])),
            "target_forward_m": float(target[0]),
            "target_sideways_m": float(abs(target[1])),
            "board_height_m": site.station(goal.station).board_height,
            **standing(site, face),
            **neighbours(site, sensed, goal.item, target[:3]),
            **sight("station", sensed, goal.station),
            **sensing(sensed),
        }

    def tick(self, sensed: Sensed) -> Tick:
        self._arm.sense(sensed)
        self._ticks += 1
        return self._steps[self._phase](sensed)

    def _reach_over(self, sensed: Sensed) -> Tick:
        """Raise the hand in front of the body, then forward over the target."""
        if not self._find_face(sensed):
            if self._ticks > LOOK_TICKS:
                return self._give_up(
                    Code.SURFACE_NOT_FOUND,
                    f"no marker of {self._goal.station} was seen for {TICK * self._ticks:.1f} s, "
                    "and the robot does not know where it stands on the map",
                )
            self._arm.hold()
            return self._step(0.0)
        if not self._arm.keeps and self._ticks > 2:
            return self._lost()
        if not self._near_enough:
            return self._draw_near(sensed)
        over = self._hand_over_target(sensed)
        short = float(self._arm.kinematics.residual(over[None])[0])
        if short > REACHABLE:
            return self._give_up(
                Code.SURFACE_OUT_OF_REACH,
                f"the target on {self._goal.station} is {short:.3f} m out of reach, "
                f"limit {REACHABLE} m",
            )
        if not self._raised:
            before, clear_x = over.copy(), self._robot.arm.hand.clear_x
            before[:2] = clear_x, over[1] * clear_x / over[0]
            self._raised = self._arm.go_to_joints(self._arm.kinematics.inverse(before[None])[0])
        elif self._arm.go_to_hand(over):
            self._enter(Phase.LOWER)
            self._arm.begin_policy(self._policy)
        return self._step(0.2)

    def _draw_near(self, sensed: Sensed) -> Tick:
        """Step up to a target that is too far for the arm, as long as there is room in front."""
        pose = self._hand_over(self._target_in_base(sensed)[0], OVER, 0.0)
        short = float(self._arm.kinematics.residual(pose[None])[0])
        base_from_odom = inverse(known(sensed.odometry).odom_from_base)
        ahead = float((base_from_odom @ self._odom_from_face)[0, 3])
        nearest = self._robot.base.front + STEP_UP_ROOM
        if short < REACHED or ahead < nearest or self._ticks > STEP_UP_TICKS:
            self._near_enough = True
            return self._step(0.1)
        self._arm.hold()
        command = replace(self._arm.command(), twist=np.array([self._robot.base.slowest, 0.0, 0.0]))
        return Tick(command, self._phase.value, 0.1, short)

    def _find_face(self, sensed: Sensed) -> bool:
        """Where the station is seen now; else where it was seen, or where the map has it.

        What is carried may hide the marker until the arm is raised, and the camera looks too low
        for that of a high station.
        """
        detection = seen(sensed, self._goal.station, FRESH)
        if detection is not None:
            self._odom_from_face = detection.odom_from_object
        elif self._odom_from_face is None and self._ticks > GLANCE_TICKS:
            self._odom_from_face = odom_from_face(
                self._site, sensed, self._goal.station, REMEMBERED, by_map=localised(sensed)
            )
        return self._odom_from_face is not None

    def _lower(self, sensed: Sensed) -> Tick:
        arm = self._arm
        if self._released_at is None:
            self._odom_from_item = arm.odom_from_tool @ self._tool_from_item
            if arm.lets_go and not arm.held[0]:
                self._released_at = sensed.stamp
            else:
                self._held_at = float(arm.hand.gripper[0])
        base_from_odom = inverse(known(sensed.odometry).odom_from_base)
        item = item_estimate(
            base_from_odom @ self._odom_from_item, self._item.size, self._item.shape
        )
        target = self._target_in_base(sensed)
        error = float(np.linalg.norm((target - item.position)[0, :2]))
        away = float(np.linalg.norm(item.position[0] - arm.hand.position[0]))
        if self._released_at is not None and away > RETREATED:
            self._enter(Phase.FOLD)
            return self._step(0.8, error)
        if self._ticks > LOWER_TICKS:
            if self._released_at is not None:
                self._enter(Phase.FOLD)
                return self._step(0.8, error)
            return self._give_up(
                Code.PLACED_OFF_TARGET,
                f"not released after {LOWER_TICKS} steps, {error:.3f} m from the target",
            )
        around = surroundings(self._site, sensed, self._goal.item, target[0])
        observation = observe(
            self._robot.arm, arm.hand, item, around, target, arm.held, arm.last_action
        )
        action = self._policy(observation)
        arm.act(action if self._released_at is None else self._let_go(action, sensed))
        return self._step(0.5, error)

    def _let_go(self, action: np.ndarray, sensed: Sensed) -> np.ndarray:
        """The action (1, 6), but the finger opens off the item, and only then the hand leaves.

        An item held askew keeps the jaws further apart than its width, by which the policy opens.
        """
        assert self._released_at is not None, "lets go of what it holds"
        action, opening = action.copy(), self._held_at - self._gripper.let_go
        off = gripper_action(self._robot.arm, np.array([opening]))
        action[:, 5] = np.minimum(action[:, 5], off)
        opens = sensed.stamp - self._released_at < self._gripper.opens_within
        if self._arm.hand.gripper[0] > opening + 0.05 and opens:
            action[:, :5] = 0.0
        return action

    def _fold(self, sensed: Sensed) -> Tick:
        arm = self._arm
        if self._left_at is None:
            self._left_at = sensed.stamp
        if not self._withdrawn:
            self._withdrawn = arm.withdraw(gripper=None if self._failure else -1.0)
        elif self._failure is not None:
            if arm.go_to_joints(arm.pose("carry")):
                return Tick(arm.halt(), "failed", 0.0, 0.0, self._failure)
        elif not self._looked and self._target_in_base(sensed)[0, 2] > self._highest:
            self._enter(Phase.LOOK)
        elif arm.go_to_joints(arm.pose("stow"), gripper=1.0):
            self._enter(Phase.VERIFY)
        return self._step(0.9)

    def _look(self, sensed: Sensed) -> Tick:
        """See from above, as a grasp does, what stands too high for the camera on the body."""
        arm, detection = self._arm, sensed.detections.get(self._goal.item)
        if self._looking_since is None:
            x, y, z = self._target_in_base(sensed)[0]
            top = np.array([x, y, z + 0.5 * self._item.size[2]])
            if arm.go_to_joints(arm.ready_joints(top), gripper=-1.0):
                self._looking_since = sensed.stamp
            return self._step(0.9)
        arm.hold()
        looked = detection is not None and detection.stamp > self._looking_since
        if looked or sensed.stamp - self._looking_since > TICK * VERIFY_TICKS:
            self._looked = True
            self._enter(Phase.FOLD)
        return self._step(0.9)

    def _verify(self, sensed: Sensed) -> Tick:
        """Judge by a sight of the item from the stow pose, or from the hand before it folded."""
        self._arm.hold(gripper=1.0)
        detection = sensed.detections.get(self._goal.item)
        fresh = detection is not None and detection.stamp > sensed.stamp - TICK * self._ticks + 0.05
        patience = 0 if self._looked else VERIFY_TICKS
        if not fresh and self._ticks < patience or self._ticks < 6:
            return self._step(0.95)
        assert self._left_at is not None, "verifies what it did not let go of"
        fresh = detection is not None and detection.stamp > self._left_at + SETTLED
        evidence = {"gripper_rad": float(self._arm.hand.gripper[0])}
        if detection is None or not fresh:
            detail = f"{self._goal.item} is not seen on {self._goal.station} after its release"
            return self._end(failed(Code.LOST_WHILE_PLACING, detail, **evidence))
        assert self._odom_from_face is not None, "placed without a surface"
        face_from_item = inverse(self._odom_from_face) @ detection.odom_from_object
        height = float(face_from_item[2, 3] - self._target_in_face()[2])
        seen = sight_of(detection.odom_from_object[:3, :3], detection.covariance, height)
        stands = posture(self._item, seen)
        if stands is Posture.UNCLEAR and not self._looked:
            self._enter(Phase.LOOK)  # from above it shows both patches, if it stands
            return self._step(0.95)
        error = float(np.linalg.norm(face_from_item[:2, 3] - self._target_in_face()[:2]))
        evidence |= {"placement_error_m": error, "upright_cos": seen.up, "height_error_m": height}
        sentence = (
            f"{self._goal.item} seen {error:.3f} m from its target (limit {TOLERANCE} m), "
            f"{height:+.3f} m high, upright {seen.up:.2f} (limit {UPRIGHT}): {stands.value}"
        )
        if error > TOLERANCE or stands is not Posture.UPRIGHT:
            return self._end(failed(Code.PLACED_OFF_TARGET, sentence, **evidence))
        verdict = Verdict(True, sentence, evidence)
        return self._end(Outcome(Code.SUCCEEDED, sentence, verdict, face_from_item))

    def _target_in_face(self) -> np.ndarray:
        """Where (3,) m the item's centre belongs in the station's frame."""
        x, y = self._goal.offset
        return np.array([x - self._site.target_setback, y, MARKER_DROP + 0.5 * self._item.size[2]])

    def _target_in_base(self, sensed: Sensed) -> np.ndarray:
        """The same (1, 3) in base_link; heights along the vertical, whatever the marker's tilt."""
        assert self._odom_from_face is not None, "reaches without a surface"
        yaw = yaw_of(self._odom_from_face)
        x, y, z = self._target_in_face()
        c, s = np.cos(yaw), np.sin(yaw)
        point = self._odom_from_face[:3, 3] + np.array([c * x - s * y, s * x + c * y, z])
        return (inverse(known(sensed.odometry).odom_from_base) @ np.array([*point, 1.0]))[None, :3]

    def _hand_over_target(self, sensed: Sensed) -> np.ndarray:
        """Hand pose (5,) with the item OVER its target, upright.

        Where the arm ends, lower and leaning back: it stands up as it is put down.
        """
        target = self._target_in_base(sensed)[0]
        pose = self._hand_over(target, OVER, 0.0)
        for over, lean in ((LOW, 0.0), (LOW, 0.1), (LOW, 0.2), (LOW, MOST_LEAN)):
            if self._arm.kinematics.residual(pose[None])[0] < REACHED:
                break
            pose = self._hand_over(target, over, lean)
        return pose

    def _hand_over(self, target: np.ndarray, over: float, lean: float) -> np.ndarray:
        """Hand pose (5,) with the item's centre `over` [m] a point (3,), `lean` [rad] back."""
        point = target + np.array([0, 0, over])
        return self._arm.hand_with_item_at(point, self._tool_from_item, lean)

    def _lost(self) -> Tick:
        return self._give_up(
            Code.LOST_WHILE_PLACING,
            f"{self._goal.item} left the jaws; gripper at {self._arm.hand.gripper[0]:.2f} rad",
        )

    def _give_up(self, code: Code, detail: str) -> Tick:
        self._failure = failed(code, detail)
        self._withdrawn = False
        self._enter(Phase.FOLD)
        self._arm.hold()
        return self._step(0.0)

    def _end(self, outcome: Outcome) -> Tick:
        return Tick(self._arm.halt(), "done", float(outcome.succeeded), 0.0, outcome)

    def _enter(self, phase: Phase) -> None:
        self._phase, self._ticks = phase, 0

    def _step(self, progress: float, error: float = 0.0) -> Tick:
        return Tick(self._arm.command(), self._phase.value, progress, error)
