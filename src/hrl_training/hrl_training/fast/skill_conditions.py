"""Conditions of skills as far as a layout tells them, and the chances that follow.

The chances are those that the skills ship (./hrl calibrate); conditions that only sensors tell
stand at their mean in the trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from hrl_core.config import ConfigError
from hrl_core.floor.rectangles import Rectangle
from hrl_core.geometry import compose, invert, wrap_angle
from hrl_core.robot import DEFAULT_ROBOT
from hrl_core.site import Site
from hrl_master.orders import Decision
from hrl_skills.conditions import FREE, UNSEEN, kind_of_item
from hrl_skills.success_model import SuccessModel, load_success_model
from hrl_skills.walk import DISTANCE_MAX
from hrl_training.fast.floor import Floor
from hrl_training.fast.visibility import Sight

WIDEST = 0.8  # m; a way counts as no wider


class SuccessEstimate:
    """The chances of one skill, with unknown conditions at their mean."""

    def __init__(self, model: SuccessModel) -> None:
        self._by_name = {c.name: c for c in model.conditions}
        self._at_means = model.bias - sum(c.square for c in model.conditions)
        self._margin = 1.0 / (model.trials + 2)

    def __call__(self, conditions: Mapping[str, float]) -> float:
        logit = self._at_means
        for name, value in conditions.items():
            c = self._by_name.get(name)
            if c is not None:
                z = (min(max(value, c.low), c.high) - c.mean) / c.sd
                logit += c.weight * z + c.square * z * z
        chance = 1.0 / (1.0 + math.exp(-logit))
        return min(max(chance, self._margin), 1.0 - self._margin)


@lru_cache(maxsize=8)
def success_estimate(skill: str) -> SuccessEstimate | None:
    """Of a skill that ships chances that fit its weights; else None."""
    try:
        model = load_success_model(skill, DEFAULT_ROBOT)
    except ConfigError:
        return None
    return None if model is None else SuccessEstimate(model)


def conditions_of(
    decision: Decision,
    site: Site,
    floor: Floor | None,
    known: Sequence[Rectangle],
    pose: np.ndarray,
    sight: Sight,
    time: float,
) -> dict[str, float]:
    """What the layout says of how hard a decision is from a planar pose (3,) in map.

    Without a floor nothing is said of the way that a walk would take.
    """
    if decision.skill == "walk":
        assert decision.pose is not None, "a walk has a pose"
        return _walk(np.asarray(decision.pose, float), floor, known, pose)
    face = decision.face or decision.target
    away = compose(invert(pose), site.pose_in_front(face, site.standoff))
    if decision.skill == "approach":
        return {
            "distance_m": float(np.hypot(away[0], away[1])),
            "bearing_rad": float(abs(np.arctan2(away[1], away[0]))),
            "turn_rad": float(abs(away[2])),
            "target_height_m": float(site.face(face)[2, 3]),
            **_seen("target", face, sight, time),
        }
    board = site.shelf_of(face) if face in site.bins else site.station(face)
    back = compose(invert(site.pose_in_front(face, site.standoff)), pose)
    standing = {
        "forward_m": site.standoff - float(back[0]),
        "sideways_m": float(abs(back[1])),
        "turn_rad": float(abs(back[2])),
        "board_height_m": board.board_height,
    }
    if decision.skill == "grasp":
        item = site.item(decision.target)
        return {
            **kind_of_item(item),
            **standing,
            **_seen("item", decision.target, sight, time),
            **_seen("bin", face, sight, time),
        }
    return {**standing, **_seen("station", face, sight, time)}


def _walk(
    goal: np.ndarray, floor: Floor | None, known: Sequence[Rectangle], pose: np.ndarray
) -> dict[str, float]:
    left = compose(invert(pose), goal)
    straight = float(np.hypot(left[0], left[1]))
    turns = {
        "turn_to_goal_rad": float(abs(np.arctan2(left[1], left[0]))),
        "turn_at_goal_rad": float(abs(wrap_angle(left[2]))),
    }
    if floor is None:
        return turns
    way = floor.way(pose[:2], goal[:2], known)
    length, narrowest = DISTANCE_MAX, 0.0
    if way is not None:
        length, narrowest = max(way.length, straight), way.narrowest
    return {
        "way_m": length,
        "detour_m": max(0.0, length - straight),
        "narrowest_m": min(narrowest, WIDEST, FREE),
        **turns,
    }


def _seen(part: str, name: str, sight: Sight, time: float) -> dict[str, float]:
    track = sight.tracks.get(name)
    if track is None:
        return {f"{part}_seen": 0.0, f"{part}_age_s": UNSEEN}
    return {f"{part}_seen": 1.0, f"{part}_age_s": min(time - track.stamp, UNSEEN)}
