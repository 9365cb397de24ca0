"""The faults of a trial over time, as a skill-level simulator needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hrl_core.floor.paths import path_length, point_on
from hrl_core.floor.rectangles import Rectangle, outline
from hrl_core.site import Site
from hrl_sim_bridge.plant.warehouse import PERSON_RADIUS
from hrl_sim_bridge.trials.barriers import barrier_at
from hrl_sim_bridge.trials.trial import Person, Trial, place_in_bin
from hrl_sim_bridge.worlds.faults import NEAR, Fault, FaultKind, Trigger
from hrl_training.fast.floor import Way

OUTSIDE = np.array([-1.5, -1.5, 0.05])  # m, where items lie that were taken out of the building
PERSON_SIZE = np.full(2, 2 * PERSON_RADIUS)
# s, from when a fault comes on until its way is closed: a person comes from the next waypoint
CLOSES_AFTER = {FaultKind.BLOCKED_AISLE: 0.0, FaultKind.PERSON: 2.0}


@dataclass(frozen=True)
class Blockage:
    """Something that closes a way between two times [s]; inf: for good."""

    rectangle: Rectangle
    start: float
    end: float

    def stands(self, time: float) -> bool:
        return self.start <= time < self.end


class Disturbances:
    """What happens in one trial: faults by the clock, and those whose trigger has not come."""

    def __init__(self, site: Site, trial: Trial) -> None:
        self._site, self._trial = site, trial
        self._waiting = [f for f in trial.faults if f.trigger is not Trigger.CLOCK]
        self.faults = [f for f in trial.faults if f.trigger is Trigger.CLOCK]
        self.happened: list[Fault] = []
        self._rectangles: dict[Fault, Rectangle] = {}

    def pass_along(self, way: Way, times: np.ndarray) -> None:
        """The robot goes along a way and is at its points at times (n,) s: triggers by nearness."""
        for fault in [f for f in self._waiting if f.trigger is Trigger.NEAR]:
            near = np.flatnonzero(self._rectangle(fault).distance(way.points) < NEAR)
            if len(near):
                self._begin(fault, float(times[near[0]]))

    def carry(self, item: str, time: float) -> None:
        """The robot carries an item from a time [s] on."""
        for fault in [f for f in self._waiting if f.trigger is Trigger.CARRYING]:
            if fault.target == item:
                self._begin(fault, time)

    def drop(self, item: str, before: float) -> float | None:
        """When an item that is carried slips out of the gripper, if it does before a time [s]."""
        for fault in self.faults:
            if fault.kind is FaultKind.DROPPED_ITEM and fault.target == item:
                return fault.start if fault.start < before else None
        return None

    def note(self, time: float) -> None:
        """Remember what has come on by a time [s]; the judge asks for it."""
        self.happened += [f for f in self.faults if f.start <= time and f not in self.happened]

    @property
    def blockages(self) -> list[Blockage]:
        """Barriers and people that stand in the way, now or later."""
        found = []
        for fault in [fault for fault in self.faults if fault.kind in CLOSES_AFTER]:
            start = fault.start + CLOSES_AFTER[fault.kind]
            end = start + fault.duration if fault.duration else np.inf
            found.append(Blockage(self._rectangle(fault), start, end))
        return found

    def covered(self, time: float) -> set[str]:
        """Bins, stations and items whose markers are covered at a time [s]."""
        return {
            f.target for f in self.faults if f.kind is FaultKind.MARKER_OCCLUDED and f.active(time)
        }

    def outage(self, kind: FaultKind, target: str, begin: float, end: float) -> float | None:
        """When between two times [s] a sensor is first lost; None: it is not."""
        times = [
            max(f.start, begin)
            for f in self.faults
            if f.kind is kind and f.target == target and f.start < end and not f.over(begin)
        ]
        return min(times, default=None)

    def slippery(self, points: np.ndarray, time: float) -> bool:
        """Whether a way (n, 2) m leads over a wet patch."""
        for fault in self.faults:
            if fault.kind is not FaultKind.SLIPPERY_FLOOR or not fault.active(time):
                continue
            if not fault.target:
                return True
            place = np.array(self._site.waypoints[fault.target].pose[:2])
            if (np.linalg.norm(points - place, axis=1) < 1.0).any():
                return True
        return False

    def items(self, time: float) -> dict[str, tuple[np.ndarray, str]]:
        """Where the stock stands: name -> place (3,) m in map and bin ("": nowhere in stock)."""
        places = {p.name: (p.map_from_item[:3, 3].copy(), p.bin) for p in self._trial.stock}
        for fault in self.faults:
            item, _, bin_name = fault.target.partition("@")
            if not fault.active(time) or item not in places:
                continue
            if fault.kind is FaultKind.MISSING_ITEM:
                places[item] = OUTSIDE, ""
            elif fault.kind is FaultKind.MISPLACED_ITEM:
                pose = place_in_bin(self._site, item, bin_name, 0.11, 0.0, 0.0)
                places[item] = pose[:3, 3], bin_name
        return places

    def _begin(self, fault: Fault, time: float) -> None:
        self._waiting.remove(fault)
        self.faults.append(replace(fault, start=time + fault.start, trigger=Trigger.CLOCK))

    def _rectangle(self, fault: Fault) -> Rectangle:
        if fault not in self._rectangles:
            name = f"{fault.kind.value}/{fault.target}"
            if fault.kind is FaultKind.BLOCKED_AISLE:
                found = barrier_at(self._site, self._trial.obstacles, fault.target)
                self._rectangles[fault] = replace(found, name=name)
            else:
                x, y, _ = self._site.waypoints[fault.target].pose
                self._rectangles[fault] = Rectangle(name, np.array([x, y, 0.0]), PERSON_SIZE)
        return self._rectangles[fault]


def people_at(people: Iterable[Person], time: float) -> np.ndarray:
    """Edges (n, 4) m of the people who walk to and fro, at a time [s]."""
    squares: list[Rectangle] = []
    for person in people:
        length = path_length(person.route)
        along = (person.begin + person.speed * time) % (2 * length)
        place = point_on(person.route, min(along, 2 * length - along))
        squares.append(Rectangle("walker", np.array([*place, 0.0]), PERSON_SIZE))
    return outline(squares)


def standing(blockages: Sequence[Blockage], time: float) -> list[Rectangle]:
    """Those that stand at a time [s]."""
    return [each.rectangle for each in blockages if each.stands(time)]
