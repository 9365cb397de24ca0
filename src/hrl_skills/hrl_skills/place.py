"""Skill place: the held item onto a station's surface, upright; then the arm folds up."""

from dataclasses import replace

import numpy as np

from hrl_core import topics
from hrl_core.geometry import inverse, transform_from, transform_from_planar, yaw_of
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.robot import Robot
from hrl_core.sensed import Sensed
from hrl_core.site import MARKER_DROP, Site
from hrl_skills.conditions import (
    face_in_base,
    grip,
    kind_of_item,
    neighbours,
    sensing,
    sight,
    standing,
)
from hrl_skills.grasp import (
    FURTHEST_READY,
    READY_BACK,
    READY_PITCH,
    READY_UP,
    item_estimate,
)
from hrl_skills.manipulation import (
    ACTION,
    HAND_FIELDS,
    Hand,
    ItemEstimate,
    Surroundings,
    closing_width,
    gripper_action,
    hand_observation,
    room_beside,
    to_yaw_frame,
    upright_hand,
)
from hrl_skills.manipulator import CLEAR_X, ManipulationPolicy, Manipulator
from hrl_skills.policy import Field, load_policy
from hrl_skills.skill import Command, Contract, GoalRejected, PlaceGoal, Tick, failed
from hrl_skills.surroundings import surroundings

OBSERVATION = (
    *(Field(*field) for field in HAND_FIELDS),
    Field("target_from_item", 3, "m in the arm's yaw frame, times 5"),
    Field("target_from_item_near", 3, "tanh of m times 20"),
    Field("item_from_tool", 3, "m in the arm's yaw frame, times 10"),
    Field("item_up", 3, "the item's z axis in base_link"),
    Field("item_size", 3, "m, half extents, from 3 cm, times 50"),
    Field("height", 2, "m, the item's bottom over the surface, times 10 and, clipped, 40"),
    Field("width", 1, "m, half width of the item between the jaws, from 3 cm, times 50"),
    Field("room", 2, "m free beside the target, jaw's and finger's side, from 6 cm, times 20"),
    Field("held", 1, "1: the gripper is stopped short of closing"),
)
MAX_STEPS = 250
IN_HAND_AGE, IN_HAND = 0.5, 0.03  # s, m: an item seen so lately, so near the tool, is held
OVER = 0.07  # m, the item's bottom over the surface when the policy takes over
LOW, MOST_LEAN = 0.045, 0.3  # m, rad: what the arm falls back on at the end of its reach
NEAREST = 0.68  # m, base_link to the station's face; a target out of reach is stepped up to
CREEP, CREEP_TICKS = 0.1, 30  # m/s, the slowest that the gait walks well
LOWER_TICKS = 80
RETREATED = 0.12  # m, tool from the released item's centre
OFF, OPENS = 0.2, 0.6  # rad: 2 cm at the finger's tip; s, it takes at most
TOLERANCE = 0.05  # m
UPRIGHT = 0.94  # cosine of the tilt
FRESH = 1.5  # s; a detection of the station younger than this is present
GLANCE_TICKS, LOOK_TICKS = 4, 40  # to see the station before it is looked up, or given up
LOCALISED = 0.03  # m, sd of the robot's place on the map
REMEMBERED = 10.0  # s; odometry hardly drifts in the time since an approach
VERIFY_TICKS = 25
HIGH = 0.22  # m in base_link; the camera on the body does not see what is placed higher
SETTLED = 0.3  # s, after the hand has left the item
REACHED, REACHABLE = 0.005, 0.05  # m, short of the target: as good as there; still tried
NOMINAL_PITCH = 1.1  # rad, of a hand whose grasp was not measured
NOMINAL_DEPTH = 0.03  # m, tool below the item's top then


def observe(
    hand: Hand,
    item: ItemEstimate,
    around: Surroundings,
    target: np.ndarray,
    held: np.ndarray,
    last_action: np.ndarray,
) -> np.ndarray:
    """Policy input (n, d); `target` (n, 3) m: where the item's centre belongs, in base_link."""
    room = room_beside(item, hand.rotation, around, target)
    width = closing_width(item, hand.rotation)
    to_target = to_yaw_frame(target - item.position, hand.yaw)
    surface = target[:, 2] - item.size[:, 2]
    height = item.bottom() - surface
    parts = [
        *hand_observation(hand, last_action),
        to_target * 5.0,
        np.tanh(to_target * 20.0),
        to_yaw_frame(item.position - hand.position, hand.yaw) * 10.0,
        item.rotation[:, :, 2],
        (item.size - 0.03) * 50.0,
        np.stack([height * 10.0, np.clip(height * 40.0, -1.0, 3.0)], axis=1),
        (width[:, None] - 0.03) * 50.0,
        (room - 0.06) * 20.0,
        held[:, None],
    ]
    return np.clip(np.concatenate(parts, axis=1), -8.0, 8.0).astype(np.float32)


class Place:
    """Reach over the station, lower and let go with the learned policy, fold up, look."""

    name = "place"
    max_steps = MAX_STEPS
    contract = Contract(topics.ACTIONS["place"], codes_of(3), needs=("detections",))

    def __init__(self, site: Site, robot: Robot, policy: ManipulationPolicy | None = None):
        self._site = site
        self._robot = robot
        self._policy = policy or load_policy("place", OBSERVATION, ACTION)
        self._arm = Manipulator(robot)

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
        station = stations[goal.station]
        offset = np.asarray(goal.offset, float)
        room = np.array([self._site.target_setback, 0.5 * station.width]) - 0.05
        if offset.shape != (2,) or not (np.abs(offset) <= room).all():
            raise GoalRejected(
                Code.GOAL_INVALID,
                f"offset {offset.tolist()} m; allowed are two numbers within +-{room.tolist()} m",
            )
        self._arm.start(sensed)
        if not self._arm.holding:
            raise GoalRejected(
                Code.NOTHING_HELD,
                f"the gripper holds nothing: at {self._arm.hand.gripper[0]:.2f} rad, "
                "held below -0.12 rad and above 1 N m",
            )
        self._goal, self._item = goal, self._site.item(goal.item)
        in_hand = goal.item_in_hand
        self._tool_from_item = nominal_grasp(self._item.size) if in_hand is None else in_hand
        seen = self._seen_in_hand(sensed)
        if seen is not None:
            self._tool_from_item = seen
        self._phase, self._ticks = "reach_over", 0
        self._odom_from_face: np.ndarray | None = None
        self._odom_from_item: np.ndarray | None = None
        self._released_at: float | None = None
        self._held_at = 0.0  # rad, the gripper before it let go
        self._left_at: float | None = None  # s, when the hand began to withdraw from it
        self._failure: Outcome | None = None
        self._looking_since: float | None = None
        self._near_enough = self._raised = self._withdrawn = self._looked = False

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
        in_hand = goal.item_in_hand if known else nominal_grasp(item.size)
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
        return getattr(self, f"_{self._phase}")(sensed)

    def _reach_over(self, sensed: Sensed) -> Tick:
        """Raise the hand in front of the body, then forward over the target."""
        if not self._find_face(sensed):
            if self._ticks > LOOK_TICKS:
                return self._give_up(
                    Code.SURFACE_NOT_FOUND,
                    f"no marker of {self._goal.station} was seen for {0.1 * self._ticks:.1f} s, "
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
            before = over.copy()
            before[:2] = CLEAR_X, over[1] * CLEAR_X / over[0]
            self._raised = self._arm.go_to_joints(self._arm.kinematics.inverse(before[None])[0])
        elif self._arm.go_to_hand(over):
            self._enter("lower")
            self._arm.begin_policy(self._policy)
        return self._step(0.2)

    def _draw_near(self, sensed: Sensed) -> Tick:
        """Step up to a target that is too far for the arm, as long as there is room in front."""
        pose = self._hand_over(self._target_in_base(sensed)[0], OVER, 0.0)
        short = float(self._arm.kinematics.residual(pose[None])[0])
        base_from_odom = inverse(sensed.odometry.odom_from_base)
        ahead = float((base_from_odom @ self._odom_from_face)[0, 3])
        if short < REACHED or ahead < NEAREST or self._ticks > CREEP_TICKS:
            self._near_enough = True
            return self._step(0.1)
        self._arm.hold()
        command = replace(self._arm.command(), twist=np.array([CREEP, 0.0, 0.0]))
        return Tick(command, self._phase, 0.1, short)

    def _find_face(self, sensed: Sensed) -> bool:
        """Where the station is seen now; else where it was seen, or where the map has it.

        What is carried may hide the marker until the arm is raised, and the camera looks too low
        for that of a high station.
        """
        detection = sensed.detections.get(self._goal.station)
        if detection is not None and sensed.stamp - detection.stamp < FRESH:
            self._odom_from_face = detection.odom_from_object
        elif self._odom_from_face is None and self._ticks > GLANCE_TICKS:
            if detection is not None and sensed.stamp - detection.stamp < REMEMBERED:
                self._odom_from_face = detection.odom_from_object
            elif localised(sensed):
                odom_from_map = inverse(transform_from_planar(sensed.localisation.map_from_odom))
                self._odom_from_face = odom_from_map @ self._site.face(self._goal.station)
        return self._odom_from_face is not None

    def _lower(self, sensed: Sensed) -> Tick:
        arm = self._arm
        if self._released_at is None:
            self._odom_from_item = arm.odom_from_tool @ self._tool_from_item
            if arm.lets_go and not arm.held[0]:
                self._released_at = sensed.stamp
            else:
                self._held_at = float(arm.hand.gripper[0])
        base_from_odom = inverse(sensed.odometry.odom_from_base)
        item = item_estimate(base_from_odom @ self._odom_from_item, *self._shape)
        target = self._target_in_base(sensed)
        error = float(np.linalg.norm((target - item.position)[0, :2]))
        away = float(np.linalg.norm(item.position[0] - arm.hand.position[0]))
        if self._released_at is not None and away > RETREATED:
            self._enter("fold")
            return self._step(0.8, error)
        if self._ticks > LOWER_TICKS:
            if self._released_at is not None:
                self._enter("fold")
                return self._step(0.8, error)
            return self._give_up(
                Code.PLACED_OFF_TARGET,
                f"not released after {LOWER_TICKS} steps, {error:.3f} m from the target",
            )
        around = surroundings(self._site, sensed, self._goal.item, target[0])
        observation = observe(arm.hand, item, around, target, arm.held, arm.last_action)
        action = self._policy(observation)
        arm.act(action if self._released_at is None else self._let_go(action, sensed))
        return self._step(0.5, error)

    def _let_go(self, action: np.ndarray, sensed: Sensed) -> np.ndarray:
        """The action (1, 6), but the finger opens off the item, and only then the hand leaves.

        An item held askew keeps the jaws further apart than its width, by which the policy opens.
        """
        assert self._released_at is not None, "lets go of what it holds"
        action, opening = action.copy(), self._held_at - OFF
        action[:, 5] = np.minimum(action[:, 5], gripper_action(np.array([opening])))
        if self._arm.hand.gripper[0] > opening + 0.05 and sensed.stamp - self._released_at < OPENS:
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
        elif not self._looked and self._target_in_base(sensed)[0, 2] > HIGH:
            self._enter("look")
        elif arm.go_to_joints(arm.pose("stow"), gripper=1.0):
            self._enter("verify")
        return self._step(0.9)

    def _look(self, sensed: Sensed) -> Tick:
        """See from above, as a grasp does, what stands too high for the camera on the body."""
        arm, detection = self._arm, sensed.detections.get(self._goal.item)
        if self._looking_since is None:
            x, y, z = self._target_in_base(sensed)[0]
            up = z + 0.5 * self._item.size[2] + READY_UP
            hand = np.array([[min(x - READY_BACK, FURTHEST_READY), y, up, READY_PITCH, 1.57]])
            if arm.go_to_joints(arm.kinematics.inverse(hand)[0], gripper=-1.0):
                self._looking_since = sensed.stamp
            return self._step(0.9)
        arm.hold()
        seen = detection is not None and detection.stamp > self._looking_since
        if seen or sensed.stamp - self._looking_since > 0.1 * VERIFY_TICKS:
            self._looked = True
            self._enter("fold")
        return self._step(0.9)

    def _verify(self, sensed: Sensed) -> Tick:
        """Judge by a sight of the item from the stow pose, or from the hand before it folded."""
        self._arm.hold(gripper=1.0)
        detection = sensed.detections.get(self._goal.item)
        fresh = detection is not None and detection.stamp > sensed.stamp - 0.1 * self._ticks + 0.05
        patience = 0 if self._looked else VERIFY_TICKS
        if not fresh and self._ticks < patience or self._ticks < 6:
            return self._step(0.95)
        assert self._left_at is not None, "verifies what it did not let go of"
        fresh = detection is not None and detection.stamp > self._left_at + SETTLED
        opening = float(self._arm.hand.gripper[0])
        evidence = {"gripper_rad": opening}
        if detection is None or not fresh:
            detail = f"{self._goal.item} is not seen on {self._goal.station} after its release"
            return self._end(failed(Code.LOST_WHILE_PLACING, detail, **evidence))
        assert self._odom_from_face is not None, "placed without a surface"
        face_from_item = inverse(self._odom_from_face) @ detection.odom_from_object
        error = float(np.linalg.norm(face_from_item[:2, 3] - self._target_in_face()[:2]))
        upright = float(detection.odom_from_object[2, 2])
        height = float(face_from_item[2, 3] - self._target_in_face()[2])
        evidence |= {"placement_error_m": error, "upright_cos": upright, "height_error_m": height}
        sentence = (
            f"{self._goal.item} seen {error:.3f} m from its target (limit {TOLERANCE} m), "
            f"{height:+.3f} m high, upright {upright:.2f} (limit {UPRIGHT})"
        )
        if error > TOLERANCE or upright < UPRIGHT or abs(height) > 0.04:
            return self._end(failed(Code.PLACED_OFF_TARGET, sentence, **evidence))
        verdict = Verdict(True, sentence, evidence)
        return self._end(Outcome(Code.SUCCEEDED, sentence, verdict, face_from_item))

    @property
    def _shape(self):
        return self._item.size, self._item.shape

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
        return (inverse(sensed.odometry.odom_from_base) @ np.array([*point, 1.0]))[None, :3]

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
        kinematics = self._arm.kinematics
        pitch, roll = upright_hand(self._tool_from_item[:3, 2])
        point = target + np.array([0, 0, over])
        hand = np.array([*point, pitch - lean, roll])
        for _ in range(3):  # the arm's yaw follows from where the hand is
            _, rotation = kinematics.forward(kinematics.inverse(hand[None]))
            hand[:3] = point - rotation[0] @ self._tool_from_item[:3, 3]
        return hand

    def _lost(self) -> Tick:
        opening = float(self._arm.hand.gripper[0])
        return self._give_up(
            Code.LOST_WHILE_PLACING,
            f"{self._goal.item} left the jaws; gripper at {opening:.2f} rad",
        )

    def _give_up(self, code: Code, detail: str) -> Tick:
        self._failure = failed(code, detail)
        self._withdrawn = False
        self._enter("fold")
        self._arm.hold()
        return self._step(0.0)

    def _end(self, outcome: Outcome) -> Tick:
        return Tick(self._arm.halt(), "done", float(outcome.succeeded), 0.0, outcome)

    def _enter(self, phase: str) -> None:
        self._phase, self._ticks = phase, 0

    def _step(self, progress: float, error: float = 0.0) -> Tick:
        return Tick(self._arm.command(), self._phase, progress, error)


def localised(sensed: Sensed) -> bool:
    """Whether the robot knows where it is on the map well enough to put something down."""
    known = sensed.localisation
    return known is not None and bool(np.sqrt(np.diag(known.covariance)[:2]).max() < LOCALISED)


def nominal_grasp(size) -> np.ndarray:
    """Item in the tool frame (4, 4), no grasp measured: held near its top, hand pitched."""
    up_in_hand = np.array([-np.sin(NOMINAL_PITCH), np.cos(NOMINAL_PITCH), 0.0])  # roll 90 degrees
    x = np.array([0.0, 0.0, 1.0])
    rotation = np.stack([x, np.cross(up_in_hand, x), up_in_hand], axis=1)
    return transform_from(-up_in_hand * (0.5 * size[2] - NOMINAL_DEPTH), rotation)
