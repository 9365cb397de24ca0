"""Skill align: stand before a dock, conveyor or bin to 2 cm and 2 degrees, at rest.

It is an approach whose estimate is finer: the median of the looks at the marker, at its place in
map, where the localisation by LiDAR carries it on while the arm or the picture's edge hides it;
odometry alone would lose more than is allowed in half a metre. While a gait steps in place to come
to rest it drifts by centimetres, other ones with every load; so it stops before the goal by what
it drifted last, measures at rest, and steps again until it is right.
"""

from collections import deque
from dataclasses import replace

import numpy as np

from hrl_core.faces import seen
from hrl_core.geometry import compose, invert, planar_from_transform, transform_from_planar
from hrl_core.outcomes import Code, Outcome, Verdict, codes_of
from hrl_core.sensed import Sensed
from hrl_skills.approach import SEEN, Approach, Precision
from hrl_skills.approach_observation import ACTION as ACTION
from hrl_skills.approach_observation import OBSERVATION as OBSERVATION
from hrl_skills.base_controller import map_from_base, odom_from_base
from hrl_skills.skill import ApproachGoal, Contract, RunGoal, Tick

MAX_STEPS = 400
PRECISION = Precision(
    tolerance=(0.02, float(np.deg2rad(2.0))),
    aim=(0.012, 0.017),
    good=(0.014, 0.024),
    known=(0.015, 0.02),
    scan=0.06,
    drifts=6.0,
    hovers=4.0,
    attempts=16,
)
LEARN = 0.5  # share of the newest drift in what is believed of it
IN_PLACE = 0.7  # s, for which a gait steps in place before it stands
MAKE_UP = 1.0  # 1/s, trim for what it missed its aim by
LOOKS = 15  # at the marker, of which the median counts
HALF_FACE = 0.35  # m, of the face to both sides that is compared with a line
SCAN_YAW = np.deg2rad(5.0)  # between the face's line in one scan and straight across


class Align(Approach):
    """The skill; `policy` may be any steering policy with the observation of approach."""

    name = "align"
    max_steps = MAX_STEPS
    precision = PRECISION
    contract = Contract(
        codes=codes_of(1),
        needs=("detections",),
        provides=("align",),
        parameters={"standoff_m": "base_link before the face, m, default 0: that of the site"},
    )

    def start(self, goal: RunGoal | ApproachGoal, sensed: Sensed) -> None:
        """Accepts a bin or station of the site as target."""
        self._drift = np.zeros(3)  # planar pose at rest, seen from where it stopped steering
        self._stopped = np.zeros(3)  # planar pose in odom where it stopped steering
        self._missed = np.zeros(3)  # m, m, rad; sum of how far off its aim it stopped
        self._looked = -np.inf  # s, stamp of the newest look
        # Planar poses (3,) of the face in map, as seen; and variances (2,) m^2, rad^2.
        self._looks: deque[np.ndarray] = deque(maxlen=LOOKS)
        self._variances: deque[np.ndarray] = deque(maxlen=LOOKS)
        super().start(self._approach_goal(goal), sensed)

    def tick(self, sensed: Sensed) -> Tick:
        self._take_in(sensed)
        settling = self._settling
        tick = super().tick(sensed)
        self._learn(sensed, settling)
        return tick

    def conditions(self, goal: RunGoal | ApproachGoal, sensed: Sensed) -> dict[str, float]:
        """Those of an approach to the same place."""
        return super().conditions(self._approach_goal(goal), sensed)

    def _approach_goal(self, goal: RunGoal | ApproachGoal) -> ApproachGoal:
        if isinstance(goal, ApproachGoal):
            return goal
        self.contract.check(goal)
        return ApproachGoal(goal.target, goal.parameters.get("standoff_m", 0.0))

    def _take_in(self, sensed: Sensed) -> None:
        """Note a new look at the marker, at its place in map."""
        detection = seen(sensed, self._target, SEEN)
        if detection is None or sensed.localisation is None or detection.stamp == self._looked:
            return
        self._looked = detection.stamp
        face = planar_from_transform(detection.odom_from_object)
        self._looks.append(compose(sensed.localisation.map_from_odom, face))
        variance = np.diag(detection.covariance)
        self._variances.append(np.array([variance[:2].max(), variance[5]]))

    def _map_from_face(self) -> np.ndarray:
        """The median (3,) of the looks: one in hundreds is off by centimetres."""
        first = self._looks[0]
        return compose(first, np.median(compose(invert(first), np.array(self._looks)), axis=0))

    def _aim(self, goal: np.ndarray) -> np.ndarray:
        return compose(goal, invert(self._drift))

    def _learn(self, sensed: Sensed, settling: bool) -> None:
        """How far the steps in place, with which a gait comes to rest, carry the robot.

        It drifts as fast while it walks slowly; the controller's trim makes up for that, and for
        what is still missing where it hovers off its aim.
        """
        here = odom_from_base(sensed)
        if self._settling and not settling:
            self._stopped = here
            if (goal := self._goal_in_base(sensed)) is not None:
                self._missed += self._aim(goal)
        elif settling and not self._settling:
            moved = compose(invert(self._stopped), here)
            self._drift += LEARN * (moved - self._drift)
            self.controller.trim = MAKE_UP * self._missed - self._drift / IN_PLACE

    def _odom_from_target(self, sensed: Sensed) -> np.ndarray | None:
        if not self._looks or sensed.localisation is None:
            return super()._odom_from_target(sensed)
        odom_from_map = invert(sensed.localisation.map_from_odom)
        height = self._site.face(self._target)[2, 3]
        return transform_from_planar(compose(odom_from_map, self._map_from_face()), height)

    def _deviations(self, sensed: Sensed) -> tuple[float, float]:
        if not self._looks or sensed.localisation is None:
            return super()._deviations(sensed)
        known = np.diag(sensed.localisation.covariance)
        lever = self._standoff**2 * known[2]
        position, yaw = np.median(self._variances, axis=0) + [known[:2].max() + lever, known[2]]
        return float(np.sqrt(position)), float(np.sqrt(yaw))

    def _success(self, goal: np.ndarray, sensed: Sensed) -> Outcome:
        outcome = replace(super()._success(goal, sensed), pose=map_from_base(sensed))
        yaw = self._face_yaw()
        if yaw is None or not outcome.succeeded:
            return outcome
        evidence = outcome.verdict.evidence | {"face_in_scan_deg": float(np.rad2deg(yaw))}
        sentence, agrees = outcome.detail, abs(yaw) < SCAN_YAW
        if not agrees:
            sentence += f", but the scan sees its face turned by {np.rad2deg(yaw):.1f} deg"
        code = Code.SUCCEEDED if agrees else Code.APPROACH_OFF_TARGET
        return replace(
            outcome, code=code, detail=sentence, verdict=Verdict(agrees, sentence, evidence)
        )

    def _face_yaw(self) -> float | None:
        """Turn [rad] of the face's line in the scan from straight across; None: not seen."""
        distance = self._face_in_scan()
        if distance is None:
            return None
        x, y = self.controller.shield.points.T
        on_face = (np.abs(y) < HALF_FACE) & (np.abs(x - distance) < self.precision.scan)
        if on_face.sum() < 10:
            return None
        slope = np.polyfit(y[on_face], x[on_face], 1)[0]
        return float(np.arctan(slope))
