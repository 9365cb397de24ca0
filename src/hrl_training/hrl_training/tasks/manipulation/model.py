"""Light MuJoCo model for grasp and place: the arm on a base that is moved, a shelf, items."""

import mujoco
import numpy as np

from hrl_core.robot import Robot
from hrl_sim_bridge.plant.robot_model import plant_model, robot_spec, set_options

TIMESTEP = 0.005  # s; 10 ms costs 6 points of success, 2 ms gains 1
SHELF_DEPTH = 0.45  # m
PANELS = 0.6  # m, height of a shelf's back and of walls over the board
SOLID = mujoco.mjtGeom.mjGEOM_BOX
CONTACT_FOUND_AND_FORCE = 0b11


def manipulation_model(
    robot: Robot, largest: tuple[float, float], neighbours: int, walls: int
) -> mujoco.MjModel:
    """Compile it: the robot, `shelf` (origin: its board's front edge), `back`, `item`, `clutter`.

    `largest` m: half width and half height of the largest item, since MuJoCo fixes the bounds of a
    geom when it compiles. The bodies of the clutter, `around/0` and up, are neighbours, then walls.
    """
    spec = robot_spec(robot, skin=False, cameras=False, weightless_arm=True)
    _fix_base(robot, spec)
    set_options(spec, TIMESTEP)
    spec.option.impratio = 20
    shelf = spec.worldbody.add_body(name="shelf")
    _add_solid(shelf, (SHELF_DEPTH, 1.6, 0.3), (SHELF_DEPTH / 2, 0, -0.15))
    back = spec.worldbody.add_body(name="back")
    _add_solid(back, (0.02, 0.6, PANELS), (SHELF_DEPTH - 0.01, 0, PANELS / 2))
    clutter = spec.worldbody.add_body(name="clutter")
    width, height = largest
    for k in range(neighbours + walls):
        body = clutter.add_body(name=f"around/{k}")
        size = (2 * width, 2 * width, 2 * height)
        if k >= neighbours:
            size = (SHELF_DEPTH, 0.02, PANELS)
        _add_solid(body, size, (0, 0, 0), name=f"around/{k}")
    item = spec.worldbody.add_body(name="item", pos=[0.9, 0, 0.7])
    item.add_freejoint(name="item")
    cylinder = mujoco.mjtGeom.mjGEOM_CYLINDER
    for name, kind, size in (
        ("box", SOLID, [width, width, height]),
        ("cylinder", cylinder, [width, height, 0]),
    ):
        geom = item.add_geom(name=name, type=kind, size=size, mass=0.2)
        geom.condim, geom.priority = 4, 1
        geom.solref = [0.01, 1]
    hand, finger = robot.arm.hand_link, spec.joint(robot.arm.gripper_joint).parent.name
    body, tree = mujoco.mjtObj.mjOBJ_BODY, mujoco.mjtObj.mjOBJ_XBODY
    _add_contact_sensor(spec, "finger", finger, "item", body)
    _add_contact_sensor(spec, "jaw", hand, "item", body)
    base = plant_model(robot).base
    for fixed in ("shelf", "back", "clutter"):
        _add_contact_sensor(spec, f"robot/{fixed}", base, fixed, tree)
    _add_contact_sensor(spec, "item/clutter", "item", "clutter", tree)
    return spec.compile()


def _fix_base(robot: Robot, spec: mujoco.MjSpec) -> None:
    """Remove legs and the free joint: the environment moves the base as the gait would."""
    base = spec.body(plant_model(robot).base)
    arm = {*robot.arm.joints, robot.arm.gripper_joint}
    for actuator in list(spec.actuators):
        if actuator.name not in arm:
            spec.delete(actuator)
    for leg in list(base.bodies):
        if any(joint.name in robot.legs.joints for joint in leg.joints):
            spec.delete(leg)
    for joint in list(base.joints):
        spec.delete(joint)


def _add_solid(body, size, centre, name: str = "") -> None:
    geom = body.add_geom(name=name, type=SOLID, size=0.5 * np.asarray(size), pos=centre)
    geom.contype, geom.conaffinity = 1, 0
    geom.solref = [0.01, 1]


def _add_contact_sensor(
    spec: mujoco.MjSpec, name: str, first: str, second: str, kind: mujoco.mjtObj
) -> None:
    """Whether two bodies or (mjOBJ_XBODY) subtrees touch, and the net force between them."""
    sensor = spec.add_sensor(name=name, type=mujoco.mjtSensor.mjSENS_CONTACT)
    sensor.objtype = sensor.reftype = kind
    sensor.objname, sensor.refname = first, second
    sensor.intprm = [CONTACT_FOUND_AND_FORCE, 3, 1]


def item_inertia(size: np.ndarray, cylinder: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Diagonal inertia (n, 3) kg m2 of items with half sizes (n, 3) m; a cylinder has (r, r, h)."""
    x, y, z = size.T
    box = np.column_stack([y**2 + z**2, x**2 + z**2, x**2 + y**2]) / 3
    round_ = np.column_stack([(3 * x**2 + 4 * z**2) / 12] * 2 + [x**2 / 2])
    return np.where(cylinder[:, None], round_, box) * mass[:, None]
