"""Whether an order was really carried out, by the plant's truth alone."""

from dataclasses import dataclass

import numpy as np

from hrl_core.site import Site
from hrl_sim_bridge.floorplan import solids
from hrl_sim_bridge.trial import Order
from hrl_sim_bridge.truth import Truth

PLACEMENT_LIMIT = 0.05  # m
UPRIGHT_LIMIT = 0.94  # cosine of the tilt
HEIGHT_LIMIT = 0.01  # m, of the base of an upright item above the table
SPEED_LIMIT = 0.05  # m/s
FLOOR_LIMIT = 0.15  # m, of an item's centre; boards are 0.2 m high or more


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
    wrong_item_delivered: bool = False  # another item stands free on a station
    item_on_floor: bool = False  # the ordered one


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
        wrong_item_delivered=bool(_wrong_items(truth, order, site)),
        item_on_floor=item_on_floor(truth, order, site),
    )


def item_on_floor(truth: Truth, order: Order, site: Site) -> bool:
    """Whether the ordered item lies on the floor inside the building."""
    x, y, z = truth.items[order.item][:3, 3]
    inside = 0 <= x <= site.size[0] and 0 <= y <= site.size[1]
    return bool(inside and z < FLOOR_LIMIT and order.item not in truth.touched_items)


def _wrong_items(truth: Truth, order: Order, site: Site) -> list[str]:
    """Items other than the ordered one that stand free on any station; none does at the start."""
    tables = {station.name: station for station in site.stations}
    solid = [rectangle for rectangle in solids(site) if rectangle.name in tables]
    found = []
    for name, pose in truth.items.items():
        if name == order.item or name in truth.touched_items:
            continue
        if any(
            table.distance(pose[:2, 3]) == 0 and pose[2, 3] > tables[table.name].board_height
            for table in solid
        ):
            found.append(name)
    return found
