"""What each kind of fault does to the running plant, and how it ends: one class for each.

`EFFECTS` has one for every kind; when they come and go is up to `disturbances.Disturbances`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import mujoco
import numpy as np

from hrl_core.config import ConfigError
from hrl_core.control import TICK
from hrl_core.floor.rectangles import Rectangle
from hrl_core.robot import Robot
from hrl_core.site import Site
from hrl_core.tables import complete
from hrl_sim_bridge.plant.people import Visitor
from hrl_sim_bridge.plant.robot_model import plant_model
from hrl_sim_bridge.plant.sensors import Body
from hrl_sim_bridge.plant.truth import ContactWatch
from hrl_sim_bridge.plant.warehouse import AWAY, BARRIER_SIZE, SPARES, barriers_of
from hrl_sim_bridge.trials.barriers import barrier_at
from hrl_sim_bridge.trials.trial import Trial, outside, roomiest
from hrl_sim_bridge.worlds.faults import Fault, FaultKind

SLIPPERY = 0.15  # friction of a wet floor
WET_RADIUS = 1.0  # m
SLIPPING = [0.01, 0.0005, 0.0001]  # friction of an item that slips out of the gripper
ROOM = 1.6  # m between the robot's middle and a barrier that comes up: it can still stop
PERSON_ROOM = 1.8  # m between the robot's middle and a person who comes
COVER_COLOUR = [0.6, 0.6, 0.58, 1]


@dataclass(frozen=True)
class Simulation:
    """The plant as far as faults change it."""

    model: mujoco.MjModel
    data: mujoco.MjData
    site: Site
    robot: Robot
    trial: Trial
    watch: ContactWatch
    body: Body

    @property
    def robot_pose(self) -> np.ndarray:
        """Planar pose (3,) of base_link in map."""
        return np.array(self.body.planar(self.data))

    def waypoint(self, name: str) -> np.ndarray:
        """A waypoint (2,) m in map."""
        return np.array(self.site.waypoints[name].pose[:2])

    def mocap(self, body: str) -> np.ndarray:
        """Where a body stands (3,) m that faults put somewhere; a view to be written to."""
        return self.data.mocap_pos[self.model.body(body).mocapid[0]]

    def in_stock(self, item: str) -> bool:
        return item in self.trial.item_names

    def item_position(self, item: str) -> np.ndarray:
        """Where an item is (3,) m in map, also if it was moved at this very tick."""
        address = self.model.joint(f"item/{item}").qposadr[0]
        return self.data.qpos[address : address + 3]

    def move_item(self, item: str, map_from_item: np.ndarray) -> None:
        """Put an item somewhere else."""
        joint = self.model.joint(f"item/{item}")
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, map_from_item[:3, :3].ravel())
        address = joint.qposadr[0]
        self.data.qpos[address : address + 7] = [*map_from_item[:3, 3], *quaternion]
        # A body that moves is woken by MuJoCo; it settles by half a millimetre.
        self.data.qvel[joint.dofadr[0] : joint.dofadr[0] + 6] = [0, 0, -0.01, 0, 0, 0]


class Effect:
    """What faults of one kind do; this one does nothing: sensors ask whether their outage is on."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim

    def check(self, fault: Fault) -> None:
        """Raise ConfigError for a fault that this trial cannot have."""

    def distance(self, fault: Fault) -> float:
        """Distance [m] from the robot's middle to where the fault is, its waypoint."""
        place = self.sim.waypoint(fault.target)
        return float(np.linalg.norm(place - self.sim.robot_pose[:2]))

    def has_room(self, fault: Fault) -> bool:
        """Whether it may start: nobody and nothing appears inside the robot."""
        return True

    def start(self, fault: Fault) -> None:
        """The fault comes on."""

    def end(self, fault: Fault) -> None:
        """The fault is over."""

    def advance(self, on: Collection[Fault]) -> Iterable[Fault]:
        """One tick with these faults of its kind on; returns those that are over by it."""
        return ()


class Barrier(Effect):
    """A barrier closes the way at a waypoint."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._spare = [f"barrier/{k}" for k in range(barriers_of(sim.trial))]
        self._taken: dict[Fault, str] = {}  # the spare body that stands for a fault

    def distance(self, fault: Fault) -> float:
        return float(self._place(fault).distance(self.sim.robot_pose[:2]))

    def has_room(self, fault: Fault) -> bool:
        return self.distance(fault) > ROOM

    def start(self, fault: Fault) -> None:
        body = _free_spare(self._spare, self._taken.values(), "barriers")
        self._taken[fault] = body
        self._put(body, self._place(fault))

    def end(self, fault: Fault) -> None:
        self.sim.mocap(self._taken.pop(fault))[:] = [0, 0, AWAY]

    def _place(self, fault: Fault) -> Rectangle:
        return barrier_at(self.sim.site, self.sim.trial.obstacles, fault.target)

    def _put(self, body: str, place: Rectangle) -> None:
        model, data = self.sim.model, self.sim.data
        geom = model.geom(body).id
        half = 0.5 * np.array([*place.size, BARRIER_SIZE[2]])
        model.geom_size[geom] = half
        model.geom_rbound[geom] = np.linalg.norm(half)
        model.geom_aabb[geom, 3:] = half
        # Several rays at once are sorted by the boxes of bodies: without this the scan would see
        # the barrier only as wide as it was in the model.
        body_box = model.body_bvhadr[model.body(body).id]
        model.bvh_aabb[body_box, 3:] = half
        yaw = place.pose[2]
        mocap = model.body(body).mocapid[0]
        data.mocap_pos[mocap] = [*place.pose[:2], half[2]]
        data.mocap_quat[mocap] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]


class Person(Effect):
    """Somebody walks to a waypoint from a neighbouring one, stands there, and leaves."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        first = len(sim.trial.people)
        self._spare = [f"person/{first + k}" for k in range(SPARES)]
        self._taken: dict[Fault, str] = {}  # the spare body that stands for a fault
        self._visitors: dict[str, Visitor] = {}  # by that body, until they are gone

    def has_room(self, fault: Fault) -> bool:
        return bool(self._doors(fault.target, PERSON_ROOM))

    def start(self, fault: Fault) -> None:
        body = _free_spare(self._spare, {*self._taken.values(), *self._visitors}, "people")
        self._taken[fault] = body
        entry = self._doors(fault.target, PERSON_ROOM)[0]
        self._visitors[body] = Visitor(entry, self.sim.waypoint(fault.target))

    def end(self, fault: Fault) -> None:
        visitor = self._visitors.get(self._taken.pop(fault))
        if visitor is not None and not visitor.leaving:
            visitor.leave(self._doors(fault.target, 0.0)[0])

    def advance(self, on: Collection[Fault]) -> Iterable[Fault]:
        if not self._visitors:
            return ()
        pose = self.sim.robot_pose
        for body, visitor in [*self._visitors.items()]:
            visitor.advance(TICK, self.sim.robot.base, pose)
            if visitor.stuck:  # the robot stands in the way: back to where they came from
                visitor.leave(visitor.entry)
            gone = visitor.leaving and visitor.arrived
            self.sim.mocap(body)[:] = [0, 0, AWAY] if gone else [*visitor.position, 0.0]
            if gone:
                del self._visitors[body]
        return ()

    def _doors(self, waypoint: str, room: float) -> list[np.ndarray]:
        """Where people come from and go to (2,) m in map, the farthest from the robot first.

        They are the waypoint's neighbours, without those nearer to the robot than room [m].
        """
        sim = self.sim
        names = sim.site.neighbours(waypoint) or [waypoint]
        places = [sim.waypoint(name) for name in names]
        robot = sim.robot_pose[:2]
        places.sort(key=lambda place: -np.linalg.norm(place - robot))
        return [place for place in places if np.linalg.norm(place - robot) >= room]


class ItemGone(Effect):
    """An item is out of the building."""

    def check(self, fault: Fault) -> None:
        self.sim.trial.item(_item(fault))

    def start(self, fault: Fault) -> None:
        if self.sim.in_stock(item := _item(fault)):
            self.sim.move_item(item, self._place(fault))

    def end(self, fault: Fault) -> None:
        if self.sim.in_stock(item := _item(fault)):
            self.sim.move_item(item, self.sim.trial.item(item).map_from_item)

    def _place(self, fault: Fault) -> np.ndarray:
        """map_from_item (4, 4), where it stands meanwhile."""
        return outside(self.sim.site, _item(fault))


class ItemElsewhere(ItemGone):
    """An item stands in another bin, beside what stands there already."""

    def _place(self, fault: Fault) -> np.ndarray:
        site, trial = self.sim.site, self.sim.trial
        item, _, bin_name = fault.target.partition("@")
        others = [name for name in trial.item_names if name != item]
        taken = np.array([self.sim.item_position(name) for name in others]).reshape(-1, 3)
        return roomiest(site, item, bin_name, taken)[0]


class ItemSlips(Effect):
    """An item has next to no friction from when it is held until it is out of the jaws."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._slipping: set[str] = set()  # items

    def check(self, fault: Fault) -> None:
        self.sim.trial.item(fault.target)

    def end(self, fault: Fault) -> None:
        if self.sim.in_stock(fault.target):
            self._set_friction(fault.target, slipping=False)

    def advance(self, on: Collection[Fault]) -> Iterable[Fault]:
        if not on:
            return ()
        held, touched = self.sim.watch.items(self.sim.data)
        over = []
        for fault in on:
            if held == fault.target:
                self._set_friction(fault.target, slipping=True)
                self._slipping.add(fault.target)
            elif fault.target in self._slipping and fault.target not in touched:
                self._slipping.remove(fault.target)
                over.append(fault)
        return over

    def _set_friction(self, item: str, slipping: bool) -> None:
        geom = self.sim.model.geom(f"item/{item}").id
        friction = [self.sim.trial.item(item).friction, 0.01, 0.0005]
        self.sim.model.geom_friction[geom] = SLIPPING if slipping else friction


class WetFloor(Effect):
    """The floor is slippery around a waypoint, or everywhere: each foot has its friction."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._feet = [sim.model.geom(name).id for name in plant_model(sim.robot).feet]

    def end(self, fault: Fault) -> None:
        self.sim.model.geom_friction[self._feet, 0] = self.sim.trial.floor_friction

    def advance(self, on: Collection[Fault]) -> Iterable[Fault]:
        if not on:
            return ()
        dry = self.sim.trial.floor_friction
        friction = np.full(len(self._feet), dry)
        feet = self.sim.data.geom_xpos[self._feet, :2]
        for fault in on:
            wet = np.ones(len(self._feet), bool)
            if fault.target:
                away = feet - self.sim.waypoint(fault.target)
                wet = np.linalg.norm(away, axis=1) < WET_RADIUS
            friction[wet] = min(SLIPPERY, dry)
        self.sim.model.geom_friction[self._feet, 0] = friction
        return ()


class MarkerCover(Effect):
    """Grey paper hangs over the markers of a bin, station or item."""

    def start(self, fault: Fault) -> None:
        self._cover(fault.target, True)

    def end(self, fault: Fault) -> None:
        self._cover(fault.target, False)

    def _cover(self, name: str, covered: bool) -> None:
        model, markers = self.sim.model, self.sim.site.markers
        marker = next(marker.id for marker in markers.values() if marker.name == name)
        material = model.material(f"tag/{marker}").id
        for geom in range(model.ngeom):
            path = model.geom(geom).name.split("/")
            if path[0] == "tag" and path[1] == name:
                model.geom_matid[geom] = -1 if covered else material
                model.geom_rgba[geom] = COVER_COLOUR if covered else [0.5, 0.5, 0.5, 1]


def _item(fault: Fault) -> str:
    return fault.target.partition("@")[0]


def _free_spare(names: list[str], taken: Collection[str], what: str) -> str:
    for name in names:
        if name not in taken:
            return name
    raise ConfigError(f"all {len(names)} spare {what} stand somewhere already")


EFFECTS: dict[FaultKind, type[Effect]] = complete(
    FaultKind,
    {
        FaultKind.BLOCKED_AISLE: Barrier,
        FaultKind.MISSING_ITEM: ItemGone,
        FaultKind.MISPLACED_ITEM: ItemElsewhere,
        FaultKind.PERSON: Person,
        FaultKind.CAMERA_OUTAGE: Effect,
        FaultKind.LIDAR_OUTAGE: Effect,
        FaultKind.MARKER_OCCLUDED: MarkerCover,
        FaultKind.SLIPPERY_FLOOR: WetFloor,
        FaultKind.DROPPED_ITEM: ItemSlips,
    },
)
