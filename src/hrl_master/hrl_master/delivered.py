"""What was delivered stays watched: an item that is seen fallen, moved or gone is an error."""

from dataclasses import dataclass

import numpy as np

from hrl_master.scene import Scene
from hrl_master.surfaces import FLOOR, Surfaces

FRESH = 1.5  # s; a sight so young is of now
UPRIGHT = 0.94  # cosine of the tilt
SUNK = 0.012  # m, off its height at its delivery; an item that lies may look upright but too low
SHIFTED = 0.06  # m, in the plane, off its place at its delivery
NEAR = 1.3  # m; from further away heights are not measured so well
FLOOR_RANGE = 3.0  # m; what lies on the floor so near is believed


@dataclass(frozen=True)
class Delivered:
    """An item where it was last seen at its delivery: its centre (3,) m in map."""

    order: int  # its number in the mission
    item: str
    station: str
    position: np.ndarray
    stamp: float  # s


class DeliveredWatch:
    """The delivered items of one mission, until something is found wrong with them."""

    def __init__(self, surfaces: Surfaces):
        self._surfaces = surfaces
        self._watched: list[Delivered] = []

    def add(self, order: int, item: str, station: str, scene: Scene) -> None:
        """Watch an item from now on; `scene` shows where it stands."""
        seen = scene.seen.get(item)
        if seen is not None:
            position = seen.map_from_object[:3, 3].copy()
            self._watched.append(Delivered(order, item, station, position, scene.stamp))

    def forget(self, item: str) -> None:
        """Watch an item no more: it is to be taken from where it stands."""
        self._watched = [each for each in self._watched if each.item != item]

    def faults(self, scene: Scene, looked_at: str = "") -> dict[int, str]:
        """What is wrong now, in a sentence by order; such an item is not watched any more.

        `looked_at`: the station that the robot has just looked at from near: what it does not see
        there, past the arm, is gone or lies with its markers hidden.
        """
        found = {}
        for each in self._watched:
            if wrong := self._fault(each, scene) or self._unseen(each, scene, looked_at):
                found[each.order] = f"{each.item} was delivered to {each.station}, but {wrong}"
        self._watched = [each for each in self._watched if each.order not in found]
        return found

    def _fault(self, each: Delivered, scene: Scene) -> str:
        seen = scene.seen.get(each.item)
        if seen is None or scene.map_from_base is None or seen.age > FRESH:
            return ""
        at = seen.map_from_object[:3, 3]
        away = float(np.hypot(*(at[:2] - scene.map_from_base[:2])))
        if scene.stamp - seen.age <= each.stamp:
            return ""
        if self._surfaces.face_at(at) == FLOOR:
            return "it is seen on the floor now" if away < FLOOR_RANGE else ""
        if away > NEAR:
            return ""
        up, sunk = float(seen.map_from_object[2, 2]), float(at[2] - each.position[2])
        shifted = float(np.hypot(*(at[:2] - each.position[:2])))
        if up < UPRIGHT:
            return f"it is seen tilted now: upright {up:.2f}, limit {UPRIGHT}"
        if abs(sunk) > SUNK:
            return f"it is seen {sunk:+.3f} m off its height now, limit {SUNK} m: it may lie"
        limit = SHIFTED + 2 * min(scene.position_std, 0.1)
        if shifted > limit:
            return f"it is seen {shifted:.2f} m from its place now, limit {limit:.2f} m"
        return ""

    def _unseen(self, each: Delivered, scene: Scene, looked_at: str) -> str:
        base = scene.map_from_base
        if looked_at != each.station or base is None:
            return ""
        if not self._surfaces.shows(base, each.position):
            return ""  # the arm may hide it, or it stands too high
        seen = scene.seen.get(each.item)
        if seen is not None and seen.age < FRESH:
            return ""
        return "it is not seen there any more, with the robot before it"
