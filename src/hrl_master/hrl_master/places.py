"""Free places on a station: where an item can be put down among what was seen to stand there.

Places lie in one row, as far behind the front edge as the site's target: an item is never put
before or behind another, so that all of them stay in view and the hand comes down beside them.
"""

from collections.abc import Mapping

import numpy as np

from hrl_core.geometry import inverse
from hrl_core.site import MARKER_DROP, Item, Site
from hrl_master.reasons import Reason, Refusal
from hrl_master.situation import Situation

ROOM = 0.07  # m, between two items: for a jaw or the finger, and for what both are off their places
EDGE = 0.03  # m, between an item and the end of the table
STEP = 0.01  # m, of the places that are tried
LOW = 0.015  # m; an item that is lower or higher than it stands upright may lie


def free_place(site: Site, situation: Situation) -> np.ndarray | None:
    """Where on its station the order's item can be put down, see `free_offset`."""
    order, scene = situation.order, situation.scene
    face = scene.seen_lately(order.to_station)
    if face is None:
        face = site.face(order.to_station)
    oldest = situation.beliefs.stamp - site.station(order.to_station).clear_after
    others = {
        name: np.array(sighting.position)
        for name, sighting in situation.beliefs.sightings.items()
        if sighting.face == order.to_station
        and name != order.item
        and sighting.stamp >= oldest  # else its belt has carried it away
    }
    return free_offset(site, order.to_station, face, order.item, others)


def station_full(site: Site, situation: Situation) -> Refusal | None:
    """Why the order's station takes no more; None: it does."""
    order, sightings = situation.order, situation.beliefs.sightings
    if free_place(site, situation) is not None:
        return None
    there = ", ".join(sorted(name for name, s in sightings.items() if s.face == order.to_station))
    return Refusal(
        Reason.STATION_FULL,
        f"{order.to_station} is full: no place is free for {order.item} beside {there}",
    )


def free_offset(
    site: Site,
    station: str,
    map_from_face: np.ndarray,
    item: str,
    others: Mapping[str, np.ndarray],
) -> np.ndarray | None:
    """Offset (2,) m of the free place nearest to the middle, in the station's frame.

    map_from_face (4, 4): of the station, as it is seen or mapped; others: where in map the centres
    (3,) m of other items are. None: there is no free place.
    """
    own = _radius(site.item(item))
    reach = 0.5 * site.station(station).width - own - EDGE
    taken = [
        _covers(site.item(name), inverse(map_from_face) @ [*position, 1.0])
        for name, position in others.items()
    ]
    steps = np.arange(0.0, reach, STEP)
    for y in np.stack([steps, -steps], axis=1).ravel():  # to either side in turn
        apart = [
            np.hypot(x + site.target_setback, beside - y) - own - other - ROOM
            for x, beside, other in taken
        ]
        if min(apart, default=0.0) >= 0.0:
            return np.array([0.0, y])
    return None


def _radius(item: Item) -> float:
    """Of the circle [m] that an upright item covers, however it is turned."""
    return 0.5 * (item.size[0] if item.shape == "cylinder" else float(np.hypot(*item.size[:2])))


def _covers(item: Item, centre: np.ndarray) -> tuple[float, float, float]:
    """Circle x, y, radius [m] that an item covers whose centre is at (4,) in a station's frame."""
    lies = abs(centre[2] - MARKER_DROP - 0.5 * item.size[2]) > LOW
    radius = 0.5 * float(np.linalg.norm(item.size)) if lies else _radius(item)
    return float(centre[0]), float(centre[1]), radius
