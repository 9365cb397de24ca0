"""Faults in action: what each does to the running plant, and how it ends."""

import mujoco
import numpy as np

from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_sim_bridge.faults import Fault, FaultKind, check_target
from hrl_sim_bridge.floorplan import Rectangle
from hrl_sim_bridge.robot_model import SCENE, WALLS, plant_model
from hrl_sim_bridge.trial import ITEM_GAP, Trial, place_in_bin
from hrl_sim_bridge.warehouse import AWAY, BARRIER_SIZE, SPARES

SLIPPERY = 0.15  # friction of a wet floor
WET_RADIUS = 1.0  # m
BARRIER_GAP = 0.3  # m left beside a barrier: less than any robot needs
BARRIER_LONGEST = 4.0  # m
ROOM = 0.9  # m between the robot's middle and what appears
COVER_COLOUR = [0.6, 0.6, 0.58, 1]


class Disturbances:
    """The faults of a plant: the trial's and those injected while it runs."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        site: Site,
        robot: Robot,
        trial: Trial,
    ) -> None:
        self._model, self._data, self._site, self._trial = model, data, site, trial
        self._feet = [model.geom(name).id for name in plant_model(robot).feet]
        self._spare_people = [f"person/{len(trial.people) + k}" for k in range(SPARES)]
        self._barriers = [f"barrier/{k}" for k in range(SPARES)]
        base = model.body(plant_model(robot).base).id
        self._robot = int(model.jnt_qposadr[model.body_jntadr[base]])
        self._faults = list(trial.faults)
        self._on: dict[Fault, str | None] = {}  # fault -> the spare body that it took
        self._time = 0.0

    def add(self, fault: Fault) -> None:
        """Add a fault; raises ConfigError for a wrong target or when no spare is left."""
        wrong = check_target(fault.kind, fault.target, self._site)
        if wrong:
            raise ConfigError(f"fault target {fault.target!r}: {wrong}")
        item = fault.target.partition("@")[0]
        if fault.kind in (FaultKind.MISSING_ITEM, FaultKind.MISPLACED_ITEM):
            self._trial.item(item)
        self._faults.append(fault)

    def active(self, kind: FaultKind, target: str = "") -> bool:
        """Whether a fault of this kind and target is on."""
        return any(fault.kind is kind and fault.target == target for fault in self._on)

    def advance(self, time: float) -> None:
        """Start and end faults by the time [s]; keep up those that follow the robot."""
        if not self._faults:
            return
        self._time = time
        for fault in self._faults:
            if fault.active(time) and fault not in self._on and self._has_room(fault):
                self._on[fault] = self._start(fault)
        for fault in [fault for fault in self._on if not fault.active(time)]:
            self._end(fault, self._on.pop(fault))
        self._faults = [f for f in self._faults if f in self._on or f.start > time]
        if any(fault.kind is FaultKind.SLIPPERY_FLOOR for fault in self._on):
            self._wet_feet()

    def _has_room(self, fault: Fault) -> bool:
        """Nobody and nothing appears inside the robot: it waits until the robot is gone."""
        if fault.kind not in (FaultKind.PERSON, FaultKind.BLOCKED_AISLE):
            return True
        robot = self._data.qpos[self._robot : self._robot + 2]
        if fault.kind is FaultKind.PERSON:
            place = np.array(self._site.waypoints[fault.target].pose[:2])
            return bool(np.linalg.norm(place - robot) > ROOM)
        return bool(self._barrier_at(fault.target).distance(robot) > ROOM)

    def _start(self, fault: Fault) -> str | None:
        kind = fault.kind
        if kind is FaultKind.BLOCKED_AISLE:
            return self._block(fault.target)
        if kind is FaultKind.PERSON:
            return self._stand(fault.target)
        if kind is FaultKind.MARKER_OCCLUDED:
            self._cover(fault.target, True)
        if kind is FaultKind.MISSING_ITEM and self._in_stock(fault.target):
            self._move_item(fault.target, self._outside(fault.target))
        if kind is FaultKind.MISPLACED_ITEM:
            item, _, bin_name = fault.target.partition("@")
            if self._in_stock(item):
                self._move_item(item, self._free_place(item, bin_name))
        return None

    def _end(self, fault: Fault, spare: str | None) -> None:
        if spare is not None:
            self._mocap(spare)[:] = [0, 0, AWAY]
        if fault.kind is FaultKind.MARKER_OCCLUDED:
            self._cover(fault.target, False)
        if fault.kind is FaultKind.SLIPPERY_FLOOR:
            self._model.geom_friction[self._feet, 0] = self._trial.floor_friction
        if fault.kind in (FaultKind.MISSING_ITEM, FaultKind.MISPLACED_ITEM):
            item = fault.target.partition("@")[0]
            if self._in_stock(item):
                self._move_item(item, self._trial.item(item).map_from_item)

    def _in_stock(self, item: str) -> bool:
        return item in self._trial.item_names

    def _mocap(self, body: str) -> np.ndarray:
        return self._data.mocap_pos[self._model.body(body).mocapid[0]]

    def _free_spare(self, names: list[str], what: str) -> str:
        for name in names:
            if name not in self._on.values():
                return name
        raise ConfigError(f"all {len(names)} spare {what} stand somewhere already")

    def _stand(self, waypoint: str) -> str:
        body = self._free_spare(self._spare_people, "people")
        self._mocap(body)[:] = [*self._site.waypoints[waypoint].pose[:2], 0.0]
        return body

    def _barrier_at(self, waypoint: str) -> Rectangle:
        """What closes the way through a waypoint across its direction, as far as there is room."""
        x, y, yaw = self._site.waypoints[waypoint].pose
        across = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
        left, right = (self._free_way((x, y, 0.3), side * across) for side in (1, -1))
        width = max(left + right - 2 * BARRIER_GAP, 0.4)
        centre = np.array([x, y]) + 0.5 * (left - right) * across[:2]
        return Rectangle("barrier", np.array([*centre, yaw]), np.array([BARRIER_SIZE[1], width]))

    def _block(self, waypoint: str) -> str:
        body = self._free_spare(self._barriers, "barriers")
        place = self._barrier_at(waypoint)
        geom = self._model.geom(body).id
        half = 0.5 * np.array([*place.size, BARRIER_SIZE[2]])
        self._model.geom_size[geom] = half
        self._model.geom_rbound[geom] = np.linalg.norm(half)
        self._model.geom_aabb[geom, 3:] = half
        yaw = place.pose[2]
        mocap = self._model.body(body).mocapid[0]
        self._data.mocap_pos[mocap] = [*place.pose[:2], half[2]]
        self._data.mocap_quat[mocap] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
        return body

    def _free_way(self, point, direction: np.ndarray) -> float:
        """Distance [m] from a point in map to the next thing that stands fast."""
        groups = np.zeros(6, np.uint8)
        groups[[SCENE, WALLS]] = 1
        hit = np.zeros(1, np.int32)
        distance = mujoco.mj_ray(
            self._model, self._data, np.array(point), direction, groups, True, -1, hit
        )
        return min(distance, 0.5 * BARRIER_LONGEST) if hit[0] >= 0 else 0.5 * BARRIER_LONGEST

    def _cover(self, name: str, covered: bool) -> None:
        """Paste grey paper over the markers of a bin, station or item, or take it off."""
        for geom in range(self._model.ngeom):
            path = self._model.geom(geom).name.split("/")
            if path[0] == "tag" and path[1] == name:
                marker = self._marker_of(name)
                material = self._model.material(f"tag/{marker}").id
                self._model.geom_matid[geom] = -1 if covered else material
                self._model.geom_rgba[geom] = COVER_COLOUR if covered else [0.5, 0.5, 0.5, 1]

    def _marker_of(self, name: str) -> int:
        return next(m.id for m in self._site.markers.values() if m.name == name)

    def _outside(self, item: str) -> np.ndarray:
        """map_from_item (4, 4) of an item that was taken out of the building."""
        k = list(self._site.items).index(item)
        height = 0.5 * self._site.item(item).size[2] + ITEM_GAP
        return transform_from((-1.5, -1.5 - 0.3 * k, height))

    def _free_place(self, item: str, bin_name: str) -> np.ndarray:
        """map_from_item (4, 4) in a bin, beside what stands there already."""
        shelf = self._site.shelf_of(bin_name)
        third = shelf.width / len(shelf.bins) / 3
        others = [name for name in self._trial.item_names if name != item]
        taken = np.array([self._data.body(f"item/{name}").xpos for name in others]).reshape(-1, 3)
        places = [
            place_in_bin(self._site, item, bin_name, 0.11, aside, 0.0)
            for aside in (0.0, third, -third)
        ]
        room = [np.linalg.norm(taken - p[:3, 3], axis=1).min(initial=np.inf) for p in places]
        # The middle, unless something is nearer than two items' widths.
        return places[0] if room[0] > 0.15 else places[int(np.argmax(room))]

    def _move_item(self, name: str, map_from_item: np.ndarray) -> None:
        """Put an item somewhere else."""
        joint = self._model.joint(f"item/{name}")
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, map_from_item[:3, :3].ravel())
        address = joint.qposadr[0]
        self._data.qpos[address : address + 7] = [*map_from_item[:3, 3], *quaternion]
        # A body that moves is woken by MuJoCo; it settles by half a millimetre.
        self._data.qvel[joint.dofadr[0] : joint.dofadr[0] + 6] = [0, 0, -0.01, 0, 0, 0]

    def _wet_feet(self) -> None:
        """Each foot has the friction of the floor under it."""
        friction = np.full(len(self._feet), self._trial.floor_friction)
        feet = self._data.geom_xpos[self._feet, :2]
        for fault in self._on:
            if fault.kind is not FaultKind.SLIPPERY_FLOOR:
                continue
            if fault.target:
                centre = np.array(self._site.waypoints[fault.target].pose[:2])
                wet = np.linalg.norm(feet - centre, axis=1) < WET_RADIUS
            else:
                wet = np.ones(len(self._feet), bool)
            friction[wet] = min(SLIPPERY, self._trial.floor_friction)
        self._model.geom_friction[self._feet, 0] = friction
