"""What is really so in the plant: for the judge, benchmarks and reports; never for the robot."""

from dataclasses import dataclass, field

import mujoco
import numpy as np

from hrl_core.geometry import transform_from
from hrl_core.robot import Robot
from hrl_sim_bridge.plant.robot_model import plant_model
from hrl_sim_bridge.plant.sensors import Body
from hrl_sim_bridge.worlds.faults import Fault

MOST_HARMLESS = 10_000  # sets of contacts that are remembered
BUMPABLE = ("wall", "shelf", "station", "obstacle", "barrier", "person")


@dataclass(frozen=True)
class Touch:
    """How long and how hard the robot touched something."""

    count: int  # gait periods of 0.02 s in contact
    force: float  # N, the largest


@dataclass(frozen=True)
class Truth:
    """State of the plant at one tick; lengths m, angles rad, frame map."""

    time: float
    map_from_base: np.ndarray  # (4, 4)
    twist: np.ndarray  # (3,) in base_link
    items: dict[str, np.ndarray]  # name -> map_from_item (4, 4)
    item_speeds: dict[str, float]  # m/s
    held: str | None  # item between the jaws
    touched_items: tuple[str, ...]  # items in contact with the robot now
    contacts: tuple[str, ...]  # what the robot bumps into now, "<body> - <thing>"
    touches: dict[str, Touch] = field(default_factory=dict)  # since the reset, by the same names
    fallen: bool = False
    happened: tuple[Fault, ...] = ()  # faults that have come on since the reset
    belts_busy: bool = False  # something lies on a conveyor
    # Item -> station whose belt has carried it out; its pose is then that in which it left.
    carried: dict[str, str] = field(default_factory=dict)


class ContactWatch:
    """Sorts MuJoCo's contacts into bumps of the robot and touches of items."""

    def __init__(self, robot: Robot, model: mujoco.MjModel) -> None:
        self._model = model
        base = model.body(plant_model(robot).base).id
        self.names = [model.geom(g).name for g in range(model.ngeom)]
        kinds = [name.partition("/")[0] for name in self.names]
        own = np.array([model.body_rootid[b] == base for b in model.geom_bodyid])
        feet = own & np.isin(self.names, plant_model(robot).feet)
        self._robot = own
        self._item = np.array([kind == "item" for kind in kinds])
        bumpable = np.array([kind in BUMPABLE for kind in kinds])
        floor = np.array([kind == "floor" for kind in kinds])
        # Feet stand on the floor; anything else of the robot on it is a bump, as is a foot on
        # anything else. Sets of contacts that were no bump are remembered, as they come again
        # and again: this is asked 50 times a second.
        bump = own[:, None] & bumpable[None, :] | (own & ~feet)[:, None] & floor[None, :]
        self._is_bump = bump | bump.T
        self._harmless: set[bytes] = set()
        hand = model.body(robot.arm.hand_link).id
        finger = model.joint(robot.arm.gripper_joint).bodyid[0]
        self._jaws = [model.geom_bodyid == hand, model.geom_bodyid == finger]
        self._body_names = [model.body(b).name for b in model.geom_bodyid]
        self.reset()

    def reset(self) -> None:
        self.touches: dict[str, Touch] = {}

    def _pairs(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """Geoms of the contacts, the robot's first: (n,), (n,)."""
        pairs = data.contact.geom
        swap = self._robot[pairs[:, 1]]
        first = np.where(swap, pairs[:, 1], pairs[:, 0])
        second = np.where(swap, pairs[:, 0], pairs[:, 1])
        return first, second

    def update(self, data: mujoco.MjData) -> None:
        """Count the bumps of this instant."""
        for name, force in self.bumps(data).items():
            before = self.touches.get(name, Touch(0, 0.0))
            self.touches[name] = Touch(before.count + 1, max(before.force, force))

    def bumps(self, data: mujoco.MjData) -> dict[str, float]:
        """What the robot bumps into now, "<body> - <thing>" -> N."""
        pairs = data.contact.geom
        key = pairs.tobytes()
        if key in self._harmless:
            return {}
        bump = self._is_bump[pairs[:, 0], pairs[:, 1]]
        if not bump.any():
            if len(self._harmless) < MOST_HARMLESS:
                self._harmless.add(key)
            return {}
        first, second = self._pairs(data)
        found: dict[str, float] = {}
        wrench = np.zeros(6)
        for k in np.flatnonzero(bump):
            if data.contact[k].efc_address < 0:
                continue
            mujoco.mj_contactForce(self._model, data, int(k), wrench)
            thing = "/".join(self.names[second[k]].split("/")[:2])
            name = f"{self._body_names[first[k]]} - {thing}"
            found[name] = found.get(name, 0.0) + float(np.linalg.norm(wrench[:3]))
        return found

    def items(self, data: mujoco.MjData) -> tuple[str | None, tuple[str, ...]]:
        """The item between the jaws, and all items that the robot touches."""
        first, second = self._pairs(data)
        by_robot = self._robot[first] & self._item[second]
        touched = sorted({self._item_name(g) for g in second[by_robot]})
        held = None
        for name in touched:
            of_item = by_robot & np.array([self._item_name(g) == name for g in second])
            if all(jaw[first[of_item]].any() for jaw in self._jaws):
                held = name
        return held, tuple(touched)

    def _item_name(self, geom: int) -> str:
        return self.names[geom].partition("/")[2]


def read_truth(
    time: float,
    body: Body,
    model: mujoco.MjModel,
    data: mujoco.MjData,
    items: tuple[str, ...],
    watch: ContactWatch,
    happened: tuple[Fault, ...],
) -> Truth:
    """Collect the truth; data must be up to date (mj_kinematics)."""
    poses, speeds = {}, {}
    for name in items:
        item = data.body(f"item/{name}")
        poses[name] = transform_from(item.xpos.copy(), item.xmat.reshape(3, 3).copy())
        dof = model.joint(f"item/{name}").dofadr[0]
        speeds[name] = float(np.linalg.norm(data.qvel[dof : dof + 3]))
    held, touched = watch.items(data)
    map_from_base = body.map_from_base(data)
    return Truth(
        time=time,
        map_from_base=map_from_base,
        twist=body.twist(data),
        items=poses,
        item_speeds=speeds,
        held=held,
        touched_items=touched,
        contacts=tuple(watch.bumps(data)),
        touches=dict(watch.touches),
        fallen=bool(map_from_base[2, 2] < 0.6 or map_from_base[2, 3] < 0.25),
        happened=happened,
    )
