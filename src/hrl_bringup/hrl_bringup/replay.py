"""What a recorded run and the same run played back have in common: poses, detections, decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hrl_core.geometry import wrap_angle
from hrl_master.orders import Decision
from hrl_master.replay import same_decision

SAME_TIME = 0.05  # s; half a control tick


@dataclass
class Perceived:
    """What perception said, by the time [s] that it was about."""

    poses: dict[float, np.ndarray] = field(default_factory=dict)  # (3,) m, m, rad in map
    objects: dict[float, dict[str, np.ndarray]] = field(default_factory=dict)  # (3,) m in odom

    def since(self, begin: float) -> Perceived:
        """The part from a time [s] on."""
        return Perceived(
            {time: pose for time, pose in self.poses.items() if time >= begin},
            {time: seen for time, seen in self.objects.items() if time >= begin},
        )


@dataclass(frozen=True)
class Agreement:
    """How far two runs of perception on the same data are apart."""

    poses: tuple[int, int, int]  # recorded, now, at the same times
    position: tuple[float, float]  # m, median and largest
    heading: tuple[float, float]  # rad
    objects: tuple[int, int, int]  # recorded, now, of one name at the same times
    apart: tuple[float, float]  # m

    @property
    def sentence(self) -> str:
        recorded, now, both = self.poses
        seen, seen_now, seen_both = self.objects
        return (
            f"perception: {now} poses, {recorded} are recorded, of {both} at the same times the "
            f"median is {1e3 * self.position[0]:.1f} mm and "
            f"{np.degrees(self.heading[0]):.2f} deg apart, the largest "
            f"{1e3 * self.position[1]:.1f} mm and {np.degrees(self.heading[1]):.2f} deg; "
            f"{seen_now} detections, {seen} are recorded, of {seen_both} in both the median is "
            f"{1e3 * self.apart[0]:.1f} mm apart, the largest {1e3 * self.apart[1]:.1f} mm"
        )


def agreement(recorded: Perceived, now: Perceived) -> Agreement:
    """Compare what was recorded with what is perceived now."""
    pairs = [(recorded.poses[a], now.poses[b]) for a, b in _pairs(recorded.poses, now.poses)]
    away = [float(np.hypot(*(a[:2] - b[:2]))) for a, b in pairs]
    turned = [abs(float(wrap_angle(a[2] - b[2]))) for a, b in pairs]
    apart = []
    for a, b in _pairs(recorded.objects, now.objects):
        there, here = recorded.objects[a], now.objects[b]
        apart += [float(np.linalg.norm(there[n] - here[n])) for n in there.keys() & here.keys()]
    return Agreement(
        (len(recorded.poses), len(now.poses), len(pairs)),
        _spread(away),
        _spread(turned),
        (_count(recorded.objects), _count(now.objects), len(apart)),
        _spread(apart),
    )


def difference(entry: Mapping[str, Any], again: Decision) -> str:
    """What a decision that was made and one that was made again do not share; empty: nothing.

    `entry`: as in mission.json.
    """
    made = Decision(
        entry["skill"],
        entry["target"],
        entry["reason"],
        face=entry.get("face", again.face),
        pose=again.pose,  # neither the file nor the message holds these
        purpose=again.purpose,
        why_not=tuple(entry.get("why_not", again.why_not)),
        candidates=tuple(entry["candidates"]),
        probabilities=tuple(entry["probabilities"]),
        allowed=tuple(entry["allowed"]),
    )
    if same_decision(made, again):
        return ""
    return (
        f"made was {made.skill} {made.target} ({made.reason}), the replay gives "
        f"{again.skill} {again.target} ({again.reason})"
    )


def _pairs(first: Mapping[float, Any], second: Mapping[float, Any]) -> list[tuple[float, float]]:
    """Times of the first with the nearest of the second, where that is near enough."""
    if not second:
        return []
    times = np.array(sorted(second))
    pairs = []
    for time in first:
        nearest = float(times[np.argmin(np.abs(times - time))])
        if abs(nearest - time) < SAME_TIME:
            pairs.append((time, nearest))
    return pairs


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """Median and largest; nan where there are none."""
    if not values:
        return float("nan"), float("nan")
    return float(np.median(values)), float(np.max(values))


def _count(objects: Mapping[float, Mapping[str, Any]]) -> int:
    return sum(len(each) for each in objects.values())
