"""Whether an order was really carried out, by the plant's truth alone."""

from dataclasses import dataclass

import numpy as np

from hrl_core.site import Site
from hrl_sim_bridge.trial import Order
from hrl_sim_bridge.truth import Truth

PLACEMENT_LIMIT = 0.05  # m
UPRIGHT_LIMIT = 0.94  # cosine of the tilt
HEIGHT_LIMIT = 0.01  # m, of the base of an upright item above the table
SPEED_LIMIT = 0.05  # m/s


@dataclass(frozen=True)
class Judgement:
    """The verdict of the plant, with what it measured."""

    delivered: bool
    sentence: str
    placement_error: float  # m, in the plane of the table
    upright: bool
    contacts: dict[str, float]  # what the robot bumped into -> largest force N
    contacts_with_people: int  # gait periods of 0.02 s
    fell: bool


def misplacement(truth: Truth, item: str, height: float, target: np.ndarray) -> list[str]:
    """What is wrong with where an item of a height [m] stands; nothing: it is on the target.

    target (3,) m in map: the point of the surface where the middle of its base belongs.
    """
    pose = truth.items[item]
    away = float(np.linalg.norm((pose[:3, 3] - target)[:2]))
    up = float(pose[2, 2])
    above = float(pose[2, 3]) - 0.5 * height - target[2]
    reasons = []
    if item in truth.touched_items:
        reasons.append("the robot still touches it")
    if abs(above) > HEIGHT_LIMIT:
        reasons.append(
            f"its base is {100 * above:.1f} cm above the table; "
            f"allowed are {100 * HEIGHT_LIMIT:.0f} cm up or down"
        )
    if up < UPRIGHT_LIMIT:
        tilt = np.degrees(np.arccos(np.clip(up, -1, 1)))
        limit = np.degrees(np.arccos(UPRIGHT_LIMIT))
        reasons.append(f"it is tilted by {tilt:.0f} deg; allowed are {limit:.0f}")
    if away > PLACEMENT_LIMIT:
        reasons.append(
            f"it is {100 * away:.1f} cm from the target; allowed are {100 * PLACEMENT_LIMIT:.0f}"
        )
    if truth.item_speeds[item] > SPEED_LIMIT:
        reasons.append(f"it moves at {truth.item_speeds[item]:.2f} m/s")
    return reasons


def judge(truth: Truth, order: Order, site: Site) -> Judgement:
    """Judge an order: its item must stand free, upright and at rest within 5 cm of the target."""
    station = site.station(order.to_station)
    pose, target = truth.items[order.item], site.target_point(station.name)
    away = float(np.linalg.norm((pose[:3, 3] - target)[:2]))
    reasons = misplacement(truth, order.item, site.item(order.item).size[2], target)
    if reasons:
        sentence = f"{order.item} is not delivered to {station.name}: {'; '.join(reasons)}"
    else:
        sentence = f"{order.item} stands on {station.name}, {100 * away:.1f} cm from the target"
    people = sum(touch.count for name, touch in truth.touches.items() if "- person/" in name)
    return Judgement(
        delivered=not reasons,
        sentence=sentence,
        placement_error=away,
        upright=bool(pose[2, 2] >= UPRIGHT_LIMIT),
        contacts={name: touch.force for name, touch in truth.touches.items()},
        contacts_with_people=people,
        fell=truth.fallen,
    )
