"""Faults in action: what each does to the running plant, and how it ends."""

from dataclasses import replace

import mujoco
import numpy as np

from hrl_core.config import ConfigError
from hrl_core.geometry import transform_from
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_sim_bridge.barriers import barrier_at
from hrl_sim_bridge.faults import (
    CARRIED,
    NEAR,
    Fault,
    FaultKind,
    Trigger,
    check_target,
    check_trigger,
)
from hrl_sim_bridge.floorplan import neighbours
from hrl_sim_bridge.people import Visitor
from hrl_sim_bridge.robot_model import plant_model
from hrl_sim_bridge.sensors import Body
from hrl_sim_bridge.trial import ITEM_GAP, Trial, place_in_bin
from hrl_sim_bridge.truth import ContactWatch
from hrl_sim_bridge.warehouse import AWAY, BARRIER_SIZE, SPARES
from hrl_skills.skill import TICK

SLIPPERY = 0.15  # friction of a wet floor
WET_RADIUS = 1.0  # m
SLIPPING = [0.01, 0.0005, 0.0001]  # friction of an item that slips out of the gripper
ROOM = 1.6  # m between the robot's middle and a barrier that comes up: it can still stop
PERSON_ROOM = 1.8  # m between the robot's middle and a person who comes
COVER_COLOUR = [0.6, 0.6, 0.58, 1]

_OF_ITEMS = (FaultKind.MISSING_ITEM, FaultKind.MISPLACED_ITEM, FaultKind.DROPPED_ITEM)


class Disturbances:
    """The faults of a plant: the trial's and those injected while it runs."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        site: Site,
        robot: Robot,
        trial: Trial,
        watch: ContactWatch,
    ) -> None:
        self._model, self._data, self._site, self._trial = model, data, site, trial
        self._watch, self._base = watch, robot.base
        self._body = Body(robot, model)
        self._feet = [model.geom(name).id for name in plant_model(robot).feet]
        self._spare_people = [f"person/{len(trial.people) + k}" for k in range(SPARES)]
        self._barriers = [f"barrier/{k}" for k in range(SPARES)]
        self._faults = list(trial.faults)
        self._on: dict[Fault, str | None] = {}  # fault -> the spare body that it took
        self._visitors: dict[str, Visitor] = {}  # by the spare body, until they are gone
        self._at_rest: dict[str, np.ndarray] = {}  # item -> (3,) m in map, when last not held
        self._slipping: set[str] = set()  # items
        self._happened: list[Fault] = []

    @property
    def happened(self) -> tuple[Fault, ...]:
        """The faults that have come on, in their order."""
        return tuple(self._happened)

    def add(self, fault: Fault) -> None:
        """Add a fault; raises ConfigError for a wrong target or when no spare is left."""
        wrong = check_target(fault.kind, fault.target, self._site)
        if wrong:
            raise ConfigError(f"fault target {fault.target!r}: {wrong}")
        wrong = check_trigger(fault.kind, fault.trigger)
        if wrong:
            raise ConfigError(f"fault trigger {fault.trigger.value!r}: {wrong}")
        item = fault.target.partition("@")[0]
        if fault.kind in _OF_ITEMS:
            self._trial.item(item)
        self._faults.append(fault)

    def active(self, kind: FaultKind, target: str = "") -> bool:
        """Whether a fault of this kind and target is on."""
        return any(fault.kind is kind and fault.target == target for fault in self._on)

    def advance(self, time: float) -> None:
        """Start and end faults by the time [s]; keep up those that follow the robot."""
        if not self._faults and not self._visitors:
            return
        if time >= 0:  # the robot still settles before
            self._faults = [self._after_trigger(fault, time) for fault in self._faults]
        for fault in self._faults:
            if fault.active(time) and fault not in self._on and self._has_room(fault):
                self._on[fault] = self._start(fault)
                self._happened.append(fault)
        for fault in [fault for fault in self._on if not fault.active(time)]:
            self._end(fault, self._on.pop(fault))
        self._faults = [fault for fault in self._faults if not fault.over(time)]
        if any(fault.kind is FaultKind.SLIPPERY_FLOOR for fault in self._on):
            self._wet_feet()
        for fault in [fault for fault in self._on if fault.kind is FaultKind.DROPPED_ITEM]:
            self._let_slip(fault)
        if self._visitors:
            self._move_visitors()

    def _robot_pose(self) -> np.ndarray:
        """Planar pose (3,) of base_link in map."""
        return np.array(self._body.planar(self._data))

    def _after_trigger(self, fault: Fault, time: float) -> Fault:
        """The fault by the clock, once its trigger has come; else itself."""
        if fault.trigger is Trigger.NEAR:
            came = self._distance(fault) < NEAR
        elif fault.trigger is Trigger.CARRYING:
            came = self._in_stock(fault.target) and self._is_carried(fault.target)
        else:
            return fault
        return replace(fault, start=time + fault.start, trigger=Trigger.CLOCK) if came else fault

    def _is_carried(self, item: str) -> bool:
        """Whether an item is between the jaws, away from where it was grasped."""
        position = self._data.body(f"item/{item}").xpos
        if self._watch.items(self._data)[0] != item:
            self._at_rest[item] = position.copy()
            return False
        start = self._at_rest.setdefault(item, position.copy())
        return bool(np.linalg.norm(position - start) > CARRIED)

    def _has_room(self, fault: Fault) -> bool:
        """Nobody and nothing appears inside the robot: it waits until the robot is gone."""
        if fault.kind is FaultKind.PERSON:
            return bool(self._doors(fault.target, PERSON_ROOM))
        return fault.kind is not FaultKind.BLOCKED_AISLE or self._distance(fault) > ROOM

    def _distance(self, fault: Fault) -> float:
        """Distance [m] from the robot's middle to a fault's waypoint, or to the barrier there."""
        robot = self._robot_pose()[:2]
        if fault.kind is FaultKind.BLOCKED_AISLE:
            return float(
                barrier_at(self._site, self._trial.obstacles, fault.target).distance(robot)
            )
        return float(np.linalg.norm(self._site.waypoints[fault.target].pose[:2] - robot))

    def _start(self, fault: Fault) -> str | None:
        kind = fault.kind
        if kind is FaultKind.BLOCKED_AISLE:
            return self._block(fault.target)
        if kind is FaultKind.PERSON:
            return self._step_in(fault.target)
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
        if fault.kind is FaultKind.PERSON and spare is not None:
            if spare in self._visitors and not self._visitors[spare].leaving:
                self._visitors[spare].leave(self._doors(fault.target, 0.0)[0])
        elif spare is not None:
            self._mocap(spare)[:] = [0, 0, AWAY]
        if fault.kind is FaultKind.MARKER_OCCLUDED:
            self._cover(fault.target, False)
        if fault.kind is FaultKind.SLIPPERY_FLOOR:
            self._model.geom_friction[self._feet, 0] = self._trial.floor_friction
        if fault.kind is FaultKind.DROPPED_ITEM and self._in_stock(fault.target):
            self._set_friction(fault.target, slipping=False)
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
            if name not in self._on.values() and name not in self._visitors:
                return name
        raise ConfigError(f"all {len(names)} spare {what} stand somewhere already")

    def _doors(self, waypoint: str, room: float) -> list[np.ndarray]:
        """Where people come from and go to (2,) m in map, the farthest from the robot first.

        They are the waypoint's neighbours, without those nearer to the robot than room [m].
        """
        names = neighbours(self._site, waypoint) or [waypoint]
        places = [np.array(self._site.waypoints[name].pose[:2]) for name in names]
        robot = self._robot_pose()[:2]
        places.sort(key=lambda place: -np.linalg.norm(place - robot))
        return [place for place in places if np.linalg.norm(place - robot) >= room]

    def _step_in(self, waypoint: str) -> str:
        body = self._free_spare(self._spare_people, "people")
        place = np.array(self._site.waypoints[waypoint].pose[:2])
        self._visitors[body] = Visitor(self._doors(waypoint, PERSON_ROOM)[0], place)
        return body

    def _move_visitors(self) -> None:
        pose = self._robot_pose()
        for body, visitor in [*self._visitors.items()]:
            visitor.advance(TICK, self._base, pose)
            if visitor.stuck:  # the robot stands in the way: back to where they came from
                visitor.leave(visitor.entry)
            gone = visitor.leaving and visitor.arrived
            self._mocap(body)[:] = [0, 0, AWAY] if gone else [*visitor.position, 0.0]
            if gone:
                del self._visitors[body]

    def _let_slip(self, fault: Fault) -> None:
        """The item has next to no friction until it is out of the jaws."""
        held, touched = self._watch.items(self._data)
        if held == fault.target:
            self._set_friction(fault.target, slipping=True)
            self._slipping.add(fault.target)
        elif fault.target in self._slipping and fault.target not in touched:
            self._slipping.remove(fault.target)
            self._faults.remove(fault)
            self._end(fault, self._on.pop(fault))

    def _set_friction(self, item: str, slipping: bool) -> None:
        geom = self._model.geom(f"item/{item}").id
        friction = [self._trial.item(item).friction, 0.01, 0.0005]
        self._model.geom_friction[geom] = SLIPPING if slipping else friction

    def _block(self, waypoint: str) -> str:
        body = self._free_spare(self._barriers, "barriers")
        place = barrier_at(self._site, self._trial.obstacles, waypoint)
        geom = self._model.geom(body).id
        half = 0.5 * np.array([*place.size, BARRIER_SIZE[2]])
        self._model.geom_size[geom] = half
        self._model.geom_rbound[geom] = np.linalg.norm(half)
        self._model.geom_aabb[geom, 3:] = half
        # Several rays at once are sorted by the boxes of bodies: without this the scan would see
        # the barrier only as wide as it was in the model.
        body_box = self._model.body_bvhadr[self._model.body(body).id]
        self._model.bvh_aabb[body_box, 3:] = half
        yaw = place.pose[2]
        mocap = self._model.body(body).mocapid[0]
        self._data.mocap_pos[mocap] = [*place.pose[:2], half[2]]
        self._data.mocap_quat[mocap] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
        return body

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
        taken = np.array([self._position(name) for name in others]).reshape(-1, 3)
        places = [
            place_in_bin(self._site, item, bin_name, 0.11, aside, 0.0)
            for aside in (0.0, third, -third)
        ]
        room = [np.linalg.norm(taken - p[:3, 3], axis=1).min(initial=np.inf) for p in places]
        # The middle, unless something is nearer than two items' widths.
        return places[0] if room[0] > 0.15 else places[int(np.argmax(room))]

    def _position(self, item: str) -> np.ndarray:
        """Where an item is (3,) m in map, also if it was moved at this very tick."""
        address = self._model.joint(f"item/{item}").qposadr[0]
        return self._data.qpos[address : address + 3]

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
