"""Whether an order was really carried out, by the plant's truth alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hrl_core.floor.rectangles import solids
from hrl_core.site import Site
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.trial import Order

PLACEMENT_LIMIT = 0.05  # m
UPRIGHT_LIMIT = 0.94  # cosine of the tilt
HEIGHT_LIMIT = 0.01  # m, of the base of an upright item above the table
SPEED_LIMIT = 0.05  # m/s
BELTS_LIMIT = 60.0  # s, that a judge waits for what is on its way out on conveyors
FLOOR_LIMIT = 0.15  # m, of an item's centre; boards are 0.2 m high or more


@dataclass(frozen=True)
class Judgement:
    """The verdict of the plant, with what it measured."""

    delivered: bool
    sentence: str
    placement_error: float | None  # m, in the plane of the table; None: not measured
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
    away = float(np.linalg.norm((truth.items[item][:3, 3] - target)[:2]))
    reasons = standing_faults(truth, item, height, float(target[2]))
    if away > PLACEMENT_LIMIT:
        reasons.append(
            f"it is {100 * away:.1f} cm from the target; allowed are {100 * PLACEMENT_LIMIT:.0f}"
        )
    return reasons


def standing_faults(truth: Truth, item: str, height: float, surface: float) -> list[str]:
    """What keeps an item of a height [m] from standing free, upright and at rest on a surface [m]
    above the floor."""
    pose = truth.items[item]
    up = float(pose[2, 2])
    above = float(pose[2, 3]) - 0.5 * height - surface
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
    if truth.item_speeds[item] > SPEED_LIMIT:
        reasons.append(f"it moves at {truth.item_speeds[item]:.2f} m/s")
    return reasons


def judge(truth: Truth, order: Order, site: Site, together: Sequence[Order] = ()) -> Judgement:
    """Judge an order: its item must stand free, upright and at rest within 5 cm of the target.

    `together`: all orders of its mission. Of several, each may have its own place on the station.
    """
    station = site.station(order.to_station)
    if (carrier := truth.carried.get(order.item)) is not None or station.belt:
        return _judge_carried(truth, order, site, carrier, together)
    pose, target = truth.items[order.item], site.target_point(station.name)
    height, away = site.item(order.item).size[2], None
    if len(together) > 1:
        reasons = standing_faults(truth, order.item, height, station.board_height)
        if not _over_station(site, station.name, pose):
            reasons.append("it is not above the table")
    else:
        reasons = misplacement(truth, order.item, height, target)
        away = float(np.linalg.norm((pose[:3, 3] - target)[:2]))
    if reasons:
        sentence = f"{order.item} is not delivered to {station.name}: {'; '.join(reasons)}"
    else:
        from_target = "" if away is None else f", {100 * away:.1f} cm from the target"
        sentence = f"{order.item} stands on {station.name}{from_target}"
    return _judgement(truth, order, site, together, not reasons, sentence, away)


def _judge_carried(
    truth: Truth, order: Order, site: Site, carrier: str | None, together: Sequence[Order]
) -> Judgement:
    """An order to a conveyor, or whose item one has taken: it must have left upright by its own."""
    wanted, item = order.to_station, order.item
    upright = bool(truth.items[item][2, 2] >= UPRIGHT_LIMIT)
    delivered = carrier == wanted and upright
    if delivered:
        sentence = f"{item} has left by the belt of {wanted}"
    elif carrier is None:
        sentence = f"{item} is not delivered to {wanted}: it has not left by the belt"
    elif carrier != wanted:
        sentence = f"{item} is not delivered to {wanted}: it has left by the belt of {carrier}"
    else:
        sentence = f"{item} is not delivered to {wanted}: it left lying on the belt"
    return _judgement(truth, order, site, together, delivered, sentence, None)


def _judgement(
    truth: Truth,
    order: Order,
    site: Site,
    together: Sequence[Order],
    delivered: bool,
    sentence: str,
    away: float | None,
) -> Judgement:
    people = sum(touch.count for name, touch in truth.touches.items() if "- person/" in name)
    return Judgement(
        delivered=delivered,
        sentence=sentence,
        placement_error=away,
        upright=bool(truth.items[order.item][2, 2] >= UPRIGHT_LIMIT),
        contacts={name: touch.force for name, touch in truth.touches.items()},
        contacts_with_people=people,
        fell=truth.fallen,
        wrong_item_delivered=bool(_wrong_items(truth, together or (order,), site)),
        item_on_floor=item_on_floor(truth, order, site),
    )


def judge_all(truth: Truth, orders: Sequence[Order], site: Site) -> list[Judgement]:
    """Judge all orders of a mission at its end."""
    return [judge(truth, order, site, orders) for order in orders]


def item_on_floor(truth: Truth, order: Order, site: Site) -> bool:
    """Whether the ordered item lies on the floor inside the building."""
    x, y, z = truth.items[order.item][:3, 3]
    inside = 0 <= x <= site.size[0] and 0 <= y <= site.size[1]
    return bool(inside and z < FLOOR_LIMIT and order.item not in truth.touched_items)


def _over_station(site: Site, station: str, pose: np.ndarray) -> bool:
    """Whether an item's centre is above the top of a station."""
    (table,) = (rectangle for rectangle in solids(site) if rectangle.name == station)
    over = table.distance(pose[:2, 3]) == 0
    return bool(over and pose[2, 3] > site.station(station).board_height)


def _wrong_items(truth: Truth, orders: Sequence[Order], site: Site) -> list[str]:
    """Items that stand free on a station where nobody ordered them; none does at the start."""
    wanted = {order.item: order.to_station for order in orders}
    return [
        name
        for name, pose in truth.items.items()
        if name not in truth.touched_items
        and any(
            truth.carried.get(name) == station.name or _over_station(site, station.name, pose)
            for station in site.stations
            if wanted.get(name) != station.name
        )
    ]
