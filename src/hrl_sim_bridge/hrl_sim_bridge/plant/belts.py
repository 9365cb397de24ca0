"""Conveyors of a running plant: belts that carry away what was put on them.

A belt is a heavy body on a slide that is moved at its speed and put back before every step of the
gait, so it goes on for ever. It runs once nothing on it was touched by the robot for its delay, as
one with a light barrier and an interlock does, until it is empty.
"""

import mujoco
import numpy as np

from hrl_core.geometry import inverse, transform_from_planar
from hrl_core.site import Belt, Site, Station
from hrl_sim_bridge.plant.truth import ContactWatch

OVER = 0.4  # m above a belt, up to which an item counts as on it
LEAVES = 0.03  # m before its end, where an item is taken over by what comes behind the belt
GONE = (-1.5, 1.5)  # m in map, behind the walls: where the first item that left is kept


class Belts:
    """All belts of a site; `carried`: item -> station whose belt has carried it away."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        site: Site,
        items: tuple[str, ...],
        watch: ContactWatch,
    ) -> None:
        self._model, self._data, self._watch = model, data, watch
        self._items = items
        self._belts = [(station, station.belt) for station in site.stations if station.belt]
        self._free_for = [0.0] * len(self._belts)  # s without the robot's touch
        self.carried: dict[str, str] = {}
        self.last_poses: dict[str, np.ndarray] = {}  # item -> map_from_item (4, 4) as it left

    @property
    def busy(self) -> bool:
        """Whether something lies on a belt: it will be carried away."""
        return any(self._on(*conveyor) for conveyor in self._belts)

    def advance(self, period: float) -> None:
        """One control tick [s]: what lies where, and what has come to the end."""
        if not self._belts:
            return
        touched = self._watch.items(self._data)[1]
        for k, (station, belt) in enumerate(self._belts):
            there = self._on(station, belt)
            free = bool(there) and not set(there) & set(touched)
            self._free_for[k] = self._free_for[k] + period if free else 0.0
            for item, along in there.items():
                if along > 0.5 * station.width - LEAVES:
                    self._take(item, station)

    def drive(self) -> None:
        """Before each step of the gait: put the belts back, and give them their speed."""
        for (station, belt), free_for in zip(self._belts, self._free_for, strict=True):
            joint = self._model.joint(f"station/{station.name}/belt")
            self._data.qpos[joint.qposadr[0]] = 0.0
            runs = free_for >= belt.delay
            self._data.qvel[joint.dofadr[0]] = belt.velocity if runs else 0.0

    def _on(self, station: Station, belt: Belt) -> dict[str, float]:
        """Items on a belt, and how far along its direction [m] from the middle of the front."""
        station_from_map = inverse(transform_from_planar(np.array(station.pose)))
        found = {}
        for item in self._items:
            if item in self.carried:
                continue
            x, y, z, _ = station_from_map @ [*self._data.body(f"item/{item}").xpos, 1.0]
            above = 0.0 < z - station.board_height < OVER
            if above and -station.depth < x < 0.0 and abs(y) < 0.5 * station.width:
                found[item] = float(y * np.sign(belt.velocity))
        return found

    def _take(self, item: str, station: Station) -> None:
        """The item has left the hall; it stands behind the wall for the rest of the trial."""
        body, joint = self._data.body(f"item/{item}"), self._model.joint(f"item/{item}")
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = body.xmat.reshape(3, 3), body.xpos
        self.last_poses[item] = pose
        x, y = GONE
        at, speed = joint.qposadr[0], joint.dofadr[0]
        height = float(pose[2, 3]) - station.board_height + 0.002
        self._data.qpos[at : at + 3] = [x, y + 0.3 * len(self.carried), height]
        self._data.qvel[speed : speed + 6] = [0, 0, -0.01, 0, 0, 0]
        self.carried[item] = station.name
