"""Skill grasp: the named item from its bin into the gripper, lifted and tucked in."""

from enum import Enum

import numpy as np

from hrl_core import topics
from hrl_core.control import Command
from hrl_core.faces import odom_from_face
from hrl_core.geometry import inverse
from hrl_core.known import known
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import MARKER_DROP, Site
from hrl_skills.conditions import (
    face_in_base,
    item_in_base,
    kind_of_item,
    label_turn,
    neighbours,
    sensing,
    sight,
    standing,
)
from hrl_skills.grasp_observation import OBSERVATION, observe
from hrl_skills.library import shipped_policy
from hrl_skills.manipulation import ACTION, ItemEstimate, grasp_point, item_estimate
from hrl_skills.manipulator import ManipulationPolicy, Manipulator
from hrl_skills.phases import phase_table
from hrl_skills.skill import Contract, GoalRejected, GraspGoal, Tick, failed
from hrl_skills.surroundings import surroundings

MAX_STEPS = 300
LIFTED = 0.09  # m, the item's bottom over where it stood
HELD_TICKS = 3
REACH_TICKS = 90
ATTEMPTS = 2
LOOK_TICKS = 40  # a marker may be hidden for seconds
BIN_HALF_WIDTH = 0.3  # m, an item further from the middle of its bin is not in it
BIN_HEIGHT = 0.08  # m, nor one that stands higher or lower than the board by more
FRESH = 1.0  # s; a detection younger than this is present
REACHABLE = 0.02  # m, between a grasp point and the nearest that the arm reaches
CLOSED_EMPTY_TICKS = 5


class Phase(Enum):
    """Its steps; the values are what feedback says."""

    UNFOLD = "unfold"
    LOOK = "look"
    REACH = "reach"
    AGAIN = "again"
    RETRACT = "retract"
    TUCK = "tuck"
    VERIFY = "verify"
    FOLD = "fold"


class Grasp:
    """Unfold, look, reach with the learned policy, tuck in; on failure fold up again."""

    name = "grasp"
    max_steps = MAX_STEPS
    contract = Contract(topics.ACTIONS["grasp"], codes_of(2), needs=("detections",))

    def __init__(self, site: Site, robot: Robot, policy: ManipulationPolicy | None = None):
        self._site = site
        self._policy = policy or shipped_policy("grasp", robot.name, OBSERVATION, ACTION)
        self._robot_arm, self._gripper = robot.arm, robot.arm.gripper
        self._arm = Manipulator(robot, level=True)
        self._steps = phase_table(
            Phase,
            {
                Phase.UNFOLD: self._unfold,
                Phase.LOOK: self._look,
                Phase.REACH: self._reach,
                Phase.AGAIN: self._again,
                Phase.RETRACT: self._retract,
                Phase.TUCK: self._tuck,
                Phase.VERIFY: self._verify,
                Phase.FOLD: self._fold,
            },
        )

    def start(self, goal: GraspGoal, sensed: Sensed) -> None:
        """Accepts an item of the catalogue in a bin of the site, with an empty gripper."""
        item = self._site.item(goal.item) if goal.item in self._site.items else None
        if item is None:
            known = sorted(self._site.items)
            raise GoalRejected(Code.GOAL_INVALID, f"item {goal.item!r}; allowed are {known}")
        if goal.bin not in self._site.bins:
            known = sorted(self._site.bins)
            raise GoalRejected(Code.GOAL_INVALID, f"bin {goal.bin!r}; allowed are {known}")
        if unfit := self._robot_arm.refusal(goal.item, item):
            raise GoalRejected(Code.GOAL_INVALID, unfit)
        self._goal, self._item = goal, item
        self._arm.start(sensed)
        if self._arm.holding:
            raise GoalRejected(Code.NOT_READY, "the gripper holds something; put it down first")
        self._phase, self._ticks, self._attempt = Phase.UNFOLD, 0, 0
        self._odom_from_item: np.ndarray | None = None
        self._failure: Outcome | None = None

    def stop(self) -> Command:
        return self._arm.halt()

    def conditions(self, goal: GraspGoal, sensed: Sensed) -> dict[str, float]:
        """The item, where it stands from the robot, how well it is seen, and what is beside it."""
        site = self._site
        item = item_in_base(site, sensed, goal.item, goal.bin)
        return {
            **kind_of_item(site.item(goal.item)),
            "item_forward_m": float(item[0, 3]),
            "item_sideways_m": float(abs(item[1, 3])),
            "label_turn_rad": label_turn(item),
            "board_height_m": site.shelf_of(goal.bin).board_height,
            **standing(site, face_in_base(site, sensed, goal.bin)),
            **neighbours(site, sensed, goal.item, item[:3, 3]),
            **sight("item", sensed, goal.item),
            **sight("bin", sensed, goal.bin),
            **sensing(sensed),
        }

    def tick(self, sensed: Sensed) -> Tick:
        self._arm.sense(sensed)
        self._ticks += 1
        return self._steps[self._phase](sensed)

    def _unfold(self, sensed: Sensed) -> Tick:
        self._look_for_item(sensed)
        arrived = self._arm.go_to_joints(self._ready_joints(sensed), gripper=-1.0)
        if arrived:
            self._enter(Phase.LOOK)
            self._looking_since = sensed.stamp
        return self._step(0.1)

    def _look(self, sensed: Sensed) -> Tick:
        seen = self._look_for_item(sensed)
        self._arm.go_to_joints(self._ready_joints(sensed), gripper=-1.0)
        if seen is not None and seen > self._looking_since - FRESH:
            estimate = self._estimate(sensed)
            # Whether the arm gets there with a hand as steep as it is used.
            hand = self._arm.hand
            short = min(
                float(self._arm.kinematics.residual(np.array([[*point, pitch, np.pi / 2]]))[0])
                for pitch in self._robot_arm.hand.pitches
                for point in grasp_point(self._gripper, estimate, hand.rotation)
            )
            if short > REACHABLE:
                where = np.round(estimate.position[0], 3).tolist()
                return self._give_up(
                    Code.ITEM_OUT_OF_REACH,
                    f"{self._goal.item} at {where} m in base_link is {short:.3f} m out of reach, "
                    f"limit {REACHABLE} m",
                )
            self._shelf_in_odom = self._board_height(sensed, estimate)
            self._enter(Phase.REACH)
            self._arm.begin_policy(self._policy)
            self._held_ticks = self._empty_ticks = 0
            self._tool_from_item: np.ndarray | None = None
        elif self._ticks > LOOK_TICKS:
            age = "not seen in it" if seen is None else f"seen {sensed.stamp - seen:.1f} s ago"
            return self._give_up(
                Code.ITEM_NOT_FOUND,
                f"{self._goal.item} is not in {self._goal.bin}: {age}, limit {FRESH} s",
            )
        return self._step(0.2)

    def _reach(self, sensed: Sensed) -> Tick:
        arm = self._arm
        held = bool(arm.held[0])
        if held and self._tool_from_item is None:
            # From here on the item moves with the hand; markers in the jaws are half hidden.
            self._tool_from_item = inverse(arm.odom_from_tool) @ self._odom_from_item
        if not held and self._tool_from_item is None:
            self._look_for_item(sensed, keep_when_near=True)
        elif held and self._tool_from_item is not None:
            self._odom_from_item = arm.odom_from_tool @ self._tool_from_item
        estimate = self._estimate(sensed)
        shelf = np.array([self._shelf_in_odom - known(sensed.odometry).odom_from_base[2, 3]])
        lifted = float(estimate.bottom()[0] - shelf[0])
        self._held_ticks = self._held_ticks + 1 if held and lifted > LIFTED else 0
        told_shut = arm.hand.gripper_command[0] > -0.5 * self._gripper.closed
        closed = told_shut and arm.hand.gripper[0] > -self._gripper.closed
        self._empty_ticks = self._empty_ticks + 1 if closed else 0
        if self._held_ticks >= HELD_TICKS:
            self._enter(Phase.RETRACT)
            return self._step(0.7)
        if self._empty_ticks >= CLOSED_EMPTY_TICKS or self._ticks > REACH_TICKS:
            self._attempt += 1
            if self._attempt >= ATTEMPTS:
                why = "closed on nothing" if closed else f"not lifted in {REACH_TICKS} steps"
                return self._give_up(
                    Code.NOT_HELD,
                    f"{why} in attempt {self._attempt} of {ATTEMPTS}; "
                    f"gripper at {arm.hand.gripper[0]:.2f} rad, "
                    f"held below -{self._gripper.held} rad",
                )
            self._enter(Phase.AGAIN)
            return self._step(0.2)
        around = surroundings(
            self._site, sensed, self._goal.item, estimate.position[0], self._goal.bin
        )
        observation = observe(
            self._robot_arm, arm.hand, estimate, around, shelf, arm.held, arm.last_action
        )
        arm.act(self._policy(observation))
        return self._step(0.3, float(np.linalg.norm(estimate.position[0] - arm.hand.position[0])))

    def _again(self, sensed: Sensed) -> Tick:
        """Up, open and look anew."""
        self._look_for_item(sensed)
        if self._arm.go_to_joints(self._ready_joints(sensed), gripper=-1.0):
            self._enter(Phase.LOOK)
            self._looking_since = sensed.stamp
        return self._step(0.2)

    def _retract(self, sensed: Sensed) -> Tick:
        if not self._arm.keeps and self._ticks > 2:
            return self._dropped()
        if self._arm.withdraw():
            self._enter(Phase.TUCK)
        return self._step(0.8)

    def _tuck(self, sensed: Sensed) -> Tick:
        if not self._arm.keeps and self._ticks > 2:
            return self._dropped()
        if self._arm.go_to_joints(self._arm.pose("carry")):
            self._enter(Phase.VERIFY)
        return self._step(0.9)

    def _verify(self, sensed: Sensed) -> Tick:
        """Opening and effort say that it is held; a fresh sight in the bin, that it is not."""
        if self._ticks < 5:
            self._arm.hold()
            return self._step(0.95)
        arm = self._arm
        opening, effort = float(arm.hand.gripper[0]), float(arm.hand.effort[0])
        held = bool(arm.keeps)
        detection = sensed.detections.get(self._goal.item)
        left_behind = False
        if detection is not None and sensed.stamp - detection.stamp < FRESH:
            away = detection.odom_from_object[:3, 3] - arm.odom_from_tool[:3, 3]
            left_behind = bool(np.linalg.norm(away) > 0.3)
        evidence = {
            "gripper_rad": opening,
            "gripper_effort_nm": effort,
            "seen_elsewhere": float(left_behind),
        }
        sentence = (
            f"gripper stopped at {opening:.2f} rad with {effort:.1f} N m (held: below "
            f"-{self._gripper.kept} rad and above {self._gripper.kept_effort} N m); "
            f"{'still' if left_behind else 'not'} seen in the bin"
        )
        if held and not left_behind:
            outcome = Outcome(
                Code.SUCCEEDED, sentence, Verdict(True, sentence, evidence), self._tool_from_item
            )
            return Tick(arm.halt(), "done", 1.0, 0.0, outcome)
        return self._give_up(Code.NOT_HELD, sentence, **evidence)

    def _fold(self, sensed: Sensed) -> Tick:
        """Back to a safe pose after a failure, then report it."""
        arm = self._arm
        if self._ticks < 4:
            arm.hold(gripper=-1.0)
        elif not self._withdrawn:
            self._withdrawn = arm.withdraw(gripper=-1.0)
        elif arm.go_to_joints(arm.pose("stow"), gripper=1.0):
            assert self._failure is not None
            return Tick(arm.halt(), "failed", 0.0, 0.0, self._failure)
        return self._step(0.0)

    def _dropped(self) -> Tick:
        opening = float(self._arm.hand.gripper[0])
        return self._give_up(
            Code.DROPPED, f"{self._goal.item} left the jaws; gripper at {opening:.2f} rad"
        )

    def _give_up(self, code: Code, detail: str, **evidence: float) -> Tick:
        self._failure = failed(code, detail, **evidence)
        self._withdrawn = False
        self._enter(Phase.FOLD)
        self._arm.hold()
        return self._step(0.0)

    def _enter(self, phase: Phase) -> None:
        self._phase, self._ticks = phase, 0

    def _step(self, progress: float, error: float = 0.0) -> Tick:
        return Tick(self._arm.command(), self._phase.value, progress, error)

    def _look_for_item(self, sensed: Sensed, keep_when_near: bool = False) -> float | None:
        """Take over the item's detection; returns when it was last seen [s] in its bin, or None.

        Near the hand the finger hides half of a label: then the last good sight is kept.
        """
        detection = sensed.detections.get(self._goal.item)
        if detection is None:
            return None
        if not keep_when_near and not self._in_bin(detection.odom_from_object, sensed):
            return None
        if keep_when_near and self._odom_from_item is not None:
            away = self._odom_from_item[:3, 3] - self._arm.odom_from_tool[:3, 3]
            if np.linalg.norm(away) < 0.10:
                return detection.stamp
        self._odom_from_item = detection.odom_from_object
        return detection.stamp

    def _in_bin(self, odom_from_item: np.ndarray, sensed: Sensed) -> bool:
        """Whether an item stands in its bin, and not on the floor or on the next shelf.

        The bin is where its marker was seen, or where the site's map has it.
        """
        odom_from_bin = odom_from_face(self._site, sensed, self._goal.bin)
        if odom_from_bin is None:
            return True
        x, y, z = (inverse(odom_from_bin) @ odom_from_item)[:3, 3]
        height = z - MARKER_DROP - 0.5 * self._item.size[2]
        depth = self._site.shelf_of(self._goal.bin).depth
        return -depth < x < 0.02 and abs(y) < BIN_HALF_WIDTH and abs(height) < BIN_HEIGHT

    def _estimate(self, sensed: Sensed) -> ItemEstimate:
        """The item in base_link, now."""
        base_from_item = inverse(known(sensed.odometry).odom_from_base) @ self._odom_from_item
        return item_estimate(base_from_item, self._item.size, self._item.shape)

    def _ready_joints(self, sensed: Sensed) -> np.ndarray:
        """Joints (6,) with the hand before and above the item, or its bin if it is not seen."""
        base_from_odom = inverse(known(sensed.odometry).odom_from_base)
        if self._odom_from_item is not None:
            x, y, z = (base_from_odom @ self._odom_from_item)[:3, 3]
            top = z + 0.5 * self._item.size[2]
        else:
            detection = sensed.detections.get(self._goal.bin)
            if detection is None:
                return np.array(self._arm.pose("ready"))
            x, y, z = (base_from_odom @ detection.odom_from_object)[:3, 3]
            x, top = x + 0.11, z + MARKER_DROP + self._item.size[2]
        return self._arm.ready_joints(np.array([x, y, top]))

    def _board_height(self, sensed: Sensed, estimate: ItemEstimate) -> float:
        """Height [m] of the board in odom: the item's lowest point."""
        return float(estimate.bottom()[0] + known(sensed.odometry).odom_from_base[2, 3])
